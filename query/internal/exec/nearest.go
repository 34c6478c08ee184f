package exec

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Nearest searches a vector column. Its batches have one column, the score in
// the terms of the language, and the row numbers.
type Nearest struct {
	Env     *Env
	Table   *storage.Table
	Column  int
	Ctx     *fn.Ctx
	Metric  vector.Metric
	To      fn.Expr           // the vector that rows are compared with
	Within  []fn.Expr         // bounds: rows whose score, in the terms of the language, is worse are left out
	At      func(error) error // gives an error its place
	Count   int64             // rows wanted; -1 = all within the bound
	Recall  float64           // part of them that is to be found, on average over queries; 0 = all
	Time    *time.Duration    // what was found after it is enough; nil = no limit, or
	Top     bool              // that of Env: the rows are those of the query
	Offset  int64             // rows that are left out of those found, with Time or Top
	Worst   bool              // the worst scores first
	Ranked  bool              // rows in the order of their scores, else in row order
	Nulls   bool              // rows without a score follow where Count asks for more
	Ties    bool              // all rows as good as the last one come too, and all without a score if one does
	Filter  Operator          // gives the rows to search among; nil = all
	Negate  bool              // the score is the metric's value negated,
	FromOne bool              // or taken from one
	Text    string
	Among   string // equal where Filter gives the same rows, with
	Depends []int  // these slots
	Shared  int    // searches that are done in one pass with this one, itself included
	Ahead   *Ahead // what was found for many vectors at once, nil = nothing
	Analyze bool   // also look how far the next row is, for Details

	query  *vector.Query
	bound  *storage.ScoreBound
	upper  bool
	stats  *storage.NearestStats
	since  time.Time
	told   string // how far the search has come within Time
	filter time.Duration
	among  int
	out    *emitter
}

// prepare finds the vector and the bound. Where the vector is NULL all scores are, and
// there is no query.
func (n *Nearest) prepare() error {
	n.query, n.bound = nil, nil
	a, err := n.To.Eval(n.Ctx, oneRow, nil)
	if err != nil {
		return n.At(err)
	}
	if a.Type.Kind == value.Null || a.IsNull(0) {
		return nil
	}
	if n.query, err = vector.NewQuery(n.Metric, a.Vec(0)); err != nil {
		return n.At(err)
	}
	if dim := n.Table.Def().Columns[n.Column].Type.Dim; n.query.Dim() != dim {
		return n.At(fmt.Errorf("vectors have %d and %d dimensions", dim, n.query.Dim()))
	}
	higher := n.Metric.HigherIsBetter() && !n.Negate && !n.FromOne
	best, found := 0.0, false
	for _, x := range n.Within {
		v, ok := valueOf(n.Ctx, x)
		if !ok || v.IsNull() {
			continue // the condition itself is checked after
		}
		b := 0.0
		switch v.Kind() {
		case value.Integer:
			b = float64(v.Int())
		case value.Real:
			b = v.Float()
		}
		if !found || (b > best) == higher {
			best, found = b, true
		}
	}
	if found {
		n.limit(best)
	}
	return nil
}

// limit leaves out rows whose score, in the terms of the language, is worse than
// v. Rounding is on the side of more rows: the exact condition is checked after.
func (n *Nearest) limit(v float64) {
	higher := n.Metric.HigherIsBetter()
	switch {
	case n.Negate:
		v = -v
	case n.FromOne:
		v = 1 - v
		v -= float64(1e-15 * (1 + math.Abs(v)))
	}
	n.bound, n.upper = &storage.ScoreBound{Score: v}, !higher
}

func (n *Nearest) options() storage.NearestOptions {
	opts := storage.NearestOptions{Column: n.Column, Query: n.query, K: -1, Worst: n.Worst, Workers: n.Env.Workers, Margin: n.Analyze}
	if n.Count >= 0 {
		opts.K = int(min(n.Count, int64(n.Table.Rows())))
		opts.Recall = n.Recall
	}
	if t := n.time(); t != nil {
		opts.Stop = func() bool { return time.Since(n.since) >= *t }
	}
	if n.upper {
		opts.Max = n.bound
	} else {
		opts.Min = n.bound
	}
	return opts
}

// time returns the time limit, nil without one.
func (n *Nearest) time() *time.Duration {
	if n.Time == nil && n.Top {
		return n.Env.Within
	}
	return n.Time
}

func (n *Nearest) Next(ctx context.Context) (*value.Batch, error) {
	if n.out == nil {
		if err := n.prepare(); err != nil {
			return nil, err
		}
		if n.Ahead != nil && n.query != nil {
			if found, ok := n.Ahead.of(n.query.Vector()); ok && (!n.Nulls || int64(len(found)) >= n.Count) {
				if err := n.emit(ctx, found, nil); err != nil {
					return nil, err
				}
				return n.out.next(), nil
			}
		}
		if err := n.search(ctx); err != nil {
			return nil, err
		}
	}
	return n.out.next(), nil
}

