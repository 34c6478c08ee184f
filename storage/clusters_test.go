package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// cluster creates an index of kind ivf.
func (v *vectorTable) cluster(t *testing.T, options map[string]string) {
	t.Helper()
	tx := must[*storage.Tx](t)(v.store.Begin(ctx))
	tx.OneStatement()
	table := must[*storage.Table](t)(tx.Table("v"))
	id := table.Def().Columns[0].ID
	check(t, tx.CreateIndex(ctx, "v", storage.IndexDef{Name: "by_look", Kind: storage.ClusterIndex, Columns: []uint32{id}, Options: options}, nil))
	check(t, tx.Commit(ctx))
}

// ask searches for a part of the nearest rows and for all, and returns the part that was found.
func (v *vectorTable) ask(t *testing.T, o storage.NearestOptions) (recall float64, st *storage.NearestStats) {
	t.Helper()
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	got, st, err := table.Nearest(ctx, o)
	check(t, err)
	o.Recall = 0
	want, _, err := table.Nearest(ctx, o)
	check(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d: %+v", len(got), len(want), st)
	}
	if !st.Approximate {
		sameNeighbors(t, "exact after all", got, want)
		return 1, st
	}
	found, last := 0, 0.0
	for i, n := range got {
		b := must[*value.Batch](t)(table.Fetch(ctx, []uint64{n.Row}, []int{0})) // an error if it is deleted
		if s := o.Query.Score(b.Cols[0].Vec(0)); math.Float64bits(s) != math.Float64bits(n.Score) || o.Filter != nil && !o.Filter.Has(n.Row) {
			t.Fatalf("row %d with %v, which has %v", n.Row, n.Score, s)
		}
		if down := o.Query.Metric().HigherIsBetter() != o.Worst; i > 0 && (n.Score > last) == down && n.Score != last {
			t.Fatalf("%v after %v", n.Score, last)
		}
		last = n.Score
		if slices.ContainsFunc(want, func(w storage.Neighbor) bool { return w.Row == n.Row }) {
			found++
		}
		if slices.ContainsFunc(got[:i], func(w storage.Neighbor) bool { return w.Row == n.Row }) {
			t.Fatalf("row %d twice", n.Row)
		}
	}
	return float64(found) / float64(max(1, len(want))), st
}

// clipLike makes rows and questions as CLIP has them: rows around a few hundred places, with
// variances that fall off, and questions that lie elsewhere but point at the places.
func clipLike(rng *rand.Rand, dim int) (row, ask func() []float32) {
	var places [][]float32
	scale := make([]float32, dim)
	for j := range scale {
		scale[j] = float32(math.Pow(0.97, float64(j)))
	}
	for range 300 {
		p := gauss(rng, dim, 1)
		for j := range p {
			p[j] *= scale[j]
		}
		p[0] += 2
		places = append(places, p)
	}
	near := func(spread float32) []float32 {
		v, p := gauss(rng, dim, spread), places[rng.IntN(len(places))]
		for j := range v {
			v[j] = p[j] + v[j]*scale[j]
		}
		return v
	}
	return func() []float32 { return near(0.5) }, func() []float32 {
		v := near(0.7)
		v[0] -= 5 // outside of all rows
		v[1] += 4
		return v
	}
}

// loadRows loads so many blocks of rows.
func (v *vectorTable) loadRows(t *testing.T, blocks int, row func() []float32) {
	t.Helper()
	l := must[*storage.Loader](t)(v.store.BulkLoad(ctx, "v", storage.LoadOptions{}))
	for range blocks {
		col := &value.Column{Type: value.Type{Kind: value.Vector, Dim: v.dim}}
		for i := range storage.BlockRows {
			x := row()
			v.rows, v.live = append(v.rows, x), append(v.live, true)
			col.Append(i, value.Vec(x))
		}
		check(t, l.Append(ctx, &value.Batch{Len: storage.BlockRows, Cols: []*value.Column{col}}))
	}
	_, err := l.Finish(ctx)
	check(t, err)
}

