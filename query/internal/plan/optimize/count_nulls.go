package optimize

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// countNulls counts the rows where a column is not NULL instead of its values, if nothing
// else of the column is needed: so that its values are not read.
func countNulls(f *Facts, n logical.Node) (logical.Node, error) {
	switch n := n.(type) {
	case *logical.Group:
		values := valuesBelow(n.In)
		noteValues(values, n.Keys...)
		for _, a := range n.Aggs {
			noteValues(values, a.Filter)
			noteValues(values, a.More...)
			if !countsColumn(a) {
				noteValues(values, a.Arg)
			}
		}
		for i, a := range n.Aggs {
			counted, err := rowsCounted(n.In, a, values)
			if err != nil {
				return nil, err
			}
			n.Aggs[i] = counted
		}
	case *logical.Window:
		values := valuesBelow(n.In)
		noteValues(values, n.Partition...)
		for _, k := range n.Order {
			noteValues(values, k.Expr)
		}
		for _, c := range n.Calls {
			a := c.Aggregate
			if a == nil || !countsColumn(a) {
				noteValues(values, c.Parts()...)
			} else {
				noteValues(values, a.Filter)
			}
		}
		for i, c := range n.Calls {
			if c.Aggregate == nil {
				continue
			}
			counted, err := rowsCounted(n.In, c.Aggregate, values)
			if err != nil {
				return nil, err
			}
			if counted != c.Aggregate {
				call := *c
				call.Aggregate = counted
				n.Calls[i] = &call
			}
		}
	}
	return n, nil
}

// countsColumn reports whether an aggregate is count(column).
func countsColumn(a *logical.Aggregate) bool {
	return a.Call.Func.Name == "count" && !a.Distinct && len(a.More) == 0 && a.Arg != nil && a.Arg.Op == logical.OpColumn
}

// rowsCounted returns a as the number of rows where its column is not NULL, if that is what it is
// and the column is one of a table whose values nothing needs; else a itself.
func rowsCounted(in logical.Node, a *logical.Aggregate, values map[*logical.Column]bool) (*logical.Aggregate, error) {
	if !countsColumn(a) || values[a.Arg.Column] {
		return a, nil
	}
	scan, outer := tableOf(in, a.Arg.Column)
	if scan == nil {
		return a, nil
	}
	call, err := fn.ResolveAggregate("count", nil, nil)
	if err != nil {
		return nil, err
	}
	c := *a
	c.Call, c.Arg = call, nil
	if !outer && scan.Table.Def().Columns[a.Arg.Column.Ord].NotNull {
		return &c, nil
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
	return &c, nil
}

// noteValues adds the columns whose values expressions need: not only whether they are NULL.
func noteValues(to map[*logical.Column]bool, es ...*logical.Expr) {
	for _, e := range es {
		if e == nil {
			continue
		}
		e.Walk(func(x *logical.Expr) bool {
			if x.Op == logical.OpColumn {
				to[x.Column] = true
			}
			c, _ := logical.NullTest(x)
			return c == nil
		})
	}
}

// valuesBelow returns the columns whose values conditions and joins need, down to tables.
func valuesBelow(n logical.Node) map[*logical.Column]bool {
	set := map[*logical.Column]bool{}
	logical.AnyNode(n, func(n logical.Node) bool {
		noteValues(set, n.Exprs()...)
		return false
	})
	return set
}

// tableOf finds the table that a column is read from, where nothing but conditions and joins are
// between; outer says that a join makes it NULL for rows that found no partner.
func tableOf(n logical.Node, c *logical.Column) (scan *logical.Scan, outer bool) {
	for {
		switch in := n.(type) {
		case *logical.Filter:
			n = in.In
		case *logical.Join:
			if logical.Gives(in.Right, c) {
				n, outer = in.Right, outer || in.Kind == parse.LeftJoin
			} else {
				n = in.Left
			}
		case *logical.Scan:
			if !logical.Gives(in, c) {
				return nil, false
			}
			return in, outer
		default:
			return nil, false
		}
	}
}
