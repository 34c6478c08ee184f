package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
)

// sortNode orders its input; with a limit it keeps only some rows.
type sortNode struct {
	in            node
	keys          []sortKey
	count, offset int64   // -1, 0 = all
	on            []*expr // DISTINCT ON: the first row for each of their values
}

// sortKey is one key of an ORDER BY.
type sortKey struct {
	expr  *expr
	order exec.Order
	text  string // with the direction taken, for EXPLAIN
}

func (n *sortNode) columns() []*column { return n.in.columns() }

func (n *sortNode) inputs() []*node { return []*node{&n.in} }

func (n *sortNode) exprs() []*expr {
	out := slices.Clone(n.on)
	for _, k := range n.keys {
		out = append(out, k.expr)
	}
	return out
}

func (n *sortNode) copied() node {
	c := *n
	c.keys = slices.Clone(c.keys)
	return &c
}
