package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/encoder/internal/wire"
)

// pieceFiles are the names that models of SentencePiece have in directories without
// tokenizer.json.
var pieceFiles = []string{"tokenizer.model", "sentencepiece.bpe.model", "spiece.model"}

// The largest models have 256,000 pieces in 5 MB.
const (
	maxModelFile = 64 << 20
	maxPieces    = 4 << 20
)

// Kinds of pieces, numbered as in sentencepiece_model.proto.
const (
	pieceNormal  = 1
	pieceUnknown = 2
	pieceControl = 3
	pieceUser    = 4
	pieceUnused  = 5
	pieceByte    = 6
)

// Kinds of models.
const (
	modelUnigram = 1
	modelBPE     = 2
)

// piecesFile is what a model file of SentencePiece says.
type piecesFile struct {
	pieces   []string
	scores   []float64
	kinds    []int
	kind     int  // modelUnigram, modelBPE, ...
	fallback bool // unknown characters are spelled by their bytes
	suffix   bool // spaces are marked behind a word
	charsmap []byte
	dummy    bool // a text begins with a space
	fold     bool // spaces in a row are one, and none are at the ends
	escape   bool // spaces become visible
}

// readPieces reads ModelProto.
func readPieces(b []byte) (*piecesFile, error) {
	f := &piecesFile{kind: modelUnigram, dummy: true, fold: true, escape: true}
	err := wire.Each(b, func(field int, _ uint64, b []byte) error {
		switch field {
		case 1:
			return f.piece(b)
		case 2: // trainer_spec
			return wire.Each(b, func(field int, n uint64, _ []byte) error {
				switch field {
				case 3:
					f.kind = int(n)
				case 24:
					f.suffix = n != 0
				case 35:
					f.fallback = n != 0
				}
				return nil
			})
		case 3: // normalizer_spec
			return wire.Each(b, func(field int, n uint64, b []byte) error {
				switch field {
				case 2:
					f.charsmap = b
				case 3:
					f.dummy = n != 0
				case 4:
					f.fold = n != 0
				case 5:
					f.escape = n != 0
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("not a model of SentencePiece, or damaged: %w", err)
	}
	if len(f.pieces) == 0 {
		return nil, errors.New("not a model of SentencePiece: it has no pieces")
	}
	return f, nil
}

func (f *piecesFile) piece(b []byte) error {
	text, score, kind := "", float32(0), uint64(pieceNormal)
	err := wire.Each(b, func(field int, n uint64, b []byte) error {
		switch field {
		case 1:
			text = string(b)
		case 2:
			score = math.Float32frombits(uint32(n))
		case 3:
			kind = n
		}
		return nil
	})
	switch n := len(f.pieces); {
	case err != nil:
		return err
	case text == "":
		return fmt.Errorf("piece %d is empty", n)
	case score != score || math.IsInf(float64(score), 0):
		return fmt.Errorf("piece %d, %q, has the score %v", n, text, score)
	case kind < pieceNormal || kind > pieceByte:
		return fmt.Errorf("piece %d, %q, is of kind %d, which is not known", n, text, kind)
	case n == maxPieces:
		return fmt.Errorf("more than %d pieces", n)
	}
	f.pieces, f.scores, f.kinds = append(f.pieces, text), append(f.scores, float64(score)), append(f.kinds, int(kind))
	return nil
}

// vocabulary is what pieces have in common whatever the model: each text is one piece.
type vocabulary struct {
	ids    map[string]int64
	unk    int64
	bytes  *[256]int64
	user   []string // in byte order; they are never cut
	kinds  []int
	scores []float64
}

func (f *piecesFile) vocabulary() (*vocabulary, error) {
	v := &vocabulary{ids: make(map[string]int64, len(f.pieces)), unk: -1, kinds: f.kinds, scores: f.scores}
	for i, text := range f.pieces {
		if _, ok := v.ids[text]; ok {
			return nil, fmt.Errorf("the piece %q is given twice", text)
		}
		v.ids[text] = int64(i)
		switch f.kinds[i] {
		case pieceUnknown:
			if v.unk >= 0 {
				return nil, errors.New("two pieces stand for what is unknown")
			}
			v.unk = int64(i)
		case pieceUser:
			v.user = append(v.user, text)
		}
	}
	if v.unk < 0 {
		return nil, errors.New("no piece stands for what is unknown")
	}
	sort.Strings(v.user)
	if f.fallback {
		var err error
		v.bytes, err = spelling(func(s string) (int64, bool) {
			id, ok := v.ids[s]
			return id, ok && f.kinds[id] == pieceByte
		})
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// symbol returns the length of what a text begins with: a piece that the user defined, the
// longest, or else a character.
func (v *vocabulary) symbol(s string) (n int, user bool) {
	lo, hi := 0, len(v.user)
	for depth := 0; depth < len(s) && lo < hi; depth++ {
		// All of user[lo:hi] begin with s[:depth] and are longer.
		c := s[depth]
		lo += sort.Search(hi-lo, func(i int) bool { return v.user[lo+i][depth] >= c })
		hi = lo + sort.Search(hi-lo, func(i int) bool { return v.user[lo+i][depth] > c })
		if lo < hi && len(v.user[lo]) == depth+1 {
			n, user = depth+1, true
			lo++
		}
	}
	if !user {
		_, n = utf8.DecodeRuneInString(s)
	}
	return n, user
}

// normalizer prepares a text as SentencePiece does. It differs from what tokenizer.json says
// of the same model in small things: replacements are the longest there are, and not those of
// whole user-perceived characters.
func (f *piecesFile) normalizer(v *vocabulary) (step, error) {
	var m *charsmap
	if len(f.charsmap) > 0 {
		var err error
		if m, err = parseCharsmap(f.charsmap); err != nil {
			return nil, err
		}
	}
	next := func(s string) (to string, n int) {
		if n, user := v.symbol(s); user {
			return s[:n], n
		}
		if m != nil {
			if to, n := m.longest(s); n > 0 {
				return to, n
			}
		}
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			return string(utf8.RuneError), 1
		}
		return s[:n], n
	}
	space := " "
	if f.escape {
		space = "\u2581"
	}
	return func(s string) string {
		for f.fold && s != "" {
			to, n := next(s)
			if to != " " {
				break
			}
			s = s[n:]
		}
		if s == "" {
			return ""
		}
		var b strings.Builder
		b.Grow(len(s) + 16)
		if f.dummy && !f.suffix {
			b.WriteString(space)
		}
		for after := f.fold; s != ""; { // after a space
			to, n := next(s)
			s = s[n:]
			if after {
				to = strings.TrimLeft(to, " ")
			}
			if to != "" {
				if f.escape {
					b.WriteString(strings.ReplaceAll(to, " ", space))
				} else {
					b.WriteString(to)
				}
				after = f.fold && strings.HasSuffix(to, " ")
			}
		}
		out := b.String()
		if f.fold {
			for strings.HasSuffix(out, space) {
				out = strings.TrimSuffix(out, space)
			}
		}
		if f.dummy && f.suffix {
			out += space
		}
		return out
	}, nil
}

// model makes the vocabulary's model.
func (f *piecesFile) model(v *vocabulary) (model, error) {
	switch f.kind {
	case modelUnigram:
		return f.unigram(v), nil
	case modelBPE:
		return &pairing{v, longest(f.pieces)}, nil
	}
	return nil, fmt.Errorf("the model is of kind %d (Unigram, %d, and BPE, %d, are read)", f.kind, modelUnigram, modelBPE)
}

// unigram makes the pieces that texts are cut into, with the scores that SentencePiece
// counts by: those the user defined are always better than what they could be cut into.
func (f *piecesFile) unigram(v *vocabulary) model {
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i, kind := range f.kinds {
		if kind == pieceNormal {
			lowest, highest = min(lowest, f.scores[i]), max(highest, f.scores[i])
		}
	}
	if math.IsInf(lowest, 0) {
		lowest, highest = 0, 0
	}
	p := &pieces{unk: v.unk, worst: float64(float32(lowest) - unknownPenalty), bytes: v.bytes, narrow: true, all: v.ids}
	for i, text := range f.pieces {
		if k := f.kinds[i]; k == pieceNormal || k == pieceUser {
			p.sorted = append(p.sorted, text)
		}
	}
	sort.Strings(p.sorted)
	for _, text := range p.sorted {
		id := v.ids[text]
		score := f.scores[id]
		if f.kinds[id] == pieceUser {
			score = float64(float64(len(text))*highest) - 0.1
		}
		p.ids, p.scores = append(p.ids, id), append(p.scores, score)
	}
	p.index()
	return p
}

func longest(list []string) (n int) {
	for _, s := range list {
		n = max(n, len(s))
	}
	return n
}

// wrapper is what a class of tokenizers of Hugging Face's transformers puts around a model
// of SentencePiece.
type wrapper struct {
	before, after []string
	pad           string
	fairseq       bool // ids are those of fairseq: <s>, <pad>, </s>, <unk>, and pieces one later
	canonical     bool // punctuation is taken out before
	languages     bool // a token of the language stands before a text
}

// wrappers are those that models with texts have, by the name of the class without Fast.
var wrappers = map[string]wrapper{
	"GemmaTokenizer":      {before: []string{"<bos>"}, pad: "<pad>"},
	"LlamaTokenizer":      {before: []string{"<s>"}, pad: "<unk>"},
	"T5Tokenizer":         {after: []string{"</s>"}, pad: "<pad>"},
	"SiglipTokenizer":     {after: []string{"</s>"}, pad: "</s>", canonical: true},
	"XLMRobertaTokenizer": {before: []string{"<s>"}, after: []string{"</s>"}, pad: "<pad>", fairseq: true},
	"NllbTokenizer":       {after: []string{"</s>"}, pad: "<pad>", fairseq: true, languages: true},
}

// wrapping are the parts of tokenizer_config.json and special_tokens_map.json that matter.
type wrapping struct {
	Class      string      `json:"tokenizer_class"`
	Source     string      `json:"src_lang"`
	Legacy     bool        `json:"legacy_behaviour"`
	Additional []tokenName `json:"additional_special_tokens"`
	Added      map[string]struct {
		Content string `json:"content"`
		Left    bool   `json:"lstrip"`
		Right   bool   `json:"rstrip"`
	} `json:"added_tokens_decoder"`
}

// bare makes a tokenizer with nothing around texts.
func (f *piecesFile) bare() (*Tokenizer, error) {
	v, err := f.vocabulary()
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{}
	if t.model, err = f.model(v); err != nil {
		return nil, err
	}
	normalize, err := f.normalizer(v)
	if err != nil {
		return nil, err
	}
	t.normalize = []step{normalize}
	return t, nil
}

// parsePieces makes a tokenizer of a model of SentencePiece and what tokenizer_config.json
// and special_tokens_map.json, which may be missing, say of it.
func parsePieces(name string, b, config, special []byte) (*Tokenizer, error) {
	var c, more wrapping
	if config != nil {
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	if special != nil {
		if err := json.Unmarshal(special, &more); err != nil {
			return nil, fmt.Errorf("special_tokens_map.json: %w", err)
		}
	}
	if c.Class == "" && name == "sentencepiece.bpe.model" {
		c.Class = "XLMRobertaTokenizer" // only it and nllb's have the name
		if c.Source != "" {
			c.Class = "NllbTokenizer"
		}
	}
	w, ok := wrappers[strings.TrimSuffix(c.Class, "Fast")]
	switch {
	case c.Class == "":
		return nil, errors.New("nothing says what stands around texts: tokenizer.json, or tokenizer_config.json with its tokenizer_class, is missing beside it")
	case !ok:
		return nil, fmt.Errorf("tokenizer_config.json names the class %s, of which tokenizer.json is needed (without it Gemma, Llama, Nllb, Siglip, T5 and XLMRoberta are read)", c.Class)
	}
	f, err := readPieces(b)
	if err != nil {
		return nil, err
	}
	t, err := f.bare()
	if err != nil {
		return nil, err
	}
	if w.canonical {
		t.normalize = slices.Insert(t.normalize, 0, withoutPunctuation)
	}
	if w.fairseq {
		if t.model, err = newFairseq(t.model); err != nil {
			return nil, err
		}
		if len(c.Added) == 0 { // the tokens that fairseq puts behind the pieces, in their order
			extra := slices.Concat(c.Additional, more.Additional)
			extra = append(slices.DeleteFunc(extra, func(n tokenName) bool { return n == "<mask>" || n == "" }), "<mask>")
			next := int64(len(f.pieces)) + 1
			for _, n := range extra {
				if !slices.ContainsFunc(t.added, func(a addedToken) bool { return a.name == string(n) }) {
					t.added = append(t.added, addedToken{name: string(n), content: string(n), id: next})
					next++
				}
			}
		}
	}
	for key, a := range c.Added {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 || a.Content == "" {
			return nil, fmt.Errorf("tokenizer_config.json: added_tokens_decoder has the token %q with the number %q", a.Content, key)
		}
		t.added = append(t.added, addedToken{name: a.Content, content: a.Content, id: id, left: a.Left, right: a.Right})
	}
	sort.Slice(t.added, func(i, j int) bool { return t.added[i].id < t.added[j].id })
	for _, side := range []struct {
		names []string
		to    *[]int64
	}{{w.before, &t.before}, {w.after, &t.after}} {
		for _, n := range side.names {
			id, ok := t.id(n)
			if !ok {
				return nil, fmt.Errorf("it has no piece %q, which %s puts around texts", n, c.Class)
			}
			*side.to = append(*side.to, id)
		}
	}
	if id, ok := t.id(w.pad); ok {
		t.pad = id
	}
	if w.languages {
		lang := c.Source
		if lang == "" {
			lang = "eng_Latn"
		}
		id, ok := t.id(lang)
		if !ok {
			return nil, fmt.Errorf("the language %q, with which texts begin, is not among the added tokens: tokenizer.json, or special_tokens_map.json, is missing beside it", lang)
		}
		if c.Legacy {
			t.after = append(t.after, id)
		} else {
			t.before = append(t.before, id)
		}
	}
	return t, nil
}

// withoutPunctuation is what SigLIP's tokenizer does to texts before.
func withoutPunctuation(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// fairseq numbers the pieces of a model as fairseq does.
type fairseq struct{ model }

func newFairseq(m model) (model, error) {
	for i, name := range []string{"<unk>", "<s>", "</s>"} {
		if id, ok := m.find(name); !ok || id != int64(i) {
			return nil, fmt.Errorf("its piece %d is not %q, as in the models that XLM-R and nllb have", i, name)
		}
	}
	return fairseq{m}, nil
}

// fairseqIDs are those of the first pieces: <unk>, <s>, </s>.
var fairseqIDs = [3]int64{3, 0, 2}

func (f fairseq) number(id int64) int64 {
	if id < 3 {
		return fairseqIDs[id]
	}
	return id + 1
}

func (f fairseq) append(dst []int64, word string) []int64 {
	from := len(dst)
	dst = f.model.append(dst, word)
	for i := from; i < len(dst); i++ {
		dst[i] = f.number(dst[i])
	}
	return dst
}

func (f fairseq) find(token string) (int64, bool) {
	if token == "<pad>" {
		return 1, true
	}
	id, ok := f.model.find(token)
	return f.number(id), ok
}

// readModelFile reads a model of SentencePiece, which is never large.
func readModelFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxModelFile+1))
	if err == nil && len(b) > maxModelFile {
		err = fmt.Errorf("%d MB, more than any model of SentencePiece has", len(b)>>20)
	}
	if strings.HasPrefix(string(b[:min(len(b), 32)]), "version https://git-lfs") {
		err = errors.New("it is a Git LFS pointer and not the file itself: `git lfs pull` fetches that")
	}
	return b, err
}

// pieceFile returns the name of the model of SentencePiece in a directory, or "".
func pieceFile(dir string) string {
	for _, name := range pieceFiles {
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil && st.Mode().IsRegular() {
			return name
		}
	}
	return ""
}
