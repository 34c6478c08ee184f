package logical

import "slices"

// Filter keeps the rows for which all conditions hold.
type Filter struct {
	In    Node
	Conds []*Expr
}

func (n *Filter) Columns() []*Column { return n.In.Columns() }

func (n *Filter) Inputs() []*Node { return []*Node{&n.In} }

func (n *Filter) Exprs() []*Expr { return n.Conds }

func (n *Filter) Copied() Node {
	c := *n
	c.Conds = slices.Clip(c.Conds)
	return &c
}
