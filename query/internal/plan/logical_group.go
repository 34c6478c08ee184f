package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
)

// aggNode groups its input.
type aggNode struct {
	in      node
	keys    []*expr
	keyCols []*column
	aggs    []*aggregate
	aggCols []*column
}

// aggregate is a call of an aggregate function.
type aggregate struct {
	call     *fn.AggregateCall
	arg      *expr   // nil for count(*)
	more     []*expr // further arguments, then what the rows are ordered by
	distinct bool
	filter   *expr // FILTER (WHERE ...), or nil
}

// parts returns the expressions of an aggregate.
func (a *aggregate) parts() []*expr {
	var out []*expr
	if a.arg != nil {
		out = append(out, a.arg)
	}
	out = append(out, a.more...)
	if a.filter != nil {
		out = append(out, a.filter)
	}
	return out
}

// mapped returns a with f of each of its parts.
func (a *aggregate) mapped(f func(*expr) *expr) *aggregate {
	c := *a
	if a.arg != nil {
		c.arg = f(a.arg)
	}
	c.more = make([]*expr, len(a.more))
	for i, x := range a.more {
		c.more[i] = f(x)
	}
	if a.filter != nil {
		c.filter = f(a.filter)
	}
	return &c
}

func (n *aggNode) columns() []*column { return slices.Concat(n.keyCols, n.aggCols) }

func (n *aggNode) inputs() []*node { return []*node{&n.in} }

func (n *aggNode) exprs() []*expr {
	out := slices.Clone(n.keys)
	for _, a := range n.aggs {
		out = append(out, a.parts()...)
	}
	return out
}

func (n *aggNode) copied() node {
	c := *n
	c.keys, c.aggs = slices.Clone(c.keys), slices.Clone(c.aggs)
	return &c
}
