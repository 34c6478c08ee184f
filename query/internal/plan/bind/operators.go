package bind

import (
	"encoding/json"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

func (b *Binder) unary(s *Scope, e *parse.Unary) (*logical.Expr, error) {
	x, err := b.Expr(s, e.X)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case parse.OpNot:
		return b.apply("not", e.Pos, x)
	case parse.OpNeg:
		return b.apply("neg", e.Pos, x)
	default: // +x is x, if it is a number
		if _, err := b.apply("neg", e.Pos, x); err != nil {
			return nil, parse.Errorf(e.Pos, "+ stands before numbers and vectors; %s is %v", x, x.Type)
		}
		return x, nil
	}
}

func (b *Binder) binary(s *Scope, e *parse.Binary) (*logical.Expr, error) {
	if m, ok := fn.MeasureOf(string(e.Op)); ok {
		return b.bindMeasure(s, m, e.X, e.Y, e.Pos)
	}
	x, y, err := b.operands(s, e.X, e.Y, string(e.Op))
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case parse.OpAnd, parse.OpOr:
		for i, a := range []*logical.Expr{x, y} {
			if a.Type.Kind != value.Boolean && a.Type.Kind != value.Null {
				return nil, parse.Errorf(parse.Start([]parse.Expr{e.X, e.Y}[i]), "%s needs conditions on both sides, but %s is %v", e.Op, a, a.Type)
			}
		}
		kind := logical.OpAnd
		if e.Op == parse.OpOr {
			kind = logical.OpOr
		}
		out := &logical.Expr{Op: kind, Type: logical.BoolType, Pos: e.Pos, Args: []*logical.Expr{x, y}}
		return b.folded(out)
	}
	if (e.Op == "@>" || e.Op == "<@") && x.Array != nil && y.Array != nil {
		if x, err = b.flat(x); err != nil {
			return nil, err
		}
		if y, err = b.flat(y); err != nil {
			return nil, err
		}
	}
	if e.Op == parse.OpConcat && (x.Array != nil || y.Array != nil) {
		return b.joinArray(e, x, y)
	}
	if e.Op == "IS DISTINCT FROM" || e.Op == "IS NOT DISTINCT FROM" {
		if logical.IsConst(x) && x.Value.IsNull() {
			x, y = y, x
		}
		if logical.IsConst(y) && y.Value.IsNull() && x.Varies() {
			return b.apply(pick(e.Op == "IS DISTINCT FROM", "is not null", "is null"), e.Pos, x)
		}
	}
	return b.apply(strings.ToLower(string(e.Op)), e.Pos, x, y)
}

// joinArray binds || of an array and another one, or an element.
func (b *Binder) joinArray(e *parse.Binary, x, y *logical.Expr) (*logical.Expr, error) {
	array, other, name, written := x, y, "array_append", e.Y
	if x.Array == nil {
		array, other, name, written = y, x, "array_prepend", e.X
	}
	of, literal := *array.Array, false
	switch written.(type) {
	case *parse.Literal, *parse.Param: // without a type, so that it is an array, as in PostgreSQL
		literal = other.Type.Kind == value.Text && logical.IsConst(other)
	}
	switch {
	case other.Array != nil:
		name = "array_cat"
		if of.Kind != other.Array.Kind {
			of = value.Type{}
		} else if of.Kind != value.Vector {
			of.Dim = max(of.Dim, other.Array.Dim)
		}
	case other.Type.Kind == value.Null:
		return array, nil
	case literal && !json.Valid([]byte(other.Value.Str())):
		if text := strings.TrimSpace(other.Value.Str()); of.Kind == value.Null || !strings.HasPrefix(text, "{") {
			return nil, parse.Errorf(other.Pos, "%s is not an array", other.Text).WithHint("ARRAY[%s] is one", other.Text)
		}
		// '{1,2}'
		list, err := b.apply("to_array", other.Pos, other, logical.Constant(value.Str(strings.ToLower(of.Kind.String())), other.Pos, ""))
		if err != nil {
			return nil, err
		}
		if name = "array_cat"; x == other {
			x = list
		} else {
			y = list
		}
	case other.Type.Kind == value.JSON, literal, other.Type.Kind == value.Vector, other.Type.Kind == value.Blob,
		other.Type.Kind == value.Text && of.Kind != value.Text && of.Kind != value.Null:
		return b.apply("||", e.Pos, x, y)
	default:
		t, err := fn.Common("||", []fn.ArgType{{Type: of}, logical.ArgType(other)})
		if err != nil {
			return nil, logical.ErrorAt(e.Pos, err)
		}
		of = t
	}
	out, err := b.apply(name, e.Pos, x, y)
	if err != nil {
		return nil, err
	}
	return arrayOf(out, of), nil
}

