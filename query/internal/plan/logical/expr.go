package logical

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Op is the kind of an expression.
type Op uint8

const (
	OpColumn   Op = iota
	OpConst       // Value
	OpSlot        // Slot: one value in each run
	OpCall        // Call, over Args
	OpAnd         // Args[0] AND Args[1]
	OpOr          // Args[0] OR Args[1]
	OpCase        // Args: condition, result, condition, result, ..., else
	OpCoalesce    // Args
	OpCast        // Args[0] as Type
	OpIn          // Args[0] IN Set
	OpScore       // Measure between Args[0] and Args[1]
	OpText        // the text Args[0], encoded
	OpImage       // the picture at path Args[0], or with the bytes Args[0], encoded
	OpCurve       // what turns similarities of a column, Stored, with Args[0] into their relevance
	OpSum         // sum of Weights[i] * Args[i], then of unit length if Unit
	OpSubquery    // the value of a query
	OpInQuery     // Args[0] IN Query
	OpExists      // whether a query gives rows
	OpAgg         // an aggregate, before it is given a column
	OpWindow      // a window function, before it is given a column
	OpWords       // Words: columns of a full-text index, a query, and what it takes beside
	OpOver        // Over: a function over all rows of the query, before it is given a column
	OpGrouping    // grouping(Args), before it is given a column
)

// Expr is a bound expression: names are columns, types are known. Nodes are
// not changed once they are made.
type Expr struct {
	Op        Op
	Type      value.Type
	Pos       parse.Pos
	Args      []*Expr
	Column    *Column     // OpColumn
	Value     value.Value // OpConst
	Exact     value.Value // OpConst of type REAL: the NUMERIC that was written, or computed of such
	Call      *fn.Call    // OpCall
	Measure   fn.Measure  // OpScore
	Encoding  *Encoding   // OpText, OpImage, and vectors known to come from an encoder
	Array     *value.Type // JSON that is an array, the first element of which is [1]: the type of its elements, NULL if it is not known; nil for other values
	Stored    *Stored     // OpCurve
	Weights   []float32   // OpSum
	Unit      bool        // OpSum
	Mean      bool        // OpSum: the others of Args with a weight of the same sign stand in for one that is NULL
	Vectors   bool        // OpText: a text that is a vector's text form is that vector
	Document  bool        // OpText: the text is stored, not searched for
	Set       *fn.Set     // OpIn
	Not       bool        // OpIn, OpInQuery
	Slot      *Slot       // OpSlot; OpIn: the set of a list that is not constant, or of a query
	Query     *Subquery   // OpSubquery, OpInQuery, OpExists
	Aggregate *Aggregate  // OpAgg
	Window    *WindowCall // OpWindow
	Words     *Words      // OpWords
	Over      *Over       // OpOver
	// Computed: OpSlot, the value of a column: a text of it is no literal
	Computed bool
	Text     string // as in the source, for EXPLAIN and names of columns
}

// IsConst reports whether e is a constant.
func IsConst(e *Expr) bool { return e.Op == OpConst }

// Constant returns a constant expression.
func Constant(v value.Value, pos parse.Pos, text string) *Expr {
	return &Expr{Op: OpConst, Type: v.Type(), Value: v, Pos: pos, Text: text}
}

// ColumnExpr returns the expression that is a column.
func ColumnExpr(c *Column, pos parse.Pos) *Expr {
	return &Expr{Op: OpColumn, Type: c.Type, Column: c, Pos: pos, Encoding: c.Encoding, Array: c.Array, Text: c.Name}
}

// ArgType is what fn wants to know of an argument.
func ArgType(e *Expr) fn.ArgType {
	return fn.ArgType{Type: e.Type, Literal: e.Type.Kind == value.Text && e.Literal(), Decimal: e.Type.Kind == value.Real && e.decimal()}
}

// Literal reports whether e is written in the statement, or an argument: a text then
// takes the type it is used as.
func (e *Expr) Literal() bool {
	switch e.Op {
	case OpConst:
		return !e.Computed
	case OpSlot:
		return !e.Computed && e.Slot.What != SlotQuery
	}
	return false
}

// decimal reports whether a REAL is a number with a point as the statement has it, or an
// argument, which become NUMERIC beside one: not what is cast to REAL or computed in it.
func (e *Expr) decimal() bool {
	if e.Op == OpConst {
		return !e.Exact.IsNull()
	}
	return e.Literal()
}

