package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parseVocab makes BERT's tokenizer from its vocabulary, one token a line, and
// tokenizer_config.json, which may be missing.
func parseVocab(vocab, config []byte) (*Tokenizer, error) {
	var c struct {
		LowerCase *bool `json:"do_lower_case"`
		Chinese   *bool `json:"tokenize_chinese_chars"`
		Accents   *bool `json:"strip_accents"`
	}
	if config != nil {
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	ids := map[string]int64{}
	lines := strings.Split(strings.TrimSuffix(string(vocab), "\n"), "\n")
	for i, line := range lines {
		ids[strings.TrimSuffix(line, "\r")] = int64(i) // of equal lines the last counts
	}
	for _, name := range []string{"[UNK]", "[CLS]", "[SEP]"} {
		if _, ok := ids[name]; !ok {
			return nil, errors.New("the vocabulary has no " + name + ", as BERT's have")
		}
	}
	t := &Tokenizer{
		model:  newWordPiece(ids, ids["[UNK]"], wordPiecePrefix, wordPieceMax),
		cut:    []cutter{bertCut},
		before: []int64{ids["[CLS]"]},
		after:  []int64{ids["[SEP]"]},
		pad:    ids["[PAD]"],
	}
	for _, name := range []string{"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"} {
		if id, ok := ids[name]; ok {
			t.added = append(t.added, addedToken{name: name, content: name, id: id})
		}
	}
	on := func(b *bool) bool { return b == nil || *b }
	accents := on(c.LowerCase)
	if c.Accents != nil {
		accents = *c.Accents
	}
	t.normalize = []step{valid, bertNormalizer(true, on(c.Chinese), accents, on(c.LowerCase))}
	return t, nil
}
