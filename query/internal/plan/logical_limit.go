package plan

// limitNode leaves out rows.
type limitNode struct {
	in            node
	count, offset int64
}

func (n *limitNode) columns() []*column { return n.in.columns() }

func (n *limitNode) inputs() []*node { return []*node{&n.in} }

func (n *limitNode) exprs() []*expr { return nil }

func (n *limitNode) copied() node {
	c := *n
	return &c
}