// CallRows calls a function or operator of package fn for every row.
func CallRows(name string, pos parse.Pos, args ...*Expr) (*Expr, error) {
	types := make([]fn.ArgType, len(args))
	for i, a := range args {
		types[i] = ArgType(a)
	}
	c, err := fn.Resolve(name, types)
	if err != nil {
		return nil, ErrorAt(pos, err)
	}
	return &Expr{Op: OpCall, Type: c.Result, Pos: pos, Call: c, Args: slices.Clone(args)}, nil
}

// Keeps reports whether e is of type t already, as far as mode asks for it.
func Keeps(e *Expr, t value.Type, mode fn.CastMode) bool {
	return e.Type == t || e.Type.Fits(t) && (mode != fn.Explicit || e.Type.Half == t.Half)
}

// CastRows converts an expression that differs from row to row.
func CastRows(e *Expr, t value.Type, mode fn.CastMode) (*Expr, error) {
	if Keeps(e, t, mode) {
		return e, nil
	}
	if e.Type.Kind != value.Null && !(e.Type.Kind == value.Vector && t.Kind == value.Vector) {
		if _, err := fn.Cast(e.Type, t, mode); err != nil {
			return nil, ErrorAt(e.Pos, err)
		}
	}
	return &Expr{Op: OpCast, Type: t, Pos: e.Pos, Args: []*Expr{e}, Text: e.Text}, nil
}

// Children calls f for every part of e, those of an aggregate or window function included.
func (e *Expr) Children(f func(*Expr)) {
	for _, a := range e.Args {
		f(a)
	}
	if e.Aggregate != nil {
		for _, x := range e.Aggregate.Parts() {
			f(x)
		}
	}
	if e.Window != nil {
		for _, x := range e.Window.Parts() {
			f(x)
		}
	}
}

// Walk calls f for e and, where f returns true, for its parts.
func (e *Expr) Walk(f func(*Expr) bool) {
	if f(e) {
		e.Children(func(c *Expr) { c.Walk(f) })
	}
}

// Rewrite returns e with every part replaced by what f gives for it, from the
// top: where f returns nil, the parts below are tried. e itself is not changed.
func (e *Expr) Rewrite(f func(*Expr) *Expr) *Expr {
	if r := f(e); r != nil {
		return r
	}
	if len(e.Args) == 0 && e.Aggregate == nil && e.Window == nil {
		return e
	}
	c := *e
	changed := false
	if len(e.Args) > 0 {
		c.Args = make([]*Expr, len(e.Args))
		for i, a := range e.Args {
			c.Args[i] = a.Rewrite(f)
			changed = changed || c.Args[i] != a
		}
	}
	if e.Aggregate != nil {
		c.Aggregate = e.Aggregate.Mapped(func(x *Expr) *Expr {
			y := x.Rewrite(f)
			changed = changed || y != x
			return y
		})
	}
	if e.Window != nil {
		c.Window = e.Window.Mapped(func(x *Expr) *Expr {
			y := x.Rewrite(f)
			changed = changed || y != x
			return y
		})
	}
	if !changed {
		return e
	}
	return &c
}

// Columns adds the columns of e to set.
func (e *Expr) Columns(set map[*Column]bool) {
	e.Walk(func(x *Expr) bool {
		if x.Op == OpColumn {
			set[x.Column] = true
		}
		return true
	})
}

// ColumnsOf returns the columns that expressions use.
func ColumnsOf(es ...*Expr) map[*Column]bool {
	set := map[*Column]bool{}
	for _, e := range es {
		e.Columns(set)
	}
	return set
}

// Uses reports whether e has a part of the kind.
func (e *Expr) Uses(kind Op) bool {
	found := false
	e.Walk(func(x *Expr) bool {
		found = found || x.Op == kind
		return !found
	})
	return found
}

// String is the expression as it was written, as far as that is known.
func (e *Expr) String() string { return e.Text }

// Conjuncts splits e at its ANDs.
func Conjuncts(e *Expr, out []*Expr) []*Expr {
	if e == nil {
		return out
	}
	if e.Op == OpAnd {
		return Conjuncts(e.Args[1], Conjuncts(e.Args[0], out))
	}
	return append(out, e)
}

// Texts joins the texts of expressions.
func Texts(es []*Expr, sep string) string {
	all := make([]string, len(es))
	for i, e := range es {
		all[i] = e.Text
	}
	return strings.Join(all, sep)
}

