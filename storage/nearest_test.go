package storage_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

var metrics = vector.Metrics()

// vectorSets are distributions of rows, the nasty ones included. A set returns row i,
// nil for NULL.
var vectorSets = map[string]func(rng *rand.Rand, dim, i int) []float32{
	"normal": func(rng *rand.Rand, dim, i int) []float32 { return gauss(rng, dim, 1) },
	"unit": func(rng *rand.Rand, dim, i int) []float32 {
		v := gauss(rng, dim, 1)
		n := float32(vector.Norm(v))
		for j := range v {
			v[j] /= n
		}
		return v
	},
	"clustered": func(rng *rand.Rand, dim, i int) []float32 {
		v := gauss(rng, dim, 0.05)
		for j := range v {
			v[j] += float32(math.Sin(float64(j*(i%7) + j)))
		}
		return v
	},
	"equal": func(rng *rand.Rand, dim, i int) []float32 {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(j%5) - 2.5
		}
		return v
	},
	"one-hot": func(rng *rand.Rand, dim, i int) []float32 {
		v := make([]float32, dim)
		v[rng.IntN(dim)] = float32(1 - 2*(i&1))
		return v
	},
	"duplicates": func(rng *rand.Rand, dim, i int) []float32 {
		return gauss(rand.New(rand.NewPCG(uint64(i%50), 1)), dim, 1)
	},
	"zeros and NULLs": func(rng *rand.Rand, dim, i int) []float32 {
		switch rng.IntN(4) {
		case 0:
			return nil
		case 1:
			return make([]float32, dim)
		}
		return gauss(rng, dim, 1)
	},
	"norms apart": func(rng *rand.Rand, dim, i int) []float32 {
		return gauss(rng, dim, float32(math.Pow(10, float64(rng.IntN(60)-30))))
	},
	"huge and denormal": func(rng *rand.Rand, dim, i int) []float32 {
		v := make([]float32, dim)
		for j := range v {
			switch rng.IntN(3) {
			case 0:
				v[j] = math.MaxFloat32 * float32(1-2*rng.IntN(2))
			case 1:
				v[j] = math.SmallestNonzeroFloat32 * float32(rng.IntN(9)-4)
			}
		}
		return v
	},
	"outlier": func(rng *rand.Rand, dim, i int) []float32 {
		if i%997 == 5 {
			return gauss(rng, dim, 1e15)
		}
		return gauss(rng, dim, 1e-3)
	},
}

func gauss(rng *rand.Rand, dim int, scale float32) []float32 {
	v := make([]float32, dim)
	for j := range v {
		v[j] = scale * float32(rng.NormFloat64())
	}
	return v
}

// vectorTable is a store in memory with one table and the rows that should be in it.
type vectorTable struct {
	store *storage.Store
	dim   int
	half  bool        // a HALFVEC column
	rows  [][]float32 // by row number; nil = NULL or deleted
	live  []bool
}

func newVectorTable(t *testing.T, dim int) *vectorTable { return newVectorTableOf(t, dim, false) }

func newVectorTableOf(t *testing.T, dim int, half bool) *vectorTable {
	s := must[*storage.Store](t)(storage.Open("", &storage.Options{InMemory: true}))
	t.Cleanup(func() { check(t, s.Close()) })
	tx := must[*storage.Tx](t)(s.Begin(ctx))
	_, err := tx.CreateTable(ctx, storage.TableDef{Name: "v", PrimaryKey: -1, Columns: []storage.ColumnDef{
		{Name: "v", Type: value.Type{Kind: value.Vector, Dim: dim, Half: half}},
	}})
	check(t, err)
	check(t, tx.Commit(ctx))
	return &vectorTable{store: s, dim: dim, half: half}
}

// batch makes n more rows.
func (v *vectorTable) batch(rng *rand.Rand, set string, n int) *value.Batch {
	col := &value.Column{Type: value.Type{Kind: value.Vector, Dim: v.dim}}
	for i := range n {
		x := vectorSets[set](rng, v.dim, len(v.rows))
		if v.half && value.CheckHalf(x) != nil {
			for j := range x {
				x[j] = max(-value.MaxHalf, min(value.MaxHalf, x[j]))
			}
		}
		if x == nil {
			col.Append(i, value.Value{})
		} else {
			col.Append(i, value.Vec(x))
		}
		if v.half && x != nil {
			value.RoundHalf(x, x)
		}
		v.rows, v.live = append(v.rows, x), append(v.live, true)
	}
	return &value.Batch{Len: n, Cols: []*value.Column{col}}
}

