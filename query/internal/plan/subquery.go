package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

func (b *binder) scalar(s *scope, e *parse.Subquery) (*expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, parse.Errorf(e.Pos, "a subquery used as a value has to give one column, this one gives %d", len(r.cols))
	}
	q := &subquery{op: opSubquery, pos: e.Pos, rel: r, corr: corr}
	return b.subquery(s, &expr{op: q.op, typ: r.cols[0].typ, pos: e.Pos, query: q, enc: r.cols[0].enc})
}

func (b *binder) exists(s *scope, e *parse.Exists) (*expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	q := &subquery{op: opExists, pos: e.Pos, rel: r, corr: corr}
	return b.subquery(s, &expr{op: q.op, typ: boolType, pos: e.Pos, query: q})
}

func (b *binder) inQuery(s *scope, e *parse.InQuery) (*expr, error) {
	x, err := b.expr(s, e.X)
	if err != nil {
		return nil, err
	}
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, parse.Errorf(e.Pos, "the subquery of IN has to give one column, this one gives %d", len(r.cols))
	}
	t, err := fn.Common("IN", []fn.ArgType{argType(x), {Type: r.cols[0].typ}})
	if err != nil {
		return nil, errorAt(e.Pos, err)
	}
	if x, err = b.castTo(x, t, fn.Implicit); err != nil {
		return nil, err
	}
	if r.cols[0].typ != t {
		out := []*column{{name: r.cols[0].name, typ: t}}
		n, err := b.converted(r, out)
		if err != nil {
			return nil, err
		}
		r = &relation{n, n.columns()}
	}
	q := &subquery{op: opInQuery, typ: x.typ, pos: e.Pos, rel: r, corr: corr}
	return b.subquery(s, &expr{op: q.op, typ: boolType, pos: e.Pos, args: []*expr{x}, query: q, not: e.Not})
}

// subquery notes a subquery bound as x: it is run once, before the query around it, or if
// it depends on the row, for its rows.
func (b *binder) subquery(s *scope, x *expr) (*expr, error) {
	q := x.query
	b.subs = append(b.subs, q)
	if x.op == opExists {
		q.rel = &relation{&limitNode{q.rel.node, 1, 0}, nil}
	}
	if q.corr != nil {
		return b.depend(x, s), nil
	}
	if x.op == opInQuery {
		set := b.newSlot(slotQuery, &expr{op: opInQuery, typ: boolType, pos: x.pos, query: q}, boolType, x.pos, "")
		return &expr{op: opIn, typ: boolType, pos: x.pos, args: x.args, slot: set.slot, not: x.not}, nil
	}
	one := b.newSlot(slotQuery, x, x.typ, x.pos, "")
	one.enc = x.enc
	return one, nil
}

// inner binds a query within an expression of scope s. corr is nil if it uses
// nothing of the queries around it.
func (b *binder) inner(q *parse.Select, s *scope) (r *relation, corr *correlation, err error) {
	k := &block{up: b.block}
	b.block = k
	defer func() { b.block = k.up }()
	if r, err = b.query(q, s, nil); err != nil {
		return nil, nil, err
	}
	// What does not depend on the row is found once.
	own := k.steps
	k.steps = nil
	for _, x := range own {
		if x.of.usesOuter(k) {
			k.steps = append(k.steps, x)
		} else {
			k.up.steps = append(k.up.steps, x)
		}
	}
	if k.outer == nil {
		return r, nil, nil
	}
	corr = &correlation{block: k, slots: k.outer}
	for _, x := range k.outer {
		corr.outer = append(corr.outer, x.col)
	}
	return r, corr, nil
}

// outerColumn binds a reference to a column of a query around this one.
func (b *binder) outerColumn(c *column, ref *parse.ColumnRef) *expr {
	return b.outerSlot(c, parse.Start(ref), ref.String())
}

// depend makes e, whose subquery is q, an expression over the outer columns of q. Those
// of a query further out are slots here, too.
func (b *binder) depend(e *expr, s *scope) *expr {
	for _, c := range e.query.corr.outer {
		if slices.Contains(s.columns, c) {
			e.args = append(e.args, columnExpr(c, e.pos))
		} else {
			e.args = append(e.args, b.outerSlot(c, e.pos, c.name))
		}
	}
	return e
}
