package storage_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// texts is a table of texts with a full-text index, and what it should hold.
type texts struct {
	t    *testing.T
	r    *rand.Rand
	s    *storage.Store
	rows map[int64][2]*string // by key
	next int64

	apart    int // rows that bounds of words left out
	filtered int // rows that match a query with filters
}

func newTexts(t *testing.T, seed uint64, opts *storage.Options) *texts {
	x := &texts{t: t, r: rand.New(rand.NewPCG(seed, 5)), rows: map[int64][2]*string{}}
	x.s = must[*storage.Store](t)(storage.Open("db", opts))
	update(t, x.s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, storage.TableDef{Name: "texts", PrimaryKey: 0, Columns: []storage.ColumnDef{
			{Name: "id", Type: value.Type{Kind: value.Integer}},
			{Name: "caption", Type: value.Type{Kind: value.Text}},
			{Name: "title", Type: value.Type{Kind: value.Text}},
		}})
		return err
	})
	return x
}

// words of captions: few are frequent, as in texts.
func randomText(r *rand.Rand, most int) *string {
	if r.IntN(12) == 0 {
		return nil
	}
	var b strings.Builder
	for range r.IntN(1 + most) {
		fmt.Fprintf(&b, "w%d ", int(math.Exp(r.Float64()*5))-1)
	}
	s := b.String()
	return &s
}

func (x *texts) batch(ids []int64) *value.Batch {
	b := &value.Batch{Len: len(ids), Cols: []*value.Column{{}, {}, {}}}
	for i, k := range []value.Kind{value.Integer, value.Text, value.Text} {
		b.Cols[i].Reset(value.Type{Kind: k})
	}
	for i, id := range ids {
		b.Cols[0].Append(i, value.Int(id))
		for c, s := range x.rows[id] {
			if s == nil {
				b.Cols[1+c].Append(i, value.Value{})
			} else {
				b.Cols[1+c].Append(i, value.Str(*s))
			}
		}
	}
	return b
}

func (x *texts) fresh(n int) (ids []int64) {
	for range n {
		x.rows[x.next] = [2]*string{randomText(x.r, 12), randomText(x.r, 4)}
		ids = append(ids, x.next)
		x.next++
	}
	return ids
}

func (x *texts) some(n int) (ids []int64) {
	for id := range x.rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	x.r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:min(n, len(ids))]
}

func (x *texts) rowsOf(v *storage.View, ids []int64) (rows []uint64) {
	t := must[*storage.Table](x.t)(v.Table("texts"))
	for _, id := range ids {
		row, ok, err := t.Lookup(ctx, value.Int(id))
		check(x.t, err)
		if !ok {
			x.t.Fatalf("%d is missing", id)
		}
		rows = append(rows, row)
	}
	return rows
}

func (x *texts) index(options map[string]string) {
	update(x.t, x.s, func(tx *storage.Tx) error {
		if x.r.IntN(2) == 0 {
			tx.OneStatement()
		}
		return tx.CreateIndex(ctx, "texts", storage.IndexDef{Name: "words", Columns: []uint32{2, 3}, Kind: storage.FullText, Options: options}, nil)
	})
}

