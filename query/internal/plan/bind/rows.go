package bind

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// row is what (a, b), ROW(a, b), t.* and the name of a table stand for.
type row struct {
	values []parse.Expr
	names  []string
	// absent is the condition that an outer join found no row of the table; nil: there is one.
	absent parse.Expr
	// table says that it is the row of a table, written by its name, in which a NULL equals a NULL.
	table bool
}

// rowOf returns the row that an expression stands for; nil if it is a value.
func (b *Binder) rowOf(s *Scope, e parse.Expr) (*row, error) {
	switch e := e.(type) {
	case *parse.Row:
		r := &row{}
		for i, x := range e.List {
			all, ok := x.(*parse.AllOf)
			if !ok {
				r.values, r.names = append(r.values, x), append(r.names, fmt.Sprintf("f%d", i+1))
				continue
			}
			t, err := b.rowOf(s, all)
			if err != nil {
				return nil, err
			}
			for _, v := range t.values {
				r.values, r.names = append(r.values, v), append(r.names, fmt.Sprintf("f%d", len(r.values)+1))
			}
		}
		return r, nil
	case *parse.AllOf:
		if r := s.tableRow(e.Table); r != nil {
			return r, nil
		}
		return nil, s.missing(&parse.ColumnRef{Pos: e.Pos, Table: e.Table, Name: parse.Ident{Pos: e.Pos, Name: "*"}})
	case *parse.ColumnRef:
		if e.Table.Name != "" || !s.hasTable(e.Name) || s.alias(e.Name) != nil {
			return nil, nil
		}
		for o := s; o != nil; o = o.outer {
			if len(o.find(e.Table, e.Name)) > 0 {
				return nil, nil
			}
		}
		r := s.tableRow(e.Name)
		r.table = true
		return r, nil
	}
	return nil, nil
}

// hasTable reports whether a table of the query, or of one around it, is called so.
func (s *Scope) hasTable(name parse.Ident) bool {
	for o := s; o != nil; o = o.outer {
		last := ""
		for _, c := range o.columns {
			if c.Table != last && name.Means(c.Table) {
				return true
			}
			last = c.Table
		}
	}
	return false
}

// tableRow is the row of a table of a query, or of a query around it; nil if none is called so.
func (s *Scope) tableRow(name parse.Ident) *row {
	for o := s; o != nil; o = o.outer {
		r := &row{}
		var null []parse.Expr
		for _, c := range o.columns {
			if c.Table == "" || c.Hidden || !name.Means(c.Table) {
				continue
			}
			ref := &parse.ColumnRef{Pos: name.Pos, Table: parse.Ident{Pos: name.Pos, Name: c.Table, Quoted: true}, Name: parse.Ident{Pos: name.Pos, Name: c.Name, Quoted: true}}
			r.values, r.names = append(r.values, ref), append(r.names, c.Name)
			if !c.Absent {
				continue
			}
			if is := parse.Expr(&parse.IsNull{Pos: name.Pos, X: ref}); c.NotNull() {
				r.absent = is
			} else {
				null = append(null, is)
			}
		}
		if r.absent == nil && null != nil {
			r.absent = parse.All(parse.OpAnd, name.Pos, null)
		}
		if r.values != nil {
			return r
		}
	}
	return nil
}

// isRow reports whether e is written as a row, or may be the name of a table.
func isRow(e parse.Expr) bool {
	switch e := e.(type) {
	case *parse.Row, *parse.AllOf:
		return true
	case *parse.ColumnRef:
		return e.Table.Name == ""
	}
	return false
}

