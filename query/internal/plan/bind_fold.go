package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// argType is what fn wants to know of an argument.
func argType(e *expr) fn.ArgType {
	return fn.ArgType{Type: e.typ, Literal: e.typ.Kind == value.Text && e.literal()}
}

// literal reports whether e is written in the statement, or an argument: a text then
// takes the type it is used as.
func (e *expr) literal() bool {
	switch e.op {
	case opConst:
		return !e.computed
	case opSlot:
		return !e.computed && e.slot.what != slotQuery
	}
	return false
}

// apply calls a function or operator of package fn. Constant arguments take the
// types it wants, and a call of constants becomes one.
func (b *binder) apply(name string, pos parse.Pos, args ...*expr) (*expr, error) {
	types := make([]fn.ArgType, len(args))
	for i, a := range args {
		types[i] = argType(a)
	}
	c, err := fn.Resolve(name, types)
	if err != nil {
		return nil, errorAt(pos, err)
	}
	for _, a := range args {
		if c.Strict() && isConst(a) && a.val.IsNull() {
			return &expr{op: opConst, typ: c.Result, pos: pos, computed: true}, nil // whatever the others are, and be they errors
		}
	}
	e := &expr{op: opCall, typ: c.Result, pos: pos, call: c, args: append([]*expr(nil), args...)}
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
	x, err := (&builder{binder: b}).compile(newLayout(nil), e)
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

// typedConst is a constant for fn, NULL of a type too.
func typedConst(v value.Value, t value.Type) (fn.Expr, error) {
	return fn.CastTo(fn.Const(v), t, fn.Explicit, nil)
}

// castConst converts a fixed expression: a constant now, a slot when its value is known.
func (b *binder) castConst(e *expr, t value.Type, mode fn.CastMode) (*expr, error) {
	if t.Kind == value.Null || e.typ == t || e.typ.Fits(t) && (mode != fn.Explicit || e.typ.Half == t.Half) {
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
	if e.typ == t || e.typ.Fits(t) && (mode != fn.Explicit || e.typ.Half == t.Half) {
		return e, nil
	}
	if fixed(e) {
		return b.castConst(e, t, mode)
	}
	if e.typ.Kind != value.Null && !(e.typ.Kind == value.Vector && t.Kind == value.Vector) {
		if _, err := fn.Cast(e.typ, t, mode); err != nil {
			return nil, errorAt(e.pos, err)
		}
	}
	return &expr{op: opCast, typ: t, pos: e.pos, args: []*expr{e}, text: e.text}, nil
}
