package plan

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

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

func isConst(e *expr) bool { return e.op == opConst }

// constant returns a constant expression.
func constant(v value.Value, pos parse.Pos, text string) *expr {
	return &expr{op: opConst, typ: v.Type(), val: v, pos: pos, text: text}
}

func columnExpr(c *column, pos parse.Pos) *expr {
	return &expr{op: opColumn, typ: c.typ, col: c, pos: pos, enc: c.enc, text: c.name}
}

// argType is what fn wants to know of an argument.
func argType(e *expr) fn.ArgType {
	return fn.ArgType{Type: e.typ, Literal: e.typ.Kind == value.Text && e.literal()}
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

// callRows calls a function or operator of package fn for every row.
func callRows(name string, pos parse.Pos, args ...*expr) (*expr, error) {
	types := make([]fn.ArgType, len(args))
	for i, a := range args {
		types[i] = argType(a)
	}
	c, err := fn.Resolve(name, types)
	if err != nil {
		return nil, errorAt(pos, err)
	}
	return &expr{op: opCall, typ: c.Result, pos: pos, call: c, args: slices.Clone(args)}, nil
}

// keeps reports whether e is of type t already, as far as mode asks for it.
func keeps(e *expr, t value.Type, mode fn.CastMode) bool {
	return e.typ == t || e.typ.Fits(t) && (mode != fn.Explicit || e.typ.Half == t.Half)
}

// castRows converts an expression that differs from row to row.
func castRows(e *expr, t value.Type, mode fn.CastMode) (*expr, error) {
	if keeps(e, t, mode) {
		return e, nil
	}
	if e.typ.Kind != value.Null && !(e.typ.Kind == value.Vector && t.Kind == value.Vector) {
		if _, err := fn.Cast(e.typ, t, mode); err != nil {
			return nil, errorAt(e.pos, err)
		}
	}
	return &expr{op: opCast, typ: t, pos: e.pos, args: []*expr{e}, text: e.text}, nil
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

var (
	realType = value.Type{Kind: value.Real}
	boolType = value.Type{Kind: value.Boolean}
	intType  = value.Type{Kind: value.Integer}
	textType = value.Type{Kind: value.Text}
)

// varies reports whether e differs from row to row.
func (e *expr) varies() bool {
	v := false
	e.walk(func(x *expr) bool {
		v = v || x.op == opColumn || x.op == opAgg || x.op == opCall && x.call.Func.Stable && len(x.args) == 0
		return !v && (x.correlated() || x.op != opSubquery && x.op != opExists)
	})
	return v
}

// unstable reports whether e may have another value when computed again.
func (e *expr) unstable() bool {
	found := false
	e.walk(func(x *expr) bool {
		found = found || x.op == opCall && x.call.Func.Stable && x.call.Func.Name != "now"
		return !found
	})
	return found
}

// substitute replaces columns by expressions.
func substitute(e *expr, m map[*column]*expr) *expr {
	if len(m) == 0 || e == nil {
		return e
	}
	return e.rewrite(func(x *expr) *expr {
		if x.op == opColumn {
			if r := m[x.col]; r != nil {
				c := *r
				c.text = x.text
				return &c
			}
			return x
		}
		return nil
	})
}

func substituteAll(es []*expr, m map[*column]*expr) []*expr {
	if es == nil {
		return nil
	}
	out := make([]*expr, len(es))
	for i, e := range es {
		out[i] = substitute(e, m)
	}
	return out
}
