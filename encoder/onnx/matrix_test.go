package onnx

import (
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

var updateMatrix = flag.Bool("matrix.update", false, "write the table of families and layouts into docs/encoders.md")

// family is a kind of models: its tokenizer's files, what its config.json says, what OpenCLIP's
// says of its texts, and the token ids of "a wolf" that its graph is to be fed, by references.
type family struct {
	name      string
	tokenizer map[string][]byte
	config    string
	textCfg   string
	pooling   string // of sentence-transformers
	ids       []int64
	layouts   []string
}

// tokenGraph takes token ids x; the vector is the mean of (x, x*x, sqrt(x), x) over the
// tokens, or, for sentence-transformers, those numbers for each token.
func tokenGraph(input, output string, perToken bool) graphParts {
	g := graphParts{
		nodes: [][]byte{
			node("Cast", []string{input}, []string{"t_f"}, "to", int(Float32)),
			node("Unsqueeze", []string{"t_f", "t_two"}, []string{"t_u"}),
			node("Mul", []string{"t_u", "t_u"}, []string{"t_square"}),
			node("Sqrt", []string{"t_u"}, []string{"t_root"}),
		},
		weights: [][]byte{axis("t_two", 2), axis("t_one", 1)},
		inputs:  [][]byte{value(input, Int64, "text_batch", "sequence")},
	}
	parts := []string{"t_u", "t_square", "t_root", "t_u"}
	if perToken {
		g.nodes = append(g.nodes, node("Concat", parts, []string{output}, "axis", 2))
		g.outputs = [][]byte{value(output, Float32, "text_batch", "sequence", 4)}
		return g
	}
	g.nodes = append(g.nodes, node("Concat", parts, []string{"t_all"}, "axis", 2), node("ReduceSum", []string{"t_all", "t_one"}, []string{output}, "keepdims", 0))
	g.outputs = [][]byte{value(output, Float32, "text_batch", 4)}
	return g
}

// joined is one graph of two.
func joined(a, b graphParts) graphParts {
	return graphParts{slices.Concat(a.nodes, b.nodes), slices.Concat(a.weights, b.weights), slices.Concat(a.inputs, b.inputs), slices.Concat(a.outputs, b.outputs)}
}

const (
	layoutHF        = "Hugging Face"
	layoutImmich    = "immich"
	layoutOpenCLIP  = "OpenCLIP"
	layoutRclip     = "rclip"
	layoutOne       = "one graph"
	layoutTwo       = "two directories"
	layoutNested    = "several models"
	layoutSentences = "sentence-transformers"
	layoutPictures  = "pictures alone"
)

var allLayouts = []string{layoutHF, layoutImmich, layoutOpenCLIP, layoutRclip, layoutOne, layoutTwo, layoutNested, layoutSentences, layoutPictures}

// directory makes a family's directory in a layout, and returns where it is opened.
func (f *family) folder(t *testing.T, layout string) (dir, variant string) {
	files := map[string][]byte{}
	tokens := func(dir string) {
		for name, b := range f.tokenizer {
			files[filepath.Join(dir, name)] = b
		}
	}
	open := []byte(`{"embed_dim": 4, "vision_cfg": {"image_size": 2}, "text_cfg": ` + f.textCfg + `}`)
	at := ""
	switch layout {
	case layoutHF:
		files["onnx/text_model.onnx"], files["onnx/vision_model.onnx"] = tokenGraph("input_ids", "text_embeds", false).model(), pixelTower("pixel_values", "image_embeds").model()
		files["config.json"], files["preprocessor_config.json"] = []byte(f.config), []byte(squash2)
		tokens("")
	case layoutImmich:
		files["textual/model.onnx"], files["visual/model.onnx"] = tokenGraph("text", "embedding", false).model(), pixelTower("image", "embedding").model()
		files["config.json"], files["visual/preprocess_cfg.json"] = open, []byte(squash2)
		tokens("textual")
	case layoutOpenCLIP:
		files["textual.onnx"], files["visual.onnx"] = tokenGraph("text", "text_features", false).model(), pixelTower("image", "image_features").model()
		files["open_clip_config.json"] = []byte(`{"model_cfg": ` + string(open) + `, "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bicubic", "resize_mode": "squash"}}`)
		tokens("")
	case layoutRclip:
		files["ViT/textual.onnx"], files["ViT/visual.onnx"] = tokenGraph("text", "text_features", false).model(), pixelTower("image", "image_features").model()
		files["tokenizer/bpe_simple_vocab_16e6.txt.gz"] = openAIFile(t)
		at = "ViT"
	case layoutOne:
		files["onnx/model.onnx"] = joined(tokenGraph("input_ids", "text_embeds", false), pixelTower("pixel_values", "image_embeds")).model()
		files["config.json"], files["preprocessor_config.json"] = []byte(f.config), []byte(squash2)
		tokens("")
	case layoutTwo:
		files["m-text/model.onnx"], files["m-vision/model.onnx"] = tokenGraph("input_ids", "text_embeds", false).model(), pixelTower("pixel_values", "image_embeds").model()
		files["m-text/config.json"], files["m-vision/config.json"], files["m-vision/preprocessor_config.json"] = []byte(f.config), []byte(f.config), []byte(squash2)
		tokens("m-text")
		at = "m-text"
	case layoutNested:
		files["onnx/s0/text_model.onnx"], files["onnx/s0/vision_model.onnx"] = []byte{}, []byte{}
		files["onnx/s2/text_model.onnx"], files["onnx/s2/vision_model.onnx"] = tokenGraph("input_ids", "text_embeds", false).model(), pixelTower("pixel_values", "image_embeds").model()
		files["config.json"], files["onnx/s2/preprocessor_config.json"] = []byte(f.config), []byte(squash2)
		tokens("")
		variant = "s2"
	case layoutSentences:
		files["onnx/model.onnx"], files["config.json"] = tokenGraph("input_ids", "last_hidden_state", true).model(), []byte(f.config)
		files["modules.json"] = []byte(`[{"path":"","type":"sentence_transformers.models.Transformer"},{"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]`)
		files["1_Pooling/config.json"] = []byte(`{"pooling_mode_` + f.pooling + `": true}`)
		tokens("")
	case layoutPictures:
		files["onnx/model.onnx"], files["config.json"], files["preprocessor_config.json"] = pixelTower("pixel_values", "image_embeds").model(), []byte(f.config), []byte(squash2)
	}
	return filepath.Join(put(t, files), at), variant
}

// works encodes a text and a picture and says what came out right.
func (f *family) works(t *testing.T, layout string) string {
	dir, variant := f.folder(t, layout)
	e, err := Open(dir, &Options{Variant: variant})
	if err != nil {
		return "no: " + err.Error()
	}
	defer e.Close()
	texts, pictures := false, false
	if layout != layoutPictures {
		v, err := e.EncodeTexts(t.Context(), []string{"a wolf"})
		if err != nil {
			return "no: " + err.Error()
		}
		want := make([]float64, 4)
		ids := f.ids
		if layout == layoutSentences && f.pooling == "cls_token" {
			ids = ids[:1]
		}
		for _, id := range ids {
			x := float64(id)
			want[0], want[1], want[2], want[3] = want[0]+x, want[1]+x*x, want[2]+math.Sqrt(x), want[3]+x
		}
		texts = cosine(v[0], want) > 0.9999999
	}
	if layout != layoutSentences {
		m := image.NewGray(image.Rect(0, 0, 2, 2))
		m.Pix = []byte{255, 51, 102, 0}
		r, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: m}})
		if err != nil || r[0].Err != nil {
			return fmt.Sprint("no: ", err, r)
		}
		want := []float64{1, 0.2, 0.4, 0}
		if layout == layoutRclip { // no file says how: as OpenAI's
			for i := range want {
				want[i] = (want[i] - 0.48145466) / 0.26862954
			}
		}
		pictures = cosine(r[0].Vector, want) > 0.999999
	}
	switch {
	case texts && pictures:
		return "texts, pictures"
	case texts:
		return "texts"
	case pictures:
		return "pictures"
	}
	return "no"
}

