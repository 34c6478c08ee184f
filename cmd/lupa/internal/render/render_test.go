package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a result with everything that is hard to lay out: wide and
// combining characters, emoji, NULL and the text NULL, control characters,
// markup, long texts, vectors and blobs.
func sample() ([]Column, [][]value.Value) {
	cols := []Column{
		{"id", value.Type{Kind: value.Integer}},
		{"caption", value.Type{Kind: value.Text}},
		{"score", value.Type{Kind: value.Real}},
		{"ok", value.Type{Kind: value.Boolean}},
		{"taken", value.Type{Kind: value.Timestamp}},
		{"clip", value.Type{Kind: value.Vector, Dim: 6}},
		{"raw", value.Type{Kind: value.Blob}},
		{"meta", value.Type{Kind: value.JSON}},
	}
	vec := value.Vec([]float32{0.1, -0.25, 1, 0, 3e-9, 1e20})
	at := value.Micros(1_638_673_503_000_000)
	row := func(id int64, caption string) []value.Value {
		return []value.Value{value.Int(id), value.Str(caption), value.Float(0.31234567890123), value.Bool(true), at, vec,
			value.Bytes([]byte{0xde, 0xad}), value.RawJSON(`{"a": [1, "x"]}`)}
	}
	rows := [][]value.Value{
		row(1, "a dog"),
		row(22, "雪の中の虎"),
		row(333, "de\u0301ja\u0300 vu"), // combining accents
		row(4, "family 👨‍👩‍👧 and 🇫🇷"),
		row(-5, "line\nbreak\tand\x1b[31mred\x1b[0m\u202etxt"),
		row(6, "<script>alert(1)</script> & \"quotes\", | pipe"),
		row(7, "NULL"),
		row(8, ""),
		row(9, "not utf-8: \xff\xfe"),
		row(10, strings.Repeat("a very long caption ", 20)),
		{value.Int(math.MinInt64), {}, {}, {}, {}, {}, {}, {}},
		{value.Int(12), value.Str("numbers"), value.Float(3), value.Bool(false), value.Micros(1), value.Vec([]float32{1, 0, 0, 0, 0, 0}), value.Bytes(make([]byte, 100)), value.RawJSON("null")},
	}
	return cols, rows
}

