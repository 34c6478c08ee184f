package parse

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2"
)

var update = flag.Bool("update", false, "rewrite testdata/errors.txt with the errors as they are")

// TestErrors checks the error of every wrong statement of testdata/errors.txt:
// the statement at the start of a line, its error indented below it.
func TestErrors(t *testing.T) {
	const name = "testdata/errors.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		src, want, _ := strings.Cut(block, "\n\t")
		_, err := Parse(strings.TrimPrefix(src, "(empty)"))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error is %v, want a *Error", src, err)
			continue
		}
		if e.Error() != want && !*update {
			t.Errorf("%s\nerror is\n\t%s\nwant\n\t%s", src, e, want)
		}
		checkPlace(t, src, e)
		fmt.Fprintf(&out, "%s\n\t%s\n\n", src, e)
	}
	if *update {
		if err := os.WriteFile(name, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLongList checks the error for a list that is longer than participle takes.
func TestLongList(t *testing.T) {
	defer func(n int) { participle.MaxIterations = n }(participle.MaxIterations)
	participle.MaxIterations = 100
	src := "SELECT " + strings.Repeat("a, ", 200) + "a"
	_, err := Parse(src)
	if want := "1:1: a list in this statement is too long: at most 100 elements"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	samePrinted(t, "VALUES "+strings.Repeat("(1), ", 200)+"(1)")
}

// checkPlace checks that line, column and offset of an error are the same place
// within src, and that it says something without words of the parser's inside.
func checkPlace(t *testing.T, src string, e *Error) {
	t.Helper()
	if e.Offset < 0 || e.Offset > len(src) {
		t.Errorf("%q: %v: offset %d is outside of the source", src, e, e.Offset)
		return
	}
	before := src[:e.Offset]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	if e.Line != line || e.Column != column {
		t.Errorf("%q: error is at %d:%d, its offset at %d:%d", src, e.Line, e.Column, line, column)
	}
	if e.Msg == "" || strings.ContainsAny(e.Msg, "\n") {
		t.Errorf("%q: message is %q", src, e.Msg)
	}
	for _, inside := range []string{"GSelect", "gName", "GTerm", "<EOF>", "lexer", "participle", "token", "%!"} {
		if strings.Contains(e.Error(), inside) && !strings.Contains(src, inside) {
			t.Errorf("%q: error speaks of %s: %v", src, inside, e)
		}
	}
}

// TestNesting checks that every way to nest has a limit and that a statement
// right below it is parsed and printed.
func TestNesting(t *testing.T) {
	t.Parallel()
	nest := func(open, inner, shut string, n int) string {
		return "SELECT " + strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	for _, test := range []struct {
		name              string
		open, inner, shut string
		fits              int
	}{
		{"parentheses", "(", "1", ")", 200},
		{"functions", "f(", "1", ")", 200},
		{"case", "CASE WHEN ", "a", " THEN 1 END", 200},
		{"queries", "(SELECT ", "1", ")", 40},
		{"tables", "* FROM (SELECT ", "1", ")", 40},
		{"exists", "EXISTS (SELECT ", "1", ")", 40},
		{"in", "a IN (", "1", ")", 200},
		{"not", "NOT ", "a", "", 1000},
		{"signs", "- ", "a", "", 200},
		{"not in operands", "a = NOT ", "a", "", 200},
		{"casts", "", "a", "::TEXT", 4000},
		{"is null", "", "a", " IS NULL", 200},
		{"sums", "", "a", " + 1", 4000},
		{"or", "", "a", " OR a = 1", 4000},
		{"joins of parentheses", "* FROM (t JOIN ", "u", " ON TRUE)", 1},
		{"joins", "* FROM t", "", " CROSS JOIN t", 1},
		{"unions", "1", "", " UNION ALL SELECT 1", 1},
	} {
		if src := nest(test.open, test.inner, test.shut, test.fits); test.fits > 1 {
			samePrinted(t, src)
		}
		for _, n := range []int{8_000} {
			_, err := Parse(nest(test.open, test.inner, test.shut, n))
			if err == nil {
				t.Errorf("%s: %d levels are accepted", test.name, n)
			}
		}
	}
}

// TestUnclosed checks that deep nesting without an end is no trouble either.
func TestUnclosed(t *testing.T) {
	for _, s := range []string{"(", "((SELECT ", "CASE ", "[", "[1,", "f(", "a IN ((SELECT", "/*", "'", "\"", "EXPLAIN ", "NOT ", "WITH x AS (", "(VALUES (", "* FROM (", "?", "$1", "$a ", "$$", "$a$$", ":a", "-", "."} {
		src := "SELECT " + strings.Repeat(s, 100_001)
		if _, err := Parse(src); err == nil {
			t.Errorf("%s... is accepted", src[:20])
		}
		Split(src)
	}
}

// TestLarge parses inputs of megabytes; anything but linear time would not come
// to an end.
func TestLarge(t *testing.T) {
	list := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+", ", n), ", ") }
	vector := "[" + list("0.123456", 512) + "]"
	for name, src := range map[string]string{
		"values":     "INSERT INTO t VALUES " + list("(1, 'a', NULL)", 10_000),
		"vectors":    "INSERT INTO t VALUES " + list("("+vector+")", 500),
		"items":      "SELECT " + list("a AS b", 10_000) + " FROM t",
		"in":         "SELECT a IN (" + list("'x'", 40_000) + ")",
		"parens":     "SELECT " + list(strings.Repeat("(", 200)+"1"+strings.Repeat(")", 200), 500),
		"queries":    "SELECT " + list("((SELECT 1) + 1)", 5_000),
		"text":       "SELECT '" + strings.Repeat("''", 1_000_000) + "'",
		"comment":    "SELECT 1 " + strings.Repeat("/* x */", 20_000),
		"long lines": "SELECT " + list("ünïcödé", 20_000),
	} {
		if _, err := Parse(src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(Split(src)); n != 1 {
			t.Errorf("%s: split into %d", name, n)
		}
	}
	src := strings.Repeat("SELECT 1; -- one\n", 10_000)
	all, err := ParseAll(src)
	if err != nil || len(all) != 10_000 || len(Split(src)) != 10_000 {
		t.Errorf("10,000 statements: parsed %d, split %d, %v", len(all), len(Split(src)), err)
	}
}
