package parse

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for src, want := range map[string][]string{
		"":                                        nil,
		" \n -- nothing\n;; /**/ ;":               nil,
		"SELECT 1":                                {"SELECT 1..."},
		"SELECT 1;":                               {"SELECT 1"},
		" SELECT 1 ; SELECT 2 -- b":               {"SELECT 1", "SELECT 2..."},
		"SELECT ';' ; SELECT \";\"":               {"SELECT ';'", "SELECT \";\"..."},
		"a -- ; b\n; c /* ; /* ; */ ; */ d;":      {"a -- ; b", "c /* ; /* ; */ ; */ d"},
		"SELECT 'it''s; fine';x":                  {"SELECT 'it''s; fine'", "x..."},
		"SELECT 'open; SELECT 2;":                 {"SELECT 'open; SELECT 2;..."},
		"SELECT \"open; SELECT 2;":                {"SELECT \"open; SELECT 2;..."},
		"SELECT 1; /* open ;":                     {"SELECT 1", "/* open ;..."},
		"SELECT E'\\'; ' ; SELECT $1 + ? + :n; x": {"SELECT E'\\'; '", "SELECT $1 + ? + :n", "x..."},
		"SELECT $$a; 'b$$ || $x$$$;$x$;c":         {"SELECT $$a; 'b$$ || $x$$$;$x$", "c..."},
		"SELECT $1$$;$$; a$b$; $c$":               {"SELECT $1$$;$$", "a$b$", "$c$..."},
		"SELECT $$open; SELECT 2;":                {"SELECT $$open; SELECT 2;..."},
		"SELECT $a; SELECT $1a$;":                 {"SELECT $a", "SELECT $1a$"},
		"SELECT [1, 2; SELECT @ ` {;":             {"SELECT [1, 2", "SELECT @ ` {"},
		"SELECT [1,":                              {"SELECT [1,..."},
		"SELECT \xff; SELECT 2;":                  {"SELECT \xff", "SELECT 2"},
		"SELECT 1;\n":                             {"SELECT 1"},
	} {
		var got []string
		for _, p := range Split(src) {
			text := p.Text
			if strings.HasSuffix(text, "-- b") {
				text = strings.TrimSpace(strings.TrimSuffix(text, "-- b"))
			}
			if !p.Complete {
				text += "..."
			}
			got = append(got, text)
		}
		for i, w := range want { // a comment before the ; is no part of the text
			want[i] = strings.TrimSpace(strings.TrimSuffix(w, "-- ; b"))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q splits into %q, want %q", src, got, want)
		}
	}
}

func TestSplitPlaces(t *testing.T) {
	src := "SELECT 1;\n\n  SELECT 'é' ; /* x */ SELECT 3"
	var got []string
	for _, p := range Split(src) {
		got = append(got, fmt.Sprintf("%d:%d %d-%d %s", p.Line, p.Column, p.Offset, p.End, p.Text))
	}
	want := []string{"1:1 0-9 SELECT 1", "3:3 13-26 SELECT 'é'", "3:24 35-43 SELECT 3"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
