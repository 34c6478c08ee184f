package fn

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// Aggregator holds the state of one aggregate for a number of groups, numbered
// from 0. It is not safe for concurrent use: give each worker its own and Merge.
type Aggregator interface {
	// Type is the type of the results.
	Type() value.Type

	// Resize makes room for n groups; new ones are empty. Groups are never lost.
	Resize(n int)

	// Add takes in the selected rows (sel nil = all n) of arg. groups[i] is the
	// group of slot i, below the size; groups nil = all in group 0. NULLs are
	// skipped. arg has the type the aggregate was resolved for; the one of
	// count(*) is not looked at.
	Add(arg Arg, groups []int32, n int, sel []int32) error

	// Merge takes in the groups of other, which has the same dynamic type: its
	// group g belongs to group to[g] here (nil = the same number).
	Merge(other Aggregator, to []int32) error

	// Result sets out to the results of groups from to to-1, in slots 0, 1, ...
	// out's memory is the caller's and reused.
	Result(from, to int, out *value.Column) error

	// Bytes estimates the memory held.
	Bytes() int64
}

// jointAggregator is an Aggregator of several arguments, or of one whose rows are ordered:
// the keys of the order are the last of args.
type jointAggregator interface {
	AddRows(args []Arg, groups []int32, n int, sel []int32) error
}

// AddRows is Add for the arguments of a call: none for count(*), else those of its
// parameters and then the keys its rows are ordered by.
func AddRows(a Aggregator, args []Arg, groups []int32, n int, sel []int32) error {
	if j, ok := a.(jointAggregator); ok {
		return j.AddRows(args, groups, n, sel)
	}
	var arg Arg
	if len(args) > 0 {
		arg = args[0]
	}
	return a.Add(arg, groups, n, sel)
}

// AggregateCall is an aggregate resolved for its argument.
type AggregateCall struct {
	Func   *Func
	Param  value.Type   // what the argument has to be cast to; kind NULL for count(*)
	More   []value.Type // of further arguments
	Orders []SortOrder  // of the keys behind them
	Result value.Type
	arg    value.Type
	build  func(*AggregateCall) Aggregator
}

// New returns an empty Aggregator, with no groups.
func (c *AggregateCall) New() (Aggregator, error) {
	if c.build != nil {
		return c.build(c), nil
	}
	return c.Func.agg(c.arg)
}

// TakesNull reports whether NULLs are values to the aggregate.
func (c *AggregateCall) TakesNull() bool { return c.Func.takesNull }

// Converts reports whether the argument has to be cast to Param.
func (c *AggregateCall) Converts() bool { return c.Func.joint != nil }

// WithinGroup reports whether an aggregate's first argument stands in WITHIN GROUP.
func WithinGroup(name string) bool {
	f, ok := Lookup(name)
	return ok && f.within
}

// IsAggregate reports whether name, in any case, is an aggregate's.
func IsAggregate(name string) bool {
	f, ok := Lookup(name)
	return ok && f.Category == Aggregate
}

// ResolveAggregate finds the aggregate name for its arguments, none for count(*), and
// the order of its rows. DISTINCT is the caller's: group by the argument too and pass each
// value once.
func ResolveAggregate(name string, args []ArgType, orders []SortOrder) (*AggregateCall, error) {
	f, ok := Lookup(name)
	if !ok || f.Category != Aggregate {
		return nil, fmt.Errorf("no aggregate %q%s", name, hint.DidYouMean(name, Names()))
	}
	if f.joint != nil {
		params, build, err := f.joint(args)
		if err != nil {
			return nil, err
		}
		c := &AggregateCall{Func: f, Param: params[0], More: params[1:], Orders: orders, build: build}
		c.Result = build(c).Type()
		return c, nil
	}
	if len(args) > 1 || len(args) == 0 && f.Name != "count" {
		return nil, fmt.Errorf("%s takes one argument: %s", f.Name, f.Syntax)
	}
	c := &AggregateCall{Func: f}
	if len(args) == 1 {
		c.arg = args[0].Type
		if c.arg.Kind == value.Null {
			c.arg = value.Type{Kind: value.Integer}
		}
		c.Param = c.arg
	}
	a, err := f.agg(c.arg)
	if err != nil {
		return nil, fmt.Errorf("%s does not apply to %v; it is %s", strings.ToLower(name), c.arg, f.Syntax)
	}
	c.Result = a.Type()
	return c, nil
}