func (x *texts) step() {
	n := 1 << x.r.IntN(11)
	switch x.r.IntN(8) {
	case 0, 1:
		ids := x.fresh(n)
		update(x.t, x.s, func(tx *storage.Tx) error {
			for len(ids) > 0 { // in several statements
				k := 1 + x.r.IntN(len(ids))
				if _, err := tx.Insert(ctx, "texts", x.batch(ids[:k]), storage.InsertOptions{}); err != nil {
					return err
				}
				ids = ids[k:]
			}
			return nil
		})
	case 2:
		ids := x.fresh(1 + x.r.IntN(3000))
		l := must[*storage.Loader](x.t)(x.s.BulkLoad(ctx, "texts", storage.LoadOptions{}))
		check(x.t, l.Append(ctx, x.batch(ids)))
		must[uint64](x.t)(l.Finish(ctx))
	case 3, 4:
		ids := x.some(n)
		update(x.t, x.s, func(tx *storage.Tx) error {
			if x.r.IntN(2) == 0 {
				tx.OneStatement()
			}
			_, err := tx.Delete(ctx, "texts", x.rowsOf(tx.View, ids))
			return err
		})
		for _, id := range ids {
			delete(x.rows, id)
		}
	case 5, 6:
		ids := x.some(n)
		col := x.r.IntN(2)
		for _, id := range ids {
			row := x.rows[id]
			row[col] = randomText(x.r, 12)
			x.rows[id] = row
		}
		update(x.t, x.s, func(tx *storage.Tx) error {
			b := x.batch(ids)
			b.Cols = b.Cols[1+col : 2+col]
			if x.r.IntN(2) == 0 {
				tx.OneStatement()
				rows := x.rowsOf(tx.View, ids)
				u, err := tx.NewUpdater(ctx, "texts", []int{1 + col})
				check(x.t, err)
				if u != nil {
					defer u.Close()
					order := make([]int32, len(rows))
					for i := range order {
						order[i] = int32(i)
					}
					slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(rows[a], rows[b]) })
					sorted := make([]uint64, len(rows))
					for i, o := range order {
						sorted[i] = rows[o]
					}
					b.Sel = order
					check(x.t, u.Add(ctx, sorted, b))
					return u.Finish(ctx)
				}
			}
			_, err := tx.Update(ctx, "texts", x.rowsOf(tx.View, ids), []int{1 + col}, b)
			return err
		})
	case 7:
		if x.r.IntN(3) == 0 {
			must[storage.VacuumResult](x.t)(x.s.Vacuum(ctx, "texts", nil))
		}
	}
}

// oracle is BM25 by its formula over texts split at spaces.
type oracle struct {
	weights []float64
	n, sum  [2]float64
	df      [2]map[string]float64
	tf      map[int64][2]map[string]float64
	length  map[int64][2]float64
}

func (x *texts) oracle(weights []float64) *oracle {
	o := &oracle{weights: weights, tf: map[int64][2]map[string]float64{}, length: map[int64][2]float64{}}
	o.df = [2]map[string]float64{{}, {}}
	for id, row := range x.rows {
		var tf [2]map[string]float64
		var length [2]float64
		for c, s := range row {
			if s == nil {
				continue
			}
			tf[c] = map[string]float64{}
			words := strings.Fields(*s)
			for _, w := range words {
				tf[c][w]++
			}
			for w := range tf[c] {
				o.df[c][w]++
			}
			length[c] = float64(len(words))
			o.n[c]++
			o.sum[c] += length[c]
		}
		o.tf[id], o.length[id] = tf, length
	}
	return o
}

func (o *oracle) score(id int64, words []string, cols []int) (sum float64) {
	for _, c := range cols {
		for _, w := range words {
			f := o.tf[id][c][w]
			if f == 0 {
				continue
			}
			idf := math.Log(1 + (o.n[c]-o.df[c][w]+0.5)/(o.df[c][w]+0.5))
			sum += o.weights[c] * idf * f * 2.2 / (f + 1.2*(0.25+0.75*o.length[id][c]/(o.sum[c]/o.n[c])))
		}
	}
	return sum
}