// search finds the rows.
func (n *Nearest) search(ctx context.Context) error {
	n.since = time.Now()
	set, err := n.rows(ctx)
	if err != nil {
		return err
	}
	opts := n.options()
	opts.Filter = set
	if n.query == nil {
		opts.K = 0
	}
	var found []storage.Neighbor
	if n.Ties && opts.K > 0 {
		opts.K++ // whether there are ties is seen from the next row
	}
	if opts.K != 0 && (set == nil || set.Len() > 0) {
		if found, n.stats, err = n.Table.Nearest(ctx, opts); err != nil {
			return err
		}
	}
	if k := int(n.Count); n.Ties && k > 0 && len(found) > k {
		if last := n.score(found[k-1]); n.score(found[k]) == last {
			n.limit(last)
			opts = n.options()
			opts.Filter, opts.K = set, -1
			if found, n.stats, err = n.Table.Nearest(ctx, opts); err != nil {
				return err
			}
		} else {
			found = found[:k]
		}
	}
	if err := n.emit(ctx, found, set); err != nil {
		return err
	}
	n.tell()
	return nil
}

// Partial says how far a search has come within its time.
type Partial struct {
	Complete bool    // the rows are those of the exact answer
	Proven   int     // rows of the answer, from the first on, which are
	Unseen   float64 // the best score that a row outside of the answer can have, unless Complete
}

// tell says how far a search has come that has a time limit.
func (n *Nearest) tell() {
	if n.time() == nil {
		return
	}
	rows := max(0, n.out.t.n-int(n.Offset))
	p := &Partial{Complete: true, Proven: rows}
	if s := n.stats; s != nil && s.Stopped {
		p.Complete, p.Proven = false, max(0, s.Proven-int(n.Offset))
		p.Unseen = n.score(storage.Neighbor{Score: s.Unseen})
	}
	n.Env.Partial = p
	if p.Complete {
		return
	}
	n.told = p.of(rows)
	if n.Env.Notice != nil && !n.Analyze {
		n.Env.Notice(n.told)
	}
}

// of says it of a number of rows.
func (p *Partial) of(rows int) string {
	other := "nothing is known of what others could reach"
	if !math.IsInf(p.Unseen, 0) {
		other = "another row could reach " + strconv.FormatFloat(p.Unseen, 'f', 6, 64)
	}
	return fmt.Sprintf("%d of %d proven; %s", p.Proven, rows, other)
}

// rows returns the rows to search among, nil for all.
func (n *Nearest) rows(ctx context.Context) (*storage.RowSet, error) {
	if n.Filter == nil {
		return nil, nil
	}
	start := time.Now()
	set := new(storage.RowSet)
	err := Drain(ctx, n.Filter, func(b *value.Batch) error {
		set.AddBatch(b)
		return nil
	})
	n.filter, n.among = time.Since(start), set.Len()
	return set, err
}

// score returns the score of a row in the terms of the language.
func (n *Nearest) score(f storage.Neighbor) float64 {
	switch {
	case n.Negate:
		return -f.Score
	case n.FromOne:
		return 1 - f.Score
	}
	return f.Score
}

// emit prepares the answer's rows.
func (n *Nearest) emit(ctx context.Context, found []storage.Neighbor, set *storage.RowSet) error {
	if !n.Ranked {
		slices.SortFunc(found, func(a, b storage.Neighbor) int { return cmp.Compare(a.Row, b.Row) })
	}
	size := int64(len(found)) * 16
	if err := n.Env.Memory.Reserve(size, "the rows of a search"); err != nil {
		return err
	}
	t := &rowsTable{n: len(found), cols: []*value.Column{newColumn(value.Type{Kind: value.Real})}}
	t.rows = make([]uint64, len(found))
	scores := make([]float64, len(found))
	for i, f := range found {
		t.rows[i] = f.Row
		scores[i] = n.score(f)
	}
	t.cols[0].Reals = scores
	stopped := n.stats != nil && n.stats.Stopped // rows with a score are missing
	if n.Nulls && n.Count >= 0 && int64(len(found)) < n.Count && !stopped {
		if err := n.addNulls(ctx, t, set); err != nil {
			return err
		}
	}
	n.out = &emitter{t: t}
	return nil
}

// addNulls adds the rows without a score, in row order, as far as Count goes.
func (n *Nearest) addNulls(ctx context.Context, t *rowsTable, set *storage.RowSet) error {
	left := int(n.Count) - t.n
	if n.Ties {
		left = math.MaxInt
	}
	if set == nil && uint64(t.n) == n.Table.Rows() || set != nil && t.n == set.Len() {
		return nil
	}
	have := storage.RowsOf(t.rows)
	sc := n.Table.Scan(storage.ScanOptions{Filter: set})
	defer sc.Close()
	var more []uint64
	for len(more) < left {
		b, err := sc.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		for _, i := range b.Selected() {
			if r := b.Rows[i]; !have.Has(r) && len(more) < left {
				more = append(more, r)
			}
		}
	}
	appendNulls(t.cols[0], t.n, len(more))
	t.rows = append(t.rows, more...)
	t.n += len(more)
	return nil
}

