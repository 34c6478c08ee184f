package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// open returns an operator with the subquery's rows for values of its outer columns: the
// plan is run again with other slots.
func (b *builder) open(q *subquery, n node, vals []value.Value) (exec.Operator, error) {
	for i, s := range q.corr.slots {
		var v value.Value
		if vals != nil {
			v = vals[i]
		}
		b.fnctx.Slots[s.n].Put(v, s.typ)
	}
	if err := b.find(q.corr.block); err != nil {
		return nil, err
	}
	return b.root(n, q.rel.cols)
}

// times counts how often a subquery was run on its own.
func (r *state) times(c *correlation) *atomic.Int64 {
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
	q := e.query
	c := q.corr
	b.single = true
	times := b.times(c)
	x := &exec.Correlated{Args: args, Result: e.typ, Memory: b.env.Memory}
	run := func(vals []value.Value, f func(op exec.Operator) (value.Value, error)) (value.Value, error) {
		times.Add(1)
		op, err := b.open(q, q.rel.node, vals)
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

// explainCorrelated returns what EXPLAIN shows of a correlated subquery: how its rows are
// found, how often it was run for that, and the plan.
func (b *builder) explainCorrelated(q *subquery) (title string, op exec.Operator, err error) {
	c := q.corr
	ending := ")"
	if ran := b.times(c).Load(); b.measure && (c.keyed == nil || ran > 0) {
		ending = fmt.Sprintf("; run %d times)", ran)
	}
	b = &builder{state: b.state}
	if k := c.keyed; k != nil && k.alone == 1 {
		title := fmt.Sprintf("(%s, found by hash of %s", q.what(), strings.Join(k.texts, " AND "))
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
	title = fmt.Sprintf("(%s, run for each %s", q.what(), strings.Join(names, ", "))
	if c.keyed != nil {
		title += fmt.Sprintf("; after %d, found by hash", c.keyed.alone)
	}
	op, err = b.root(q.rel.node, q.rel.cols)
	return title + ending, op, err
}

// keyTable compiles how e finds rows by key.
func (b *builder) keyTable(l layout, e *expr) (*exec.Keyed, error) {
	c := e.query.corr
	k := c.keyed
	args := e.args
	out := &exec.Keyed{Kind: k.kind, Value: k.value, Wrap: at(e.pos), Table: b.rowsByKey(c)}
	if e.op == opInQuery {
		args = args[1:]
	}
	row := map[*column]*expr{}
	for i, o := range c.outer {
		row[o] = args[i]
	}
	var err error
	if out.Keys, err = b.compileAll(l, substituteAll(k.outer, row)); err != nil {
		return nil, err
	}
	// A pair has the values of outer columns, for IN the one looked for, then
	// what is kept by key.
	var pair []*column
	used := columnsOf(k.rest...)
	for _, o := range c.outer {
		if used[o] {
			pair = append(pair, o)
			x, err := b.compile(l, row[o])
			if err != nil {
				return nil, err
			}
			out.Outer = append(out.Outer, x)
		}
	}
	if e.op == opInQuery {
		x, err := b.compile(l, e.args[0])
		if err != nil {
			return nil, err
		}
		out.Outer = append(out.Outer, x)
		pair = append(pair, k.looked)
		if out.Test, err = b.compile(newLayout(append(slices.Clone(pair), k.cols...)), k.test); err != nil {
			return nil, err
		}
	}
	if out.Rest, err = b.compileAll(newLayout(append(pair, k.cols...)), k.rest); err != nil {
		return nil, err
	}
	if k.aggregated {
		out.None = func(ctx context.Context) (value.Value, error) {
			op, err := b.open(e.query, c.none, nil)
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			return oneValue(ctx, op, e.pos)
		}
	}
	return out, nil
}

// rowsByKey returns the rows of a subquery by their keys, which are read once in a run.
func (b *builder) rowsByKey(c *correlation) *exec.KeyTable {
	if t := b.keys[c]; t != nil {
		return t
	}
	k := c.keyed
	t := &exec.KeyTable{
		Types: typesOf(k.cols[:len(k.inner)]), Columns: typesOf(k.cols), Memory: b.env.Memory,
		Open: func(context.Context) (exec.Operator, error) { return b.root(k.node, k.cols) },
	}
	if b.keys == nil {
		b.keys = map[*correlation]*exec.KeyTable{}
	}
	b.keys[c] = t
	return t
}

// subquery builds the plan of a subquery that does not depend on the row, once.
func (b *builder) subquery(q *subquery) (exec.Operator, error) {
	if op := b.ops[q]; op != nil {
		return op, nil
	}
	b.single = true // its operators are not ready for another run
	op, err := b.root(q.rel.node, q.rel.cols)
	if err != nil {
		return nil, err
	}
	if b.ops == nil {
		b.ops = map[*subquery]exec.Operator{}
	}
	b.ops[q] = op
	return op, nil
}

// explainSubqueries are the plans of the queries within expressions.
func (b *builder) explainSubqueries(subs []*subquery) ([]string, error) {
	var lines []string
	for i, q := range subs {
		title, op, err := "("+q.what()+")", exec.Operator(nil), error(nil)
		if q.corr != nil {
			title, op, err = b.explainCorrelated(q)
		} else {
			op, err = b.subquery(q)
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