// verify compares searches with scoring all rows.
func (x *texts) verify(weights []float64) {
	x.t.Helper()
	v := must[*storage.View](x.t)(x.s.Snapshot())
	defer v.Close()
	t := must[*storage.Table](x.t)(v.Table("texts"))
	ids := make([]int64, 0, len(x.rows))
	for id := range x.rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	number := map[int64]uint64{}
	for i, row := range x.rowsOf(v, ids) {
		number[ids[i]] = row
	}
	o := x.oracle(weights)
	for range 6 {
		var words []string
		for range 1 + x.r.IntN(4) {
			if w := fmt.Sprintf("w%d", int(math.Exp(x.r.Float64()*5))-1); !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
		cols := [][]int{{0}, {1}, {0, 1}}[x.r.IntN(3)]
		at := make([]int, len(cols))
		for i, c := range cols {
			at[i] = 1 + c
		}
		q := must[*storage.TextQuery](x.t)(t.TextQuery(ctx, t.Def().Index("words"), at, must[text.Query](x.t)(text.ParseQuery(strings.Join(words, " "), nil))))
		var among *storage.RowSet
		if x.r.IntN(3) == 0 {
			among = new(storage.RowSet)
			for _, row := range number {
				if x.r.IntN(3) == 0 {
					among.Add(row)
				}
			}
		}
		type scored struct {
			row   uint64
			score float64
		}
		var want []scored
		matching := 0
		for _, id := range ids {
			got := q.Score(pick(x.rows[id], cols))
			if s := o.score(id, words, cols); math.Abs(s-got) > 1e-9*(1+s) {
				x.t.Fatalf("%v: score %v, want %v", words, got, s)
			}
			if got > 0 && (among == nil || among.Has(number[id])) {
				want = append(want, scored{number[id], got})
			}
			all := true
			for _, w := range words {
				in := false
				for _, c := range cols {
					in = in || o.tf[id][c][w] > 0
				}
				all = all && in
			}
			if all {
				matching++
			}
			if q.Matches(pick(x.rows[id], cols)) != all {
				x.t.Fatalf("%v: %d matches: %v", words, id, !all)
			}
		}
		if n := must[uint64](x.t)(q.Count(ctx)); n != uint64(matching) {
			x.t.Fatalf("%v: %d rows are counted, want %d", words, n, matching)
		}
		if set := must[*storage.RowSet](x.t)(q.Match(ctx)); set.Len() != matching {
			x.t.Fatalf("%v: %d rows match, want %d", words, set.Len(), matching)
		} else {
			for _, id := range ids {
				if set.Has(number[id]) != q.Matches(pick(x.rows[id], cols)) {
					x.t.Fatalf("%v: row %d", words, number[id])
				}
			}
		}
		slices.SortFunc(want, func(a, b scored) int {
			if c := cmp.Compare(b.score, a.score); c != 0 {
				return c
			}
			return cmp.Compare(a.row, b.row)
		})
		if among == nil {
			n := 0
			byRow := map[uint64]float64{}
			for _, w := range want {
				byRow[w.row] = w.score
			}
			all := storage.NewRowScores(t)
			check(x.t, q.AddScores(ctx, all, 1, x.r.IntN(4)))
			for b := range all.Blocks() {
				of, most := all.Block(b)
				if of == nil {
					continue
				}
				if slices.Max(of[:]) != most {
					x.t.Fatalf("%v, block %d: the largest is %v, not %v", words, b, slices.Max(of[:]), most)
				}
				for i, score := range of {
					row := uint64(b)*storage.BlockRows + uint64(i)
					if score != byRow[row] {
						x.t.Fatalf("%v, row %d: %v, want %v", words, row, score, byRow[row])
					}
					if score != 0 {
						n++
					}
				}
			}
			if n != len(want) {
				x.t.Fatalf("%v: %d rows have a word, want %d", words, n, len(want))
			}
		}
		k := []int{-1, 1, 3, 10, 100}[x.r.IntN(5)]
		if k >= 0 {
			want = want[:min(k, len(want))]
		}
		hits, _, err := q.Top(ctx, k, among)
		check(x.t, err)
		if len(hits) != len(want) {
			x.t.Fatalf("%v: %d hits, want %d", words, len(hits), len(want))
		}
		for i, h := range hits {
			if h.Row != want[i].row || h.Score != want[i].score {
				x.t.Fatalf("%v, hit %d: %+v, want %+v", words, i, h, want[i])
			}
		}
	}
}

// verifyForms compares phrases, beginnings, alternatives and exclusions with looking at every text.
func (x *texts) verifyForms() {
	x.t.Helper()
	v := must[*storage.View](x.t)(x.s.Snapshot())
	defer v.Close()
	t := must[*storage.Table](x.t)(v.Table("texts"))
	ids := x.some(len(x.rows))
	slices.Sort(ids)
	rows := x.rowsOf(v, ids)
	word := func() string { return fmt.Sprintf("w%d", int(math.Exp(x.r.Float64()*4))-1) }
	var queries []*storage.TextQuery
	var columns [][]int
	for range 6 {
		src := [...]func() string{
			func() string { return `"` + word() + " " + word() + `"` },
			func() string { return `"` + word() + " " + word() + " " + word() + `"*` },
			func() string { return word() + "* " + word() },
			func() string { return word() + " -" + word() },
			func() string { return "(" + word() + ` OR "` + word() + " " + word() + `") -` + word() + "*" },
		}[x.r.IntN(5)]()
		cols := [][]int{{0}, {1}, {0, 1}}[x.r.IntN(3)]
		at := make([]int, len(cols))
		for i, c := range cols {
			at[i] = 1 + c
		}
		q := must[*storage.TextQuery](x.t)(t.TextQuery(ctx, t.Def().Index("words"), at, must[text.Query](x.t)(text.ParseQuery(src, nil))))
		set := must[*storage.RowSet](x.t)(q.Match(ctx))
		if n := must[uint64](x.t)(q.Count(ctx)); n != uint64(set.Len()) {
			x.t.Fatalf("%s: %d are counted, %d match", src, n, set.Len())
		}
		hits, _, err := q.Top(ctx, -1, nil)
		check(x.t, err)
		scores := map[uint64]float64{}
		for _, h := range hits {
			scores[h.Row] = h.Score
		}
		for i, id := range ids {
			texts := pick(x.rows[id], cols)
			if want := q.Matches(texts); set.Has(rows[i]) != want {
				x.t.Fatalf("%s: row %d matches: %v", src, rows[i], want)
			}
			if want := q.Score(texts); scores[rows[i]] != want {
				x.t.Fatalf("%s: row %d: %v, want %v", src, rows[i], scores[rows[i]], want)
			}
		}
		queries, columns = append(queries, q), append(columns, cols)
	}
	// What watches leave out does not match.
	pos := make([]int32, len(ids))
	for i := range pos {
		pos[i] = int32(i)
	}
	may := make([][]int32, len(queries))
	b := storage.NewWordBounds(queries)
	b.MayMatch(x.batch(ids).Cols, pos[:len(pos)/2], may)
	b.MayMatch(x.batch(ids).Cols, pos[len(pos)/2:], may)
	for k, q := range queries {
		if !slices.IsSorted(may[k]) || len(slices.Compact(slices.Clone(may[k]))) != len(may[k]) {
			x.t.Fatalf("rows %v", may[k])
		}
		for i, id := range ids {
			in := slices.Contains(may[k], int32(i))
			if !in && q.Matches(pick(x.rows[id], columns[k])) {
				x.t.Fatalf("query %d: row %d, which matches, is left out", k, rows[i])
			}
			if !in {
				x.apart++
			}
		}
	}
}

func pick(row [2]*string, cols []int) (out []*string) {
	for _, c := range cols {
		out = append(out, row[c])
	}
	return out
}

// Scores, matches and the best rows are those of computing them for every row, whatever was
// done to the rows.
func TestFullText(t *testing.T) {
	for seed := range seeds(3) {
		fs := vfs.NewMem()
		x := newTexts(t, uint64(seed+firstSeed()), &storage.Options{FS: fs, NoSync: true})
		storage.SetBuildRows(x.s, 1)
		storage.SetSortMemory(x.s, 1<<(10+x.r.IntN(14)))
		weights := []float64{2, 0.5}
		early := seed%2 == 0
		if early {
			x.index(map[string]string{"weights": "2, 0.5"})
		}
		for i := range 25 {
			x.step()
			if i == 12 && !early {
				x.index(map[string]string{"weights": "2, 0.5"})
			}
			if i%6 == 5 && (early || i > 12) {
				x.verify(weights)
				x.verifyForms()
				x.verifyFilters(weights)
			}
		}
		storage.AwaitHousekeeping(x.s)
		x.verify(weights)
		healthy(t, x.s)
		check(t, x.s.Close())
		x.s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
		x.verify(weights)
		x.verifyForms()
		x.verifyFilters(weights)
		if x.filtered == 0 {
			t.Error("no row matches a query with filters")
		}
		if x.apart == 0 {
			t.Error("bounds of words leave nothing out")
		}
		checked(t, x.s)
	}
}

var _ = context.Background
