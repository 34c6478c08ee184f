package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

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
	words    *storage.TextQuery
	scores   *storage.RowScores // of words, for which rows with 0 have no rank
	exact    []float64          // of columns, by row; not a number for NULL, and where there is no row
}

// known reports whether the term's values are, rather than bounds of them.
func (t *term) known() bool { return t.scores != nil || t.exact != nil }

// at is the value that the term is known to have.
func (t *term) at(row int) float64 {
	if t.scores != nil {
		return t.scores.Of(uint64(row))
	}
	return t.exact[row]
}

// block returns the known values of a block's rows, nil if all are 0.
func (t *term) block(b uint32) []float64 {
	if t.exact != nil {
		return t.exact[b*storage.BlockRows:][:storage.BlockRows]
	}
	if of, _ := t.scores.Block(b); of != nil {
		return of[:]
	}
	return nil
}

// least and most that the term's value can be.
func (t *term) low(row int) float64 {
	if t.known() {
		return t.at(row)
	}
	if t.FromOne {
		return 1 - float64(t.bounds.Upper[row]) - boundSlack
	}
	return float64(t.bounds.Lower[row]) - boundSlack
}

func (t *term) high(row int) float64 {
	if t.known() {
		return t.at(row)
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
	if err := r.begin(n); err != nil {
		return nil, err
	}
	single := r.single()
	if single == nil && !r.RRF || r.hasColumns() {
		if err := r.reserve(2 * n); err != nil {
			return nil, err
		}
		r.there = make([]bool, n)
		if err := r.columns(ctx, n); err != nil {
			return nil, err
		}
	}
	for _, t := range r.terms {
		if err := r.prepare(ctx, t); err != nil {
			return nil, err
		}
	}
	switch {
	case r.RRF:
		return r.ranked(ctx)
	case single != nil:
		return r.biased(ctx, single)
	}
	r.live = slices.Clone(r.there)
	for _, t := range r.terms {
		if err := r.score(ctx, t); err != nil {
			return nil, err
		}
		for row, live := range r.live {
			switch {
			case !live:
			case t.known():
				r.live[row] = t.at(row) == t.at(row)
			default:
				r.live[row] = !math.IsInf(float64(t.bounds.Upper[row]), -1)
			}
		}
	}
	switch {
	case r.MMR != nil:
		return r.diverse(ctx)
	case r.Groups != nil:
		return r.grouped(ctx)
	}
	return r.summed(ctx)
}

// begin prepares the terms.
func (r *fusing) begin(n int) error {
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
	}
	return nil
}

func (r *fusing) hasColumns() bool {
	return slices.ContainsFunc(r.terms, func(t *term) bool { return t.X != nil })
}

// single returns the term that is the only similarity of a sum, nil if there is none or if what is
// asked for takes bounds of all rows.
func (r *fusing) single() (single *term) {
	if r.RRF || r.MMR != nil || r.Groups != nil {
		return nil
	}
	for _, t := range r.terms {
		if t.To == nil {
			continue
		}
		if single != nil {
			return nil
		}
		single = t
	}
	return single
}

// columns computes the terms of columns, and finds the rows there are.
func (r *fusing) columns(ctx context.Context, n int) error {
	var cols []int
	for _, t := range r.terms {
		if t.X == nil {
			continue
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
	if groups != nil {
		return r.scan(ctx, storage.ScanOptions{Columns: cols, Filter: r.among}, groups)
	}
	return r.eachBlocks(func(from, to int) error {
		return r.scan(ctx, storage.ScanOptions{Columns: cols, Filter: r.among, FromBlock: uint32(from), ToBlock: uint32(to)}, nil)
	})
}

// eachBlocks calls f for parts of the blocks at the same time.
func (r *fusing) eachBlocks(f func(from, to int) error) error {
	workers := r.Env.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	n := int(r.t.Blocks())
	workers = max(1, min(workers, n/4))
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			if from, to := i*n/workers, (i+1)*n/workers; from < to {
				errs[i] = f(from, to)
			}
		})
	}
	wait.Wait()
	return cmp.Or(errs...)
}

