package plan

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// column is one column of a relation in a query. Its address is its identity:
// two scans of one table have different columns.
type column struct {
	table  string // name the column can be qualified with, or ""
	name   string
	typ    value.Type
	enc    *encoding // how texts become vectors comparable with it, or nil
	rank   rank      // what its values are for ORDER BY
	ord    int       // position in the table, for columns of a scan
	hidden bool      // not part of *
	merged bool      // by USING with the column of another table: found by its table's name only
	source string    // name of the table, for columns of a scan
}

// rank tells how values of an expression are ordered when no direction is given.
type rank uint8

const (
	plain rank = iota // ascending, as in SQL
	score             // best, that is highest, first
	mixed             // made from scores in some other way: the direction has to be said
)

// encoding ties a vector column to its encoder.
type encoding struct {
	name  string
	model encoder.Model // what the column was filled with
	table string
	col   string
	dim   int
}

// op is the kind of an expression.
type op uint8

const (
	opColumn   op = iota
	opConst       // val
	opSlot        // slot: one value in each run
	opCall        // call, over args
	opAnd         // args[0] AND args[1]
	opOr          // args[0] OR args[1]
	opCase        // args: condition, result, condition, result, ..., else
	opCoalesce    // args
	opCast        // args[0] as typ
	opIn          // args[0] IN set
	opScore       // measure between args[0] and args[1]
	opText        // the text args[0], encoded
	opImage       // the picture at path args[0], or with the bytes args[0], encoded
	opSum         // sum of weights[i] * args[i], then of unit length if unit
	opSubquery    // the value of a query
	opInQuery     // args[0] IN query
	opExists      // whether a query gives rows
	opAgg         // an aggregate, before it is given a column
)

// expr is a bound expression: names are columns, types are known. Nodes are
// not changed once they are made.
type expr struct {
	op      op
	typ     value.Type
	pos     parse.Pos
	args    []*expr
	col     *column     // opColumn
	val     value.Value // opConst
	call    *fn.Call    // opCall
	measure fn.Measure  // opScore
	enc     *encoding   // opText, opImage, and vectors known to come from an encoder
	weights []float32   // opSum
	unit    bool        // opSum
	vectors bool        // opText: a text that is a vector's text form is that vector

	document bool       // opText: the text is stored, not searched for
	set      *fn.Set    // opIn
	not      bool       // opIn, opInQuery
	slot     *slot      // opSlot; opIn: the set of a list that is not constant, or of a query
	query    *subquery  // opSubquery, opInQuery, opExists
	agg      *aggregate // opAgg
	// computed: opSlot, the value of a column: a text of it is no literal
	computed bool
	text     string // as in the source, for EXPLAIN and names of columns
}

// aggregate is a call of an aggregate function.
type aggregate struct {
	call     *fn.AggregateCall
	arg      *expr   // nil for count(*)
	more     []*expr // further arguments, then what the rows are ordered by
	distinct bool
	filter   *expr // FILTER (WHERE ...), or nil
}

// parts returns the expressions of an aggregate.
func (a *aggregate) parts() []*expr {
	var out []*expr
	if a.arg != nil {
		out = append(out, a.arg)
	}
	out = append(out, a.more...)
	if a.filter != nil {
		out = append(out, a.filter)
	}
	return out
}

// mapped returns a with f of each of its parts.
func (a *aggregate) mapped(f func(*expr) *expr) *aggregate {
	c := *a
	if a.arg != nil {
		c.arg = f(a.arg)
	}
	c.more = make([]*expr, len(a.more))
	for i, x := range a.more {
		c.more[i] = f(x)
	}
	if a.filter != nil {
		c.filter = f(a.filter)
	}
	return &c
}

func isConst(e *expr) bool { return e.op == opConst }

// constant returns a constant expression.
func constant(v value.Value, pos parse.Pos, text string) *expr {
	return &expr{op: opConst, typ: v.Type(), val: v, pos: pos, text: text}
}

func columnExpr(c *column, pos parse.Pos) *expr {
	return &expr{op: opColumn, typ: c.typ, col: c, pos: pos, enc: c.enc, text: c.name}
}

// children calls f for every part of e, those of an aggregate included.
func (e *expr) children(f func(*expr)) {
	for _, a := range e.args {
		f(a)
	}
	if e.agg != nil {
		for _, x := range e.agg.parts() {
			f(x)
		}
	}
}

