package clip

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Tokenizer is CLIP's byte-level BPE tokenizer. It is safe for concurrent use.
type Tokenizer struct {
	bpe   bpe
	added []addedToken
	start int64
	end   int64
	pad   int64
	max   int

	seed  maphash.Seed
	words [wordSlots]atomic.Pointer[word]
}

// addedToken is matched verbatim, before the text is cut into words.
type addedToken struct {
	content    string
	id         int64
	normalized bool // looked for after normalising, not in the raw text
}

// word is an entry of the cache of words already merged: direct-mapped, so
// that it is bounded and needs no lock.
type word struct {
	text string
	ids  []int64
}

const (
	wordSlots = 1 << 12
	wordBytes = 32 // longer words are rare and not worth a slot
)

// DefaultMaxLength is the number of tokens, the two ends included, that the
// published CLIP models take.
const DefaultMaxLength = 77

// MaxLength returns the number of tokens that Encode returns at most.
func (t *Tokenizer) MaxLength() int { return t.max }

// Start returns the id of the token before every text.
func (t *Tokenizer) Start() int64 { return t.start }

// End returns the id of the token after every text.
func (t *Tokenizer) End() int64 { return t.end }

// Pad returns the id that fills up to a fixed length.
func (t *Tokenizer) Pad() int64 { return t.pad }

// Encode returns the ids of a text between the start and the end token, not
// padded. A text that is too long loses its last tokens; the end token stays.
func (t *Tokenizer) Encode(text string) []int64 {
	return t.Append(make([]int64, 0, 16), text, t.max)
}

// Append appends to dst what Encode returns for a maximum of n tokens, n being
// at least 2.
func (t *Tokenizer) Append(dst []int64, text string, n int) []int64 {
	first := len(dst)
	limit := first + max(n, 2) - 1 // the end token has its place beyond
	dst = append(dst, t.start)
	for rest := text; rest != "" && len(dst) < limit; {
		plain, tok, after := t.cut(rest, false)
		for sub := normalize(plain); sub != "" && len(dst) < limit; {
			p, tk, a := t.cut(sub, true)
			dst = t.appendWords(dst, p, limit)
			if tk != nil {
				dst = append(dst, tk.id)
			}
			sub = a
		}
		if tok != nil {
			dst = append(dst, tok.id)
		}
		rest = after
	}
	if len(dst) > limit {
		dst = dst[:limit]
	}
	return append(dst, t.end)
}

// cut splits text at the first added token of the given sort; tok is nil when
// there is none. Of two that begin at one place the longer wins.
func (t *Tokenizer) cut(text string, normalized bool) (before string, tok *addedToken, after string) {
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
	return text[:at], tok, text[at+len(tok.content):]
}

// normalize composes (NFC) and lower-cases character by character, as the
// reference does: there is no final sigma, and the one character whose lower
// case is two is U+0130. White space needs no folding, for words are cut at
// any run of it. Bytes that are not UTF-8 become U+FFFD.
func normalize(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] < utf8.RuneSelf && (s[i] < 'A' || s[i] > 'Z')
	}
	if plain {
		return s
	}
	s = norm.NFC.String(s)
	var b strings.Builder
	b.Grow(len(s) + 8)
	for _, r := range s {
		if r == 'İ' {
			b.WriteString("i\u0307")
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// class sorts characters as the pattern that cuts words does.
type class uint8

const (
	space class = iota
	letter
	number // each one is a word of its own
	other
)

func classOf(r rune) class {
	if r < utf8.RuneSelf {
		switch {
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
			return letter
		case '0' <= r && r <= '9':
			return number
		case r == ' ' || '\t' <= r && r <= '\r':
			return space
		}
		return other
	}
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// endings are words of their own wherever they begin one.
var endings = [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// appendWords appends the ids of a normalised text, stopping soon after limit.
// A word is one of the endings, a run of letters, one number character, or a
// run of anything else that is not space.
func (t *Tokenizer) appendWords(dst []int64, s string, limit int) []int64 {
	for len(s) > 0 && len(dst) < limit {
		r, n := utf8.DecodeRuneInString(s)
		c := classOf(r)
		if c == space {
			s = s[n:]
			continue
		}
		ending := false
		if r == '\'' {
			for _, e := range endings {
				if strings.HasPrefix(s, e) {
					n, ending = len(e), true
					break
				}
			}
		}
		if c != number && !ending {
			for n < len(s) {
				r, k := utf8.DecodeRuneInString(s[n:])
				if classOf(r) != c {
					break
				}
				n += k
			}
		}
		dst = t.appendWord(dst, s[:n])
		s = s[n:]
	}
	return dst
}

func (t *Tokenizer) appendWord(dst []int64, w string) []int64 {
	if len(w) > wordBytes {
		return t.bpe.append(dst, w)
	}
	slot := &t.words[maphash.String(t.seed, w)%wordSlots]
	if e := slot.Load(); e != nil && e.text == w {
		return append(dst, e.ids...)
	}
	n := len(dst)
	dst = t.bpe.append(dst, w)
	slot.Store(&word{strings.Clone(w), append([]int64(nil), dst[n:]...)})
	return dst
}
