package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/encoder/tokenizer"
)

// Folder is a model folder looked into: what is there, in which layout, and how
// its graphs want to be fed. The layouts:
//
//   - A Hugging Face export: tokenizer.json and preprocessor_config.json, and in
//     onnx/ text_model.onnx and vision_model.onnx, with variants such as
//     text_model_quantized.onnx.
//   - immich's: textual/model.onnx with its tokenizer, visual/model.onnx with
//     preprocess_cfg.json.
//   - SigLIP's and SigLIP 2's, Hugging Face exports with a tokenizer of another kind
//     (package tokenizer) whose texts are always filled up to one length.
//   - Text models as sentence-transformers publishes them (bge, e5, gte, MiniLM): model.onnx
//     with modules.json and 1_Pooling/config.json, which say how a text's token vectors
//     become one.
//   - OpenCLIP's: textual.onnx and visual.onnx, whatever stands before these names, with
//     open_clip_config.json; rclip's, which has no such file but tokenizer/bpe_simple_vocab_16e6.txt.gz
//     beside or above.
//   - One graph with both towers (jina-clip-v2, exports of whole CLIP models): model.onnx,
//     of which that part is loaded that texts, or pictures, need.
//   - Models of pictures alone, such as DINOv2: model.onnx with preprocessor_config.json.
//   - Single towers, as Qdrant publishes them: model.onnx with its tokenizer or
//     preprocessor. Of two folders NAME-text and NAME-vision side by side, either
//     opens both.
//   - Several models in one folder, each in one of its own (onnx/s0, onnx/s2 of
//     MobileCLIP2): the variant names one of them.
//
// Any of them may lack one tower, and the graphs may lie in onnx/ or at the top.
type Folder struct {
	Dir      string
	Layout   string   // such as "Hugging Face export"; empty when it is no model
	Dim      int      // length of the vectors; 0 when nothing works
	Text     *Tower   // nil when texts can't be encoded
	Image    *Tower   // nil when pictures can't be encoded
	Variants []string // what Options.Variant can choose, fp32 as ""
	Problems []string // what keeps the folder from doing more, in plain words
	Told     []string // which file said what of how texts and pictures are prepared

	// Query and Document are what texts begin with, as config_sentence_transformers.json
	// has it; see encoder.Prompter.
	Query, Document string
}

// Tower is one half of a model.
type Tower struct {
	Path   string // of the .onnx file
	Config string // folder of the tokenizer or preprocessor
	Size   int64  // bytes, external weights included
	Graph  *Graph
	Output string // name of the output to take
	Dim    int

	// How texts are brought to the graph's shape.
	MaxTokens int  // the two ends included
	Pad       bool // always fill up to MaxTokens
	PadID     int64
	Clean     string // what is done to texts before: "", whitespace, lower or canonicalize
	Pool      string // how token vectors become one: "" where the graph does it, mean, cls or lasttoken
	siglip2   bool   // texts as SigLIP 2 was trained on them
	unmasked  bool   // what fills a text up counts like the rest of it
	noSep     bool   // the token that ends a text is left out
	shared    bool   // the graph holds the other tower as well
	tokens    int    // vectors that a picture has before they are pooled; 0 for texts

	width, height int // fixed size of pictures; 0 when any
}

// batch returns the fixed size of batches, or 0.
func (t *Tower) batch() int { return int(max(0, t.Graph.Inputs[0].size(0))) }

// modelConfig is the part of config.json that matters.
type modelConfig struct {
	file          string // where it was read
	ModelType     string `json:"model_type"`
	ProjectionDim int    `json:"projection_dim"`
	EmbedDim      int    `json:"embed_dim"` // open_clip
	TextConfig    struct {
		MaxPositions int    `json:"max_position_embeddings"`
		HiddenSize   int    `json:"hidden_size"`
		PadToken     *int64 `json:"pad_token_id"`
	} `json:"text_config"`
	TextCfg *struct { // open_clip
		ContextLength int                        `json:"context_length"`
		Tokenizer     string                     `json:"hf_tokenizer_name"`
		Kwargs        map[string]json.RawMessage `json:"tokenizer_kwargs"`
		NoCausalMask  bool                       `json:"no_causal_mask"`
		Pool          string                     `json:"pool_type"`
	} `json:"text_cfg"`
	HiddenSize   int `json:"hidden_size"` // of text models, and of DINOv2
	MaxPositions int `json:"max_position_embeddings"`
	PatchSize    int `json:"patch_size"`
	Registers    int `json:"num_register_tokens"`
}

// candidate is a graph file that may be a tower.
type candidate struct {
	path, variant string
	configs       []string // folders to look for a tokenizer or preprocessor in
	shared        bool     // both towers are in it
}

