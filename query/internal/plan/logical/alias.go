package logical

// Alias gives the columns of a subquery new identities.
type Alias struct {
	In   Node
	From []*Column
	Outs []*Column
}

func (n *Alias) Columns() []*Column { return n.Outs }

func (n *Alias) Inputs() []*Node { return []*Node{&n.In} }

func (n *Alias) Exprs() []*Expr { return nil }

func (n *Alias) Copied() Node {
	c := *n
	return &c
}
