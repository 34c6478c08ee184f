package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// layout tells where the columns are in the batches an operator gives, and
// which expressions it has computed already.
type layout struct {
	at       map[*column]int
	computed map[string]*column // by key of the expression
	n        int
}

func newLayout(cols []*column) layout {
	l := layout{at: map[*column]int{}, computed: map[string]*column{}}
	for _, c := range cols {
		l.add(c)
	}
	return l
}

// add gives a column the next place.
func (l *layout) add(c *column) {
	l.at[c] = l.n
	l.n++
}

// with returns a copy that has more columns.
func (l layout) with(cols ...*column) layout {
	out := layout{at: map[*column]int{}, computed: map[string]*column{}, n: l.n}
	for c, i := range l.at {
		out.at[c] = i
	}
	for k, c := range l.computed {
		out.computed[k] = c
	}
	for _, c := range cols {
		out.add(c)
	}
	return out
}

// reduce returns e with the parts that are computed already replaced by their
// columns.
func (l layout) reduce(e *expr) *expr {
	if len(l.computed) == 0 {
		return e
	}
	return e.rewrite(func(x *expr) *expr {
		if x.op == opColumn || fixed(x) {
			return x
		}
		if c := l.computed[x.key()]; c != nil {
			r := columnExpr(c, x.pos)
			r.text = x.text
			return r
		}
		return nil
	})
}

// compileExpr makes e executable over batches of the layout. What needs a run (texts,
// pictures, subqueries) is left to outside.
func compileExpr(l layout, e *expr, outside func(e *expr, args []fn.Expr) (fn.Expr, error)) (fn.Expr, error) {
	args := make([]fn.Expr, len(e.args))
	for i, a := range e.args {
		var err error
		if args[i], err = compileExpr(l, a, outside); err != nil {
			return nil, err
		}
	}
	out, err := compileNode(l, e, args, outside)
	return out, errorAt(e.pos, err)
}

func compileNode(l layout, e *expr, args []fn.Expr, outside func(e *expr, args []fn.Expr) (fn.Expr, error)) (fn.Expr, error) {
	switch e.op {
	case opColumn:
		i, ok := l.at[e.col]
		if !ok {
			return nil, parse.Errorf(e.pos, "internal error: column %s is not read", e.col.name)
		}
		return fn.Column(i, e.col.typ), nil
	case opConst:
		return typedConst(e.val, e.typ)
	case opSlot:
		return fn.SlotValue(e.slot.n, e.typ), nil
	case opCall:
		return fn.Apply(e.call, args, at(e.pos))
	case opAnd:
		return fn.And(args[0], args[1])
	case opOr:
		return fn.Or(args[0], args[1])
	case opCase:
		var whens []fn.When
		for i := 0; i+1 < len(args); i += 2 {
			whens = append(whens, fn.When{Cond: args[i], Then: args[i+1]})
		}
		return fn.Case(whens, args[len(args)-1])
	case opCoalesce:
		return fn.Coalesce(args)
	case opCast:
		return fn.CastTo(args[0], e.typ, fn.Explicit, at(e.pos))
	case opIn:
		if e.slot != nil {
			return fn.InSlot(args[0], e.slot.n, e.not), nil
		}
		return fn.In(args[0], e.set, e.not), nil
	case opScore:
		if to := e.args[1]; fixed(to) {
			if isConst(to) {
				if to.val.IsNull() {
					return typedConst(value.Value{}, realType)
				}
				if _, err := vector.NewQuery(e.measure.Metric, to.val.Vec()); err != nil {
					return nil, err
				}
			}
			return exec.NewScore(args[0], args[1], e.measure.Metric, e.measure.Negate, e.measure.FromOne, at(e.pos)), nil
		}
		return exec.NewPairScore(args[0], args[1], e.measure.Metric, e.measure.Negate, e.measure.FromOne, at(e.pos)), nil
	case opSum:
		return exec.NewVectorSum(args, e.weights, e.unit, e.typ.Dim, at(e.pos)), nil
	}
	if outside != nil {
		return outside(e, args)
	}
	return nil, parse.Errorf(e.pos, "internal error: expression %d can't be computed here", e.op)
}

// typedConst is a constant for fn, NULL of a type too.
func typedConst(v value.Value, t value.Type) (fn.Expr, error) {
	return fn.CastTo(fn.Const(v), t, fn.Explicit, nil)
}