// Inspect looks into a folder without loading weights. It fails only when dir
// can't be read; what doesn't work is told in Problems.
func Inspect(dir, variant string) (*Folder, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", dir)
	}
	f := &Folder{Dir: dir}
	if variant == "fp32" {
		variant = ""
	}
	text, image := f.find(dir)
	if len(text)+len(image) == 0 && len(f.Problems) == 0 {
		text, image, variant = f.nested(dir, variant)
	}
	if len(text)+len(image) == 0 {
		if len(f.Problems) == 0 {
			f.Problems = append(f.Problems, f.noGraphs())
		}
		return f, nil
	}
	for _, c := range slices.Concat(text, image) {
		if !slices.Contains(f.Variants, c.variant) {
			f.Variants = append(f.Variants, c.variant)
		}
	}
	f.Text = f.tower("text", text, variant, f.textTower)
	f.Image = f.tower("image", image, variant, f.imageTower)
	for _, t := range []*Tower{f.Text, f.Image} {
		if t == nil {
			continue
		}
		if f.Dim != 0 && t.Dim != f.Dim {
			f.problem("the text tower gives %d dimensions and the image tower %d: they do not belong together", f.Dim, t.Dim)
			f.Image = nil
			continue
		}
		f.Dim = t.Dim
	}
	return f, nil
}

// variantNames words a list of variants.
func variantNames(list []string) string {
	names := slices.Clone(list)
	for i, v := range names {
		if v == "" {
			names[i] = "fp32"
		}
	}
	return strings.Join(names, ", ")
}

func (f *Folder) problem(format string, args ...any) {
	f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
}

// noGraphs words what is there instead of a model.
func (f *Folder) noGraphs() string {
	s := "no ONNX graphs: onnx/text_model.onnx and onnx/vision_model.onnx, textual/model.onnx and visual/model.onnx, or model.onnx are looked for"
	for _, other := range []struct{ name, what string }{
		{"model.safetensors", "PyTorch weights"}, {"pytorch_model.bin", "PyTorch weights"}, {"open_clip_pytorch_model.bin", "PyTorch weights"},
		{"tf_model.h5", "TensorFlow weights"}, {"flax_model.msgpack", "Flax weights"},
	} {
		if _, err := os.Stat(filepath.Join(f.Dir, other.name)); err == nil {
			return s + "; " + other.name + " holds " + other.what + ", of which an ONNX export is needed"
		}
	}
	return s
}

// told notes which file says what.
func (f *Folder) told(file, format string, args ...any) {
	line := filepath.Base(file) + " says " + fmt.Sprintf(format, args...)
	if !slices.Contains(f.Told, line) {
		f.Told = append(f.Told, line)
	}
}

// nested looks for models in folders of their own within dir, one of which the variant
// names: "s2", or "s2_fp16" for one of its graphs. It returns what of the variant is left.
func (f *Folder) nested(dir, variant string) (text, image []candidate, rest string) {
	type model struct {
		name, path  string
		text, image []candidate
		layout      string
	}
	var found []model
	for _, sub := range []string{"onnx", "."} {
		entries, _ := os.ReadDir(filepath.Join(dir, sub))
		for _, e := range entries {
			path := filepath.Join(dir, sub, e.Name())
			if st, err := os.Stat(path); err != nil || !st.IsDir() || strings.HasPrefix(e.Name(), ".") || e.Name() == "onnx" {
				continue
			}
			in := &Folder{Dir: path}
			t, i := in.find(path)
			if len(t)+len(i) == 0 {
				continue
			}
			for _, list := range [][]candidate{t, i} {
				for k := range list {
					list[k].configs = append(list[k].configs, dir)
				}
			}
			found = append(found, model{e.Name(), path, t, i, in.Layout})
		}
	}
	var names []string
	for _, m := range found {
		names = append(names, m.name)
		if left, ok := strings.CutPrefix(variant, m.name); ok && (left == "" || left[0] == '_') {
			f.Layout = m.layout + " in " + m.name
			return m.text, m.image, strings.TrimPrefix(left, "_")
		}
	}
	switch {
	case len(found) == 1:
		f.Layout = found[0].layout + " in " + names[0]
		return found[0].text, found[0].image, variant
	case len(found) > 1:
		f.problem("there are several models in it, %s; VARIANT '%s' takes one of them, and so does the path %s", strings.Join(names, ", "), names[0], found[0].path)
	}
	return nil, nil, variant
}

