package shell

import (
	"strings"
	"testing"

	"github.com/lupadb/lupa/query"
)

// The scanner decides when to look whether a source can be cut, the language's
// own Split where it is: when the scanner sees the end of a statement, so must
// Split.
func FuzzScannerAgreesWithSplit(f *testing.F) {
	for _, s := range []string{
		"", "select 1", "select 1;", "select ';';", "select 'it''s';\n", `select "a;b" ;`, "-- ;\n", "select 1 -- x\n;", "/* ; */", "/* a\nb */ select 1;",
		"select '\n;\n'", "a;b;c", "a;b;c;", "/*", "/* /* */ ; */", "'", "select - - 1;", "select 1/2;", "select 1 /*;*/;", "\\d", ".5;", "a;--", "a;/*x*/", "$1;",
		"e'\\';", "e'\\'';", "date'\\';", "E'a\\\\';", "[1, 2];", "[1; 2];", "1e'x';",
		"select $$;$$;", "select $$\n;'\n$$;", "$a$;$$;$a;$a$;", "a$$;", "$1$$;$$;", "$1a$;", "é$$;", "$é$;$é$;", "$a;", "$",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c scanner
		for rest := text; rest != ""; {
			i := strings.IndexByte(rest, '\n') + 1
			if i == 0 {
				i = len(rest)
			}
			c.feed(rest[:i])
			rest = rest[i:]
		}
		pieces := query.Split(text)
		done := len(pieces) == 0 || pieces[len(pieces)-1].Complete
		if c.between() && !done {
			t.Errorf("%q: the scanner sees the end of a statement, Split does not: %+v", text, pieces)
		}
		if plain := !strings.ContainsAny(text, "\ufeff\u00a0[\\"); plain && done && !c.between() {
			t.Errorf("%q: the scanner waits for more, Split does not: %+v", text, pieces)
		}
	})
}

// Colouring changes nothing but colours, for whatever is being typed.
func FuzzHighlightKeepsTheText(f *testing.F) {
	for _, s := range []string{"select 'a' from t -- x", ".mode box", "'open", `"open`, "/* open\nlines", "1e+5", "a::text, $1 :name ?", "雪 'é' 1.5.", "\xff", ";;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = string([]rune(text)) // what an editor holds is valid
		if strings.Contains(text, "\x1b") {
			t.Skip()
		}
		got := highlight([]rune(text))
		var plain strings.Builder
		for got != "" {
			if i := strings.IndexByte(got, 'm'); strings.HasPrefix(got, "\x1b[") {
				got = got[i+1:]
				continue
			}
			plain.WriteByte(got[0])
			got = got[1:]
		}
		if plain.String() != text {
			t.Errorf("%q became %q", text, plain.String())
		}
		at := 0
		for _, k := range lex(text) {
			if k.Start < at || k.End <= k.Start || k.End > len(text) {
				t.Fatalf("%q: token %+v after %d", text, k, at)
			}
			at = k.End
		}
	})
}

func TestWordsOfDotCommands(t *testing.T) {
	for line, want := range map[string]string{
		".mode csv":                                ".mode|csv",
		"  .print 'a  b' c\"d e\"f ":               ".print|a  b|cd ef",
		".parameter set q 'it''s'":                 ".parameter|set|q|it's",
		".mode gallery image='https://x/{id}?w=1'": ".mode|gallery|image=https://x/{id}?w=1",
		".quit;": ".quit;",
	} {
		got, err := splitWords(line)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q %v", line, got, err)
		}
	}
	if _, err := splitWords(".print 'open"); err == nil {
		t.Error("an open quote is accepted")
	}
}
