package logical

// Recursive is a query of WITH RECURSIVE: the rows of Seed, then again and again those that Step makes
// of the rows that were new before, which a Working below it gives.
type Recursive struct {
	Seed, Step Node
	Of         *Recursion
	All        bool // UNION ALL: rows may come twice
	Outs       []*Column
}

// Recursion is what a Recursive and its Working share.
type Recursion struct {
	Name  string
	Block *Block // around it
	Uses  int
	Rows  float64 // that a Working is expected to give over all steps; 0 = not known yet
}

func (n *Recursive) Columns() []*Column { return n.Outs }

func (n *Recursive) Inputs() []*Node { return []*Node{&n.Seed, &n.Step} }

func (n *Recursive) Exprs() []*Expr { return nil }

func (n *Recursive) Copied() Node {
	c := *n
	return &c
}

// Working gives the rows that a step of a Recursive starts from.
type Working struct {
	Of   *Recursion
	Outs []*Column
}

func (n *Working) Columns() []*Column { return n.Outs }

func (n *Working) Inputs() []*Node { return nil }

func (n *Working) Exprs() []*Expr { return nil }

func (n *Working) Copied() Node {
	c := *n
	return &c
}
