package plan

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// correlation is what makes a subquery depend on the row around it: its block has the
// slots of the outer columns, which get their values before it is run.
type correlation struct {
	block *block
	outer []*column // arguments of the expression, in this order
	slots []*slot   // of those

	keyed *keyed // how its rows are found by key, if they can be
	none  node   // what an aggregate without groups gives where no row passes its conditions
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
		if contains(s.columns, c) {
			e.args = append(e.args, columnExpr(c, e.pos))
		} else {
			e.args = append(e.args, b.outerSlot(c, e.pos, c.name))
		}
	}
	return e
}

// correlated reports whether e is a subquery that depends on the row.
func (e *expr) correlated() bool { return e.query != nil && e.query.corr != nil }

// costly reports whether e has a part that runs a query for its rows.
func (e *expr) costly() bool {
	found := false
	e.walk(func(x *expr) bool {
		found = found || x.correlated()
		return !found
	})
	return found
}

// open returns an operator with the subquery's rows for values of its outer columns: the
// plan is run again with other slots.
func (r *Run) open(q *subquery, n node, vals []value.Value) (exec.Operator, error) {
	for i, s := range q.corr.slots {
		var v value.Value
		if vals != nil {
			v = vals[i]
		}
		r.slots[s.n].Put(v, s.typ)
	}
	if err := r.outer(q.corr.block); err != nil {
		return nil, err
	}
	return r.b.root(n, q.rel.cols)
}

// times counts how often a subquery was run on its own.
func (r *Run) times(c *correlation) *atomic.Int64 {
	if r.runs == nil {
		r.runs = map[*correlation]*atomic.Int64{}
	}
	if r.runs[c] == nil {
		r.runs[c] = new(atomic.Int64)
	}
	return r.runs[c]
}

// compileCorrelated makes a subquery executable that depends on the row: args
// are the values of its outer columns, for IN after the one that is looked for.
func (b *builder) compileCorrelated(l layout, e *expr, args []fn.Expr) (fn.Expr, error) {
	q, r := e.query, b.run
	c := q.corr
	b.run.b.single = true
	times := r.times(c)
	x := &exec.Correlated{Args: args, Result: e.typ, Memory: r.env.Memory}
	run := func(vals []value.Value, f func(op exec.Operator) (value.Value, error)) (value.Value, error) {
		times.Add(1)
		op, err := r.open(q, q.rel.node, vals)
		if err != nil {
			return value.Value{}, err
		}
		defer op.Close()
		return f(op)
	}
	switch e.op {
	case opExists:
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			return run(vals, func(op exec.Operator) (value.Value, error) {
				batch, err := op.Next(ctx)
				return value.Bool(batch != nil), err
			})
		}
	case opInQuery:
		x.Not = e.not
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			return run(vals[1:], func(op exec.Operator) (value.Value, error) { return exec.InRows(ctx, op, vals[0]) })
		}
	case opSubquery:
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			return run(vals, func(op exec.Operator) (value.Value, error) { return oneValue(ctx, op, e.pos) })
		}
	}
	if c.keyed == nil {
		return x, nil
	}
	k, err := b.keyTable(l, e)
	if err != nil {
		return nil, err
	}
	x.Keyed, x.Alone = k, c.keyed.alone
	return x, nil
}

// oneValue reads the only row of a subquery that is used as a value, NULL if
// there is none.
func oneValue(ctx context.Context, op exec.Operator, pos parse.Pos) (value.Value, error) {
	v, n := value.Value{}, 0
	err := exec.Drain(ctx, op, func(batch *value.Batch) error {
		if n += batch.Count(); n > 1 {
			return severalRows(pos)
		}
		i := 0
		if batch.Sel != nil {
			i = int(batch.Sel[0])
		}
		v = batch.Cols[0].Value(i)
		if v.Kind() == value.Vector {
			v = value.Vec(append([]float32(nil), v.Vec()...))
		}
		return nil
	})
	return v, err
}

func severalRows(pos parse.Pos) error {
	return parse.Errorf(pos, "the subquery used as a value gave more than one row; LIMIT 1 takes the first")
}

// noneOf returns the plan of a subquery, an aggregate without groups, where no row
// passes its conditions.
func noneOf(n node) node {
	n = copyNode(n)
	if p, ok := n.(*projectNode); ok {
		if a, ok := p.in.(*aggNode); ok {
			a.in = &filterNode{a.in, []*expr{constant(value.Bool(false), parse.Pos{}, "FALSE")}}
		}
	}
	return n
}

// explainCorrelated returns what EXPLAIN shows of a correlated subquery: how its rows are
// found, how often it was run for that, and the plan.
func (r *Run) explainCorrelated(q *subquery) (title string, op exec.Operator, err error) {
	c := q.corr
	ending := ")"
	if ran := r.times(c).Load(); r.plan.how.measure && (c.keyed == nil || ran > 0) {
		ending = fmt.Sprintf("; run %d times)", ran)
	}
	b := &builder{binder: r.b.binder, run: r}
	if k := c.keyed; k != nil && k.alone == 1 {
		title := fmt.Sprintf("(%s, found by hash of %s", q.what, strings.Join(k.texts, " AND "))
		if len(k.rest) > 0 {
			title += ", then " + texts(k.rest, " AND ")
		}
		op, err := b.root(k.node, k.cols)
		return title + ending, op, err
	}
	names := make([]string, len(c.outer))
	for i, o := range c.outer {
		names[i] = o.name
		if o.table != "" {
			names[i] = o.table + "." + o.name
		}
	}
	title = fmt.Sprintf("(%s, run for each %s", q.what, strings.Join(names, ", "))
	if c.keyed != nil {
		title += fmt.Sprintf("; after %d, found by hash", c.keyed.alone)
	}
	op, err = b.root(q.rel.node, q.rel.cols)
	return title + ending, op, err
}
