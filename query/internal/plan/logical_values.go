package plan

import "slices"

// valuesNode is a list of rows. With no outs and one row it is what a SELECT
// without FROM reads.
type valuesNode struct {
	rows [][]*expr
	outs []*column
}

func (n *valuesNode) columns() []*column { return n.outs }

func (n *valuesNode) inputs() []*node { return nil }

func (n *valuesNode) exprs() []*expr { return slices.Concat(n.rows...) }

func (n *valuesNode) copied() node {
	c := *n
	return &c
}
