package build

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Builder makes operators of a logical plan.
type Builder struct {
	*State
	leaf    *exec.Scan // the last scan built
	alone   bool       // builds a worker's pipeline
	Analyze bool       // EXPLAIN ANALYZE: operators count
}

// State is what the builders of one run, and the operators they make, share.
type State struct {
	In    *bind.Input
	Env   exec.Env
	Fnctx fn.Ctx
	// Rows is how many rows the planner expects of a node; nil where nobody asks.
	Rows func(n logical.Node) float64
	// Find finds the slots of a subquery that depends on the row around it, once more.
	Find func(k *logical.Block) error

	Planned []*storage.Table                    // tables as they were when the plan was made
	Tables  []*storage.Table                    // and as the run has them
	Single  bool                                // something of what was built can't be used again
	Ops     map[*logical.Subquery]exec.Operator // subqueries that are built
	Aheads  map[*logical.Correlation]*exec.Ahead
	runs    map[*logical.Correlation]*atomic.Int64
	keys    map[*logical.Correlation]*exec.KeyTable
	kept    map[*logical.SharedQuery]*exec.Shared
	// Change builds a statement that WITH names and that changes rows.
	Change func(q *logical.SharedQuery) (exec.Operator, error)
	work   map[*logical.Recursion]*exec.WorkTable
	fused  map[*logical.Fusion]*exec.Fusion
	loose  map[*logical.Fusion]bool // only the order of ranks is used
	// aheadOfSearch is by the search that looks there.
	aheadOfSearch map[*logical.Search]*exec.Ahead
}

// Table returns the run's own picture of a table.
func (s *State) Table(t *storage.Table) *storage.Table {
	if i := slices.Index(s.Planned, t); i >= 0 {
		return s.Tables[i]
	}
	return t
}

// rel is an operator with what its batches hold.
type rel struct {
	op   exec.Operator
	lay  compile.Layout
	scan *logical.Scan // the batches' row numbers are of this scan's table; nil = none
}

// Analyzed wraps an operator for EXPLAIN ANALYZE.
func (b *Builder) Analyzed(op exec.Operator) exec.Operator {
	switch {
	case b.Analyze && b.alone: // what others read beside it would be counted
		return exec.NewAnalyzed(op, nil)
	case b.Analyze:
		return exec.NewAnalyzed(op, b.In.Snapshot())
	}
	return op
}

// Root builds n so that its batches have exactly the given columns.
func (b *Builder) Root(n logical.Node, cols []*logical.Column) (exec.Operator, error) {
	want := make([]*logical.Expr, len(cols))
	for i, c := range cols {
		want[i] = logical.ColumnExpr(c, parse.Pos{})
	}
	r, err := b.build(n, want)
	if err != nil {
		return nil, err
	}
	exact := len(cols) == r.lay.N
	for i, c := range cols {
		exact = exact && r.lay.At[c] == i
	}
	if exact {
		return r.op, nil
	}
	r, err = b.project(r, want, cols)
	return r.op, err
}

// build builds n so that the expressions want can be computed from its batches.
func (b *Builder) build(n logical.Node, want []*logical.Expr) (rel, error) {
	r, err := b.buildNode(n, want)
	if err == nil && b.Analyze && b.Rows != nil {
		if scan, ok := n.(*logical.Scan); ok {
			b.expectScan(r.op, scan)
		} else {
			exec.Expect(r.op, b.Rows(n), -1)
		}
	}
	return r, err
}

// expectScan notes how many rows the planner expects of a scan. Those of a look-up by the rows
// of a join are noted by that.
func (b *Builder) expectScan(op exec.Operator, scan *logical.Scan) {
	below := -1.0
	switch l := scan.Lookup; {
	case l == nil:
		below = float64(scan.Table.Rows())
	case l.Joins:
		return
	case l.Match == nil && l.Fusion == nil:
		below = scan.Rows
	}
	exec.Expect(op, b.Rows(scan), below)
}

