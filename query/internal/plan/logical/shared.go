package logical

import "github.com/lupadb/lupa/query/internal/parse"

// Shared reads the rows of a query that is run once for many uses.
type Shared struct {
	Query *SharedQuery
	Outs  []*Column
}

// SharedQuery is a query named by WITH that is run once for many uses. A statement that changes rows
// is one, too: it has no node, and runs to its end even if nobody uses what it returns.
type SharedQuery struct {
	Rel *Relation
	Def *parse.CTE
}

func (n *Shared) Columns() []*Column { return n.Outs }

func (n *Shared) Inputs() []*Node { return nil }

func (n *Shared) Exprs() []*Expr { return nil }

func (n *Shared) Copied() Node {
	c := *n
	return &c
}
