package onnx

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder/clip"
)

// pixelInput returns the index of the input for pictures, or -1.
func pixelInput(g *Graph) int {
	return slices.IndexFunc(g.Inputs, func(v Value) bool {
		return (v.Type == Float32 || v.Type == Float16) && len(v.Dims) == 4
	})
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
		return fmt.Errorf("how to prepare pictures for %s is not specified: preprocessor_config.json (or preprocess_cfg.json) is missing in %s", t.Path, strings.Join(c.configs, " and "))
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
