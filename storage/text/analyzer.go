package text

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/porter"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Simple is the language of words that are not reduced to a stem, Trigram that of texts whose
// parts are looked for.
const (
	Simple  = "simple"
	Trigram = "trigram"
)

var stemmers = map[string]func(*snowballstem.Env) bool{
	"arabic": arabic.Stem, "danish": danish.Stem, "dutch": dutch.Stem, "english": english.Stem,
	"finnish": finnish.Stem, "french": french.Stem, "german": german.Stem, "hungarian": hungarian.Stem,
	"irish": irish.Stem, "italian": italian.Stem, "norwegian": norwegian.Stem, "porter": porter.Stem,
	"portuguese": portuguese.Stem, "romanian": romanian.Stem, "russian": russian.Stem, "spanish": spanish.Stem,
	"swedish": swedish.Stem, "tamil": tamil.Stem, "turkish": turkish.Stem,
}

// Languages returns the names of all languages, in order.
func Languages() []string {
	names := []string{Simple, Trigram}
	for n := range stemmers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// maxTerm is the length of a term in bytes: what is longer is cut off.
const maxTerm = 128

// maxCached bounds the words whose terms an Analyzer remembers.
const maxCached = 1 << 16

// Analyzer turns texts into terms. It belongs to one goroutine.
type Analyzer struct {
	language  string
	stem      func(*snowballstem.Env) bool
	foldFirst bool                 // accents go before the stemmer, which knows none
	known     map[string]*interned // of words
	terms     map[string]*interned // of terms
	renewed   int
	env       *snowballstem.Env
	fold      cases.Caser
	buf       []byte
	runes     []spanned
}

// New returns an analyzer of a language.
func New(language string) (*Analyzer, error) {
	a := &Analyzer{language: language, stem: stemmers[language], known: map[string]*interned{}, terms: map[string]*interned{}, fold: cases.Fold()}
	if a.stem == nil && language != Simple && language != Trigram {
		return nil, fmt.Errorf("there is no language %q for texts; there are %s", language, strings.Join(Languages(), ", "))
	}
	a.foldFirst = language == "english" || language == "porter"
	if a.stem != nil {
		a.env = snowballstem.NewEnv("")
	}
	return a, nil
}

// Language returns the language's name.
func (a *Analyzer) Language() string { return a.language }

// interned is a term that the analyzer remembers.
type interned struct {
	term string
	id   int
}

// Renewed changes when an analyzer has forgotten the numbers of terms.
func (a *Analyzer) Renewed() int { return a.renewed }

// Token is a term and where it is.
type Token struct {
	Term       string
	ID         int // number of the term, from 0 on, until Renewed changes
	Pos        int // among the text's terms, from 0
	Start, End int // bytes of the text that it is made of
}

// Each calls f with the terms of s, in order, and returns how many positions there are.
func (a *Analyzer) Each(s string, f func(t Token)) int {
	if a.language == Trigram {
		return a.trigrams(s, f)
	}
	pos := 0
	var run []spanned // of characters of scripts without spaces, which follow each other
	flush := func() {
		if len(run) > 0 {
			pos = a.pairs(s, run, pos, f)
			run = run[:0]
		}
	}
	for at := 0; at < len(s); {
		if c := s[at]; c < utf8.RuneSelf && !asciiWord[c] { // no word begins here
			at++
			continue
		}
		if end := asciiEnd(s, at); end > 0 {
			flush()
			if strings.Trim(s[at:end], "_") != "" {
				t := a.asciiTerm(s[at:end])
				f(Token{t.term, t.id, pos, at, end})
				pos++
			}
			at = end
			continue
		}
		// The rules look at what stands before a word only within it.
		it := words.FromString(s[at:])
		if !it.Next() {
			break
		}
		w := it.Value()
		start := at
		at += len(w)
		switch kind := kindOf(w); kind {
		case noWord:
		case spacelessWord:
			if len(run) > 0 && run[len(run)-1].end != start {
				flush()
			}
			for i, r := range w {
				if spaceless(r) {
					run = append(run, spanned{r, start + i, start + i + utf8.RuneLen(r)})
				}
			}
		default:
			flush()
			if t := a.term(w); t.term != "" {
				f(Token{t.term, t.id, pos, start, at})
				pos++
			}
		}
	}
	flush()
	return pos
}

type spanned struct {
	r          rune
	start, end int
}

// asciiWord are the characters of words.
var asciiWord = func() (in [256]bool) {
	for c := range 128 {
		in[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
	}
	return
}()

// asciiEnd returns where the word that begins at position at ends, 0 when it is for the rules
// of Unicode to say: when it is not all of letters and digits, or what follows may join it.
func asciiEnd(s string, at int) int {
	end := at
	for end < len(s) && asciiWord[s[end]] {
		end++
	}
	if end == len(s) {
		return end
	}
	switch c := s[end]; {
	case c >= utf8.RuneSelf:
		return 0
	case c == '.' || c == ',' || c == ';' || c == ':' || c == '\'':
		if end+1 < len(s) && (s[end+1] >= utf8.RuneSelf || asciiWord[s[end+1]]) {
			return 0
		}
	}
	return end
}

type wordKind uint8

const (
	noWord wordKind = iota
	spacedWord
	spacelessWord
)

// kindOf says what a segment of a text is.
func kindOf(w string) wordKind {
	kind := noWord
	for _, r := range w {
		switch {
		case r == utf8.RuneError:
		case spaceless(r):
			return spacelessWord
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			kind = spacedWord
		}
	}
	return kind
}

// spaceless reports whether a character is of a script that does not put spaces between
// words, or not where a search wants them.
func spaceless(r rune) bool {
	if r < 0x0e00 {
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) ||
		r == 'ー'
}

// pairs calls f with each two characters of a run, or the only one.
func (a *Analyzer) pairs(s string, run []spanned, pos int, f func(Token)) int {
	for i := range max(1, len(run)-1) {
		last := run[min(i+1, len(run)-1)]
		t := a.term(s[run[i].start:last.end])
		f(Token{t.term, t.id, pos, run[i].start, last.end})
		pos++
	}
	return pos
}

// asciiTerm is term for a word of ASCII letters and digits.
func (a *Analyzer) asciiTerm(w string) *interned {
	a.buf = a.buf[:0]
	for i := 0; i < len(w); i++ {
		c := w[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		a.buf = append(a.buf, c)
	}
	if t, ok := a.known[string(a.buf)]; ok {
		return t
	}
	w = string(a.buf)
	return a.remember(w, a.stemmed(w))
}

// term returns the term of a word, "" for none.
func (a *Analyzer) term(w string) *interned {
	if t, ok := a.known[w]; ok {
		return t
	}
	w = strings.Clone(w)
	t := strings.ToLower(strings.ToValidUTF8(w, ""))
	if a.stem != nil && !a.foldFirst {
		t = a.stemmed(norm.NFC.String(t))
	}
	t = a.Fold(t)
	if a.stem == nil || a.foldFirst {
		t = a.stemmed(t)
	}
	return a.remember(w, t)
}

func (a *Analyzer) remember(w, t string) *interned {
	if len(a.known) >= maxCached {
		clear(a.known)
		clear(a.terms)
		a.renewed++
	}
	x := a.terms[t]
	if x == nil {
		x = &interned{t, len(a.terms)}
		a.terms[t] = x
	}
	a.known[w] = x
	return x
}

// stemmed returns the stem of a word.
func (a *Analyzer) stemmed(w string) string {
	if a.stem != nil && len(w) <= maxTerm {
		a.env.SetCurrent(w)
		a.stem(a.env)
		if t := a.env.Current(); t != "" {
			w = t
		}
	}
	if len(w) > maxTerm {
		end := maxTerm
		for end > 0 && !utf8.RuneStart(w[end]) {
			end--
		}
		w = w[:end]
	}
	return strings.Clone(w)
}

// Fold returns s without case and accents.
func (a *Analyzer) Fold(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if !accent(r) && r != utf8.RuneError {
			b.WriteRune(r)
		}
	}
	// Folding may bring accents of its own, of the Turkish dotted I.
	// x/text folds the two cases of Cherokee into each other.
	folded := strings.ToLower(a.fold.String(b.String()))
	if strings.ContainsFunc(folded, accent) {
		folded = strings.Map(func(r rune) rune {
			if accent(r) {
				return -1
			}
			return r
		}, folded)
	}
	return norm.NFC.String(folded)
}

// accent reports whether a character is a mark on a letter that searches do not care for.
// Marks that are vowels, as in Indian scripts, are not among them.
func accent(r rune) bool {
	switch {
	case r < 0x300:
		return false
	case r <= 0x36f, r >= 0x1ab0 && r <= 0x1aff, r >= 0x1dc0 && r <= 0x1dff, r >= 0x20d0 && r <= 0x20ff, r >= 0xfe20 && r <= 0xfe2f:
		return true
	case r >= 0x64b && r <= 0x65f, r >= 0x591 && r <= 0x5bd: // vowels that Arabic and Hebrew may leave out
		return true
	}
	return false
}

// trigrams calls f with each three characters of the folded text, and at the end with two and
// one, so that parts of any length are found as the beginning of a term.
func (a *Analyzer) trigrams(s string, f func(Token)) int {
	a.runes = a.runes[:0]
	for at := 0; at < len(s); {
		r, n := utf8.DecodeRuneInString(s[at:])
		if r < utf8.RuneSelf {
			a.runes = append(a.runes, spanned{unicode.ToLower(r), at, at + n})
		} else {
			for _, f := range a.Fold(s[at : at+n]) {
				a.runes = append(a.runes, spanned{f, at, at + n})
			}
		}
		at += n
	}
	for i := range a.runes {
		last := min(i+3, len(a.runes))
		a.buf = a.buf[:0]
		for _, r := range a.runes[i:last] {
			a.buf = utf8.AppendRune(a.buf, r.r)
		}
		t, ok := a.known[string(a.buf)]
		if !ok {
			s := string(a.buf)
			t = a.remember(s, s)
		}
		f(Token{t.term, t.id, i, a.runes[i].start, a.runes[last-1].end})
	}
	return len(a.runes)
}

// Tokens returns the terms of s.
func (a *Analyzer) Tokens(s string) []Token {
	var out []Token
	a.Each(s, func(t Token) { out = append(out, t) })
	return out
}

var pools sync.Map // *sync.Pool by language

// Borrow returns an analyzer of a language, which New would accept, until Return: one that
// has seen texts knows their words.
func Borrow(language string) *Analyzer {
	p, ok := pools.Load(language)
	if !ok {
		p, _ = pools.LoadOrStore(language, &sync.Pool{New: func() any {
			a, err := New(language)
			if err != nil {
				panic(err)
			}
			return a
		}})
	}
	return p.(*sync.Pool).Get().(*Analyzer)
}

// Return gives a borrowed analyzer back.
func (a *Analyzer) Return() {
	if p, ok := pools.Load(a.language); ok {
		p.(*sync.Pool).Put(a)
	}
}

// QueryTerm is a term that a query asks for.
type QueryTerm struct {
	Term   string
	Pos    int  // from the first one
	Prefix bool // any term that begins so
}

// QueryTerms returns the terms of a part of a query, which follow each other in the texts
// that are meant. prefix says that its last word may go on.
func (a *Analyzer) QueryTerms(s string, prefix bool) []QueryTerm {
	tokens := a.Tokens(s)
	if len(tokens) == 0 {
		return nil
	}
	if a.language == Trigram {
		if len(tokens) < 3 {
			return []QueryTerm{{tokens[0].Term, 0, true}}
		}
		tokens = tokens[:len(tokens)-2]
	}
	out := make([]QueryTerm, len(tokens))
	for i, t := range tokens {
		out[i] = QueryTerm{t.Term, t.Pos - tokens[0].Pos, false}
		if a.language == Trigram {
			continue
		}
		// One character alone is the beginning of a pair.
		if r, n := utf8.DecodeRuneInString(t.Term); n == len(t.Term) && spaceless(r) {
			out[i].Prefix = true
		}
	}
	last := tokens[len(tokens)-1]
	if r, _ := utf8.DecodeRuneInString(s[last.Start:]); prefix && a.language != Trigram && !spaceless(r) {
		out[len(out)-1].Prefix = true
		out[len(out)-1].Term = a.Fold(strings.ToValidUTF8(s[last.Start:last.End], ""))
	}
	return out
}

// Containing is what texts that contain s match in an index of trigrams, whatever case and
// accents they have; so do a few others. It is nil where s is too short to say.
func Containing(s string) Query {
	a := Borrow(Trigram)
	defer a.Return()
	var all And
	seen := map[string]bool{}
	tokens := a.Tokens(s)
	for _, t := range tokens[:max(0, len(tokens)-2)] {
		if !seen[t.Term] {
			seen[t.Term] = true
			all = append(all, Term(t.Term))
		}
	}
	return both(all)
}
