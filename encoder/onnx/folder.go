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
//   - Single towers, as Qdrant publishes them: model.onnx with its tokenizer or
//     preprocessor. Of two folders NAME-text and NAME-vision side by side, either
//     opens both.
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

	width, height int // fixed size of pictures; 0 when any
}

// batch returns the fixed size of batches, or 0.
func (t *Tower) batch() int { return int(max(0, t.Graph.Inputs[0].size(0))) }

// modelConfig is the part of config.json that matters.
type modelConfig struct {
	ModelType     string `json:"model_type"`
	ProjectionDim int    `json:"projection_dim"`
	EmbedDim      int    `json:"embed_dim"` // open_clip
	TextConfig    struct {
		MaxPositions int    `json:"max_position_embeddings"`
		HiddenSize   int    `json:"hidden_size"`
		PadToken     *int64 `json:"pad_token_id"`
	} `json:"text_config"`
	TextCfg struct { // open_clip
		ContextLength int    `json:"context_length"`
		Tokenizer     string `json:"hf_tokenizer_name"`
		Kwargs        struct {
			Clean string `json:"clean"`
		} `json:"tokenizer_kwargs"`
	} `json:"text_cfg"`
	HiddenSize   int `json:"hidden_size"` // of text models
	MaxPositions int `json:"max_position_embeddings"`
}

// candidate is a graph file that may be a tower.
type candidate struct {
	path, variant string
	configs       []string // folders to look for a tokenizer or preprocessor in
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
	text, image := f.find(dir)
	if len(text)+len(image) == 0 {
		f.Problems = append(f.Problems, f.noGraphs())
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
	text, image = f.single(dir)
	if len(text)+len(image) == 0 {
		return nil, nil
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
				f.problem("%s holds both towers in one graph; text_model.onnx and vision_model.onnx of their own are needed", c.path)
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

// graphs returns stem.onnx and its variants stem_NAME.onnx in dir.
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
		variant, ok := strings.CutPrefix(name, stem)
		if !ok || variant != "" && variant[0] != '_' {
			continue
		}
		out = append(out, candidate{filepath.Join(dir, e.Name()), strings.TrimPrefix(variant, "_"), slices.Compact([]string{dir, top})})
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return preference(a.variant) - preference(b.variant) })
	return out
}

// preference ranks variants by the quality of their vectors.
func preference(variant string) int {
	for i, v := range []string{"", "fp16", "quantized", "int8"} {
		if v == variant {
			return i
		}
	}
	return 4
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
	t := &Tower{Path: c.path, Graph: g}
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
	for _, v := range g.Inputs[1:] {
		if v.Name != "attention_mask" && v.Name != "token_type_ids" || v.Type != Int64 && v.Type != Int32 {
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
	cfg := f.config(c)
	siglip := strings.HasPrefix(cfg.ModelType, "siglip")
	t.MaxTokens = clip.DefaultMaxLength
	switch n := g.Inputs[0].size(1); {
	case n == 0 || n == 1:
		return fmt.Errorf("%s takes texts of %d tokens, too few for the two ends", t.Path, n)
	case n > 0:
		t.MaxTokens, t.Pad = int(n), true
	case cfg.TextConfig.MaxPositions > 1:
		t.MaxTokens = cfg.TextConfig.MaxPositions
	case cfg.TextCfg.ContextLength > 1:
		t.MaxTokens = cfg.TextCfg.ContextLength
	case siglip: // whose config.json leaves out what is the default
		t.MaxTokens = siglipMaxTokens
	case cfg.MaxPositions > 1:
		t.MaxTokens = cfg.MaxPositions
	}
	if n, err := c.maxSequence(); err != nil {
		return err
	} else if n > 1 && !t.Pad {
		t.MaxTokens = min(t.MaxTokens, n)
	}
	t.siglip2 = cfg.ModelType == "siglip2" || siglip && tokenizer.Type(t.Config) == "BPE"
	switch how := cfg.TextCfg.Kwargs.Clean; how {
	case cleanWhitespace, cleanLower, cleanCanonicalize:
		t.Clean = how
	case "", "none":
	default:
		return fmt.Errorf("config.json says that texts are cleaned by %q, which is not known (whitespace, lower and canonicalize are)", how)
	}
	// SigLIP was trained on texts filled up to its maximum and masks nothing.
	t.Pad = t.Pad || siglip
	if pool, err := c.pooling(); err != nil {
		return err
	} else if pool != "" {
		return t.pickPooled(cfg, pool)
	}
	return t.pickOutput(cfg, "text_embeds", "embedding", "pooler_output", "text_features", "sentence_embedding")
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
		break
	}
	if pre == nil {
		return fmt.Errorf("how to prepare pictures for %s is not told: preprocessor_config.json (or preprocess_cfg.json) is missing in %s", t.Path, strings.Join(c.configs, " and "))
	}
	w, h := pre.Size()
	if (in.size(2) > 0 && in.size(2) != int64(h)) || (in.size(3) > 0 && in.size(3) != int64(w)) {
		return fmt.Errorf("%s takes pictures of %v x %v but %s makes them %d x %d", t.Path, in.Dims[3], in.Dims[2], clip.PreprocessorFile(t.Config), w, h)
	}
	t.width, t.height = w, h
	return t.pickOutput(f.config(c), "image_embeds", "embedding", "pooler_output", "image_features", "sentence_embedding")
}

// config reads config.json beside a graph's other files; zero if there is none.
func (f *Folder) config(c *candidate) (cfg modelConfig) {
	for _, dir := range c.configs {
		b, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err == nil && json.Unmarshal(b, &cfg) == nil {
			return cfg
		}
		var open struct { // open_clip_config.json
			Model modelConfig `json:"model_cfg"`
		}
		b, err = os.ReadFile(filepath.Join(dir, "open_clip_config.json"))
		if err == nil && json.Unmarshal(b, &open) == nil {
			return open.Model
		}
	}
	return modelConfig{}
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
// text's tokens, "" for other models.
func (c *candidate) pooling() (string, error) {
	b, err := c.read("modules.json")
	if b == nil || err != nil {
		return "", err
	}
	var modules []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(b, &modules); err != nil {
		return "", fmt.Errorf("modules.json: %w", err)
	}
	pool := ""
	for _, m := range modules {
		switch kind := m.Type[strings.LastIndex(m.Type, ".")+1:]; kind {
		case "Transformer", "Normalize":
		case "Pooling":
			if pool, err = c.poolingMode(m.Path + "/config.json"); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("modules.json names a step %q after the graph, which is not supported (Pooling and Normalize are)", kind)
		}
	}
	return pool, nil
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
	switch {
	case slices.Equal(on, []string{"mean_tokens"}):
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
	if out < 0 && len(matrices) == 1 {
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
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "  problem   %s\n", p)
	}
	return b.String()
}
