package logical

import (
	"slices"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Remote reads a table of an attached database, or several that are joined. Rules push into it what that computes with
// the same meaning: conditions, then groups, then an order and a limit.
type Remote struct {
	In      *foreign.Attached
	Tables  []*foreign.Table
	Cols    []*Column // all columns of the tables, table after table
	Filters []*Expr   // of joined tables also how they are joined
	Group   *Group    // its In is not set; nil: none
	Order   []SortKey
	Count   int64 // of rows after Offset; -1 = all
	Offset  int64
	Recall  float64
	Rows    float64      // estimated after Filters
	Joins   []RemoteJoin // of each of Tables but the first
	Loose   bool         // its rows may come in any order
	Bulk    bool         // and all of them are going to be read
}

// RemoteJoin is how a table is joined with those before it.
type RemoteJoin struct {
	Outer bool    // rows without a partner are given with NULLs
	On    []*Expr // which rows of the table are partners
}

func (n *Remote) Columns() []*Column {
	if n.Group != nil {
		return n.Group.Columns()
	}
	return n.Cols
}

func (n *Remote) Inputs() []*Node { return nil }

func (n *Remote) Exprs() []*Expr {
	out := slices.Clone(n.Filters)
	for _, j := range n.Joins {
		out = append(out, j.On...)
	}
	if n.Group != nil {
		out = append(out, n.Group.Exprs()...)
	}
	for _, k := range n.Order {
		out = append(out, k.Expr)
	}
	return out
}

func (n *Remote) Copied() Node {
	c := *n
	c.Filters, c.Order = slices.Clip(c.Filters), slices.Clip(c.Order)
	return &c
}

// Whole reports whether the node stands for rows of the table, of which more can be asked.
func (n *Remote) Whole() bool { return n.Group == nil && n.Count < 0 && n.Offset == 0 }

// Renders reports whether the database computes e as Lupa does.
func (n *Remote) Renders(e *Expr) bool {
	x, ok := n.Foreign(e, nil)
	return ok && n.In.Database.Renders(n.Tables, x)
}

// Orders reports whether the database sorts by e as Lupa does.
func (n *Remote) Orders(e *Expr) bool {
	x, ok := n.Foreign(e, nil)
	return ok && n.In.Database.Renders(n.Tables, x) && n.In.Database.Orders(n.Tables, x)
}

// Foreign is e as the database is asked for it. What has one value in a run becomes a
// parameter: params, if not nil, gets it. ok is false for what no database is asked for.
func (n *Remote) Foreign(e *Expr, params *[]*Expr) (*foreign.Expr, bool) {
	if !e.Varies() {
		x := &foreign.Expr{Op: foreign.OpParam, Type: e.Type}
		if params != nil { // equal ones are one parameter: what is grouped by has to look like what is asked for
			key := e.Key()
			if x.Param = slices.IndexFunc(*params, func(p *Expr) bool { return p.Key() == key }); x.Param < 0 {
				x.Param = len(*params)
				*params = append(*params, e)
			}
		}
		return x, true
	}
	out := &foreign.Expr{Type: e.Type}
	args := e.Args
	switch e.Op {
	case OpColumn:
		if n.Group != nil {
			return n.grouped(e, params)
		}
		i := slices.Index(n.Cols, e.Column)
		if i < 0 {
			return nil, false
		}
		out.Op = foreign.OpColumn
		out.Table, out.Column = n.place(i)
		return out, true
	case OpAnd:
		out.Op = foreign.OpAnd
	case OpOr:
		out.Op = foreign.OpOr
	case OpCase:
		out.Op = foreign.OpCase
	case OpCoalesce:
		out.Op = foreign.OpCoalesce
	case OpIn:
		if e.Set == nil {
			return nil, false
		}
		out.Op, out.Not = foreign.OpIn, e.Not
		args = slices.Clone(args[:1])
		for _, v := range e.Set.Values() {
			c := Constant(v, e.Pos, v.String())
			c.Type = args[0].Type
			args = append(args, c)
		}
	case OpScore:
		out.Op, out.Metric, out.Negate, out.FromOne = foreign.OpScore, e.Measure.Metric, e.Measure.Negate, e.Measure.FromOne
	case OpCall:
		out.Op, out.Func = foreign.OpCall, e.Call.Func.Name
		args = slices.Clone(args)
		for i, a := range args {
			// Where the function converts an argument, the other database gets it converted,
			// or is not asked.
			if i < len(e.Call.Params) && a.Type.Kind != e.Call.Params[i].Kind {
				if a.Varies() {
					return nil, false
				}
				c, err := CastRows(a, e.Call.Params[i], fn.Explicit)
				if err != nil {
					return nil, false
				}
				args[i] = c
			}
		}
	default:
		return nil, false
	}
	for _, a := range args {
		x, ok := n.Foreign(a, params)
		if !ok {
			return nil, false
		}
		out.Args = append(out.Args, x)
	}
	return out, true
}

// place returns which column of which table a column is.
func (n *Remote) place(i int) (table, column int) {
	for i >= len(n.Tables[table].Columns) {
		i -= len(n.Tables[table].Columns)
		table++
	}
	return table, i
}

// grouped is a column of the groups.
func (n *Remote) grouped(e *Expr, params *[]*Expr) (*foreign.Expr, bool) {
	g := n.Group
	of := *n
	of.Group = nil
	if i := slices.Index(g.KeyCols, e.Column); i >= 0 {
		return of.Foreign(g.Keys[i], params)
	}
	if i := slices.Index(g.AggCols, e.Column); i >= 0 {
		return of.Aggregate(g.Aggs[i], e.Type, params)
	}
	return nil, false
}

// Aggregate is an aggregate as the database is asked for it.
func (n *Remote) Aggregate(a *Aggregate, t value.Type, params *[]*Expr) (*foreign.Expr, bool) {
	if len(a.More) > 0 {
		return nil, false
	}
	out := &foreign.Expr{Op: foreign.OpAgg, Type: t, Func: a.Call.Func.Name, Distinct: a.Distinct}
	if a.Arg != nil {
		x, ok := n.Foreign(a.Arg, params)
		if !ok {
			return nil, false
		}
		out.Args = []*foreign.Expr{x}
	}
	if a.Filter != nil {
		var ok bool
		if out.Filter, ok = n.Foreign(a.Filter, params); !ok {
			return nil, false
		}
	}
	return out, true
}
