package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// builder makes operators of a logical plan.
type builder struct {
	*binder            // of this run: for what encoders and files there are
	run     *Run       // nil: to compile constants only
	leaf    *exec.Scan // the last scan built
	alone   bool       // builds a worker's pipeline
	measure bool       // EXPLAIN ANALYZE: operators count
	single  bool       // something of what was built can't be used again
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
		return exec.Measure(op, b.run.in.view())
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
		d, err := exec.NewDistinct(op, &b.run.env, typesOf(cols))
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
		return rel{op: b.measured(&exec.Metadata{Table: b.run.table(n.table), Items: n.items}), lay: newLayout(n.outs)}, nil
	case *sourceNode:
		return b.source(n, want)
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
	r.op = b.measured(exec.NewFilter(r.op, &b.run.fnctx, cs, texts(conds, " AND ")))
	return r, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (b *builder) source(n *sourceNode, want []*expr) (rel, error) {
	used := columnsOf(want...)
	var cols []*column
	var ords []int
	for i, c := range n.outs {
		if used[c] {
			cols, ords = append(cols, c), append(ords, i)
		}
	}
	b.run.b.single = true
	op, err := n.open(b, ords)
	if err != nil {
		return rel{}, err
	}
	return rel{op: b.measured(op), lay: newLayout(cols)}, nil
}

// opener opens an encoder when the plan runs.
func (b *binder) opener(e *encoding) func(context.Context) (encoder.Encoder, error) {
	return func(ctx context.Context) (encoder.Encoder, error) { return b.openEncoder(ctx, e, parse.Pos{}) }
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

func index(cols []*column, c *column) int {
	for i, x := range cols {
		if x == c {
			return i
		}
	}
	return -1
}
