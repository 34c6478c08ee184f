package build

import (
	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// remote builds the reading of a table of an attached database: the columns and scores that
// are wanted of it.
func (b *Builder) remote(n *logical.Remote, want []*logical.Expr) (rel, error) {
	q := &foreign.Query{Tables: n.Tables, Limit: n.Count, Offset: n.Offset, Recall: n.Recall, Bulk: n.Bulk}
	var params []*logical.Expr
	rows := *n // of the table, before they are grouped
	rows.Group = nil
	for _, f := range n.Filters {
		x, _ := rows.Foreign(f, &params)
		q.Where = append(q.Where, x)
	}
	for _, j := range n.Joins {
		of := foreign.Join{Outer: j.Outer}
		for _, e := range j.On {
			x, _ := rows.Foreign(e, &params)
			of.On = append(of.On, x)
		}
		q.Joins = append(q.Joins, of)
	}
	lay := compile.NewLayout(nil)
	var outs []*logical.Column
	out := func(e *logical.Expr, c *logical.Column) {
		x, _ := n.Foreign(e, &params)
		q.Out, outs = append(q.Out, x), append(outs, c)
	}
	if g := n.Group; g != nil {
		q.Grouped = true
		for _, k := range g.Keys {
			x, _ := rows.Foreign(k, &params)
			q.Group = append(q.Group, x)
		}
		for _, c := range n.Columns() {
			out(logical.ColumnExpr(c, parse.Pos{}), c)
		}
	} else {
		// A score is computed there, so that no vector has to come.
		for _, e := range want {
			e.Walk(func(x *logical.Expr) bool {
				if x.Op != logical.OpScore || !x.Varies() || !n.Renders(x) {
					return true
				}
				if k := x.Key(); lay.Computed[k] == nil {
					c := &logical.Column{Name: x.Text, Type: logical.RealType}
					lay.Computed[k] = c
					out(x, c)
				}
				return false
			})
		}
		need := map[*logical.Column]bool{}
		for _, e := range want {
			lay.Reduce(e).Columns(need)
		}
		for _, c := range n.Cols {
			if need[c] {
				out(logical.ColumnExpr(c, parse.Pos{}), c)
			}
		}
	}
	for _, k := range n.Order {
		x, _ := n.Foreign(k.Expr, &params)
		q.Order = append(q.Order, foreign.Order{Expr: x, Desc: k.Order.Desc, NullsFirst: k.Order.NullsFirst})
		q.Search = q.Search || k.Expr.Op == logical.OpScore
	}
	q.Order = append(q.Order, ties(n)...)
	op := &exec.Remote{In: n.In, Query: q, Ctx: &b.Fnctx, Analyze: b.Analyze}
	for _, c := range outs {
		op.Types = append(op.Types, c.Type)
	}
	for _, p := range params {
		op.Texts = append(op.Texts, p.Text)
	}
	var err error
	if op.Args, err = b.CompileAll(compile.NewLayout(nil), params); err != nil {
		return rel{}, err
	}
	final := compile.NewLayout(outs)
	final.Computed = lay.Computed
	return rel{op: b.Analyzed(op), lay: final}, nil
}

// ties are the keys of an order that decide among rows that are equal in it: the primary key.
// Of groups the one comes first whose first row does.
func ties(n *logical.Remote) []foreign.Order {
	if n.Loose && len(n.Order) == 0 && n.Count < 0 && n.Offset == 0 {
		return nil
	}
	var out []foreign.Order
	for i, t := range n.Tables {
		for _, k := range t.Key {
			x := &foreign.Expr{Op: foreign.OpColumn, Table: i, Column: k, Type: t.Columns[k].Type}
			if n.In.Database.Orders(n.Tables, x) {
				out = append(out, foreign.Order{Expr: x})
			}
		}
	}
	g := n.Group
	if g == nil {
		return out
	}
	if len(g.Keys) == 0 {
		return nil
	}
	if len(out) == 1 && len(n.Tables) == 1 {
		first := &foreign.Expr{Op: foreign.OpAgg, Func: "min", Type: out[0].Expr.Type, Args: []*foreign.Expr{out[0].Expr}}
		if n.In.Database.Renders(n.Tables, first) {
			return []foreign.Order{{Expr: first}}
		}
	}
	out = nil
	rows := *n
	rows.Group = nil
	for _, k := range g.Keys {
		if k.Op == logical.OpColumn {
			x, _ := rows.Foreign(k, nil)
			out = append(out, foreign.Order{Expr: x})
		}
	}
	return out
}
