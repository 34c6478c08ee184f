package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// flatten removes projections and renamings between other nodes, so that a
// search in a subquery is seen by the rules: what is above computes from the
// columns below. The map says what to put for columns that are no more.
func flatten(n Node) (Node, map[*column]*Expr) {
	switch n := n.(type) {
	case *Alias:
		in, m := pull(n.In, false, false)
		out := map[*column]*Expr{}
		for i, c := range n.Outs {
			out[c] = Substitute(ColumnExpr(n.From[i], parse.Pos{}), m)
			out[c].Text = c.Name
		}
		return in, out
	case *Filter:
		in, m := pull(n.In, false, false)
		n.In, n.Conds = in, SubstituteAll(n.Conds, m)
		return n, m
	case *Project:
		in, m := pull(n.In, false, n.Stores)
		n.In, n.Items = in, SubstituteAll(n.Items, m)
		return n, nil
	case *Join:
		l, ml := pull(n.Left, false, false)
		r, mr := pull(n.Right, n.Kind == parse.LeftJoin, false)
		for c, e := range mr {
			if ml == nil {
				ml = map[*column]*Expr{}
			}
			ml[c] = e
		}
		n.Left, n.Right, n.On = l, r, SubstituteAll(n.On, ml)
		return n, ml
	case *Group:
		in, m := pull(n.In, false, false)
		n.In, n.Keys = in, SubstituteAll(n.Keys, m)
		for i, a := range n.Aggs {
			n.Aggs[i] = a.Mapped(func(e *Expr) *Expr { return Substitute(e, m) })
		}
		return n, nil
	case *Sort:
		in, m := pull(n.In, false, false)
		n.In, n.On = in, SubstituteAll(n.On, m)
		for i := range n.Keys {
			n.Keys[i].Expr = Substitute(n.Keys[i].Expr, m)
		}
		return n, m
	case *Limit:
		in, m := pull(n.In, false, false)
		n.In = in
		return n, m
	case *Distinct:
		in, m := flatten(n.In)
		n.In = keepColumns(in, n.In.Columns(), m)
		return n, nil
	case *Union:
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
func pull(n Node, columnsOnly, once bool) (Node, map[*column]*Expr) {
	in, m := flatten(n)
	if columnsOnly {
		for _, e := range m {
			if e.Op != OpColumn {
				// Compute below the join.
				cols := n.Columns()
				return keepColumns(in, cols, m), nil
			}
		}
	}
	p, ok := in.(*Project)
	if !ok || p.Skip != nil {
		return in, m
	}
	for _, e := range p.Items {
		if columnsOnly && e.Op != OpColumn || !once && (e.Uses(OpImage) || e.Uses(OpText) && e.Varies() || e.Unstable()) {
			return in, m
		}
	}
	out := map[*column]*Expr{}
	for i, c := range p.Outs {
		out[c] = p.Items[i]
	}
	for c, e := range m {
		out[c] = Substitute(e, out)
	}
	return p.In, out
}

// keepColumns gives n the columns cols again, in their order.
func keepColumns(n Node, cols []*column, m map[*column]*Expr) Node {
	if len(m) == 0 {
		return n
	}
	p := &Project{In: n, Outs: cols}
	for _, c := range cols {
		p.Items = append(p.Items, Substitute(ColumnExpr(c, parse.Pos{}), m))
	}
	return p
}
