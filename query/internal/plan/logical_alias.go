package plan

// Alias gives the columns of a subquery new identities.
type Alias struct {
	In   Node
	From []*column
	Outs []*column
}

func (n *Alias) Columns() []*column { return n.Outs }

func (n *Alias) Inputs() []*Node { return []*Node{&n.In} }

func (n *Alias) Exprs() []*Expr { return nil }

func (n *Alias) Copied() Node {
	c := *n
	return &c
}
