package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// apply calls a function or operator of package fn. Constant arguments take the
// types it wants, and a call of constants becomes one.
func (b *Binder) apply(name string, pos parse.Pos, args ...*Expr) (*Expr, error) {
	e, err := CallRows(name, pos, args...)
	if err != nil {
		return nil, err
	}
	c := e.Call
	for _, a := range args {
		if c.Strict() && IsConst(a) && a.Value.IsNull() {
			return &Expr{Op: OpConst, Type: c.Result, Pos: pos, Computed: true}, nil // whatever the others are, and be they errors
		}
	}
	folds, slots := !c.Func.Stable, false
	for i, a := range e.Args {
		if !Fixed(a) {
			folds = false
			continue
		}
		if e.Args[i], err = b.castConst(a, c.Params[i], fn.Implicit); err != nil {
			return nil, err
		}
		slots = slots || !IsConst(e.Args[i])
	}
	if len(e.Args) > 0 && e.Args[0].Type.Kind == value.Text && fn.TakesField(name) {
		field, ok, err := b.constOf(e.Args[0])
		if err != nil {
			return nil, err
		}
		if ok && !field.Value.IsNull() {
			if err := fn.CheckField(name, field.Value.Str()); err != nil {
				return nil, ErrorAt(e.Args[0].Pos, err)
			}
		}
	}
	switch {
	case folds && slots:
		return b.newSlot(SlotValue, e, e.Type, e.Pos, ""), nil
	case folds:
		return b.fold(e)
	}
	return e, nil
}

// fold computes an expression of constants, if it can be computed: 1/0 is left
// to fail when, and if, it is run.
func (b *Binder) fold(e *Expr) (*Expr, error) {
	x, err := CompileExpr(NewLayout(nil), e, nil)
	if err != nil {
		return nil, ErrorAt(e.Pos, err)
	}
	if v, ok := fn.ConstValue(x); ok {
		return &Expr{Op: OpConst, Type: x.Type(), Value: v, Pos: e.Pos, Text: e.Text}, nil
	}
	return e, nil
}

// folded is fold where all parts are constant, a slot where they are fixed, or e itself.
func (b *Binder) folded(e *Expr) (*Expr, error) {
	switch {
	case !AllFixed(e.Args):
		return e, nil
	case e.Slot == nil && !slices.ContainsFunc(e.Args, func(a *Expr) bool { return !IsConst(a) }):
		return b.fold(e)
	}
	return b.newSlot(SlotValue, e, e.Type, e.Pos, e.Text), nil
}

// castConst converts a fixed expression: a constant now, a slot when its value is known.
func (b *Binder) castConst(e *Expr, t value.Type, mode fn.CastMode) (*Expr, error) {
	if t.Kind == value.Null || Keeps(e, t, mode) {
		return e, nil
	}
	if e.Op == OpSlot {
		if e.Type.Kind == value.Text && t.Kind == value.Vector && t.Dim == 0 {
			c, ok, err := b.constOf(e) // its dimension is a part of the type
			if err != nil {
				return nil, err
			}
			if ok {
				return b.castConst(c, t, mode)
			}
		}
		if e.Type.Kind == value.Text && e.Literal() {
			mode = fn.Explicit
		}
		if e.Type.Kind != value.Null {
			if _, err := fn.Cast(e.Type, t, mode); err != nil {
				return nil, ErrorAt(e.Pos, err)
			}
		}
		c := b.newSlot(SlotCast, &Expr{Op: OpCast, Type: t, Pos: e.Pos, Args: []*Expr{e}, Text: e.Text}, t, e.Pos, e.Text)
		c.Encoding = e.Encoding
		return c, nil
	}
	if e.Value.IsNull() {
		c := *e
		c.Type = t
		return &c, nil
	}
	if e.Type.Kind == value.Text {
		mode = fn.Explicit // a text in quotes takes the type it is used as
	}
	x, err := fn.CastTo(fn.Const(e.Value), t, mode, nil)
	if err != nil {
		return nil, ErrorAt(e.Pos, err)
	}
	v, ok := fn.ConstValue(x)
	if !ok {
		return e, nil
	}
	c := *e
	c.Type, c.Value = x.Type(), v
	return &c, nil
}

// castTo converts an expression, as storing it in a column of type t would.
func (b *Binder) castTo(e *Expr, t value.Type, mode fn.CastMode) (*Expr, error) {
	if Fixed(e) && !Keeps(e, t, mode) {
		return b.castConst(e, t, mode)
	}
	return CastRows(e, t, mode)
}
