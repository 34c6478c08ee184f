package onnx

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

// both is one graph with both towers, whose vectors are the first 4 token ids and the first
// 4 pixels; a third output needs both.
func both() graphParts {
	pick := make([]float32, 12*4)
	for i := range 4 {
		pick[i*4+i] = 1
	}
	return graphParts{
		nodes: [][]byte{
			node("Cast", []string{"input_ids"}, []string{"f"}, "to", int(Float32)),
			node("MatMul", []string{"f", "w"}, []string{"text_embeds"}),
			node("Flatten", []string{"pixel_values"}, []string{"p"}, "axis", 1),
			node("MatMul", []string{"p", "v"}, []string{"image_embeds"}),
			node("Mul", []string{"text_embeds", "image_embeds"}, []string{"logits"}),
		},
		weights: [][]byte{weights("w", Float32, identity(4), 4, 4), weights("v", Float32, pick, 12, 4), weights("unused", Float32, identity(4), 4, 4)},
		inputs:  [][]byte{value("input_ids", Int64, "text_batch", "sequence"), value("pixel_values", Float32, "image_batch", 3, 2, 2)},
		outputs: [][]byte{value("logits", Float32, "text_batch", 4), value("text_embeds", Float32, "text_batch", 4), value("image_embeds", Float32, "image_batch", 4)},
	}
}

// pixels is a picture tower named as wanted, whose vector is the first 4 pixels.
func pixelTower(input, output string) graphParts {
	g := both()
	return graphParts{
		nodes:   [][]byte{node("Flatten", []string{input}, []string{"p"}, "axis", 1), node("MatMul", []string{"p", "v"}, []string{output})},
		weights: g.weights[1:2],
		inputs:  [][]byte{value(input, Float32, "batch", 3, 2, 2)},
		outputs: [][]byte{value(output, Float32, "batch", 4)},
	}
}

func textTower(output string) graphParts {
	g := both()
	return graphParts{
		nodes:   [][]byte{node("Cast", []string{"text"}, []string{"f"}, "to", int(Float32)), node("MatMul", []string{"f", "w"}, []string{output})},
		weights: g.weights[:1],
		inputs:  [][]byte{value("text", Int64, "batch", "sequence")},
		outputs: [][]byte{value(output, Float32, "batch", 4)},
	}
}