func (v *vectorTable) load(t *testing.T, rng *rand.Rand, set string, n int) {
	t.Helper()
	l := must[*storage.Loader](t)(v.store.BulkLoad(ctx, "v", storage.LoadOptions{}))
	for n > 0 {
		m := min(n, 777)
		check(t, l.Append(ctx, v.batch(rng, set, m)))
		n -= m
	}
	_, err := l.Finish(ctx)
	check(t, err)
}

func (v *vectorTable) insert(t *testing.T, rng *rand.Rand, set string, n int) {
	t.Helper()
	tx := must[*storage.Tx](t)(v.store.Begin(ctx))
	_, err := tx.Insert(ctx, "v", v.batch(rng, set, n), storage.InsertOptions{})
	check(t, err)
	check(t, tx.Commit(ctx))
}

func (v *vectorTable) delete(t *testing.T, rng *rand.Rand, n int) {
	t.Helper()
	var rows []uint64
	for range n {
		r := rng.IntN(len(v.rows))
		if v.live[r] {
			v.live[r] = false
			rows = append(rows, uint64(r))
		}
	}
	tx := must[*storage.Tx](t)(v.store.Begin(ctx))
	_, err := tx.Delete(ctx, "v", rows)
	check(t, err)
	check(t, tx.Commit(ctx))
}

// oracle is the answer by definition.
func (v *vectorTable) oracle(o storage.NearestOptions) []storage.Neighbor {
	var out []storage.Neighbor
	for r, x := range v.rows {
		if x == nil || !v.live[r] || o.Filter != nil && !o.Filter.Has(uint64(r)) {
			continue
		}
		s := o.Query.Score(x)
		if s != s || o.Min != nil && (s < o.Min.Score || s == o.Min.Score && o.Min.Open) ||
			o.Max != nil && (s > o.Max.Score || s == o.Max.Score && o.Max.Open) {
			continue
		}
		out = append(out, storage.Neighbor{Row: uint64(r), Score: s})
	}
	down := o.Query.Metric().HigherIsBetter() != o.Worst
	slices.SortStableFunc(out, func(a, b storage.Neighbor) int {
		switch {
		case a.Score == b.Score:
			return 0
		case a.Score > b.Score == down:
			return -1
		}
		return 1
	})
	if o.K >= 0 && len(out) > o.K {
		out = out[:o.K]
	}
	return out
}

// randomSearch draws the options of a search; the query is a row, near a row or anything.
func (v *vectorTable) randomSearch(t *testing.T, rng *rand.Rand, set string) storage.NearestOptions {
	q := vectorSets[set](rng, v.dim, rng.IntN(len(v.rows)))
	switch rng.IntN(3) {
	case 0:
		q = slices.Clone(v.rows[rng.IntN(len(v.rows))])
	case 1:
		q = gauss(rng, v.dim, 1)
	}
	if q == nil {
		q = make([]float32, v.dim)
	}
	query, err := vector.NewQuery(metrics[rng.IntN(len(metrics))], q)
	check(t, err)
	o := storage.NearestOptions{Query: query, Worst: rng.IntN(5) == 0, Margin: rng.IntN(2) == 0, Workers: 1 + rng.IntN(3)}
	o.K = []int{0, 1, 2, 10, 10, 10, 100, 3000, -1}[rng.IntN(9)]
	if rng.IntN(2) == 0 {
		keep := []float64{0.5, 0.05, 0.001, 1}[rng.IntN(4)]
		o.Filter = new(storage.RowSet)
		for r := range v.rows {
			if rng.Float64() < keep {
				o.Filter.Add(uint64(r))
			}
		}
	}
	pick := func() *storage.ScoreBound {
		for range 100 {
			if x := v.rows[rng.IntN(len(v.rows))]; x != nil {
				if s := query.Score(x); s == s {
					return &storage.ScoreBound{Score: s, Open: rng.IntN(2) == 0}
				}
			}
		}
		return nil
	}
	if rng.IntN(4) == 0 {
		o.Min = pick()
	}
	if rng.IntN(4) == 0 {
		o.Max = pick()
	}
	return o
}

