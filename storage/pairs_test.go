package storage_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

// Whatever the rows are: the pairs are those of comparing every row with every other one.
func TestPairs(t *testing.T) {
	sizes := []struct{ dim, rows int }{{1, 200}, {3, 700}, {33, 900}, {100, 1300}, {256, 500}, {512, 900}, {1100, 200}}
	for k, set := range slices.Sorted(maps.Keys(vectorSets)) {
		size := sizes[k%len(sizes)]
		t.Run(set, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(k), 5))
			v := newVectorTableOf(t, size.dim, k%3 == 0)
			v.insert(t, rng, set, 1+rng.IntN(100))
			v.load(t, rng, set, size.rows)
			v.delete(t, rng, 30)
			v.insert(t, rng, set, rng.IntN(200))
			view := must[*storage.View](t)(v.store.Snapshot())
			defer view.Close()
			table := must[*storage.Table](t)(view.Table("v"))
			for round, least := range []float64{0.95, 1, 0.3, -1, 0.999999, 0} {
				side := storage.PairSide{Table: table}
				o := storage.PairOptions{Left: side, Right: side, Least: least, Open: round%2 == 1, Ascending: round%3 != 2, Workers: 1 + round%3}
				if round == 2 || round == 4 {
					var some []uint64
					for r := range v.rows {
						if rng.IntN(2) == 0 {
							some = append(some, uint64(r))
						}
					}
					o.Left.Filter, o.Ascending = storage.RowsOf(some), false
				}
				var want []storage.Pair
				for a, x := range v.rows {
					if x == nil || !v.live[a] || o.Left.Filter != nil && !o.Left.Filter.Has(uint64(a)) {
						continue
					}
					q, err := vector.NewQuery(vector.Cosine, x)
					check(t, err)
					for b, z := range v.rows {
						if z == nil || !v.live[b] || o.Ascending && b <= a {
							continue
						}
						if s := q.Score(z); s > least || s == least && !o.Open {
							want = append(want, storage.Pair{Left: uint64(a), Right: uint64(b), Score: s})
						}
					}
				}
				for _, o.Memory = range []int64{0, 1, storage.PairBytes(o) * 2 / 3} { // all at once, or a block with a block
					var got []storage.Pair
					st, err := storage.Pairs(ctx, o, func(p []storage.Pair) error {
						got = append(got, p...)
						return nil
					})
					check(t, err)
					slices.SortFunc(got, func(a, b storage.Pair) int {
						if a.Left != b.Left {
							return int(a.Left) - int(b.Left)
						}
						return int(a.Right) - int(b.Right)
					})
					if !slices.Equal(got, want) {
						t.Fatalf("least %v, memory %d: %d pairs, want %d; %+v", least, o.Memory, len(got), len(want), *st)
					}
					if many := table.Blocks() > 1; (st.Parts > 1) != (o.Memory > 0 && (many || o.Left.Filter != nil)) || st.Found != uint64(len(got)) {
						t.Fatalf("memory %d: %+v of %d blocks, %d pairs", o.Memory, *st, table.Blocks(), len(got))
					}
				}
			}
		})
	}
}
