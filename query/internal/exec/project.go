package exec

import (
	"context"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Project computes columns. With Keep they come after those of the input,
// else in their place.
type Project struct {
	input
	Ctx   *fn.Ctx
	Exprs []fn.Expr
	Keep  bool
	Text  string

	cols   []*value.Column
	consts []*value.Column
	out    value.Batch
}

// NewProject returns a Project over in.
func NewProject(in Operator, c *fn.Ctx, exprs []fn.Expr, keep bool, text string) *Project {
	return &Project{input: input{in}, Ctx: c, Exprs: exprs, Keep: keep, Text: text,
		consts: make([]*value.Column, len(exprs))}
}

func (p *Project) Next(ctx context.Context) (*value.Batch, error) {
	b, err := p.in.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	p.cols = p.cols[:0]
	if p.Keep {
		p.cols = append(p.cols, b.Cols...)
	}
	for i, e := range p.Exprs {
		a, err := e.Eval(p.Ctx, b, b.Sel)
		if err != nil {
			return nil, err
		}
		p.cols = append(p.cols, p.column(i, a, b.Len))
	}
	p.out = value.Batch{Len: b.Len, Cols: p.cols, Sel: b.Sel, Rows: b.Rows}
	return &p.out, nil
}

// column returns an argument as a column of at least n rows; the one made of a
// constant is kept.
func (p *Project) column(i int, a fn.Arg, n int) *value.Column {
	if !a.Const {
		return a.Column
	}
	if c := p.consts[i]; c != nil && rowsOf(c) >= n {
		return c
	}
	p.consts[i] = constant(a.At(0), a.Type, max(n, 1))
	return p.consts[i]
}

// rowsOf returns how many rows a column made by constant has.
func rowsOf(c *value.Column) int {
	switch c.Type.Kind {
	case value.Null:
		return 1 << 30
	case value.Boolean:
		return len(c.Bools)
	case value.Integer, value.Timestamp, value.Date:
		return len(c.Ints)
	case value.Real:
		return len(c.Reals)
	case value.Vector:
		if c.Type.Dim == 0 {
			return 0
		}
		return len(c.Vecs) / c.Type.Dim
	}
	return len(c.Strs)
}

func (p *Project) String() string { return "Project " + p.Text }
