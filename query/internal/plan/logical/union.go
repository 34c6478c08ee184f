package logical

import "slices"

// Union puts inputs one after the other.
type Union struct {
	Ins  []Node
	Outs []*Column
}

func (n *Union) Columns() []*Column { return n.Outs }

func (n *Union) Inputs() []*Node {
	out := make([]*Node, len(n.Ins))
	for i := range n.Ins {
		out[i] = &n.Ins[i]
	}
	return out
}

func (n *Union) Exprs() []*Expr { return nil }

func (n *Union) Copied() Node {
	c := *n
	c.Ins = slices.Clone(c.Ins)
	return &c
}
