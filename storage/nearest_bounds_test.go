package storage_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

// verifyBounds checks that the score of every row lies within its bounds, by one plane of codes
// and by both, and that rows without a score have none.
func (v *vectorTable) verifyBounds(t *testing.T, rng *rand.Rand, table *storage.Table, o storage.NearestOptions) {
	t.Helper()
	q, err := vector.NewQuery(vector.Cosine, slices.Clone(o.Query.Vector()))
	check(t, err)
	o.Query, o.Worst, o.Min, o.Max = q, false, nil, nil
	o.K = 7 // of no account
	b, err := table.ScoreBounds(ctx, o)
	check(t, err)
	o.K = -1
	scores := map[uint64]float64{}
	for _, n := range v.oracle(o) {
		scores[n.Row] = n.Score
	}
	verify := func(what string) {
		t.Helper()
		for r := range b.Upper {
			s, ok := scores[uint64(r)]
			switch {
			case !ok && !math.IsInf(float64(b.Upper[r]), -1):
				t.Fatalf("%s: row %d has no score, and the bound %v", what, r, b.Upper[r])
			case ok && (s > float64(b.Upper[r])+1e-10 || s < float64(b.Lower[r])-1e-10):
				t.Fatalf("%s: the score of row %d is %v, not in [%v, %v]", what, r, s, b.Lower[r], b.Upper[r])
			}
		}
	}
	verify("one plane")
	var some []uint64
	for r := range v.rows {
		if rng.IntN(3) == 0 {
			some = append(some, uint64(r))
		}
	}
	check(t, b.Refine(ctx, some))
	verify("both planes")
	var taus []float64
	for _, s := range scores {
		if taus = append(taus, s); len(taus) == 5 {
			break
		}
	}
	if len(taus) == 0 {
		return
	}
	slices.Sort(taus)
	taus = slices.Compact(taus)
	o.Above, o.Min = taus, &storage.ScoreBound{Score: taus[0], Open: true}
	_, st, err := table.Nearest(ctx, o)
	check(t, err)
	for k, tau := range taus {
		n := uint64(0)
		for _, s := range scores {
			if s > tau {
				n++
			}
		}
		if st.Above[k] != n {
			t.Fatalf("%d rows are above %v, want %d", st.Above[k], tau, n)
		}
	}
}
