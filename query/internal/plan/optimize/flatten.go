package optimize

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// flatten removes projections and renamings between other nodes, so that a
// search in a subquery is seen by the rules: what is above computes from the
// columns below. The map says what to put for columns that are no more.
func flatten(n logical.Node) (logical.Node, map[*logical.Column]*logical.Expr) {
	switch n := n.(type) {
	case *logical.Alias:
		in, m := pull(n.In, false, false)
		out := map[*logical.Column]*logical.Expr{}
		for i, c := range n.Outs {
			out[c] = logical.Substitute(logical.ColumnExpr(n.From[i], parse.Pos{}), m)
			out[c].Text = c.Name
		}
		return in, out
	case *logical.Filter:
		in, m := pull(n.In, false, false)
		n.In, n.Conds = in, logical.SubstituteAll(n.Conds, m)
		return n, m
	case *logical.Project:
		in, m := pull(n.In, false, n.Stores)
		n.In, n.Items = in, logical.SubstituteAll(n.Items, m)
		return n, nil
	case *logical.Join:
		l, ml := pull(n.Left, false, false)
		r, mr := pull(n.Right, n.Kind == parse.LeftJoin, false)
		for c, e := range mr {
			if ml == nil {
				ml = map[*logical.Column]*logical.Expr{}
			}
			ml[c] = e
		}
		n.Left, n.Right, n.On = l, r, logical.SubstituteAll(n.On, ml)
		return n, ml
	case *logical.Group:
		in, m := pull(n.In, false, false)
		n.In, n.Keys = in, logical.SubstituteAll(n.Keys, m)
		for i, a := range n.Aggs {
			n.Aggs[i] = a.Mapped(func(e *logical.Expr) *logical.Expr { return logical.Substitute(e, m) })
		}
		return n, nil
	case *logical.Sort:
		in, m := pull(n.In, false, false)
		n.In, n.On = in, logical.SubstituteAll(n.On, m)
		for i := range n.Keys {
			n.Keys[i].Expr = logical.Substitute(n.Keys[i].Expr, m)
		}
		return n, m
	case *logical.Ranks:
		in, m := pull(n.In, false, false)
		n.In = in
		for i, e := range n.Items {
			n.Items[i] = logical.Substitute(e, m)
		}
		return n, m
	case *logical.Window:
		in, m := pull(n.In, false, false)
		if len(m) == 0 {
			n.In = in
			return n, m
		}
		sub := func(e *logical.Expr) *logical.Expr { return logical.Substitute(e, m) }
		n.In, n.Partition = in, logical.SubstituteAll(n.Partition, m)
		for i := range n.Order {
			n.Order[i].Expr = sub(n.Order[i].Expr)
		}
		for i, c := range n.Calls {
			n.Calls[i] = c.Mapped(sub)
		}
		return n, m
	case *logical.Apply:
		in, m := pull(n.Left, false, false)
		n.Left, n.Args = in, logical.SubstituteAll(n.Args, m)
		return n, m
	case *logical.Limit:
		in, m := pull(n.In, false, false)
		n.In = in
		return n, m
	case *logical.Distinct:
		in, m := flatten(n.In)
		n.In = keepColumns(in, n.In.Columns(), m)
		return n, nil
	case *logical.Recursive:
		for _, at := range n.Inputs() {
			cols := (*at).Columns()
			in, m := flatten(*at)
			*at = keepColumns(in, cols, m)
		}
		return n, nil
	case *logical.Union:
		for i := range n.Ins {
			cols := n.Ins[i].Columns()
			in, m := flatten(n.Ins[i])
			n.Ins[i] = keepColumns(in, cols, m)
		}
		return n, nil
	}
	return n, nil
}

// pull flattens n and takes a projection off its top. With columnsOnly it takes
// off none that computes something: above a LEFT JOIN that would not be NULL.
// once says that each column is used once, so that costly ones may move too.
func pull(n logical.Node, columnsOnly, once bool) (logical.Node, map[*logical.Column]*logical.Expr) {
	var cols []*logical.Column
	if columnsOnly {
		cols = n.Columns() // which n may have no more when it is flat
	}
	in, m := flatten(n)
	if columnsOnly {
		for _, e := range m {
			if e.Op != logical.OpColumn {
				// Compute below the join.
				return keepColumns(in, cols, m), nil
			}
		}
	}
	p, ok := in.(*logical.Project)
	if !ok || p.Skip != nil {
		return in, m
	}
	for _, e := range p.Items {
		if columnsOnly && e.Op != logical.OpColumn || large(e) || !once && (e.Uses(logical.OpImage) || e.Uses(logical.OpText) && e.Varies() || e.Unstable()) {
			return in, m
		}
	}
	out := map[*logical.Column]*logical.Expr{}
	for i, c := range p.Outs {
		out[c] = p.Items[i]
	}
	for c, e := range m {
		out[c] = logical.Substitute(e, out)
	}
	return p.In, out
}

// large reports whether an expression is so large that it is not put in the place of each use
// of its column: those of queries within each other would grow exponentially.
func large(e *logical.Expr) bool {
	n := 0
	e.Walk(func(*logical.Expr) bool {
		n++
		return n <= 500
	})
	return n > 500
}

// keepColumns gives n the columns cols again, in their order.
func keepColumns(n logical.Node, cols []*logical.Column, m map[*logical.Column]*logical.Expr) logical.Node {
	if len(m) == 0 {
		return n
	}
	p := &logical.Project{In: n, Outs: cols}
	for _, c := range cols {
		p.Items = append(p.Items, logical.Substitute(logical.ColumnExpr(c, parse.Pos{}), m))
	}
	return p
}
