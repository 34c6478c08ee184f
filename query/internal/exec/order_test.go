package exec

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

// Rows of random columns, with few different values and NULLs, have the order that comparing row by row
// gives them, ties in the order they come in.
func TestSortedOrder(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	reals := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, -1, 1e-300, -1e300}
	text := func(long string) string {
		s := strings.Repeat(long, r.IntN(4)) // equal beginnings of many lengths
		for range r.IntN(12) {
			s += string("\x00ab\xff"[r.IntN(4)])
		}
		return s
	}
	column := func(n int) *value.Column {
		kinds := []value.Type{{Kind: value.Boolean}, {Kind: value.Integer}, {Kind: value.Real}, {Kind: value.Text}, {Kind: value.Text},
			{Kind: value.Vector, Dim: 2}, {Kind: value.Numeric}, {}}
		c := newColumn(kinds[r.IntN(len(kinds))])
		few := 1 + r.Int64N(1+r.Int64N(1<<uint(1+r.IntN(62))))
		long := strings.Repeat("x", r.IntN(20))
		nulls := r.IntN(2)*r.IntN(50) + 1
		for i := range n {
			if nulls > 1 && r.IntN(nulls) == 0 {
				if c.Type.Kind != value.Null {
					appendNulls(c, i, 1)
				}
				continue
			}
			switch c.Type.Kind {
			case value.Boolean:
				c.Bools = append(c.Bools, r.IntN(2) == 0)
			case value.Integer:
				c.Ints = append(c.Ints, r.Int64N(few)-few/2)
			case value.Real:
				if few < 100 {
					c.Reals = append(c.Reals, reals[r.IntN(len(reals))])
				} else {
					c.Reals = append(c.Reals, float64(r.Int64N(few)-few/2)/8)
				}
			case value.Text:
				c.Strs = append(c.Strs, text(long))
			case value.Vector:
				c.Vecs = append(c.Vecs, float32(r.IntN(3)), float32(r.IntN(9)))
			case value.Numeric:
				v := value.NumericOfInt(r.Int64N(few))
				c.Append(i, v)
			}
			if c.Nulls != nil {
				growNulls(c, i+1)
			}
		}
		return c
	}
	for range 400 {
		n := r.IntN(1 << r.IntN(13))
		var cols []*value.Column
		var orders []Order
		for range r.IntN(4) {
			cols = append(cols, column(n))
			orders = append(orders, Order{Desc: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0})
		}
		got, err := sortedOrder(context.Background(), n, cols, orders)
		if err != nil {
			t.Fatal(err)
		}
		by := compareBy(cols, orders)
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, by)
		if !slices.Equal(got, want) {
			for i := range got {
				if got[i] != want[i] {
					t.Logf("at %d row %d, not %d", i, got[i], want[i])
					break
				}
			}
			types := []value.Type{}
			for _, c := range cols {
				types = append(types, c.Type)
			}
			t.Fatalf("seed %d: %d rows of %v, %v", seed, n, types, orders)
		}
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sortedOrder(stopped, 1<<16, []*value.Column{column(1 << 16)}, []Order{{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a sort of a cancelled statement: %v", err)
	}
}
