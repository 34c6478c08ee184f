package bind

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// apply calls a function or operator of package fn. Constant arguments take the
// types it wants, and a call of constants becomes one.
func (b *Binder) apply(name string, pos parse.Pos, args ...*logical.Expr) (*logical.Expr, error) {
	e, err := logical.CallRows(name, pos, args...)
	if err != nil {
		return nil, err
	}
	c := e.Call
	for _, a := range args {
		if c.Strict() && logical.IsConst(a) && a.Value.IsNull() && !aggregates(args) {
			return &logical.Expr{Op: logical.OpConst, Type: c.Result, Pos: pos, Computed: true}, nil // whatever the others are, and be they errors
		}
	}
	folds, slots := !c.Func.Stable, false
	for i, a := range e.Args {
		if !logical.Fixed(a) {
			folds = false
			continue
		}
		if e.Args[i], err = b.castConst(a, c.Params[i], fn.Implicit); err != nil {
			return nil, err
		}
		slots = slots || !logical.IsConst(e.Args[i])
	}
	if len(e.Args) > 0 && e.Args[0].Type.Kind == value.Text && fn.TakesField(name) {
		field, ok, err := b.constOf(e.Args[0])
		if err != nil {
			return nil, err
		}
		if ok && !field.Value.IsNull() {
			if err := fn.CheckField(name, field.Value.Str()); err != nil {
				return nil, logical.ErrorAt(e.Args[0].Pos, err)
			}
		}
	}
	switch {
	case folds && slots:
		return b.newSlot(logical.SlotValue, e, e.Type, e.Pos, ""), nil
	case folds:
		return b.folds(e, name, pos)
	}
	return e, nil
}

// aggregates reports whether one of the expressions has an aggregate: it makes one row of all, or
// one of each group, whatever becomes of its value.
func aggregates(es []*logical.Expr) bool {
	return slices.ContainsFunc(es, func(e *logical.Expr) bool { return e.Uses(logical.OpAgg) || e.Uses(logical.OpGrouping) })
}

// folds is fold for a call of name; where its arguments are numbers with a point, as they are
// written, the constant has its exact value beside that in REAL.
func (b *Binder) folds(e *logical.Expr, name string, pos parse.Pos) (*logical.Expr, error) {
	out, err := b.fold(e)
	if err != nil || !logical.IsConst(out) || out.Type.Kind != value.Real || e.Call.Func.Category != fn.Operator {
		return out, err
	}
	args := make([]*logical.Expr, len(e.Args))
	for i, a := range e.Args {
		if a.Exact.IsNull() {
			return out, nil
		}
		args[i] = logical.Constant(a.Exact, a.Pos, "")
	}
	exact, err := logical.CallRows(name, pos, args...)
	if err != nil {
		return out, nil
	}
	if exact, err = b.fold(exact); err == nil && logical.IsConst(exact) && exact.Type.Kind == value.Numeric {
		out.Exact = exact.Value
	}
	return out, nil
}

// fold computes an expression of constants, if it can be computed: 1/0 is left
// to fail when, and if, it is run.
func (b *Binder) fold(e *logical.Expr) (*logical.Expr, error) {
	x, err := compile.CompileExpr(compile.NewLayout(nil), e, nil)
	if err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	if v, ok := fn.ConstValue(x); ok {
		return &logical.Expr{Op: logical.OpConst, Type: x.Type(), Value: v, Pos: e.Pos, Text: e.Text}, nil
	}
	return e, nil
}

// folded is fold where all parts are constant, a slot where they are fixed, or e itself.
func (b *Binder) folded(e *logical.Expr) (*logical.Expr, error) {
	switch {
	case !logical.AllFixed(e.Args):
		return e, nil
	case e.Slot == nil && !slices.ContainsFunc(e.Args, func(a *logical.Expr) bool { return !logical.IsConst(a) }):
		return b.fold(e)
	}
	return b.newSlot(logical.SlotValue, e, e.Type, e.Pos, e.Text), nil
}

// castConst converts a fixed expression: a constant now, a slot when its value is known.
func (b *Binder) castConst(e *logical.Expr, t value.Type, mode fn.CastMode) (*logical.Expr, error) {
	if t.Kind == value.Null || logical.Keeps(e, t, mode) {
		return e, nil
	}
	if e.Op == logical.OpSlot {
		if e.Type.Kind == value.Text && t.Kind == value.Vector && t.Dim == 0 {
			c, ok, err := b.constOf(e) // its dimension is a part of the type
			if err != nil {
				return nil, err
			}
			if ok {
				return b.castConst(c, t, mode)
			}
		}
		if e.Type.Kind == value.Text && e.Literal() || e.Type.Kind == value.Real && t.Kind == value.Numeric && e.Literal() {
			mode = fn.Explicit
		}
		if e.Type.Kind != value.Null {
			if _, err := fn.Cast(e.Type, t, mode); err != nil {
				return nil, logical.ErrorAt(e.Pos, err)
			}
		}
		c := b.newSlot(logical.SlotCast, &logical.Expr{Op: logical.OpCast, Type: t, Pos: e.Pos, Args: []*logical.Expr{e}, Text: e.Text}, t, e.Pos, e.Text)
		c.Encoding, c.Array = e.Encoding, e.Array
		return c, nil
	}
	if e.Value.IsNull() {
		c := *e
		c.Type = t
		return &c, nil
	}
	if t.Kind == value.Numeric && !e.Exact.IsNull() {
		c := *e
		c.Type, c.Value, c.Exact = t, e.Exact, value.Value{}
		return &c, nil
	}
	exact := value.Value{} // an INTEGER that becomes REAL beside a number with a point
	if t.Kind == value.Real && e.Type.Kind == value.Integer && e.Literal() {
		exact = value.NumericOfInt(e.Value.Int())
	}
	if e.Type.Kind == value.Text || e.Type.Kind == value.Real && t.Kind == value.Numeric && e.Literal() {
		mode = fn.Explicit // a text in quotes takes the type it is used as
	}
	x, err := fn.CastTo(fn.Const(e.Value), t, mode, nil)
	if err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	v, ok := fn.ConstValue(x)
	if !ok {
		return e, nil
	}
	c := *e
	c.Type, c.Value, c.Exact = x.Type(), v, exact
	return &c, nil
}

// castTo converts an expression, as storing it in a column of type t would.
func (b *Binder) castTo(e *logical.Expr, t value.Type, mode fn.CastMode) (*logical.Expr, error) {
	if logical.Fixed(e) && !logical.Keeps(e, t, mode) {
		return b.castConst(e, t, mode)
	}
	return logical.CastRows(e, t, mode)
}