// openAIFile is tiny-clip's vocabulary as OpenAI's file has it.
func openAIFile(t *testing.T) []byte {
	merges := string(tiny(t, "tiny-clip/merges.txt"))
	if !strings.HasPrefix(merges, "#version") {
		merges = "#version\n" + merges
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(merges))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const squash2 = `{"size": [2, 2], "mean": [0, 0, 0], "std": [1, 1, 1], "resize_mode": "squash"}`

// Every layout that models come in: a text and a picture get the vectors that the graphs
// give for their tokens and pixels.
func TestLayouts(t *testing.T) {
	needRuntime(t)
	text, pixels, whole := textTower("text_features").model(), pixelTower("image", "image_features").model(), both().model()
	open := []byte(`{"model_cfg": {"embed_dim": 4, "vision_cfg": {"image_size": 2}, "text_cfg": {"context_length": 4}}, "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bicubic", "resize_mode": "squash"}}`)
	split := both()
	split.weights = [][]byte{external("w", "model.onnx_data", 4, 4), both().weights[1]}
	var data []byte
	for _, v := range identity(4) {
		data = appendFloat(data, v)
	}
	for name, c := range map[string]struct {
		files   map[string][]byte
		at      string // below the directory
		variant string
		layout  string
		told    string // a part of what the directory says
		one     bool   // texts or pictures alone
	}{
		"OpenCLIP":                 {files: map[string][]byte{"textual.onnx": text, "visual.onnx": pixels, "tokenizer.json": nil, "open_clip_config.json": open}, layout: "OpenCLIP", told: "open_clip_config.json says that pictures become 2 x 2"},
		"OpenCLIP, named":          {files: map[string][]byte{"onnx/onnx32-open_clip-RN50-openai-textual.onnx": text, "onnx/onnx32-open_clip-RN50-openai-visual.onnx": pixels, "tokenizer.json": nil, "open_clip_config.json": open}, layout: "OpenCLIP"},
		"OpenCLIP, HF names":       {files: map[string][]byte{"onnx/text_model.onnx": text, "onnx/vision_model.onnx": pixels, "vocab.json": nil, "merges.txt": nil, "open_clip_config.json": open}, layout: "Hugging Face export"},
		"rclip":                    {files: map[string][]byte{"ViT-B-32-256/textual.onnx": text, "ViT-B-32-256/visual.onnx": pixels, "tokenizer/bpe_simple_vocab_16e6.txt.gz": openAIFile(t)}, at: "ViT-B-32-256", layout: "OpenCLIP", told: "rclip's model"},
		"rclip's data directory":   {files: map[string][]byte{"ViT-B-32-256/textual.onnx": text, "ViT-B-32-256/visual.onnx": pixels, "tokenizer/bpe_simple_vocab_16e6.txt.gz": openAIFile(t)}, layout: "OpenCLIP in ViT-B-32-256"},
		"both towers":              {files: map[string][]byte{"onnx/model.onnx": whole, "tokenizer.json": nil, "preprocessor_config.json": []byte(squash2)}, layout: "both towers in one graph", told: "pictures become 2 x 2"},
		"both towers, fp16":        {files: map[string][]byte{"onnx/model.onnx": both().model(), "onnx/model_fp16.onnx": whole, "tokenizer.json": nil, "preprocess_cfg.json": []byte(squash2)}, variant: "fp16", layout: "both towers in one graph"},
		"both towers, data beside": {files: map[string][]byte{"onnx/model.onnx": split.model(), "onnx/model.onnx_data": data, "tokenizer.json": nil, "preprocess_cfg.json": []byte(squash2)}, layout: "both towers in one graph"},
		"nested":                   {files: map[string][]byte{"onnx/s0/text_model.onnx": {}, "onnx/s0/vision_model.onnx": {}, "onnx/s2/text_model.onnx": text, "onnx/s2/vision_model.onnx": pixels, "onnx/s2/preprocessor_config.json": []byte(squash2), "tokenizer.json": nil}, variant: "s2", layout: "Hugging Face export in s2"},
		"nested alone":             {files: map[string][]byte{"onnx/s2/text_model.onnx": text, "onnx/s2/vision_model.onnx": pixels, "onnx/s2/preprocessor_config.json": []byte(squash2), "tokenizer.json": nil}, layout: "Hugging Face export in s2"},
		"nested, fp16":             {files: map[string][]byte{"onnx/s0/text_model.onnx": {}, "onnx/s2/text_model.onnx": {}, "onnx/s2/text_model_fp16.onnx": text, "onnx/s2/vision_model_fp16.onnx": pixels, "onnx/s2/preprocess_cfg.json": []byte(squash2), "tokenizer.json": nil}, variant: "s2_fp16", layout: "Hugging Face export in s2"},
		"nested, by its path":      {files: map[string][]byte{"onnx/s0/text_model.onnx": {}, "onnx/s2/text_model.onnx": text, "onnx/s2/vision_model.onnx": pixels, "onnx/s2/preprocess_cfg.json": []byte(squash2), "tokenizer.json": nil}, at: "onnx/s2", layout: "Hugging Face export"},
		"nested, one":              {files: map[string][]byte{"ViT/textual.onnx": text, "ViT/visual.onnx": pixels, "open_clip_config.json": open, "tokenizer.json": nil}, layout: "OpenCLIP in ViT"},
		"immich":                   {files: map[string][]byte{"textual/model.onnx": text, "textual/tokenizer.json": nil, "visual/model.onnx": pixels, "visual/preprocess_cfg.json": []byte(squash2)}, layout: "immich"},
		"variants":                 {files: map[string][]byte{"onnx/text_model.onnx": {}, "onnx/text_model_q4.onnx": text, "onnx/vision_model.onnx": {}, "onnx/vision_model_q4.onnx": pixels, "tokenizer.json": nil, "preprocess_cfg.json": []byte(squash2)}, variant: "q4", layout: "Hugging Face export"},
		"fp32 by name":             {files: map[string][]byte{"onnx/text_model.onnx": text, "onnx/text_model_q4.onnx": {}, "onnx/vision_model.onnx": pixels, "tokenizer.json": nil, "preprocess_cfg.json": []byte(squash2)}, variant: "fp32", layout: "Hugging Face export"},
		"pictures alone":           {files: map[string][]byte{"model.onnx": pixels, "preprocess_cfg.json": []byte(squash2)}, layout: "single tower", one: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(put(t, c.files), c.at)
			e, err := Open(dir, &Options{Variant: c.variant})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			f := e.Folder()
			if f.Layout != c.layout || len(f.Problems) > 0 || !strings.Contains(f.String(), c.told) || f.Dim != 4 {
				t.Errorf("%v", f)
			}
			m := image.NewGray(image.Rect(0, 0, 2, 2))
			m.Pix = []byte{255, 51, 102, 0}
			r, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: m}, {Decoded: m}})
			if err != nil || r[0].Err != nil {
				t.Fatal(err, r)
			}
			if want := []float64{1, 0.2, 0.4, 0}; !strings.HasPrefix(name, "rclip") && (cosine(r[0].Vector, want) < 0.999999 || !slices.Equal(r[0].Vector, r[1].Vector)) {
				t.Errorf("picture: %v, want %v", r[0].Vector, want)
			}
			if c.one {
				return
			}
			v, err := e.EncodeTexts(t.Context(), []string{"a wolf"})
			if err != nil || cosine(v[0], []float64{2046, 320, 836, 2047}) < 0.9999999 {
				t.Errorf("text: %v, %v", v, err)
			}
		})
	}
	// What can't be used is said, with the file that is missing.
	tangled := both()
	tangled.nodes[1] = node("Add", []string{"f", "image_embeds"}, []string{"text_embeds"})
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"several": {map[string][]byte{"onnx/s0/text_model.onnx": text, "onnx/s2/text_model.onnx": text, "tokenizer.json": nil}, "VARIANT 's0' takes one of them"},
		"tangled": {map[string][]byte{"onnx/model.onnx": tangled.model(), "tokenizer.json": nil, "preprocess_cfg.json": []byte(squash2)}, "depends on the input pixel_values as well"},
		"bert":    {map[string][]byte{"onnx/model.onnx": echo(4).model(), "vocab.txt": []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n"), "config.json": []byte(`{"model_type": "bert"}`)}, "1_Pooling/config.json"},
		"config":  {map[string][]byte{"onnx/text_model.onnx": text, "tokenizer.json": nil, "config.json": []byte(`{`)}, "config.json: unexpected end"},
		"kwargs":  {map[string][]byte{"onnx/text_model.onnx": text, "tokenizer.json": nil, "config.json": []byte(`{"text_cfg": {"tokenizer_kwargs": {"tokenizer_mode": "clips"}}}`)}, "tokenizer_kwargs.tokenizer_mode, which is not known"},
	} {
		f, err := Inspect(put(t, c.files), "")
		if err != nil || !strings.Contains(strings.Join(f.Problems, "; "), c.want) {
			t.Errorf("%s: %v, %v; want %q", name, f, err, c.want)
		}
	}
}

