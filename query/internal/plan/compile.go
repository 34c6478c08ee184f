package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Layout tells where the columns are in the batches an operator gives, and
// which expressions it has computed already.
type Layout struct {
	At       map[*column]int
	Computed map[string]*column // by key of the expression
	N        int
}

func NewLayout(cols []*column) Layout {
	l := Layout{At: map[*column]int{}, Computed: map[string]*column{}}
	for _, c := range cols {
		l.add(c)
	}
	return l
}

// add gives a column the next place.
func (l *Layout) add(c *column) {
	l.At[c] = l.N
	l.N++
}

// With returns a copy that has more columns.
func (l Layout) With(cols ...*column) Layout {
	out := Layout{At: map[*column]int{}, Computed: map[string]*column{}, N: l.N}
	for c, i := range l.At {
		out.At[c] = i
	}
	for k, c := range l.Computed {
		out.Computed[k] = c
	}
	for _, c := range cols {
		out.add(c)
	}
	return out
}

// Reduce returns e with the parts that are computed already replaced by their
// columns.
func (l Layout) Reduce(e *Expr) *Expr {
	if len(l.Computed) == 0 {
		return e
	}
	return e.Rewrite(func(x *Expr) *Expr {
		if x.Op == OpColumn || Fixed(x) {
			return x
		}
		if c := l.Computed[x.Key()]; c != nil {
			r := ColumnExpr(c, x.Pos)
			r.Text = x.Text
			return r
		}
		return nil
	})
}

// CompileExpr makes e executable over batches of the layout. What needs a run (texts,
// pictures, subqueries) is left to outside.
func CompileExpr(l Layout, e *Expr, outside func(e *Expr, args []fn.Expr) (fn.Expr, error)) (fn.Expr, error) {
	args := make([]fn.Expr, len(e.Args))
	for i, a := range e.Args {
		var err error
		if args[i], err = CompileExpr(l, a, outside); err != nil {
			return nil, err
		}
	}
	out, err := compileNode(l, e, args, outside)
	return out, ErrorAt(e.Pos, err)
}

func compileNode(l Layout, e *Expr, args []fn.Expr, outside func(e *Expr, args []fn.Expr) (fn.Expr, error)) (fn.Expr, error) {
	switch e.Op {
	case OpColumn:
		i, ok := l.At[e.Column]
		if !ok {
			return nil, parse.Errorf(e.Pos, "internal error: column %s is not read", e.Column.Name)
		}
		return fn.Column(i, e.Column.Type), nil
	case OpConst:
		return typedConst(e.Value, e.Type)
	case OpSlot:
		return fn.SlotValue(e.Slot.N, e.Type), nil
	case OpCall:
		return fn.Apply(e.Call, args, At(e.Pos))
	case OpAnd:
		return fn.And(args[0], args[1])
	case OpOr:
		return fn.Or(args[0], args[1])
	case OpCase:
		var whens []fn.When
		for i := 0; i+1 < len(args); i += 2 {
			whens = append(whens, fn.When{Cond: args[i], Then: args[i+1]})
		}
		return fn.Case(whens, args[len(args)-1])
	case OpCoalesce:
		return fn.Coalesce(args)
	case OpCast:
		return fn.CastTo(args[0], e.Type, fn.Explicit, At(e.Pos))
	case OpIn:
		if e.Slot != nil {
			return fn.InSlot(args[0], e.Slot.N, e.Not), nil
		}
		return fn.In(args[0], e.Set, e.Not), nil
	case OpScore:
		if to := e.Args[1]; Fixed(to) {
			if IsConst(to) {
				if to.Value.IsNull() {
					return typedConst(value.Value{}, RealType)
				}
				if _, err := vector.NewQuery(e.Measure.Metric, to.Value.Vec()); err != nil {
					return nil, err
				}
			}
			return exec.NewScore(args[0], args[1], e.Measure.Metric, e.Measure.Negate, e.Measure.FromOne, At(e.Pos)), nil
		}
		return exec.NewPairScore(args[0], args[1], e.Measure.Metric, e.Measure.Negate, e.Measure.FromOne, At(e.Pos)), nil
	case OpSum:
		return exec.NewVectorSum(args, e.Weights, e.Unit, e.Type.Dim, At(e.Pos)), nil
	}
	if outside != nil {
		return outside(e, args)
	}
	return nil, parse.Errorf(e.Pos, "internal error: expression %d can't be computed here", e.Op)
}

// typedConst is a constant for fn, NULL of a type too.
func typedConst(v value.Value, t value.Type) (fn.Expr, error) {
	return fn.CastTo(fn.Const(v), t, fn.Explicit, nil)
}
