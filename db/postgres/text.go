package postgres

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Renders reports whether the engine computes e as Lupa does.
func (k dialect) Renders(t []*foreign.Table, e *foreign.Expr) bool {
	_, ok := k.expr(t, e)
	return ok
}

// Orders reports whether values of e can be sorted as Lupa sorts them.
func (k dialect) Orders(t []*foreign.Table, e *foreign.Expr) bool {
	switch e.Type.Kind {
	case value.Boolean, value.Integer, value.Real, value.Numeric, value.Text, value.Timestamp, value.Date, value.Interval, value.Blob:
		return true
	}
	return false
}

// dialect is what an engine is asked in.
type dialect struct {
	// cockroach: CockroachDB compares texts by their bytes as they are, and has no halfvec and
	// no <+>.
	cockroach bool
	// literals, if not nil, are the values of parameters, for a statement that can't have any.
	literals *[]value.Value
}

// bytewise is a text as it is ordered here.
func (k dialect) bytewise(s string) string {
	if k.cockroach {
		return s
	}
	return s + ` COLLATE "C"`
}

// equals reports whether values of a kind are compared with =.
func equals(k value.Kind) bool {
	switch k {
	case value.Boolean, value.Integer, value.Real, value.Numeric, value.Text, value.Timestamp, value.Date, value.Interval, value.Blob:
		return true
	}
	return false
}

// name is a column's name, with that of its table where there are several.
func name(ts []*foreign.Table, e *foreign.Expr) string {
	s := quoted(ts[e.Table].Columns[e.Column].Name)
	if len(ts) > 1 {
		s = fmt.Sprintf("t%d.%s", e.Table+1, s)
	}
	return s
}

// column is a column as an expression of the type that it has here.
func (k dialect) column(ts []*foreign.Table, e *foreign.Expr) string {
	c, name := &ts[e.Table].Columns[e.Column], name(ts, e)
	switch {
	case c.Opaque, c.Type.Kind == value.JSON:
		return "(" + name + ")::text"
	case c.Foreign == "smallint" || c.Foreign == "integer":
		return name + "::int8"
	case c.Foreign == "real":
		return name + "::float8"
	case withZone(c.Foreign):
		return "(" + name + " AT TIME ZONE 'UTC')"
	case strings.HasPrefix(c.Foreign, "character varying"):
		return name + "::text"
	}
	return name
}

// typeName is the engine's type for a type of the language, as parameters have it.
func typeName(t value.Type) string {
	switch t.Kind {
	case value.Boolean:
		return "bool"
	case value.Integer:
		return "int8"
	case value.Real:
		return "float8"
	case value.Timestamp:
		return "timestamp"
	case value.Date:
		return "date"
	case value.Interval:
		return "interval"
	case value.Numeric:
		return "numeric"
	case value.Blob:
		return "bytea"
	case value.Vector:
		return "vector"
	}
	return "text"
}

// key is an operand of an equality, by which an index can be found: a column as it is, where
// that compares in the same way.
func (k dialect) key(t []*foreign.Table, e *foreign.Expr, s string) string {
	if e.Op == foreign.OpColumn {
		c := &t[e.Table].Columns[e.Column]
		if !c.Opaque && (c.Type.Kind == value.Integer || c.Type.Kind == value.Text || c.Foreign == "real") {
			return name(t, e)
		}
	}
	return s
}

// operands are what is compared: a timestamptz column with parameters as it is, so that an index
// can be found.
func (k dialect) operands(t []*foreign.Table, es []*foreign.Expr, args []string) []string {
	out := make([]string, len(es))
	zoned, others := 0, true
	for i, e := range es {
		out[i] = k.key(t, e, args[i])
		if e.Op == foreign.OpColumn && withZone(t[e.Table].Columns[e.Column].Foreign) {
			zoned++
		} else {
			others = others && e.Op == foreign.OpParam
		}
	}
	if zoned == 1 && others {
		for i, e := range es {
			if e.Op == foreign.OpParam {
				out[i] = "(" + out[i] + " AT TIME ZONE 'UTC')"
			} else {
				out[i] = name(t, e)
			}
		}
	}
	return out
}

// withZone reports whether a type is timestamptz.
func withZone(typ string) bool {
	return strings.HasPrefix(typ, "timestamp") && strings.HasSuffix(typ, "with time zone")
}

