package logical

import (
	"slices"

	"github.com/lupadb/lupa/storage/value"
)

// RowFunc gives the rows that a function makes of its arguments, which are fixed.
type RowFunc struct {
	Name string
	Args []*Expr
	Outs []*Column
	Text string
	// Rows calls emit for each row.
	Rows func(args []value.Value, emit func(row ...value.Value) error) error
}

func (n *RowFunc) Columns() []*Column { return n.Outs }

func (n *RowFunc) Inputs() []*Node { return nil }

func (n *RowFunc) Exprs() []*Expr { return n.Args }

func (n *RowFunc) Copied() Node {
	c := *n
	c.Args = slices.Clone(c.Args)
	return &c
}
