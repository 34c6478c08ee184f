package plan

// distinctNode drops rows that are equal to an earlier one.
type distinctNode struct{ in node }

func (n *distinctNode) columns() []*column { return n.in.columns() }

func (n *distinctNode) inputs() []*node { return []*node{&n.in} }

func (n *distinctNode) exprs() []*expr { return nil }

func (n *distinctNode) copied() node {
	c := *n
	return &c
}
