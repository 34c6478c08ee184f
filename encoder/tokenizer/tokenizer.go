package tokenizer

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tokenizer turns texts into token ids. It is safe for concurrent use.
type Tokenizer struct {
	added     []addedToken
	normalize []step
	cut       []cutter
	model     model
	before    []int64 // ids around every text
	after     []int64
	pad       int64
	max       int
	languages map[int64]bool // tokens of which one stands around every text; see Languages
}

// addedToken is matched verbatim, before the text is cut into words.
type addedToken struct {
	name       string // as the file writes it
	content    string // as it is looked for
	id         int64
	normalized bool // looked for after normalising, not in the raw text
	left       bool // takes white space before it along
	right      bool // and after it
}

// model turns the words that a text was cut into into ids.
type model interface {
	append(dst []int64, word string) []int64
	find(token string) (int64, bool)
}

// step is a normalizer.
type step func(string) string

// cutter is a pre-tokenizer: it cuts a part of a text into smaller ones. first
// is set for a part at the text's beginning.
type cutter func(part string, first bool) []string

// Lower makes texts small letters before anything else is done to them.
func (t *Tokenizer) Lower() { t.normalize = append([]step{lower}, t.normalize...) }

// EndOnly makes name the only token around a text, at its end; "" takes those after it
// away and leaves those before. It reports whether the vocabulary has it.
func (t *Tokenizer) EndOnly(name string) bool {
	if name == "" {
		t.after = nil
		return true
	}
	id, ok := t.id(name)
	if ok {
		t.before, t.after = nil, []int64{id}
	}
	return ok
}

// id returns the id of an added token or of one of the vocabulary.
func (t *Tokenizer) id(name string) (int64, bool) {
	for _, a := range t.added {
		if a.name == name {
			return a.id, true
		}
	}
	return t.model.find(name)
}

// MaxLength returns the number of tokens that the model's files allow, those
// around the text included, or 0 where they say nothing.
func (t *Tokenizer) MaxLength() int { return t.max }

// Pad returns the id that fills up to a fixed length.
func (t *Tokenizer) Pad() int64 { return t.pad }

// Append appends the ids of a text to dst, at most n with those around every
// text; a text that is too long loses its last tokens. Nothing is padded.
func (t *Tokenizer) Append(dst []int64, text string, n int) []int64 {
	t0 := len(dst)
	dst = append(dst, t.before...)
	end := t.after
	limit := len(dst) + max(0, n-len(t.before)-len(t.after))
	if lang, rest, ok := t.language(text); ok {
		text = rest
		end = t.replaced(end, lang)
		copy(dst[t0:], t.replaced(t.before, lang))
	}
	first := true
	for rest := text; rest != "" && len(dst) < limit; {
		plain, tok, after := t.split(rest, false)
		for _, f := range t.normalize {
			plain = f(plain)
		}
		for plain != "" && len(dst) < limit {
			p, tk, a := t.split(plain, true)
			dst = t.words(dst, p, first)
			if tk != nil {
				dst = append(dst, tk.id)
			}
			first = false
			plain = a
		}
		if tok != nil {
			dst = append(dst, tok.id)
		}
		first = false
		rest = after
	}
	if len(dst) > limit {
		dst = dst[:limit]
	}
	return append(dst, end...)
}

// Languages reports whether a text may begin with the token of its language, such as
// deu_Latn, which then stands in the place of the one that the tokenizer's files name.
func (t *Tokenizer) Languages() bool { return len(t.languages) > 0 }

// language returns the token of a language that a text begins with.
func (t *Tokenizer) language(text string) (id int64, rest string, ok bool) {
	if len(t.languages) == 0 {
		return 0, text, false
	}
	before, tok, after := t.split(text, false)
	if tok == nil || before != "" || !t.languages[tok.id] {
		return 0, text, false
	}
	return tok.id, strings.TrimLeft(after, " "), true
}

// replaced is a list of ids around a text with another language.
func (t *Tokenizer) replaced(ids []int64, lang int64) []int64 {
	out := slices.Clone(ids)
	for i, id := range out {
		if t.languages[id] {
			out[i] = lang
		}
	}
	return out
}

// nameLanguages finds the tokens of languages, where one of them stands around texts.
func (t *Tokenizer) nameLanguages() {
	found := map[int64]bool{}
	for _, a := range t.added {
		if languageCode.MatchString(a.name) {
			found[a.id] = true
		}
	}
	for _, id := range slices.Concat(t.before, t.after) {
		if found[id] {
			t.languages = found
		}
	}
}

// languageCode is a language and its script as FLORES-200 and nllb write them.
var languageCode = regexp.MustCompile(`^[a-z]{3}_[A-Z][a-z]{3}$`)

// words appends the ids of text without added tokens.
func (t *Tokenizer) words(dst []int64, part string, first bool) []int64 {
	parts := []string{part}
	for _, f := range t.cut {
		var next []string
		for i, p := range parts {
			next = append(next, f(p, first && i == 0)...)
		}
		parts = next
	}
	for _, p := range parts {
		dst = t.model.append(dst, p)
	}
	return dst
}

// split cuts text at the first added token of the given sort; tok is nil when
// there is none. Of two that begin at one place the longer wins.
func (t *Tokenizer) split(text string, normalized bool) (before string, tok *addedToken, after string) {
	at := len(text)
	for i := range t.added {
		a := &t.added[i]
		if a.normalized != normalized {
			continue
		}
		if k := strings.Index(text, a.content); k >= 0 && (k < at || k == at && len(a.content) > len(tok.content)) {
			at, tok = k, a
		}
	}
	if tok == nil {
		return text, nil, ""
	}
	before, after = text[:at], text[at+len(tok.content):]
	if tok.left {
		before = strings.TrimRightFunc(before, unicode.IsSpace)
	}
	if tok.right {
		after = strings.TrimLeftFunc(after, unicode.IsSpace)
	}
	return before, tok, after
}

// metaspace makes spaces visible and cuts before each. (With prepend "first" the
// reference adds no mark to a text whose very first character a normalizer took
// away. That is not followed.)
func metaspace(mark rune, prepend string, cut bool) cutter {
	sign := string(mark)
	return func(part string, first bool) []string {
		if part == "" {
			return nil
		}
		part = strings.ReplaceAll(part, " ", sign)
		if (prepend == "always" || prepend == "first" && first) && !strings.HasPrefix(part, sign) {
			part = sign + part
		}
		if !cut {
			return []string{part}
		}
		var out []string
		start := 0
		for i, r := range part {
			if r == mark && i > start {
				out, start = append(out, part[start:i]), i
			}
		}
		return append(out, part[start:])
	}
}

// whitespaceSplit cuts at white space, which is dropped.
func whitespaceSplit(part string, _ bool) []string { return strings.FieldsFunc(part, unicode.IsSpace) }

// lower lower-cases character by character, as the reference does: there is no
// final sigma, and the one character whose lower case is two is U+0130.
func lower(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		if r == 'İ' {
			b.WriteString("i\u0307")
		} else {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// valid replaces bytes that are not UTF-8.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}
