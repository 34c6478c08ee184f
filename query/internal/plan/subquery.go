package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

func (b *Binder) scalar(s *Scope, e *parse.Subquery) (*Expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.Cols) != 1 {
		return nil, parse.Errorf(e.Pos, "a subquery used as a value has to give one column, this one gives %d", len(r.Cols))
	}
	q := &Subquery{Op: OpSubquery, Pos: e.Pos, Rel: r, Corr: corr}
	return b.subquery(s, &Expr{Op: q.Op, Type: r.Cols[0].Type, Pos: e.Pos, Query: q, Encoding: r.Cols[0].Encoding})
}

func (b *Binder) exists(s *Scope, e *parse.Exists) (*Expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	q := &Subquery{Op: OpExists, Pos: e.Pos, Rel: r, Corr: corr}
	return b.subquery(s, &Expr{Op: q.Op, Type: BoolType, Pos: e.Pos, Query: q})
}

func (b *Binder) inQuery(s *Scope, e *parse.InQuery) (*Expr, error) {
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
	t, err := fn.Common("IN", []fn.ArgType{ArgType(x), {Type: r.Cols[0].Type}})
	if err != nil {
		return nil, ErrorAt(e.Pos, err)
	}
	if x, err = b.castTo(x, t, fn.Implicit); err != nil {
		return nil, err
	}
	if r.Cols[0].Type != t {
		out := []*column{{Name: r.Cols[0].Name, Type: t}}
		n, err := b.converted(r, out)
		if err != nil {
			return nil, err
		}
		r = &Relation{Node: n, Cols: n.Columns()}
	}
	q := &Subquery{Op: OpInQuery, Type: x.Type, Pos: e.Pos, Rel: r, Corr: corr}
	return b.subquery(s, &Expr{Op: q.Op, Type: BoolType, Pos: e.Pos, Args: []*Expr{x}, Query: q, Not: e.Not})
}

// subquery notes a subquery bound as x: it is run once, before the query around it, or if
// it depends on the row, for its rows.
func (b *Binder) subquery(s *Scope, x *Expr) (*Expr, error) {
	q := x.Query
	b.Subs = append(b.Subs, q)
	if x.Op == OpExists {
		q.Rel = &Relation{Node: &Limit{In: q.Rel.Node, Count: 1, Offset: 0}, Cols: nil}
	}
	if q.Corr != nil {
		return b.depend(x, s), nil
	}
	if x.Op == OpInQuery {
		set := b.newSlot(SlotQuery, &Expr{Op: OpInQuery, Type: BoolType, Pos: x.Pos, Query: q}, BoolType, x.Pos, "")
		return &Expr{Op: OpIn, Type: BoolType, Pos: x.Pos, Args: x.Args, Slot: set.Slot, Not: x.Not}, nil
	}
	one := b.newSlot(SlotQuery, x, x.Type, x.Pos, "")
	one.Encoding = x.Encoding
	return one, nil
}

// inner binds a query within an expression of scope s. corr is nil if it uses
// nothing of the queries around it.
func (b *Binder) inner(q *parse.Select, s *Scope) (r *Relation, corr *Correlation, err error) {
	k := &Block{Up: b.Block}
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
	corr = &Correlation{Block: k, Slots: k.Outer}
	for _, x := range k.Outer {
		corr.Outer = append(corr.Outer, x.Column)
	}
	return r, corr, nil
}

// outerColumn binds a reference to a column of a query around this one.
func (b *Binder) outerColumn(c *column, ref *parse.ColumnRef) *Expr {
	return b.outerSlot(c, parse.Start(ref), ref.String())
}

// depend makes e, whose subquery is q, an expression over the outer columns of q. Those
// of a query further out are slots here, too.
func (b *Binder) depend(e *Expr, s *Scope) *Expr {
	for _, c := range e.Query.Corr.Outer {
		if slices.Contains(s.columns, c) {
			e.Args = append(e.Args, ColumnExpr(c, e.Pos))
		} else {
			e.Args = append(e.Args, b.outerSlot(c, e.Pos, c.Name))
		}
	}
	return e
}
