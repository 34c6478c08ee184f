package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// stopped runs a search that is stopped after some groups and holds what it says of its answer
// against the scores of all rows.
func (v *vectorTable) stopped(t *testing.T, o storage.NearestOptions, after int) (got []storage.Neighbor, st *storage.NearestStats) {
	t.Helper()
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	var asked atomic.Int64
	o.Stop = func() bool { return int(asked.Add(1)) > after }
	got, st, err := table.Nearest(ctx, o)
	check(t, err)
	o.Stop, o.Recall, o.Margin, o.BruteForce = nil, 0, false, true
	k := o.K
	o.K = -1
	all, _, err := table.Nearest(ctx, o)
	check(t, err)
	want := all
	if k >= 0 {
		want = all[:min(k, len(all))]
	}
	what := fmt.Sprintf("%v, k %d, worst %v, filter %v, min %v, max %v, stopped after %d groups: %d rows, %d proven, unseen %v", o.Query.Metric(), k, o.Worst,
		o.Filter != nil, o.Min, o.Max, after, len(got), st.Proven, st.Unseen)
	if !st.Stopped {
		sameNeighbors(t, what, got, want)
		if st.Proven != len(got) || st.Approximate || st.Unseen == st.Unseen {
			t.Fatalf("%s: not stopped, but %+v", what, st)
		}
		return got, st
	}
	if st.Proven > len(got) || len(got) > len(want) {
		t.Fatalf("%s: too many", what)
	}
	sameNeighbors(t, what, got[:st.Proven], want[:st.Proven])
	scores, have := map[uint64]float64{}, map[uint64]bool{}
	for _, n := range all {
		scores[n.Row] = n.Score
	}
	down := o.Query.Metric().HigherIsBetter() != o.Worst
	for i, n := range got {
		if s, ok := scores[n.Row]; !ok || have[n.Row] || math.Float64bits(s) != math.Float64bits(n.Score) {
			t.Fatalf("%s: row %d with %v, which has %v", what, n.Row, n.Score, s)
		}
		if i > 0 && n.Score != got[i-1].Score && n.Score > got[i-1].Score == down {
			t.Fatalf("%s: %v after %v", what, n.Score, got[i-1].Score)
		}
		have[n.Row] = true
	}
	for _, n := range all {
		if !have[n.Row] && n.Score > st.Unseen == down && n.Score != st.Unseen {
			t.Fatalf("%s: row %d, which is not in the answer, has %v", what, n.Row, n.Score)
		}
	}
	return got, st
}

// Whenever a search is stopped, rows that it calls proven are those of the exact answer at their places,
// and no other row has a better score than it says that one could have.
func TestStop(t *testing.T) {
	for seed := range uint64(seeds(2)) {
		for _, set := range []string{"unit", "clustered", "duplicates", "zeros and NULLs", "norms apart", "huge and denormal", "outlier"} {
			t.Run(fmt.Sprint(set, seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 9))
				v := newVectorTable(t, []int{32, 40, 64}[seed%3])
				v.load(t, rng, set, 18*1024+100)
				v.delete(t, rng, 300)
				partly, whole, some, clusters := 0, 0, 0, 0
				tries := func(n int) {
					for range n {
						o := v.randomSearch(t, rng, set)
						if rng.IntN(4) == 0 {
							o.Recall = 0.9
						}
						got, st := v.stopped(t, o, []int{0, 1, 2, 5, 10, 20, 1000}[rng.IntN(7)])
						if st.Stopped {
							partly++
						} else {
							whole++
						}
						if st.Stopped && st.Proven > 0 && st.Proven < len(got) {
							some++
						}
						if st.Clusters > 0 {
							clusters++
						}
					}
				}
				tries(40)
				v.cluster(t, map[string]string{"lists": "20"})
				healthy(t, v.store)
				tries(40)
				v.insert(t, rng, set, 2000) // the index does not cover them
				v.update(t, rng, set, 300)
				tries(40)
				healthy(t, v.store)
				t.Logf("%d stopped, of which %d with some rows proven, %d complete, %d by clusters", partly, some, whole, clusters)
				if partly == 0 || whole == 0 || clusters == 0 {
					t.Errorf("%d stopped, %d complete, %d by clusters", partly, whole, clusters)
				}
			})
		}
	}
}

// update gives rows other vectors, and perhaps other numbers.
func (v *vectorTable) update(t *testing.T, rng *rand.Rand, set string, n int) {
	t.Helper()
	rows := v.some(t, rng, n)
	tx := must[*storage.Tx](t)(v.store.Begin(ctx))
	_, err := tx.Update(ctx, "v", rows, []int{0}, v.batch(rng, set, len(rows)))
	check(t, err)
	check(t, tx.Commit(ctx))
}

// With clusters that lie apart what is near is proven long before all rows are visited, and with time enough
// a search that may be stopped gives what others do.
func TestStopProves(t *testing.T) {
	const dim = 32
	rng := rand.New(rand.NewPCG(1, 2))
	v := newVectorTable(t, dim)
	var places [][]float32
	for range 40 {
		places = append(places, gauss(rng, dim, 1))
	}
	near := func() []float32 {
		x, p := gauss(rng, dim, 0.05), places[rng.IntN(len(places))]
		for j := range x {
			x[j] += p[j]
		}
		return x
	}
	l := must[*storage.Loader](t)(v.store.BulkLoad(ctx, "v", storage.LoadOptions{}))
	for range 32 {
		col := &value.Column{Type: value.Type{Kind: value.Vector, Dim: dim}}
		for i := range 1024 {
			x := near()
			v.rows, v.live = append(v.rows, x), append(v.live, true)
			col.Append(i, value.Vec(x))
		}
		check(t, l.Append(ctx, &value.Batch{Len: 1024, Cols: []*value.Column{col}}))
	}
	_, err := l.Finish(ctx)
	check(t, err)
	v.cluster(t, map[string]string{"lists": "40"})
	healthy(t, v.store)
	proven := 0
	for range 30 {
		o := storage.NearestOptions{Query: must[*vector.Query](t)(vector.NewQuery(vector.Cosine, near())), K: 10, Workers: 2}
		_, st := v.stopped(t, o, 6)
		proven += st.Proven
		if _, st := v.stopped(t, o, 1<<30); st.Stopped || st.Proven != 10 || st.Clusters == 0 {
			t.Fatalf("not stopped, but %+v", st)
		}
	}
	if proven < 150 {
		t.Errorf("%d of 300 rows proven after a fifth of the rows", proven)
	}
}

// Scores are within what a metric says.
func TestRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, m := range metrics {
		low, high := m.Range()
		for set, row := range vectorSets {
			for i := range 200 {
				a, b := row(rng, 8, i), row(rng, 8, i+1)
				if a == nil || b == nil {
					continue
				}
				for _, x := range [][]float32{b, a, opposite(a)} {
					if s := vector.Score(m, a, x); s < low-1e-12 || s > high+1e-12 {
						t.Fatalf("%v, %s: %v is not within %v and %v", m, set, s, low, high)
					}
				}
			}
		}
	}
}

func opposite(v []float32) []float32 {
	v = slices.Clone(v)
	for i := range v {
		v[i] = -v[i]
	}
	return v
}

// Clusters of an earlier version have no bounds, and are read all the same.
func TestOldClusters(t *testing.T) {
	if old, whole := storage.OldClusters(); !old || !whole {
		t.Errorf("those of an earlier version are read: %v, of this one: %v", old, whole)
	}
}