// walk calls f for e and, where f returns true, for its parts.
func (e *expr) walk(f func(*expr) bool) {
	if f(e) {
		e.children(func(c *expr) { c.walk(f) })
	}
}

// rewrite returns e with every part replaced by what f gives for it, from the
// top: where f returns nil, the parts below are tried. e itself is not changed.
func (e *expr) rewrite(f func(*expr) *expr) *expr {
	if r := f(e); r != nil {
		return r
	}
	if len(e.args) == 0 && e.agg == nil {
		return e
	}
	c := *e
	changed := false
	if len(e.args) > 0 {
		c.args = make([]*expr, len(e.args))
		for i, a := range e.args {
			c.args[i] = a.rewrite(f)
			changed = changed || c.args[i] != a
		}
	}
	if e.agg != nil {
		c.agg = e.agg.mapped(func(x *expr) *expr {
			y := x.rewrite(f)
			changed = changed || y != x
			return y
		})
	}
	if !changed {
		return e
	}
	return &c
}

// columns adds the columns of e to set.
func (e *expr) columns(set map[*column]bool) {
	e.walk(func(x *expr) bool {
		if x.op == opColumn {
			set[x.col] = true
		}
		return true
	})
}

// columnsOf returns the columns that expressions use.
func columnsOf(es ...*expr) map[*column]bool {
	set := map[*column]bool{}
	for _, e := range es {
		e.columns(set)
	}
	return set
}

// uses reports whether e has a part of the kind.
func (e *expr) uses(kind op) bool {
	found := false
	e.walk(func(x *expr) bool {
		found = found || x.op == kind
		return !found
	})
	return found
}

// key is equal for expressions that have equal values in every row.
func (e *expr) key() string {
	var b strings.Builder
	e.writeKey(&b)
	return b.String()
}

func (e *expr) writeKey(b *strings.Builder) {
	fmt.Fprintf(b, "%d", e.op)
	switch e.op {
	case opColumn:
		fmt.Fprintf(b, ":%p", e.col)
		return
	case opConst:
		if e.val.Kind() == value.Vector {
			fmt.Fprintf(b, ":v%p,%d", &e.val.Vec()[0], len(e.val.Vec()))
		} else {
			fmt.Fprintf(b, ":%d:%d:%q", e.typ.Kind, e.val.Kind(), e.val.String())
		}
		return
	case opSlot:
		fmt.Fprintf(b, ":s%d", e.slot.n)
		return
	case opCall:
		fmt.Fprintf(b, ":%s", e.call.Func.Name)
	case opCast:
		fmt.Fprintf(b, ":%v", e.typ)
	case opScore:
		fmt.Fprintf(b, ":%v", e.measure)
	case opText, opImage:
		fmt.Fprintf(b, ":%q", e.enc.name)
	case opSum:
		fmt.Fprintf(b, ":%v,%v", e.weights, e.unit)
	case opSubquery, opInQuery, opExists:
		fmt.Fprintf(b, ":%p,%v", e.query, e.not)
	case opIn: // the set is that of the arguments, or of a subquery
		fmt.Fprintf(b, ":%v", e.not)
		if e.slot != nil {
			fmt.Fprintf(b, ":s%d", e.slot.n)
		}
	case opAgg:
		fmt.Fprintf(b, ":%s,%v,%v", e.agg.call.Func.Name, e.agg.distinct, e.agg.call.Orders)
		if e.agg.arg != nil {
			b.WriteByte('(')
			e.agg.arg.writeKey(b)
			b.WriteByte(')')
		}
		for _, x := range e.agg.more {
			b.WriteByte(';')
			x.writeKey(b)
		}
		if e.agg.filter != nil {
			b.WriteByte('|')
			e.agg.filter.writeKey(b)
		}
	}
	b.WriteByte('(')
	for i, a := range e.args {
		if i > 0 {
			b.WriteByte(',')
		}
		a.writeKey(b)
	}
	b.WriteByte(')')
}

// String is the expression as it was written, as far as that is known.
func (e *expr) String() string { return e.text }

// conjuncts splits e at its ANDs.
func conjuncts(e *expr, out []*expr) []*expr {
	if e == nil {
		return out
	}
	if e.op == opAnd {
		return conjuncts(e.args[1], conjuncts(e.args[0], out))
	}
	return append(out, e)
}

// texts joins the texts of expressions.
func texts(es []*expr, sep string) string {
	all := make([]string, len(es))
	for i, e := range es {
		all[i] = e.text
	}
	return strings.Join(all, sep)
}
