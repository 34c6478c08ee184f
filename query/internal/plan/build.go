package plan

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
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Builder makes operators of a logical plan.
type Builder struct {
	*State
	leaf    *exec.Scan // the last scan built
	alone   bool       // builds a worker's pipeline
	Measure bool       // EXPLAIN ANALYZE: operators count
}

// State is what the builders of one run, and the operators they make, share.
type State struct {
	In    *Input
	Env   exec.Env
	Fnctx fn.Ctx
	// find finds the slots of a subquery that depends on the row around it, once more.
	Find func(k *Block) error

	Planned []*storage.Table            // tables as they were when the plan was made
	Tables  []*storage.Table            // and as the run has them
	Single  bool                        // something of what was built can't be used again
	Ops     map[*Subquery]exec.Operator // subqueries that are built
	runs    map[*Correlation]*atomic.Int64
	keys    map[*Correlation]*exec.KeyTable
	kept    map[*SharedQuery]*exec.Shared
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
	lay  Layout
	scan *Scan // the batches' row numbers are of this scan's table; nil = none
}

// Measured wraps an operator for EXPLAIN ANALYZE.
func (b *Builder) Measured(op exec.Operator) exec.Operator {
	if b.Measure {
		return exec.Measure(op, b.In.Snapshot())
	}
	return op
}

// Root builds n so that its batches have exactly the given columns.
func (b *Builder) Root(n Node, cols []*column) (exec.Operator, error) {
	want := make([]*Expr, len(cols))
	for i, c := range cols {
		want[i] = ColumnExpr(c, parse.Pos{})
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
func (b *Builder) build(n Node, want []*Expr) (rel, error) {
	switch n := n.(type) {
	case *Scan:
		return b.scan(n, want)
	case *Filter:
		r, err := b.build(n.In, concat(want, n.Conds))
		if err != nil {
			return r, err
		}
		return b.filter(r, n.Conds)
	case *RowNumbers:
		r, err := b.build(n.In, want)
		if err != nil {
			return r, err
		}
		lay := NewLayout([]*column{n.Num})
		lay.N += r.lay.N
		for c, i := range r.lay.At {
			lay.At[c] = i + 1
		}
		for k, c := range r.lay.Computed {
			lay.Computed[k] = c
		}
		return rel{op: b.Measured(exec.NewRowNumbers(r.op)), lay: lay}, nil
	case *Project:
		return b.projection(n, want)
	case *Join:
		return b.join(n, want)
	case *Group:
		return b.aggregate(n)
	case *Sort:
		return b.sort(n, want)
	case *Limit:
		// What a search finds is cut before its other columns are fetched.
		scan, ok := n.In.(*Scan)
		late := ok && scan.Search != nil
		need := want
		if late {
			need = nil
		}
		r, err := b.build(n.In, need)
		if err != nil {
			return r, err
		}
		r.op = b.Measured(exec.NewLimit(r.op, n.Count, n.Offset))
		if late {
			return b.fetch(r, want)
		}
		return r, nil
	case *Distinct:
		cols := n.In.Columns()
		op, err := b.Root(n.In, cols)
		if err != nil {
			return rel{}, err
		}
		d, err := exec.NewDistinct(op, &b.Env, typesOf(cols))
		if err != nil {
			return rel{}, err
		}
		return rel{op: b.Measured(d), lay: NewLayout(cols)}, nil
	case *Union:
		u := &exec.UnionAll{}
		for _, in := range n.Ins {
			op, err := b.Root(in, in.Columns())
			if err != nil {
				return rel{}, err
			}
			u.Ins = append(u.Ins, op)
		}
		return rel{op: b.Measured(u), lay: NewLayout(n.Outs)}, nil
	case *Values:
		return b.values(n)
	case *Metadata:
		return rel{op: b.Measured(&exec.Metadata{Table: b.Table(n.Table), Items: n.Items}), lay: NewLayout(n.Outs)}, nil
	case *Source:
		return b.source(n.Outs, want, func(ords []int) (exec.Operator, error) { return n.Open(&b.Env, ords) })
	case *Shared:
		return b.source(n.Outs, want, func(ords []int) (exec.Operator, error) { return b.shared(n.Query, ords) })
	}
	return rel{}, fmt.Errorf("internal error: unknown plan node %T", n)
}

func (b *Builder) filter(r rel, conds []*Expr) (rel, error) {
	if len(conds) == 0 {
		return r, nil
	}
	// What runs a query for its rows comes last.
	conds = slices.Clone(conds)
	slices.SortStableFunc(conds, func(x, y *Expr) int {
		return cmp.Compare(btoi(x.Costly()), btoi(y.Costly()))
	})
	cs, err := b.compileAll(r.lay, conds)
	if err != nil {
		return r, err
	}
	r.op = b.Measured(exec.NewFilter(r.op, &b.Fnctx, cs, Texts(conds, " AND ")))
	return r, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// source builds what gives the columns of outs that are wanted.
func (b *Builder) source(outs []*column, want []*Expr, open func(ords []int) (exec.Operator, error)) (rel, error) {
	used := ColumnsOf(want...)
	var cols []*column
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
	return rel{op: b.Measured(op), lay: NewLayout(cols)}, nil
}

// shared gives the rows of a query that is run once, when they are first asked for.
func (b *Builder) shared(q *SharedQuery, ords []int) (exec.Operator, error) {
	rows := b.kept[q]
	if rows == nil {
		op, err := b.Root(q.Rel.Node, q.Rel.Cols)
		if err != nil {
			return nil, err
		}
		if b.kept == nil {
			b.kept = map[*SharedQuery]*exec.Shared{}
		}
		rows = exec.NewShared(op, &b.Env, "WITH "+q.Def.Name.Name)
		b.kept[q] = rows
	}
	return rows.Use(ords), nil
}

// opener opens an encoder when the plan runs.
func (b *Builder) opener(e *Encoding) func(context.Context) (encoder.Encoder, error) {
	return func(ctx context.Context) (encoder.Encoder, error) { return b.In.OpenEncoder(ctx, e, parse.Pos{}) }
}

func concat(a, b []*Expr) []*Expr { return append(append([]*Expr(nil), a...), b...) }

func typesOf(cols []*column) []value.Type {
	out := make([]value.Type, len(cols))
	for i, c := range cols {
		out[i] = c.Type
	}
	return out
}

// tableColumns returns those columns of a scan that are in set, in table order.
func tableColumns(n *Scan, set map[*column]bool) []*column {
	var out []*column
	for _, c := range n.Cols {
		if set[c] {
			out = append(out, c)
		}
	}
	return out
}

func ordsOf(cols []*column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.Ord
	}
	return out
}
