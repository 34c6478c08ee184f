package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// expr binds an expression.
func (b *binder) expr(s *scope, e parse.Expr) (*expr, error) {
	out, err := b.bind(s, e)
	if err != nil {
		return nil, err
	}
	if out.op == opColumn {
		return out, nil
	}
	c := *out
	c.text = e.String()
	return &c, nil
}

func (b *binder) exprs(s *scope, es []parse.Expr) ([]*expr, error) {
	out := make([]*expr, len(es))
	for i, e := range es {
		x, err := b.expr(s, e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// condition binds an expression that has to be true or false.
func (b *binder) condition(s *scope, e parse.Expr, clause string) (*expr, error) {
	if e == nil {
		return nil, nil
	}
	x, err := b.expr(s, e)
	if err != nil {
		return nil, err
	}
	if x.typ.Kind != value.Boolean && x.typ.Kind != value.Null {
		return nil, parse.Errorf(parse.Start(e), "%s needs a condition, but %s is %v", clause, e, x.typ)
	}
	return x, nil
}

func (b *binder) bind(s *scope, e parse.Expr) (*expr, error) {
	switch e := e.(type) {
	case *parse.Literal:
		return constant(e.Value, e.Pos, e.String()), nil
	case *parse.Param:
		return b.argument(e)
	case *parse.ColumnRef:
		return b.name(s, e, false)
	case *parse.Unary:
		return b.unary(s, e)
	case *parse.Binary:
		return b.binary(s, e)
	case *parse.Like:
		return b.like(s, e)
	case *parse.InList:
		return b.inList(s, e)
	case *parse.InQuery:
		return b.inQuery(s, e)
	case *parse.Between:
		return b.between(s, e)
	case *parse.IsNull:
		x, err := b.expr(s, e.X)
		if err != nil {
			return nil, err
		}
		return b.apply(pick(e.Not, "is not null", "is null"), e.Pos, x)
	case *parse.IsBool:
		x, err := b.expr(s, e.X)
		if err != nil {
			return nil, err
		}
		// IS TRUE never gives NULL: it is IS NOT DISTINCT FROM TRUE.
		return b.apply(pick(e.Not, "is distinct from", "is not distinct from"), e.Pos, x, constant(value.Bool(e.Value), e.Pos, ""))
	case *parse.Case:
		return b.bindCase(s, e)
	case *parse.Cast:
		return b.cast(s, e)
	case *parse.Call:
		return b.call(s, e)
	case *parse.Exists:
		return b.exists(s, e)
	case *parse.Subquery:
		return b.scalar(s, e)
	case *parse.Default:
		return nil, parse.Errorf(e.Pos, "DEFAULT can only stand for a whole value in INSERT or UPDATE")
	}
	return nil, parse.Errorf(e.Position(), "internal error: unknown expression %T", e)
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// argType is what fn wants to know of an argument.
func argType(e *expr) fn.ArgType {
	return fn.ArgType{Type: e.typ, Literal: e.typ.Kind == value.Text && e.literal()}
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

// typedConst is a constant for fn, NULL of a type too.
func typedConst(v value.Value, t value.Type) (fn.Expr, error) {
	return fn.CastTo(fn.Const(v), t, fn.Explicit, nil)
}

// castConst converts a fixed expression: a constant now, a slot when its value is known.
func (b *binder) castConst(e *expr, t value.Type, mode fn.CastMode) (*expr, error) {
	if t.Kind == value.Null || e.typ == t || e.typ.Kind == t.Kind && t.Dim == 0 {
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
	if e.typ == t || e.typ.Kind == t.Kind && (t.Dim == 0 || e.typ.Dim == t.Dim) {
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
			return nil, err
		}
		return x, nil
	}
}

func (b *binder) binary(s *scope, e *parse.Binary) (*expr, error) {
	if m, ok := measures[string(e.Op)]; ok {
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

// call binds a function call.
func (b *binder) call(s *scope, e *parse.Call) (*expr, error) {
	name := strings.ToLower(e.Func.Name)
	if fn.IsAggregate(name) {
		return b.aggregate(s, e, name)
	}
	switch {
	case e.Star:
		return nil, parse.Errorf(e.Pos, "only count can be applied to *")
	case e.Distinct:
		return nil, parse.Errorf(e.Pos, "DISTINCT is for aggregates; %s is none", name)
	case e.Filter != nil:
		return nil, parse.Errorf(e.Pos, "FILTER is for aggregates; %s is none", name)
	}
	if m, ok := measures[name]; ok && !isOperator(name) {
		if len(e.Args) != 2 {
			return nil, parse.Errorf(e.Pos, "%s takes two vectors, got %d arguments", name, len(e.Args))
		}
		return b.bindMeasure(s, m, e.Args[0], e.Args[1], e.Pos)
	}
	if name == "image" {
		return nil, parse.Errorf(e.Pos, "image() stands for a vector only beside a vector column with an encoder: in c_sim(image(...)), in a distance, or as the value of such a column")
	}
	_, known := fn.Lookup(name)
	if !known && strings.HasSuffix(name, "_sim") {
		return b.simFunction(s, e)
	}
	if _, table := tableFuncs[name]; table && !known {
		return nil, parse.Errorf(e.Pos, "%s gives a table, not a value", name).WithHint("it stands in FROM: SELECT * FROM %s", e)
	}
	if !known {
		names := fn.Names()
		for m := range measures {
			if !isOperator(m) {
				names = append(names, m)
			}
		}
		for _, c := range s.vectorColumns() {
			names = append(names, c.name+"_sim")
		}
		return nil, parse.Errorf(e.Pos, "no function %q", e.Func.Name).WithHint("%s", didYouMean(name, names))
	}
	args, err := b.exprs(s, e.Args)
	if err != nil {
		return nil, err
	}
	if name == "coalesce" {
		types := make([]fn.ArgType, len(args))
		for i, a := range args {
			types[i] = argType(a)
		}
		t, err := fn.Common("coalesce", types)
		if err != nil {
			return nil, errorAt(e.Pos, err)
		}
		for i := range args {
			if args[i], err = b.castTo(args[i], t, fn.Implicit); err != nil {
				return nil, err
			}
		}
		return &expr{op: opCoalesce, typ: t, pos: e.Pos, args: args}, nil
	}
	return b.apply(name, e.Pos, args...)
}

// ofOuter reports whether e uses columns of queries around the one being bound only.
func (b *binder) ofOuter(e *expr) bool {
	return len(columnsOf(e)) == 0 && e.usesOuter(b.block)
}

// aggregate binds the call of an aggregate function.
func (b *binder) aggregate(s *scope, e *parse.Call, name string) (*expr, error) {
	if !s.aggregates {
		where := s.inside
		if where == "" {
			where = "here"
		} else {
			where = "in " + where
		}
		return nil, parse.Errorf(e.Pos, "%s is an aggregate and can't be used %s", name, where)
	}
	inner := *s
	inner.aggregates, inner.inside = false, "an aggregate"
	a := &aggregate{distinct: e.Distinct}
	var err error
	if a.filter, err = b.condition(&inner, e.Filter, "FILTER"); err != nil {
		return nil, err
	}
	var types []fn.ArgType
	if e.Star {
		if name != "count" {
			return nil, parse.Errorf(e.Pos, "only count can be applied to *")
		}
	} else {
		args, err := b.exprs(&inner, e.Args)
		if err != nil {
			return nil, err
		}
		for _, x := range args {
			types = append(types, argType(x))
			if b.ofOuter(x) && (a.filter == nil || len(columnsOf(a.filter)) == 0) {
				return nil, parse.Errorf(e.Pos, "%s uses nothing of this subquery, only columns of the query around it, whose aggregate it would be", e).WithHint("compute it there, in a subquery in FROM, and use its column here")
			}
		}
		if len(args) > 0 {
			a.arg = args[0]
		} else {
			if name == "count" {
				return nil, parse.Errorf(e.Pos, "count needs an argument: count(*) or count(x)")
			}
			return nil, parse.Errorf(e.Pos, "%s needs an argument: %s(x)", name, name)
		}
	}
	if a.call, err = fn.ResolveAggregate(name, types); err != nil {
		return nil, errorAt(e.Pos, err)
	}
	if a.arg != nil && a.arg.typ.Kind == value.Null {
		if a.arg, err = b.castTo(a.arg, a.call.Param, fn.Implicit); err != nil {
			return nil, err
		}
	}
	out := &expr{op: opAgg, typ: a.call.Result, pos: e.Pos, agg: a, text: e.String()}
	if a.arg != nil && a.call.Result.Kind == value.Vector {
		out.enc = a.arg.enc
	}
	return out, nil
}
