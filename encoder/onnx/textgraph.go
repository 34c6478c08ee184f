package onnx

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/encoder/tokenizer"
)

// textInput returns the index of the input for token ids, or -1.
func textInput(g *Graph) int {
	return slices.IndexFunc(g.Inputs, func(v Value) bool {
		return (v.Name == "input_ids" || v.Name == "text" || v.Name == "tokens" || v.Name == "input") &&
			(v.Type == Int64 || v.Type == Int32) && len(v.Dims) == 2
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
		return fmt.Errorf("there is no tokenizer for %s: tokenizer.json, vocab.txt, a model of SentencePiece (tokenizer.model, sentencepiece.bpe.model, spiece.model), or vocab.json and merges.txt, is missing in %s", t.Path, strings.Join(c.configs, " and "))
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
		return fmt.Errorf("%s takes texts of %d tokens, too few for its start and end tokens", t.Path, n)
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