// Conjunction joins the texts of conditions by AND.
func Conjunction(es []*Expr) string {
	if len(es) == 1 {
		return es[0].Text
	}
	all := make([]string, len(es))
	for i, e := range es {
		all[i] = e.Conjunct()
	}
	return strings.Join(all, " AND ")
}

// Conjunct is the text of a condition beside others that AND joins with it.
func (e *Expr) Conjunct() string {
	if e.Op == OpOr {
		return "(" + e.Text + ")"
	}
	return e.Text
}

// NullTest returns the column of which e asks whether it is NULL, or is not; nil for other
// expressions.
func NullTest(e *Expr) (c *Column, not bool) {
	if e.Op != OpCall || len(e.Args) != 1 || e.Args[0].Op != OpColumn {
		return nil, false
	}
	switch e.Call.Func.Name {
	case "is null":
		return e.Args[0].Column, false
	case "is not null":
		return e.Args[0].Column, true
	}
	return nil, false
}

// NullOfParts returns what a test whether a score is NULL comes to, which is NULL where one of its
// vectors is, without a look at their values; e itself if it is another expression. By a cosine,
// vectors of zeros have no score either.
func NullOfParts(e *Expr) *Expr {
	if e.Op != OpCall || len(e.Args) != 1 || e.Args[0].Op != OpScore || e.Args[0].Measure.Metric == vector.Cosine {
		return e
	}
	name, op := e.Call.Func.Name, OpOr
	switch name {
	case "is null":
	case "is not null":
		op = OpAnd
	default:
		return e
	}
	x, y := e.Args[0].Args[0], e.Args[0].Args[1]
	if x.Type.Dim != y.Type.Dim || x.Type.Dim == 0 {
		return e // what does not go together is an error
	}
	test := func(x *Expr) *Expr {
		return &Expr{Op: OpCall, Type: e.Type, Pos: e.Pos, Call: e.Call, Args: []*Expr{x}, Text: x.Text + " " + strings.ToUpper(name)}
	}
	if y.Op == OpConst && !y.Value.IsNull() {
		r := test(x)
		r.Text = e.Text
		return r
	}
	return &Expr{Op: op, Type: e.Type, Pos: e.Pos, Args: []*Expr{test(x), test(y)}, Text: e.Text}
}

// Types that are often needed.
var (
	RealType = value.Type{Kind: value.Real}
	BoolType = value.Type{Kind: value.Boolean}
	IntType  = value.Type{Kind: value.Integer}
	TextType = value.Type{Kind: value.Text}
)

// Varies reports whether e differs from row to row.
func (e *Expr) Varies() bool {
	v := false
	e.Walk(func(x *Expr) bool {
		v = v || x.Op == OpColumn || x.Op == OpAgg || x.Op == OpWindow || x.Op == OpOver || x.Op == OpCall && x.Call.Func.Stable && len(x.Args) == 0
		return !v && (x.correlated() || x.Op != OpSubquery && x.Op != OpExists)
	})
	return v
}

// Unstable reports whether e may have another value when computed again.
func (e *Expr) Unstable() bool {
	found := false
	e.Walk(func(x *Expr) bool {
		found = found || x.Op == OpCall && x.Call.Func.Stable && x.Call.Func.Name != "now"
		return !found
	})
	return found
}

// Substitute replaces columns by expressions.
func Substitute(e *Expr, m map[*Column]*Expr) *Expr {
	if len(m) == 0 || e == nil {
		return e
	}
	return e.Rewrite(func(x *Expr) *Expr {
		if x.Op == OpColumn {
			if r := m[x.Column]; r != nil {
				c := *r
				c.Text = x.Text
				return &c
			}
			return x
		}
		if c, _ := NullTest(x); c != nil && m[c] != nil {
			return NullOfParts(&Expr{Op: OpCall, Type: x.Type, Pos: x.Pos, Call: x.Call, Args: []*Expr{Substitute(x.Args[0], m)}, Text: x.Text})
		}
		return nil
	})
}

// SubstituteAll is Substitute for many.
func SubstituteAll(es []*Expr, m map[*Column]*Expr) []*Expr {
	if es == nil {
		return nil
	}
	out := make([]*Expr, len(es))
	for i, e := range es {
		out[i] = Substitute(e, m)
	}
	return out
}
