package logical

// RowNumbers gives the rows of a table their number as a column.
type RowNumbers struct {
	In  Node
	Num *Column
}

func (n *RowNumbers) Columns() []*Column { return append([]*Column{n.Num}, n.In.Columns()...) }

func (n *RowNumbers) Inputs() []*Node { return []*Node{&n.In} }

func (n *RowNumbers) Exprs() []*Expr { return nil }

func (n *RowNumbers) Copied() Node {
	c := *n
	return &c
}
