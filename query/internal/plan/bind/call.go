package bind

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// call binds a function call.
func (b *Binder) call(s *Scope, e *parse.Call) (*logical.Expr, error) {
	name := strings.ToLower(e.Func.Name)
	switch {
	case name == "iif" && len(e.Args) == 3 && e.Over == nil:
		return b.Expr(s, &parse.Case{Pos: e.Pos, Whens: []parse.When{{Pos: e.Pos, Cond: e.Args[0], Then: e.Args[1]}}, Else: e.Args[2]})
	case name == "group_concat" && !e.Star && len(e.Args) > 0:
		own := *e
		if own.Func.Name = "string_agg"; len(e.Args) == 1 {
			own.Args = []parse.Expr{e.Args[0], &parse.Literal{Pos: e.Pos, Value: value.Str(",")}}
		}
		return b.call(s, &own)
	case isGrouping(name) && e.Over == nil:
		return b.grouping(s, e)
	case e.Over != nil:
		return b.window(s, e, name)
	case fn.IsAggregate(name):
		return b.aggregate(s, e, name)
	case fn.IsWindow(name):
		return nil, parse.Errorf(e.Pos, "%s is a window function: it needs OVER (...)", name).WithHint("%s OVER (PARTITION BY ... ORDER BY ...)", e)
	}
	switch {
	case e.Star:
		return nil, parse.Errorf(e.Pos, "only count can be applied to *")
	case e.Distinct:
		return nil, parse.Errorf(e.Pos, "DISTINCT is for aggregates; %s is not one", name)
	case len(e.OrderBy) > 0:
		return nil, parse.Errorf(e.OrderBy[0].Pos, "ORDER BY within a call is for aggregates; %s is not one", name)
	case e.Filter != nil:
		return nil, parse.Errorf(e.Pos, "FILTER is for aggregates; %s is not one", name)
	}
	if e.Of.Name != "" && !strings.HasSuffix(name, "_sim") {
		return nil, parse.Errorf(e.Pos, "%s.%s(...) is for the similarity of a column, such as %[1]s.clip_sim('a wolf'); functions are in no schema", e.Of, name)
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
	if wordsCall(name) {
		return b.words(s, e, name)
	}
	if overCall(name) {
		return b.over(s, e, name)
	}
	if name == "row_to_json" {
		return b.rowToJSON(s, e)
	}
	if name == "recommend" {
		return b.recommend(s, e)
	}
	if name == "relevance" {
		return b.relevance(s, e)
	}
	if q := catalogCalls[name]; q != nil {
		if x := q(e); x != nil {
			return b.Expr(s, x)
		}
		return nil, parse.Errorf(e.Pos, "%s takes the number that the catalog has for a thing, got %s", name, logical.Counted(len(e.Args), "argument"))
	}
	_, known := fn.Lookup(name)
	if !known && strings.HasSuffix(name, "_sim") {
		return b.simFunction(s, e)
	}
	_, table := tableFuncs[name]
	if (table || plannedFuncs[name] != nil || rowFuncs[name] != nil) && !known {
		return nil, parse.Errorf(e.Pos, "%s gives a table, not a value", name).WithHint("it belongs in FROM: SELECT * FROM %s", e)
	}
	if !known {
		names := fn.Names()
		names = append(names, "cosine_similarity", "match", "bm25", "snippet", "highlight", "rrf", "normalize", "mmr", "recommend", "relevance")
		for _, c := range s.vectorColumns() {
			names = append(names, c.Name+"_sim")
		}
		if h := otherFunctions[name]; h != "" {
			return nil, parse.Errorf(e.Pos, "no function %q", e.Func.Name).WithHint("%s", h)
		}
		return nil, parse.Errorf(e.Pos, "no function %q", e.Func.Name).WithHint("%s", hint.Question(name, names))
	}
	written, err := b.rowsToJSON(s, name, e.Args)
	if err != nil {
		return nil, err
	}
	args, err := b.Exprs(s, written)
	if err != nil {
		return nil, err
	}
	if flatFuncs[name] && len(args) > 0 {
		if args[0], err = b.flat(args[0]); err != nil {
			return nil, err
		}
	}
	if name == "coalesce" {
		types, given := make([]fn.ArgType, len(args)), slices.Clone(args)
		for i, a := range args {
			types[i] = logical.ArgType(a)
		}
		t, err := fn.Common("coalesce", types)
		if err != nil {
			return nil, logical.ErrorAt(e.Pos, err)
		}
		for i := range args {
			if args[i], err = b.castTo(args[i], t, fn.Implicit); err != nil {
				return nil, err
			}
		}
		return arrayCall(name, &logical.Expr{Op: logical.OpCoalesce, Type: t, Pos: e.Pos, Args: args}, given), nil
	}
	out, err := b.apply(name, e.Pos, args...)
	if err != nil {
		return nil, err
	}
	return arrayCall(name, out, args), nil
}

// ofOuter reports whether e uses columns of queries around the one being bound only.
func (b *Binder) ofOuter(e *logical.Expr) bool {
	return len(logical.ColumnsOf(e)) == 0 && e.UsesOuter(b.Block)
}

// aggregate binds the call of an aggregate function.
func (b *Binder) aggregate(s *Scope, e *parse.Call, name string) (*logical.Expr, error) {
	if !s.aggregates {
		where := s.Inside
		if where == "" {
			where = "here"
		} else {
			where = "in " + where
		}
		return nil, parse.Errorf(e.Pos, "%s is an aggregate and can't be used %s", name, where)
	}
	inner := *s
	inner.aggregates, inner.nested, inner.windows = s.nested, false, false
	inner.Inside = "an aggregate"
	a := &logical.Aggregate{Distinct: e.Distinct}
	var order []*logical.Expr
	var orders []fn.SortOrder
	var err error
	if a.Filter, err = b.condition(&inner, e.Filter, "FILTER"); err != nil {
		return nil, err
	}
	var types []fn.ArgType
	if e.Star {
		if name != "count" {
			return nil, parse.Errorf(e.Pos, "only count can be applied to *")
		}
	} else {
		written, err := b.rowsToJSON(&inner, name, e.Args)
		if err != nil {
			return nil, err
		}
		args, err := b.Exprs(&inner, written)
		if err != nil {
			return nil, err
		}
		for i := range e.OrderBy {
			x, err := b.Expr(&inner, e.OrderBy[i].Expr)
			if err != nil {
				return nil, err
			}
			k, err := b.sortKeyOf(&e.OrderBy[i], x)
			if err != nil {
				return nil, err
			}
			order = append(order, k.Expr)
			orders = append(orders, fn.SortOrder{Desc: k.Order.Desc, NullsFirst: k.Order.NullsFirst})
		}
		if e.Within != fn.WithinGroup(name) {
			if e.Within {
				return nil, parse.Errorf(e.Pos, "%s does not take WITHIN GROUP", name).WithHint("ORDER BY can follow its arguments")
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
			types = append(types, logical.ArgType(x))
			if b.ofOuter(x) && (a.Filter == nil || len(logical.ColumnsOf(a.Filter)) == 0) {
				return nil, parse.Errorf(e.Pos, "%s uses nothing of this subquery, only columns of the query around it, whose aggregate it would be", e).WithHint("compute it there, in a subquery in FROM, and use its column here")
			}
		}
		if len(args) > 0 {
			a.Arg, a.More = args[0], args[1:]
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
	if a.Call, err = fn.ResolveAggregate(name, types, orders); err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	if e.Distinct {
		for i, x := range order {
			if x.Key() != a.Arg.Key() {
				return nil, parse.Errorf(e.OrderBy[i].Pos, "with DISTINCT, %s can only be ordered by its argument", name)
			}
		}
		order = order[:min(1, len(order))]
	}
	for i, x := range a.More {
		if a.More[i], err = b.castTo(x, a.Call.More[i], fn.Implicit); err != nil {
			return nil, err
		}
	}
	if !e.Within {
		a.More = append(a.More[:len(a.More):len(a.More)], order...)
	}
	if a.Arg != nil && (a.Arg.Type.Kind == value.Null || a.Call.Converts()) {
		if a.Arg, err = b.castTo(a.Arg, a.Call.Param, fn.Implicit); err != nil {
			return nil, err
		}
	}
	out := &logical.Expr{Op: logical.OpAgg, Type: a.Call.Result, Pos: e.Pos, Aggregate: a, Text: b.texts.Of(e)}
	if a.Arg != nil && a.Call.Result.Kind == value.Vector {
		out.Encoding = a.Arg.Encoding
	}
	if name == "array_agg" && a.Arg != nil {
		of := a.Arg.Type
		if a.Arg.Array != nil {
			of = within(*a.Arg.Array)
		}
		out.Array = &of
	}
	return out, nil
}

// otherFunctions says what to write in place of functions that there are elsewhere.
var otherFunctions = map[string]string{
	"jsonb_path_query":        "write -> 'key', #> '{a,0}' and jsonb_array_elements(...) in FROM",
	"jsonb_path_query_array":  "write -> 'key', #> '{a,0}' and jsonb_array_elements(...) in FROM",
	"jsonb_path_query_first":  "write #> '{a,0}'",
	"jsonb_path_exists":       "write x @> '{\"a\": 1}', x ? 'key', or EXISTS (SELECT 1 FROM jsonb_array_elements(x) AS e WHERE ...)",
	"jsonb_path_match":        "write x @> '{\"a\": 1}'",
	"nextval":                 "SERIAL numbers the rows of a table; INSERT ... RETURNING id tells the number",
	"currval":                 "INSERT ... RETURNING id tells the number",
	"lastval":                 "INSERT ... RETURNING id tells the number",
	"setval":                  "the next number is the one after the highest that a row had",
	"to_tsvector":             "CREATE INDEX ... USING fulltext (a), then WHERE match(a, 'words') and ORDER BY bm25(a, 'words')",
	"to_tsquery":              "match(a, 'words') takes the words as they are",
	"plainto_tsquery":         "match(a, 'words') takes the words as they are",
	"current_time":            "there is no type TIME: write to_char(now(), 'HH24:MI:SS')",
	"localtime":               "there is no type TIME: write to_char(now(), 'HH24:MI:SS')",
	"make_time":               "there is no type TIME: write make_timestamp(...), or make_interval(0, 0, 0, 0, hours, minutes, seconds)",
	"jsonb_object":            "write jsonb_build_object('a', 1, 'b', 2)",
	"jsonb_to_recordset":      "write SELECT e->>'a' FROM jsonb_array_elements(x) AS e",
	"jsonb_extract_path_text": "write x #>> '{a,b}'",
	"jsonb_extract_path":      "write x #> '{a,b}'",
	"array_fill":              "write ARRAY(SELECT 0 FROM generate_series(1, n))",
	"int4range":               "write two columns, and x >= low AND x < high",
	"uuid_generate_v4":        "write gen_random_uuid()",
	"sysdate":                 "write now()",
	"getdate":                 "write now()",
	"isnull":                  "write coalesce(a, b)",
	"strftime":                "write to_char(t, 'YYYY-MM-DD')",
	"julianday":               "dates are subtracted: a - b is a number of days",
}
