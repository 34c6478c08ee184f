package fn

import (
	"slices"

	"github.com/lupadb/lupa/storage/value"
)

// Expr is a bound expression. Other packages may add their own kinds of
// expression (a scalar subquery, a score taken from the search operator).
type Expr interface {
	// Type is the type of the result; kind NULL for an expression that is NULL
	// in every row.
	Type() value.Type

	// Eval computes the expression for the rows of b in sel (nil = all b.Len
	// slots; b.Sel is not looked at). The result is valid until the next Eval of
	// the same Expr, is not to be written to, and its slots outside sel are
	// undefined.
	Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error)

	// Clone returns an independent copy for another goroutine.
	Clone() Expr
}

// Column returns the expression for column i of the batch.
func Column(i int, t value.Type) Expr { return &columnExpr{i, t} }

// Const returns the expression for a constant.
func Const(v value.Value) Expr { return &constExpr{ConstArg(v, value.Type{}), true} }

// Apply returns the call of a resolved function; arguments are cast to
// call.Params where they are of another type. wrap, which may be nil, adds the
// place in the source to errors of evaluation. A call of constants becomes a
// constant unless it fails or is stable.
func Apply(call *Call, args []Expr, wrap func(error) error) (Expr, error) {
	return apply(call, args, wrap)
}

// ApplyName resolves and applies a function or operator in one step.
func ApplyName(name string, args ...Expr) (Expr, error) {
	types := make([]ArgType, len(args))
	for i, a := range args {
		types[i] = TypeOf(a)
	}
	call, err := Resolve(name, types)
	if err != nil {
		return nil, err
	}
	return Apply(call, args, nil)
}

// TypeOf returns what Resolve wants to know of e: a constant of kind Text made by
// Const counts as a literal.
func TypeOf(e Expr) ArgType {
	c, ok := e.(*constExpr)
	return ArgType{Type: e.Type(), Literal: ok && c.literal && c.arg.Type.Kind == value.Text}
}

// ConstValue returns the value of a constant expression.
func ConstValue(e Expr) (v value.Value, ok bool) {
	if c, ok := e.(*constExpr); ok {
		return c.arg.At(0), true
	}
	return value.Value{}, false
}

type columnExpr struct {
	i int
	t value.Type
}

func (e *columnExpr) Type() value.Type { return e.t }
func (e *columnExpr) Clone() Expr      { return e }
func (e *columnExpr) Eval(_ *Ctx, b *value.Batch, _ []int32) (Arg, error) {
	return Arg{Column: b.Cols[e.i]}, nil
}

type constExpr struct {
	arg     Arg
	literal bool // as written, not computed: a text may still become another type
}

func (e *constExpr) Type() value.Type                              { return e.arg.Type }
func (e *constExpr) Clone() Expr                                   { return e }
func (e *constExpr) Eval(*Ctx, *value.Batch, []int32) (Arg, error) { return e.arg, nil }

// callExpr is a function whose arguments are all evaluated.
type callExpr struct {
	call *Call
	args []Expr
	wrap func(error) error
	vals []Arg
	out  value.Column
}

func (e *callExpr) Type() value.Type { return e.call.Result }

func (e *callExpr) Clone() Expr {
	return &callExpr{call: e.call, args: cloneAll(e.args), wrap: e.wrap}
}

func (e *callExpr) Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error) {
	e.vals = e.vals[:0]
	folded := !e.call.Func.volatile
	for _, a := range e.args {
		v, err := a.Eval(ctx, b, sel)
		if err != nil {
			if e.nullAnyway(ctx) {
				resize(&e.out, e.call.Result, 1)
				allNull(&e.out, 1)
				return Arg{Column: &e.out, Const: true}, nil
			}
			return Arg{}, err
		}
		folded = folded && v.Const
		e.vals = append(e.vals, v)
	}
	n := b.Len
	if folded {
		if len(sel) == 0 && (sel != nil || n == 0) {
			n = 0 // no row counts: nothing may fail
		} else {
			n, sel = 1, nil
		}
	}
	if err := e.call.Eval(ctx, e.vals, n, sel, &e.out); err != nil {
		if e.wrap != nil {
			err = e.wrap(err)
		}
		return Arg{}, err
	}
	if folded && n == 0 {
		resize(&e.out, e.call.Result, 1)
		allNull(&e.out, 1)
	}
	return Arg{Column: &e.out, Const: folded}, nil
}

// nullAnyway reports whether an argument is NULL in every row, and with it the call: what
// the other arguments are does not matter.
func (e *callExpr) nullAnyway(ctx *Ctx) bool {
	return !e.call.Func.nullable && slices.ContainsFunc(e.args, func(a Expr) bool {
		c, ok := constantOf(ctx, a)
		return ok && c.IsNull(0)
	})
}

func cloneAll(args []Expr) []Expr {
	out := make([]Expr, len(args))
	for i, a := range args {
		out[i] = a.Clone()
	}
	return out
}

func apply(call *Call, args []Expr, wrap func(error) error) (Expr, error) {
	cast := make([]Expr, len(args))
	constant := !call.Func.Stable
	for i, a := range args {
		c, err := CastTo(a, call.Params[i], Implicit, wrap)
		if err != nil {
			return nil, err
		}
		if _, ok := c.(*constExpr); !ok {
			constant = false
		}
		cast[i] = c
	}
	for _, c := range cast {
		if v, ok := ConstValue(c); ok && v.IsNull() && call.Strict() {
			return typedConst(value.Value{}, call.Result), nil // whatever the others are, and be they errors
		}
	}
	e := &callExpr{call: call, args: cast, wrap: wrap}
	if constant {
		if v, err := e.Eval(&Ctx{}, &value.Batch{Len: 1}, nil); err == nil {
			return typedConst(v.At(0), call.Result), nil
		}
	}
	return e, nil
}

// typedConst is a constant that keeps its type even if it is NULL.
func typedConst(v value.Value, t value.Type) Expr {
	return &constExpr{arg: ConstArg(cloneVec(v), t)}
}

func cloneVec(v value.Value) value.Value {
	if v.Kind() == value.Vector {
		return value.Vec(append([]float32(nil), v.Vec()...))
	}
	return v
}

// fits reports whether a value needs no conversion. A HALFVEC serves as a VECTOR; only an
// explicit conversion makes it one.
func fits(from, to value.Type, mode CastMode) bool {
	return from == to || (from.Fits(to) || from.Kind == to.Kind && to.Dim == 0 && !to.Half) && (mode != Explicit || from.Half == to.Half)
}

// CastTo returns e as type t: e itself if it has that type, a constant if e is
// one. The error says why e's type can't become t, or which constant can't.
func CastTo(e Expr, t value.Type, mode CastMode, wrap func(error) error) (Expr, error) {
	from := e.Type()
	if t.Kind == value.Null || t.Kind == anyKind || fits(from, t, mode) {
		return e, nil
	}
	c, constant := e.(*constExpr)
	if constant && c.arg.IsNull(0) {
		return typedConst(value.Value{}, t), nil
	}
	if constant && c.literal && from.Kind == value.Text && mode == Implicit {
		mode = Explicit // a literal takes the type it is used as
	}
	call, err := Cast(from, t, mode)
	if err != nil {
		return nil, err
	}
	out := &callExpr{call: call, args: []Expr{e}, wrap: wrap}
	if constant {
		v, err := out.Eval(&Ctx{}, &value.Batch{Len: 1}, nil)
		if err != nil {
			return nil, err
		}
		return typedConst(v.At(0), call.Result), nil
	}
	return out, nil
}
