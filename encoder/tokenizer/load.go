package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Is reports whether the model directory dir has a tokenizer of one of the kinds that
// Load reads. CLIP's, which package clip reads, is none of them.
func Is(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		_, err := os.Stat(filepath.Join(dir, vocabFile))
		return err == nil || pieceFile(dir) != ""
	}
	var f struct {
		Model struct {
			Type   string  `json:"type"`
			Suffix *string `json:"end_of_word_suffix"`
		} `json:"model"`
	}
	if json.Unmarshal(b, &f) != nil {
		return false
	}
	switch f.Model.Type {
	case "Unigram", "WordPiece":
		return true
	case "BPE":
		return f.Model.Suffix == nil || *f.Model.Suffix != clipSuffix
	}
	return false
}

// Type returns the type of the model of a directory's tokenizer: Unigram, BPE,
// WordPiece; "" where that can't be read.
func Type(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return pieceType(dir)
	}
	var f struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if json.Unmarshal(b, &f) != nil {
		return ""
	}
	return f.Model.Type
}

// pieceType is Type of a directory without tokenizer.json.
func pieceType(dir string) string {
	name := pieceFile(dir)
	if name == "" {
		return ""
	}
	b, err := readModelFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	f, err := readPieces(b)
	switch {
	case err != nil:
		return ""
	case f.kind == modelBPE:
		return "BPE"
	}
	return "Unigram"
}

// clipSuffix ends the words of CLIP's vocabulary.
const clipSuffix = "</w>"

// vocabFile is BERT's vocabulary in directories without tokenizer.json.
const vocabFile = "vocab.txt"

// Files returns the paths of the files in dir that Load would read, in a fixed
// order: all that the token ids depend on.
func Files(dir string) []string {
	var out []string
	add := func(name string) bool {
		path := filepath.Join(dir, name)
		_, err := os.Stat(path)
		if err == nil {
			out = append(out, path)
		}
		return err == nil
	}
	if !add("tokenizer.json") && !add(vocabFile) {
		if name := pieceFile(dir); name != "" {
			add(name)
			add("special_tokens_map.json")
		}
	}
	add("tokenizer_config.json")
	return out
}

// Load reads tokenizer.json of a model directory, or else vocab.txt or a model of SentencePiece
// (tokenizer.model, sentencepiece.bpe.model, spiece.model), and the maximum
// length and the token to pad with from tokenizer_config.json if that is there. An
// error names the part of the file that is not supported.
func Load(dir string) (*Tokenizer, error) {
	cfg := filepath.Join(dir, "tokenizer_config.json")
	c, err := os.ReadFile(cfg)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	path := filepath.Join(dir, "tokenizer.json")
	b, err := os.ReadFile(path)
	var t *Tokenizer
	if errors.Is(err, fs.ErrNotExist) {
		vocab := filepath.Join(dir, vocabFile)
		if b, verr := os.ReadFile(vocab); verr == nil {
			path = vocab
			t, err = parseVocab(b, c)
		} else if name := pieceFile(dir); name != "" {
			path = filepath.Join(dir, name)
			t, err = loadPieces(dir, name, c)
		}
	} else if err == nil {
		t, err = parse(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c != nil {
		if err := t.configure(c); err != nil {
			return nil, fmt.Errorf("%s: %w", cfg, err)
		}
	}
	t.nameLanguages()
	return t, nil
}

func loadPieces(dir, name string, config []byte) (*Tokenizer, error) {
	b, err := readModelFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	special, err := os.ReadFile(filepath.Join(dir, "special_tokens_map.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return parsePieces(name, b, config, special)
}

// spec is the part of tokenizer.json that matters.
type spec struct {
	AddedTokens []struct {
		ID         int64  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		Left       bool   `json:"lstrip"`
		Right      bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer    *stage `json:"normalizer"`
	PreTokenizer  *stage `json:"pre_tokenizer"`
	PostProcessor *post  `json:"post_processor"`
	Padding       *struct {
		ID int64 `json:"pad_id"`
	} `json:"padding"`
	Model modelSpec `json:"model"`
}

// modelSpec is the vocabulary, whose fields depend on the type.
type modelSpec struct {
	Type         string          `json:"type"`
	Vocab        json.RawMessage `json:"vocab"`
	UnkID        *int            `json:"unk_id"`    // Unigram
	Unk          *string         `json:"unk_token"` // BPE, WordPiece
	ByteFallback bool            `json:"byte_fallback"`
	Merges       []mergePair     `json:"merges"`
	Dropout      *float64        `json:"dropout"`
	FuseUnk      bool            `json:"fuse_unk"`
	IgnoreMerges bool            `json:"ignore_merges"`
	Prefix       *string         `json:"continuing_subword_prefix"`
	Suffix       *string         `json:"end_of_word_suffix"`
	MaxChars     *int            `json:"max_input_chars_per_word"`
}

// mergePair is a merge, written "left right" or ["left", "right"].
type mergePair [2]string

func (m *mergePair) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[2]string)(m))
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var ok bool
	if m[0], m[1], ok = strings.Cut(s, " "); !ok {
		return fmt.Errorf("the merge %q is not two tokens", s)
	}
	return nil
}

// entry is a piece with its score, written [piece, score].
type entry struct {
	piece string
	score float64
}

func (e *entry) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[2]any{&e.piece, &e.score})
}

