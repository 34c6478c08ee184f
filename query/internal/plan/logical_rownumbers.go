package plan

// rowNumberNode gives the rows of a table their number as a column.
type rowNumberNode struct {
	in  node
	num *column
}

func (n *rowNumberNode) columns() []*column { return append([]*column{n.num}, n.in.columns()...) }

func (n *rowNumberNode) inputs() []*node { return []*node{&n.in} }

func (n *rowNumberNode) exprs() []*expr { return nil }

func (n *rowNumberNode) copied() node {
	c := *n
	return &c
}
