package block

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

var kinds = []value.Kind{value.Boolean, value.Integer, value.Real, value.Text, value.Timestamp, value.Date, value.Blob, value.JSON, value.Interval, value.Numeric}

// randomColumn draws from distributions that lead to every encoding.
func randomColumn(r *rand.Rand, k value.Kind, n int) *value.Column {
	c := &value.Column{Type: value.Type{Kind: k}}
	nulls := r.IntN(3) * r.IntN(60)
	shape := r.IntN(6)
	base := int64(r.Uint64()) >> r.IntN(64)
	for i := range n {
		if r.IntN(100) < nulls {
			c.Append(i, value.Value{})
			continue
		}
		switch k {
		case value.Boolean:
			c.Append(i, value.Bool(r.IntN(2) == 1))
		case value.Integer, value.Timestamp, value.Date:
			x := base
			switch shape {
			case 1:
				x += int64(i)
			case 2:
				x += int64(r.IntN(200))
			case 3:
				x += int64(i)*1000003 + int64(r.IntN(900))
			case 4:
				x = int64(r.Uint64())
			case 5:
				x = []int64{math.MinInt64, math.MaxInt64, 0, -1}[r.IntN(4)]
			}
			switch k {
			case value.Timestamp:
				c.Append(i, value.Micros(x))
			case value.Date:
				c.Append(i, value.Days(x))
			default:
				c.Append(i, value.Int(x))
			}
		case value.Real:
			x := float64(base)
			switch shape {
			case 1:
				x = r.NormFloat64()
			case 2:
				x = float64(float32(r.NormFloat64()))
			case 3:
				x = []float64{math.Inf(1), math.Copysign(0, -1), 0, math.NaN()}[r.IntN(4)]
			}
			c.Append(i, value.Float(x))
		default:
			s := fmt.Sprint(base)
			switch shape {
			case 1:
				s = fmt.Sprint("value ", r.IntN(5))
			case 2:
				s = fmt.Sprint(r.IntN(400), " of four hundred")
			case 3:
				b := make([]byte, r.IntN(100))
				for j := range b {
					b[j] = byte(r.Uint32())
				}
				s = string(b)
			case 4:
				s = ""
			}
			c.Append(i, value.WithBody(k, s))
		}
	}
	return c
}

func same(a, b value.Value) bool {
	if a.Kind() != b.Kind() || a.Str() != b.Str() {
		return false
	}
	if a.Kind() == value.Real {
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	}
	return a.Int() == b.Int()
}

