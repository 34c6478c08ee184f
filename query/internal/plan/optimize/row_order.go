package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// rowOrder tells the tables of attached databases whose rows may come in any order: loose says
// that nothing above n depends on it. Elsewhere rows come in the order of the primary key, by
// which equal ones are ordered. whole says that all rows of n are going to be read.
func rowOrder(n logical.Node, loose, whole bool) {
	switch n := n.(type) {
	case *logical.Remote:
		n.Loose, n.Bulk = loose, loose && whole && n.Whole() && len(n.Order) == 0
		return
	case *logical.Filter, *logical.Project, *logical.Union, *logical.Join, *logical.Apply:
	case *logical.Group:
		loose, whole = loose && !slices.ContainsFunc(n.Aggs, byOrder) && !slices.ContainsFunc(n.Keys, looksDiffer), true
	case *logical.Distinct:
		loose = loose && !slices.ContainsFunc(n.Columns(), func(c *logical.Column) bool { return equalsDiffer(c.Type) })
	default:
		loose, whole = false, false
	}
	for _, in := range n.Inputs() {
		rowOrder(*in, loose, whole)
	}
}

// byOrder reports whether an aggregate depends on the order of rows.
func byOrder(a *logical.Aggregate) bool {
	switch a.Call.Func.Name {
	case "count", "bool_and", "bool_or":
		return false
	case "min", "max":
		return looksDiffer(a.Arg)
	case "sum", "avg":
		return a.Arg.Type.Kind != value.Integer
	}
	return true
}

// looksDiffer reports whether values of e can be equal and yet look different: of such a group
// shows the first.
func looksDiffer(e *logical.Expr) bool { return equalsDiffer(e.Type) }

func equalsDiffer(t value.Type) bool {
	switch t.Kind {
	case value.Real, value.Numeric, value.Interval, value.JSON, value.Vector:
		return true
	}
	return false
}