// find lists the graphs that may be towers, fp32 first.
func (f *Folder) find(dir string) (text, image []candidate) {
	for _, sub := range []string{filepath.Join(dir, "onnx"), dir} {
		for _, c := range graphs(sub, "text_model", dir) {
			f.Layout = "Hugging Face export"
			text = append(text, c)
		}
		for _, c := range graphs(sub, "vision_model", dir) {
			f.Layout = "Hugging Face export"
			image = append(image, c)
		}
	}
	if len(text)+len(image) > 0 {
		return text, image
	}
	text, image = graphs(filepath.Join(dir, "textual"), "model", dir), graphs(filepath.Join(dir, "visual"), "model", dir)
	if len(text)+len(image) > 0 {
		f.Layout = "immich"
		return text, image
	}
	for _, sub := range []string{filepath.Join(dir, "onnx"), dir} {
		text, image = append(text, graphs(sub, "textual", dir)...), append(image, graphs(sub, "visual", dir)...)
	}
	if len(text)+len(image) > 0 {
		f.Layout = "OpenCLIP"
		return text, image
	}
	text, image = f.single(dir)
	if len(text)+len(image) == 0 {
		return nil, nil
	}
	if text != nil && image != nil && text[0].shared {
		f.Layout = "both towers in one graph"
		return text, image
	}
	f.Layout = "single tower"
	// Its sibling, if there is one.
	base := filepath.Clean(dir)
	if stem, ok := strings.CutSuffix(base, "-text"); ok && len(image) == 0 {
		_, image = f.single(stem + "-vision")
	} else if stem, ok := strings.CutSuffix(base, "-vision"); ok && len(text) == 0 {
		text, _ = f.single(stem + "-text")
	}
	if len(text) > 0 && len(image) > 0 {
		f.Layout = "two folders of one tower each"
	}
	return text, image
}

// single looks for model.onnx, whose inputs tell which tower it is.
func (f *Folder) single(dir string) (text, image []candidate) {
	for _, sub := range []string{dir, filepath.Join(dir, "onnx")} {
		for _, c := range graphs(sub, "model", dir) {
			g, err := ReadGraph(c.path)
			if err != nil {
				f.problem("%v", err)
				continue
			}
			ids, pixels := textInput(g) >= 0, pixelInput(g) >= 0
			switch {
			case ids && pixels:
				c.shared = true
				text, image = append(text, c), append(image, c)
			case ids:
				text = append(text, c)
			case pixels:
				image = append(image, c)
			default:
				f.problem("%s takes neither texts nor pictures (its inputs: %v)", c.path, g.Inputs)
			}
		}
	}
	return text, image
}

// graphs returns stem.onnx and its variants stem_NAME.onnx in dir. Some begin with the name
// of the model: "NAME-textual.onnx".
func graphs(dir, stem, top string) []candidate {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []candidate
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".onnx")
		if !ok || e.IsDir() {
			continue
		}
		if strings.HasSuffix(stem, "ual") {
			if i := strings.LastIndexAny(name[:max(0, strings.LastIndex(name, stem))], "-_"); i >= 0 {
				name = name[i+1:]
			}
		}
		variant, ok := strings.CutPrefix(name, stem)
		if !ok || variant != "" && variant[0] != '_' {
			continue
		}
		configs := slices.Compact([]string{dir, top})
		if above := filepath.Dir(top); filepath.Base(above) == "onnx" { // onnx/s2 of a folder with several models
			configs = append(configs, filepath.Dir(above))
		}
		out = append(out, candidate{filepath.Join(dir, e.Name()), strings.TrimPrefix(variant, "_"), configs, false})
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return preference(a.variant) - preference(b.variant) })
	return out
}

// preference ranks variants by the quality of their vectors.
func preference(variant string) int {
	for i, v := range []string{"", "fp32", "fp16", "quantized", "int8"} {
		if v == variant {
			return i
		}
	}
	return 5
}

// tower takes the graph of the wanted variant, or else the first, and has setup
// find out how to feed it.
func (f *Folder) tower(kind string, list []candidate, variant string, setup func(*Tower, *candidate) error) *Tower {
	if len(list) == 0 {
		return nil
	}
	c := &list[0]
	if variant != "" {
		i := slices.IndexFunc(list, func(c candidate) bool { return c.variant == variant })
		if i < 0 {
			f.problem("%s tower: there is no variant %q (there is %s)", kind, variant, variantNames(f.Variants))
			return nil
		}
		c = &list[i]
	}
	g, err := ReadGraph(c.path)
	if err != nil {
		f.problem("%v", err)
		return nil
	}
	t := &Tower{Path: c.path, Graph: g, shared: c.shared}
	if err = t.measure(); err == nil {
		err = setup(t, c)
	}
	if err != nil {
		f.problem("%s tower: %v", kind, err)
		return nil
	}
	return t
}

