package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// apply calls a function or operator of package fn. Constant arguments take the
// types it wants, and a call of constants becomes one.
func (b *binder) apply(name string, pos parse.Pos, args ...*expr) (*expr, error) {
	e, err := callRows(name, pos, args...)
	if err != nil {
		return nil, err
	}
	c := e.call
	for _, a := range args {
		if c.Strict() && isConst(a) && a.val.IsNull() {
			return &expr{op: opConst, typ: c.Result, pos: pos, computed: true}, nil // whatever the others are, and be they errors
		}
	}
	folds, slots := !c.Func.Stable, false
	for i, a := range e.args {
		if !fixed(a) {
			folds = false
			continue
		}
		if e.args[i], err = b.castConst(a, c.Params[i], fn.Implicit); err != nil {
			return nil, err
		}
		slots = slots || !isConst(e.args[i])
	}
	if len(e.args) > 0 && e.args[0].typ.Kind == value.Text && fn.TakesField(name) {
		field, ok, err := b.constOf(e.args[0])
		if err != nil {
			return nil, err
		}
		if ok && !field.val.IsNull() {
			if err := fn.CheckField(name, field.val.Str()); err != nil {
				return nil, errorAt(e.args[0].pos, err)
			}
		}
	}
	switch {
	case folds && slots:
		return b.newSlot(slotValue, e, e.typ, e.pos, ""), nil
	case folds:
		return b.fold(e)
	}
	return e, nil
}

// fold computes an expression of constants, if it can be computed: 1/0 is left
// to fail when, and if, it is run.
func (b *binder) fold(e *expr) (*expr, error) {
	x, err := compileExpr(newLayout(nil), e, nil)
	if err != nil {
		return nil, errorAt(e.pos, err)
	}
	if v, ok := fn.ConstValue(x); ok {
		return &expr{op: opConst, typ: x.Type(), val: v, pos: e.pos, text: e.text}, nil
	}
	return e, nil
}

// folded is fold where all parts are constant, a slot where they are fixed, or e itself.
func (b *binder) folded(e *expr) (*expr, error) {
	switch {
	case !allFixed(e.args):
		return e, nil
	case e.slot == nil && !slices.ContainsFunc(e.args, func(a *expr) bool { return !isConst(a) }):
		return b.fold(e)
	}
	return b.newSlot(slotValue, e, e.typ, e.pos, e.text), nil
}

// castConst converts a fixed expression: a constant now, a slot when its value is known.
func (b *binder) castConst(e *expr, t value.Type, mode fn.CastMode) (*expr, error) {
	if t.Kind == value.Null || keeps(e, t, mode) {
		return e, nil
	}
	if e.op == opSlot {
		if e.typ.Kind == value.Text && t.Kind == value.Vector && t.Dim == 0 {
			c, ok, err := b.constOf(e) // its dimension is a part of the type
			if err != nil {
				return nil, err
			}
			if ok {
				return b.castConst(c, t, mode)
			}
		}
		if e.typ.Kind == value.Text && e.literal() {
			mode = fn.Explicit
		}
		if e.typ.Kind != value.Null {
			if _, err := fn.Cast(e.typ, t, mode); err != nil {
				return nil, errorAt(e.pos, err)
			}
		}
		c := b.newSlot(slotCast, &expr{op: opCast, typ: t, pos: e.pos, args: []*expr{e}, text: e.text}, t, e.pos, e.text)
		c.enc = e.enc
		return c, nil
	}
	if e.val.IsNull() {
		c := *e
		c.typ = t
		return &c, nil
	}
	if e.typ.Kind == value.Text {
		mode = fn.Explicit // a text in quotes takes the type it is used as
	}
	x, err := fn.CastTo(fn.Const(e.val), t, mode, nil)
	if err != nil {
		return nil, errorAt(e.pos, err)
	}
	v, ok := fn.ConstValue(x)
	if !ok {
		return e, nil
	}
	c := *e
	c.typ, c.val = x.Type(), v
	return &c, nil
}

// castTo converts an expression, as storing it in a column of type t would.
func (b *binder) castTo(e *expr, t value.Type, mode fn.CastMode) (*expr, error) {
	if fixed(e) && !keeps(e, t, mode) {
		return b.castConst(e, t, mode)
	}
	return castRows(e, t, mode)
}