// withoutRows returns what a condition on rows stands for, a condition on their values; nil if e has no rows.
func (b *Binder) withoutRows(s *Scope, e parse.Expr) (parse.Expr, error) {
	switch e := e.(type) {
	case *parse.Binary:
		switch e.Op {
		case parse.OpEq, parse.OpNe, parse.OpLt, parse.OpLe, parse.OpGt, parse.OpGe, parse.OpDistinct, parse.OpNotDistinct:
			return b.comparedRows(s, e.Op, e.X, e.Y, e.Pos)
		}
	case *parse.Between:
		low, err := b.comparedRows(s, parse.OpGe, e.X, e.Low, e.Pos)
		if low == nil || err != nil {
			return nil, err
		}
		high, err := b.comparedRows(s, parse.OpLe, e.X, e.High, e.Pos)
		if err != nil {
			return nil, err
		}
		return negated(&parse.Binary{Pos: e.Pos, Op: parse.OpAnd, X: low, Y: high}, e.Not, e.Pos), nil
	case *parse.IsNull:
		if !isRow(e.X) {
			return nil, nil
		}
		r, err := b.rowOf(s, e.X)
		if r == nil || err != nil {
			return nil, err
		}
		if len(r.values) == 0 {
			return &parse.Literal{Pos: e.Pos, Value: value.Bool(true)}, nil // there is none that is not, and none that is
		}
		var all []parse.Expr
		for _, x := range r.values {
			all = append(all, &parse.IsNull{Pos: e.Pos, X: x, Not: e.Not})
		}
		return parse.All(parse.OpAnd, e.Pos, all), nil
	case *parse.InList:
		if !isRow(e.X) {
			return nil, nil
		}
		var any []parse.Expr
		for _, y := range e.List {
			c, err := b.comparedRows(s, parse.OpEq, e.X, y, e.Pos)
			if c == nil || err != nil {
				return nil, err
			}
			any = append(any, c)
		}
		return negated(parse.All(parse.OpOr, e.Pos, any), e.Not, e.Pos), nil
	case *parse.InQuery:
		r, err := b.rowInQuery(s, e)
		if r == nil || err != nil {
			return nil, err
		}
		if len(r.values) == 1 {
			return &parse.InQuery{Pos: e.Pos, X: r.values[0], Not: e.Not, Query: e.Query}, nil
		}
		// It is unknown where no row is the same and one may be.
		known := func(v value.Value) parse.Expr { return &parse.Literal{Pos: e.Pos, Value: v} }
		return &parse.Case{Pos: e.Pos, Else: known(value.Bool(e.Not)), Whens: []parse.When{
			{Pos: e.Pos, Cond: sameRow(r, e), Then: known(value.Bool(!e.Not))},
			{Pos: e.Pos, Cond: perhapsSame(r, e), Then: known(value.Value{})},
		}}, nil
	}
	return nil, nil
}

// rowInQuery returns the row that is looked for in a query; nil if it is a value.
func (b *Binder) rowInQuery(s *Scope, e *parse.InQuery) (*row, error) {
	if !isRow(e.X) {
		return nil, nil
	}
	r, err := b.rowOf(s, e.X)
	if r == nil || err != nil {
		return nil, err
	}
	if r.table {
		return nil, parse.Errorf(e.Pos, "%s is a row of a table, which IN compares with no query", e.X).WithHint("write its columns: (a, b) IN (SELECT ...)")
	}
	if len(r.values) == 0 {
		return nil, parse.Errorf(e.Pos, "rows without values can't be compared")
	}
	return r, nil
}

// trueOnly is a condition that is true where e is; where e is unknown, it may be false. There a row in a
// query is no more than that the query has it.
func (b *Binder) trueOnly(s *Scope, e parse.Expr) (parse.Expr, error) {
	switch e := e.(type) {
	case *parse.Binary:
		if e.Op != parse.OpAnd && e.Op != parse.OpOr {
			return e, nil
		}
		x, err := b.trueOnly(s, e.X)
		if err != nil {
			return nil, err
		}
		y, err := b.trueOnly(s, e.Y)
		if err != nil {
			return nil, err
		}
		if x == e.X && y == e.Y {
			return e, nil
		}
		return &parse.Binary{Pos: e.Pos, Op: e.Op, X: x, Y: y}, nil
	case *parse.InQuery:
		r, err := b.rowInQuery(s, e)
		if err != nil {
			return nil, err
		}
		if r == nil || len(r.values) == 1 {
			return e, nil
		}
		if e.Not {
			return &parse.Binary{Pos: e.Pos, Op: parse.OpAnd, X: negated(sameRow(r, e), true, e.Pos), Y: negated(perhapsSame(r, e), true, e.Pos)}, nil
		}
		return sameRow(r, e), nil
	}
	return e, nil
}

// sameRow is that a query has a row: found by hash.
func sameRow(r *row, e *parse.InQuery) parse.Expr {
	return parse.RowsLike(r.values, e.Query, e.Pos, func(same parse.Expr, _ []parse.Expr) parse.Expr { return same })
}

// perhapsSame is that a query has a row of which it is unknown whether it is the one that is looked for.
// That compares each with each, and is done where there is a NULL only.
func perhapsSame(r *row, e *parse.InQuery) parse.Expr {
	nulls := func(values []parse.Expr) parse.Expr {
		all := make([]parse.Expr, len(values))
		for i, x := range values {
			all[i] = &parse.IsNull{Pos: e.Pos, X: x}
		}
		return parse.All(parse.OpOr, e.Pos, all)
	}
	unknown := parse.RowsLike(r.values, e.Query, e.Pos, func(same parse.Expr, _ []parse.Expr) parse.Expr { return &parse.IsNull{Pos: e.Pos, X: same} })
	there := parse.RowsLike(r.values, e.Query, e.Pos, func(_ parse.Expr, other []parse.Expr) parse.Expr { return nulls(other) })
	return &parse.Case{Pos: e.Pos, Whens: []parse.When{
		{Pos: e.Pos, Cond: nulls(r.values), Then: unknown},
		{Pos: e.Pos, Cond: there, Then: unknown},
	}, Else: &parse.Literal{Pos: e.Pos, Value: value.Bool(false)}}
}