// measure adds up the files of a graph and finds those that are missing.
func (t *Tower) measure() error {
	for _, path := range t.files() {
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing; %s keeps its weights in it", path, filepath.Base(t.Path))
		} else if err != nil {
			return err
		}
		t.Size += st.Size()
	}
	for _, e := range t.Graph.External {
		if !filepath.IsLocal(filepath.FromSlash(e)) {
			return fmt.Errorf("%s refers to weights outside of its folder: %s", t.Path, e)
		}
	}
	return nil
}

// files returns the graph and its external weights.
func (t *Tower) files() []string {
	out := []string{t.Path}
	for _, e := range t.Graph.External {
		if filepath.IsLocal(filepath.FromSlash(e)) {
			out = append(out, filepath.Join(filepath.Dir(t.Path), filepath.FromSlash(e)))
		}
	}
	return out
}

// textInput returns the index of the input for token ids, or -1.
func textInput(g *Graph) int {
	return slices.IndexFunc(g.Inputs, func(v Value) bool {
		return (v.Name == "input_ids" || v.Name == "text" || v.Name == "tokens" || v.Name == "input") &&
			(v.Type == Int64 || v.Type == Int32) && len(v.Dims) == 2
	})
}

// pixelInput returns the index of the input for pictures, or -1.
func pixelInput(g *Graph) int {
	return slices.IndexFunc(g.Inputs, func(v Value) bool {
		return (v.Type == Float32 || v.Type == Float16) && len(v.Dims) == 4
	})
}

func (f *Folder) textTower(t *Tower, c *candidate) error {
	g := t.Graph
	at := textInput(g)
	if at < 0 {
		return fmt.Errorf("%s has no input of token ids (its inputs: %v)", t.Path, g.Inputs)
	}
	g.Inputs[0], g.Inputs[at] = g.Inputs[at], g.Inputs[0]
	if t.shared {
		g.Inputs = slices.DeleteFunc(g.Inputs, func(v Value) bool { return len(v.Dims) == 4 })
	}
	for _, v := range g.Inputs[1:] {
		if v.Name != "attention_mask" && v.Name != "token_type_ids" && v.Name != "position_ids" || v.Type != Int64 && v.Type != Int32 {
			return fmt.Errorf("%s needs an input that is not known: %v", t.Path, v)
		}
	}
	for _, dir := range c.configs {
		if files := tokenizerFiles(dir); len(files) > 0 && !onlyConfig(files) {
			t.Config = dir
			break
		}
	}
	if t.Config == "" {
		return fmt.Errorf("there is no tokenizer for %s: tokenizer.json, vocab.txt, or vocab.json and merges.txt, is missing in %s", t.Path, strings.Join(c.configs, " and "))
	}
	f.told(tokenizerFiles(t.Config)[0], "how texts become tokens")
	cfg, err := f.config(c)
	if err != nil {
		return err
	}
	siglip := strings.HasPrefix(cfg.ModelType, "siglip")
	t.MaxTokens = clip.DefaultMaxLength
	switch n := g.Inputs[0].size(1); {
	case n == 0 || n == 1:
		return fmt.Errorf("%s takes texts of %d tokens, too few for the two ends", t.Path, n)
	case n > 0:
		t.MaxTokens, t.Pad = int(n), true
	case cfg.TextConfig.MaxPositions > 1:
		t.MaxTokens = cfg.TextConfig.MaxPositions
	case cfg.TextCfg != nil && cfg.TextCfg.ContextLength > 1:
		t.MaxTokens = cfg.TextCfg.ContextLength
	case siglip: // whose config.json leaves out what is the default
		t.MaxTokens = siglipMaxTokens
	case cfg.MaxPositions > 4:
		t.MaxTokens = cfg.MaxPositions
		if slices.Contains(offsetPositions, cfg.ModelType) {
			t.MaxTokens -= 2
		}
	}
	if n, err := c.maxSequence(); err != nil {
		return err
	} else if n > 1 && !t.Pad {
		f.told("sentence_bert_config.json", "that texts have at most %d tokens", n)
		t.MaxTokens = min(t.MaxTokens, n)
	}
	t.siglip2 = cfg.ModelType == "siglip2" || siglip && tokenizer.Type(t.Config) == "BPE"
	t.unmasked = siglip
	// SigLIP was trained on texts filled up to its maximum and masks nothing.
	t.Pad = t.Pad || siglip
	if cfg.TextCfg != nil {
		if err := f.openCLIP(t, &cfg); err != nil {
			return err
		}
	}
	if err := f.prompts(c); err != nil {
		return err
	}
	if err := f.textOutput(t, c, cfg); err != nil {
		return err
	}
	return t.own()
}