// families are those of docs/encoders.md, with small vocabularies.
func families(t *testing.T) []family {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("../tokenizer/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// Ids by Hugging Face's tokenizers, and by SentencePiece.
	var g struct {
		Texts    []string
		Variants []struct {
			File, Name string
			IDs        [][]int64
		}
	}
	golden := func(file, name string) []int64 {
		g.Variants = nil
		if err := json.Unmarshal(read(file), &g); err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Variants {
			if v.File == name || v.Name == name {
				return v.IDs[slices.Index(g.Texts, "a wolf")]
			}
		}
		t.Fatal("no goldens of ", name)
		return nil
	}
	var p struct {
		Texts []string
		IDs   map[string][][]int64
	}
	if err := json.Unmarshal(read("pieces/goldens.json"), &p); err != nil {
		t.Fatal(err)
	}
	pieces := func(name string) []int64 { return p.IDs[name][slices.Index(p.Texts, "a wolf")] }
	padded := func(ids []int64, with int64, n int) []int64 {
		out := slices.Clone(ids)
		for len(out) < n {
			out = append(out, with)
		}
		return out
	}
	fairseq := func(before int64, ids []int64) []int64 {
		out := []int64{before}
		for _, id := range ids {
			out = append(out, id+1)
		}
		return append(out, 2)
	}
	unigram, wordpiece, gemma := golden("goldens.json", "siglip"), golden("more_goldens.json", "wordpiece"), golden("more_goldens.json", "gemma")
	small := slices.DeleteFunc(slices.Clone(gemma), func(id int64) bool { return id <= 2 }) // without <bos>
	both := []string{layoutHF, layoutImmich, layoutOpenCLIP, layoutOne, layoutTwo, layoutNested}
	sentences := []string{layoutSentences}
	files := func(list ...any) map[string][]byte {
		m := map[string][]byte{}
		for i := 0; i < len(list); i += 2 {
			switch b := list[i+1].(type) {
			case []byte:
				m[list[i].(string)] = b
			case string:
				m[list[i].(string)] = []byte(b)
			default:
				m[list[i].(string)] = nil
			}
		}
		return m
	}
	const gemmaClass = `{"tokenizer_class": "GemmaTokenizer", "pad_token": "<pad>"}`
	const siglip2Cfg = `{"context_length": 64, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP2", "no_causal_mask": true, "pool_type": "last", "tokenizer_kwargs": {"clean": "canonicalize"}}`
	return []family{
		{name: "CLIP", tokenizer: files("tokenizer.json", nil), config: `{"model_type": "clip", "projection_dim": 4, "text_config": {"max_position_embeddings": 77}}`, textCfg: `{"context_length": 77}`,
			ids: []int64{2046, 320, 836, 2047}, layouts: append(slices.Clone(both), layoutRclip)},
		{name: "MobileCLIP2", tokenizer: files("vocab.json", nil, "merges.txt", nil), config: `{"model_type": "clip", "text_config": {"max_position_embeddings": 77}}`, textCfg: `{"context_length": 77, "no_causal_mask": false}`,
			ids: []int64{2046, 320, 836, 2047}, layouts: []string{layoutHF, layoutOpenCLIP, layoutNested}},
		{name: "SigLIP", tokenizer: files("tokenizer.json", read("tokenizer.json"), "tokenizer_config.json", `{"pad_token": "</s>"}`), config: `{"model_type": "siglip", "text_config": {"model_type": "siglip_text_model"}}`,
			textCfg: `{"context_length": 64, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP", "no_causal_mask": true, "pool_type": "last", "tokenizer_kwargs": {"clean": "canonicalize"}}`,
			ids:     padded(unigram, 1, 64), layouts: both},
		{name: "SigLIP 2", tokenizer: files("tokenizer.json", read("gemma.json"), "tokenizer_config.json", gemmaClass), config: `{"model_type": "siglip2", "text_config": {}}`, textCfg: siglip2Cfg,
			ids: padded(append(slices.Clone(small), 1), 0, 64), layouts: both},
		{name: "SigLIP 2, tokenizer.model", tokenizer: files("tokenizer.model", read("pieces/gemma.model"), "tokenizer_config.json", gemmaClass), config: `{"model_type": "siglip2", "text_config": {}}`, textCfg: siglip2Cfg,
			ids: padded(append(slices.Clone(pieces("gemma")), 1), 0, 64), layouts: both},
		{name: "multilingual CLIP (XLM-R)", tokenizer: files("sentencepiece.bpe.model", read("pieces/xlmr.model")), config: `{"model_type": "clip", "projection_dim": 4}`, textCfg: `{"context_length": 77, "hf_tokenizer_name": "xlm-roberta-base"}`,
			ids: fairseq(0, pieces("xlmr")), layouts: both},
		{name: "nllb-clip", tokenizer: files("sentencepiece.bpe.model", read("pieces/nllb.model"), "tokenizer_config.json", `{"tokenizer_class": "NllbTokenizer", "src_lang": "eng_Latn", "added_tokens_decoder": {"5000": {"content": "eng_Latn"}}}`),
			config: `{"model_type": "clip", "projection_dim": 4}`, textCfg: `{"context_length": 77, "hf_tokenizer_name": "facebook/nllb-200-distilled-600M"}`, ids: fairseq(5000, pieces("nllb")), layouts: []string{layoutImmich, layoutOpenCLIP}},
		{name: "jina-clip-v1", tokenizer: files("tokenizer.json", read("wordpiece.json")), config: `{"model_type": "jina_clip", "projection_dim": 4}`, textCfg: `{}`, ids: wordpiece, layouts: []string{layoutHF, layoutOne}},
		{name: "jina-clip-v2", tokenizer: files("tokenizer.json", read("tokenizer.json")), config: `{"model_type": "jina_clip", "projection_dim": 4}`, textCfg: `{}`, ids: unigram, layouts: []string{layoutHF, layoutOne}},
		{name: "bge, gte", tokenizer: files("tokenizer.json", read("wordpiece.json")), config: `{"model_type": "bert", "hidden_size": 4, "max_position_embeddings": 512}`, pooling: "cls_token", ids: wordpiece, layouts: sentences},
		{name: "MiniLM, nomic-embed-text, mpnet", tokenizer: files("tokenizer.json", read("wordpiece.json")), config: `{"model_type": "bert", "hidden_size": 4, "max_position_embeddings": 512}`, pooling: "mean_tokens", ids: wordpiece, layouts: sentences},
		{name: "multilingual-e5", tokenizer: files("tokenizer.json", read("tokenizer.json")), config: `{"model_type": "xlm-roberta", "hidden_size": 4, "max_position_embeddings": 514}`, pooling: "mean_tokens", ids: unigram, layouts: sentences},
		{name: "multilingual-e5, sentencepiece.bpe.model", tokenizer: files("sentencepiece.bpe.model", read("pieces/xlmr.model")), config: `{"model_type": "xlm-roberta", "hidden_size": 4, "max_position_embeddings": 514}`, pooling: "mean_tokens",
			ids: fairseq(0, pieces("xlmr")), layouts: sentences},
		{name: "EmbeddingGemma", tokenizer: files("tokenizer.json", read("gemma.json")), config: `{"model_type": "gemma3_text", "hidden_size": 4, "max_position_embeddings": 2048}`, pooling: "mean_tokens", ids: gemma, layouts: sentences},
		{name: "EmbeddingGemma, tokenizer.model", tokenizer: files("tokenizer.model", read("pieces/gemma.model"), "tokenizer_config.json", gemmaClass), config: `{"model_type": "gemma3_text", "hidden_size": 4, "max_position_embeddings": 2048}`, pooling: "mean_tokens",
			ids: append([]int64{2}, pieces("gemma")...), layouts: sentences},
		{name: "DINOv2", config: `{"model_type": "dinov2", "hidden_size": 4}`, layouts: []string{layoutPictures}},
	}
}

// Every family works in the layouts that it comes in; docs/encoders.md has the table.
func TestMatrix(t *testing.T) {
	needRuntime(t)
	var b strings.Builder
	b.WriteString("| family | " + strings.Join(allLayouts, " | ") + " |\n|---|" + strings.Repeat("---|", len(allLayouts)) + "\n")
	refused := map[string]string{}
	for _, f := range families(t) {
		b.WriteString("| " + f.name + " |")
		for _, l := range allLayouts {
			cell := ""
			if slices.Contains(f.layouts, l) {
				if cell = f.works(t, l); strings.HasPrefix(cell, "no") {
					refused[f.name+", "+l] = cell
				}
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	for _, k := range slices.Sorted(maps.Keys(refused)) {
		t.Errorf("%s: %s", k, refused[k])
	}
	const path, begin, end = "../../docs/encoders.md", "<!-- made by TestMatrix -->\n", "<!-- end -->\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("docs/encoders.md has no place for the table")
	}
	if old == b.String() {
		return
	}
	if !*updateMatrix {
		t.Errorf("docs/encoders.md has\n%s\nand not\n%s; go test ./encoder/onnx -run TestMatrix -matrix.update writes it", old, b.String())
		return
	}
	if err := os.WriteFile(path, []byte(head+begin+b.String()+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
