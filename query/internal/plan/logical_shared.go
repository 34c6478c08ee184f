package plan

import "github.com/lupadb/lupa/query/internal/parse"

// sharedNode reads the rows of a query that is run once for many uses.
type sharedNode struct {
	query *sharedQuery
	outs  []*column
}

// sharedQuery is a query named by WITH that is run once for many uses.
type sharedQuery struct {
	rel *relation
	def *parse.CTE
}

func (n *sharedNode) columns() []*column { return n.outs }

func (n *sharedNode) inputs() []*node { return nil }

func (n *sharedNode) exprs() []*expr { return nil }

func (n *sharedNode) copied() node {
	c := *n
	return &c
}