// offsetPositions are kinds of models that count the tokens of a text from 2 on: they take
// two less than they have places.
var offsetPositions = []string{"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer"}

// openCLIP heeds what text_cfg says of texts.
func (f *Folder) openCLIP(t *Tower, cfg *modelConfig) error {
	for key, raw := range cfg.TextCfg.Kwargs {
		var err error
		switch key {
		case "clean":
			var how string
			if err = json.Unmarshal(raw, &how); err != nil {
				break
			}
			switch how {
			case cleanWhitespace, cleanLower, cleanCanonicalize:
				t.Clean = how
				f.told(cfg.file, "that texts are cleaned: %s", how)
			case "", "none":
			default:
				return fmt.Errorf("%s says that texts are cleaned by %q, which is not known (whitespace, lower and canonicalize are)", cfg.file, how)
			}
		case "strip_sep_token":
			err = json.Unmarshal(raw, &t.noSep)
		case "reduction_mask": // only for training
		default:
			return fmt.Errorf("%s has tokenizer_kwargs.%s, which is not known (clean and strip_sep_token are)", cfg.file, key)
		}
		if err != nil {
			return fmt.Errorf("%s: tokenizer_kwargs.%s: %w", cfg.file, key, err)
		}
	}
	if strings.Contains(strings.ToLower(cfg.TextCfg.Tokenizer), "siglip") && tokenizer.Type(t.Config) == "BPE" {
		t.siglip2 = true
	}
	// Where a token sees those after it, or the last one stands for the text, what fills it
	// up counts.
	if cfg.TextCfg.NoCausalMask || cfg.TextCfg.Pool == "last" {
		t.Pad, t.unmasked = true, true
		f.told(cfg.file, "that texts are filled up to %d tokens", t.MaxTokens)
	}
	return nil
}

// prompts reads what texts begin with.
func (f *Folder) prompts(c *candidate) error {
	const name = "config_sentence_transformers.json"
	b, err := c.read(name)
	if b == nil || err != nil {
		return err
	}
	var p struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	pick := func(names ...string) string {
		if p.Default != nil {
			names = append(names, *p.Default)
		}
		for _, n := range names {
			if text, ok := p.Prompts[n]; ok {
				return text
			}
		}
		return ""
	}
	f.Query, f.Document = pick("query", "search_query"), pick("document", "passage", "corpus", "search_document")
	if f.Query != "" || f.Document != "" {
		f.told(name, "that texts searched for begin with %q and texts stored with %q", f.Query, f.Document)
	}
	return nil
}

// textOutput picks the output with the vectors of texts.
func (f *Folder) textOutput(t *Tower, c *candidate, cfg modelConfig) error {
	names := []string{"text_embeds", "l2norm_text_embeddings", "text_embeddings", "sentence_embedding", "embedding", "text_features"}
	if t.output(names...) != nil {
		return t.pickOutput(cfg, names...)
	}
	if pool, file, err := c.pooling(); err != nil {
		return err
	} else if pool != "" {
		f.told(file, "how a text's token vectors become one: %s", pool)
		return t.pickPooled(cfg, pool)
	}
	// BERT's pooler_output is what it was trained to tell following sentences by, and not the
	// vector of a text.
	if t.output("last_hidden_state", "token_embeddings") != nil && (tokenizer.Type(t.Config) == "WordPiece" || slices.Contains(bertKinds, cfg.ModelType)) || t.vectors(2) == 0 && t.vectors(3) > 0 {
		return fmt.Errorf("%s gives a vector for each token, and nothing says how they become one: modules.json and 1_Pooling/config.json of the model as sentence-transformers publishes it are missing in %s", t.Path, strings.Join(c.configs, " and "))
	}
	return t.pickOutput(cfg, append(names, "pooler_output")...)
}

// bertKinds are kinds of text models whose vectors are to be pooled.
var bertKinds = []string{"bert", "roberta", "xlm-roberta", "camembert", "mpnet", "distilbert", "nomic_bert", "new", "modernbert", "electra", "deberta-v2", "qwen2", "qwen3", "gemma3_text", "mistral"}

// output returns the first output of one of the names that has vectors, or nil.
func (t *Tower) output(names ...string) *Value {
	for _, name := range names {
		for i := range t.Graph.Outputs {
			if v := &t.Graph.Outputs[i]; v.Name == name && (v.Type == Float32 || v.Type == Float16) {
				return v
			}
		}
	}
	return nil
}

// vectors counts the outputs of numbers with so many axes.
func (t *Tower) vectors(axes int) int {
	n := 0
	for _, v := range t.Graph.Outputs {
		if (v.Type == Float32 || v.Type == Float16) && len(v.Dims) == axes {
			n++
		}
	}
	return n
}

