package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

func TestGraphHeader(t *testing.T) {
	g, err := ReadGraph(filepath.Join(models, "tiny-immich/textual/model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Inputs) != 1 || g.Inputs[0].String() != "text int32 [1, 77]" || len(g.Outputs) != 1 || g.Outputs[0].String() != "embedding float32 [1, 32]" || g.Dynamic {
		t.Errorf("%+v", g)
	}
	g, err = ReadGraph(filepath.Join(models, "tiny-clip/onnx/vision_model_quantized.onnx"))
	if err != nil || g.Inputs[0].String() != "pixel_values float32 [batch_size, 3, 224, 224]" || !g.Dynamic {
		t.Errorf("%+v, %v", g, err)
	}
}

// The header of a graph whose weights lie beside it, and old files that list
// weights among the inputs.
func TestGraphWeights(t *testing.T) {
	parts := echo(4)
	parts.inputs = append(parts.inputs, value("w", Float32, 4, 4))
	parts.weights = append(parts.weights, external("u", "sub/b.data", 2), external("v", "a.data", 2))
	b := parts.model()
	g, err := readGraph(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Inputs) != 1 || !slices.Equal(g.External, []string{"a.data", "sub/b.data"}) {
		t.Errorf("%+v", g)
	}
}

// Where directories go wrong, Problems name the file that is missing or bad.
func TestProblems(t *testing.T) {
	textGraph, imageGraph := tiny(t, "tiny-clip/onnx/text_model.onnx"), tiny(t, "tiny-clip/onnx/vision_model.onnx")
	weightsBeside := echo(4)
	weightsBeside.weights = [][]byte{external("w", "text_model.onnx_data", 4, 4)}
	escaping := echo(4)
	escaping.weights = [][]byte{external("w", "../../etc/passwd", 4, 4)}
	strange := echo(4, value("pixel_mask", Int64, "batch", 4))
	nodim := echo(4)
	nodim.outputs = [][]byte{value("pooler_output", Float32, "batch", "dim")}
	twoOutputs := echo(4)
	twoOutputs.outputs = [][]byte{value("a", Float32, "batch", 4), value("b", Float32, "batch", 4)}
	both := echo(4, value("pixel_values", Float32, "batch", 3, 224, 224))
	wide := echo(4)
	for name, c := range map[string]struct {
		files       map[string][]byte
		variant     string
		text, image bool
		want        string // in Problems
	}{
		"whole":             {files: map[string][]byte{"onnx/text_model.onnx": textGraph, "onnx/vision_model.onnx": imageGraph, "tokenizer.json": nil, "preprocessor_config.json": nil}, text: true, image: true},
		"text only":         {files: map[string][]byte{"onnx/text_model.onnx": textGraph, "tokenizer.json": nil}, text: true},
		"image only":        {files: map[string][]byte{"vision_model.onnx": imageGraph, "preprocessor_config.json": nil}, image: true},
		"vocab and merges":  {files: map[string][]byte{"onnx/text_model.onnx": textGraph, "vocab.json": nil, "merges.txt": nil}, text: true},
		"empty":             {files: map[string][]byte{"config.json": nil}, want: "no ONNX graphs"},
		"PyTorch":           {files: map[string][]byte{"config.json": nil, "pytorch_model.bin": {}}, want: "an ONNX export is needed"},
		"no tokenizer":      {files: map[string][]byte{"onnx/text_model.onnx": textGraph, "tokenizer_config.json": nil}, want: "tokenizer.json, vocab.txt, a model of SentencePiece (tokenizer.model, sentencepiece.bpe.model, spiece.model), or vocab.json and merges.txt, is missing"},
		"no preprocessor":   {files: map[string][]byte{"onnx/vision_model.onnx": imageGraph}, want: "preprocessor_config.json"},
		"truncated":         {files: map[string][]byte{"onnx/text_model.onnx": textGraph[:len(textGraph)/2], "tokenizer.json": nil}, want: "cut off"},
		"empty graph":       {files: map[string][]byte{"onnx/text_model.onnx": {}, "tokenizer.json": nil}, want: "holds no graph"},
		"a Git LFS pointer": {files: map[string][]byte{"onnx/text_model.onnx": []byte("version https://git-lfs.github.com/spec/v1\noid sha256:3f65\nsize 254058553\n"), "tokenizer.json": nil}, want: "Git LFS pointer"},
		"weights missing":   {files: map[string][]byte{"onnx/text_model.onnx": weightsBeside.model(), "tokenizer.json": nil}, want: "text_model.onnx_data is missing"},
		"weights elsewhere": {files: map[string][]byte{"onnx/text_model.onnx": escaping.model(), "tokenizer.json": nil}, want: "outside of its directory"},
		"unknown input":     {files: map[string][]byte{"onnx/text_model.onnx": strange.model(), "tokenizer.json": nil}, want: "pixel_mask int64 [batch, 4]"},
		"dimension unknown": {files: map[string][]byte{"onnx/text_model.onnx": nodim.model(), "tokenizer.json": nil}, want: "neither"},
		"dimension told":    {files: map[string][]byte{"onnx/text_model.onnx": nodim.model(), "tokenizer.json": nil, "config.json": []byte(`{"projection_dim": 4}`)}, text: true},
		"outputs unclear":   {files: map[string][]byte{"onnx/text_model.onnx": twoOutputs.model(), "tokenizer.json": nil}, want: "no output that is known"},
		"both in one":       {files: map[string][]byte{"onnx/model.onnx": both.model(), "tokenizer.json": nil}, text: true, want: "preprocessor_config.json (or preprocess_cfg.json) is missing"},
		"do not match":      {files: map[string][]byte{"onnx/text_model.onnx": wide.model(), "onnx/vision_model.onnx": imageGraph, "tokenizer.json": nil, "preprocessor_config.json": nil}, text: true, want: "do not belong together"},
		"wrong picture size": {files: map[string][]byte{"onnx/vision_model.onnx": imageGraph, "preprocess_cfg.json": []byte(`{"size": 64, "mean": [0,0,0], "std": [1,1,1]}`)},
			want: "takes pictures of 224 x 224 but"},
		"no such variant": {files: map[string][]byte{"onnx/text_model.onnx": textGraph, "tokenizer.json": nil}, variant: "int8", want: `no variant "int8" (there is fp32)`},
		"only quantized":  {files: map[string][]byte{"onnx/text_model_quantized.onnx": textGraph, "onnx/text_model_q4.onnx": textGraph, "tokenizer.json": nil}, text: true},
	} {
		dir := put(t, c.files)
		f, err := Inspect(dir, c.variant)
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(f.Problems, "; ")
		if (f.Text != nil) != c.text || (f.Image != nil) != c.image || (c.want == "") != (all == "") || !strings.Contains(all, c.want) || !strings.Contains(f.String(), c.want) {
			t.Errorf("%s: text %v, image %v, problems %q; want %q", name, f.Text != nil, f.Image != nil, all, c.want)
		}
		_, err = Open(dir, &Options{Variant: c.variant})
		if (err == nil) != (c.text || c.image) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: open: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Open(filepath.Join(models, "tiny-clip", "vocab.json"), nil); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file: %v", err)
	}
}

// A directory of one tower says so when asked for the other.
func TestOneTower(t *testing.T) {
	e := open(t, put(t, map[string][]byte{"onnx/text_model.onnx": tiny(t, "tiny-clip/onnx/text_model.onnx"), "tokenizer.json": nil}), nil)
	if _, err := e.EncodeImages(t.Context(), []encoder.Image{{}}); !errors.Is(err, encoder.ErrUnsupported) || !strings.Contains(err.Error(), "vision_model.onnx") {
		t.Errorf("pictures: %v", err)
	}
	e = open(t, put(t, map[string][]byte{"onnx/vision_model.onnx": tiny(t, "tiny-clip/onnx/vision_model.onnx"), "preprocessor_config.json": nil}), nil)
	if _, err := e.EncodeTexts(t.Context(), []string{""}); !errors.Is(err, encoder.ErrUnsupported) || !strings.Contains(err.Error(), "text_model.onnx") {
		t.Errorf("texts: %v", err)
	}
}

// Towers in directories of their own, side by side, with an attention mask.
func TestTwoFolders(t *testing.T) {
	needRuntime(t)
	masked := append(tiny(t, "tiny-clip/onnx/text_model.onnx"), field(7, field(11, value("attention_mask", Int64, "batch_size", "sequence_length")))...)
	top := put(t, map[string][]byte{
		"クリップ-text/model.onnx": masked, "クリップ-text/tokenizer.json": nil,
		"クリップ-vision/model.onnx": tiny(t, "tiny-clip/onnx/vision_model.onnx"), "クリップ-vision/preprocessor_config.json": nil,
	})
	a := open(t, filepath.Join(top, "クリップ-text"), nil)
	b := open(t, filepath.Join(top, "クリップ-vision"), nil)
	if a.folder.Text == nil || a.folder.Image == nil || !a.Model().Same(b.Model()) {
		t.Errorf("%v\n%v", a.folder, b.folder)
	}
	g := readGolden(t, filepath.Join(models, "tiny-clip", "goldens.json"))
	v, err := b.EncodeTexts(t.Context(), []string{g.Texts[0].Text})
	if err != nil || cosine(v[0], g.Texts[0].Vector) < 0.999999 {
		t.Errorf("%v, %v", v, err)
	}
}

// The identity follows what the files hold, not where they are or what the
// directory is called.
func TestIdentity(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	files := map[string][]byte{
		"onnx/text_model.onnx": tiny(t, "tiny-clip/onnx/text_model.onnx"), "onnx/vision_model.onnx": tiny(t, "tiny-clip/onnx/vision_model.onnx"),
		"onnx/text_model_quantized.onnx": tiny(t, "tiny-clip/onnx/text_model_quantized.onnx"), "onnx/vision_model_quantized.onnx": tiny(t, "tiny-clip/onnx/vision_model_quantized.onnx"),
		"tokenizer.json": nil, "preprocessor_config.json": nil, "config.json": nil, "tokenizer_config.json": nil,
	}
	dir := put(t, files)
	model := func(dir string, o *Options) encoder.Model { return open(t, dir, o).Model() }
	first := model(dir, nil)
	if first.Name != filepath.Base(dir) || first.Location != dir || !first.Same(model(put(t, files), &Options{Name: "x"})) {
		t.Errorf("%+v", first)
	}
	if first.Same(model(dir, &Options{Variant: "quantized"})) {
		t.Error("another variant has the same identity")
	}
	for _, name := range []string{"onnx/text_model.onnx", "onnx/vision_model.onnx", "tokenizer.json", "preprocessor_config.json"} {
		changed := map[string][]byte{}
		for k, b := range files {
			changed[k] = b
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".onnx") {
			b = append(b, text(6, "a doc string")...) // field 6 of ModelProto
		} else {
			b = append(b, '\n')
		}
		changed[name] = b
		if first.Same(model(put(t, changed), nil)) {
			t.Errorf("the identity does not depend on %s", name)
		}
	}
}

// A large file is hashed once, until it changes.
func TestHashCache(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	big := filepath.Join(t.TempDir(), "große datei.onnx")
	write := func(b byte) string {
		t.Helper()
		if err := os.WriteFile(big, bytes.Repeat([]byte{b}, remembered), 0o644); err != nil {
			t.Fatal(err)
		}
		h, err := hashFile(big)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	a := write(1)
	known := loadHashes()
	k := known[big]
	if len(known) != 1 || k.Hash != a {
		t.Fatalf("kept: %v", known)
	}
	known[big] = hashed{k.Size, k.Time, strings.Repeat("ab", 32)} // not what reading would give
	saveHashes(known)
	if h, _ := hashFile(big); h != known[big].Hash {
		t.Error("the file was read again")
	}
	st, err := os.Stat(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(big, st.ModTime(), st.ModTime().Add(1e9)); err != nil {
		t.Fatal(err)
	}
	if h, _ := hashFile(big); h != a {
		t.Error("a changed file was not read again")
	}
	path, err := hashesFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if h, err := hashFile(big); h != a || err != nil {
		t.Errorf("with a damaged cache: %v", err)
	}
}

// SigLIP's texts are always filled up to the model's maximum, here 16, with the
// tokenizer's padding; its vector is the pooler's output.
func TestPadded(t *testing.T) {
	needRuntime(t)
	dir := put(t, map[string][]byte{
		"onnx/text_model.onnx": echo(16).model(), "tokenizer.json": nil, "tokenizer_config.json": []byte(`{"pad_token": "!"}`),
		"config.json": []byte(`{"model_type": "siglip", "text_config": {"max_position_embeddings": 16}}`),
	})
	e := open(t, dir, nil)
	if e.folder.Text.Output != "pooler_output" {
		t.Errorf("%+v", e.folder.Text)
	}
	v, err := e.EncodeTexts(t.Context(), []string{"a wolf", strings.Repeat("a wolf ", 40)})
	if err != nil {
		t.Fatal(err)
	}
	ids := []float64{2046, 320, 836, 2047, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if cosine(v[0], ids) < 0.9999999 || v[0][4] != 0 {
		t.Errorf("got %v", v[0])
	}
	if v[1][15] == 0 || v[1][14] == 0 {
		t.Errorf("a long text is not cut to the maximum: %v", v[1])
	}
}

// A directory as SigLIP is exported: SentencePiece's tokenizer, texts of 64 tokens
// without config.json saying so, pictures squashed to a square, the pooler's
// output.
func TestSigLIP(t *testing.T) {
	needRuntime(t)
	tokens, err := os.ReadFile("../tokenizer/testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	const n = 8
	pick := make([]float32, 3*n*n*64) // the first 64 values of the red plane
	for i := range 64 {
		pick[i*64+i] = 1
	}
	images := graphParts{
		nodes: [][]byte{
			node("Flatten", []string{"pixel_values"}, []string{"last_hidden_state"}, "axis", 1),
			node("MatMul", []string{"last_hidden_state", "w"}, []string{"pooler_output"}),
		},
		weights: [][]byte{weights("w", Float32, pick, 3*n*n, 64)},
		inputs:  [][]byte{value("pixel_values", Float32, "batch_size", 3, "height", "width")},
		outputs: [][]byte{value("last_hidden_state", Float32, "batch_size", 3*n*n), value("pooler_output", Float32, "batch_size", 64)},
	}
	files := map[string][]byte{
		"onnx/text_model.onnx": echo(64).model(), "onnx/vision_model.onnx": images.model(),
		"tokenizer.json":        tokens,
		"tokenizer_config.json": []byte(`{"model_max_length": 64, "pad_token": "</s>", "tokenizer_class": "SiglipTokenizer"}`),
		"config.json":           []byte(`{"model_type": "siglip", "text_config": {"model_type": "siglip_text_model"}}`),
		"preprocessor_config.json": []byte(`{"do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
			"image_processor_type": "SiglipImageProcessor", "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 8, "width": 8}}`),
	}
	e := open(t, put(t, files), nil)
	v, err := e.EncodeTexts(t.Context(), []string{"A  Wolf!"})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]float64, 64) // "a", "wolf", and the end up to the maximum
	for i := range ids {
		ids[i] = 1
	}
	ids[0], ids[1] = 3, 96
	if cosine(v[0], ids) < 0.9999999 {
		t.Errorf("got %v", v[0])
	}
	red := image.NewNRGBA(image.Rect(0, 0, 40, 8))
	for i := range red.Pix {
		red.Pix[i] = []byte{byte(i / 4 % 40 / 20 * 255), 0, 0, 255}[i%4]
	}
	r, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: red}})
	if err != nil || r[0].Err != nil {
		t.Fatal(err, r[0].Err)
	}
	if p := r[0].Vector; p[0] > -0.12 || p[7] < 0.12 || p[0] != p[56] {
		t.Errorf("squashed, the picture is dark on the left and red on the right: %v", p)
	}
	files["tokenizer.json"] = bytes.Replace(tokens, []byte(`"Lowercase"`), []byte(`"Uppercase"`), 1)
	e = open(t, put(t, files), nil)
	if _, err := e.EncodeTexts(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), `"Uppercase" is not supported`) {
		t.Errorf("an unknown normalizer: %v", err)
	}
}

