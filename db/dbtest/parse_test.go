package dbtest_test

import (
	"strings"
	"testing"

	"github.com/lupadb/lupa/db/dbtest"
	"github.com/lupadb/lupa/query"
)

// TestScriptsParse checks without a store that the scripts can be read, and
// that what they expect to work is in the language.
func TestScriptsParse(t *testing.T) {
	paths, err := dbtest.Scripts("../../testdata", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		s, err := dbtest.ReadScript(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range s.Blocks {
			if b.Kind != "exec" && b.Kind != "query" {
				continue
			}
			for _, piece := range query.Split(b.SQL) {
				if _, err := query.Prepare(&query.Env{}, strings.ReplaceAll(piece.Text, "${dir}", "/x")); err != nil {
					t.Errorf("%s, line %d: %s\n%v", p, b.Line, piece.Text, err)
				}
			}
		}
	}
}

func TestBadScripts(t *testing.T) {
	for src, want := range map[string]string{
		"query\nSELECT 1\n":                   "1: query: no line ---- before the rows",
		"exec many\nSELECT 1\n":               `1: exec: "many" is not a number of rows`,
		"\n# x\n\nexecute\nSELECT 1\n":        "4: execute: no such block",
		"error (\nSELECT 1\n":                 "1: error: error parsing regexp",
		"error\nSELECT 1\n":                   "1: error: say which error",
		"args 5\nexec\nSELECT 1\n":            "1: args: 5 is neither a list nor an object",
		"only api\n":                          "1: nothing follows",
		"skip batch\n":                        "1: skip: say why",
		"exec\n":                              "1: exec: no statement",
		"file ../x\nabc\n":                    `1: file: "../x" is not the name of a file`,
		"query\nSELECT 1\n----\n\"open\n":     "not a Go string",
		"query upside down\nSELECT 1\n----\n": `"upside down" is not unordered`,
	} {
		_, err := dbtest.ParseScript(src)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", src, err, want)
		}
	}
}