// own checks that a tower of a graph with both depends on its own inputs alone.
func (t *Tower) own() error {
	if !t.shared {
		return nil
	}
	on, err := dependsOn(t.Path, t.Output)
	if err != nil {
		return err
	}
	t.Graph.Inputs = slices.DeleteFunc(t.Graph.Inputs, func(v Value) bool {
		mine := on[v.Name]
		delete(on, v.Name)
		return !mine
	})
	for name := range on {
		return fmt.Errorf("%s: the output %s depends on the input %s as well", t.Path, t.Output, name)
	}
	if len(t.Graph.Inputs) == 0 {
		return fmt.Errorf("%s: the output %s depends on no input", t.Path, t.Output)
	}
	return nil
}

// siglipMaxTokens is the length of SigLIP's texts.
const siglipMaxTokens = 64

// onlyConfig is true of tokenizer_config.json without a vocabulary.
func onlyConfig(files []string) bool {
	return len(files) == 1 && filepath.Base(files[0]) == "tokenizer_config.json"
}

func (f *Folder) imageTower(t *Tower, c *candidate) error {
	g := t.Graph
	at := pixelInput(g)
	if at < 0 {
		return fmt.Errorf("%s has no input of pictures (its inputs: %v)", t.Path, g.Inputs)
	}
	g.Inputs[0], g.Inputs[at] = g.Inputs[at], g.Inputs[0]
	if t.shared {
		g.Inputs = g.Inputs[:1]
	}
	if len(g.Inputs) > 1 {
		return fmt.Errorf("%s needs an input that is not known: %v", t.Path, g.Inputs[1])
	}
	in := g.Inputs[0]
	if n := in.size(1); n >= 0 && n != 3 {
		return fmt.Errorf("%s takes pictures of %d channels first; 3 are expected", t.Path, n)
	}
	var pre *clip.Preprocessor
	for _, dir := range c.configs {
		if clip.PreprocessorFile(dir) == "" {
			continue
		}
		p, err := clip.LoadPreprocessor(dir)
		if err != nil {
			return err
		}
		pre, t.Config = p, dir
		w, h := p.Size()
		f.told(clip.PreprocessorFile(dir), "that pictures become %d x %d", w, h)
		break
	}
	if pre == nil && clip.OpenAIVocabulary(filepath.Dir(t.Path)) != "" && in.size(2) > 0 && in.size(2) == in.size(3) {
		// rclip, which prepares pictures as OpenAI's CLIP does and has no file that says so.
		p, err := clip.NewPreprocessor(openAIPictures(int(in.size(2))))
		if err != nil {
			return err
		}
		pre = p
		f.told(clip.OpenAIVocabulary(filepath.Dir(t.Path)), "that this is rclip's model, which prepares pictures as CLIP does")
	}
	if pre == nil {
		return fmt.Errorf("how to prepare pictures for %s is not told: preprocessor_config.json (or preprocess_cfg.json) is missing in %s", t.Path, strings.Join(c.configs, " and "))
	}
	w, h := pre.Size()
	if (in.size(2) > 0 && in.size(2) != int64(h)) || (in.size(3) > 0 && in.size(3) != int64(w)) {
		return fmt.Errorf("%s takes pictures of %v x %v but %s makes them %d x %d", t.Path, in.Dims[3], in.Dims[2], clip.PreprocessorFile(t.Config), w, h)
	}
	t.width, t.height = w, h
	cfg, err := f.config(c)
	if err != nil {
		return err
	}
	names := []string{"image_embeds", "l2norm_image_embeddings", "image_embeddings", "embedding", "pooler_output", "image_features", "sentence_embedding"}
	if t.output(names...) == nil && slices.Contains(clsKinds, cfg.ModelType) {
		if err := t.firstToken(cfg); err != nil {
			return err
		}
		f.told(cfg.file, "that this is %s, of which the first token's vector is taken", cfg.ModelType)
	} else if err := t.pickOutput(cfg, names...); err != nil {
		return err
	}
	return t.own()
}

// openAIPictures says how OpenCLIP prepares pictures unless told otherwise.
func openAIPictures(n int) clip.Config {
	c := clip.CLIPConfig(n)
	c.RoundCrop = true
	return c
}

