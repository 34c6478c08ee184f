package exec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Fusion finds the rows that can be among the best Count by several scores: by a sum of them,
// each times a number, or by what their ranks are worth together. It does not compute the
// answer, it leaves out what is proven to be outside; the rows that it finds are scored and
// sorted above.
//
// Scores of words and of columns are computed for all rows, which takes little time; of
// similarities codes give bounds. The sum of a row's bounds says whether it can reach what
// Count rows are known to reach; the most promising rows, which are scored first, set that high.
type Fusion struct {
	Terms []FusedTerm
	Rest  float64 // the constants of the sum
	RRF   bool    // the terms are ranked
	K     float64 // of RRF
	Loose bool    // RRF: only the order of the rows is asked for
	MMR   *MMR    // the sum is the relevance of rows that are to differ; nil = no
	Count int
	// Groups are groups of rows of which each has a best Count; nil = no.
	Groups *FusionGroups
	Among  Operator // gives the rows to search among; nil = all
	Sum    fn.Expr  // over the terms' values, in their order
	Env    *Env

	Norms map[string]Norm // by text, of this run
	sums  map[uint64]float64

	rows, found, first, second uint64
	evaluated                  int
	groups                     int
	least                      float64
	all                        bool
}

// FusedTerm is one score: of a similarity, of words or of columns.
type FusedTerm struct {
	By    float64 // what it is times in the sum, with
	Times []fn.Expr
	Over  []fn.Expr // and divided by these
	Text  string
	Norm  string // the text of the normalize around it, "" for none
	Low   bool   // RRF: the lowest value is the best

	To      fn.Expr // of a similarity: what the column is compared with
	FromOne bool    // the value is 1 less the similarity
	At      func(error) error
	Words   *WordsQuery // of words
	X       fn.Expr     // of columns: over Columns
	Columns []int       // of the table
}

// fusionShare is the part of the rows beyond which reading all is as good.
const fusionShare = 8

// fusionFew is the number of rows up to which all are scored.
const fusionFew = 256

// term is a FusedTerm of one run.
type term struct {
	*FusedTerm
	by, plus float64 // of the sum: by * value + plus
	bounds   *storage.ScoreBounds
	opts     storage.NearestOptions
	exact    []float64 // by row; nil: bounds
	has      bool      // rows with 0 have no rank
}

// least and most that the term's value can be.
func (t *term) low(row int) float64 {
	if t.exact != nil {
		return t.exact[row]
	}
	if t.FromOne {
		return 1 - float64(t.bounds.Upper[row]) - boundSlack
	}
	return float64(t.bounds.Lower[row]) - boundSlack
}

func (t *term) high(row int) float64 {
	if t.exact != nil {
		return t.exact[row]
	}
	if t.FromOne {
		return 1 - float64(t.bounds.Lower[row]) + boundSlack
	}
	return float64(t.bounds.Upper[row]) + boundSlack
}

// boundSlack is how far bounds of similarities may be off.
const boundSlack = 1e-10

// fusing is one run of a Fusion.
type fusing struct {
	*Fusion
	c       *fn.Ctx
	t       *storage.Table
	among   *storage.RowSet
	terms   []*term
	there   []bool // rows to search among
	live    []bool // of them those that every term has a value for
	group   []int32
	ngroups int
	held    int64
}

var errTooMany = errors.New("bounds leave out too little")

// find returns the rows; nil where all have to be scored.
func (f *Fusion) find(ctx context.Context, c *fn.Ctx, t *storage.Table) (*storage.RowSet, error) {
	f.Norms, f.sums = map[string]Norm{}, map[uint64]float64{}
	f.found, f.first, f.second, f.evaluated, f.least, f.all, f.rows = 0, 0, 0, 0, 0, true, t.Rows()
	r := &fusing{Fusion: f, c: c, t: t}
	if f.Among != nil {
		r.among = new(storage.RowSet)
		err := Drain(ctx, f.Among, func(b *value.Batch) error {
			r.among.AddBatch(b)
			return nil
		})
		if err != nil {
			return nil, err
		}
		f.rows = uint64(r.among.Len())
	}
	if f.rows <= uint64(4*f.Count+fusionFew) {
		return r.among, nil
	}
	defer func() { f.Env.Memory.Release(r.held) }()
	set, err := r.find(ctx)
	if err == errTooMany {
		clear(f.Norms)
		return r.among, nil
	}
	if err != nil {
		return nil, err
	}
	f.all, f.found = false, uint64(set.Len())
	return set, nil
}

