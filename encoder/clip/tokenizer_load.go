package clip

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The two ends of every text, unless tokenizer.json says otherwise.
const (
	startToken = "<|startoftext|>"
	endToken   = "<|endoftext|>"
	endOfWord  = "</w>"
)

// TokenizerFiles returns the paths of the files in dir that LoadTokenizer would
// read, in a fixed order: all that the token ids depend on.
func TokenizerFiles(dir string) []string {
	names := []string{"tokenizer.json"}
	if _, err := os.Stat(filepath.Join(dir, names[0])); err != nil {
		names = []string{"vocab.json", "merges.txt"}
		if _, err := os.Stat(filepath.Join(dir, names[0])); err != nil {
			if path := OpenAIVocabulary(dir); path != "" {
				return []string{path}
			}
		}
	}
	var out []string
	for _, n := range append(names, "tokenizer_config.json") {
		path := filepath.Join(dir, n)
		if _, err := os.Stat(path); err == nil {
			out = append(out, path)
		}
	}
	return out
}

// LoadTokenizer reads the tokenizer of a model directory: tokenizer.json, or else
// vocab.json and merges.txt; and the maximum length from tokenizer_config.json
// if that is there.
func LoadTokenizer(dir string) (*Tokenizer, error) {
	spec, path, err := readSpec(dir)
	if err != nil {
		return nil, err
	}
	cfg, err := readConfig(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	t, err := newTokenizer(spec, cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// readSpec returns the tokenizer's description and the file it stands in.
func readSpec(dir string) (*tokenizerSpec, string, error) {
	path := filepath.Join(dir, "tokenizer.json")
	b, err := os.ReadFile(path)
	if err == nil {
		spec := new(tokenizerSpec)
		if err := json.Unmarshal(b, spec); err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		return spec, path, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	path = filepath.Join(dir, "vocab.json")
	vocab, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if path := OpenAIVocabulary(dir); path != "" {
			spec, err := readOpenAI(path)
			if err != nil {
				return nil, "", fmt.Errorf("%s: %w", path, err)
			}
			return spec, path, nil
		}
		return nil, "", fmt.Errorf("%s has no tokenizer: tokenizer.json, or vocab.json and merges.txt, is needed", dir)
	} else if err != nil {
		return nil, "", err
	}
	merges, err := os.ReadFile(filepath.Join(dir, "merges.txt"))
	if err != nil {
		return nil, "", err
	}
	spec := new(tokenizerSpec)
	spec.Model.Suffix = endOfWord
	if err := json.Unmarshal(vocab, &spec.Model.Vocab); err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	for i, line := range strings.Split(string(merges), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, "", fmt.Errorf("%s: line %d is not two tokens", filepath.Join(dir, "merges.txt"), i+1)
		}
		spec.Model.Merges = append(spec.Model.Merges, [2]string{left, right})
	}
	spec.addEnds()
	return spec, path, nil
}

// addEnds adds what a conversion of a vocabulary to tokenizer.json adds.
func (s *tokenizerSpec) addEnds() {
	for _, tok := range []string{startToken, endToken} {
		if id, ok := s.Model.Vocab[tok]; ok {
			s.AddedTokens = append(s.AddedTokens, specToken{ID: int64(id), Content: tok, Normalized: tok == startToken})
		}
	}
}

// openAIVocabulary is the vocabulary as OpenAI's and OpenCLIP's code have it: merges, which
// all tokens follow from.
const openAIVocabulary = "bpe_simple_vocab_16e6.txt.gz"

// OpenAIVocabulary returns the path of bpe_simple_vocab_16e6.txt.gz in a model directory, in
// tokenizer/ within it or beside it, or "".
func OpenAIVocabulary(dir string) string {
	for _, in := range []string{dir, filepath.Join(dir, "tokenizer"), filepath.Join(dir, "..", "tokenizer")} {
		path := filepath.Join(in, openAIVocabulary)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// openAIMerges is how many of the file's merges CLIP has.
const openAIMerges = 49152 - 256 - 2

func readOpenAI(path string) (*tokenizerSpec, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, 64<<20))
	if err != nil {
		return nil, err
	}
	spec := new(tokenizerSpec)
	spec.Model.Suffix = endOfWord
	spec.Model.Vocab = map[string]uint32{}
	add := func(token string) {
		if _, ok := spec.Model.Vocab[token]; !ok {
			spec.Model.Vocab[token] = uint32(len(spec.Model.Vocab))
		}
	}
	// The bytes that can be seen come first, then the others.
	var letters []string
	var unseen []string
	for b := range 256 {
		if r := rune(b); '!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ' {
			letters = append(letters, string(r))
		} else {
			unseen = append(unseen, string(rune(256+len(unseen))))
		}
	}
	letters = append(letters, unseen...)
	for _, end := range []string{"", endOfWord} {
		for _, l := range letters {
			add(l + end)
		}
	}
	for i, line := range strings.Split(string(text), "\n")[1:] {
		if line == "" || len(spec.Model.Merges) == openAIMerges {
			break
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("line %d is not two tokens", i+2)
		}
		spec.Model.Merges = append(spec.Model.Merges, [2]string{left, right})
		add(left + right)
	}
	add(startToken)
	add(endToken)
	spec.addEnds()
	return spec, nil
}

// tokenizerSpec is the part of tokenizer.json that matters.
type tokenizerSpec struct {
	AddedTokens   []specToken     `json:"added_tokens"`
	Normalizer    *specStep       `json:"normalizer"`
	PreTokenizer  *specStep       `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         struct {
		Type   string            `json:"type"`
		Suffix string            `json:"end_of_word_suffix"`
		Vocab  map[string]uint32 `json:"vocab"`
		Merges mergeList         `json:"merges"`
	} `json:"model"`
}

type specToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	Normalized bool   `json:"normalized"`
}

// specStep is a normalizer or pre-tokenizer, or a sequence of them.
type specStep struct {
	Type    string `json:"type"`
	Pattern struct {
		Regex string `json:"Regex"`
	} `json:"pattern"`
	Content       string     `json:"content"`
	Normalizers   []specStep `json:"normalizers"`
	Pretokenizers []specStep `json:"pretokenizers"`
}

// wordPattern is how CLIP cuts words; some files name the two ends before it.
const wordPattern = `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

// check refuses a tokenizer that is BPE but prepares texts in another way than
// CLIP's: its ids would be wrong without a word.
func (s *tokenizerSpec) check() error {
	if n := s.Normalizer; n != nil {
		lower := false
		for _, step := range append([]specStep{*n}, n.Normalizers...) {
			switch {
			case step.Type == "Lowercase":
				lower = true
			case step.Type == "Sequence", step.Type == "NFC":
			case step.Type == "Replace" && step.Pattern.Regex == `\s+` && step.Content == " ":
			default:
				return fmt.Errorf("not a CLIP tokenizer: it normalises with %q %q", step.Type, step.Pattern.Regex)
			}
		}
		if !lower {
			return errors.New("not a CLIP tokenizer: it does not lower-case")
		}
	}
	if p := s.PreTokenizer; p != nil {
		for _, step := range append([]specStep{*p}, p.Pretokenizers...) {
			switch {
			case step.Type == "Sequence", step.Type == "ByteLevel":
			case step.Type == "Split" && strings.HasSuffix(step.Pattern.Regex, wordPattern):
			default:
				return fmt.Errorf("not a CLIP tokenizer: it cuts words with %q %q", step.Type, step.Pattern.Regex)
			}
		}
	}
	return nil
}

// mergeList is written as "a b" in older files and as ["a", "b"] in newer ones.
type mergeList [][2]string

func (m *mergeList) UnmarshalJSON(b []byte) error {
	var joined []string
	if json.Unmarshal(b, &joined) != nil {
		return json.Unmarshal(b, (*[][2]string)(m))
	}
	*m = make(mergeList, len(joined))
	for i, s := range joined {
		left, right, ok := strings.Cut(s, " ")
		if !ok {
			return fmt.Errorf("merge %d: %q is not two tokens", i, s)
		}
		(*m)[i] = [2]string{left, right}
	}
	return nil
}

// tokenizerConfig is the part of tokenizer_config.json that matters.
type tokenizerConfig struct {
	MaxLength json.Number `json:"model_max_length"` // 1e30 where unknown
	PadToken  tokenName   `json:"pad_token"`
}

// tokenName is a string, or an object that has it as "content".
type tokenName string

func (n *tokenName) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*string)(n)) == nil {
		return nil
	}
	var o struct {
		Content string `json:"content"`
	}
	err := json.Unmarshal(b, &o)
	*n = tokenName(o.Content)
	return err
}

