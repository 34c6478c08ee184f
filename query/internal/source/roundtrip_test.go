package source_test

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

var allTypes = []value.Type{{Kind: value.Boolean}, {Kind: value.Integer}, {Kind: value.Real}, {Kind: value.Text},
	{Kind: value.Timestamp}, {Kind: value.Blob}, {Kind: value.JSON}, {Kind: value.Vector, Dim: 3}}

// tableFormats are the formats that hold tables of all types.
var tableFormats = []string{"csv", "tsv", "jsonl", "parquet"}

// randomValue returns a value of type t, now and then NULL or an odd one.
func randomValue(rng *rand.Rand, t value.Type, nulls bool) value.Value {
	if nulls && rng.Intn(5) == 0 {
		return value.Value{}
	}
	pick := func(odd ...value.Value) value.Value { return odd[rng.Intn(len(odd))] }
	odd := rng.Intn(3) == 0
	switch t.Kind {
	case value.Boolean:
		return value.Bool(rng.Intn(2) == 0)
	case value.Integer:
		if odd {
			return pick(value.Int(math.MinInt64), value.Int(math.MaxInt64), value.Int(0), value.Int(-1))
		}
		return value.Int(rng.Int63() - rng.Int63())
	case value.Real:
		if odd {
			return pick(value.Float(math.Inf(1)), value.Float(math.Inf(-1)), value.Float(math.MaxFloat64),
				value.Float(math.SmallestNonzeroFloat64), value.Float(0.1), value.Float(math.Copysign(0, -1)), value.Float(math.NaN()), value.Float(-7), value.Float(1e15), value.Float(1e300))
		}
		return value.Float(rng.NormFloat64())
	case value.Text:
		if odd {
			return pick(value.Str(""), value.Str(" "), value.Str("NULL"), value.Str(`"`), value.Str("a,b"), value.Str("line\nline"),
				value.Str("tab\there"), value.Str(`\N`), value.Str("Käfer 🐞"), value.Str(`""`), value.Str("cr\rx"), value.Str("<b>&"), value.Str("\u2028"),
				value.Str("x\r\ny"), value.Str("\r"), value.Str("\n"), value.Str("\r\n"), value.Str("ends "), value.Str("\ufeffmark"), value.Str("a;b|c"),
				value.Str("\x00\x01\x1b[31m\x7f"), value.Str("\"a\"b"), value.Str("a\"b"), value.Str("[1,2]"), value.Str("1e5"), value.Str("\\."), value.Str("NaN"))
		}
		return value.Str(fmt.Sprint("text ", rng.Intn(1000)))
	case value.Timestamp:
		if odd {
			return pick(value.Micros(value.MinTimestamp), value.Micros(value.MaxTimestamp), value.Micros(0), value.Micros(-1))
		}
		return value.Micros(rng.Int63n(2e15))
	case value.Blob:
		if odd {
			return pick(value.BlobOf(""), value.BlobOf("\x00\xff"), value.BlobOf(`\x41`))
		}
		return value.BlobOf(string([]byte{byte(rng.Intn(256)), 1, 2}))
	case value.JSON:
		return pick(value.RawJSON(`{"a":[1,"x"]}`), value.RawJSON(`"text"`), value.RawJSON("12"), value.RawJSON("[]"), value.RawJSON(`{"k":"a\"b"}`), value.RawJSON(`{"a": [1, null]}`))
	}
	v := make([]float32, t.Dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
		if odd {
			v[i] = []float32{0, -1.5, math.MaxFloat32, math.SmallestNonzeroFloat32}[rng.Intn(4)]
		}
	}
	return value.Vec(v)
}

func table(rng *rand.Rand, types []value.Type, rows int, nulls bool) (cols []source.Column, data [][]value.Value) {
	for i, t := range types {
		cols = append(cols, source.Column{fmt.Sprintf("c%d", i), t})
	}
	for range rows {
		row := make([]value.Value, len(types))
		for k, t := range types {
			row[k] = randomValue(rng, t, nulls)
		}
		data = append(data, row)
	}
	return cols, data
}

