package plan

// RowNumbers gives the rows of a table their number as a column.
type RowNumbers struct {
	In  Node
	Num *column
}

func (n *RowNumbers) Columns() []*column { return append([]*column{n.Num}, n.In.Columns()...) }

func (n *RowNumbers) Inputs() []*Node { return []*Node{&n.In} }

func (n *RowNumbers) Exprs() []*Expr { return nil }

func (n *RowNumbers) Copied() Node {
	c := *n
	return &c
}
