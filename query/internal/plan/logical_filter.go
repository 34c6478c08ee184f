package plan

import "slices"

// filterNode keeps the rows for which all conditions hold.
type filterNode struct {
	in    node
	conds []*expr
}

func (n *filterNode) columns() []*column { return n.in.columns() }

func (n *filterNode) inputs() []*node { return []*node{&n.in} }

func (n *filterNode) exprs() []*expr { return n.conds }

func (n *filterNode) copied() node {
	c := *n
	c.conds = slices.Clip(c.conds)
	return &c
}
