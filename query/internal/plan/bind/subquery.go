package bind

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

func (b *Binder) scalar(s *Scope, e *parse.Subquery) (*logical.Expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.Cols) != 1 {
		return nil, parse.Errorf(e.Pos, "a subquery used as a value has to give one column, this one gives %d", len(r.Cols))
	}
	q := &logical.Subquery{Op: logical.OpSubquery, Pos: e.Pos, Rel: r, Corr: corr}
	out, err := b.subquery(s, &logical.Expr{Op: q.Op, Type: r.Cols[0].Type, Pos: e.Pos, Query: q, Encoding: r.Cols[0].Encoding})
	if err == nil && r.Cols[0].Array != nil {
		out = arrayOf(out, *r.Cols[0].Array)
	}
	return out, err
}

func (b *Binder) exists(s *Scope, e *parse.Exists) (*logical.Expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	q := &logical.Subquery{Op: logical.OpExists, Pos: e.Pos, Rel: r, Corr: corr}
	return b.subquery(s, &logical.Expr{Op: q.Op, Type: logical.BoolType, Pos: e.Pos, Query: q})
}

func (b *Binder) inQuery(s *Scope, e *parse.InQuery) (*logical.Expr, error) {
	x, err := b.Expr(s, e.X)
	if err != nil {
		return nil, err
	}
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.Cols) != 1 {
		return nil, parse.Errorf(e.Pos, "the subquery of IN has to give one column, this one gives %d", len(r.Cols))
	}
	t, err := fn.Common("IN", []fn.ArgType{logical.ArgType(x), {Type: r.Cols[0].Type}})
	if err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	if x, err = b.castTo(x, t, fn.Implicit); err != nil {
		return nil, err
	}
	if r.Cols[0].Type != t {
		out := []*logical.Column{{Name: r.Cols[0].Name, Type: t}}
		n, err := b.converted(r, out)
		if err != nil {
			return nil, err
		}
		r = &logical.Relation{Node: n, Cols: n.Columns()}
	}
	q := &logical.Subquery{Op: logical.OpInQuery, Type: x.Type, Pos: e.Pos, Rel: r, Corr: corr}
	return b.subquery(s, &logical.Expr{Op: q.Op, Type: logical.BoolType, Pos: e.Pos, Args: []*logical.Expr{x}, Query: q, Not: e.Not})
}

// subquery notes a subquery bound as x: it is run once, before the query around it, or if
// it depends on the row, for its rows.
func (b *Binder) subquery(s *Scope, x *logical.Expr) (*logical.Expr, error) {
	q := x.Query
	b.Subs = append(b.Subs, q)
	if x.Op == logical.OpExists {
		q.Rel = &logical.Relation{Node: &logical.Limit{In: q.Rel.Node, Count: 1, Offset: 0}, Cols: nil}
	}
	if q.Corr != nil {
		return b.depend(x, s), nil
	}
	if x.Op == logical.OpInQuery {
		set := b.newSlot(logical.SlotQuery, &logical.Expr{Op: logical.OpInQuery, Type: logical.BoolType, Pos: x.Pos, Query: q}, logical.BoolType, x.Pos, "")
		return &logical.Expr{Op: logical.OpIn, Type: logical.BoolType, Pos: x.Pos, Args: x.Args, Slot: set.Slot, Not: x.Not}, nil
	}
	one := b.newSlot(logical.SlotQuery, x, x.Type, x.Pos, "")
	one.Encoding = x.Encoding
	return one, nil
}

// inner binds a query within an expression of scope s. corr is nil if it uses
// nothing of the queries around it.
func (b *Binder) inner(q *parse.Select, s *Scope) (r *logical.Relation, corr *logical.Correlation, err error) {
	k := &logical.Block{Up: b.Block}
	b.Block = k
	defer func() { b.Block = k.Up }()
	if r, err = b.Query(q, s, nil); err != nil {
		return nil, nil, err
	}
	// What does not depend on the row is found once.
	own := k.Steps
	k.Steps = nil
	for _, x := range own {
		if x.Of.UsesOuter(k) {
			k.Steps = append(k.Steps, x)
		} else {
			k.Up.Steps = append(k.Up.Steps, x)
		}
	}
	if k.Outer == nil {
		return r, nil, nil
	}
	corr = &logical.Correlation{Block: k, Slots: k.Outer}
	for _, x := range k.Outer {
		corr.Outer = append(corr.Outer, x.Column)
	}
	return r, corr, nil
}

// outerColumn binds a reference to a column of a query around this one.
func (b *Binder) outerColumn(c *logical.Column, ref *parse.ColumnRef) *logical.Expr {
	return b.outerSlot(c, parse.Start(ref), ref.String())
}

// depend makes e, whose subquery is q, an expression over the outer columns of q. Those
// of a query further out are slots here, too.
func (b *Binder) depend(e *logical.Expr, s *Scope) *logical.Expr {
	for _, c := range e.Query.Corr.Outer {
		if slices.Contains(s.columns, c) {
			e.Args = append(e.Args, logical.ColumnExpr(c, e.Pos))
		} else {
			e.Args = append(e.Args, b.outerSlot(c, e.Pos, c.Name))
		}
	}
	return e
}
