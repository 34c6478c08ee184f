package bind

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// fullJoin is a LEFT JOIN followed by the rows of the right side that have no partner.
func (b *Binder) fullJoin(t *parse.Join, s *Scope, l, r *logical.Relation) (*logical.Relation, error) {
	left := *t
	left.Kind = parse.LeftJoin
	with, err := b.joined(&left, s, l, r)
	if err != nil {
		return nil, err
	}
	l2, err := b.from(t.Left, s)
	if err != nil {
		return nil, err
	}
	r2, err := b.from(t.Right, s)
	if err != nil {
		return nil, err
	}
	found := &logical.Column{Name: "found", Type: logical.BoolType}
	marked := &logical.Project{In: l2.Node, Items: []*logical.Expr{logical.Constant(value.Bool(true), parse.Pos{}, "TRUE")}, Outs: []*logical.Column{found}}
	for _, c := range l2.Cols {
		x := *c
		marked.Items, marked.Outs = append(marked.Items, logical.ColumnExpr(c, parse.Pos{})), append(marked.Outs, &x)
	}
	above := &logical.Relation{Node: marked, Cols: marked.Outs[1:]}
	right := *t
	right.Kind = parse.RightJoin
	without, err := b.joined(&right, s, above, r2)
	if err != nil {
		return nil, err
	}
	alone, err := b.apply("is null", parse.Pos{}, logical.ColumnExpr(found, parse.Pos{}))
	if err != nil {
		return nil, err
	}
	alone.Text = "no row of the left side"
	// The columns of USING are those of the side that has the row.
	n := &logical.Union{}
	p, q := &logical.Project{In: with.Node}, &logical.Project{In: &logical.Filter{In: without.Node, Conds: []*logical.Expr{alone}}}
	add := func(c *logical.Column, x, y *logical.Expr) {
		out := *c
		used := slices.ContainsFunc(t.Using, func(u parse.Ident) bool { return u.Means(c.Name) })
		if used && c.Table == "" { // that of a FULL JOIN before: it is a part of the column of this one
			return
		}
		out.Merged, out.Absent = out.Merged || used, true
		n.Outs = append(n.Outs, &out)
		p.Items, p.Outs = append(p.Items, x), append(p.Outs, &logical.Column{Name: c.Name, Type: c.Type})
		q.Items, q.Outs = append(q.Items, y), append(q.Outs, &logical.Column{Name: c.Name, Type: c.Type})
	}
	null := func(c *logical.Column) *logical.Expr {
		return &logical.Expr{Op: logical.OpConst, Type: c.Type, Text: "NULL"}
	}
	for i, u := range t.Using {
		lc, rc := with.Cols[i], without.Cols[i]
		merged := *lc
		merged.Table, merged.Merged = "", false
		n.Outs = append(n.Outs, &merged)
		p.Items, p.Outs = append(p.Items, logical.ColumnExpr(lc, u.Pos)), append(p.Outs, &logical.Column{Name: lc.Name, Type: lc.Type})
		q.Items, q.Outs = append(q.Items, logical.ColumnExpr(rc, u.Pos)), append(q.Outs, &logical.Column{Name: lc.Name, Type: lc.Type})
	}
	for _, c := range l.Cols {
		add(c, logical.ColumnExpr(c, parse.Pos{}), null(c))
	}
	for i, c := range r.Cols {
		add(c, logical.ColumnExpr(c, parse.Pos{}), logical.ColumnExpr(r2.Cols[i], parse.Pos{}))
	}
	n.Ins = []logical.Node{p, q}
	return &logical.Relation{Node: n, Cols: n.Outs}, nil
}

// lateral returns what t reads as a query that may use the tables before it: LATERAL (...),
// and a function of values.
func lateral(t parse.TableExpr) *parse.SubqueryTable {
	switch t := t.(type) {
	case *parse.SubqueryTable:
		if t.Lateral {
			return t
		}
	case *parse.TableFunc:
		name := strings.ToLower(t.Func.Name)
		uses := false
		parse.Walk(t, func(n parse.Node) bool {
			_, ref := n.(*parse.ColumnRef)
			uses = uses || ref
			return true
		})
		if rowFuncs[name] == nil || !uses {
			return nil
		}
		inner := *t
		inner.Alias, inner.Columns = parse.Ident{}, nil
		body := &parse.Core{Pos: t.Pos, Items: []parse.SelectItem{{Pos: t.Pos, Star: true}}, From: &inner}
		out := &parse.SubqueryTable{Pos: t.Pos, Lateral: true, Query: &parse.Select{Pos: t.Pos, Body: body}, Alias: t.Alias, Columns: t.Columns}
		if out.Alias.Name == "" {
			out.Alias = parse.Ident{Pos: t.Pos, Name: name}
		} else if len(t.Columns) == 0 && rowFuncs[name].one && len(beside(t)) == 1 {
			out.Columns = []parse.Ident{t.Alias}
		}
		return out
	}
	return nil
}

