package logical

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// Window gives each of its input's rows, in their order, with what functions make of the
// rows around it: those of its partition, in an order.
type Window struct {
	In        Node
	Partition []*Expr
	Order     []SortKey
	Calls     []*WindowCall
	Outs      []*Column // what the calls give
}

// WindowCall is the call of a function over a window.
type WindowCall struct {
	Call      *fn.WindowCall // of Kind WindowAggregate: Aggregate
	Args      []*Expr
	Aggregate *Aggregate
	Partition []*Expr
	Order     []SortKey
	Frame     Frame
	Text      string // as written
}

// Frame is the frame of a window. Start and End are set where their kind has an offset;
// they are fixed.
type Frame struct {
	Unit               parse.FrameUnit
	StartKind, EndKind parse.BoundKind
	Start, End         *Expr
	Exclude            parse.FrameExclude
	Pos                parse.Pos
}

// WholePartition reports whether the frame of each row is its partition.
func (f *Frame) WholePartition(ordered bool) bool {
	if f.Exclude != parse.ExcludeNothing || f.StartKind != parse.UnboundedPreceding {
		return false
	}
	return f.EndKind == parse.UnboundedFollowing || !ordered && f.Unit == parse.FrameRange && f.EndKind == parse.CurrentRow
}

// Parts returns the expressions of a call.
func (w *WindowCall) Parts() []*Expr {
	out := slices.Concat(w.Args, w.Partition)
	for _, k := range w.Order {
		out = append(out, k.Expr)
	}
	if w.Aggregate != nil {
		out = append(out, w.Aggregate.Parts()...)
	}
	return append(out, w.Frame.offsets()...)
}

func (f *Frame) offsets() (out []*Expr) {
	if f.Start != nil {
		out = append(out, f.Start)
	}
	if f.End != nil {
		out = append(out, f.End)
	}
	return out
}

// Mapped returns w with f of each of its parts.
func (w *WindowCall) Mapped(f func(*Expr) *Expr) *WindowCall {
	c := *w
	c.Args, c.Partition, c.Order = mapAll(w.Args, f), mapAll(w.Partition, f), slices.Clone(w.Order)
	for i := range c.Order {
		c.Order[i].Expr = f(c.Order[i].Expr)
	}
	if w.Aggregate != nil {
		c.Aggregate = w.Aggregate.Mapped(f)
	}
	if w.Frame.Start != nil {
		c.Frame.Start = f(w.Frame.Start)
	}
	if w.Frame.End != nil {
		c.Frame.End = f(w.Frame.End)
	}
	return &c
}

func mapAll(es []*Expr, f func(*Expr) *Expr) []*Expr {
	out := make([]*Expr, len(es))
	for i, e := range es {
		out[i] = f(e)
	}
	return out
}

// SameWindow reports whether two calls are over the same rows in the same order.
func SameWindow(a, b *WindowCall) bool {
	return slices.EqualFunc(a.Partition, b.Partition, func(x, y *Expr) bool { return x.Key() == y.Key() }) &&
		slices.EqualFunc(a.Order, b.Order, func(x, y SortKey) bool { return x.Order == y.Order && x.Expr.Key() == y.Expr.Key() })
}

func (n *Window) Columns() []*Column { return slices.Concat(n.In.Columns(), n.Outs) }

func (n *Window) Inputs() []*Node { return []*Node{&n.In} }

func (n *Window) Exprs() []*Expr {
	out := slices.Clone(n.Partition)
	for _, k := range n.Order {
		out = append(out, k.Expr)
	}
	for _, c := range n.Calls {
		out = append(out, c.Parts()...)
	}
	return out
}

func (n *Window) Copied() Node {
	c := *n
	c.Partition, c.Order, c.Calls = slices.Clone(c.Partition), slices.Clone(c.Order), slices.Clone(c.Calls)
	return &c
}
