package storage_test

import (
	"cmp"
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

// verifyPlus checks that the best rows with numbers added to their scores are those of adding
// them to every score.
func (v *vectorTable) verifyPlus(t *testing.T, rng *rand.Rand, table *storage.Table, o storage.NearestOptions) {
	t.Helper()
	q, err := vector.NewQuery(vector.Cosine, slices.Clone(o.Query.Vector()))
	check(t, err)
	o.Query, o.Worst, o.Min, o.Max, o.Margin = q, false, nil, nil, false
	all := o
	all.K = -1
	plus := storage.NewRowScores(table)
	size := []float64{0.01, 1, 1000}[rng.IntN(3)]
	for b := range plus.Blocks() {
		if rng.IntN(2) == 0 {
			continue
		}
		of := plus.Open(b)
		for i := range of {
			if rng.IntN(4) > 0 {
				of[i] = float64(size * rng.NormFloat64())
			}
		}
		plus.Bound(b, b+1)
	}
	var want []storage.Neighbor
	for _, n := range v.oracle(all) {
		n.Score += plus.Of(n.Row)
		want = append(want, n)
	}
	slices.SortFunc(want, func(a, b storage.Neighbor) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Row, b.Row))
	})
	o.K, o.Plus, o.PlusSlack = 1+rng.IntN(30), plus, []float64{1e-12, 1e-3}[rng.IntN(2)]*size
	if o.K <= len(want) {
		least := want[o.K-1].Score - o.PlusSlack
		want = slices.DeleteFunc(want, func(n storage.Neighbor) bool { return n.Score < least })
	}
	got, _, err := table.Nearest(ctx, o)
	check(t, err)
	if !slices.Equal(got, want) {
		t.Fatalf("K %d, slack %g, numbers of size %g:\n got %v\nwant %v", o.K, o.PlusSlack, size, got, want)
	}
}

// In a table that is large enough for it, a search begins with the blocks to which the most is
// added.
func TestPlusInManyBlocks(t *testing.T) {
	v := newVectorTable(t, 8)
	rng := rand.New(rand.NewPCG(7, 7))
	v.load(t, rng, "clustered", 200*storage.BlockRows+300)
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	for range 12 {
		q := must[*vector.Query](t)(vector.NewQuery(vector.Cosine, gauss(rng, 8, 1)))
		v.verifyPlus(t, rng, table, storage.NearestOptions{Query: q})
	}
}

// Where more rows are put off than a worker keeps, the better half of them is scored.
func TestMoreRowsThanWait(t *testing.T) {
	storage.SetMaxWaiting(t, 8)
	rng := rand.New(rand.NewPCG(3, 11))
	v := newVectorTable(t, 64)
	v.load(t, rng, "clustered", 20*1024)
	v.insert(t, rng, "clustered", 100)
	v.delete(t, rng, 500)
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	for range 30 {
		opts := make([]storage.NearestOptions, 1+rng.IntN(3))
		for i := range opts {
			opts[i] = v.randomSearch(t, rng, "clustered")
		}
		v.compare(t, table, opts)
		v.verifyPlus(t, rng, table, opts[0])
	}
}
