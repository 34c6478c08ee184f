package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Directory is a model directory looked into: what is there, in which layout, and how
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
//     preprocessor. Of two directories NAME-text and NAME-vision side by side, either
//     opens both.
//   - Several models in one directory, each in one of its own (onnx/s0, onnx/s2 of
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
	Problems []string // what keeps the directory from doing more, in plain words
	Told     []string // which file said what of how texts and pictures are prepared

	// Query and Document are what texts begin with, as config_sentence_transformers.json
	// has it; see encoder.Prompter.
	Query, Document string
}

// Tower is one half of a model.
type Tower struct {
	Path   string // of the .onnx file
	Config string // directory of the tokenizer or preprocessor
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

// Inspect looks into a directory without loading weights. It fails only when dir
// can't be read; what doesn't work is told in Problems.
func Inspect(dir, variant string) (*Folder, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
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

// nested looks for models in directories of their own within dir, one of which the variant
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
		f.Layout = "two directories of one tower each"
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
		if above := filepath.Dir(top); filepath.Base(above) == "onnx" { // onnx/s2 of a directory with several models
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
			return fmt.Errorf("%s refers to weights outside of its directory: %s", t.Path, e)
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

// String describes the directory in a few lines.
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