// expr is an expression as a statement has it; false where the engine's meaning is another.
func (k dialect) expr(t []*foreign.Table, e *foreign.Expr) (string, bool) {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		var ok bool
		if args[i], ok = k.expr(t, a); !ok {
			return "", false
		}
	}
	switch e.Op {
	case foreign.OpColumn:
		return k.column(t, e), true
	case foreign.OpParam:
		if e.Type.Kind == value.Null {
			return "NULL", false
		}
		if k.literals != nil {
			return literalOf((*k.literals)[e.Param], e.Type), true
		}
		return fmt.Sprintf("$%d::%s", e.Param+1, typeName(e.Type)), true
	case foreign.OpAnd:
		return "(" + args[0] + " AND " + args[1] + ")", true
	case foreign.OpOr:
		return "(" + args[0] + " OR " + args[1] + ")", true
	case foreign.OpCase:
		var b strings.Builder
		b.WriteString("CASE")
		for i := 0; i+1 < len(args); i += 2 {
			fmt.Fprintf(&b, " WHEN %s THEN %s", args[i], args[i+1])
		}
		fmt.Fprintf(&b, " ELSE %s END", args[len(args)-1])
		return b.String(), equals(e.Type.Kind)
	case foreign.OpCoalesce:
		for _, a := range e.Args {
			if a.Type.Kind != e.Type.Kind {
				return "", false
			}
		}
		return "coalesce(" + strings.Join(args, ", ") + ")", equals(e.Type.Kind)
	case foreign.OpIn:
		for _, a := range e.Args {
			if a.Type.Kind != e.Args[0].Type.Kind || !equals(a.Type.Kind) {
				return "", false
			}
		}
		op := " IN ("
		if e.Not {
			op = " NOT IN ("
		}
		args = k.operands(t, e.Args, args)
		return "(" + args[0] + op + strings.Join(args[1:], ", ") + "))", len(args) > 1
	case foreign.OpScore:
		return k.score(e, args)
	case foreign.OpCall:
		return k.call(t, e, args)
	case foreign.OpAgg:
		return k.aggregate(t, e, args)
	}
	return "", false
}

// score is a distance or similarity. Where Lupa gives NULL, for zero vectors, pgvector gives NaN.
// The function around the operator keeps an approximate index from answering in its place.
func (k dialect) score(e *foreign.Expr, args []string) (string, bool) {
	for _, a := range e.Args {
		if a.Type.Kind != value.Vector {
			return "", false
		}
	}
	if e.Args[0].Type.Half || e.Args[1].Type.Half { // compared as float32, as here
		for i := range args {
			args[i] += "::vector"
		}
	}
	var s string
	switch e.Metric {
	case vector.Cosine:
		if s = fmt.Sprintf("(%s <=> %s)", args[0], args[1]); !e.FromOne {
			s = "1 - " + s
		}
		if e.Negate {
			return "", false
		}
	case vector.InnerProduct:
		if s = fmt.Sprintf("(%s <#> %s)", args[0], args[1]); !e.Negate {
			s = "-" + s
		}
		if e.FromOne {
			return "", false
		}
	case vector.L2, vector.L1:
		op := "<->"
		if e.Metric == vector.L1 {
			if op = "<+>"; k.cockroach {
				return "", false
			}
		}
		if s = fmt.Sprintf("(%s %s %s)", args[0], op, args[1]); e.Negate || e.FromOne {
			return "", false
		}
	default:
		return "", false
	}
	return "nullif(" + s + ", 'NaN'::float8)", true
}

// nearest is the order of an approximate search, as an index of pgvector knows it.
func (k dialect) nearest(t []*foreign.Table, e *foreign.Expr) (string, bool) {
	a, ok1 := k.expr(t, e.Args[0])
	b, ok2 := k.expr(t, e.Args[1])
	if !ok1 || !ok2 {
		return "", false
	}
	if e.Args[0].Op == foreign.OpColumn && e.Args[0].Type.Half {
		b = strings.TrimSuffix(b, "vector") + "halfvec"
	}
	op, ok := map[vector.Metric]string{vector.Cosine: "<=>", vector.InnerProduct: "<#>", vector.L2: "<->", vector.L1: "<+>"}[e.Metric]
	return a + " " + op + " " + b, ok
}

// call is a function or operator.
func (k dialect) call(t []*foreign.Table, e *foreign.Expr, args []string) (string, bool) {
	kinds := func(ok func(value.Kind) bool) bool {
		for _, a := range e.Args {
			if !ok(a.Type.Kind) || a.Type.Kind != e.Args[0].Type.Kind {
				return false
			}
		}
		return true
	}
	switch e.Func {
	case "=", "<>":
		args = k.operands(t, e.Args, args)
		return "(" + args[0] + " " + e.Func + " " + args[1] + ")", kinds(equals)
	case "<", "<=", ">", ">=":
		if kinds(func(k value.Kind) bool { return k == value.Text }) {
			return fmt.Sprintf("(%s %s %s)", k.bytewise(args[0]), e.Func, k.bytewise(args[1])), true
		}
		args = k.operands(t, e.Args, args)
		return "(" + args[0] + " " + e.Func + " " + args[1] + ")", kinds(equals)
	case "is null", "is not null":
		return "(" + args[0] + " " + strings.ToUpper(e.Func) + ")", true
	case "is distinct from", "is not distinct from":
		return "(" + args[0] + " " + strings.ToUpper(e.Func) + " " + args[1] + ")", kinds(equals)
	case "not":
		return "(NOT " + args[0] + ")", true
	case "like", "not like":
		if len(args) == 2 && kinds(func(k value.Kind) bool { return k == value.Text }) {
			return "(" + args[0] + " " + strings.ToUpper(e.Func) + " " + args[1] + ")", true
		}
	}
	return "", false
}

