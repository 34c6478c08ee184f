package unigram

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Is reports whether the tokenizer.json of a model folder is of this kind.
func Is(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return false
	}
	var f struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	return json.Unmarshal(b, &f) == nil && f.Model.Type == "Unigram"
}

// Load reads tokenizer.json of a model folder, and the maximum length and the
// token to pad with from tokenizer_config.json if that is there. An error names
// the part of the file that is not supported.
func Load(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cfg := filepath.Join(dir, "tokenizer_config.json")
	c, err := os.ReadFile(cfg)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	t, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c != nil {
		if err := t.configure(c); err != nil {
			return nil, fmt.Errorf("%s: %w", cfg, err)
		}
	}
	return t, nil
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
	Model struct {
		Type         string  `json:"type"`
		Unk          *int    `json:"unk_id"`
		Vocab        []entry `json:"vocab"`
		ByteFallback bool    `json:"byte_fallback"`
	} `json:"model"`
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
}

func parse(b []byte) (*Tokenizer, error) {
	var s spec
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	m := &s.Model
	if m.Type != "Unigram" {
		return nil, fmt.Errorf("the model is of type %q, not Unigram", m.Type)
	}
	if len(m.Vocab) == 0 {
		return nil, errors.New("the vocabulary is empty")
	}
	if m.Unk == nil || *m.Unk < 0 || *m.Unk >= len(m.Vocab) {
		return nil, errors.New("unk_id is not the number of a piece")
	}
	texts, scores := make([]string, len(m.Vocab)), make([]float64, len(m.Vocab))
	for i, e := range m.Vocab {
		texts[i], scores[i] = e.piece, e.score
	}
	t := &Tokenizer{pieces: newPieces(texts, scores, *m.Unk), normalize: []step{valid}}
	if m.ByteFallback {
		if err := t.pieces.spell(); err != nil {
			return nil, err
		}
	}
	for _, a := range s.AddedTokens {
		switch {
		case a.Content == "":
			return nil, errors.New("an added token is empty")
		case a.SingleWord:
			return nil, fmt.Errorf("the added token %q is one of single_word, which is not supported", a.Content)
		}
		t.added = append(t.added, addedToken{a.Content, a.ID, a.Normalized, a.Left, a.Right})
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

// normalizer adds the steps of a normalizer.
func (t *Tokenizer) normalizer(s *stage) error {
	if s == nil {
		return nil
	}
	add := func(f step) error {
		t.normalize = append(t.normalize, f)
		return nil
	}
	switch s.Type {
	case "Sequence":
		for i := range s.Normalizers {
			if err := t.normalizer(&s.Normalizers[i]); err != nil {
				return err
			}
		}
		return nil
	case "Lowercase":
		return add(lower)
	case "NFC":
		return add(norm.NFC.String)
	case "NFD":
		return add(norm.NFD.String)
	case "NFKC":
		return add(norm.NFKC.String)
	case "NFKD":
		return add(norm.NFKD.String)
	case "StripAccents":
		return add(func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.M, r) {
					return -1
				}
				return r
			}, s)
		})
	case "Strip":
		return add(func(text string) string {
			if s.Left {
				text = strings.TrimLeftFunc(text, unicode.IsSpace)
			}
			if s.Right {
				text = strings.TrimRightFunc(text, unicode.IsSpace)
			}
			return text
		})
	case "Prepend":
		return add(func(text string) string {
			if text == "" {
				return ""
			}
			return s.Prepend + text
		})
	case "Replace":
		if s.Pattern.Regex == "" {
			if s.Pattern.String == "" {
				return errors.New("normalizer Replace has no pattern")
			}
			return add(strings.NewReplacer(s.Pattern.String, s.Content).Replace)
		}
		re, err := compile(s.Pattern.Regex)
		if err != nil {
			return fmt.Errorf("normalizer Replace: %w", err)
		}
		return add(func(text string) string { return re.ReplaceAllLiteralString(text, s.Content) })
	case "Precompiled":
		if s.Charsmap == nil || *s.Charsmap == "" {
			return nil
		}
		m, err := newCharsmap(*s.Charsmap)
		if err != nil {
			return err
		}
		return add(m.normalize)
	}
	return fmt.Errorf("normalizer %q is not supported (Sequence, Lowercase, NFC, NFD, NFKC, NFKD, StripAccents, Strip, Prepend, Replace and Precompiled are)", s.Type)
}