// apart binds a join with a query that uses columns of the tables before it, which is run for
// each of their rows. It returns nil if the query uses none.
func (b *Binder) apart(t *parse.Join, q *parse.SubqueryTable, l *logical.Relation, s *Scope) (*logical.Relation, error) {
	if t.Kind == parse.RightJoin || t.Kind == parse.FullJoin {
		return nil, parse.Errorf(t.Pos, "what is LATERAL can't be joined by RIGHT or FULL JOIN")
	}
	around := &Scope{columns: l.Cols, outer: s.outer}
	r, corr, err := b.inner(q.Query, around)
	if err != nil {
		return nil, err
	}
	if corr == nil {
		rel, err := aliased(r, q.Alias.Name, q.Columns)
		if err != nil {
			return nil, err
		}
		return b.joined(t, s, l, rel)
	}
	if t.Kind == parse.LeftJoin && t.On != nil && !isTrue(t.On) {
		// Rows that don't meet the condition are none of the query's.
		in := *q
		in.Lateral = false
		body := &parse.Core{Pos: q.Pos, Items: []parse.SelectItem{{Pos: q.Pos, Star: true}}, From: &in, Where: t.On}
		join := *t
		join.On = &parse.Literal{Pos: parse.Start(t.On), Value: value.Bool(true)}
		return b.apart(&join, &parse.SubqueryTable{Pos: q.Pos, Lateral: true, Query: &parse.Select{Pos: q.Pos, Body: body}, Alias: q.Alias}, l, s)
	}
	sub := &logical.Subquery{Op: logical.OpExists, Pos: q.Pos, Rel: r, Corr: corr, Lateral: true}
	b.Subs = append(b.Subs, sub)
	n := &logical.Apply{Left: l.Node, Query: sub, Outer: t.Kind == parse.LeftJoin}
	n.Args = b.depend(&logical.Expr{Query: sub, Pos: q.Pos}, around).Args
	for _, c := range r.Cols {
		x := *c
		x.Table, x.Merged, x.Hidden = q.Alias.Name, false, false
		if f, ok := t.Right.(*parse.TableFunc); ok {
			x.Scalar = rowFuncs[strings.ToLower(f.Func.Name)].scalar && len(beside(f)) == 1
		}
		n.Outs = append(n.Outs, &x)
	}
	if n.Outer {
		absent(n.Outs)
	}
	if err := rename(n.Outs, q.Columns); err != nil {
		return nil, err
	}
	for _, c := range l.Cols {
		if q.Alias.Name != "" && c.Table == q.Alias.Name {
			return nil, parse.Errorf(t.Right.Position(), "two tables are called %q here; give one another name: %s AS x", c.Table, c.Table)
		}
	}
	if len(t.Using) > 0 {
		return nil, parse.Errorf(t.Using[0].Pos, "USING beside LATERAL is not supported").WithHint("put the condition into the query's WHERE")
	}
	out := &logical.Relation{Node: n, Cols: append(append([]*logical.Column(nil), l.Cols...), n.Outs...)}
	if t.On == nil {
		return out, nil
	}
	on, err := b.condition(&Scope{columns: out.Cols, outer: s.outer, Inside: "ON"}, t.On, "ON")
	if err != nil {
		return nil, err
	}
	if logical.IsConst(on) && on.Value.Kind() == value.Boolean && on.Value.Bool() {
		return out, nil
	}
	out.Node = &logical.Filter{In: n, Conds: logical.Conjuncts(on, nil)}
	return out, nil
}

func isTrue(e parse.Expr) bool {
	l, ok := e.(*parse.Literal)
	return ok && l.Value.Kind() == value.Boolean && l.Value.Bool()
}
