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

// AggregateCall is an aggregate resolved for its argument.
type AggregateCall struct {
	Func   *Func
	Param  value.Type // what the argument has to be cast to; kind NULL for count(*)
	Result value.Type
	arg    value.Type
}

// New returns an empty Aggregator, with no groups.
func (c *AggregateCall) New() (Aggregator, error) { return c.Func.agg(c.arg) }

// IsAggregate reports whether name, in any case, is an aggregate's.
func IsAggregate(name string) bool {
	f, ok := Lookup(name)
	return ok && f.Category == Aggregate
}

// ResolveAggregate finds the aggregate name for its arguments, none for
// count(*). DISTINCT is the caller's: group by the argument too and pass each
// value once.
func ResolveAggregate(name string, args []ArgType) (*AggregateCall, error) {
	f, ok := Lookup(name)
	if !ok || f.Category != Aggregate {
		return nil, fmt.Errorf("no aggregate %q%s", name, hint.DidYouMean(name, Names()))
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
