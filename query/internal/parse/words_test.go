package parse

import (
	"regexp"
	"strings"
	"testing"
)

// TestKeywords checks that every word of the grammar is either reserved or
// listed as plain, and none is both.
func TestKeywords(t *testing.T) {
	grammar := grammar().statement.String()
	for _, m := range regexp.MustCompile(`"([A-Z]+)"`).FindAllStringSubmatch(grammar, -1) {
		if w := m[1]; reservedWords[w] == plainWords[w] {
			t.Errorf("%s: reserved %v, plain %v", w, reservedWords[w], plainWords[w])
		}
	}
	for w := range plainWords {
		as := " "
		if clauseWord(w) {
			as = " AS "
		}
		if _, err := Parse("SELECT " + w + ", t." + strings.ToLower(w) + " AS " + w + " FROM " + w + as + w); err != nil {
			t.Errorf("%s is not a name: %v", w, err)
		}
	}
	for w := range reservedWords {
		if _, err := Parse("SELECT " + w + " FROM t"); err == nil && w != "NULL" && w != "TRUE" && w != "FALSE" {
			t.Errorf("%s is a name", w)
		}
		if _, err := Parse("SELECT " + Quote(w) + " FROM " + Quote(w)); err != nil {
			t.Errorf("%s is not a name in quotes: %v", w, err)
		}
	}
}

// TestDescriptions checks that every production a message may speak of has
// words for it or begins with words.
func TestDescriptions(t *testing.T) {
	for name, e := range productions() {
		var f firsts
		f.expression(e, 0)
		if len(f.words) == 0 {
			t.Errorf("%s begins with nothing: it lacks a description", name)
		}
	}
}
