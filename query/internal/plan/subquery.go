package plan

import (
	"fmt"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// subquery is a query that is a part of an expression. If it uses nothing of the
// query around it, it is run once, before that.
type subquery struct {
	what string // "value", "IN", "EXISTS"
	rel  *relation
	op   exec.Operator // once built
	corr *correlation  // not nil: it uses columns of the query around it
}

func (b *binder) scalar(s *scope, e *parse.Subquery) (*expr, error) {
	if x := b.known[e]; x != nil && isConst(x) {
		return x, nil
	}
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, parse.Errorf(e.Pos, "a subquery used as a value has to give one column, this one gives %d", len(r.cols))
	}
	q := &subquery{what: "value", rel: r, corr: corr}
	return b.subquery(e, &expr{op: opSubquery, typ: r.cols[0].typ, pos: e.Pos, query: q, enc: r.cols[0].enc})
}

func (b *binder) exists(s *scope, e *parse.Exists) (*expr, error) {
	if x := b.known[e]; x != nil && isConst(x) {
		return x, nil
	}
	r, corr, err := b.inner(e.Query, s)
	if err != nil {
		return nil, err
	}
	q := &subquery{what: "EXISTS", rel: r, corr: corr}
	if corr == nil {
		q.rel = &relation{&limitNode{r.node, 1, 0}, nil}
	}
	return b.subquery(e, &expr{op: opExists, typ: boolType, pos: e.Pos, query: q})
}

