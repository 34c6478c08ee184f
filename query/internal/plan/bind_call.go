package plan

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

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
	case len(e.OrderBy) > 0:
		return nil, parse.Errorf(e.OrderBy[0].Pos, "ORDER BY within a call is for aggregates; %s is none", name)
	case e.Filter != nil:
		return nil, parse.Errorf(e.Pos, "FILTER is for aggregates; %s is none", name)
	}
	if m, ok := fn.MeasureOf(name); ok && !isOperator(name) {
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
		names = append(names, "cosine_similarity")
		for _, c := range s.vectorColumns() {
			names = append(names, c.name+"_sim")
		}
		return nil, parse.Errorf(e.Pos, "no function %q", e.Func.Name).WithHint("%s", hint.Question(name, names))
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
	var order []*expr
	var orders []fn.SortOrder
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
		for i := range e.OrderBy {
			x, err := b.expr(&inner, e.OrderBy[i].Expr)
			if err != nil {
				return nil, err
			}
			k, err := b.sortKeyOf(&e.OrderBy[i], x)
			if err != nil {
				return nil, err
			}
			order = append(order, k.expr)
			orders = append(orders, fn.SortOrder{Desc: k.order.Desc, NullsFirst: k.order.NullsFirst})
		}
		if e.Within != fn.WithinGroup(name) {
			if e.Within {
				return nil, parse.Errorf(e.Pos, "%s does not take WITHIN GROUP", name).WithHint("ORDER BY can stand behind its arguments")
			}
			return nil, parse.Errorf(e.Pos, "%s needs WITHIN GROUP (ORDER BY x)", name).WithHint("percentile_cont(0.5) WITHIN GROUP (ORDER BY x)")
		}
		if e.Within { // what is ordered is the argument
			args, order, orders = append(order[:1:1], args...), nil, orders[:1]
			if len(e.OrderBy) > 1 {
				return nil, parse.Errorf(e.OrderBy[1].Pos, "%s orders by one expression", name)
			}
		}
		for _, x := range args {
			types = append(types, argType(x))
			if b.ofOuter(x) && (a.filter == nil || len(columnsOf(a.filter)) == 0) {
				return nil, parse.Errorf(e.Pos, "%s uses nothing of this subquery, only columns of the query around it, whose aggregate it would be", e).WithHint("compute it there, in a subquery in FROM, and use its column here")
			}
		}
		if len(args) > 0 {
			a.arg, a.more = args[0], args[1:]
		} else {
			if name == "count" {
				return nil, parse.Errorf(e.Pos, "count needs an argument: count(*) or count(x)")
			}
			return nil, parse.Errorf(e.Pos, "%s needs an argument: %s(x)", name, name)
		}
	}
	if e.Distinct && len(orders) == 0 {
		orders = []fn.SortOrder{{}} // values of which each comes once are sorted, as in PostgreSQL
	}
	if a.call, err = fn.ResolveAggregate(name, types, orders); err != nil {
		return nil, errorAt(e.Pos, err)
	}
	if e.Distinct {
		for i, x := range order {
			if x.key() != a.arg.key() {
				return nil, parse.Errorf(e.OrderBy[i].Pos, "with DISTINCT, %s can only be ordered by its argument", name)
			}
		}
		order = order[:min(1, len(order))]
	}
	for i, x := range a.more {
		if a.more[i], err = b.castTo(x, a.call.More[i], fn.Implicit); err != nil {
			return nil, err
		}
	}
	if !e.Within {
		a.more = append(a.more[:len(a.more):len(a.more)], order...)
	}
	if a.arg != nil && (a.arg.typ.Kind == value.Null || a.call.Converts()) {
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