func writeTable(t testing.TB, path, format string, cols []source.Column, data [][]value.Value, o source.Options) {
	t.Helper()
	w, err := source.Create(path, format, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(len(data), 700)
		b := source.NewBatch(cols)
		for i, row := range data[:n] {
			for k, c := range b.Cols {
				c.Append(i, row[k])
			}
			// A row that is not selected must not be written.
			b.Len++
			b.Sel = append(b.Sel, int32(i))
		}
		for _, c := range b.Cols {
			c.Append(b.Len, value.Value{})
		}
		b.Len++
		if err := w.Write(context.Background(), b); err != nil {
			w.Abort()
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func readAll(r source.Reader) (data [][]value.Value, err error) {
	for {
		b, err := r.Next(context.Background())
		if b == nil || err != nil {
			return data, err
		}
		for i := range b.Len {
			row := make([]value.Value, len(b.Cols))
			for k, c := range b.Cols {
				row[k] = c.Value(i)
				if v := row[k].Vec(); v != nil {
					row[k] = value.Vec(slices.Clone(v))
				}
			}
			data = append(data, row)
		}
	}
}

func equalTables(t testing.TB, got, want [][]value.Value) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		for k := range want[i] {
			if g, w := got[i][k], want[i][k]; g.Kind() != w.Kind() || value.Compare(g, w) != 0 {
				t.Fatalf("row %d column %d: %v %q, want %v %q", i+1, k+1, g.Kind(), g, w.Kind(), w)
			}
		}
	}
}

// Every type survives export and import into columns of the same types.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for _, format := range tableFormats {
		for seed := range int64(5) {
			for _, o := range []source.Options{{}, {Null: "NULL"}, {Delimiter: "."}, {Delimiter: "::"}, {Delimiter: "1", Null: "0"}, {Delimiter: "["}, {Delimiter: " ", Null: "true"}, {Delimiter: "e-"}} {
				if o.Delimiter != "" && format != "csv" && format != "tsv" {
					continue
				}
				rng := rand.New(rand.NewSource(seed))
				rows := []int{0, 1, 20, 1024, 3000}[seed]
				cols, data := table(rng, allTypes, rows, true)
				path := filepath.Join(dir, "t."+format)
				writeTable(t, path, format, cols, data, o)
				o.Header = source.HeaderYes
				for _, c := range cols {
					o.Names = append(o.Names, c.Name)
				}
				r, err := source.Open(path, "", o)
				if err != nil {
					t.Fatal(format, err)
				}
				pick := make([]int, len(allTypes))
				for i := range pick {
					pick[i] = i
				}
				if err := r.Project(pick, allTypes); err != nil {
					t.Fatal(format, err)
				}
				got, err := readAll(r)
				if err != nil {
					t.Fatal(format, err)
				}
				equalTables(t, got, data)
				done, total := r.Progress()
				if format != "parquet" && done != total {
					t.Errorf("%s: progress ends at %d of %d", format, done, total)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// A table of one column survives, its NULLs and empty texts too.
func TestRoundTripOfOneColumn(t *testing.T) {
	dir := t.TempDir()
	for _, format := range tableFormats {
		for _, typ := range allTypes {
			for seed := range int64(3) {
				cols, data := table(rand.New(rand.NewSource(seed)), []value.Type{typ}, 200, true)
				path := filepath.Join(dir, "t."+format)
				writeTable(t, path, format, cols, data, source.Options{})
				r, err := source.Open(path, "", source.Options{Header: source.HeaderYes, Names: []string{"c0"}})
				if err != nil {
					t.Fatal(format, typ, err)
				}
				if err := r.Project([]int{0}, []value.Type{typ}); err != nil {
					t.Fatal(format, typ, err)
				}
				got, err := readAll(r)
				if err != nil {
					t.Fatal(format, typ, err)
				}
				equalTables(t, got, data)
				r.Close()
			}
		}
	}
}

func TestRoundTripNPY(t *testing.T) {
	for _, typ := range []value.Type{{Kind: value.Boolean}, {Kind: value.Integer}, {Kind: value.Real}, {Kind: value.Timestamp}, {Kind: value.Vector, Dim: 7}} {
		for _, rows := range []int{0, 1, 2500} {
			cols, data := table(rand.New(rand.NewSource(1)), []value.Type{typ}, rows, false)
			path := filepath.Join(t.TempDir(), "a.npy")
			writeTable(t, path, "", cols, data, source.Options{})
			r, err := source.Open(path, "", source.Options{})
			if err != nil {
				t.Fatal(typ, err)
			}
			if c := r.Columns()[0]; c.Type != typ || c.Name != "a" || r.Rows() != int64(rows) {
				t.Fatalf("%v, %d rows", c, r.Rows())
			}
			got, err := readAll(r)
			if err != nil {
				t.Fatal(err)
			}
			equalTables(t, got, data)
			r.Close()
		}
	}
}

// What read_csv and read_jsonl find out by themselves is the types written.
func TestInfer(t *testing.T) {
	types := []value.Type{{Kind: value.Boolean}, {Kind: value.Integer}, {Kind: value.Real}, {Kind: value.Text}, {Kind: value.Timestamp}, {Kind: value.Vector, Dim: 3}}
	for _, format := range tableFormats {
		cols, data := table(rand.New(rand.NewSource(3)), types, 500, true)
		path := filepath.Join(t.TempDir(), "t."+format)
		writeTable(t, path, format, cols, data, source.Options{})
		r, err := source.Open(path, "", source.Options{Infer: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Columns(), cols) {
			t.Errorf("%s: %v, want %v", format, r.Columns(), cols)
		}
		got, err := readAll(r)
		if err != nil {
			t.Fatal(format, err)
		}
		equalTables(t, got, data)
		r.Close()
	}
}

// A writer that is aborted, or that fails, leaves the directory as it was.
func TestAbort(t *testing.T) {
	for _, format := range source.Formats(true) {
		dir := t.TempDir()
		path := filepath.Join(dir, "x."+format)
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		cols := []source.Column{{"path", value.Type{Kind: value.Text}}}
		if format == "npy" {
			cols[0].Type = value.Type{Kind: value.Integer}
		}
		w, err := source.Create(path, format, cols, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := source.NewBatch(cols)
		b.Len = 1
		if format == "npy" {
			b.Cols[0].Append(0, value.Int(1))
		} else {
			b.Cols[0].Append(0, value.Str("x"))
		}
		if err := w.Write(context.Background(), b); err != nil {
			t.Error(format, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := w.Write(ctx, b); err != context.Canceled {
			t.Errorf("%s: %v after cancel", format, err)
		}
		w.Abort()
		w.Abort()
		entries, _ := os.ReadDir(dir)
		if old, _ := os.ReadFile(path); len(entries) != 1 || string(old) != "old" {
			t.Errorf("%s: %d files, %q", format, len(entries), old)
		}
	}
}
