package fn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// Ctx is what evaluation knows of the statement it is part of.
type Ctx struct {
	context.Context
	Now time.Time // the statement's time: now() is the same in every row

	// Slots are the values that are the same in every row of this run. Run is a number
	// of its own for each set of them, so that what is made of a slot can be kept.
	Slots []Slot
	Run   uint64
}

// Arg is an argument: a column of n slots, or with Const a column whose slot 0
// stands for every row.
type Arg struct {
	*value.Column
	Const bool
}

// step returns 0 for a constant and 1 otherwise: slot i is at index i*step.
func (a Arg) step() int {
	if a.Const {
		return 0
	}
	return 1
}

// coded reports whether it pays to go by the different texts of the argument, rather than by those of
// the selected rows.
func (a Arg) coded(n int, sel []int32) bool {
	if sel != nil {
		n = len(sel)
	}
	return a.Codes != nil && !a.Const && 2*len(a.Values) <= n
}

// At returns the value of row i.
func (a Arg) At(i int) value.Value {
	if a.Const {
		i = 0
	}
	return a.Value(i)
}

// IsNull reports whether row i is NULL.
func (a Arg) IsNull(i int) bool {
	if a.Const {
		i = 0
	}
	return a.Null(i)
}

// ConstArg returns v as an argument of type t (v's own, if t is of kind NULL).
func ConstArg(v value.Value, t value.Type) Arg {
	if !v.IsNull() {
		t = v.Type()
	}
	c := &value.Column{Type: t}
	c.Append(0, v)
	return Arg{Column: c, Const: true}
}

// ArgType is what is known of an argument before evaluation.
type ArgType struct {
	Type value.Type // kind NULL: the literal NULL, or a parameter of unknown type
	// Literal marks a text literal (or a parameter holding text), which adapts
	// to the other side as in PostgreSQL: taken > '2024-01-01'.
	Literal bool
	// Decimal marks a REAL that is written in the statement (or a parameter holding one):
	// beside a NUMERIC it is one.
	Decimal bool
}

// Category tells functions from operators.
type Category uint8

const (
	Scalar    Category = iota // called by name
	Operator                  // written between or before its operands
	Aggregate                 // one value for a group of rows
	Table                     // used in FROM
	Window                    // computed over the rows around a row: needs OVER
)

// Func is one function, operator or aggregate.
type Func struct {
	Name     string // lower case, or the operator
	Category Category
	Syntax   string // "round(x [, digits])"
	Doc      string // one line
	Example  string // an expression, and
	Gives    string // its text form

	// Stable functions have one value for a statement (now), so they are not
	// folded when the statement is prepared.
	Stable bool

	sigs     []sig
	infer    func(args []ArgType) (params []value.Type, result value.Type, eval kernel, err error) // instead of sigs
	nullable bool                                                                                  // the body handles NULL itself; otherwise NULL in, NULL out
	volatile bool                                                                                  // another value in every row, though the arguments are the same
	ownDim   bool                                                                                  // the dimension of the result is not that of the arguments
	partial  bool                                                                                  // the body can fail: it is given a selection without NULL rows
	agg      func(arg value.Type) (Aggregator, error)

	// Aggregates of other than one argument, or that need more than its type, have joint
	// instead of agg: it says what the arguments are cast to.
	joint     func(args []ArgType) (params []value.Type, build func(*AggregateCall) Aggregator, err error)
	takesNull bool // NULLs are values to the aggregate
	window    WindowKind
	within    bool // its first argument is what WITHIN GROUP orders by
}

// sig is one list of argument kinds a function takes. With variadic the last
// kind may come any number of times, at least once.
type sig struct {
	args     []value.Kind
	result   value.Kind
	eval     kernel
	variadic bool
}

// kernel computes n slots of out, which has its type and length already; with
// sel not nil only those slots need to be right. For a function that is not
// nullable the caller has set out.Nulls.
type kernel func(c *Ctx, args []Arg, n int, sel []int32, out *value.Column) error

// Lookup returns the scalar function, aggregate or operator of that name, in
// any case.
func Lookup(name string) (*Func, bool) {
	f, ok := byName()[strings.ToLower(name)]
	return f, ok
}

// All returns every entry, in the order of the table: scalar functions,
// aggregates and operators. Callers don't change them.
func All() []*Func {
	return slices.Clone(entries())
}

