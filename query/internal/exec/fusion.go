package exec

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Fusion finds the rows that can be among the best Count by a sum of scores: by similarities
// and by words, each times a positive number. It does not compute the answer, it leaves out
// what is proven to be outside; the rows that it finds are scored and sorted above.
//
// The best rows by each score alone give a sum that Count rows reach. A row that is to reach
// it too needs a similarity that makes up for what its words lack: those whose words score
// best need the least, rows without any the most. So the rows that have one of the words are
// taken in groups by their scores, and of each group, and of all rows, those are searched
// whose similarity is high enough, which codes decide for nearly all of them.
type Fusion struct {
	Sims    []FusedSim // the first is searched, the others are bounded by their best
	Words   []FusedWords
	Rest    float64
	Count   int
	Sum     fn.Expr // over Columns of the table
	Columns []int
	Workers int

	rows, found, evaluated uint64
	groups, skipped        int
	least                  float64
	all                    bool
}

// FusedSim is a cosine similarity.
type FusedSim struct {
	By     float64
	Column int
	To     fn.Expr
	At     func(error) error
}

// FusedWords is a score of words.
type FusedWords struct {
	By    float64
	Query *WordsQuery
}

// fusionShare is the part of the rows beyond which reading all is as good.
const fusionShare = 8

// find returns the rows; nil where all have to be scored.
func (f *Fusion) find(ctx context.Context, c *fn.Ctx, t *storage.Table) (*storage.RowSet, error) {
	*f = Fusion{Sims: f.Sims, Words: f.Words, Rest: f.Rest, Count: f.Count, Sum: f.Sum, Columns: f.Columns, Workers: f.Workers}
	f.all, f.rows = true, t.Rows()
	limit := int(t.Rows()/fusionShare) + 4*f.Count
	set := new(storage.RowSet)
	others := f.Rest // the most that all but the first similarity and the first words add
	var first storage.NearestOptions
	best := 0.0
	for i, s := range f.Sims {
		a, err := s.To.Eval(c, oneRow, nil)
		if err != nil {
			return nil, s.At(err)
		}
		if a.Type.Kind == value.Null || a.IsNull(0) {
			return nil, nil
		}
		q, err := vector.NewQuery(vector.Cosine, a.Vec(0))
		if err != nil {
			return nil, s.At(err)
		}
		if dim := t.Def().Columns[s.Column].Type.Dim; q.Dim() != dim {
			return nil, s.At(fmt.Errorf("vectors have %d and %d dimensions", dim, q.Dim()))
		}
		opts := storage.NearestOptions{Column: s.Column, Query: q, K: f.Count, Workers: f.Workers}
		found, _, err := t.Nearest(ctx, opts)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, nil
		}
		for _, n := range found {
			set.Add(n.Row)
		}
		if i == 0 {
			first, best = opts, found[0].Score
		} else {
			others += float64(s.By * found[0].Score)
		}
	}
	var hits []storage.TextHit // of the first words
	for i, w := range f.Words {
		q, err := w.Query.Prepare(ctx, c)
		if err != nil {
			return nil, err
		}
		if q == nil {
			return nil, nil
		}
		k := f.Count
		if i == 0 {
			k = -1
		}
		found, _, err := q.Top(ctx, k, nil)
		if err != nil {
			return nil, err
		}
		for _, h := range found[:min(f.Count, len(found))] {
			set.Add(h.Row)
		}
		if i == 0 {
			hits = found
		} else if len(found) > 0 {
			others += float64(w.By * found[0].Score)
		}
	}
	least, ok, err := f.reached(ctx, c, t, set)
	if err != nil || !ok {
		return nil, err
	}
	f.least = least
	s := f.Sims[0]
	// search adds the rows among some whose similarity makes up for the rest of a sum that
	// reaches the least; ok is false where they are too many.
	search := func(among *storage.RowSet, words float64) (ok bool, err error) {
		need := (least - others - words) / s.By
		need -= float64(1e-9 * (1 + math.Abs(need) + math.Abs(least/s.By) + math.Abs(others/s.By)))
		if need > best {
			f.skipped++
			return true, nil
		}
		f.groups++
		opts := first
		opts.Filter, opts.K, opts.Min = among, limit+1, &storage.ScoreBound{Score: need}
		found, st, err := t.Nearest(ctx, opts)
		if err != nil {
			return false, err
		}
		f.evaluated += st.Scored
		for _, n := range found {
			set.Add(n.Row)
		}
		return set.Len() <= limit, nil
	}
	size := 4 * max(f.Count, 64)
	for len(hits) > 0 {
		n := min(size, len(hits))
		size *= 4
		among := new(storage.RowSet)
		for _, h := range hits[:n] {
			among.Add(h.Row)
		}
		if ok, err := search(among, float64(f.Words[0].By*hits[0].Score)); err != nil || !ok {
			return nil, err
		}
		hits = hits[n:]
	}
	if ok, err := search(nil, 0); err != nil || !ok {
		return nil, err
	}
	f.all, f.found = false, uint64(set.Len())
	return set, nil
}

// reached returns the sum that Count of the rows reach; ok is false where fewer have one.
func (f *Fusion) reached(ctx context.Context, c *fn.Ctx, t *storage.Table, set *storage.RowSet) (least float64, ok bool, err error) {
	rows := slices.Collect(set.All())
	var sums []float64
	for len(rows) > 0 {
		n := min(len(rows), value.BatchSize)
		b, err := t.Fetch(ctx, rows[:n], f.Columns)
		if err != nil {
			return 0, false, err
		}
		a, err := f.Sum.Eval(c, b, nil)
		if err != nil {
			return 0, false, err
		}
		for i := range n {
			if !a.IsNull(i) {
				v := a.At(i)
				x := v.Float()
				if math.IsNaN(x) || math.IsInf(x, 0) {
					return 0, false, nil
				}
				sums = append(sums, x)
			}
		}
		rows = rows[n:]
	}
	if len(sums) < f.Count {
		return 0, false, nil
	}
	slices.Sort(sums)
	return sums[len(sums)-f.Count], true, nil
}

func (f *Fusion) details() []string {
	if f.all {
		return []string{fmt.Sprintf("exact: yes; bounds leave out too little: all %d rows are scored", f.rows)}
	}
	return []string{fmt.Sprintf("exact: yes; %d rows reach %.6f; bounds leave %d of %d: %d groups searched, %d left out whole", f.Count, f.least, f.found, f.rows, f.groups, f.skipped)}
}