// stage is a normalizer or pre-tokenizer, or a sequence of them.
type stage struct {
	Type          string  `json:"type"`
	Normalizers   []stage `json:"normalizers"`
	Pretokenizers []stage `json:"pretokenizers"`

	Pattern struct {
		String string `json:"String"`
		Regex  string `json:"Regex"`
	} `json:"pattern"`
	Content  string  `json:"content"`
	Prepend  string  `json:"prepend"`
	Left     bool    `json:"strip_left"`
	Right    bool    `json:"strip_right"`
	Charsmap *string `json:"precompiled_charsmap"`

	Clean     *bool `json:"clean_text"` // of BertNormalizer
	Chinese   *bool `json:"handle_chinese_chars"`
	Accents   *bool `json:"strip_accents"`
	LowerCase *bool `json:"lowercase"`

	Behaviour  string `json:"behavior"` // of Split and Punctuation
	Invert     bool   `json:"invert"`
	Individual bool   `json:"individual_digits"`
	UseRegex   *bool  `json:"use_regex"` // of ByteLevel

	Replacement string `json:"replacement"`
	Scheme      string `json:"prepend_scheme"`
	PrefixSpace *bool  `json:"add_prefix_space"`
	Split       *bool  `json:"split"`
}

// post is what is put around a text.
type post struct {
	Type   string `json:"type"`
	Single []struct {
		Special *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
		Sequence *struct{} `json:"Sequence"`
	} `json:"single"`
	Specials map[string]struct {
		IDs []int64 `json:"ids"`
	} `json:"special_tokens"`
	Processors []post    `json:"processors"`
	Cls        *namedEnd `json:"cls"` // of BertProcessing and RobertaProcessing
	Sep        *namedEnd `json:"sep"`
}

// namedEnd is a token with its id, written [token, id].
type namedEnd struct{ id int64 }

func (e *namedEnd) UnmarshalJSON(b []byte) error {
	var name string
	return json.Unmarshal(b, &[2]any{&name, &e.id})
}

func parse(b []byte) (*Tokenizer, error) {
	var s spec
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	m, err := s.Model.read()
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{model: m, normalize: []step{valid}}
	for _, a := range s.AddedTokens {
		switch {
		case a.Content == "":
			return nil, errors.New("an added token is empty")
		case a.SingleWord:
			return nil, fmt.Errorf("the added token %q is one of single_word, which is not supported", a.Content)
		}
		t.added = append(t.added, addedToken{a.Content, a.Content, a.ID, a.Normalized, a.Left, a.Right})
	}
	if err := t.normalizer(s.Normalizer); err != nil {
		return nil, err
	}
	// Added tokens that are normalised are looked for in their normalised form.
	for i := range t.added {
		if a := &t.added[i]; a.normalized {
			for _, f := range t.normalize {
				a.content = f(a.content)
			}
			if a.content == "" { // nothing can equal it
				a.content = "\xff"
			}
		}
	}
	if err := t.preTokenizer(s.PreTokenizer); err != nil {
		return nil, err
	}
	if s.Padding != nil {
		t.pad = s.Padding.ID
	}
	return t, t.around(s.PostProcessor)
}

