package fn

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

// benchRows is two million rows of n (random), g (1,000 groups), name (the same
// groups as texts) in batches.
func benchRows(tb testing.TB) []*value.Batch {
	rng := rand.New(rand.NewSource(1))
	var all []*value.Batch
	for left := 2_000_000; left > 0; {
		n := min(left, value.BatchSize)
		left -= n
		b := &value.Batch{Len: n}
		ints, groups, names := &value.Column{Type: value.Type{Kind: value.Integer}}, &value.Column{Type: value.Type{Kind: value.Integer}}, &value.Column{Type: value.Type{Kind: value.Text}}
		for i := range n {
			ints.Append(i, value.Int(int64(rng.Intn(10000))))
			g := rng.Intn(1000)
			groups.Append(i, value.Int(int64(g*7919)))
			names.Append(i, value.Str(fmt.Sprintf("photographer %d", g)))
		}
		b.Cols = []*value.Column{ints, groups, names}
		all = append(all, b)
	}
	tb.(*testing.B).ResetTimer()
	return all
}

func benchExpr(b *testing.B, src string) Expr {
	p, err := parseExpr(src)
	if err != nil {
		b.Fatal(err)
	}
	kinds := []value.Kind{value.Integer, value.Integer, value.Text}
	cols := map[string]Expr{}
	for i, name := range []string{"n", "g", "name"} {
		cols[name] = Column(i, value.Type{Kind: kinds[i]})
	}
	e, err := bind(p, cols)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// Time for two million rows, one goroutine.
func BenchmarkFilter(b *testing.B) {
	for _, src := range []string{"n > 5000", "n BETWEEN 2000 AND 7000", "n % 7 = 3", "n > 5000 OR g < 1000000", "name LIKE '%99%'", "name = 'photographer 7'", "n * 2 + g > 5000000"} {
		b.Run(src, func(b *testing.B) {
			e := benchExpr(b, src)
			rows := benchRows(b)
			var sel []int32
			for b.Loop() {
				for _, batch := range rows {
					var err error
					if sel, err = Select(testCtx, e, batch, nil, sel[:0]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkGroup(b *testing.B) {
	for _, c := range []struct {
		name string
		cols []int
	}{{"integer", []int{1}}, {"text", []int{2}}, {"both", []int{1, 2}}} {
		b.Run(c.name, func(b *testing.B) {
			rows := benchRows(b)
			ids := make([]int32, value.BatchSize)
			for b.Loop() {
				var types []value.Type
				for _, k := range c.cols {
					types = append(types, rows[0].Cols[k].Type)
				}
				g := NewGroups(types)
				var aggs []Aggregator
				for _, name := range []string{"count", "sum", "avg", "max"} {
					call, _ := ResolveAggregate(name, []ArgType{{Type: rows[0].Cols[0].Type}}, nil)
					a, _ := call.New()
					aggs = append(aggs, a)
				}
				for _, batch := range rows {
					var cols []Arg
					for _, k := range c.cols {
						cols = append(cols, Arg{Column: batch.Cols[k]})
					}
					if err := g.Assign(cols, batch.Len, nil, GroupNull, ids); err != nil {
						b.Fatal(err)
					}
					for _, a := range aggs {
						a.Resize(g.Len())
						if err := a.Add(Arg{Column: batch.Cols[0]}, ids, batch.Len, nil); err != nil {
							b.Fatal(err)
						}
					}
				}
				if g.Len() != 1000 {
					b.Fatal(g.Len())
				}
			}
		})
	}
}
