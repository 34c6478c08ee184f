package logical

// Distinct drops rows that are equal to an earlier one.
type Distinct struct{ In Node }

func (n *Distinct) Columns() []*Column { return n.In.Columns() }

func (n *Distinct) Inputs() []*Node { return []*Node{&n.In} }

func (n *Distinct) Exprs() []*Expr { return nil }

func (n *Distinct) Copied() Node {
	c := *n
	return &c
}