// Batches of a fixed size are filled up and what fills them is thrown away.
func TestFixedBatch(t *testing.T) {
	needRuntime(t)
	parts := echo(8)
	parts.inputs = [][]byte{value("input_ids", Int32, 3, 8)}
	parts.outputs = [][]byte{value("pooler_output", Float32, 3, 8)}
	e := open(t, put(t, map[string][]byte{"onnx/text_model.onnx": parts.model(), "tokenizer.json": nil}), nil)
	texts := strings.Split("a b c d e f g", " ")
	v, err := e.EncodeTexts(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		one, err := e.encodeTexts(t.Context(), texts[i:i+1])
		if err != nil || !slices.Equal(one[0], v[i]) {
			t.Errorf("%q: %v, %v", texts[i], one, err)
		}
	}
}

// flat is an image tower whose vector is the pixels themselves.
func flat(elem ElemType, n int) graphParts {
	return graphParts{
		nodes: [][]byte{
			node("Flatten", []string{"pixel_values"}, []string{"f"}, "axis", 1),
			node("MatMul", []string{"f", "w"}, []string{"image_embeds"}),
		},
		weights: [][]byte{weights("w", elem, identity(3*n*n), 3*n*n, 3*n*n)},
		inputs:  [][]byte{value("pixel_values", elem, "batch", 3, n, n)},
		outputs: [][]byte{value("image_embeds", elem, "batch", 3*n*n)},
	}
}