// read makes the vocabulary.
func (m *modelSpec) read() (model, error) {
	switch m.Type {
	case "Unigram":
		return m.unigram()
	case "BPE", "WordPiece":
	case "":
		return nil, errors.New("the model has no type")
	default:
		return nil, fmt.Errorf("the model is of type %q (Unigram, BPE and WordPiece are read)", m.Type)
	}
	var ids map[string]int64
	if err := json.Unmarshal(m.Vocab, &ids); err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	if len(ids) == 0 {
		return nil, errors.New("the vocabulary is empty")
	}
	for token, id := range ids {
		if id < 0 {
			return nil, fmt.Errorf("the token %q has the number %d", token, id)
		}
	}
	unk, known := int64(-1), false
	if m.Unk != nil {
		if unk, known = ids[*m.Unk]; !known {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *m.Unk)
		}
	}
	if m.Type == "WordPiece" {
		if !known {
			return nil, errors.New("the vocabulary has no unk_token")
		}
		prefix, limit := wordPiecePrefix, wordPieceMax
		if m.Prefix != nil {
			prefix = *m.Prefix
		}
		if m.MaxChars != nil {
			limit = *m.MaxChars
		}
		return newWordPiece(ids, unk, prefix, limit), nil
	}
	if m.Dropout != nil && *m.Dropout > 0 {
		return nil, errDropout
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	merges := make([][2]string, len(m.Merges))
	for i, p := range m.Merges {
		merges[i] = p
	}
	b, err := newBPE(ids, merges, text(m.Prefix), text(m.Suffix))
	if err != nil {
		return nil, err
	}
	if known {
		b.unk = unk
	}
	b.fuse, b.whole = m.FuseUnk, m.IgnoreMerges
	if m.ByteFallback {
		if b.bytes, err = spelling(b.find); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (m *modelSpec) unigram() (model, error) {
	var vocab []entry
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	if len(vocab) == 0 {
		return nil, errors.New("the vocabulary is empty")
	}
	if m.UnkID == nil || *m.UnkID < 0 || *m.UnkID >= len(vocab) {
		return nil, errors.New("unk_id is not the number of a piece")
	}
	texts, scores := make([]string, len(vocab)), make([]float64, len(vocab))
	for i, e := range vocab {
		texts[i], scores[i] = e.piece, e.score
	}
	p := newPieces(texts, scores, *m.UnkID)
	if m.ByteFallback {
		var err error
		if p.bytes, err = spelling(p.find); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// configure reads tokenizer_config.json.
func (t *Tokenizer) configure(b []byte) error {
	var c struct {
		MaxLength json.Number `json:"model_max_length"` // 1e30 where unknown
		Pad       tokenName   `json:"pad_token"`
		Class     string      `json:"tokenizer_class"`
		Begins    *bool       `json:"add_bos_token"`
		Ends      *bool       `json:"add_eos_token"`
		Begin     tokenName   `json:"bos_token"`
		End       tokenName   `json:"eos_token"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	if n, err := c.MaxLength.Int64(); err == nil && n >= 1 && n <= 1<<16 {
		t.max = int(n)
	}
	if c.Pad != "" {
		if id, ok := t.id(string(c.Pad)); ok {
			t.pad = id
		}
	}
	// The tokenizers of Llama and Gemma put these around a text whatever tokenizer.json says.
	if kind := strings.TrimSuffix(c.Class, "Fast"); kind == "GemmaTokenizer" || kind == "LlamaTokenizer" {
		for _, end := range []struct {
			on   *bool
			name tokenName
			to   *[]int64
		}{{c.Begins, c.Begin, &t.before}, {c.Ends, c.End, &t.after}} {
			switch id, ok := t.id(string(end.name)); {
			case end.on == nil:
			case !*end.on:
				*end.to = nil
			case !ok:
				return fmt.Errorf("the token %q, which is to stand around texts, is not in the vocabulary", end.name)
			default:
				*end.to = []int64{id}
			}
		}
	}
	return nil
}

// tokenName is a token, written as a string or as an object that has it as content.
type tokenName string

func (n *tokenName) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*n = tokenName(s)
		return nil
	}
	var o struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(b, &o) == nil {
		*n = tokenName(o.Content)
	}
	return nil
}
