package fn

import "github.com/lupadb/lupa/storage/value"

// Slot is a value that is known once a statement runs, and is the same for all rows
// of one run: an argument, what is computed from arguments alone, the vector of a
// text, the answer of a subquery. Expressions name slots by number, so that they can
// be compiled before there are values.
type Slot struct {
	Arg Arg
	Err error // why there is no value: raised where the slot is used
	Set *Set  // of a slot that is the right side of IN
	col value.Column
}

// Put gives the slot a value of type t, which it copies.
func (s *Slot) Put(v value.Value, t value.Type) {
	if !v.IsNull() {
		t = v.Type()
	}
	s.col.Reset(t)
	s.col.Append(0, v)
	s.Arg, s.Err = Arg{Column: &s.col, Const: true}, nil
}

// Value returns the slot's value, or the error that stands for it.
func (s *Slot) Value() (value.Value, error) {
	if s.Err != nil || s.Arg.Column == nil {
		return value.Value{}, s.Err
	}
	return s.Arg.At(0), nil
}

// SlotValue returns the expression for the value of slot i.
func SlotValue(i int, t value.Type) Expr { return &slotExpr{i, t} }

type slotExpr struct {
	i int
	t value.Type
}

func (e *slotExpr) Type() value.Type { return e.t }
func (e *slotExpr) Clone() Expr      { return e }
func (e *slotExpr) Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error) {
	s := &ctx.Slots[e.i]
	if s.Err != nil {
		if len(sel) == 0 && (sel != nil || b.Len == 0) {
			return ConstArg(value.Value{}, e.t), nil // no row counts: nothing may fail
		}
		return Arg{}, s.Err
	}
	return s.Arg, nil
}

// constantOf returns the value of an expression that is the same for all rows of a run.
func constantOf(ctx *Ctx, e Expr) (Arg, bool) {
	switch e := e.(type) {
	case *constExpr:
		return e.arg, true
	case *slotExpr:
		if s := &ctx.Slots[e.i]; s.Err == nil && s.Arg.Column != nil {
			return s.Arg, true
		}
	}
	return Arg{}, false
}

// InSlot is x IN (the set of slot i): see In.
func InSlot(x Expr, i int, not bool) Expr { return &inExpr{x: x, slot: i, slotted: true, not: not} }
