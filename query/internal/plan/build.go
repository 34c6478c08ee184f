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

// builder makes operators of a logical plan.
type builder struct {
	*state
	leaf    *exec.Scan // the last scan built
	alone   bool       // builds a worker's pipeline
	measure bool       // EXPLAIN ANALYZE: operators count
}

// state is what the builders of one run, and the operators they make, share.
type state struct {
	in    *Input
	env   exec.Env
	fnctx fn.Ctx
	// find finds the slots of a subquery that depends on the row around it, once more.
	find func(k *block) error

	planned []*storage.Table            // tables as they were when the plan was made
	tables  []*storage.Table            // and as the run has them
	single  bool                        // something of what was built can't be used again
	ops     map[*subquery]exec.Operator // subqueries that are built
	runs    map[*correlation]*atomic.Int64
	keys    map[*correlation]*exec.KeyTable
	kept    map[*sharedQuery]*exec.Shared
}

// table returns the run's own picture of a table.
func (s *state) table(t *storage.Table) *storage.Table {
	if i := slices.Index(s.planned, t); i >= 0 {
		return s.tables[i]
	}
	return t
}

// rel is an operator with what its batches hold.
type rel struct {
	op   exec.Operator
	lay  layout
	scan *scanNode // the batches' row numbers are of this scan's table; nil = none
}

// measured wraps an operator for EXPLAIN ANALYZE.
func (b *builder) measured(op exec.Operator) exec.Operator {
	if b.measure {
		return exec.Measure(op, b.in.view())
	}
	return op
}

// root builds n so that its batches have exactly the given columns.
func (b *builder) root(n node, cols []*column) (exec.Operator, error) {
	want := make([]*expr, len(cols))
	for i, c := range cols {
		want[i] = columnExpr(c, parse.Pos{})
	}
	r, err := b.build(n, want)
	if err != nil {
		return nil, err
	}
	exact := len(cols) == r.lay.n
	for i, c := range cols {
		exact = exact && r.lay.at[c] == i
	}
	if exact {
		return r.op, nil
	}
	r, err = b.project(r, want, cols)
	return r.op, err
}

// build builds n so that the expressions want can be computed from its batches.
func (b *builder) build(n node, want []*expr) (rel, error) {
	switch n := n.(type) {
	case *scanNode:
		return b.scan(n, want)
	case *filterNode:
		r, err := b.build(n.in, concat(want, n.conds))
		if err != nil {
			return r, err
		}
		return b.filter(r, n.conds)
	case *rowNumberNode:
		r, err := b.build(n.in, want)
		if err != nil {
			return r, err
		}
		lay := newLayout([]*column{n.num})
		lay.n += r.lay.n
		for c, i := range r.lay.at {
			lay.at[c] = i + 1
		}
		for k, c := range r.lay.computed {
			lay.computed[k] = c
		}
		return rel{op: b.measured(exec.NewRowNumbers(r.op)), lay: lay}, nil
	case *projectNode:
		return b.projection(n, want)
	case *joinNode:
		return b.join(n, want)
	case *aggNode:
		return b.aggregate(n)
	case *sortNode:
		return b.sort(n, want)
	case *limitNode:
		// What a search finds is cut before its other columns are fetched.
		scan, ok := n.in.(*scanNode)
		late := ok && scan.search != nil
		need := want
		if late {
			need = nil
		}
		r, err := b.build(n.in, need)
		if err != nil {
			return r, err
		}
		r.op = b.measured(exec.NewLimit(r.op, n.count, n.offset))
		if late {
			return b.fetch(r, want)
		}
		return r, nil
	case *distinctNode:
		cols := n.in.columns()
		op, err := b.root(n.in, cols)
		if err != nil {
			return rel{}, err
		}
		d, err := exec.NewDistinct(op, &b.env, typesOf(cols))
		if err != nil {
			return rel{}, err
		}
		return rel{op: b.measured(d), lay: newLayout(cols)}, nil
	case *unionNode:
		u := &exec.UnionAll{}
		for _, in := range n.ins {
			op, err := b.root(in, in.columns())
			if err != nil {
				return rel{}, err
			}
			u.Ins = append(u.Ins, op)
		}
		return rel{op: b.measured(u), lay: newLayout(n.outs)}, nil
	case *valuesNode:
		return b.values(n)
	case *metadataNode:
		return rel{op: b.measured(&exec.Metadata{Table: b.table(n.table), Items: n.items}), lay: newLayout(n.outs)}, nil
	case *sourceNode:
		return b.source(n.outs, want, func(ords []int) (exec.Operator, error) { return n.open(&b.env, ords) })
	case *sharedNode:
		return b.source(n.outs, want, func(ords []int) (exec.Operator, error) { return b.shared(n.query, ords) })
	}
	return rel{}, fmt.Errorf("internal error: unknown plan node %T", n)
}

func (b *builder) filter(r rel, conds []*expr) (rel, error) {
	if len(conds) == 0 {
		return r, nil
	}
	// What runs a query for its rows comes last.
	conds = slices.Clone(conds)
	slices.SortStableFunc(conds, func(x, y *expr) int {
		return cmp.Compare(btoi(x.costly()), btoi(y.costly()))
	})
	cs, err := b.compileAll(r.lay, conds)
	if err != nil {
		return r, err
	}
	r.op = b.measured(exec.NewFilter(r.op, &b.fnctx, cs, texts(conds, " AND ")))
	return r, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// source builds what gives the columns of outs that are wanted.
func (b *builder) source(outs []*column, want []*expr, open func(ords []int) (exec.Operator, error)) (rel, error) {
	used := columnsOf(want...)
	var cols []*column
	var ords []int
	for i, c := range outs {
		if used[c] {
			cols, ords = append(cols, c), append(ords, i)
		}
	}
	b.single = true
	op, err := open(ords)
	if err != nil {
		return rel{}, err
	}
	return rel{op: b.measured(op), lay: newLayout(cols)}, nil
}

// shared gives the rows of a query that is run once, when they are first asked for.
func (b *builder) shared(q *sharedQuery, ords []int) (exec.Operator, error) {
	rows := b.kept[q]
	if rows == nil {
		op, err := b.root(q.rel.node, q.rel.cols)
		if err != nil {
			return nil, err
		}
		if b.kept == nil {
			b.kept = map[*sharedQuery]*exec.Shared{}
		}
		rows = exec.NewShared(op, &b.env, "WITH "+q.def.Name.Name)
		b.kept[q] = rows
	}
	return rows.Use(ords), nil
}

// opener opens an encoder when the plan runs.
func (b *builder) opener(e *encoding) func(context.Context) (encoder.Encoder, error) {
	return func(ctx context.Context) (encoder.Encoder, error) { return b.in.openEncoder(ctx, e, parse.Pos{}) }
}

func concat(a, b []*expr) []*expr { return append(append([]*expr(nil), a...), b...) }

func typesOf(cols []*column) []value.Type {
	out := make([]value.Type, len(cols))
	for i, c := range cols {
		out[i] = c.typ
	}
	return out
}

// tableColumns returns those columns of a scan that are in set, in table order.
func tableColumns(n *scanNode, set map[*column]bool) []*column {
	var out []*column
	for _, c := range n.cols {
		if set[c] {
			out = append(out, c)
		}
	}
	return out
}

func ordsOf(cols []*column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.ord
	}
	return out
}
