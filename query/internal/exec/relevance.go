package exec

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Curve is what turns the similarity of rows of a column with a vector into their relevance: a
// vector of the middle of the curve and its slope, see storage.Relevance. It is NULL where the
// vector is, where it is zero, and where there are no rows.
type Curve struct {
	X       fn.Expr
	Table   *storage.Table
	Column  int
	Prompts func(context.Context) ([][]float32, error) // nil = the column has no encoder
	Head    func(context.Context) (*storage.RelevanceHead, error)
	At      func(error) error

	run   uint64
	known []knownCurve // of the vectors before in this run
	out   value.Column
}

type knownCurve struct {
	of    []float32
	curve [2]float32 // NULL where the slope is 0
}

const knownCurves = 64

var curveType = value.Type{Kind: value.Vector, Dim: 2}

func (c *Curve) Type() value.Type { return curveType }

func (c *Curve) Clone() fn.Expr {
	d := *c
	d.X, d.known, d.out = c.X.Clone(), nil, value.Column{}
	return &d
}

func (c *Curve) Eval(ctx *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	x, err := c.X.Eval(ctx, b, sel)
	if err != nil {
		return fn.Arg{}, err
	}
	if c.run != ctx.Run { // there may be other rows
		c.run, c.known = ctx.Run, c.known[:0]
	}
	n := b.Len
	if x.Const {
		n, sel = 1, nil
	}
	c.out.Reset(curveType)
	c.out.Vecs = slices.Grow(c.out.Vecs[:0], 2*n)[:2*n]
	clear(c.out.Vecs)
	each(n, sel, func(i int) {
		if err != nil {
			return
		}
		var at [2]float32
		if x.Type.Kind != value.Null && !x.IsNull(i) {
			at, err = c.of(ctx, vecAt(x, i))
		}
		if at[1] == 0 {
			setNull(&c.out, i, n)
			return
		}
		copy(c.out.Vec(i), at[:])
	})
	if err != nil {
		return fn.Arg{}, c.At(err)
	}
	return fn.Arg{Column: &c.out, Const: x.Const}, nil
}

func (c *Curve) of(ctx context.Context, v []float32) (curve [2]float32, err error) {
	for _, k := range c.known {
		if slices.Equal(k.of, v) {
			return k.curve, nil
		}
	}
	if err := vector.Check(v); err != nil {
		return curve, err
	}
	if slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
		o := storage.RelevanceOptions{Column: c.Column, Query: v, Prompts: c.Prompts}
		if c.Head != nil {
			if o.Head, err = c.Head(ctx); err != nil {
				return curve, err
			}
		}
		r, ok, err := c.Table.Relevance(ctx, o)
		if err != nil {
			return curve, err
		}
		if ok {
			curve = [2]float32{float32(r.Middle), float32(r.Slope)}
		}
	}
	if len(c.known) >= knownCurves {
		c.known = c.known[:0]
	}
	c.known = append(c.known, knownCurve{slices.Clone(v), curve})
	return curve, nil
}