// Names returns the names of functions and aggregates, sorted, without
// operators.
func Names() []string {
	var names []string
	for _, f := range entries() {
		if f.Category != Operator {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Call is a function resolved for given argument types. It is immutable.
type Call struct {
	Func   *Func
	Params []value.Type // what each argument has to be cast to (implicitly)
	Result value.Type
	eval   kernel
}

// Resolve finds how the function or operator called name applies to arguments
// of the given types. Operators go by their symbols and by "neg", "not", "like",
// "not like", "ilike", "not ilike", "is null", "is distinct from", ... in lower case.
func Resolve(name string, args []ArgType) (*Call, error) {
	f, ok := Lookup(name)
	if !ok {
		return nil, fmt.Errorf("no function %q%s", name, hint.DidYouMean(name, Names()))
	}
	if f.Category == Aggregate {
		return nil, fmt.Errorf("%s is an aggregate; it can't be used here", f.Name)
	}
	if f.Category == Window {
		return nil, fmt.Errorf("%s is a window function; it needs OVER (...)", f.Name)
	}
	return f.resolve(args)
}

func (f *Func) resolve(args []ArgType) (*Call, error) {
	c := &Call{Func: f}
	if f.infer != nil {
		params, result, eval, err := f.infer(args)
		if err != nil {
			return nil, err
		}
		c.Params, c.Result, c.eval = params, result, eval
		return c, nil
	}
	best, least := -1, 1<<30
	for i := range f.sigs {
		if cost, ok := f.sigs[i].cost(args); ok && cost < least {
			best, least = i, cost
		}
	}
	if best < 0 {
		return nil, f.mismatch(args)
	}
	s := &f.sigs[best]
	c.eval, c.Result = s.eval, value.Type{Kind: s.result}
	dim := 0
	for i, a := range args {
		k := s.arg(i)
		t := value.Type{Kind: k}
		if k == anyKind {
			t = a.Type
		}
		if k == value.Vector {
			t.Dim = a.Type.Dim
			if dim > 0 && t.Dim > 0 && dim != t.Dim {
				return nil, dimensions(f.Name, dim, t.Dim)
			}
			dim = max(dim, t.Dim)
		}
		c.Params = append(c.Params, t)
	}
	for i := range c.Params {
		if c.Params[i].Kind == value.Vector {
			c.Params[i].Dim = dim
		}
	}
	if c.Result.Kind == value.Vector && !f.ownDim {
		c.Result.Dim = dim
	}
	return c, nil
}

func dimensions(name string, a, b int) error {
	return fmt.Errorf("%s: vectors of %d and of %d dimensions can't be combined", name, a, b)
}

func (s *sig) arg(i int) value.Kind { return s.args[min(i, len(s.args)-1)] }

// cost tells how far the arguments are from the signature; ok is false if they
// don't fit.
func (s *sig) cost(args []ArgType) (cost int, ok bool) {
	if len(args) != len(s.args) && !(s.variadic && len(args) >= len(s.args)) {
		return 0, false
	}
	for i, a := range args {
		switch want, have := s.arg(i), a.Type.Kind; {
		case want == have:
		case have == value.Null, want == anyKind:
			cost++
		case have == value.Integer && want == value.Real, have == value.Date && want == value.Timestamp:
			cost += 2
		case a.Decimal && have == value.Real && want == value.Numeric:
			cost++
		case have == value.Integer && want == value.Numeric:
			cost += 2
		case have == value.Numeric && want == value.Real:
			cost += 3
		case a.Literal && have == value.Text:
			cost += 3
		case have == value.JSON && want == value.Text && len(s.args) > 1:
			cost += 3
		default:
			return 0, false
		}
	}
	return cost, true
}

// anyKind in a signature takes every type as it is.
const anyKind value.Kind = 255

// mismatch is the error for arguments that fit no signature.
func (f *Func) mismatch(args []ArgType) error {
	have := make([]string, len(args))
	for i, a := range args {
		have[i] = a.Type.String()
	}
	if f.Category == Operator {
		switch len(have) {
		case 1:
			return fmt.Errorf("%s does not apply to %s%s", f.operator(), have[0], f.advice(args))
		case 2:
			return fmt.Errorf("%s does not apply to %s and %s%s", f.operator(), have[0], have[1], f.advice(args))
		}
	}
	if len(args) == 0 {
		return fmt.Errorf("%s needs arguments: %s", f.Name, f.Syntax)
	}
	return fmt.Errorf("%s does not take (%s); it is %s", f.Name, strings.Join(have, ", "), f.signatures())
}

// operator returns an operator as it is written.
func (f *Func) operator() string {
	if f.Name == "neg" {
		return "-"
	}
	return strings.ToUpper(f.Name)
}

// advice says what would be right where a cast is all that is missing.
func (f *Func) advice(args []ArgType) string {
	switch f.Name {
	case "like", "ilike":
		return "; cast what is not a text: CAST(... AS TEXT)"
	case "->", "->>":
		return "; its left side is JSON"
	}
	for i, a := range args {
		if a.Type.Kind != value.Text || len(args) != 2 {
			continue
		}
		if other := args[1-i].Type.Kind; other != value.Text && other != value.Null && other != value.Vector {
			return fmt.Sprintf("; cast the text: CAST(... AS %s)", other)
		}
	}
	return ""
}

func (f *Func) signatures() string {
	var all []string
	for i := range f.sigs {
		var kinds []string
		for _, k := range f.sigs[i].args {
			if k == anyKind {
				kinds = append(kinds, "any")
			} else {
				kinds = append(kinds, k.String())
			}
		}
		s := f.Name + "(" + strings.Join(kinds, ", ")
		if f.sigs[i].variadic {
			s += ", ..."
		}
		all = append(all, s+")")
	}
	if len(all) == 0 {
		return f.Syntax
	}
	return strings.Join(all, " or ")
}

// Strict reports whether the call is NULL wherever one of its arguments is.
func (c *Call) Strict() bool { return !c.Func.nullable }

// Eval computes out, n slots of c.Result, from the arguments, which are of the
// kinds in c.Params (or of kind NULL). Slots outside sel (nil = all) are
// undefined. out belongs to the caller and its memory is reused.
func (c *Call) Eval(ctx *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	resize(out, c.Result, n)
	if ok, err := c.coded(ctx, args, n, sel, out); ok {
		return err
	}
	if c.Func.nullable {
		return c.eval(ctx, args, n, sel, out)
	}
	for _, a := range args {
		if a.Type.Kind == value.Null || a.Const && a.Null(0) {
			allNull(out, n)
			return nil
		}
		if !a.Const && a.Nulls != nil {
			orNulls(out, a.Nulls, n)
		}
	}
	if c.Func.partial && out.Nulls != nil {
		sel = notNull(out.Nulls, n, sel)
	}
	return c.eval(ctx, args, n, sel, out)
}

// notNull narrows sel to the rows outside nulls.
func notNull(nulls value.Bitmap, n int, sel []int32) []int32 {
	out := make([]int32, 0, n)
	if sel == nil {
		for i := range n {
			if !nulls.Get(i) {
				out = append(out, int32(i))
			}
		}
		return out
	}
	for _, i := range sel {
		if !nulls.Get(int(i)) {
			out = append(out, i)
		}
	}
	return out
}

func orNulls(out *value.Column, nulls value.Bitmap, n int) {
	if out.Nulls == nil {
		out.Nulls = value.NewBitmap(n)
	}
	copyLen := min(len(out.Nulls), len(nulls))
	for i := range copyLen {
		out.Nulls[i] |= nulls[i]
	}
}

func allNull(out *value.Column, n int) {
	out.Nulls = value.NewBitmap(n)
	for i := range out.Nulls {
		out.Nulls[i] = ^uint64(0)
	}
}

// resize gives out type t and n slots of any content, no NULL.
func resize(out *value.Column, t value.Type, n int) {
	out.Type, out.Nulls, out.Joined, out.Values, out.Codes = t, nil, "", nil, nil
	switch t.Kind {
	case value.Boolean:
		out.Bools = grow(out.Bools, n)
	case value.Integer, value.Timestamp, value.Date:
		out.Ints = grow(out.Ints, n)
	case value.Real:
		out.Reals = grow(out.Reals, n)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		out.Strs = grow(out.Strs, n)
	case value.Vector:
		out.Vecs = grow(out.Vecs, n*t.Dim)
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, max(n, min(2*cap(s), value.BatchSize)))
	}
	return s[:n]
}
