package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
)

// joinNode joins two inputs.
type joinNode struct {
	kind parse.JoinKind
	l, r node
	on   []*expr // conditions; those that compare both sides become keys
	// set by the rules:
	lkeys, rkeys []*expr
	rest         []*expr // conditions that are no keys
}

func (n *joinNode) columns() []*column { return slices.Concat(n.l.columns(), n.r.columns()) }

func (n *joinNode) inputs() []*node { return []*node{&n.l, &n.r} }

func (n *joinNode) exprs() []*expr { return slices.Concat(n.on, n.lkeys, n.rkeys, n.rest) }

func (n *joinNode) copied() node {
	c := *n
	c.on = slices.Clip(c.on)
	return &c
}

// sides tells which inputs of a join an expression uses.
func (j *joinNode) sides(e *expr) (left, right bool) {
	l, r := j.l.columns(), j.r.columns()
	for c := range columnsOf(e) {
		left = left || slices.Contains(l, c)
		right = right || slices.Contains(r, c)
	}
	return
}