// The promise of an approximate search, which is about the mean over queries that come, is kept
// on sets of many kinds, by queries that nobody has asked before.
func TestRecall(t *testing.T) {
	const dim = 64
	for _, set := range []string{"like CLIP", "unit", "clustered", "duplicates", "normal"} {
		t.Run(set, func(t *testing.T) {
			if testing.Short() && set != "like CLIP" {
				t.Skip()
			}
			rng := rand.New(rand.NewPCG(7, 8))
			row, ask := clipLike(rng, dim)
			if set != "like CLIP" {
				n := 0
				row = func() []float32 { n++; return vectorSets[set](rng, dim, n) }
				ask = row
			}
			v := newVectorTable(t, dim)
			v.loadRows(t, 24, row)
			v.cluster(t, nil)
			healthy(t, v.store)
			search := func(target float64, n int) (mean float64, approximate int, st *storage.NearestStats) {
				for range n {
					var r float64
					r, st = v.ask(t, storage.NearestOptions{Query: must[*vector.Query](t)(vector.NewQuery(vector.Cosine, ask())), K: 10, Recall: target})
					mean += r / float64(n)
					if st.Approximate {
						approximate++
					}
				}
				return mean, approximate, st
			}
			// Nobody has asked yet: searches promise for whatever may come.
			if r, n, st := search(0.9, 100); r < 0.9 {
				t.Errorf("at first %.3f were found (%d approximate), %.3f expected", r, n, st.ExpectedRecall)
			}
			search(0.9, 100)
			storage.AwaitHousekeeping(v.store)
			search(0.9, 1) // finds the codes trained anew
			storage.AwaitHousekeeping(v.store)
			healthy(t, v.store)
			for _, target := range []float64{0.8, 0.95, 0.99} {
				r, n, st := search(target, 150)
				t.Logf("target %.2f: %.3f found, %d of 150 searches approximate, last: %d of %d clusters, measured with %d queries", target, r, n, st.ClustersVisited, st.Clusters, st.Calibrated)
				if r < target {
					t.Errorf("target %v: %.3f were found", target, r)
				}
				if set == "like CLIP" && target == 0.8 && (n == 0 || st.ClustersVisited > st.Clusters/3) {
					t.Errorf("target %v: %d searches visited a part", target, n)
				}
			}
			// What is lost by allowing for less than the codes are proven to be off is next to nothing,
			// and it saves the reading of vectors, the more the more dimensions there are.
			scored := map[bool]uint64{}
			for _, proven := range []bool{true, false} {
				storage.VisitAll(v.store, proven)
				found, exact := 0.0, 0
				for range 200 {
					r, st := v.ask(t, storage.NearestOptions{Query: must[*vector.Query](t)(vector.NewQuery(vector.Cosine, ask())), K: 10, Recall: 0.9})
					if !st.Approximate { // fewer than ten were left
						exact++
					}
					found += r / 200
					scored[proven] += st.Scored
				}
				t.Logf("all clusters, proven bounds %v: %.4f found, %d rows scored, %d answers exact", proven, found, scored[proven], exact)
				if proven && exact > 0 || exact > 40 {
					t.Errorf("proven bounds %v: %d answers not by clusters", proven, exact)
				}
				if proven && found < 0.9999 || found < 0.998 {
					t.Errorf("all clusters, proven bounds %v: %.4f were found", proven, found)
				}
			}
			if set == "normal" && scored[false] >= scored[true] {
				t.Errorf("%d rows scored, by proven bounds %d", scored[false], scored[true])
			}
		})
	}
}

// Among the rows that a filter leaves, scattered or side by side, the promise is kept as well, and no
// search looks at more rows than the exact one, which is taken where it looks at few.
func TestRecallAmong(t *testing.T) {
	const dim, blocks, searches = 64, 24, 150
	rng := rand.New(rand.NewPCG(7, 9))
	row, ask := clipLike(rng, dim)
	v := newVectorTable(t, dim)
	v.loadRows(t, blocks, row)
	v.cluster(t, nil)
	query := func() *vector.Query { return must[*vector.Query](t)(vector.NewQuery(vector.Cosine, ask())) }
	for range 200 {
		v.ask(t, storage.NearestOptions{Query: query(), K: 10, Recall: 0.9})
	}
	storage.AwaitHousekeeping(v.store)
	v.ask(t, storage.NearestOptions{Query: query(), K: 10, Recall: 0.9}) // finds the codes trained anew
	storage.AwaitHousekeeping(v.store)
	healthy(t, v.store)
	rows := v.liveRows(t)
	for _, filter := range []struct {
		name        string
		keeps       func(r uint64) bool
		approximate bool
	}{
		{"half", func(uint64) bool { return rng.IntN(2) == 0 }, true},
		{"5%", func(uint64) bool { return rng.IntN(20) == 0 }, true},
		{"0.1%", func(uint64) bool { return rng.IntN(1000) == 0 }, false},
		{"half, side by side", func(r uint64) bool { return r < blocks*storage.BlockRows/2 }, true},
		{"5%, side by side", func(r uint64) bool { return r < blocks*storage.BlockRows/20 }, false},
	} {
		name, f, words := filter.name, new(storage.RowSet), map[uint64]bool{}
		for _, r := range rows {
			if filter.keeps(r) {
				f.Add(r)
				words[r/64] = true
			}
		}
		for _, target := range []float64{0.8, 0.95} {
			found, approximate := 0.0, 0
			for range searches {
				r, st := v.ask(t, storage.NearestOptions{Query: query(), K: 10, Recall: target, Filter: f})
				found += r / searches
				if st.Approximate {
					approximate++
				}
				if st.Approximate && st.Rows > uint64(64*len(words)) {
					t.Fatalf("%s: %d rows looked at, by an exact search %d", name, st.Rows, 64*len(words))
				}
			}
			t.Logf("%s, target %.2f: %.3f found, %d of %d searches approximate", name, target, found, approximate, searches)
			if found < target {
				t.Errorf("%s, target %v: %.3f were found", name, target, found)
			}
			if target == 0.8 && filter.approximate != (approximate > searches/2) {
				t.Errorf("%s: %d of %d searches are approximate", name, approximate, searches)
			}
		}
	}
}

