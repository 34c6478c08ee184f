package build

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// apply builds what runs a query for each row.
func (b *Builder) apply(n *logical.Apply, want []*logical.Expr) (rel, error) {
	left := n.Left.Columns()
	var need []*logical.Expr
	for c := range logical.ColumnsOf(want...) {
		if slices.Contains(left, c) {
			need = append(need, logical.ColumnExpr(c, parse.Pos{}))
		}
	}
	slices.SortFunc(need, func(x, y *logical.Expr) int { return slices.Index(left, x.Column) - slices.Index(left, y.Column) })
	b.Single = true
	r, err := b.build(n.Left, concat(need, n.Args))
	if err != nil {
		return r, err
	}
	args, err := b.CompileAll(r.lay, n.Args)
	if err != nil {
		return r, err
	}
	times := b.times(n.Query.Corr)
	leftTypes := make([]value.Type, r.lay.N)
	for c, i := range r.lay.At {
		leftTypes[i] = c.Type
	}
	op := &exec.Apply{Ctx: &b.Fnctx, Args: args, Left: leftTypes, Right: typesOf(n.Outs), Outer: n.Outer, Memory: b.Env.Memory}
	op.Open = func(ctx context.Context, vals []value.Value) (exec.Operator, error) {
		times.Add(1)
		return (&Builder{State: b.State}).open(n.Query, n.Query.Rel.Node, vals)
	}
	if op.Ahead, err = b.ahead(n.Query); err != nil {
		return r, err
	}
	op.SetInput(r.op)
	lay := r.lay.With()
	lay.N = r.lay.N
	for _, c := range n.Outs {
		lay.At[c] = lay.N
		lay.N++
	}
	return rel{op: b.Analyzed(op), lay: lay}, nil
}

// rowFunc builds a function that gives rows.
func (b *Builder) rowFunc(n *logical.RowFunc) (rel, error) {
	b.Single = true
	args, err := b.CompileAll(compile.NewLayout(nil), n.Args)
	if err != nil {
		return rel{}, err
	}
	op := &exec.RowFunc{Ctx: &b.Fnctx, Args: args, Types: typesOf(n.Outs), Rows: n.Rows, Text: n.Text}
	return rel{op: b.Analyzed(op), lay: compile.NewLayout(n.Outs)}, nil
}