// clsKinds are kinds of models of pictures whose first token stands for the picture.
var clsKinds = []string{"dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "nomic_bert"}

// firstToken takes the vector of a picture's first token.
func (t *Tower) firstToken(cfg modelConfig) error {
	v := t.output("last_hidden_state")
	if v == nil || len(v.Dims) != 3 {
		return fmt.Errorf("%s has no output of a picture's tokens, last_hidden_state (its outputs: %v)", t.Path, t.Graph.Outputs)
	}
	t.Output, t.Pool, t.Dim, t.tokens = v.Name, poolCLS, int(v.size(2)), int(v.size(1))
	if t.Dim <= 0 {
		t.Dim = cfg.HiddenSize
	}
	if t.tokens <= 0 && cfg.PatchSize > 0 {
		t.tokens = 1 + cfg.Registers + t.width/cfg.PatchSize*(t.height/cfg.PatchSize)
	}
	if t.Dim <= 0 || t.tokens <= 0 {
		return fmt.Errorf("neither %s nor config.json tells the length of its vectors and how many a picture has", t.Path)
	}
	return nil
}

// config reads config.json or open_clip_config.json beside a graph's other files; it is
// zero if there is none.
func (f *Folder) config(c *candidate) (modelConfig, error) {
	for _, dir := range c.configs {
		var open struct { // open_clip_config.json
			Model modelConfig `json:"model_cfg"`
		}
		for _, file := range []struct {
			name string
			to   any
			cfg  *modelConfig
		}{{"config.json", &open.Model, &open.Model}, {"open_clip_config.json", &open, &open.Model}} {
			path := filepath.Join(dir, file.name)
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				open.Model = modelConfig{}
				err = json.Unmarshal(b, file.to)
			}
			if err != nil {
				return modelConfig{}, fmt.Errorf("%s: %w", path, err)
			}
			if m := file.cfg; m.ModelType != "" || m.TextCfg != nil || m.EmbedDim > 0 || m.ProjectionDim > 0 {
				m.file = path
				return *m, nil
			}
		}
	}
	return modelConfig{}, nil
}

