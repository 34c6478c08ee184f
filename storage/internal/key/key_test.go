package key

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"github.com/lupadb/lupa/storage/value"
)

func randomValue(r *rand.Rand, k value.Kind) value.Value {
	if r.IntN(8) == 0 {
		return value.Value{}
	}
	switch k {
	case value.Boolean:
		return value.Bool(r.IntN(2) == 1)
	case value.Integer, value.Timestamp, value.Date:
		n := int64(r.Uint64()) >> r.IntN(64)
		switch k {
		case value.Timestamp:
			return value.Micros(n)
		case value.Date:
			return value.Days(n)
		}
		return value.Int(n)
	case value.Real:
		special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64}
		if r.IntN(3) == 0 {
			return value.Float(special[r.IntN(len(special))])
		}
		return value.Float(r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20)))
	}
	if k == value.Numeric {
		v, err := value.ParseNumeric(fmt.Sprintf("%de%d", int64(r.Uint64())>>r.IntN(64), r.IntN(30)-20))
		if err != nil {
			panic(err)
		}
		return v
	}
	b := make([]byte, r.IntN(6))
	for i := range b {
		b[i] = []byte{0, 1, 2, 'a', 'b', 0xff}[r.IntN(6)]
	}
	if k == value.Blob {
		return value.Bytes(b)
	}
	return value.Str(string(b))
}

// compare orders values as keys promise to: NULL and NaN last, 0 = -0.
func compare(a, b value.Value) int {
	switch {
	case a.IsNull() || b.IsNull():
		return cmp.Compare(b2i(a.IsNull()), b2i(b.IsNull()))
	case a.Kind() == value.Boolean:
		return cmp.Compare(b2i(a.Bool()), b2i(b.Bool()))
	case a.Kind() == value.Real:
		x, y := a.Float(), b.Float()
		if x != x || y != y {
			return cmp.Compare(b2i(x != x), b2i(y != y))
		}
		return cmp.Compare(x, y)
	case a.Kind() == value.Numeric:
		var x, y apd.Decimal
		value.ReadNumeric(a.Str(), &x)
		value.ReadNumeric(b.Str(), &y)
		return x.Cmp(&y)
	case a.Kind() == value.Text || a.Kind() == value.Blob:
		return cmp.Compare(a.Str(), b.Str())
	}
	return cmp.Compare(a.Int(), b.Int())
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

var kinds = []value.Kind{value.Boolean, value.Integer, value.Real, value.Text, value.Timestamp, value.Date, value.Blob, value.Numeric}

// Composite keys compare as the values do, one after the other, and decode to them.
func TestOrderAndDecode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		n := 1 + r.IntN(3)
		var ka, kb []byte
		var as []value.Value
		want := 0
		ks := make([]value.Kind, n)
		for i := range n {
			k := kinds[r.IntN(len(kinds))]
			a, b := randomValue(r, k), randomValue(r, k)
			if r.IntN(3) == 0 {
				b = a
			}
			ks[i], as = k, append(as, a)
			ka, kb = Append(ka, a), Append(kb, b)
			if want == 0 {
				want = compare(a, b)
			}
		}
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("compare %x %x = %d, want %d", ka, kb, got, want)
		}
		rest := ka
		for i, k := range ks {
			var v value.Value
			var err error
			if v, rest, err = Decode(rest, k); err != nil || compare(v, as[i]) != 0 {
				t.Fatalf("decode %x: %v %v", ka, v, err)
			}
		}
		if len(rest) != 0 {
			t.Fatalf("decode left %x", rest)
		}
	}
}

// Exactly the texts with a prefix have keys that start with the prefix's.
func TestTextPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50000 {
		s, p := randomValue(r, value.Text).Str(), randomValue(r, value.Text).Str()
		got := bytes.HasPrefix(Append(nil, value.Str(s)), AppendTextPrefix(nil, p))
		// A prefix ending in 0x00 is written 0x00 0xff and so can't be half matched.
		if want := len(s) >= len(p) && s[:len(p)] == p; got != want {
			t.Fatalf("%q has prefix %q: %v", s, p, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{notNull, 'a', 0, 1}, uint8(value.Text))
	f.Add([]byte{notNull, 0, 0xff, 0, 1, 7}, uint8(value.Blob))
	f.Add([]byte{isNull}, uint8(value.Integer))
	f.Fuzz(func(t *testing.T, src []byte, k uint8) {
		v, rest, err := Decode(src, value.Kind(k))
		if err != nil {
			return
		}
		again := Append(nil, v)
		w, rest2, err := Decode(again, value.Kind(k))
		if err != nil || len(rest2) != 0 || compare(v, w) != 0 && !v.IsNull() {
			t.Fatalf("%x: decoded %v, encoded %x, decoded %v, %v", src, v, again, w, err)
		}
		_ = rest
	})
}

func TestEnd(t *testing.T) {
	if e := End([]byte{1, 0xff, 0xff}); !bytes.Equal(e, []byte{2}) {
		t.Fatalf("%x", e)
	}
	if e := End([]byte{0xff}); e != nil {
		t.Fatalf("%x", e)
	}
}