// aggregate is an aggregate whose value does not depend on the order of rows.
func (k dialect) aggregate(t []*foreign.Table, e *foreign.Expr, args []string) (string, bool) {
	var s string
	switch e.Func {
	case "count":
		s = "*"
		if len(args) == 1 {
			s = args[0]
			if e.Distinct {
				if !equals(e.Args[0].Type.Kind) {
					return "", false
				}
				s = "DISTINCT " + s
			}
		}
		s = "count(" + s + ")"
	case "min", "max":
		switch e.Args[0].Type.Kind {
		case value.Integer, value.Real, value.Numeric, value.Timestamp, value.Date:
		case value.Text:
			args[0] = k.bytewise(args[0])
		default:
			return "", false
		}
		s = e.Func + "(" + args[0] + ")"
	case "sum":
		if e.Args[0].Type.Kind != value.Integer || e.Type.Kind != value.Integer || e.Distinct {
			return "", false
		}
		s = "sum(" + args[0] + ")"
	default:
		return "", false
	}
	if e.Filter != nil {
		f, ok := k.expr(t, e.Filter)
		if !ok {
			return "", false
		}
		s += " FILTER (WHERE " + f + ")"
	}
	if e.Func == "sum" {
		s += "::int8"
	}
	return s, true
}

// Text is the statement of a query.
func (k dialect) Text(q *foreign.Query) string { return q.Text(k.render) }

func (k dialect) render(q *foreign.Query) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	list(&b, q.Out, ", ", func(e *foreign.Expr) string { s, _ := k.expr(q.Tables, e); return s })
	b.WriteString(" FROM ")
	for i, t := range q.Tables {
		outer := i > 0 && i <= len(q.Joins) && q.Joins[i-1].Outer
		switch {
		case outer:
			b.WriteString(" LEFT JOIN ")
		case i > 0:
			b.WriteString(" CROSS JOIN ")
		}
		b.WriteString(tableName(t))
		if len(q.Tables) > 1 {
			fmt.Fprintf(&b, " t%d", i+1)
		}
		if outer {
			b.WriteString(" ON ")
			list(&b, q.Joins[i-1].On, " AND ", func(e *foreign.Expr) string { s, _ := k.expr(q.Tables, e); return s })
		}
	}
	b.WriteString(k.where(q.Tables, q.Where))
	if len(q.Group) > 0 {
		b.WriteString(" GROUP BY ")
		list(&b, q.Group, ", ", func(e *foreign.Expr) string { s, _ := k.expr(q.Tables, e); return s })
	}
	if len(q.Order) > 0 {
		b.WriteString(" ORDER BY ")
		keys := q.Order
		if k.approximate(q) {
			keys = keys[:1] // an index gives one order
		}
		list(&b, keys, ", ", func(o foreign.Order) string {
			if k.approximate(q) {
				s, _ := k.nearest(q.Tables, o.Expr)
				return s
			}
			s, _ := k.expr(q.Tables, o.Expr)
			if o.Expr.Type.Kind == value.Text {
				s = k.bytewise(s)
			}
			if o.Desc {
				s += " DESC"
			}
			if o.NullsFirst != o.Desc {
				s += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[o.NullsFirst]
			}
			return s
		})
	}
	if q.Limit >= 0 {
		fmt.Fprintf(&b, " LIMIT %d", q.Limit)
	}
	if q.Offset > 0 {
		fmt.Fprintf(&b, " OFFSET %d", q.Offset)
	}
	return b.String()
}

// approximate reports whether an approximate index may answer q: it asks for the nearest rows
// in the index's own order.
func (k dialect) approximate(q *foreign.Query) bool {
	if q.Recall <= 0 || !q.Search || q.Limit < 0 || len(q.Order) == 0 {
		return false
	}
	o := q.Order[0]
	e := o.Expr
	if e.Op != foreign.OpScore || e.Args[0].Op != foreign.OpColumn || e.Args[1].Op != foreign.OpParam || o.NullsFirst {
		return false
	}
	better := (e.Metric == vector.Cosine || e.Metric == vector.InnerProduct) && !e.Negate && !e.FromOne
	_, ok := k.nearest(q.Tables, e)
	return ok && o.Desc == better
}

func (k dialect) where(t []*foreign.Table, conds []*foreign.Expr) string {
	if len(conds) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(" WHERE ")
	list(&b, conds, " AND ", func(e *foreign.Expr) string { s, _ := k.expr(t, e); return s })
	return b.String()
}

func list[T any](b *strings.Builder, items []T, between string, text func(T) string) {
	for i, x := range items {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(text(x))
	}
}
