package plan

// aliasNode gives the columns of a subquery new identities.
type aliasNode struct {
	in   node
	from []*column
	outs []*column
}

func (n *aliasNode) columns() []*column { return n.outs }

func (n *aliasNode) inputs() []*node { return []*node{&n.in} }

func (n *aliasNode) exprs() []*expr { return nil }

func (n *aliasNode) copied() node {
	c := *n
	return &c
}
