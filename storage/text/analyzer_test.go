package text

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/clipperhouse/uax29/v2/words"
)

func terms(t *testing.T, language, s string) []string {
	t.Helper()
	a, err := New(language)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, k := range a.Tokens(s) {
		if k.Pos != i || k.Start >= k.End || k.End > len(s) {
			t.Errorf("%q: token %d is %+v", s, i, k)
		}
		out = append(out, k.Term)
	}
	return out
}

func TestTerms(t *testing.T) {
	for _, c := range []struct{ language, text, want string }{
		{Simple, "The Grey wolves' CAFÉ, 3.14 and don't", "the grey wolves cafe 3.14 and don't"},
		{"english", "The running wolves were happily playing", "the run wolv were happili play"},
		{"english", "Café résumé", "cafe resum"},
		{"german", "Die Häuser standen in den Straßen", "die haus stand in den strass"},
		{"french", "Les chevaux mangeaient", "le cheval mang"},
		{"russian", "красивые волки", "красив волк"},
		{Simple, "東京都に行く wolf 東", "東京 京都 都に に行 行く wolf 東"},
		{Simple, "한국어 텍스트", "한국 국어 텍스 스트"},
		{Simple, "ＦＵＬＬ ﬁsh İstanbul ΣΊΣΥΦΟΣ", "full fish istanbul σισυφοσ"},
		{Simple, "a\xffb \xff c", "a b c"},
		{Simple, "👍 -- ... ", ""},
		{Simple, "कुत्ता", "कुत्ता"},
		{Trigram, "Wölf", "wol olf lf f"},
	} {
		if got := strings.Join(terms(t, c.language, c.text), " "); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.language, c.text, got, c.want)
		}
	}
}

// The quick way over ASCII cuts texts as Unicode's rules do.
func TestWordsAreThoseOfUnicode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	pieces := []string{"a", "Bc", "1", "23", "_", ".", ",", ":", ";", "'", " ", "  ", "-", "\n", "é", "ö", "\u0301", "…", "’", "/", "ж", "\"", "٣", "\u200d", "ﬁ"}
	a, _ := New(Simple)
	for range 200000 {
		var b strings.Builder
		for range 1 + r.IntN(9) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		s := b.String()
		var want []string
		for it := words.FromString(s); it.Next(); {
			if kindOf(it.Value()) == spacedWord {
				want = append(want, it.Value())
			}
		}
		var got []string
		for _, k := range a.Tokens(s) {
			got = append(got, s[k.Start:k.End])
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestQueries(t *testing.T) {
	for _, s := range []string{`"`, `(`, `)`, `a OR`, `OR a`, `-a`, `-`, `*`, `()`, `"" `, `a (b`, `a) b`, strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200)} {
		if _, err := ParseQuery(s, testColumns); err == nil && s != `""` {
			t.Errorf("%q is accepted", s)
		}
		Forgive(s)
	}
	if q, err := ParseQuery(`grey wolf -dog "in the snow" cast* OR (a or-b)`, testColumns); err != nil || q == nil {
		t.Fatal(q, err)
	}
}

var testColumns = []string{"caption", "Title", "in two words", `"`}

func TestFilters(t *testing.T) {
	for _, c := range [][2]string{
		{`caption:wolf`, `caption: wolf`},
		{`CAPTION : wolf title:"grey wolf"* snow`, `caption: wolf Title: "grey wolf"* snow`},
		{`{ caption  title } : (wolf OR fox) -caption:dog*`, `{caption Title}: (wolf OR fox) -caption: dog*`},
		{`"in two words": a """":b`, `"in two words": a """": b`},
		{`{caption "in two words"}: ("in two words": b)`, `{caption "in two words"}: "in two words": b`},
		{`caption: "title: wolf"`, `caption: "title: wolf"`},
		{`10:30 "caption: x" 'a'`, `"10:30" "caption: x" 'a'`},
		{`caption:NEAR ("grey wolf"* "in" dog*,3 ) NEAR(a b)`, `caption: NEAR("grey wolf"* "in" "dog"*, 3) NEAR("a" "b", 10)`},
		{`"NEAR" (a b) near(a b)`, `"NEAR" (a b) near (a b)`},
		{`NEAR(a b`, `a parenthesis of NEAR that is not closed at character 1`},
		{`x NEAR(a)`, `NEAR of less than two words or phrases at character 3`},
		{`NEAR(a b, c)`, `the distance of NEAR is no number from 0 to 1048576 at character 11`},
		{`NEAR(a b, 9999999)`, `the distance of NEAR is no number from 0 to 1048576 at character 11`},
		{`NEAR(a b, 3 c)`, `the distance of NEAR comes last at character 13`},
		{`NEAR(a (b c))`, `NEAR takes words and phrases, not ( at character 8`},
		{`NEAR(a -b)`, `NEAR takes words and phrases, not - at character 8`},
		{`NEAR(a OR b)`, `NEAR takes words and phrases, not OR at character 8`},
		{`NEAR(a caption: b)`, `NEAR takes words and phrases, not columns at character 8`},
		{`NEAR(a *)`, `* without the beginning of a word at character 8`},
		{`captoin: wolf`, `unknown column captoin at character 1 of the query "captoin: wolf" (searched: caption, Title, "in two words", """"; or put it in quotes with its colon to look for the text)`},
		{`snow {caption titel}: wolf`, `unknown column titel at character 15`},
		{`caption: (title: wolf)`, `unknown column title at character 11 of the query "caption: (title: wolf)" (searched: caption; or`},
		{`caption:`, `nothing to look for after the name of a column at character 9`},
		{`caption: OR wolf`, `nothing to look for after the name of a column at character 10`},
		{`(caption: )`, `nothing to look for after the name of a column at character 11`},
		{`wolf caption: -dog`, `the - stands before the name: -column: word`},
		{`{}: wolf`, `no columns between { and } at character 1`},
		{`{caption`, `the name of a column, or }, is missing at character 9`},
		{`{caption, title}: wolf`, `the name of a column, or }, is missing at character 9`},
		{`{caption} wolf`, `a colon is missing after } at character 11`},
		{`-caption: wolf`, `only excluded words at character 1`},
		{strings.Repeat("caption:", 200) + "wolf", `more than 100 filters and parentheses within each other`},
	} {
		q, err := ParseQuery(c[0], testColumns)
		if got := Format(q); err == nil && got != c[1] {
			t.Errorf("%s is %s, want %s", c[0], got, c[1])
		} else if err != nil && !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want %s", c[0], err, c[1])
		}
	}
	if got := Format(Forgive(`caption: wolf {x} a:b NEAR(c, 5)`)); got != `"caption:" wolf "{x}" "a:b" "NEAR" (c, 5)` {
		t.Errorf("a search box's colons and braces: %s", got)
	}
}

