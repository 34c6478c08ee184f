package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// askRemote has an attached database group, sort and cut what it is asked for, where it does
// that as Lupa does.
func askRemote(f *Facts, n logical.Node) (logical.Node, error) {
	switch n := n.(type) {
	case *logical.Join:
		return joinedRemote(n), nil
	case *logical.Filter: // of tables that have become one question by now
		if _, ok := n.In.(*logical.Remote); ok {
			return pushFilters(f, n)
		}
	case *logical.Group:
		in, ok := n.In.(*logical.Remote)
		if !ok || !in.Whole() || !grouped(in, n) {
			return n, nil
		}
		c := *in
		c.Group = &logical.Group{Keys: n.Keys, KeyCols: n.KeyCols, Aggs: n.Aggs, AggCols: n.AggCols}
		c.Rows = 1
		if len(n.Keys) > 0 {
			c.Rows = max(1, in.Rows/10)
		}
		return &c, nil
	case *logical.Sort:
		in, ok := n.In.(*logical.Remote)
		if !ok || len(n.On) > 0 || n.Time != nil || in.Count >= 0 || in.Offset > 0 {
			return n, nil
		}
		for _, k := range n.Keys {
			if !k.Expr.Varies() || !in.Orders(k.Expr) {
				return n, nil
			}
		}
		c := *in
		c.Order, c.Count, c.Offset, c.Recall = n.Keys, n.Count, n.Offset, n.Recall
		if n.Count >= 0 {
			c.Rows = min(c.Rows, float64(n.Count))
		}
		return &c, nil
	case *logical.Limit:
		in, ok := n.In.(*logical.Remote)
		if !ok || in.Count >= 0 || in.Offset > 0 {
			return n, nil
		}
		c := *in
		c.Count, c.Offset = n.Count, n.Offset
		if n.Count >= 0 {
			c.Rows = min(c.Rows, float64(n.Count))
		}
		return &c, nil
	}
	return n, nil
}

// joinedRemote is a join of two tables of one database, as that does it; other joins stay.
func joinedRemote(n *logical.Join) logical.Node {
	l, ok1 := n.Left.(*logical.Remote)
	r, ok2 := n.Right.(*logical.Remote)
	if !ok1 || !ok2 || l.In != r.In || !l.Whole() || !r.Whole() || len(l.Order)+len(r.Order) > 0 || len(n.On) == 0 {
		return n
	}
	outer := n.Kind == parse.LeftJoin
	if outer && len(r.Tables) > 1 {
		return n
	}
	c := &logical.Remote{In: l.In, Tables: slices.Concat(l.Tables, r.Tables), Cols: slices.Concat(l.Cols, r.Cols), Count: -1, Rows: max(l.Rows, r.Rows)}
	for _, e := range n.On {
		if !c.Renders(e) {
			return n
		}
	}
	if c.Joins = slices.Concat(l.Joins, []logical.RemoteJoin{{}}, r.Joins); outer {
		c.Joins[len(l.Joins)] = logical.RemoteJoin{Outer: true, On: slices.Concat(n.On, r.Filters)}
		c.Filters = slices.Clone(l.Filters)
		return c
	}
	c.Filters = slices.Concat(l.Filters, r.Filters, n.On)
	return c
}

// grouped reports whether the database groups as n says.
func grouped(in *logical.Remote, n *logical.Group) bool {
	for _, k := range n.Keys {
		if !k.Varies() || !in.Orders(k) || looksDiffer(k) { // of which a group shows the first
			return false
		}
	}
	for _, a := range n.Aggs {
		x, ok := in.Aggregate(a, a.Call.Result, nil)
		if !ok || !in.In.Database.Renders(in.Tables, x) {
			return false
		}
	}
	return true
}