// compare runs a search both ways, compares with the oracle and returns how many
// rows the codes discarded.
func (v *vectorTable) compare(t *testing.T, table *storage.Table, opts []storage.NearestOptions) (discarded uint64) {
	t.Helper()
	for _, brute := range []bool{true, false} {
		for i := range opts {
			opts[i].BruteForce = brute
		}
		got, stats, err := table.NearestMany(ctx, opts)
		check(t, err)
		for i, o := range opts {
			want := v.oracle(o)
			discarded += stats[i].Discarded1 + stats[i].Discarded2
			what := fmt.Sprintf("dim %d, %d rows, %v, k %d, worst %v, filter %v, min %v, max %v, brute force %v",
				v.dim, len(v.rows), o.Query.Metric(), o.K, o.Worst, o.Filter != nil, o.Min, o.Max, brute)
			sameNeighbors(t, what, got[i], want)
			if o.Margin && o.K > 0 {
				o.K++
				margin := math.NaN()
				if next := v.oracle(o); len(next) == o.K {
					margin = math.Abs(next[o.K-1].Score - next[o.K-2].Score)
				}
				if math.Float64bits(margin) != math.Float64bits(stats[i].Margin) && margin == margin {
					t.Fatalf("%s: margin %v, want %v", what, stats[i].Margin, margin)
				}
			}
		}
	}
	return discarded
}

func sameNeighbors(t *testing.T, what string, got, want []storage.Neighbor) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i].Row != want[i].Row || math.Float64bits(got[i].Score) != math.Float64bits(want[i].Score) {
			t.Fatalf("%s: %d rows, want %d; first difference at %d: %v, want %v", what, len(got), len(want), i,
				got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
}

// soak is how many times as long as usual random tests run: LUPA_SOAK=1 asks for
// a long time, a larger number for that many rounds.
func soak() int {
	n, err := strconv.Atoi(os.Getenv("LUPA_SOAK"))
	switch {
	case err != nil || n < 1:
		return 1
	case n == 1:
		return 200
	}
	return n
}

// Whatever the rows, the search and the way in which the rows got there: the
// answer is that of scoring everything.
func TestNearest(t *testing.T) {
	sizes := []struct{ dim, rows int }{{1, 3000}, {3, 2500}, {33, 5000}, {64, 20000}, {100, 3000}, {24, 18000}, {256, 2500}, {512, 2500}, {1100, 2200}}
	seed, discarded := uint64(1), uint64(0)
	defer func() {
		if discarded == 0 && !t.Failed() {
			t.Error("no row was ever discarded by its codes")
		}
	}()
	for range soak() {
		for _, set := range slices.Sorted(maps.Keys(vectorSets)) {
			size := sizes[int(seed)%len(sizes)]
			seed++
			if testing.Short() { // an emulated processor, say
				if size.dim, size.rows = min(size.dim, 100), min(size.rows, 3000); seed%4 != 0 {
					continue
				}
			}
			t.Run(fmt.Sprintf("%s/%d", set, size.dim), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				v := newVectorTableOf(t, size.dim, seed%3 == 0)
				v.insert(t, rng, set, 1+rng.IntN(300))
				v.load(t, rng, set, size.rows/2)
				v.delete(t, rng, 200)
				v.insert(t, rng, set, size.rows/2)
				if size.rows < 16*1024 || seed%2 == 0 {
					check(t, v.store.RetrainColumn(ctx, "v", "v", [][]float32{gauss(rng, size.dim, 1), gauss(rng, size.dim, 2)}, nil))
					v.insert(t, rng, set, rng.IntN(1500))
				}
				v.delete(t, rng, 100)
				view := must[*storage.View](t)(v.store.Snapshot())
				defer view.Close()
				table := must[*storage.Table](t)(view.Table("v"))
				for range 12 {
					opts := []storage.NearestOptions{v.randomSearch(t, rng, set)}
					for rng.IntN(3) == 0 {
						opts = append(opts, v.randomSearch(t, rng, set))
					}
					discarded += v.compare(t, table, opts)
					v.verifyBounds(t, rng, table, opts[0])
					v.verifyPlus(t, rng, table, opts[0])
				}
			})
		}
	}
}