func FuzzForgive(f *testing.F) {
	f.Add(`a "b c" -(d OR e*)`)
	f.Add(`caption:NEAR(a "b c"*, 3) -NEAR (d"e"f*)`)
	f.Add(`caption: a -{caption "in two words"}:("""" : b) title:"c:"*`)
	f.Fuzz(func(t *testing.T, s string) {
		forgiven := Forgive(s)
		if again, err := ParseQuery(Format(forgiven), testColumns); err != nil || Format(again) != Format(forgiven) {
			t.Fatalf("%q: %q is read as %q, %v", s, Format(forgiven), Format(again), err)
		}
		if q, err := ParseQuery(s, testColumns); err != nil {
			if e := err.(*QueryError); e.At > len(s) {
				t.Fatalf("%q: %d", s, e.At)
			}
			_ = err.Error()
		} else if again, err := ParseQuery(Format(q), testColumns); err != nil || Format(again) != Format(q) {
			t.Fatalf("%q: %q is read as %q, %v", s, Format(q), Format(again), err)
		}
		for _, l := range []string{Simple, "german", Trigram} {
			a, _ := New(l)
			a.Each(s, func(k Token) {
				if k.Start >= k.End || k.End > len(s) || k.Term == "" || len(k.Term) > maxTerm+8 {
					t.Fatalf("%q: %+v", s, k)
				}
			})
		}
	})
}

// What LIKE and ILIKE hold for the same, an index of trigrams does, too: folding goes from
// character to character, and does not care for case.
func TestFoldingIsThatOfCharacters(t *testing.T) {
	a, _ := New(Trigram)
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		want := a.Fold(string(r))
		if got := a.Fold(strings.ToLower(string(r))); got != want {
			t.Errorf("%q: %q in lower case is %q", r, want, got)
		}
		if got := a.Fold(strings.ToUpper(string(r))); strings.ToLower(strings.ToUpper(string(r))) == strings.ToLower(string(r)) && got != want {
			t.Errorf("%q: %q in upper case is %q", r, want, got)
		}
	}
}