func negated(e parse.Expr, not bool, at parse.Pos) parse.Expr {
	if !not {
		return e
	}
	return &parse.Unary{Pos: at, Op: parse.OpNot, X: e}
}

// comparedRows is x op y, if one of them is a row; else nil.
func (b *Binder) comparedRows(s *Scope, op parse.Op, x, y parse.Expr, at parse.Pos) (parse.Expr, error) {
	if !isRow(x) && !isRow(y) {
		return nil, nil
	}
	l, err := b.rowOf(s, x)
	if err != nil {
		return nil, err
	}
	r, err := b.rowOf(s, y)
	if err != nil || l == nil && r == nil {
		return nil, err
	}
	if l == nil || r == nil {
		one, other := x, y
		if l == nil {
			one, other = y, x
		}
		return nil, parse.Errorf(other.Position(), "%s is not a row, and %s is", other, one).WithHint("rows are compared with rows: (a, b) = (1, 2), (a, b) IN ((1, 2), (3, 4))")
	}
	if len(l.values) != len(r.values) {
		return nil, parse.Errorf(y.Position(), "a row of %s beside one of %d", logical.Counted(len(r.values), "value"), len(l.values))
	}
	if len(l.values) == 0 {
		return nil, parse.Errorf(at, "rows without values can't be compared")
	}
	if l.table || r.table {
		switch op {
		case parse.OpEq:
			op = parse.OpNotDistinct
		case parse.OpNe:
			op = parse.OpDistinct
		case parse.OpLt, parse.OpLe, parse.OpGt, parse.OpGe:
			return nil, parse.Errorf(at, "rows of tables have no order").WithHint("compare the columns that matter: (a, b) %s (c, d)", op)
		}
	}
	return parse.CompareRows(l.values, r.values, op, at), nil
}

// rowArgs are the functions that take a row for the JSON that stands for it.
var rowArgs = map[string]bool{
	"row_to_json": true, "to_json": true, "to_jsonb": true, "json_agg": true, "jsonb_agg": true, "array_agg": true, "array_to_json": true,
	"json_build_object": true, "jsonb_build_object": true, "json_build_array": true, "jsonb_build_array": true,
	"json_object_agg": true, "jsonb_object_agg": true,
}

// rowsToJSON returns the arguments of a function with JSON in the place of rows; for count,
// with something that is not NULL.
func (b *Binder) rowsToJSON(s *Scope, name string, args []parse.Expr) ([]parse.Expr, error) {
	if !rowArgs[name] && name != "count" {
		return args, nil
	}
	var out []parse.Expr
	for i, a := range args {
		if !isRow(a) {
			continue
		}
		r, err := b.rowOf(s, a)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		at := a.Position()
		json := parse.Expr(&parse.Literal{Pos: at, Value: value.Int(1)})
		if name != "count" {
			c := &parse.Call{Pos: at, Func: parse.Ident{Pos: at, Name: "json_build_object"}}
			if strings.Contains(name, "jsonb") {
				c.Func.Name = "jsonb_build_object"
			}
			for k, v := range r.values {
				c.Args = append(c.Args, &parse.Literal{Pos: at, Value: value.Str(r.names[k])}, v)
			}
			json = c
		}
		if r.absent != nil {
			json = &parse.Case{Pos: at, Whens: []parse.When{{Pos: at, Cond: r.absent, Then: &parse.Literal{Pos: at}}}, Else: json}
		}
		if out == nil {
			out = append(out, args...)
		}
		out[i] = json
	}
	if out == nil {
		return args, nil
	}
	return out, nil
}

// rowToJSON binds row_to_json(t).
func (b *Binder) rowToJSON(s *Scope, e *parse.Call) (*logical.Expr, error) {
	if len(e.Args) == 2 {
		return nil, parse.Errorf(e.Args[1].Position(), "row_to_json takes one row").WithHint("jsonb_pretty(to_jsonb(t)) has it in lines")
	}
	if len(e.Args) != 1 {
		return nil, parse.Errorf(e.Pos, "row_to_json takes a row, row_to_json(t)")
	}
	args, err := b.rowsToJSON(s, "row_to_json", e.Args)
	if err != nil {
		return nil, err
	}
	if args[0] == e.Args[0] {
		return nil, parse.Errorf(e.Args[0].Position(), "%s is not a row", e.Args[0]).WithHint("row_to_json(t) takes a table of FROM, or ROW(a, b); to_json takes a value")
	}
	return b.Expr(s, args[0])
}

// notAValue is the error of a row in the place of a value.
func notAValue(e parse.Expr) error {
	return parse.Errorf(e.Position(), "a row is not a value: %s", e).
		WithHint("rows can be compared: (a, b) = (1, 2), (a, b) < (1, 2), (a, b) IN ((1, 2), (3, 4)); row_to_json and to_jsonb make JSON of one")
}
