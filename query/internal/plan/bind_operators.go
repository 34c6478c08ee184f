package plan

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

func (b *binder) unary(s *scope, e *parse.Unary) (*expr, error) {
	x, err := b.expr(s, e.X)
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
			return nil, parse.Errorf(e.Pos, "+ stands before numbers and vectors; %s is %v", x, x.typ)
		}
		return x, nil
	}
}

func (b *binder) binary(s *scope, e *parse.Binary) (*expr, error) {
	if m, ok := fn.MeasureOf(string(e.Op)); ok {
		return b.bindMeasure(s, m, e.X, e.Y, e.Pos)
	}
	x, y, err := b.operands(s, e.X, e.Y, string(e.Op))
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case parse.OpAnd, parse.OpOr:
		for i, a := range []*expr{x, y} {
			if a.typ.Kind != value.Boolean && a.typ.Kind != value.Null {
				return nil, parse.Errorf(parse.Start([]parse.Expr{e.X, e.Y}[i]), "%s needs conditions on both sides, but %s is %v", e.Op, a, a.typ)
			}
		}
		kind := opAnd
		if e.Op == parse.OpOr {
			kind = opOr
		}
		out := &expr{op: kind, typ: boolType, pos: e.Pos, args: []*expr{x, y}}
		return b.folded(out)
	}
	return b.apply(strings.ToLower(string(e.Op)), e.Pos, x, y)
}

// operands binds the two sides of an operator; a text beside a vector column
// with an encoder is encoded.
func (b *binder) operands(s *scope, l, r parse.Expr, op string) (x, y *expr, err error) {
	lo, ro := b.needsTarget(l), b.needsTarget(r)
	switch op {
	case "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM":
	default:
		lo, ro = false, false
	}
	if lo && !ro {
		if y, err = b.expr(s, r); err != nil {
			return nil, nil, err
		}
		if y.typ.Kind == value.Vector {
			x, err = b.vector(s, l, targetOf(y, op))
		} else {
			x, err = b.expr(s, l)
		}
		return x, y, err
	}
	if x, err = b.expr(s, l); err != nil {
		return nil, nil, err
	}
	if ro && x.typ.Kind == value.Vector {
		y, err = b.vector(s, r, targetOf(x, op))
	} else {
		y, err = b.expr(s, r)
	}
	return x, y, err
}

func (b *binder) like(s *scope, e *parse.Like) (*expr, error) {
	args, err := b.exprs(s, []parse.Expr{e.X, e.Pattern})
	if err != nil {
		return nil, err
	}
	if e.Escape != nil {
		esc, err := b.expr(s, e.Escape)
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

func (b *binder) between(s *scope, e *parse.Between) (*expr, error) {
	x, low, err := b.operands(s, e.X, e.Low, ">=")
	if err != nil {
		return nil, err
	}
	high, err := b.expr(s, e.High)
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
	ge.text = fmt.Sprintf("%s >= %s", e.X, e.Low)
	le.text = fmt.Sprintf("%s <= %s", e.X, e.High)
	and := &expr{op: opAnd, typ: boolType, pos: e.Pos, args: []*expr{ge, le}, text: e.String()}
	if and, err = b.folded(and); err != nil {
		return nil, err
	}
	if e.Not {
		return b.apply("not", e.Pos, and)
	}
	return and, nil
}

func (b *binder) inList(s *scope, e *parse.InList) (*expr, error) {
	x, err := b.expr(s, e.X)
	if err != nil {
		return nil, err
	}
	list, err := b.exprs(s, e.List)
	if err != nil {
		return nil, err
	}
	all, slots := true, false
	types := []fn.ArgType{argType(x)}
	for _, l := range list {
		all = all && fixed(l)
		slots = slots || !isConst(l)
		types = append(types, argType(l))
	}
	if !all {
		// x = a OR x = b ...: values that differ from row to row.
		var or *expr
		for i, l := range list {
			eq, err := b.apply("=", e.List[i].Position(), x, l)
			if err != nil {
				return nil, err
			}
			eq.text = x.text + " = " + l.text
			if or == nil {
				or = eq
			} else {
				or = &expr{op: opOr, typ: boolType, pos: e.Pos, args: []*expr{or, eq}}
			}
		}
		if e.Not {
			return b.apply("not", e.Pos, or)
		}
		return or, nil
	}
	t, err := fn.Common("IN", types)
	if err != nil {
		return nil, errorAt(e.Pos, err)
	}
	if x, err = b.castTo(x, t, fn.Implicit); err != nil {
		return nil, err
	}
	for i, l := range list {
		if list[i], err = b.castConst(l, t, fn.Implicit); err != nil {
			return nil, err
		}
	}
	out := &expr{op: opIn, typ: boolType, pos: e.Pos, args: append([]*expr{x}, list...), not: e.Not}
	if slots {
		out.slot = b.setSlot(list, t, e.Pos)
	} else {
		out.set = fn.NewSet(t)
		for _, l := range list {
			if err := out.set.Add(fn.ConstArg(l.val, t), 1, nil); err != nil {
				return nil, err
			}
		}
	}
	return b.folded(out)
}

func (b *binder) bindCase(s *scope, e *parse.Case) (*expr, error) {
	out := &expr{op: opCase, pos: e.Pos}
	var types []fn.ArgType
	for i := range e.Whens {
		w := &e.Whens[i]
		var cond *expr
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
		then, err := b.expr(s, w.Then)
		if err != nil {
			return nil, err
		}
		out.args = append(out.args, cond, then)
		types = append(types, argType(then))
	}
	els := constant(value.Value{}, e.Pos, "NULL")
	if e.Else != nil {
		var err error
		if els, err = b.expr(s, e.Else); err != nil {
			return nil, err
		}
	}
	out.args = append(out.args, els)
	types = append(types, argType(els))
	t, err := fn.Common("CASE", types)
	if err != nil {
		return nil, errorAt(e.Pos, err)
	}
	out.typ = t
	for i := 1; i < len(out.args); i += 2 {
		if out.args[i], err = b.castTo(out.args[i], t, fn.Implicit); err != nil {
			return nil, err
		}
	}
	last := len(out.args) - 1
	if out.args[last], err = b.castTo(out.args[last], t, fn.Implicit); err != nil {
		return nil, err
	}
	return out, nil
}

func (b *binder) cast(s *scope, e *parse.Cast) (*expr, error) {
	x, err := b.expr(s, e.X)
	if err != nil {
		return nil, err
	}
	if fixed(x) {
		return b.castConst(x, e.Type.Type, fn.Explicit)
	}
	return b.castTo(x, e.Type.Type, fn.Explicit)
}