func appendFloat(b []byte, v float32) []byte {
	w := weights("x", Float32, []float32{v}, 1)
	return append(b, w[len(w)-4:]...)
}

// DINOv2 gives a vector for each part of a picture; the first stands for the whole.
func TestDINOv2(t *testing.T) {
	needRuntime(t)
	g := graphParts{ // 5 tokens of 12 numbers: the pixels, and those of the next pictures
		nodes: [][]byte{
			node("Flatten", []string{"pixel_values"}, []string{"p"}, "axis", 1),
			node("Unsqueeze", []string{"p", "axis"}, []string{"u"}),
			node("MatMul", []string{"five", "u"}, []string{"last_hidden_state"}),
		},
		weights: [][]byte{axis("axis", 1), weights("five", Float32, []float32{1, -1, 2, 3, 4}, 5, 1)},
		inputs:  [][]byte{value("pixel_values", Float32, "batch", "channels", "height", "width")},
		outputs: [][]byte{value("last_hidden_state", Float32, "batch", "tokens", "dim")},
	}
	files := map[string][]byte{
		"onnx/model.onnx": g.model(), "preprocessor_config.json": []byte(squash2),
		"config.json": []byte(`{"model_type": "dinov2", "hidden_size": 12, "patch_size": 1}`),
	}
	e := open(t, put(t, files), nil)
	m := image.NewGray(image.Rect(0, 0, 2, 2))
	m.Pix = []byte{255, 51, 102, 0}
	_, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: m}, {Decoded: image.NewGray(image.Rect(0, 0, 2, 2))}, {Decoded: m}})
	if err == nil { // the second one is black: a zero vector
		t.Fatal("a zero vector is accepted")
	}
	r, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: m}, {Decoded: m}})
	if err != nil || cosine(r[1].Vector, []float64{1, 0.2, 0.4, 0, 1, 0.2, 0.4, 0, 1, 0.2, 0.4, 0}) < 0.999999 {
		t.Errorf("%v, %v", r, err)
	}
	if texts, pictures := e.Can(); texts == nil || pictures != nil {
		t.Errorf("can: %v, %v", texts, pictures)
	}
	delete(files, "config.json")
	if f, err := Inspect(put(t, files), ""); err != nil || f.Image != nil || len(f.Problems) == 0 {
		t.Errorf("without config.json: %v, %v", f, err)
	}
}

