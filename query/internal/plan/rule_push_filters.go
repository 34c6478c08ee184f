package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
)

// pushFilters moves conditions towards the scans.
func pushFilters(f *facts, n node) (node, error) {
	top, ok := n.(*filterNode)
	if !ok {
		return n, nil
	}
	var rest []*expr
	in := top.in
	for _, c := range top.conds {
		if !push(in, c) {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		return in, nil
	}
	return &filterNode{in, rest}, nil
}

// pushInto moves a condition into an input or below, or puts it on top of it.
func pushInto(in *node, c *expr) {
	if !push(*in, c) {
		*in = &filterNode{*in, []*expr{c}}
	}
}

// push moves a condition into n or below; false if it has to stay above.
func push(n node, c *expr) bool {
	set := columnsOf(c)
	within := func(cols []*column) bool {
		for x := range set {
			if !slices.Contains(cols, x) {
				return false
			}
		}
		return true
	}
	switch n := n.(type) {
	case *scanNode:
		if !within(n.cols) {
			return false
		}
		n.filters = append(n.filters, c)
		return true
	case *filterNode:
		if push(n.in, c) {
			return true
		}
		n.conds = append(n.conds, c)
		return true
	case *rowNumberNode:
		return push(n.in, c)
	case *joinNode:
		if len(set) > 0 && within(n.l.columns()) {
			pushInto(&n.l, c)
			return true
		}
		if n.kind == parse.LeftJoin {
			return false
		}
		if len(set) > 0 && within(n.r.columns()) {
			pushInto(&n.r, c)
			return true
		}
		n.on = append(n.on, c)
		return true
	case *aggNode:
		if len(n.keys) == 0 || len(set) == 0 || !within(n.keyCols) {
			return false
		}
		m := map[*column]*expr{}
		for i, k := range n.keyCols {
			m[k] = n.keys[i]
		}
		c = substitute(c, m)
		pushInto(&n.in, c)
		return true
	case *sortNode:
		return n.count < 0 && n.offset == 0 && len(n.on) == 0 && push(n.in, c)
	case *distinctNode:
		return push(n.in, c)
	case *projectNode:
		if n.skip != nil || !within(n.outs) {
			return false
		}
		m := map[*column]*expr{}
		for i, k := range n.outs {
			m[k] = n.items[i]
		}
		c = substitute(c, m)
		pushInto(&n.in, c)
		return true
	case *unionNode:
		for i, in := range n.ins {
			m := map[*column]*expr{}
			cols := in.columns()
			for k, o := range n.outs {
				m[o] = columnExpr(cols[k], parse.Pos{})
			}
			x := substitute(c, m)
			pushInto(&n.ins[i], x)
		}
		return true
	}
	return false
}