func drawn(t *testing.T, mode string, o Options, cols []Column, rows [][]value.Value) string {
	t.Helper()
	var b bytes.Buffer
	r, err := New(mode, &b, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Begin(cols); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := r.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (-update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what is written now (-update writes it):\n%s", file, got)
	}
}

func TestGolden(t *testing.T) {
	cols, rows := sample()
	for _, m := range Modes() {
		t.Run(m.Name, func(t *testing.T) {
			golden(t, m.Name+".file.golden", drawn(t, m.Name, Options{}, cols, rows))
			golden(t, m.Name+".screen.golden", drawn(t, m.Name, Options{Screen: true, Escape: true, Color: true, Width: 100, MaxRows: 6}, cols, rows))
			golden(t, m.Name+".empty.golden", drawn(t, m.Name, Options{}, cols, nil))
		})
	}
}

// A terminal must never be sent a control character out of the data, in any
// mode; SGR sequences are the renderer's own.
func TestScreenIsSafe(t *testing.T) {
	cols, rows := sample()
	cols[1].Name = "cap\x1b]0;title\ation"
	for _, m := range Modes() {
		out := drawn(t, m.Name, Options{Screen: true, Escape: true, Width: 80}, cols, rows)
		for i, c := range out {
			if c != '\n' && c != '\t' && acts(c) {
				t.Errorf("%s: %q at byte %d: %.60q", m.Name, c, i, out[i:])
				break
			}
		}
	}
}

// Every line of a grid is as wide as the others, and fits where it has to.
func TestGridIsEven(t *testing.T) {
	cols, rows := sample()
	for _, mode := range []string{"box", "table", "markdown"} {
		for width := 20; width < 240; width += 13 {
			out := drawn(t, mode, Options{Screen: true, Width: width}, cols, rows)
			lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
			for _, l := range lines {
				if strings.HasSuffix(l, "shown") {
					continue
				}
				if Width(l) != Width(lines[0]) {
					t.Fatalf("%s at %d: %d and %d columns wide:\n%s", mode, width, Width(lines[0]), Width(l), out)
				}
				if Width(l) > max(width, 30) {
					t.Fatalf("%s: %d columns do not fit %d:\n%s", mode, Width(l), width, out)
				}
			}
		}
	}
}

// What programs read back is what was written, shortened nowhere, also when the
// output happens to be a screen.
func TestMachineFormatsKeepEverything(t *testing.T) {
	cols, rows := sample()
	for _, o := range []Options{{}, {Screen: true, Width: 40, MaxRows: 2}} {
		got, err := csv.NewReader(strings.NewReader(drawn(t, "csv", o, cols, rows))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(rows)+1 {
			t.Fatalf("csv has %d rows, want %d", len(got)-1, len(rows))
		}
		for i, row := range rows {
			for j, v := range row {
				if got[i+1][j] != Text(v) {
					t.Errorf("csv row %d column %d is %q, want %q", i, j, got[i+1][j], Text(v))
				}
			}
		}
		var objects []map[string]any
		if err := json.Unmarshal([]byte(drawn(t, "json", o, cols, rows)), &objects); err != nil {
			t.Fatal(err)
		}
		if len(objects) != len(rows) || objects[1]["caption"] != "雪の中の虎" || objects[10]["caption"] != nil ||
			len(objects[0]["clip"].([]any)) != 6 || objects[4]["caption"] != rows[4][1].Str() {
			t.Errorf("json came back as %v", objects)
		}
		lines := strings.Split(strings.TrimRight(drawn(t, "jsonl", o, cols, rows), "\n"), "\n")
		if len(lines) != len(rows) {
			t.Errorf("jsonl has %d lines, want %d", len(lines), len(rows))
		}
		for _, l := range lines {
			if !json.Valid([]byte(l)) {
				t.Errorf("not JSON: %s", l)
			}
		}
		tsv := csv.NewReader(strings.NewReader(drawn(t, "tsv", o, cols, rows)))
		tsv.Comma = '\t'
		if lines, err := tsv.ReadAll(); err != nil || len(lines[0]) != len(cols) {
			t.Errorf("tsv: %v", err)
		}
	}
}

// NULL, the empty text and the text NULL look different in every mode.
func TestNullIsDistinguishable(t *testing.T) {
	cols := []Column{{"v", value.Type{Kind: value.Text}}}
	for _, m := range Modes() {
		if m.Name == "quiet" {
			continue
		}
		seen := map[string]string{}
		for name, v := range map[string]value.Value{"NULL": {}, "empty": value.Str(""), "text": value.Str("NULL")} {
			out := drawn(t, m.Name, Options{}, cols, [][]value.Value{{v}})
			if other, ok := seen[out]; ok {
				t.Errorf("%s: %s and %s both give\n%s", m.Name, name, other, out)
			}
			seen[out] = name
		}
	}
}

// A result of many rows is streamed: what is kept doesn't grow with it.
func TestLongGridStreams(t *testing.T) {
	var b bytes.Buffer
	r, _ := New("table", &b, Options{})
	r.Begin([]Column{{"n", value.Type{Kind: value.Integer}}})
	for i := range 3 * settleRows {
		r.Row([]value.Value{value.Int(int64(i))})
	}
	g := r.(*flusher).Renderer.(*grid)
	if len(g.head)+len(g.tail) > settleRows {
		t.Errorf("%d rows are held", len(g.head)+len(g.tail))
	}
	r.End()
	if n := strings.Count(b.String(), "\n"); n != 3*settleRows+4 {
		t.Errorf("%d lines, want %d", n, 3*settleRows+4)
	}
}

// However many rows there are, a screen shows the first, the last, and what was
// left out.
func TestElision(t *testing.T) {
	cols := []Column{{"n", value.Type{Kind: value.Integer}}}
	for n := 0; n < 30; n++ {
		var rows [][]value.Value
		for i := 1; i <= n; i++ {
			rows = append(rows, []value.Value{value.Int(int64(i))})
		}
		for limit := 1; limit < 12; limit++ {
			out := drawn(t, "box", Options{Screen: true, MaxRows: limit, Width: 80}, cols, rows)
			var want []string
			for i := 1; i <= n; i++ {
				if n <= limit || i <= (limit+1)/2 || i > n-limit/2 {
					want = append(want, fmt.Sprint(i))
				} else if i == (limit+1)/2+1 {
					want = append(want, "·")
				}
			}
			var got []string
			for _, l := range strings.Split(out, "\n")[3:] {
				if strings.HasPrefix(l, "│") {
					got = append(got, strings.Trim(l, "│ "))
				}
			}
			if strings.Join(got, ",") != strings.Join(want, ",") {
				t.Fatalf("%d rows, limit %d: %v, want %v", n, limit, got, want)
			}
			if strings.Contains(out, "shown") != (n > limit) {
				t.Errorf("%d rows, limit %d: the note is wrong:\n%s", n, limit, out)
			}
		}
	}
}

// Widths given for columns hold whatever is in them, and for files as well.
func TestColumnWidths(t *testing.T) {
	var b bytes.Buffer
	r, err := New("table", &b, Options{Columns: []int{4, 0, -6}})
	if err != nil {
		t.Fatal(err)
	}
	r.Begin([]Column{{"first", value.Type{Kind: value.Text}}, {"second", value.Type{Kind: value.Text}}, {"c", value.Type{Kind: value.Text}}, {"d", value.Type{Kind: value.Integer}}})
	r.Row([]value.Value{value.Str("a long text"), value.Str("as long as needed"), value.Str("right"), value.Int(5)})
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	want := `+------+-------------------+--------+---+
| fir… | second            |      c | d |
+------+-------------------+--------+---+
| a l… | as long as needed |  right | 5 |
+------+-------------------+--------+---+
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"雪の中", 4, "雪…"}, {"雪の中", 5, "雪の…"}, {"雪", 1, "…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, {"👨‍👩‍👧👨‍👩‍👧", 3, "👨‍👩‍👧…"}, {"", 0, ""}, {"x", 0, ""},
	} {
		if got := Shorten(c.in, c.n); got != c.want || Width(got) > c.n {
			t.Errorf("Shorten(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestShortReal(t *testing.T) {
	for in, want := range map[float64]string{
		0: "0", 3: "3", 0.5: "0.5", 0.31234567890123: "0.312346", 1234567.891234567: "1234567.891235",
		0.00012345678: "0.000123457", 1e20: "1e+20", 1.0000000001: "1.0", 2.5e-9: "2.5e-09", -0.1234567: "-0.123457",
	} {
		if got := shortReal(in); got != want {
			t.Errorf("shortReal(%v) = %s, want %s", in, got, want)
		}
	}
}

func TestUnknownMode(t *testing.T) {
	if _, err := New("boxx", &bytes.Buffer{}, Options{}); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("the error doesn't say what there is: %v", err)
	}
}
