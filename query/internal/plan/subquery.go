package plan

import (
	"fmt"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// subquery is a query that is a part of an expression. If it uses nothing of the
// query around it, it is run once, before that.
type subquery struct {
	what string // "value", "IN", "EXISTS"
	rel  *relation
	corr *correlation // not nil: it uses columns of the query around it
}

func (b *binder) scalar(s *scope, e *parse.Subquery) (*expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, parse.Errorf(e.Pos, "a subquery used as a value has to give one column, this one gives %d", len(r.cols))
	}
	q := &subquery{what: "value", rel: r, corr: corr}
	return b.subquery(s, &expr{op: opSubquery, typ: r.cols[0].typ, pos: e.Pos, query: q, enc: r.cols[0].enc})
}

func (b *binder) exists(s *scope, e *parse.Exists) (*expr, error) {
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	q := &subquery{what: "EXISTS", rel: r, corr: corr}
	return b.subquery(s, &expr{op: opExists, typ: boolType, pos: e.Pos, query: q})
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
	q := &subquery{what: "IN", rel: r, corr: corr}
	return b.subquery(s, &expr{op: opInQuery, typ: boolType, pos: e.Pos, args: []*expr{x}, query: q, not: e.Not})
}

// subquery notes a subquery bound as x: it is run once, before the query around it, or if
// it depends on the row, for its rows.
func (b *binder) subquery(s *scope, x *expr) (*expr, error) {
	q := x.query
	b.subs = append(b.subs, q)
	if q.corr != nil {
		if err := b.decorrelate(x); err != nil {
			return nil, err
		}
	}
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

// optimized optimizes the subqueries of a statement.
func (b *binder) optimized() error {
	for _, q := range b.shared {
		n, err := b.optimize(q.rel.node)
		if err != nil {
			return err
		}
		q.rel = &relation{n, q.rel.cols}
	}
	for _, q := range b.subs {
		if err := b.optimizeSubquery(q); err != nil {
			return err
		}
	}
	return nil
}

func (b *binder) optimizeSubquery(q *subquery) (err error) {
	if c := q.corr; c != nil && c.keyed != nil {
		if c.keyed.node, err = b.optimize(c.keyed.node); err != nil {
			return err
		}
		if c.keyed.aggregated {
			if c.none, err = b.optimize(c.none); err != nil {
				return err
			}
		}
	}
	q.rel.node, err = b.optimize(q.rel.node)
	return err
}

// explainSubqueries are the plans of the queries within expressions.
func (r *Run) explainSubqueries() ([]string, error) {
	var lines []string
	for i, q := range r.plan.subs {
		title, op, err := "("+q.what+")", exec.Operator(nil), error(nil)
		if q.corr != nil {
			title, op, err = r.explainCorrelated(q)
		} else {
			op, err = r.operator(q)
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("Subquery %d %s", i+1, title))
		for _, l := range exec.Explain(op) {
			lines = append(lines, "  "+l)
		}
	}
	return lines, nil
}
