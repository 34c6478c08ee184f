package bind

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// window binds the call of a function with OVER.
func (b *Binder) window(s *Scope, e *parse.Call, name string) (*logical.Expr, error) {
	if !s.windows {
		where := "here"
		if s.Inside != "" {
			where = "in " + s.Inside
		}
		err := parse.Errorf(e.Pos, "%s OVER is a window function and can't be used %s", name, where)
		if s.Inside == "WHERE" || s.Inside == "HAVING" {
			return nil, err.WithHint("QUALIFY has conditions on window functions")
		}
		return nil, err
	}
	inner := *s
	inner.windows, inner.Inside = false, "a window function"
	w := &logical.WindowCall{Text: b.texts.Of(e)}
	switch {
	case fn.IsAggregate(name):
		switch {
		case e.Distinct:
			return nil, parse.Errorf(e.Pos, "DISTINCT is not supported in a window function").WithHint("compute it per group in a subquery with GROUP BY, and join that")
		case e.Within || len(e.OrderBy) > 0:
			return nil, parse.Errorf(e.Pos, "an ORDER BY of the aggregate is not supported in a window function").WithHint("%s(...) OVER (ORDER BY ...)", name)
		}
		plain := *e
		plain.Over = nil
		nested := inner
		nested.aggregates, nested.nested = true, s.aggregates
		x, err := b.aggregate(&nested, &plain, name)
		if err != nil {
			return nil, err
		}
		w.Aggregate = x.Aggregate
		w.Call = &fn.WindowCall{Func: x.Aggregate.Call.Func, Result: x.Type}
	case fn.IsWindow(name):
		switch {
		case e.Distinct || e.Star || len(e.OrderBy) > 0 || e.Within:
			return nil, parse.Errorf(e.Pos, "%s takes plain arguments", name)
		case e.Filter != nil:
			return nil, parse.Errorf(e.Pos, "FILTER is for aggregates; %s is not one", name)
		}
		args, err := b.Exprs(&inner, e.Args)
		if err != nil {
			return nil, err
		}
		types := make([]fn.ArgType, len(args))
		for i, a := range args {
			types[i] = logical.ArgType(a)
		}
		if w.Call, err = fn.ResolveWindow(name, types); err != nil {
			return nil, logical.ErrorAt(e.Pos, err)
		}
		for i, a := range args {
			if a, err = b.castTo(a, w.Call.Params[i], fn.Implicit); err != nil {
				return nil, err
			}
			w.Args = append(w.Args, a)
		}
	default:
		return nil, parse.Errorf(e.Pos, "%s is no window function and no aggregate", name).WithHint("such are row_number, rank, lag, sum and count")
	}
	if err := b.windowOf(&inner, e.Over, w); err != nil {
		return nil, err
	}
	out := &logical.Expr{Op: logical.OpWindow, Type: w.Call.Result, Pos: e.Pos, Window: w, Text: b.texts.Of(e)}
	switch {
	case len(w.Args) > 0 && out.Type.Kind == value.Vector:
		out.Encoding = w.Args[0].Encoding
	case w.Aggregate != nil && w.Aggregate.Arg != nil && out.Type.Kind == value.Vector:
		out.Encoding = w.Aggregate.Arg.Encoding
	}
	return out, nil
}

// definition returns what OVER, or a definition of WINDOW, says, with what it takes from
// the window that it names.
func (b *Binder) definition(s *Scope, o *parse.Window, before int) (*parse.Window, error) {
	if o.Name.Name == "" {
		return o, nil
	}
	for i := before - 1; i >= 0; i-- {
		n := &s.named[i]
		if !o.Name.Means(n.Name.Name) {
			continue
		}
		base, err := b.definition(s, n.Window, i)
		if err != nil || !o.Paren {
			return base, err
		}
		switch {
		case len(o.Partition) > 0:
			return nil, parse.Errorf(o.Pos, "the partitions of window %s can't be changed", n.Name.Name)
		case len(o.OrderBy) > 0 && len(base.OrderBy) > 0:
			return nil, parse.Errorf(o.Pos, "the order of window %s can't be changed", n.Name.Name)
		case base.Frame != nil:
			return nil, parse.Errorf(o.Pos, "window %s has a frame, and can't be completed", n.Name.Name).WithHint("OVER %s, without parentheses, takes it as it is", n.Name.Name)
		}
		c := *base
		c.Pos, c.Frame = o.Pos, o.Frame
		if len(o.OrderBy) > 0 {
			c.OrderBy = o.OrderBy
		}
		return &c, nil
	}
	return nil, parse.Errorf(o.Name.Pos, "no window %q", o.Name.Name).WithHint("WINDOW %s AS (PARTITION BY ...) comes after HAVING", o.Name.Name)
}

