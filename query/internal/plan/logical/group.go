package logical

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
)

// Group groups its input.
type Group struct {
	In      Node
	Keys    []*Expr
	KeyCols []*Column
	Aggs    []*Aggregate
	AggCols []*Column
}

// Aggregate is a call of an aggregate function.
type Aggregate struct {
	Call     *fn.AggregateCall
	Arg      *Expr   // nil for count(*)
	More     []*Expr // further arguments, then what the rows are ordered by
	Distinct bool
	Filter   *Expr // FILTER (WHERE ...), or nil
}

// Parts returns the expressions of an aggregate.
func (a *Aggregate) Parts() []*Expr {
	var out []*Expr
	if a.Arg != nil {
		out = append(out, a.Arg)
	}
	out = append(out, a.More...)
	if a.Filter != nil {
		out = append(out, a.Filter)
	}
	return out
}

// Mapped returns a with f of each of its parts.
func (a *Aggregate) Mapped(f func(*Expr) *Expr) *Aggregate {
	c := *a
	if a.Arg != nil {
		c.Arg = f(a.Arg)
	}
	c.More = make([]*Expr, len(a.More))
	for i, x := range a.More {
		c.More[i] = f(x)
	}
	if a.Filter != nil {
		c.Filter = f(a.Filter)
	}
	return &c
}

func (n *Group) Columns() []*Column { return slices.Concat(n.KeyCols, n.AggCols) }

func (n *Group) Inputs() []*Node { return []*Node{&n.In} }

func (n *Group) Exprs() []*Expr {
	out := slices.Clone(n.Keys)
	for _, a := range n.Aggs {
		out = append(out, a.Parts()...)
	}
	return out
}

func (n *Group) Copied() Node {
	c := *n
	c.Keys, c.Aggs = slices.Clone(c.Keys), slices.Clone(c.Aggs)
	return &c
}