func (n *Nearest) Close() error {
	n.out = &emitter{t: &rowsTable{}}
	if n.Filter != nil {
		return n.Filter.Close()
	}
	return nil
}

func (n *Nearest) Inputs() []Operator {
	if n.Filter != nil {
		return []Operator{n.Filter}
	}
	return nil
}

func (n *Nearest) String() string {
	def := n.Table.Def()
	s := "Nearest " + def.Name + "." + def.Columns[n.Column].Name
	switch {
	case n.Count < 0 && !n.Ranked:
		s += " within " + n.Text
	case n.Count < 0:
		s += " by " + n.Text
	default:
		s += fmt.Sprintf(" %d by %s", n.Count, n.Text)
	}
	if n.Ties {
		s += ", ties included"
	}
	if n.Recall > 0 && n.Recall < 1 {
		s += fmt.Sprintf(", %s%% of them on average", strconv.FormatFloat(float64(100*n.Recall), 'f', -1, 32))
	}
	if n.Time != nil {
		s += fmt.Sprintf(", found within %v", *n.Time)
	}
	if n.Shared > 1 {
		s += fmt.Sprintf(" (%d searches in one pass)", n.Shared)
	}
	if n.Filter != nil {
		s += ", among the rows of"
	}
	return s
}

// Details tell what the search did.
func (n *Nearest) Details() []string {
	s := n.stats
	if s == nil {
		return nil
	}
	exact := "yes"
	if s.Approximate || s.Stopped {
		exact = "no"
	}
	out := []string{
		fmt.Sprintf("exact: %s; rows considered %d, discarded by plane 1 %d, by plane 2 %d, scored in float32 %d",
			exact, s.Rows, s.Discarded1, s.Discarded2, s.Scored),
		fmt.Sprintf("read %s; filter %s, scan %s, rerank %s, %d workers",
			shortBytes(int64(s.BytesRead)), shortTime(n.filter), shortTime(s.Seed+s.Scan), shortTime(s.Rerank), s.Workers),
	}
	if n.told != "" {
		out = append(out, n.told)
	}
	switch {
	case s.Stopped && s.Clusters > 0:
		out = append(out, fmt.Sprintf("clusters visited %d of %d", s.ClustersVisited, s.Clusters))
	case s.Approximate:
		by := "with rows and directions as queries, for few have been asked"
		if s.Calibrated > 0 {
			by = fmt.Sprintf("with %d queries that were asked", s.Calibrated)
		}
		out = append(out, fmt.Sprintf("clusters visited %d of %d; expected recall %.3f, measured %s", s.ClustersVisited, s.Clusters, s.ExpectedRecall, by))
	}
	switch def := n.Table.Def(); {
	case s.Outdated:
		out = append(out, fmt.Sprintf("the codes are of an earlier version and unused: ALTER TABLE %s RETRAIN %s makes searches several times faster",
			def.Name, def.Columns[n.Column].Name))
	case s.Drift > storage.Drifted:
		out = append(out, fmt.Sprintf("rows have drifted: bounds are %.2f times as wide as when the codes were trained; ALTER TABLE %s RETRAIN %s renews them",
			s.Drift, def.Name, def.Columns[n.Column].Name))
	case !math.IsNaN(s.Drift):
		out = append(out, fmt.Sprintf("bounds %.2f times as wide as when the codes were trained", s.Drift))
	}
	if !math.IsNaN(s.KthScore) && s.Rows > 0 {
		line := fmt.Sprintf("last score %.6f", s.KthScore)
		if !math.IsNaN(s.Margin) {
			line += fmt.Sprintf(", margin to the next row %.6f", s.Margin)
		}
		out = append(out, line)
	}
	return out
}

// NearestMany runs several searches that differ only in their queries in one
// pass. They have the same table, column and conditions. Where one of them compares
// with NULL it does nothing: they are run one by one then.
func NearestMany(ctx context.Context, ns []*Nearest) error {
	for _, n := range ns {
		if err := n.prepare(); err != nil {
			return err
		}
		if n.query == nil {
			return nil
		}
	}
	if len(ns) == 0 {
		return nil
	}
	for _, n := range ns {
		n.Shared = len(ns)
	}
	set, err := ns[0].rows(ctx)
	if err != nil {
		return err
	}
	opts := make([]storage.NearestOptions, len(ns))
	for i, n := range ns {
		n.filter, n.among = ns[0].filter, ns[0].among
		opts[i] = n.options()
		opts[i].Filter = set
	}
	found, stats, err := ns[0].Table.NearestMany(ctx, opts)
	if err != nil {
		return err
	}
	for i, n := range ns {
		n.stats = stats[i]
		if err := n.emit(ctx, found[i], set); err != nil {
			return err
		}
	}
	return nil
}
