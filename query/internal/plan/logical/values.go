package logical

import "slices"

// Values is a list of rows. With no outs and one row it is what a SELECT
// without FROM reads.
type Values struct {
	Rows [][]*Expr
	Outs []*Column
}

func (n *Values) Columns() []*Column { return n.Outs }

func (n *Values) Inputs() []*Node { return nil }

func (n *Values) Exprs() []*Expr { return slices.Concat(n.Rows...) }

func (n *Values) Copied() Node {
	c := *n
	return &c
}