// What was encoded comes back, block by block through one reused column and
// value by value.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[string]bool{}
	outs := map[value.Kind]*value.Column{}
	for _, k := range kinds {
		outs[k] = new(value.Column)
	}
	for i := range 4000 {
		k := kinds[i%len(kinds)]
		n := []int{0, 1, 2, 7, 8, 9, 63, 64, 65, 200, 1023, 1024}[r.IntN(12)]
		c := randomColumn(r, k, n)
		enc := Encode([]byte("before"), c, n)[6:]
		seen[fmt.Sprint(k, enc[2])] = true
		out := outs[k]
		got, err := Decode(enc, c.Type, out)
		if err != nil || got != n || Rows(enc) != n {
			t.Fatalf("%v: %d rows, %v; want %d", k, got, err, n)
		}
		opened, err := Open(enc, k)
		if err != nil {
			t.Fatal(err)
		}
		for j := range n {
			v, err := At(enc, c.Type, j)
			if err != nil || !same(v, c.Value(j)) || !same(out.Value(j), v) {
				t.Fatalf("%v encoding %d, row %d of %d: put %v, got %v and %v, %v", k, enc[2], j, n, c.Value(j), out.Value(j), v, err)
			}
			if out.Codes != nil && !c.Null(j) && out.Values[out.Codes[j]] != c.Strs[j] {
				t.Fatalf("%v, row %d of %d: the text %q, want %q", k, j, n, out.Values[out.Codes[j]], c.Strs[j])
			}
			if j == 0 {
				joined := strings.Join(out.Values, "")
				if out.Codes == nil && out.Nulls == nil {
					joined = strings.Join(out.Strs, "")
				}
				if out.Joined != joined {
					t.Fatalf("%v encoding %d: joined texts %q, want %q", k, enc[2], out.Joined, joined)
				}
			}
			if (enc[2] == dictionary) != (out.Codes != nil) {
				t.Fatalf("%v encoding %d: codes %v", k, enc[2], out.Codes)
			}
			if v, err := opened.At(j); err != nil || !same(v, c.Value(j)) {
				t.Fatalf("%v encoding %d, row %d of %d: put %v, got %v of the opened block, %v", k, enc[2], j, n, c.Value(j), v, err)
			}
			if v, ok := opened.Int(j); ok != (opened.isInt() && !c.Null(j)) || ok && v != c.Ints[j] {
				t.Fatalf("%v encoding %d, row %d of %d: put %v, got the integer %d, %v", k, enc[2], j, n, c.Value(j), v, ok)
			}
			if v.IsNull() {
				out.Nulls = nil
				if z := out.Value(j); z.Int() != 0 || z.Str() != "" {
					t.Fatalf("%v: the slot of a NULL holds %v", k, z)
				}
				if _, err := Decode(enc, c.Type, out); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, want := range []string{
		"BOOLEAN 0", "INTEGER 0", "INTEGER 2", "INTEGER 3", "REAL 0", "REAL 1", "REAL 4", "TEXT 0", "TEXT 5",
	} {
		if !seen[want] {
			t.Errorf("no block had encoding %q", want)
		}
	}
}

// Sizes that the encodings are there for.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(i int) value.Value
		max  int
	}{
		{"ids in order", func(i int) value.Value { return value.Int(int64(i) + 5e9) }, 24},
		{"one text for all", func(i int) value.Value { return value.Str("a photo of a wolf") }, 32},
		{"few texts", func(i int) value.Value { return value.Str(fmt.Sprint("photographer ", i%100)) }, 3100},
		{"widths of pictures", func(i int) value.Value { return value.Int(int64(640 + i*7%4000)) }, 2064},
		{"all NULL", func(i int) value.Value { return value.Value{} }, 160},
	} {
		kind := c.at(0).Kind()
		if kind == value.Null {
			kind = value.Integer
		}
		col := &value.Column{Type: value.Type{Kind: kind}}
		for i := range 1024 {
			col.Append(i, c.at(i))
		}
		if n := len(Encode(nil, col, 1024)); n > c.max {
			t.Errorf("%s: %d bytes, want at most %d", c.name, n, c.max)
		}
	}
}

// Bytes that no encoder wrote give an error or values, and values that encode
// to the same values again.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 60 {
		k := kinds[i%len(kinds)]
		f.Add(Encode(nil, randomColumn(r, k, 20), 20), uint8(k))
	}
	f.Fuzz(func(t *testing.T, src []byte, kind uint8) {
		typ := value.Type{Kind: value.Kind(kind)}
		var a, b value.Column
		n, err := Decode(src, typ, &a)
		opened, bad := Open(src, typ.Kind)
		if err == nil && bad != nil {
			t.Fatal(bad)
		}
		for i := range Rows(src) {
			v, err := At(src, typ, i)
			if bad != nil {
				if err == nil {
					t.Fatalf("row %d of a block that can't be opened: %v", i, v)
				}
				continue
			}
			if w, err2 := opened.At(i); (err == nil) != (err2 == nil) || !same(v, w) {
				t.Fatalf("row %d: At %v, %v, of the opened block %v, %v", i, v, err, w, err2)
			}
		}
		for i := range n {
			if v, err := At(src, typ, i); err != nil || typ.Kind != value.Vector && !same(v, a.Value(i)) {
				t.Fatalf("row %d: Decode %v, At %v, %v", i, a.Value(i), v, err)
			}
		}
		if err != nil || typ.Kind == value.Vector {
			return
		}
		m, err := Decode(Encode(nil, &a, n), typ, &b)
		if err != nil || m != n {
			t.Fatalf("%d rows became %d, %v", n, m, err)
		}
		for i := range n {
			if !same(a.Value(i), b.Value(i)) {
				t.Fatalf("row %d: %v became %v", i, a.Value(i), b.Value(i))
			}
		}
	})
}
