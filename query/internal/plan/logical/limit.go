package logical

// Limit leaves out rows.
type Limit struct {
	In            Node
	Count, Offset int64
}

func (n *Limit) Columns() []*Column { return n.In.Columns() }

func (n *Limit) Inputs() []*Node { return []*Node{&n.In} }

func (n *Limit) Exprs() []*Expr { return nil }

func (n *Limit) Copied() Node {
	c := *n
	return &c
}
