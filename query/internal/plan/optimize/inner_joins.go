package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// innerJoins makes a LEFT JOIN an inner one where a condition above it is not true for a row
// that has found no partner.
func innerJoins(f *Facts, n logical.Node) (logical.Node, error) {
	innerBelow(n, nil)
	return n, nil
}

// innerBelow does so below n, of whose rows only those are wanted for which conds are true.
func innerBelow(n logical.Node, conds []*logical.Expr) {
	switch n := n.(type) {
	case *logical.Filter:
		innerBelow(n.In, slices.Concat(conds, n.Conds))
		return
	case *logical.Join:
		if n.Kind == parse.LeftJoin {
			right := n.Right.Columns()
			if slices.ContainsFunc(conds, func(c *logical.Expr) bool { return refusesNull(c, right) }) {
				n.Kind = parse.InnerJoin
			}
		}
		if n.Kind == parse.LeftJoin {
			innerBelow(n.Left, conds)
			innerBelow(n.Right, n.On) // a row for which these are not true is no partner
			return
		}
		all := slices.Concat(conds, n.On)
		innerBelow(n.Left, all)
		innerBelow(n.Right, all)
		return
	case *logical.Sort:
		if n.Count >= 0 || n.Offset > 0 || len(n.On) > 0 {
			conds = nil
		}
		innerBelow(n.In, conds)
		return
	}
	for _, in := range n.Inputs() {
		innerBelow(*in, nil)
	}
}

// refusesNull reports whether a condition is not true where all of the columns are NULL.
func refusesNull(e *logical.Expr, cols []*logical.Column) bool {
	switch e.Op {
	case logical.OpAnd:
		return refusesNull(e.Args[0], cols) || refusesNull(e.Args[1], cols)
	case logical.OpOr:
		return refusesNull(e.Args[0], cols) && refusesNull(e.Args[1], cols)
	case logical.OpCall:
		if e.Call.Func.Name == "is not null" {
			return nullThere(e.Args[0], cols)
		}
	}
	return nullThere(e, cols)
}

// nullThere reports whether an expression is NULL where all of the columns are.
func nullThere(e *logical.Expr, cols []*logical.Column) bool {
	switch e.Op {
	case logical.OpColumn:
		return slices.Contains(cols, e.Column)
	case logical.OpCall:
		return e.Call.Strict() && slices.ContainsFunc(e.Args, func(a *logical.Expr) bool { return nullThere(a, cols) })
	case logical.OpCast:
		return nullThere(e.Args[0], cols)
	case logical.OpIn: // of an empty list it is not
		return len(e.Args) > 1 && e.Slot == nil && nullThere(e.Args[0], cols)
	}
	return false
}