// operands binds the two sides of an operator; a text beside a vector column
// with an encoder is encoded.
func (b *Binder) operands(s *Scope, l, r parse.Expr, op string) (x, y *logical.Expr, err error) {
	lo, ro := b.needsTarget(l), b.needsTarget(r)
	switch op {
	case "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM":
	default:
		lo, ro = false, false
	}
	if lo && !ro {
		if y, err = b.Expr(s, r); err != nil {
			return nil, nil, err
		}
		if y.Type.Kind == value.Vector {
			x, err = b.vector(s, l, targetOf(y, op))
		} else {
			x, err = b.Expr(s, l)
		}
		return x, y, err
	}
	if x, err = b.Expr(s, l); err != nil {
		return nil, nil, err
	}
	if ro && x.Type.Kind == value.Vector {
		y, err = b.vector(s, r, targetOf(x, op))
	} else {
		y, err = b.Expr(s, r)
	}
	return x, y, err
}

func (b *Binder) like(s *Scope, e *parse.Like) (*logical.Expr, error) {
	args, err := b.Exprs(s, []parse.Expr{e.X, e.Pattern})
	if err != nil {
		return nil, err
	}
	if e.Escape != nil {
		esc, err := b.Expr(s, e.Escape)
		if err != nil {
			return nil, err
		}
		args = append(args, esc)
	}
	out, err := b.apply(pick(e.Fold, "ilike", "like"), e.Pos, args...)
	if err != nil || !e.Not {
		return out, err
	}
	return b.apply("not", e.Pos, out)
}

func (b *Binder) between(s *Scope, e *parse.Between) (*logical.Expr, error) {
	x, low, err := b.operands(s, e.X, e.Low, ">=")
	if err != nil {
		return nil, err
	}
	high, err := b.Expr(s, e.High)
	if err != nil {
		return nil, err
	}
	ge, err := b.apply(">=", e.Pos, x, low)
	if err != nil {
		return nil, err
	}
	le, err := b.apply("<=", e.Pos, x, high)
	if err != nil {
		return nil, err
	}
	ge.Text = b.texts.Of(e.X) + " >= " + b.texts.Of(e.Low)
	le.Text = b.texts.Of(e.X) + " <= " + b.texts.Of(e.High)
	and := &logical.Expr{Op: logical.OpAnd, Type: logical.BoolType, Pos: e.Pos, Args: []*logical.Expr{ge, le}, Text: b.texts.Of(e)}
	if and, err = b.folded(and); err != nil {
		return nil, err
	}
	if e.Not {
		return b.apply("not", e.Pos, and)
	}
	return and, nil
}

func (b *Binder) inList(s *Scope, e *parse.InList) (*logical.Expr, error) {
	x, err := b.Expr(s, e.X)
	if err != nil {
		return nil, err
	}
	list, err := b.Exprs(s, e.List)
	if err != nil {
		return nil, err
	}
	all, slots := true, false
	types := []fn.ArgType{logical.ArgType(x)}
	for _, l := range list {
		// What depends on a column around may become one of a pair of rows (decorrelate).
		all = all && logical.Fixed(l) && !l.Deferred(logical.SlotOuter)
		slots = slots || !logical.IsConst(l)
		types = append(types, logical.ArgType(l))
	}
	if !all {
		// x = a OR x = b ...: values that differ from row to row.
		var or *logical.Expr
		for i, l := range list {
			eq, err := b.apply("=", e.List[i].Position(), x, l)
			if err != nil {
				return nil, err
			}
			eq.Text = x.Text + " = " + l.Text
			if or == nil {
				or = eq
			} else {
				or = &logical.Expr{Op: logical.OpOr, Type: logical.BoolType, Pos: e.Pos, Args: []*logical.Expr{or, eq}}
			}
		}
		if e.Not {
			return b.apply("not", e.Pos, or)
		}
		return or, nil
	}
	t, err := fn.Common("IN", types)
	if err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	if x, err = b.castTo(x, t, fn.Implicit); err != nil {
		return nil, err
	}
	for i, l := range list {
		if list[i], err = b.castConst(l, t, fn.Implicit); err != nil {
			return nil, err
		}
	}
	out := &logical.Expr{Op: logical.OpIn, Type: logical.BoolType, Pos: e.Pos, Args: append([]*logical.Expr{x}, list...), Not: e.Not}
	if slots {
		out.Slot = b.setSlot(list, t, e.Pos)
	} else {
		out.Set = fn.NewSet(t)
		for _, l := range list {
			if err := out.Set.Add(fn.ConstArg(l.Value, t), 1, nil); err != nil {
				return nil, err
			}
		}
	}
	return b.folded(out)
}