func (r *fusing) reserve(n int) error {
	r.held += int64(n)
	return r.Env.Memory.Reserve(int64(n), "the scores of a search")
}

func (r *fusing) find(ctx context.Context) (*storage.RowSet, error) {
	n := int(r.t.Blocks()) * storage.BlockRows
	if err := r.reserve(2 * n); err != nil {
		return nil, err
	}
	r.there = make([]bool, n)
	if err := r.columns(ctx, n); err != nil {
		return nil, err
	}
	r.live = slices.Clone(r.there)
	for _, t := range r.terms {
		if err := r.prepare(ctx, t, n); err != nil {
			return nil, err
		}
	}
	switch {
	case r.RRF:
		return r.ranked(ctx)
	case r.MMR != nil:
		return r.diverse(ctx)
	case r.Groups != nil:
		return r.grouped(ctx)
	}
	return r.summed(ctx)
}

// columns computes the terms of columns, and finds the rows there are.
func (r *fusing) columns(ctx context.Context, n int) error {
	var cols []int
	for i := range r.Terms {
		t := &term{FusedTerm: &r.Terms[i], by: r.Terms[i].By}
		for k, e := range append(slices.Clone(t.Times), t.Over...) {
			v, ok := valueOf(r.c, e)
			if !ok || v.IsNull() {
				return errTooMany
			}
			if k < len(t.Times) {
				t.by = float64(t.by * numeric(v))
			} else {
				t.by /= numeric(v)
			}
		}
		if t.by-t.by != 0 {
			return errTooMany
		}
		r.terms = append(r.terms, t)
		if t.X == nil {
			continue
		}
		if err := r.reserve(8 * n); err != nil {
			return err
		}
		t.exact = make([]float64, n)
		for k := range t.exact {
			t.exact[k] = math.NaN()
		}
		for _, c := range t.Columns {
			if !slices.Contains(cols, c) {
				cols = append(cols, c)
			}
		}
	}
	groups, err := r.openGroups(n, &cols)
	if err != nil {
		return err
	}
	sc := r.t.Scan(storage.ScanOptions{Columns: cols, Filter: r.among})
	defer sc.Close()
	for {
		b, err := sc.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		for _, i := range b.Selected() {
			r.there[b.Rows[i]] = true
		}
		if groups != nil {
			if err := r.assign(groups, b, cols); err != nil {
				return err
			}
		}
		for _, t := range r.terms {
			if t.X == nil {
				continue
			}
			a, err := t.X.Eval(r.c, columnsOf(b, cols, t.Columns), b.Sel)
			if err != nil {
				return err
			}
			for _, i := range b.Selected() {
				if a.Type.Kind == value.Null || a.IsNull(int(i)) {
					continue
				}
				v := numeric(a.At(int(i)))
				if v-v != 0 { // not a number, or infinite
					return errTooMany
				}
				t.exact[b.Rows[i]] = v
			}
		}
	}
}

// columnsOf returns b, whose columns are cols of the table, with some of these.
func columnsOf(b *value.Batch, cols, some []int) *value.Batch {
	out := *b
	out.Cols = nil
	for _, c := range some {
		out.Cols = append(out.Cols, b.Cols[slices.Index(cols, c)])
	}
	return &out
}