// What texts begin with is read from config_sentence_transformers.json and is part of the
// identity.
func TestPrompts(t *testing.T) {
	files := map[string][]byte{"onnx/text_model.onnx": textTower("text_embeds").model(), "tokenizer.json": nil}
	bare := open(t, put(t, files), nil)
	if q, d := bare.Prompts(); q != "" || d != "" {
		t.Errorf("%q, %q", q, d)
	}
	for config, want := range map[string][2]string{
		`{"prompts": {"query": "query: ", "passage": "passage: "}}`:                                    {"query: ", "passage: "},
		`{"prompts": {"query": "q", "document": "d", "passage": "p"}, "default_prompt_name": "query"}`: {"q", "d"},
		`{"prompts": {"query": "q", "x": "y"}, "default_prompt_name": "x"}`:                            {"q", "y"},
		`{"prompts": {"query": "q"}, "default_prompt_name": null}`:                                     {"q", ""},
		`{"similarity_fn_name": "cosine"}`:                                                             {},
	} {
		files["config_sentence_transformers.json"] = []byte(config)
		e := open(t, put(t, files), nil)
		if q, d := e.Prompts(); q != want[0] || d != want[1] {
			t.Errorf("%s: %q, %q", config, q, d)
		}
		if e.Model().Same(bare.Model()) != (want == [2]string{}) {
			t.Errorf("%s: the identity does not depend on it", config)
		}
	}
	files["config_sentence_transformers.json"] = []byte(`{"prompts": 1}`)
	if _, err := Open(put(t, files), nil); err == nil || !strings.Contains(err.Error(), "config_sentence_transformers.json") {
		t.Errorf("damaged: %v", err)
	}
}

// Texts are cleaned as Python's functions that OpenCLIP uses do it; testdata/clean.py made
// what is expected.
func TestCleanGoldens(t *testing.T) {
	b, err := os.ReadFile("testdata/clean.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ How, Text, Want string }
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 200 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		if got := clean(c.Text, c.How); got != c.Want {
			t.Errorf("%s: %q gives %q, want %q", c.How, c.Text, got, c.Want)
		}
	}
}

