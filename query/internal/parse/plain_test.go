package parse

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// samePlain wants the tree of participle of a plain query, and reports whether src is one. What
// participle refuses is not plain.
func samePlain(t *testing.T, src string) bool {
	t.Helper()
	tokens, lexErr := lexStatement(newScanner(src))
	if lexErr != nil || len(tokens) < 2 {
		return false
	}
	g := plainQuery(tokens)
	if g == nil {
		return false
	}
	var c converter
	got := c.outermost(g)
	want, err := parseByGrammar(src, tokens)
	switch {
	case c.err != nil: // participle is asked for the error
		return false
	case err != nil:
		t.Errorf("%s\nis plain, but refused by the grammar: %v", src, err)
	case !reflect.DeepEqual(got, want):
		t.Errorf("%s\nis read as %s\nnot as     %s", src, got, want)
	}
	return true
}

// Plain queries have the trees of the grammar: those of all scripts and lists of statements, and
// each of them cut off at every token.
func TestPlain(t *testing.T) {
	var all []string
	files, err := filepath.Glob("../../../testdata/*.test")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range append(files, "testdata/errors.txt") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(strings.ReplaceAll(string(text), "----", "\n\n"), "\n\n") {
			for i := strings.Index(block, "SELECT"); i >= 0; {
				all = append(all, block[i:])
				next := strings.Index(block[i+1:], "SELECT")
				if next < 0 {
					break
				}
				i += 1 + next
			}
		}
	}
	all = append(all, statements...)
	plain := 0
	for _, src := range all {
		// What follows in the script, or in the query around, is cut off with the tokens.
		tokens, _ := lexStatement(newScanner(src))
		for n := len(tokens); n > 0 && n > len(tokens)-80; n-- {
			end := len(src)
			if n < len(tokens) {
				end = tokens[n].Pos.Offset
			}
			if samePlain(t, src[:end]) {
				plain++
			}
		}
	}
	if plain < 5000 {
		t.Errorf("only %d of the queries are plain", plain)
	}
	t.Logf("%d queries, %d plain", len(all), plain)
	for _, src := range []string{
		"SELECT 1", "SELECT DISTINCT a, t.*, * FROM t", "SELECT ALL - + a AS x, count(*) FROM t AS cor0, u JOIN v ON t.a = v.a",
		"SELECT a FROM t CROSS JOIN u AS x LEFT OUTER JOIN w USING (a, b) WHERE NOT (a IN (SELECT b FROM u WHERE c > 1)) AND EXISTS (SELECT 1)",
		"SELECT a, sum(b) FROM t GROUP BY a, b + 1 HAVING sum(b) > 1 ORDER BY 2 DESC NULLS LAST, a LIMIT $1 OFFSET 3 ROWS",
		"SELECT a FROM t UNION ALL SELECT b FROM u EXCEPT SELECT 1 ORDER BY 1",
		"SELECT CASE WHEN a BETWEEN 1 AND 2 THEN (SELECT max(b) FROM u) ELSE CAST(a AS TEXT) END FROM t",
	} {
		if !samePlain(t, src) {
			t.Errorf("%s\nis not plain", src)
		}
	}
}

// FuzzPlain: plain queries have the trees of the grammar.
func FuzzPlain(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) { samePlain(t, src) })
}