// windowOf binds what OVER says.
func (b *Binder) windowOf(s *Scope, o *parse.Window, w *logical.WindowCall) error {
	o, err := b.definition(s, o, len(s.named))
	if err != nil {
		return err
	}
	if w.Partition, err = b.Exprs(s, o.Partition); err != nil {
		return err
	}
	for i := range o.OrderBy {
		it := &o.OrderBy[i]
		x, err := b.Expr(s, it.Expr)
		if err != nil {
			return err
		}
		k, err := b.sortKeyOf(it, x)
		if err != nil {
			return err
		}
		w.Order = append(w.Order, k)
	}
	w.Frame = logical.Frame{StartKind: parse.UnboundedPreceding, EndKind: parse.CurrentRow, Pos: o.Pos}
	if o.Frame == nil {
		return nil
	}
	f := o.Frame
	w.Frame = logical.Frame{Unit: f.Unit, StartKind: f.Start.Kind, EndKind: f.End.Kind, Exclude: f.Exclude, Pos: f.Pos}
	if f.Unit == parse.FrameGroups && len(w.Order) == 0 {
		return parse.Errorf(f.Pos, "GROUPS needs an ORDER BY in the window")
	}
	offset := func(at parse.FrameBound) (*logical.Expr, error) {
		if at.Offset == nil {
			return nil, nil
		}
		t := logical.IntType
		if f.Unit == parse.FrameRange {
			if len(w.Order) != 1 {
				return nil, parse.Errorf(f.Pos, "RANGE with a distance needs an ORDER BY of one number")
			}
			switch t = w.Order[0].Expr.Type; t.Kind {
			case value.Integer, value.Real:
			default:
				err := parse.Errorf(f.Pos, "RANGE with a distance needs an ORDER BY of one number, not %v", t)
				if t.Kind == value.Timestamp {
					return nil, err.WithHint("ORDER BY extract(epoch FROM %s) RANGE BETWEEN 5 PRECEDING ... counts seconds", w.Order[0].Expr)
				}
				return nil, err
			}
		}
		x, err := b.Expr(&Scope{Inside: "a frame", outer: s.outer}, at.Offset)
		if err != nil {
			return nil, err
		}
		if t.Kind == value.Integer && x.Type.Kind == value.Real {
			if f.Unit != parse.FrameRange {
				return nil, parse.Errorf(at.Pos, "a frame counts whole rows, not %s", at.Offset)
			}
			return nil, parse.Errorf(at.Pos, "the distance has to be an INTEGER, as %s is", w.Order[0].Expr)
		}
		if x, err = b.castTo(x, t, fn.Implicit); err != nil {
			return nil, err
		}
		if !logical.Fixed(x) {
			return nil, parse.Errorf(at.Pos, "the distance of a frame can't differ from row to row")
		}
		return x, nil
	}
	if w.Frame.Start, err = offset(f.Start); err != nil {
		return err
	}
	w.Frame.End, err = offset(f.End)
	return err
}

// checkWindows binds the definitions of WINDOW, used or not, so that their errors are told.
func (b *Binder) checkWindows(s *Scope) error {
	for i := range s.named {
		n := &s.named[i]
		for k := range i {
			if n.Name.Means(s.named[k].Name.Name) {
				return parse.Errorf(n.Pos, "WINDOW names %q twice", n.Name.Name)
			}
		}
		def, err := b.definition(s, n.Window, i)
		if err == nil {
			inner := *s
			inner.aggregates, inner.windows, inner.Inside = true, false, "a window"
			inner.named = nil
			err = b.windowOf(&inner, def.Alone(), &logical.WindowCall{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// windowing gives the window functions of expressions columns.
type windowing struct {
	b     *Binder
	in    logical.Node
	cols  map[string]*logical.Column
	nodes []*logical.Window
}

// replace returns e with window functions as columns.
func (w *windowing) replace(e *logical.Expr) *logical.Expr {
	return e.Rewrite(func(x *logical.Expr) *logical.Expr {
		if x.Op != logical.OpWindow {
			return nil
		}
		k := x.Key()
		c := w.cols[k]
		if c == nil {
			c = &logical.Column{Name: x.Text, Type: x.Type, Encoding: x.Encoding, Array: x.Array, Rank: w.b.rankOf(x)}
			w.cols[k] = c
			w.add(x.Window, c)
		}
		r := logical.ColumnExpr(c, x.Pos)
		r.Text = x.Text
		return r
	})
}

// add puts a call beside those over the same window.
func (w *windowing) add(call *logical.WindowCall, c *logical.Column) {
	at := slices.IndexFunc(w.nodes, func(n *logical.Window) bool { return logical.SameWindow(n.Calls[0], call) })
	if at < 0 {
		n := &logical.Window{In: w.in, Partition: call.Partition, Order: call.Order}
		w.in = n
		w.nodes = append(w.nodes, n)
		at = len(w.nodes) - 1
	}
	n := w.nodes[at]
	n.Calls, n.Outs = append(n.Calls, call), append(n.Outs, c)
}

// windowRank is what the values of a window function are for ORDER BY: what they are taken
// from, as far as they are taken as they are.
func (b *Binder) windowRank(w *logical.WindowCall) logical.Rank {
	var of *logical.Expr
	switch {
	case w.Aggregate != nil && slices.Contains([]string{"min", "max", "avg", "sum"}, strings.ToLower(w.Call.Func.Name)):
		of = w.Aggregate.Arg
	case len(w.Args) > 0 && w.Call.Kind != fn.Ntile:
		of = w.Args[0]
	}
	if of == nil {
		return logical.Ascending
	}
	return b.rankOf(of)
}