// prepare finds the values of a term, or their bounds.
func (r *fusing) prepare(ctx context.Context, t *term, n int) error {
	switch {
	case t.Words != nil:
		q, err := t.Words.Prepare(ctx, r.c)
		if err != nil {
			return err
		}
		if q == nil { // NULL throughout
			return errTooMany
		}
		if err := r.reserve(8 * n); err != nil {
			return err
		}
		t.exact, t.has = make([]float64, n), true
		err = q.Each(ctx, func(row uint64, score float64) {
			if r.there[row] {
				t.exact[row] = score
			}
		})
		if err != nil {
			return err
		}
	case t.To != nil:
		a, err := t.To.Eval(r.c, oneRow, nil)
		if err != nil {
			return t.At(err)
		}
		if a.Type.Kind == value.Null || a.IsNull(0) {
			return errTooMany
		}
		q, err := vector.NewQuery(vector.Cosine, a.Vec(0))
		if err != nil {
			return t.At(err)
		}
		if dim := r.t.Def().Columns[t.Columns[0]].Type.Dim; q.Dim() != dim {
			return t.At(fmt.Errorf("vectors have %d and %d dimensions", dim, q.Dim()))
		}
		if q.Zero() {
			return errTooMany
		}
		if err := r.reserve(8 * n); err != nil {
			return err
		}
		t.opts = storage.NearestOptions{Column: t.Columns[0], Query: q, Filter: r.among, Workers: r.Env.Workers}
		if t.bounds, err = r.t.ScoreBounds(ctx, t.opts); err != nil {
			return err
		}
	}
	if t.Norm != "" {
		if err := r.normalize(ctx, t); err != nil {
			return err
		}
	}
	if r.RRF {
		return nil // a row has its rank by the other scores
	}
	for row := range r.live {
		if !r.live[row] {
			continue
		}
		if t.exact != nil {
			r.live[row] = t.exact[row] == t.exact[row]
		} else {
			r.live[row] = !math.IsInf(float64(t.bounds.Upper[row]), -1)
		}
	}
	return nil
}

// normalize finds the range of a term over all rows.
func (r *fusing) normalize(ctx context.Context, t *term) error {
	n, ok := r.Norms[t.Norm]
	if !ok && t.exact != nil {
		n = Norm{math.Inf(1), math.Inf(-1)}
		for row, v := range t.exact {
			if r.there[row] && v == v {
				n.Min, n.Max = min(n.Min, v), max(n.Max, v)
			}
		}
	}
	if !ok && t.exact == nil {
		opts := t.opts
		for _, opts.Worst = range []bool{true, false} {
			opts.K = 1
			found, _, err := r.t.Nearest(ctx, opts)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return errTooMany
			}
			s := found[0].Score
			if t.FromOne {
				s = 1 - s
			}
			if opts.Worst != t.FromOne {
				n.Min = s
			} else {
				n.Max = s
			}
		}
	}
	r.Norms[t.Norm] = n
	if !(n.Max > n.Min) { // all are equal, or there are none
		return errTooMany
	}
	t.by /= n.Max - n.Min
	t.plus = -float64(t.by * n.Min)
	return nil
}

// values returns the values of a term for some rows, ascending; NaN for NULL.
func (r *fusing) values(ctx context.Context, t *term, rows []uint64) ([]float64, error) {
	out := make([]float64, len(rows))
	if t.exact != nil {
		for i, row := range rows {
			out[i] = t.exact[row]
		}
		return out, nil
	}
	opts := t.opts
	opts.Filter, opts.K = storage.RowsOf(rows), -1
	found, st, err := r.t.Nearest(ctx, opts)
	if err != nil {
		return nil, err
	}
	r.second += st.Scored
	byRow := make(map[uint64]float64, len(found))
	for _, n := range found {
		if t.FromOne {
			n.Score = 1 - n.Score
		}
		byRow[n.Row] = n.Score
	}
	for i, row := range rows {
		v, ok := byRow[row]
		if !ok {
			v = math.NaN()
		}
		out[i] = v
	}
	return out, nil
}

func (f *Fusion) details() []string {
	if f.all {
		return []string{fmt.Sprintf("exact: yes; bounds leave out too little: all %d rows are scored", f.rows)}
	}
	if f.RRF {
		return []string{fmt.Sprintf("exact: yes; %d rows have ranks worth %.6f; bounds leave %d of %d, %d similarities computed", f.Count, f.least, f.found, f.rows, f.second)}
	}
	if f.Groups != nil {
		return []string{fmt.Sprintf("exact: yes; the best %d of %d groups; of %d rows the bounds of the first plane discard %d; %d are scored", f.Count, f.groups, f.rows, f.first, f.found)}
	}
	if f.MMR != nil {
		return []string{fmt.Sprintf("exact: yes; %d rows are chosen down to %.6f; bounds leave %d of %d rows to be scored", f.found, f.least, f.evaluated, f.rows)}
	}
	return []string{fmt.Sprintf("exact: yes; %d rows reach %.6f; of %d rows the bounds of the first plane discard %d; %d are scored", f.Count, f.least, f.rows, f.first, f.evaluated)}
}