func flatFolder(t *testing.T, g graphParts) string {
	return put(t, map[string][]byte{
		"onnx/vision_model_fp16.onnx": g.model(),
		"preprocess_cfg.json":         []byte(`{"size": [2, 2], "mean": [0, 0, 0], "std": [1, 1, 1], "resize_mode": "squash"}`),
	})
}

// Graphs that take and give float16.
func TestFloat16(t *testing.T) {
	needRuntime(t)
	e := open(t, flatFolder(t, flat(Float16, 2)), nil)
	m := image.NewGray(image.Rect(0, 0, 2, 2))
	m.Pix = []byte{0, 51, 102, 255}
	r, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: m}})
	if err != nil || r[0].Err != nil {
		t.Fatal(err, r)
	}
	want := []float64{0, 0.2, 0.4, 1, 0, 0.2, 0.4, 1, 0, 0.2, 0.4, 1}
	if cos := cosine(r[0].Vector, want); cos < 0.999999 {
		t.Errorf("got %v, cosine %v", r[0].Vector, cos)
	}
	for h := range 1 << 16 { // there and back
		f := fromHalf(uint16(h))
		if got := toHalf(f); got != uint16(h) && f == f {
			t.Fatalf("%#04x is %v and comes back as %#04x", h, f, got)
		}
	}
	for f, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, 1e-8: 0, 1 + 1.0/2048: 0x3c00, 1 + 3.0/2048: 0x3c02, float32(math.Inf(-1)): 0xfc00} {
		if got := toHalf(f); got != want {
			t.Errorf("toHalf(%v) = %#04x, want %#04x", f, got, want)
		}
	}
}

