package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// flatten removes projections and renamings between other nodes, so that a
// search in a subquery is seen by the rules: what is above computes from the
// columns below. The map says what to put for columns that are no more.
func flatten(n node) (node, map[*column]*expr) {
	switch n := n.(type) {
	case *aliasNode:
		in, m := pull(n.in, false, false)
		out := map[*column]*expr{}
		for i, c := range n.outs {
			out[c] = substitute(columnExpr(n.from[i], parse.Pos{}), m)
			out[c].text = c.name
		}
		return in, out
	case *filterNode:
		in, m := pull(n.in, false, false)
		n.in, n.conds = in, substituteAll(n.conds, m)
		return n, m
	case *projectNode:
		in, m := pull(n.in, false, n.stores)
		n.in, n.items = in, substituteAll(n.items, m)
		return n, nil
	case *joinNode:
		l, ml := pull(n.l, false, false)
		r, mr := pull(n.r, n.kind == parse.LeftJoin, false)
		for c, e := range mr {
			if ml == nil {
				ml = map[*column]*expr{}
			}
			ml[c] = e
		}
		n.l, n.r, n.on = l, r, substituteAll(n.on, ml)
		return n, ml
	case *aggNode:
		in, m := pull(n.in, false, false)
		n.in, n.keys = in, substituteAll(n.keys, m)
		for i, a := range n.aggs {
			n.aggs[i] = a.mapped(func(e *expr) *expr { return substitute(e, m) })
		}
		return n, nil
	case *sortNode:
		in, m := pull(n.in, false, false)
		n.in, n.on = in, substituteAll(n.on, m)
		for i := range n.keys {
			n.keys[i].expr = substitute(n.keys[i].expr, m)
		}
		return n, m
	case *limitNode:
		in, m := pull(n.in, false, false)
		n.in = in
		return n, m
	case *distinctNode:
		in, m := flatten(n.in)
		n.in = keepColumns(in, n.in.columns(), m)
		return n, nil
	case *unionNode:
		for i := range n.ins {
			cols := n.ins[i].columns()
			in, m := flatten(n.ins[i])
			n.ins[i] = keepColumns(in, cols, m)
		}
		return n, nil
	}
	return n, nil
}

// pull flattens n and takes a projection off its top. With columnsOnly it takes
// off none that computes something: above a LEFT JOIN that would not be NULL.
// once says that each column is used once, so that costly ones may move too.
func pull(n node, columnsOnly, once bool) (node, map[*column]*expr) {
	in, m := flatten(n)
	if columnsOnly {
		for _, e := range m {
			if e.op != opColumn {
				// Compute below the join.
				cols := n.columns()
				return keepColumns(in, cols, m), nil
			}
		}
	}
	p, ok := in.(*projectNode)
	if !ok || p.skip != nil {
		return in, m
	}
	for _, e := range p.items {
		if columnsOnly && e.op != opColumn || !once && (e.uses(opImage) || e.uses(opText) && e.varies() || e.unstable()) {
			return in, m
		}
	}
	out := map[*column]*expr{}
	for i, c := range p.outs {
		out[c] = p.items[i]
	}
	for c, e := range m {
		out[c] = substitute(e, out)
	}
	return p.in, out
}

// keepColumns gives n the columns cols again, in their order.
func keepColumns(n node, cols []*column, m map[*column]*expr) node {
	if len(m) == 0 {
		return n
	}
	p := &projectNode{in: n, outs: cols}
	for _, c := range cols {
		p.items = append(p.items, substitute(columnExpr(c, parse.Pos{}), m))
	}
	return p
}
