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
	configs       []string // directories to look for a tokenizer or preprocessor in
	shared        bool     // both towers are in it
}

// onlyConfig is true of tokenizer_config.json without a vocabulary.
func onlyConfig(files []string) bool {
	return len(files) == 1 && filepath.Base(files[0]) == "tokenizer_config.json"
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
	return "", fmt.Errorf("%s needs a text's vectors pooled by %s; one of mean_tokens, cls_token and lasttoken is supported", name, strings.Join(on, " and "))
}

// tokenizerFiles returns the files that a directory's tokenizer is read from.
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