// What is no direction is an error and not a vector.
func TestBadOutput(t *testing.T) {
	needRuntime(t)
	black := []encoder.Image{{Decoded: image.NewGray(image.Rect(0, 0, 2, 2))}}
	e := open(t, flatFolder(t, flat(Float32, 2)), nil)
	if _, err := e.EncodeImages(t.Context(), black); err == nil || !strings.Contains(err.Error(), "zero vector") {
		t.Errorf("zero: %v", err)
	}
	g := flat(Float32, 2)
	g.weights = [][]byte{weights("w", Float32, slices.Repeat([]float32{float32(math.NaN())}, 144), 12, 12)}
	e = open(t, flatFolder(t, g), nil)
	if _, err := e.EncodeImages(t.Context(), black); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("NaN: %v", err)
	}
	// A header that promises another length than the graph gives.
	g = flat(Float32, 2)
	g.outputs = [][]byte{value("image_embeds", Float32, "batch", "dim")}
	dir := flatFolder(t, g)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"projection_dim": 5}`), 0o644); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, nil)
	if _, err := e.EncodeImages(t.Context(), black); err == nil || !strings.Contains(err.Error(), "Expected: 12") {
		t.Errorf("length: %v", err)
	}
}

// A graph that is sound in its header and not in its body is ONNX Runtime's to
// refuse.
func TestBadBody(t *testing.T) {
	needRuntime(t)
	g := echo(4)
	g.nodes = append(g.nodes, node("NoSuchOperator", []string{"f"}, []string{"x"}))
	e := open(t, put(t, map[string][]byte{"onnx/text_model.onnx": g.model(), "tokenizer.json": nil}), nil)
	if _, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); err == nil || !strings.Contains(err.Error(), "NoSuchOperator") || !strings.Contains(err.Error(), "text_model.onnx") {
		t.Errorf("got %v", err)
	}
}

// Weights in a file beside the graph are used, and part of the identity.
func TestExternalWeights(t *testing.T) {
	needRuntime(t)
	g := echo(4)
	g.weights = [][]byte{external("w", "text_model.onnx_data", 4, 4)}
	var data []byte
	for _, v := range identity(4) {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(2*v))
	}
	files := map[string][]byte{"onnx/text_model.onnx": g.model(), "onnx/text_model.onnx_data": data, "tokenizer.json": nil}
	e := open(t, put(t, files), nil)
	if v, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); err != nil || cosine(v[0], []float64{2046, 320, 836, 2047}) < 0.9999999 {
		t.Errorf("%v, %v", v, err)
	}
	files["onnx/text_model.onnx_data"] = append(data, 0)
	if open(t, put(t, files), nil).Model().Same(e.Model()) {
		t.Error("the identity does not depend on the weights")
	}
}

func FuzzHeader(f *testing.F) {
	for _, path := range []string{"tiny-immich/textual/model.onnx", "tiny-clip/onnx/text_model_quantized.onnx"} {
		f.Add(tiny(f, path)[:1<<14])
	}
	f.Add(echo(4).model())
	f.Add(flat(Float16, 2).model())
	parts := echo(4)
	parts.weights = append(parts.weights, external("u", "sub/b.data", 2))
	f.Add(parts.model())
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := readGraph(bytes.NewReader(b), int64(len(b)))
		if err == nil && len(g.Outputs) == 0 {
			t.Error("a graph without outputs")
		}
		if err == nil {
			tower := &Tower{Graph: g}
			for _, v := range append(g.Inputs, g.Outputs...) {
				_ = v.String()
			}
			textInput(g)
			pixelInput(g)
			tower.pickOutput(modelConfig{}, "text_embeds")
		}
	})
}

// What an encoder lacks is known before anything is encoded.
func TestCan(t *testing.T) {
	whole := heavyFolder(t, false)
	for name, c := range map[string]struct {
		file, content   string
		texts, pictures string // parts of the errors
	}{
		"all":          {},
		"tokenizer":    {"tokenizer.json", "{}", "can't encode texts", ""},
		"preprocessor": {"preprocessor_config.json", "{", "", "can't encode pictures"},
		"no vision":    {"onnx/vision_model.onnx", "", "", "can't encode pictures"},
		"no texts":     {"onnx/text_model.onnx", "", "can't encode texts", ""},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if c.file != "" {
			if err := os.Remove(filepath.Join(dir, c.file)); err != nil {
				t.Fatal(err)
			}
			if c.content != "" {
				if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		e, err := Open(dir, nil)
		if err != nil {
			t.Logf("%s: refused when it is opened: %v", name, err)
			continue
		}
		texts, pictures := e.Can()
		for what, x := range map[string]struct {
			err  error
			want string
		}{"texts": {texts, c.texts}, "pictures": {pictures, c.pictures}} {
			if (x.err == nil) != (x.want == "") || x.err != nil && !strings.Contains(x.err.Error(), x.want) {
				t.Errorf("%s, %s: %v, want %q", name, what, x.err, x.want)
			}
		}
		e.Close()
	}
}

// Texts are cleaned as OpenCLIP's configuration says, and SigLIP 2's have small letters
// and one token at the end, filled up to 64.
func TestCleaning(t *testing.T) {
	for _, c := range []struct{ how, text, want string }{
		{"", " A  dog. ", " A  dog. "},
		{"whitespace", " A \t dog.\n", "A dog."},
		{"lower", "A  DOG.", "a dog."},
		{"canonicalize", "A dog.", "a dog"},
		{"canonicalize", " The_Big,  (red) DOG's $5 — ÉΣ ", "the big red dogs 5 — éς"},
	} {
		if got := clean(c.text, c.how); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.how, c.text, got, c.want)
		}
	}
	gemma, err := os.ReadFile("../tokenizer/testdata/gemma.json")
	if err != nil {
		t.Fatal(err)
	}
	texts := echo(64)
	inspect := func(files map[string][]byte) *Folder {
		files["onnx/text_model.onnx"] = texts.model()
		f, err := Inspect(put(t, files), "")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := inspect(map[string][]byte{"tokenizer.json": gemma, "config.json": []byte(`{"model_type": "siglip"}`)})
	if f.Text == nil {
		t.Fatal(f)
	}
	tok, err := loadTokenizer(f.Text)
	if err != nil {
		t.Fatal(err)
	}
	upper, lower := tok.Append(nil, "A Wolf", 64), tok.Append(nil, "a wolf", 64)
	if !slices.Equal(upper, lower) || lower[0] == 2 || lower[len(lower)-1] != 1 {
		t.Errorf("SigLIP 2: %v and %v", upper, lower)
	}
	f = inspect(map[string][]byte{"tokenizer.json": nil, "config.json": []byte(`{"text_cfg": {"tokenizer_kwargs": {"clean": "canonicalize"}}}`)})
	if f.Text == nil || f.Text.Clean != cleanCanonicalize {
		t.Fatal(f)
	}
	if tok, err = loadTokenizer(f.Text); err != nil || !slices.Equal(tok.Append(nil, "A dog.", 64), tok.Append(nil, "a dog", 64)) {
		t.Errorf("canonicalize: %v", err)
	}
	f = inspect(map[string][]byte{"tokenizer.json": nil, "config.json": []byte(`{"text_cfg": {"tokenizer_kwargs": {"clean": "magic"}}}`)})
	if f.Text != nil || !strings.Contains(f.String(), `"magic"`) {
		t.Errorf("an unknown way: %v", f)
	}
}

// Text models of sentence-transformers: token vectors are pooled as 1_Pooling says.
func TestSentenceTransformers(t *testing.T) {
	vocab := []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nwolf\ndog\n")
	// The vector of a token is its id and 1.
	graph := graphParts{
		nodes: [][]byte{
			node("Cast", []string{"input_ids"}, []string{"f"}, "to", int(Float32)),
			node("Unsqueeze", []string{"f", "axis"}, []string{"u"}),
			node("MatMul", []string{"u", "w"}, []string{"m"}),
			node("Add", []string{"m", "b"}, []string{"last_hidden_state"}),
		},
		weights: [][]byte{weights("w", Float32, []float32{1, 0}, 1, 2), weights("b", Float32, []float32{0, 1}, 2), axis("axis", 2)},
		inputs:  [][]byte{value("input_ids", Int64, "batch", "sequence")},
		outputs: [][]byte{value("last_hidden_state", Float32, "batch", "sequence", 2)},
	}
	modules := `[{"path":"","type":"sentence_transformers.models.Transformer"},{"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},{"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}]`
	openWith := func(pooling, modules string) (*Encoder, error) {
		return Open(put(t, map[string][]byte{
			"onnx/model.onnx": graph.model(), "vocab.txt": vocab, "modules.json": []byte(modules), "1_Pooling/config.json": []byte(pooling),
			"config.json": []byte(`{"model_type":"bert","hidden_size":2,"max_position_embeddings":512}`),
		}), nil)
	}
	for _, c := range []struct {
		pooling string
		want    float64 // first element over the second
	}{
		{`{"word_embedding_dimension": 2, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}`, (2 + 4 + 5 + 3) / 4.0},
		{`{"pooling_mode_cls_token": true}`, 2},
		{`{"pooling_mode_lasttoken": true}`, 3},
	} {
		e, err := openWith(c.pooling, modules)
		if err != nil {
			t.Fatal(err)
		}
		vectors, err := e.EncodeTexts(t.Context(), []string{"A wolf", "dog"})
		if errors.Is(err, ErrNoRuntime) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(vectors[0][0]) / float64(vectors[0][1]); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%s: %v, want %v", c.pooling, got, c.want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct{ pooling, modules, want string }{
		{`{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}`, modules, "cls_token and mean_tokens"},
		{`{"pooling_mode_cls_token": true}`, `[{"path":"2_Dense","type":"sentence_transformers.models.Dense"}]`, "Dense"},
	} {
		if _, err := openWith(c.pooling, c.modules); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// axis is a TensorProto of one int64.
func axis(name string, n int) []byte {
	b := append(varint(1, 1), varint(2, uint64(Int64))...)
	b = append(b, text(8, name)...)
	return append(b, field(9, binary.LittleEndian.AppendUint64(nil, uint64(n)))...)
}
