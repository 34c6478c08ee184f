package logical

import "slices"

// Apply gives, for each row of Left, that row with each row of a query that depends on it.
type Apply struct {
	Left  Node
	Query *Subquery
	Args  []*Expr // values of the query's outer columns
	Outs  []*Column
	Outer bool // a row without any is given once, with NULLs
}

func (n *Apply) Columns() []*Column { return slices.Concat(n.Left.Columns(), n.Outs) }

func (n *Apply) Inputs() []*Node { return []*Node{&n.Left} }

func (n *Apply) Exprs() []*Expr { return n.Args }

func (n *Apply) Copied() Node {
	c := *n
	c.Args = slices.Clone(c.Args)
	return &c
}