// read reads a file of sentence-transformers that lies beside a graph, or above it. It
// returns nil where there is none.
func (c *candidate) read(name string) ([]byte, error) {
	for _, dir := range c.configs {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, nil
}

// maxSequence returns the number of tokens that sentence-transformers takes of a text, 0
// where nothing says it.
func (c *candidate) maxSequence() (int, error) {
	b, err := c.read("sentence_bert_config.json")
	if b == nil || err != nil {
		return 0, err
	}
	var s struct {
		Max int `json:"max_seq_length"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return 0, fmt.Errorf("sentence_bert_config.json: %w", err)
	}
	return s.Max, nil
}

// pooling returns how a model of sentence-transformers makes one vector of those of a
// text's tokens, and which file says so; "" for other models.
func (c *candidate) pooling() (pool, file string, err error) {
	b, err := c.read("modules.json")
	if err != nil {
		return "", "", err
	}
	if b == nil { // it may lie there without the list of steps
		const alone = "1_Pooling/config.json"
		if b, err = c.read(alone); b != nil && err == nil {
			pool, err = c.poolingMode(alone)
		}
		return pool, alone, err
	}
	var modules []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(b, &modules); err != nil {
		return "", "", fmt.Errorf("modules.json: %w", err)
	}
	for _, m := range modules {
		switch kind := m.Type[strings.LastIndex(m.Type, ".")+1:]; kind {
		case "Transformer", "Normalize":
		case "Pooling":
			file = m.Path + "/config.json"
			if pool, err = c.poolingMode(file); err != nil {
				return "", "", err
			}
		default:
			return "", "", fmt.Errorf("modules.json names a step %q after the graph, which is not supported (Pooling and Normalize are)", kind)
		}
	}
	return pool, file, nil
}

func (c *candidate) poolingMode(name string) (string, error) {
	b, err := c.read(name)
	if err != nil {
		return "", err
	}
	if b == nil {
		return "", fmt.Errorf("%s is missing, which says how a text's vectors become one", name)
	}
	var p map[string]any
	if err := json.Unmarshal(b, &p); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var on []string
	for k, v := range p {
		if mode, ok := strings.CutPrefix(k, "pooling_mode_"); ok && v == true {
			on = append(on, mode)
		}
	}
	slices.Sort(on)
	if p["include_prompt"] == false {
		return "", fmt.Errorf("%s leaves a prompt's tokens out of the vector (include_prompt), which is not supported", name)
	}
	switch {
	case slices.Equal(on, []string{"mean_tokens"}), slices.Equal(on, []string{"mean_sqrt_len_tokens"}):
		return poolMean, nil
	case slices.Equal(on, []string{"cls_token"}):
		return poolCLS, nil
	case slices.Equal(on, []string{"lasttoken"}):
		return poolLast, nil
	}
	return "", fmt.Errorf("%s wants a text's vectors pooled by %s; one of mean_tokens, cls_token and lasttoken is supported", name, strings.Join(on, " and "))
}

// pickPooled takes the output of a model of sentence-transformers: the pooled one where
// the graph has it, or that of the tokens.
func (t *Tower) pickPooled(cfg modelConfig, pool string) error {
	for _, v := range t.Graph.Outputs {
		if v.Name == "sentence_embedding" && len(v.Dims) == 2 {
			return t.pickOutput(cfg, v.Name)
		}
	}
	for _, name := range []string{"last_hidden_state", "token_embeddings"} {
		i := slices.IndexFunc(t.Graph.Outputs, func(v Value) bool {
			return v.Name == name && (v.Type == Float32 || v.Type == Float16) && len(v.Dims) == 3
		})
		if i < 0 {
			continue
		}
		v := t.Graph.Outputs[i]
		t.Output, t.Pool, t.Dim = v.Name, pool, int(v.size(2))
		if t.Dim <= 0 {
			t.Dim = cfg.HiddenSize
		}
		if t.Dim <= 0 {
			return fmt.Errorf("neither %s nor config.json tells the length of its vectors", t.Path)
		}
		return nil
	}
	return fmt.Errorf("%s has no output of a text's tokens, last_hidden_state (its outputs: %v)", t.Path, t.Graph.Outputs)
}

// tokenizerFiles returns the files that a folder's tokenizer is read from.
func tokenizerFiles(dir string) []string {
	if tokenizer.Is(dir) {
		return tokenizer.Files(dir)
	}
	return clip.TokenizerFiles(dir)
}

// integers reports whether a tower multiplies integers.
func (f *Folder) integers() bool {
	return f.Text != nil && f.Text.Graph.Integers || f.Image != nil && f.Image.Graph.Integers
}

// pickOutput takes the first of the names that is a matrix, or the only matrix.
func (t *Tower) pickOutput(cfg modelConfig, names ...string) error {
	var matrices []Value
	for _, v := range t.Graph.Outputs {
		if (v.Type == Float32 || v.Type == Float16) && len(v.Dims) == 2 {
			matrices = append(matrices, v)
		}
	}
	out := -1
	for _, n := range names {
		if out < 0 {
			out = slices.IndexFunc(matrices, func(v Value) bool { return v.Name == n })
		}
	}
	if out < 0 && len(matrices) == 1 && !t.shared {
		out = 0
	}
	if out < 0 {
		return fmt.Errorf("%s has no output that is known to be the vector (its outputs: %v)", t.Path, t.Graph.Outputs)
	}
	t.Output = matrices[out].Name
	t.Dim = int(matrices[out].size(1))
	for _, n := range []int{cfg.ProjectionDim, cfg.EmbedDim} {
		if t.Dim <= 0 {
			t.Dim = n
		}
	}
	if t.Dim <= 0 {
		return fmt.Errorf("neither %s nor config.json tells the length of its vectors", t.Path)
	}
	return nil
}

// String describes the folder in a few lines.
func (f *Folder) String() string {
	var b strings.Builder
	switch {
	case f.Layout == "":
		fmt.Fprintf(&b, "%s: not a model that can be used\n", f.Dir)
	case f.Text == nil && f.Image == nil:
		fmt.Fprintf(&b, "%s: %s, unusable\n", f.Dir, f.Layout)
	default:
		fmt.Fprintf(&b, "%s: %s, %d dimensions\n", f.Dir, f.Layout, f.Dim)
	}
	for _, t := range []struct {
		name string
		*Tower
	}{{"texts", f.Text}, {"pictures", f.Image}} {
		if t.Tower == nil {
			fmt.Fprintf(&b, "  %-9s no\n", t.name)
			continue
		}
		rel, err := filepath.Rel(f.Dir, t.Path)
		if err != nil {
			rel = t.Path
		}
		fmt.Fprintf(&b, "  %-9s %s (%.1f MB)\n", t.name, rel, float64(t.Size)/1e6)
		for _, v := range t.Graph.Inputs {
			fmt.Fprintf(&b, "            in  %v\n", v)
		}
		for _, v := range t.Graph.Outputs {
			if v.Name == t.Output {
				fmt.Fprintf(&b, "            out %v\n", v)
			}
		}
	}
	if len(f.Variants) > 1 {
		fmt.Fprintf(&b, "  variants  %s\n", variantNames(f.Variants))
	}
	for _, t := range f.Told {
		fmt.Fprintf(&b, "  told      %s\n", t)
	}
	if f.integers() {
		fmt.Fprintf(&b, "  note      it works in 8 bits, and processors of different kinds give vectors that differ by some percent: fill and ask a column on one kind (this is %s)\n", processor())
	}
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "  problem   %s\n", p)
	}
	return b.String()
}
