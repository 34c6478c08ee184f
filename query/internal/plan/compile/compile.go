package compile

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Layout tells where the columns are in the batches an operator gives, and
// which expressions it has computed already.
type Layout struct {
	At       map[*logical.Column]int
	Computed map[string]*logical.Column          // by key of the expression
	Nulls    map[*logical.Column]*logical.Column // BOOLEANs that say where columns, whose values are not there, are NULL
	Partners map[*logical.Column]bool            // those of Nulls that are NULL themselves where a join found no partner
	N        int
}

// NewLayout returns the layout of batches with these columns, in their order.
func NewLayout(cols []*logical.Column) Layout {
	l := Layout{At: map[*logical.Column]int{}, Computed: map[string]*logical.Column{}}
	for _, c := range cols {
		l.add(c)
	}
	return l
}

// add gives a column the next place.
func (l *Layout) add(c *logical.Column) {
	l.At[c] = l.N
	l.N++
}

// With returns a copy that has more columns.
func (l Layout) With(cols ...*logical.Column) Layout {
	out := Layout{At: map[*logical.Column]int{}, Computed: map[string]*logical.Column{}, Nulls: l.Nulls, Partners: l.Partners, N: l.N}
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
func (l Layout) Reduce(e *logical.Expr) *logical.Expr {
	if len(l.Computed) == 0 && len(l.Nulls) == 0 {
		return e
	}
	return e.Rewrite(func(x *logical.Expr) *logical.Expr {
		if x.Op == logical.OpColumn || logical.Fixed(x) {
			return x
		}
		if c := l.Computed[x.Key()]; c != nil {
			r := logical.ColumnExpr(c, x.Pos)
			r.Text = x.Text
			return r
		}
		return l.nullTest(x)
	})
}

// nullTest returns x, if it asks whether a column is NULL of which only that is there, by
// what is there.
func (l Layout) nullTest(x *logical.Expr) *logical.Expr {
	c, not := logical.NullTest(x)
	if c == nil {
		return nil
	}
	is, known := l.Nulls[c]
	if _, there := l.At[c]; there || !known {
		return nil
	}
	r := logical.ColumnExpr(is, x.Pos)
	name := ""
	switch {
	case l.Partners[is] && not:
		name = "is false"
	case l.Partners[is]:
		name = "is not false"
	case not:
		name = "not"
	}
	if name != "" {
		var err error
		if r, err = logical.CallRows(name, x.Pos, r); err != nil {
			return nil // but all of them take every BOOLEAN
		}
	}
	r.Text = x.Text
	return r
}

// CompileExpr makes e executable over batches of the layout. What needs a run (texts,
// pictures, subqueries) is left to outside.
func CompileExpr(l Layout, e *logical.Expr, outside func(e *logical.Expr, args []fn.Expr) (fn.Expr, error)) (fn.Expr, error) {
	args := make([]fn.Expr, len(e.Args))
	for i, a := range e.Args {
		var err error
		if args[i], err = CompileExpr(l, a, outside); err != nil {
			return nil, err
		}
	}
	out, err := compileNode(l, e, args, outside)
	return out, logical.ErrorAt(e.Pos, err)
}

func compileNode(l Layout, e *logical.Expr, args []fn.Expr, outside func(e *logical.Expr, args []fn.Expr) (fn.Expr, error)) (fn.Expr, error) {
	switch e.Op {
	case logical.OpColumn:
		i, ok := l.At[e.Column]
		if !ok {
			return nil, parse.Errorf(e.Pos, "internal error: column %s is not read", e.Column.Name)
		}
		return fn.Column(i, e.Column.Type), nil
	case logical.OpConst:
		return typedConst(e.Value, e.Type)
	case logical.OpSlot:
		return fn.SlotValue(e.Slot.N, e.Type), nil
	case logical.OpCall:
		return fn.Apply(e.Call, args, logical.At(e.Pos))
	case logical.OpAnd:
		return fn.And(args[0], args[1])
	case logical.OpOr:
		return fn.Or(args[0], args[1])
	case logical.OpCase:
		var whens []fn.When
		for i := 0; i+1 < len(args); i += 2 {
			whens = append(whens, fn.When{Cond: args[i], Then: args[i+1]})
		}
		return fn.Case(whens, args[len(args)-1])
	case logical.OpCoalesce:
		return fn.Coalesce(args)
	case logical.OpCast:
		return fn.CastTo(args[0], e.Type, fn.Explicit, logical.At(e.Pos))
	case logical.OpIn:
		if e.Slot != nil {
			return fn.InSlot(args[0], e.Slot.N, e.Not), nil
		}
		return fn.In(args[0], e.Set, e.Not), nil
	case logical.OpScore:
		if to := e.Args[1]; logical.Fixed(to) {
			if logical.IsConst(to) {
				if to.Value.IsNull() {
					return typedConst(value.Value{}, logical.RealType)
				}
				if _, err := vector.NewQuery(e.Measure.Metric, to.Value.Vec()); err != nil {
					return nil, err
				}
			}
			return exec.NewScore(args[0], args[1], e.Measure.Metric, e.Measure.Negate, e.Measure.FromOne, logical.At(e.Pos)), nil
		}
		return exec.NewPairScore(args[0], args[1], e.Measure.Metric, e.Measure.Negate, e.Measure.FromOne, logical.At(e.Pos)), nil
	case logical.OpSum:
		return exec.NewVectorSum(args, e.Weights, e.Unit, e.Mean, e.Type.Dim, logical.At(e.Pos)), nil
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