// liveRows returns the numbers of the rows there are.
func (v *vectorTable) liveRows(t *testing.T) (rows []uint64) {
	t.Helper()
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	s := must[*storage.Table](t)(view.Table("v")).Scan(storage.ScanOptions{})
	defer s.Close()
	for {
		b := must[*value.Batch](t)(s.Next(ctx))
		if b == nil {
			return rows
		}
		for i := range b.Len {
			if b.Sel == nil || slices.Contains(b.Sel, int32(i)) {
				rows = append(rows, b.Rows[i])
			}
		}
	}
}

// some draws rows, scattered or one after the other.
func (v *vectorTable) some(t *testing.T, rng *rand.Rand, n int) []uint64 {
	rows := v.liveRows(t)
	n = min(n, len(rows))
	if rng.IntN(2) == 0 {
		from := rng.IntN(len(rows) - n + 1)
		return rows[from : from+n]
	}
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	slices.Sort(rows[:n])
	return rows[:n]
}

// Whatever is done to the rows, visiting all clusters gives what the exact search gives, and
// CHECK finds nothing wrong.
func TestClustersKept(t *testing.T) {
	const dim = 32
	for seed := range uint64(seeds(2)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			v := newVectorTableOf(t, dim, seed%2 == 1)
			v.load(t, rng, "unit", 17*1024+100)
			v.delete(t, rng, 300)
			v.cluster(t, map[string]string{"lists": "20"})
			storage.VisitAll(v.store, true)
			approximate := 0
			verify := func(what string) {
				t.Helper()
				healthy(t, v.store)
				for range 4 {
					o := v.randomSearch(t, rng, "unit")
					o.Recall, o.Min, o.Max, o.Margin = 0.9, nil, nil, false
					recall, st := v.ask(t, o)
					if recall != 1 && st.Approximate {
						t.Fatalf("%s: %v were found, k %d, %v", what, recall, o.K, o.Query.Metric())
					}
					if st.Approximate {
						approximate++
					}
				}
			}
			verify("built")
			for range 8 {
				what := ""
				switch rng.IntN(7) {
				case 0:
					what = "insert"
					v.insert(t, rng, "unit", 1+rng.IntN(2000))
				case 1:
					what = "load"
					v.load(t, rng, "unit", 1+rng.IntN(3000))
				case 2:
					what = "delete"
					tx := must[*storage.Tx](t)(v.store.Begin(ctx))
					_, err := tx.Delete(ctx, "v", v.some(t, rng, 1+rng.IntN(5000)))
					check(t, err)
					check(t, tx.Commit(ctx))
				case 3:
					what = "update"
					rows := v.some(t, rng, 1+rng.IntN(1500))
					tx := must[*storage.Tx](t)(v.store.Begin(ctx))
					if rng.IntN(2) == 0 {
						storage.SetBuildRows(v.store, 1)
						tx.OneStatement()
					}
					fresh := v.batch(rng, "unit", len(rows))
					if u := must[*storage.Updater](t)(tx.NewUpdater(ctx, "v", []int{0})); u != nil {
						check(t, u.Add(ctx, rows, fresh))
						check(t, u.Finish(ctx))
						u.Close()
					} else {
						_, err := tx.Update(ctx, "v", rows, []int{0}, fresh)
						check(t, err)
					}
					check(t, tx.Commit(ctx))
					storage.SetBuildRows(v.store, 1<<40)
				case 4:
					what = "retrain"
					check(t, v.store.RetrainColumn(ctx, "v", "v", nil, nil))
				case 5:
					what = "alter"
					tx := must[*storage.Tx](t)(v.store.Begin(ctx))
					v.half = !v.half
					check(t, tx.SetVectorType(ctx, "v", "v", value.Type{Kind: value.Vector, Dim: dim, Half: v.half}, nil))
					check(t, tx.Commit(ctx))
				case 6:
					what = "vacuum"
					_, err := v.store.Vacuum(ctx, "v", nil)
					check(t, err)
				}
				verify(what)
				storage.AwaitHousekeeping(v.store)
				verify("housekeeping after " + what)
			}
			if approximate == 0 {
				t.Error("no search used the index")
			}
			tx := must[*storage.Tx](t)(v.store.Begin(ctx))
			check(t, tx.DropIndex(ctx, "by_look"))
			check(t, tx.Commit(ctx))
			verify("dropped")
		})
	}
}