// scan computes the terms of columns for some blocks.
func (r *fusing) scan(ctx context.Context, opts storage.ScanOptions, groups *fn.Groups) error {
	sc := r.t.Scan(opts)
	defer sc.Close()
	exprs := make([]fn.Expr, len(r.terms))
	for i, t := range r.terms {
		if t.X != nil {
			exprs[i] = t.X.Clone()
		}
	}
	for {
		b, err := sc.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		for _, i := range b.Selected() {
			r.there[b.Rows[i]] = true
		}
		if groups != nil {
			if err := r.assign(groups, b, opts.Columns); err != nil {
				return err
			}
		}
		for k, t := range r.terms {
			if t.X == nil {
				continue
			}
			a, err := exprs[k].Eval(r.c, columnsOf(b, opts.Columns, t.Columns), b.Sel)
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

// prepare makes a term ready to be scored, and scores words.
func (r *fusing) prepare(ctx context.Context, t *term) error {
	switch {
	case t.Words != nil:
		q, err := t.Words.Prepare(ctx, r.c)
		if err != nil {
			return err
		}
		if q == nil { // NULL throughout
			return errTooMany
		}
		if t.words = q; t.Norm != "" || r.single() == nil {
			if t.scores, err = r.newScores(q.Postings()); err != nil {
				return err
			}
			if err := q.AddScores(ctx, t.scores, 1, r.Env.Workers); err != nil {
				return err
			}
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
		t.opts = storage.NearestOptions{Column: t.Columns[0], Query: q, Filter: r.among, Workers: r.Env.Workers}
	}
	if t.Norm != "" {
		return r.normalize(ctx, t)
	}
	return nil
}

// score bounds the values of a term, if they are not known.
func (r *fusing) score(ctx context.Context, t *term) (err error) {
	if t.known() || t.bounds != nil {
		return nil
	}
	if err := r.reserve(8 * int(r.t.Blocks()) * storage.BlockRows); err != nil {
		return err
	}
	t.bounds, err = r.t.ScoreBounds(ctx, t.opts)
	return err
}

// newScores returns scores of rows of which a number are not 0.
func (r *fusing) newScores(n uint64) (*storage.RowScores, error) {
	if err := r.reserve(int(min(uint64(r.t.Blocks()), n)) * storage.RowScoreBytes); err != nil {
		return nil, err
	}
	return storage.NewRowScores(r.t), nil
}

// rangeOf returns the range of a term whose values are known.
func (r *fusing) rangeOf(t *term) Norm {
	if t.exact != nil {
		return NormOf(t.exact)
	}
	n, rows := Norm{math.Inf(1), math.Inf(-1)}, uint64(0)
	for b := range t.scores.Blocks() {
		of, _ := t.scores.Block(b)
		if of == nil {
			continue
		}
		for i, v := range of {
			if v != 0 && (r.among == nil || r.among.Has(uint64(b)*storage.BlockRows+uint64(i))) {
				n.Min, n.Max, rows = min(n.Min, v), max(n.Max, v), rows+1
			}
		}
	}
	if rows < r.rows {
		n.Min, n.Max = min(n.Min, 0), max(n.Max, 0)
	}
	return n
}

// normalize finds the range of a term over all rows.
func (r *fusing) normalize(ctx context.Context, t *term) error {
	n, ok := r.Norms[t.Norm]
	if !ok && t.known() {
		n = r.rangeOf(t)
	}
	if !ok && !t.known() {
		worst := t.opts
		worst.K, worst.Worst = 1, true
		best := worst
		best.Worst = false
		found, _, err := r.t.NearestMany(ctx, []storage.NearestOptions{worst, best})
		if err != nil {
			return err
		}
		if len(found[0]) == 0 {
			return errTooMany
		}
		if n.Min, n.Max = found[0][0].Score, found[1][0].Score; t.FromOne {
			n.Min, n.Max = 1-n.Max, 1-n.Min
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
	if t.known() {
		for i, row := range rows {
			out[i] = t.at(int(row))
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