// The tokens that CLIPA leaves out, and those that Gemma's configuration adds or not.
func TestEnds(t *testing.T) {
	gemma, err := os.ReadFile("../tokenizer/testdata/gemma.json")
	if err != nil {
		t.Fatal(err)
	}
	ids := func(files map[string][]byte) []int64 {
		t.Helper()
		files["onnx/text_model.onnx"] = textTower("text_embeds").model()
		f, err := Inspect(put(t, files), "")
		if err != nil || f.Text == nil {
			t.Fatal(f, err)
		}
		tok, err := loadTokenizer(f.Text)
		if err != nil {
			t.Fatal(err)
		}
		return tok.Append(nil, "a", 64)
	}
	plain := ids(map[string][]byte{"tokenizer.json": gemma})
	if len(plain) != 3 || plain[0] != 2 || plain[2] != 1 { // <bos> a <eos>
		t.Fatalf("%v", plain)
	}
	for config, want := range map[string][]int64{
		`{"tokenizer_class": "GemmaTokenizer", "add_bos_token": false, "add_eos_token": true, "bos_token": "<bos>", "eos_token": {"content": "<eos>"}}`: plain[1:],
		`{"tokenizer_class": "GemmaTokenizerFast", "add_bos_token": true, "add_eos_token": false, "bos_token": "<bos>", "eos_token": "<eos>"}`:          plain[:2],
		`{"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false}`:                                                                        plain,
		`{"tokenizer_class": "GemmaTokenizer"}`: plain,
	} {
		if got := ids(map[string][]byte{"tokenizer.json": gemma, "tokenizer_config.json": []byte(config)}); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
	}
	vocab := []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
	if got := ids(map[string][]byte{"vocab.txt": vocab, "config.json": []byte(`{"text_cfg": {"context_length": 32, "no_causal_mask": true, "tokenizer_kwargs": {"strip_sep_token": true}}}`)}); !slices.Equal(got, []int64{2, 4}) {
		t.Errorf("CLIPA: %v", got)
	}
	// SigLIP 2 as immich and OpenCLIP have it.
	if got := ids(map[string][]byte{"tokenizer.json": gemma, "config.json": []byte(`{"text_cfg": {"context_length": 64, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP2", "no_causal_mask": true, "tokenizer_kwargs": {"clean": "canonicalize"}}}`)}); !slices.Equal(got, plain[1:]) {
		t.Errorf("SigLIP 2: %v", got)
	}
}

// Graphs that work in 8 bits say so, whether their nodes lie in the graph, in a function
// or in a branch.
func TestIntegers(t *testing.T) {
	for name, c := range map[string]struct {
		node              []byte
		dynamic, integers bool
	}{
		"float":   {node("Identity", []string{"f"}, []string{"x"}), false, false},
		"dynamic": {node("DynamicQuantizeLinear", []string{"f"}, []string{"x"}), true, true},
		"static":  {node("QLinearMatMul", []string{"f"}, []string{"x"}), false, true},
		"4 bits":  {node("MatMulNBits", []string{"f"}, []string{"x"}), false, true},
		"branch":  {append(node("If", []string{"f"}, []string{"x"}), field(5, text(1, "then_branch"), field(6, field(1, node("DynamicQuantizeLinear", []string{"f"}, []string{"x"}))))...), true, true},
	} {
		g := echo(4)
		g.nodes = append(g.nodes, c.node)
		b := g.model()
		h, err := readGraph(bytes.NewReader(b), int64(len(b)))
		if err != nil || h.Dynamic != c.dynamic || h.Integers != c.integers {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
		b = append(echo(4).model(), field(25, field(7, c.node))...)
		if h, err = readGraph(bytes.NewReader(b), int64(len(b))); err != nil || h.Integers != c.integers {
			t.Errorf("%s in a function: %+v, %v", name, h, err)
		}
	}
	e := open(t, filepath.Join(models, "tiny-clip"), &Options{Variant: "quantized"})
	if p := e.Model().Processor; p != processor() || !strings.Contains(e.Folder().String(), "works in 8 bits") {
		t.Errorf("%q, %v", p, e.Folder())
	}
	if p := open(t, filepath.Join(models, "tiny-clip"), nil).Model().Processor; p != "" {
		t.Errorf("fp32: %q", p)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(both().model(), "text_embeds")
	f.Add(both().model(), "logits")
	f.Add(echo(4).model(), "pooler_output")
	f.Fuzz(func(t *testing.T, b []byte, output string) {
		s, err := readSkeleton(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			s.needed(output)
		}
	})
}