func readConfig(path string) (cfg tokenizerConfig, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	} else if err != nil {
		return cfg, err
	}
	if err := json.Unmarshal(b, &cfg); err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

func newTokenizer(spec *tokenizerSpec, cfg tokenizerConfig) (*Tokenizer, error) {
	m := &spec.Model
	if m.Type != "" && m.Type != "BPE" || m.Suffix != endOfWord {
		kind := m.Type
		if kind == "" {
			kind = "unnamed"
		}
		return nil, fmt.Errorf("not a CLIP tokenizer: BPE with the word end %q is needed, this is %s with %q", endOfWord, kind, m.Suffix)
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	t := &Tokenizer{seed: maphash.MakeSeed(), max: DefaultMaxLength}
	t.bpe.merges = make(map[pair]merge, len(m.Merges))
	if err := t.bpe.alphabet(m.Vocab); err != nil {
		return nil, err
	}
	for i, p := range m.Merges {
		left, ok1 := m.Vocab[p[0]]
		right, ok2 := m.Vocab[p[1]]
		both, ok3 := m.Vocab[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d of %q and %q: not all three are in the vocabulary", i+1, p[0], p[1])
		}
		if _, again := t.bpe.merges[pair{left, right}]; !again {
			t.bpe.merges[pair{left, right}] = merge{uint32(i), both}
		}
	}
	ids := func(name string) (int64, bool) {
		for _, a := range spec.AddedTokens {
			if a.Content == name {
				return a.ID, true
			}
		}
		id, ok := m.Vocab[name]
		return int64(id), ok
	}
	for _, a := range spec.AddedTokens {
		if a.Content == "" {
			return nil, errors.New("an added token is empty")
		}
		t.added = append(t.added, addedToken{a.Content, a.ID, a.Normalized})
	}
	start, end := spec.ends()
	var ok1, ok2 bool
	if t.start, ok1 = ids(start); !ok1 {
		return nil, fmt.Errorf("no token %q", start)
	}
	if t.end, ok2 = ids(end); !ok2 {
		return nil, fmt.Errorf("no token %q", end)
	}
	t.pad = t.end
	if id, ok := ids(string(cfg.PadToken)); ok {
		t.pad = id
	}
	if n, err := cfg.MaxLength.Int64(); err == nil && n >= 2 && n <= 1<<16 {
		t.max = int(n)
	}
	return t, nil
}

// ends returns the names of the tokens around a text, from the post-processor
// of either kind that is found in the wild.
func (s *tokenizerSpec) ends() (start, end string) {
	start, end = startToken, endToken
	var p struct {
		Cls, Sep []json.RawMessage // RobertaProcessing: [name, id]
		Single   []struct {        // TemplateProcessing
			SpecialToken *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
		} `json:"single"`
	}
	if json.Unmarshal(s.PostProcessor, &p) != nil {
		return start, end
	}
	if len(p.Cls) == 2 && len(p.Sep) == 2 {
		var c, e string
		if json.Unmarshal(p.Cls[0], &c) == nil && json.Unmarshal(p.Sep[0], &e) == nil {
			return c, e
		}
	}
	if n := len(p.Single); n == 3 && p.Single[0].SpecialToken != nil && p.Single[2].SpecialToken != nil {
		return p.Single[0].SpecialToken.ID, p.Single[2].SpecialToken.ID
	}
	return start, end
}

// alphabet finds the tokens of the 256 bytes. In the vocabulary's spelling a
// printable Latin-1 byte stands for itself and the others, in order, for the
// characters from U+0100.
func (b *bpe) alphabet(vocab map[string]uint32) error {
	moved := rune(256)
	for c := range 256 {
		r := rune(c)
		if !('!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ') {
			r = moved
			moved++
		}
		inner, ok1 := vocab[string(r)]
		last, ok2 := vocab[string(r)+endOfWord]
		if !ok1 || !ok2 {
			return fmt.Errorf("the vocabulary lacks byte %#02x (%q)", c, r)
		}
		b.inner[c], b.last[c] = inner, last
	}
	return nil
}
