package parse

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func seeds(f *testing.F) {
	for _, s := range statements {
		f.Add(s)
	}
	text, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		f.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		src, _, _ := strings.Cut(block, "\n\t")
		f.Add(src)
	}
	f.Add(strings.Join(statements, ";\n"))
}

// FuzzParse: whatever parses prints as text with the same tree; whatever does
// not has an error with a place.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		stmt, err := Parse(src)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: error is a %T: %v", src, err, err)
			}
			checkPlace(t, src, e)
			return
		}
		Walk(stmt, func(n Node) bool {
			if p := n.Position(); p.Offset < 0 || p.Offset > len(src) || p.Line < 1 || p.Column < 1 {
				t.Errorf("%q: a %T is at %+v", src, n, p)
			}
			return n.String() != ""
		})
		samePrinted(t, src)
	})
}

// FuzzSplit: the pieces are what ParseAll parses one by one, in order, and
// splitting a piece gives the piece.
func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		pieces := Split(src)
		end := 0
		for i, p := range pieces {
			if p.Offset < end || p.End < p.Offset+len(p.Text) || p.End > len(src) || src[p.Offset:p.Offset+len(p.Text)] != p.Text {
				t.Fatalf("%q: piece %d is %+v", src, i, p)
			}
			end = p.End
			if !p.Complete && i < len(pieces)-1 {
				t.Fatalf("%q: piece %d is not complete", src, i)
			}
			if again := Split(p.Text); len(again) != 1 || again[0].Text != p.Text || again[0].Complete {
				t.Fatalf("%q: piece %q splits into %+v", src, p.Text, again)
			}
		}
		all, err := ParseAll(src)
		if err == nil && len(all) != len(pieces) || len(all) > len(pieces) {
			t.Fatalf("%q: %d statements, %d pieces", src, len(all), len(pieces))
		}
		for i, stmt := range all {
			one, err := Parse(pieces[i].Text)
			if err != nil || one.String() != stmt.String() {
				t.Fatalf("%q: piece %q parses to %v, %v", src, pieces[i].Text, one, err)
			}
		}
	})
}
