package storage_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

// Whatever the rows are: the nearest ones of many vectors are those that searches find which
// score every row.
func TestNeighbours(t *testing.T) {
	sizes := []struct{ dim, rows int }{{1, 300}, {3, 1700}, {33, 2900}, {100, 2300}, {256, 1500}, {512, 1900}, {1100, 400}}
	given := 0
	for k, set := range slices.Sorted(maps.Keys(vectorSets)) {
		size := sizes[k%len(sizes)]
		t.Run(set, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(k), 6))
			v := newVectorTableOf(t, size.dim, k%3 == 0)
			v.insert(t, rng, set, 1+rng.IntN(100))
			v.load(t, rng, set, size.rows)
			v.delete(t, rng, 30)
			v.insert(t, rng, set, rng.IntN(200))
			view := must[*storage.View](t)(v.store.Snapshot())
			defer view.Close()
			table := must[*storage.Table](t)(view.Table("v"))
			for round, most := range []int{5, 1, 100, len(v.rows) + 10} {
				side := storage.PairSide{Table: table}
				if round%2 == 1 {
					var some []uint64
					for r := range v.rows {
						if rng.IntN(2) == 0 {
							some = append(some, uint64(r))
						}
					}
					side.Filter = storage.RowsOf(some)
				}
				n := must[*storage.Neighbours](t)(storage.NewNeighbours(ctx, side, 1+round%3))
				var queries []*vector.Query
				for len(queries) < 230 {
					x := v.rows[rng.IntN(len(v.rows))]
					if x == nil {
						continue
					}
					if len(queries)%7 == 0 { // of no row
						x = slices.Clone(x)
						x[rng.IntN(len(x))] += rng.Float32()
					}
					q, err := vector.NewQuery(vector.Cosine, x)
					if err != nil || q.Zero() {
						continue
					}
					queries = append(queries, q)
				}
				got, _, err := n.Find(ctx, queries, most)
				if errors.Is(err, storage.ErrUnselective) {
					given++
					continue
				}
				check(t, err)
				for i, q := range queries {
					want, _, err := table.Nearest(ctx, storage.NearestOptions{Query: q, K: most, Filter: side.Filter, BruteForce: true})
					check(t, err)
					if !slices.Equal(got[i], want) {
						t.Fatalf("query %d, %d rows: %v, want %v", i, most, got[i], want)
					}
				}
			}
		})
	}
	t.Logf("%d times given up", given)
}

// Bounds, and a first cut from rows near by, leave few rows to be scored.
func TestNeighboursBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	v := newVectorTableOf(t, 64, false)
	v.load(t, rng, "clustered", 6000)
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	n := must[*storage.Neighbours](t)(storage.NewNeighbours(ctx, storage.PairSide{Table: must[*storage.Table](t)(view.Table("v"))}, 2))
	var queries []*vector.Query
	for _, x := range v.rows[:300] {
		q, err := vector.NewQuery(vector.Cosine, x)
		check(t, err)
		queries = append(queries, q)
	}
	_, st, err := n.Find(ctx, queries, 6)
	check(t, err)
	if st.Scored > st.Pairs/10 {
		t.Errorf("bounds leave %d of %d pairs", st.Scored, st.Pairs)
	}
}
