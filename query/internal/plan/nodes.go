package plan

import (
	"fmt"
	"slices"
)

// The one way over the inputs and expressions of nodes. A node that is not listed here is
// a mistake that the first statement with it shows.

// mapInputs replaces the inputs of a node by what f gives for them.
func mapInputs(n node, f func(node) (node, error)) (err error) {
	set := func(at *node) {
		if err == nil {
			var out node
			if out, err = f(*at); err == nil {
				*at = out
			}
		}
	}
	switch n := n.(type) {
	case *scanNode, *valuesNode, *sourceNode, *metadataNode:
	case *filterNode:
		set(&n.in)
	case *rowNumberNode:
		set(&n.in)
	case *projectNode:
		set(&n.in)
	case *joinNode:
		set(&n.l)
		set(&n.r)
	case *aggNode:
		set(&n.in)
	case *sortNode:
		set(&n.in)
	case *limitNode:
		set(&n.in)
	case *distinctNode:
		set(&n.in)
	case *aliasNode:
		set(&n.in)
	case *unionNode:
		for i := range n.ins {
			set(&n.ins[i])
		}
	default:
		panic(fmt.Sprintf("plan: a node of type %T, whose inputs are not known", n))
	}
	return err
}

// copyNode returns a copy of a plan that can be improved on its own. Columns and
// expressions, which nobody changes, are shared.
func copyNode(n node) node {
	var out node
	switch n := n.(type) {
	case *scanNode:
		c := *n
		c.filters = slices.Clip(c.filters)
		out = &c
	case *valuesNode:
		c := *n
		out = &c
	case *sourceNode:
		c := *n
		out = &c
	case *metadataNode:
		c := *n
		out = &c
	case *filterNode:
		c := *n
		c.conds = slices.Clip(c.conds)
		out = &c
	case *rowNumberNode:
		c := *n
		out = &c
	case *projectNode:
		c := *n
		out = &c
	case *joinNode:
		c := *n
		c.on = slices.Clip(c.on)
		out = &c
	case *aggNode:
		c := *n
		c.keys, c.aggs = slices.Clone(c.keys), slices.Clone(c.aggs)
		out = &c
	case *sortNode:
		c := *n
		c.keys = slices.Clone(c.keys)
		out = &c
	case *limitNode:
		c := *n
		out = &c
	case *distinctNode:
		c := *n
		out = &c
	case *aliasNode:
		c := *n
		out = &c
	case *unionNode:
		c := *n
		c.ins = slices.Clone(c.ins)
		out = &c
	default:
		panic(fmt.Sprintf("plan: a node of type %T, which is not known how to copy", n))
	}
	mapInputs(out, func(in node) (node, error) { return copyNode(in), nil })
	return out
}

// expressions returns those of one node.
func expressions(n node) []*expr {
	var out []*expr
	switch n := n.(type) {
	case *scanNode:
		out = slices.Clone(n.filters)
		if n.search != nil {
			out = append(append(out, n.search.score), n.search.within...)
		}
		if n.lookup != nil {
			out = append(out, n.lookup.keys...)
			for _, x := range n.lookup.bounds {
				out = append(out, x.x)
			}
		}
	case *filterNode:
		out = n.conds
	case *projectNode:
		out = n.items
	case *joinNode:
		out = slices.Concat(n.on, n.lkeys, n.rkeys, n.rest)
	case *aggNode:
		out = slices.Clone(n.keys)
		for _, a := range n.aggs {
			out = append(out, a.parts()...)
		}
	case *sortNode:
		out = slices.Clone(n.on)
		for _, k := range n.keys {
			out = append(out, k.expr)
		}
	case *valuesNode:
		out = slices.Concat(n.rows...)
	case *rowNumberNode, *limitNode, *distinctNode, *unionNode, *sourceNode, *metadataNode, *aliasNode:
	default:
		panic(fmt.Sprintf("plan: a node of type %T, whose expressions are not known", n))
	}
	return out
}