func (b *Builder) buildNode(n logical.Node, want []*logical.Expr) (rel, error) {
	switch n := n.(type) {
	case *logical.Scan:
		return b.scan(n, want)
	case *logical.Filter:
		need := concat(want, n.Conds)
		w, ok := n.In.(*logical.Window)
		late := ok && overScan(w)
		if late { // what conditions on ranks leave over is little
			need = n.Conds
		}
		r, err := b.build(n.In, need)
		if err != nil {
			return r, err
		}
		if r, err = b.filter(r, n.Conds); err != nil || !late {
			return r, err
		}
		return b.fetch(r, want)
	case *logical.Window:
		return b.window(n, want)
	case *logical.RowNumbers:
		r, err := b.build(n.In, want)
		if err != nil {
			return r, err
		}
		lay := compile.NewLayout([]*logical.Column{n.Num})
		lay.N += r.lay.N
		for c, i := range r.lay.At {
			lay.At[c] = i + 1
		}
		for k, c := range r.lay.Computed {
			lay.Computed[k] = c
		}
		lay.Nulls, lay.Partners = r.lay.Nulls, r.lay.Partners
		return rel{op: b.Analyzed(exec.NewRowNumbers(r.op)), lay: lay}, nil
	case *logical.Project:
		return b.projection(n, want)
	case *logical.Join:
		return b.join(n, want)
	case *logical.Apply:
		return b.apply(n, want)
	case *logical.Duplicates:
		return b.duplicates(n)
	case *logical.Why:
		return b.why(n)
	case *logical.RowFunc:
		return b.rowFunc(n)
	case *logical.Group:
		return b.aggregate(n)
	case *logical.Ranks:
		return b.ranks(n, want)
	case *logical.Sort:
		return b.sort(n, want)
	case *logical.Limit:
		// What a search finds is cut before its other columns are fetched.
		scan, ok := n.In.(*logical.Scan)
		late := ok && scan.Search != nil
		need := want
		if late {
			need = nil
		}
		r, err := b.build(n.In, need)
		if err != nil {
			return r, err
		}
		r.op = b.Analyzed(exec.NewLimit(r.op, n.Count, n.Offset))
		if late {
			return b.fetch(r, want)
		}
		return r, nil
	case *logical.Distinct:
		cols := n.In.Columns()
		op, err := b.Root(n.In, cols)
		if err != nil {
			return rel{}, err
		}
		d, err := exec.NewDistinct(op, &b.Env, typesOf(cols))
		if err != nil {
			return rel{}, err
		}
		return rel{op: b.Analyzed(d), lay: compile.NewLayout(cols)}, nil
	case *logical.Union:
		u := &exec.UnionAll{}
		for _, in := range n.Ins {
			op, err := b.Root(in, in.Columns())
			if err != nil {
				return rel{}, err
			}
			u.Ins = append(u.Ins, op)
		}
		return rel{op: b.Analyzed(u), lay: compile.NewLayout(n.Outs)}, nil
	case *logical.Values:
		return b.values(n)
	case *logical.Remote:
		return b.remote(n, want)
	case *logical.Metadata:
		op := &exec.Metadata{Table: b.Table(n.Table), Items: n.Items, Ctx: &b.Fnctx}
		if n.Match != nil {
			var err error
			if op.Match, err = b.match(n.Match); err != nil {
				return rel{}, err
			}
		}
		return rel{op: b.Analyzed(op), lay: compile.NewLayout(n.Outs)}, nil
	case *logical.Source:
		return b.source(n.Outs, want, func(ords []int) (exec.Operator, error) { return n.Open(&b.Env, ords) })
	case *logical.Recursive:
		return b.recursive(n)
	case *logical.Working:
		return b.working(n, want)
	case *logical.Shared:
		return b.source(n.Outs, want, func(ords []int) (exec.Operator, error) { return b.shared(n.Query, ords) })
	}
	return rel{}, fmt.Errorf("internal error: unknown plan node %T", n)
}

func (b *Builder) filter(r rel, conds []*logical.Expr) (rel, error) {
	if len(conds) == 0 {
		return r, nil
	}
	f, _, err := b.filterOf(r, conds)
	if err != nil {
		return r, err
	}
	r.op = b.Analyzed(f)
	return r, nil
}

// filterOf returns a filter over r, and its conditions in the order they are tried.
func (b *Builder) filterOf(r rel, conds []*logical.Expr) (*exec.Filter, []*logical.Expr, error) {
	// What runs a query for its rows comes last.
	conds = slices.Clone(conds)
	slices.SortStableFunc(conds, func(x, y *logical.Expr) int {
		return cmp.Compare(btoi(x.Costly()), btoi(y.Costly()))
	})
	cs, err := b.CompileAll(r.lay, conds)
	return exec.NewFilter(r.op, &b.Fnctx, cs, logical.Conjunction(conds)), conds, err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// source builds what gives the columns of outs that are wanted.
func (b *Builder) source(outs []*logical.Column, want []*logical.Expr, open func(ords []int) (exec.Operator, error)) (rel, error) {
	used := logical.ColumnsOf(want...)
	var cols []*logical.Column
	var ords []int
	for i, c := range outs {
		if used[c] {
			cols, ords = append(cols, c), append(ords, i)
		}
	}
	b.Single = true
	op, err := open(ords)
	if err != nil {
		return rel{}, err
	}
	return rel{op: b.Analyzed(op), lay: compile.NewLayout(cols)}, nil
}

// shared gives the rows of a query that is run once, when they are first asked for.
func (b *Builder) shared(q *logical.SharedQuery, ords []int) (exec.Operator, error) {
	rows, err := b.Kept(q)
	if err != nil {
		return nil, err
	}
	return rows.Use(ords), nil
}

// Kept keeps the rows of such a query.
func (b *Builder) Kept(q *logical.SharedQuery) (*exec.Shared, error) {
	rows := b.kept[q]
	if rows == nil || rows.Over() {
		var op exec.Operator
		var err error
		if q.Rel.Node == nil {
			op, err = b.Change(q)
		} else {
			op, err = b.Root(q.Rel.Node, q.Rel.Cols)
		}
		if err != nil {
			return nil, err
		}
		if b.kept == nil {
			b.kept = map[*logical.SharedQuery]*exec.Shared{}
		}
		rows = exec.NewShared(op, &b.Env, "WITH "+q.Def.Name.Name)
		b.kept[q] = rows
	}
	return rows, nil
}

// opener opens an encoder when the plan runs.
func (b *Builder) opener(e *logical.Encoding) func(context.Context) (encoder.Encoder, error) {
	return func(ctx context.Context) (encoder.Encoder, error) { return b.In.OpenEncoder(ctx, e, parse.Pos{}) }
}

func concat(a, b []*logical.Expr) []*logical.Expr {
	return append(append([]*logical.Expr(nil), a...), b...)
}

func typesOf(cols []*logical.Column) []value.Type {
	out := make([]value.Type, len(cols))
	for i, c := range cols {
		out[i] = c.Type
	}
	return out
}

// tableColumns returns those columns of a scan that are in set, in table order.
func tableColumns(n *logical.Scan, set map[*logical.Column]bool) []*logical.Column {
	var out []*logical.Column
	for _, c := range n.Cols {
		if set[c] {
			out = append(out, c)
		}
	}
	return out
}

func ordsOf(cols []*logical.Column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.Ord
	}
	return out
}
