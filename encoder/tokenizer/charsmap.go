package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// charsmap is SentencePiece's table of replacements: a double-array trie over the
// bytes of what is replaced, whose values are places in a list of texts that each
// end with a zero byte.
type charsmap struct {
	trie  []uint32
	texts string
}

// maxReplacement is the most bytes that take the place of some: a damaged table is not to make a
// long text of a short one. Unicode's longest has 33.
const maxReplacement = 256

var errCharsmap = errors.New("precompiled_charsmap is damaged")

// newCharsmap reads the table as it stands in tokenizer.json.
func newCharsmap(encoded string) (*charsmap, error) {
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errCharsmap
	}
	return parseCharsmap(b)
}

func parseCharsmap(b []byte) (*charsmap, error) {
	if len(b) < 4 {
		return nil, errCharsmap
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n < 4 || n%4 != 0 || n > int64(len(b)-4) {
		return nil, errCharsmap
	}
	m := &charsmap{trie: make([]uint32, n/4), texts: string(b[4+n:])}
	for i := range m.trie {
		m.trie[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	return m, nil
}

// lookup returns what replaces s, going by the shortest entry that s begins with,
// as the reference does.
func (m *charsmap) lookup(s string) (to string, ok bool) {
	m.entries(s, func(text string, _ int) bool {
		to, ok = text, true
		return false
	})
	return to, ok
}

// longest returns the longest entry that s begins with, its length and what replaces it, as
// SentencePiece does; a length of 0 where there is none.
func (m *charsmap) longest(s string) (to string, n int) {
	m.entries(s, func(text string, length int) bool {
		to, n = text, length
		return true
	})
	return to, n
}

// entries calls f for the entries that s begins with, shorter ones first, until it returns
// false.
func (m *charsmap) entries(s string, f func(text string, n int) bool) {
	// A unit of the trie: the value of a leaf, or a label in the lowest byte, a bit
	// that says whether a leaf follows, and how far off the children are.
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	at := offset(m.trie[0])
	for i := range len(s) {
		at ^= uint32(s[i])
		if s[i] == 0 || int(at) >= len(m.trie) {
			return
		}
		u := m.trie[at]
		if u&(1<<31|0xff) != uint32(s[i]) {
			return
		}
		at ^= offset(u)
		if u>>8&1 == 1 && int(at) < len(m.trie) {
			from := int(m.trie[at] &^ (1 << 31))
			if from > len(m.texts) {
				return
			}
			text, _, _ := strings.Cut(m.texts[from:min(len(m.texts), from+maxReplacement)], "\x00")
			if !f(text, i+1) {
				return
			}
		}
	}
}

// normalize replaces short user-perceived characters as a whole, or else the
// characters they are made of.
func (m *charsmap) normalize(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	state := -1
	for s != "" {
		var cluster string
		cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		if len(cluster) < 6 {
			if text, ok := m.lookup(cluster); ok {
				b.WriteString(text)
				continue
			}
		}
		for cluster != "" {
			_, n := utf8.DecodeRuneInString(cluster)
			if text, ok := m.lookup(cluster[:n]); ok {
				b.WriteString(text)
			} else {
				b.WriteString(cluster[:n])
			}
			cluster = cluster[n:]
		}
	}
	return b.String()
}