func (b *Binder) bindCase(s *Scope, e *parse.Case) (*logical.Expr, error) {
	out := &logical.Expr{Op: logical.OpCase, Pos: e.Pos}
	var types []fn.ArgType
	for i := range e.Whens {
		w := &e.Whens[i]
		var cond *logical.Expr
		var err error
		if e.Operand != nil {
			x, y, err2 := b.operands(s, e.Operand, w.Cond, "=")
			if err2 != nil {
				return nil, err2
			}
			cond, err = b.apply("=", w.Pos, x, y)
		} else {
			cond, err = b.condition(s, w.Cond, "WHEN")
		}
		if err != nil {
			return nil, err
		}
		then, err := b.Expr(s, w.Then)
		if err != nil {
			return nil, err
		}
		out.Args = append(out.Args, cond, then)
		types = append(types, logical.ArgType(then))
	}
	els := logical.Constant(value.Value{}, e.Pos, "NULL")
	if e.Else != nil {
		var err error
		if els, err = b.Expr(s, e.Else); err != nil {
			return nil, err
		}
	}
	out.Args = append(out.Args, els)
	types = append(types, logical.ArgType(els))
	t, err := fn.Common("CASE", types)
	if err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	out.Type = t
	out.Array = sameArray(append(everySecond(out.Args), els))
	for i := 1; i < len(out.Args); i += 2 {
		if out.Args[i], err = b.castTo(out.Args[i], t, fn.Implicit); err != nil {
			return nil, err
		}
	}
	last := len(out.Args) - 1
	if out.Args[last], err = b.castTo(out.Args[last], t, fn.Implicit); err != nil {
		return nil, err
	}
	return out, nil
}

// everySecond are the outcomes of a CASE.
func everySecond(args []*logical.Expr) []*logical.Expr {
	var out []*logical.Expr
	for i := 1; i < len(args); i += 2 {
		out = append(out, args[i])
	}
	return out
}

// sameArray is what the arrays are that all expressions give which are not NULL; nil if some are none.
func sameArray(es []*logical.Expr) *value.Type {
	var of *value.Type
	for _, e := range es {
		switch {
		case e.Type.Kind == value.Null:
		case e.Array == nil:
			return nil
		case of == nil:
			of = e.Array
		case *of != *e.Array:
			of = &value.Type{}
		}
	}
	return of
}

func (b *Binder) cast(s *Scope, e *parse.Cast) (*logical.Expr, error) {
	x, err := b.Expr(s, e.X)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(e.Type.Declared, "REG") {
		return b.regCast(s, e, x)
	}
	if c, ok := e.X.(*parse.Cast); ok && c.Type.Declared == "REGCLASS" && e.Type.Type.Kind == value.Text {
		if l, ok := c.X.(*parse.Literal); ok && l.Value.Kind() == value.Text { // the name, not its number
			return logical.Constant(value.Str(unqualifiedName(l.Value.Str())), e.Pos, ""), nil
		}
	}
	if logical.Fixed(x) {
		x, err = b.castConst(x, e.Type.Type, fn.Explicit)
	} else {
		x, err = b.castTo(x, e.Type.Type, fn.Explicit)
	}
	if err != nil {
		return nil, err
	}
	if !x.Exact.IsNull() { // 1.5::REAL is not a NUMERIC beside one
		c := *x
		c.Exact, x = value.Value{}, &c
	}
	return b.declared(x, e.Type.Declared, true)
}