// preTokenizer adds the cutters of a pre-tokenizer.
func (t *Tokenizer) preTokenizer(s *stage) error {
	if s == nil {
		return nil
	}
	switch s.Type {
	case "Sequence":
		for i := range s.Pretokenizers {
			if err := t.preTokenizer(&s.Pretokenizers[i]); err != nil {
				return err
			}
		}
		return nil
	case "WhitespaceSplit":
		t.cut = append(t.cut, whitespaceSplit)
		return nil
	case "Metaspace":
		mark, n := utf8.DecodeRuneInString(s.Replacement)
		if n == 0 || n != len(s.Replacement) {
			return fmt.Errorf("pre_tokenizer Metaspace: the replacement %q is not one character", s.Replacement)
		}
		scheme := s.Scheme
		switch {
		case s.PrefixSpace != nil && !*s.PrefixSpace: // older files have only this
			scheme = "never"
		case scheme == "":
			scheme = "always"
		case scheme != "always" && scheme != "first" && scheme != "never":
			return fmt.Errorf("pre_tokenizer Metaspace: prepend_scheme %q is not supported", scheme)
		}
		t.cut = append(t.cut, metaspace(mark, scheme, s.Split == nil || *s.Split))
		return nil
	}
	return fmt.Errorf("pre_tokenizer %q is not supported (Sequence, WhitespaceSplit and Metaspace are)", s.Type)
}

// around reads the tokens before and after a text.
func (t *Tokenizer) around(p *post) error {
	if p == nil {
		return nil
	}
	if p.Type != "TemplateProcessing" {
		return fmt.Errorf("post_processor %q is not supported (TemplateProcessing is)", p.Type)
	}
	found := false
	for _, part := range p.Single {
		switch {
		case part.Sequence != nil && !found:
			found = true
		case part.Special != nil:
			s, ok := p.Specials[part.Special.ID]
			if !ok {
				return fmt.Errorf("post_processor: %q is not among its special_tokens", part.Special.ID)
			}
			if found {
				t.after = append(t.after, s.IDs...)
			} else {
				t.before = append(t.before, s.IDs...)
			}
		default:
			return errors.New("post_processor: a template for one text is expected")
		}
	}
	if !found {
		return errors.New("post_processor: the template has no place for the text")
	}
	return nil
}

// configure reads tokenizer_config.json.
func (t *Tokenizer) configure(b []byte) error {
	var c struct {
		MaxLength json.Number     `json:"model_max_length"` // 1e30 where unknown
		Pad       json.RawMessage `json:"pad_token"`        // a string, or an object that has it as content
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	if n, err := c.MaxLength.Int64(); err == nil && n >= 1 && n <= 1<<16 {
		t.max = int(n)
	}
	var name string
	if json.Unmarshal(c.Pad, &name) != nil {
		var o struct {
			Content string `json:"content"`
		}
		if json.Unmarshal(c.Pad, &o) == nil {
			name = o.Content
		}
	}
	for _, a := range t.added {
		if a.content == name && name != "" {
			t.pad = a.id
			return nil
		}
	}
	if id, ok := t.pieces.find(name); ok {
		t.pad = id
	}
	return nil
}

// Classes of characters that \s, \d and \w stand for: they mean all of Unicode
// where these patterns come from, and ASCII in Go.
var classes = map[byte]string{
	's': `\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`,
	'd': `\p{Nd}`,
	'w': `\p{L}\p{M}\p{N}\p{Pc}`,
}

// compile translates a pattern of tokenizer.json.
func compile(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	within := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			class, ok := classes[pattern[i]|0x20]
			upper := pattern[i] < 'a'
			switch {
			case ok && within && upper:
				return nil, fmt.Errorf(`the pattern %q is not supported: \%c within [ ]`, pattern, pattern[i])
			case ok && within:
				b.WriteString(class)
			case ok && upper:
				b.WriteString("[^" + class + "]")
			case ok:
				b.WriteString("[" + class + "]")
			default:
				b.WriteString(pattern[i-1 : i+1])
			}
			continue
		case c == '[' && within:
			return nil, fmt.Errorf("the pattern %q is not supported: [ within [ ]", pattern)
		case c == '[':
			within = true
		case c == ']' && within:
			within = false
		}
		b.WriteByte(c)
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("the pattern %q is not supported: %w", pattern, err)
	}
	return re, nil
}
