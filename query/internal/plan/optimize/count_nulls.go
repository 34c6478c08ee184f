package optimize

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// countNulls counts the rows where a column is not NULL instead of its values, if nothing
// else of the column is needed: so that its values are not read.
func countNulls(f *Facts, n logical.Node) (logical.Node, error) {
	g, ok := n.(*logical.Group)
	if !ok {
		return n, nil
	}
	scan := scanBelow(g.In)
	if scan == nil {
		return n, nil
	}
	// The columns whose values something else needs.
	values := map[*logical.Column]bool{}
	note := func(es ...*logical.Expr) {
		for _, e := range es {
			if e == nil {
				continue
			}
			e.Walk(func(x *logical.Expr) bool {
				if x.Op == logical.OpColumn {
					values[x.Column] = true
				}
				c, _ := logical.NullTest(x)
				return c == nil
			})
		}
	}
	note(g.Keys...)
	for in := g.In; in != logical.Node(scan); in = in.(*logical.Filter).In {
		note(in.(*logical.Filter).Conds...)
	}
	note(scan.Filters...)
	counts := func(a *logical.Aggregate) bool {
		return a.Call.Func.Name == "count" && !a.Distinct && len(a.More) == 0 && a.Arg != nil && a.Arg.Op == logical.OpColumn
	}
	for _, a := range g.Aggs {
		note(a.Filter)
		note(a.More...)
		if !counts(a) {
			note(a.Arg)
		}
	}
	for i, a := range g.Aggs {
		if !counts(a) || values[a.Arg.Column] {
			continue
		}
		call, err := fn.ResolveAggregate("count", nil, nil)
		if err != nil {
			return nil, err
		}
		c := *a
		c.Call, c.Arg = call, nil
		if scan.Table.Def().Columns[a.Arg.Column.Ord].NotNull {
			g.Aggs[i] = &c
			continue
		}
		is, err := logical.CallRows("is not null", a.Arg.Pos, a.Arg)
		if err != nil {
			return nil, err
		}
		if is.Text = a.Arg.Text + " IS NOT NULL"; a.Filter == nil {
			c.Filter = is
		} else {
			c.Filter = &logical.Expr{Op: logical.OpAnd, Type: logical.BoolType, Pos: is.Pos, Args: []*logical.Expr{a.Filter, is}, Text: a.Filter.Text + " AND " + is.Text}
		}
		g.Aggs[i] = &c
	}
	return g, nil
}

// scanBelow returns the scan that a plan consists of but for conditions, or nil.
func scanBelow(n logical.Node) *logical.Scan {
	for {
		switch in := n.(type) {
		case *logical.Filter:
			n = in.In
		case *logical.Scan:
			return in
		default:
			return nil
		}
	}
}