func (b *binder) inQuery(s *scope, e *parse.InQuery) (*expr, error) {
	x, err := b.expr(s, e.X)
	if err != nil {
		return nil, err
	}
	if k := b.known[e]; k != nil && k.op == opIn {
		x, err = b.castTo(x, k.args[0].typ, fn.Implicit)
		return &expr{op: opIn, typ: boolType, pos: e.Pos, args: []*expr{x}, set: k.set, not: e.Not}, err
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
	return b.subquery(e, &expr{op: opInQuery, typ: boolType, pos: e.Pos, args: []*expr{x}, query: q, not: e.Not})
}

// subquery notes a subquery bound from e: it is run when the statement is
// resolved, or if it depends on the row, for its rows.
func (b *binder) subquery(e parse.Expr, x *expr) (*expr, error) {
	b.subs = append(b.subs, x.query)
	if x.query.corr != nil {
		if err := b.decorrelate(x); err != nil {
			return nil, err
		}
		return b.depend(x), nil
	}
	if b.bound == nil {
		b.known[e] = x
	}
	return b.later(x), nil
}

// resolve gives values to what is constant but costs something: all texts are
// encoded in one batch, then subqueries are run and vector sums computed.
func (b *binder) resolve() error {
	if b.explain {
		return nil
	}
	pending := b.pending
	b.pending = nil
	if err := b.encodeTexts(pending); err != nil {
		return err
	}
	// Parts were noted before what is made of them.
	for _, e := range pending {
		if err := b.resolveOne(e); err != nil {
			return err
		}
	}
	return nil
}

// encodeTexts encodes the constant texts, each encoder's in one call.
func (b *binder) encodeTexts(pending []*expr) error {
	type batch struct {
		enc   encoder.Encoder
		pos   parse.Pos
		texts []string
		exprs [][]*expr
		at    map[string]int
	}
	var batches []*batch
	byEncoder := map[encoder.Encoder]*batch{}
	for _, e := range pending {
		if e.op != opText || !isConst(e.args[0]) || e.args[0].val.IsNull() {
			continue
		}
		enc, err := b.open(e.enc, e.pos)
		if err != nil {
			return err
		}
		g := byEncoder[enc]
		if g == nil {
			g = &batch{enc: enc, pos: e.pos, at: map[string]int{}}
			byEncoder[enc] = g
			batches = append(batches, g)
		}
		text := e.args[0].val.Str()
		i, ok := g.at[text]
		if !ok {
			i = len(g.texts)
			g.at[text] = i
			g.texts = append(g.texts, text)
			g.exprs = append(g.exprs, nil)
		}
		g.exprs[i] = append(g.exprs[i], e)
	}
	for _, g := range batches {
		start := time.Now()
		vecs, err := exec.EncodeTexts(b.ctx, g.enc, b.in.Texts, g.texts)
		b.texts, b.encoding = b.texts+len(g.texts), b.encoding+time.Since(start)
		if err != nil {
			return errorAt(g.pos, err)
		}
		for i, v := range vecs {
			for _, e := range g.exprs[i] {
				e.become(value.Vec(v))
			}
		}
	}
	return nil
}

// become turns e into a constant, in place.
func (e *expr) become(v value.Value) {
	e.op, e.val, e.args, e.query = opConst, v, nil, nil
	if !v.IsNull() {
		e.typ = v.Type()
	}
}

func (b *binder) resolveOne(e *expr) error {
	switch e.op {
	case opSubquery, opExists, opInQuery:
		return b.runSubquery(e)
	case opText, opImage, opSum:
		for _, a := range e.args {
			if a.op == opCall && !a.varies() {
				c, err := b.fold(a)
				if err != nil {
					return err
				}
				if isConst(c) {
					a.become(c.val)
				}
			}
			if !isConst(a) {
				return nil
			}
		}
		if e.op == opText && !e.args[0].val.IsNull() {
			return b.encodeTexts([]*expr{e})
		}
		x, err := (&builder{binder: b}).compile(newLayout(nil), e)
		if err != nil {
			return err
		}
		a, err := x.Eval(b.fnctx, &value.Batch{Len: 1}, nil)
		if err != nil {
			return errorAt(e.pos, err)
		}
		v := a.At(0)
		if v.Kind() == value.Vector {
			v = value.Vec(append([]float32(nil), v.Vec()...))
		}
		e.become(v)
	}
	return nil
}

// runSubquery runs a query and puts its outcome in its place.
func (b *binder) runSubquery(e *expr) error {
	q := e.query
	node, err := b.optimize(q.rel.node)
	if err != nil {
		return err
	}
	bl := &builder{binder: b}
	rel, err := bl.root(node, q.rel.cols)
	if err != nil {
		return err
	}
	q.op = rel
	defer rel.Close()
	switch e.op {
	case opExists:
		batch, err := rel.Next(b.ctx)
		if err != nil {
			return err
		}
		e.become(value.Bool(batch != nil))
	case opSubquery:
		v, err := oneValue(b.ctx, rel, e.pos)
		if err != nil {
			return err
		}
		e.become(v)
	case opInQuery:
		t := q.rel.cols[0].typ
		set := fn.NewSet(t)
		before := int64(0)
		err := exec.Drain(b.ctx, rel, func(batch *value.Batch) error {
			if err := set.Add(fn.Arg{Column: batch.Cols[0]}, batch.Len, batch.Sel); err != nil {
				return err
			}
			grown := set.Bytes() - before
			before += grown
			return b.in.Memory.Reserve(grown, "IN (SELECT ...)")
		})
		if err != nil {
			return err
		}
		e.op, e.set = opIn, set
	}
	return nil
}

// explainSubqueries are the plans of the queries within expressions.
func (b *binder) explainSubqueries() ([]string, error) {
	var lines []string
	for i, q := range b.subs {
		if q.corr != nil {
			title, plan, err := q.corr.explain(b.ctx, q.what, b.measure)
			if err != nil {
				return nil, err
			}
			lines = append(lines, fmt.Sprintf("Subquery %d %s", i+1, title))
			for _, l := range plan {
				lines = append(lines, "  "+l)
			}
			continue
		}
		op := q.op
		if op == nil {
			node, err := b.optimize(q.rel.node)
			if err != nil {
				return nil, err
			}
			if op, err = (&builder{binder: b}).root(node, q.rel.cols); err != nil {
				return nil, err
			}
			op.Close()
		}
		lines = append(lines, fmt.Sprintf("Subquery %d (%s)", i+1, q.what))
		for _, l := range exec.Explain(op) {
			lines = append(lines, "  "+l)
		}
	}
	return lines, nil
}
