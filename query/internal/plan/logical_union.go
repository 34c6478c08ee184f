package plan

import "slices"

// unionNode puts inputs one after the other.
type unionNode struct {
	ins  []node
	outs []*column
}

func (n *unionNode) columns() []*column { return n.outs }

func (n *unionNode) inputs() []*node {
	out := make([]*node, len(n.ins))
	for i := range n.ins {
		out[i] = &n.ins[i]
	}
	return out
}

func (n *unionNode) exprs() []*expr { return nil }

func (n *unionNode) copied() node {
	c := *n
	c.ins = slices.Clone(c.ins)
	return &c
}
