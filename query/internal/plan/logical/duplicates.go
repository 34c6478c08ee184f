package logical

import "github.com/lupadb/lupa/storage"

// Duplicates gives the rows of a table whose vector is as similar to that of another row as
// Least says, in groups: rows that are similar to each other, directly or over others.
type Duplicates struct {
	Table  *storage.Table
	Column int   // the vector column
	Least  *Expr // fixed
	Outs   []*Column
	Text   string
}

func (n *Duplicates) Columns() []*Column { return n.Outs }

func (n *Duplicates) Inputs() []*Node { return nil }

func (n *Duplicates) Exprs() []*Expr { return []*Expr{n.Least} }

func (n *Duplicates) Copied() Node {
	c := *n
	return &c
}
