package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// pushFilters moves conditions towards the scans.
func pushFilters(f *Facts, n logical.Node) (logical.Node, error) {
	top, ok := n.(*logical.Filter)
	if !ok {
		return n, nil
	}
	var rest []*logical.Expr
	in := top.In
	for _, c := range top.Conds {
		if !push(in, c) {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		return in, nil
	}
	return &logical.Filter{In: in, Conds: rest}, nil
}

// pushInto moves a condition into an input or below, or puts it on top of it.
func pushInto(in *logical.Node, c *logical.Expr) {
	if !push(*in, c) {
		*in = &logical.Filter{In: *in, Conds: []*logical.Expr{c}}
	}
}

// push moves a condition into n or below; false if it has to stay above.
func push(n logical.Node, c *logical.Expr) bool {
	set := logical.ColumnsOf(c)
	cols := make([]*logical.Column, 0, len(set))
	for x := range set {
		cols = append(cols, x)
	}
	return pushOf(n, c, cols, false)
}

// pushOf is push of a condition that uses the columns set; inside says that n has all of them,
// so that a chain of joins is not searched for them at each of its joins.
func pushOf(n logical.Node, c *logical.Expr, set []*logical.Column, inside bool) bool {
	within := func(cols []*logical.Column) bool {
		for _, x := range set {
			if !slices.Contains(cols, x) {
				return false
			}
		}
		return true
	}
	given := func(n logical.Node) (k int) {
		for _, x := range set {
			if logical.Gives(n, x) {
				k++
			}
		}
		return k
	}
	into := func(in *logical.Node) {
		if !pushOf(*in, c, set, true) {
			*in = &logical.Filter{In: *in, Conds: []*logical.Expr{c}}
		}
	}
	switch n := n.(type) {
	case *logical.Scan:
		if !within(n.Cols) {
			return false
		}
		n.Filters = append(n.Filters, c)
		return true
	case *logical.Remote:
		if !n.Whole() || !within(n.Cols) || len(set) == 0 || !n.Renders(c) {
			return false
		}
		n.Filters = append(n.Filters, c)
		return true
	case *logical.Filter:
		if pushOf(n.In, c, set, inside) {
			return true
		}
		n.Conds = append(n.Conds, c)
		return true
	case *logical.RowNumbers:
		return push(n.In, c)
	case *logical.Join:
		right := given(n.Right)
		if len(set) > 0 && right == 0 && (inside || given(n.Left) == len(set)) {
			into(&n.Left)
			return true
		}
		if n.Kind == parse.LeftJoin {
			return false
		}
		if len(set) > 0 && right == len(set) {
			into(&n.Right)
			return true
		}
		n.On = append(n.On, c)
		return true
	case *logical.Apply:
		if len(set) == 0 || given(n.Left) < len(set) {
			return false
		}
		into(&n.Left)
		return true
	case *logical.Group:
		if len(n.Keys) == 0 || len(set) == 0 || !within(n.KeyCols) {
			return false
		}
		m := map[*logical.Column]*logical.Expr{}
		for i, k := range n.KeyCols {
			m[k] = n.Keys[i]
		}
		c = logical.Substitute(c, m)
		pushInto(&n.In, c)
		return true
	case *logical.Window:
		// Conditions on what all partitions are made by leave out whole ones.
		var by []*logical.Column
		for _, e := range n.Partition {
			if e.Op == logical.OpColumn {
				by = append(by, e.Column)
			}
		}
		if len(set) == 0 || !within(by) {
			return false
		}
		pushInto(&n.In, c)
		return true
	case *logical.Sort:
		return n.Count < 0 && n.Offset == 0 && len(n.On) == 0 && push(n.In, c)
	case *logical.Distinct:
		return push(n.In, c)
	case *logical.Project:
		if n.Skip != nil || !within(n.Outs) {
			return false
		}
		m := map[*logical.Column]*logical.Expr{}
		for i, k := range n.Outs {
			m[k] = n.Items[i]
		}
		c = logical.Substitute(c, m)
		pushInto(&n.In, c)
		return true
	case *logical.Union:
		for i, in := range n.Ins {
			m := map[*logical.Column]*logical.Expr{}
			cols := in.Columns()
			for k, o := range n.Outs {
				m[o] = logical.ColumnExpr(cols[k], parse.Pos{})
			}
			x := logical.Substitute(c, m)
			pushInto(&n.Ins[i], x)
		}
		return true
	}
	return false
}
