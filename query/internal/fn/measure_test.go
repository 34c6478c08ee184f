package fn

import (
	"slices"
	"testing"
	"unicode"

	"github.com/lupadb/lupa/storage/vector"
)

// TestMeasures: every metric has a name in the language, and every name that is called an
// entry, without which it is in no list of functions.
func TestMeasures(t *testing.T) {
	named := map[vector.Metric]bool{}
	for _, m := range measures {
		named[m.Metric] = true
		if !unicode.IsLetter(rune(m.Name[0])) {
			continue
		}
		found := false
		for _, e := range entries() {
			found = found || e.Name == m.Name || slices.Contains(aliases[e.Name], m.Name)
		}
		if !found {
			t.Errorf("%s is a measure, but has no entry in the table of functions", m.Name)
		}
	}
	for _, m := range vector.Metrics() {
		if !named[m] {
			t.Errorf("%v has no name in the language", m)
		}
	}
}
