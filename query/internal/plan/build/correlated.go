package build

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// open returns an operator with the subquery's rows for values of its outer columns: the
// plan is run again with other slots.
func (b *Builder) open(q *logical.Subquery, n logical.Node, vals []value.Value) (exec.Operator, error) {
	for i, s := range q.Corr.Slots {
		var v value.Value
		if vals != nil {
			v = vals[i]
		}
		b.Fnctx.Slots[s.N].Put(v, s.Type)
	}
	if err := b.Find(q.Corr.Block); err != nil {
		return nil, err
	}
	return b.Root(n, q.Rel.Cols)
}

// ahead returns what finds the nearest rows for many values of the outer columns at once, if the
// subquery's rows are those of one search with a vector of the row around it; nil if they are not.
func (b *Builder) ahead(q *logical.Subquery) (a *exec.Ahead, err error) {
	c := q.Corr
	if a, ok := b.Aheads[c]; ok {
		return a, nil
	}
	n := q.Rel.Node
	for n != nil {
		if s, ok := n.(*logical.Scan); ok {
			if a, err = b.aheadOf(s, c); err != nil {
				return nil, err
			}
			break
		}
		in := n.Inputs()
		if len(in) != 1 {
			break
		}
		n = *in[0]
	}
	if b.Aheads == nil {
		b.Aheads = map[*logical.Correlation]*exec.Ahead{}
	}
	b.Aheads[c] = a
	if a != nil {
		if b.aheadOfSearch == nil {
			b.aheadOfSearch = map[*logical.Search]*exec.Ahead{}
		}
		b.aheadOfSearch[n.(*logical.Scan).Search] = a
	}
	return a, nil
}

func (b *Builder) aheadOf(n *logical.Scan, c *logical.Correlation) (*exec.Ahead, error) {
	s := n.Search
	if s == nil || s.Score.Op != logical.OpScore || s.AmongWithin(c.Block) || s.Count < 1 || s.Worst || s.Ties || s.Recall > 0 || s.Time != nil {
		return nil, nil
	}
	to := s.Score.Args[1]
	if to.Op != logical.OpSlot || to.Slot.What != logical.SlotOuter {
		return nil, nil
	}
	arg := slices.IndexFunc(c.Slots, func(x *logical.Slot) bool { return x.N == to.Slot.N })
	if arg < 0 {
		return nil, nil
	}
	a := &exec.Ahead{
		Workers: b.Env.Workers, Memory: b.Env.Memory, Table: b.Table(n.Table), Column: s.Score.Args[0].Column.Ord,
		Metric: s.Score.Measure.Metric, Count: int(s.Count), Arg: arg,
	}
	if s.Among != nil {
		r, err := b.build(s.Among, nil)
		if err != nil {
			return nil, err
		}
		a.Filter = r.op
	}
	return a, nil
}

// times counts how often a subquery was run on its own.
func (r *State) times(c *logical.Correlation) *atomic.Int64 {
	if r.runs == nil {
		r.runs = map[*logical.Correlation]*atomic.Int64{}
	}
	if r.runs[c] == nil {
		r.runs[c] = new(atomic.Int64)
	}
	return r.runs[c]
}

// compileCorrelated makes a subquery executable that depends on the row: args
// are the values of its outer columns, for IN after the one that is looked for.
func (b *Builder) compileCorrelated(l compile.Layout, e *logical.Expr, args []fn.Expr) (fn.Expr, error) {
	q := e.Query
	c := q.Corr
	b.Single = true
	times := b.times(c)
	x := &exec.Correlated{Args: args, Result: e.Type, Memory: b.Env.Memory}
	if e.Op == logical.OpSubquery {
		var err error
		if x.Ahead, err = b.ahead(q); err != nil {
			return nil, err
		}
	}
	run := func(vals []value.Value, f func(op exec.Operator) (value.Value, error)) (value.Value, error) {
		times.Add(1)
		op, err := b.open(q, q.Rel.Node, vals)
		if err != nil {
			return value.Value{}, err
		}
		defer op.Close()
		return f(op)
	}
	switch e.Op {
	case logical.OpExists:
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			return run(vals, func(op exec.Operator) (value.Value, error) {
				batch, err := op.Next(ctx)
				return value.Bool(batch != nil), err
			})
		}
	case logical.OpInQuery:
		x.Not = e.Not
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			return run(vals[1:], func(op exec.Operator) (value.Value, error) { return exec.InRows(ctx, op, vals[0]) })
		}
	case logical.OpSubquery:
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			return run(vals, func(op exec.Operator) (value.Value, error) { return OneValue(ctx, op, e.Pos) })
		}
	}
	if c.Keyed == nil {
		return x, nil
	}
	k, err := b.keyTable(l, e)
	if err != nil {
		return nil, err
	}
	x.Keyed, x.Alone = k, c.Keyed.Alone
	return x, nil
}

// OneValue reads the only row of a subquery that is used as a value, NULL if
// there is none.
func OneValue(ctx context.Context, op exec.Operator, pos parse.Pos) (value.Value, error) {
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
func (b *Builder) explainCorrelated(q *logical.Subquery) (title string, op exec.Operator, err error) {
	c := q.Corr
	ending := ")"
	if ran := b.times(c).Load(); b.Analyze && (c.Keyed == nil || ran > 0) {
		ending = fmt.Sprintf("; run %d times)", ran)
		if text := b.Aheads[c].String(); text != "" {
			ending = fmt.Sprintf("; run %d times; %s)", ran, text)
		}
	}
	b = &Builder{State: b.State}
	if k := c.Keyed; k != nil && k.Alone == 1 {
		title := fmt.Sprintf("(%s, found by hash of %s", q.What(), strings.Join(k.Texts, " AND "))
		if len(k.Rest) > 0 {
			title += ", then " + logical.Conjunction(k.Rest)
		}
		op, err := b.Root(k.Node, k.Cols)
		return title + ending, op, err
	}
	names := make([]string, len(c.Outer))
	for i, o := range c.Outer {
		names[i] = o.Name
		if o.Table != "" {
			names[i] = o.Table + "." + o.Name
		}
	}
	title = fmt.Sprintf("(%s, run for each %s", q.What(), strings.Join(names, ", "))
	switch k := c.Keyed; {
	case k != nil && len(k.Inner) == 0:
		title += fmt.Sprintf("; after %d, its rows are held and compared with each", k.Alone)
	case k != nil:
		title += fmt.Sprintf("; after %d, found by hash", c.Keyed.Alone)
	}
	op, err = b.Root(q.Rel.Node, q.Rel.Cols)
	return title + ending, op, err
}

// keyTable compiles how e finds rows by key.
func (b *Builder) keyTable(l compile.Layout, e *logical.Expr) (*exec.Keyed, error) {
	c := e.Query.Corr
	k := c.Keyed
	args := e.Args
	out := &exec.Keyed{Kind: k.Kind, Value: k.Value, Wrap: logical.At(e.Pos), Table: b.rowsByKey(c)}
	if e.Op == logical.OpInQuery {
		args = args[1:]
	}
	row := map[*logical.Column]*logical.Expr{}
	for i, o := range c.Outer {
		row[o] = args[i]
	}
	var err error
	if out.Keys, err = b.CompileAll(l, logical.SubstituteAll(k.Outer, row)); err != nil {
		return nil, err
	}
	// A pair has the values of outer columns, for IN the one looked for, then
	// what is kept by key.
	var pair []*logical.Column
	used := logical.ColumnsOf(k.Rest...)
	for _, o := range c.Outer {
		if used[o] {
			pair = append(pair, o)
			x, err := b.Compile(l, row[o])
			if err != nil {
				return nil, err
			}
			out.Outer = append(out.Outer, x)
		}
	}
	if e.Op == logical.OpInQuery {
		x, err := b.Compile(l, e.Args[0])
		if err != nil {
			return nil, err
		}
		out.Outer = append(out.Outer, x)
		pair = append(pair, k.Looked)
		if out.Test, err = b.Compile(compile.NewLayout(append(slices.Clone(pair), k.Cols...)), k.Test); err != nil {
			return nil, err
		}
	}
	if out.Rest, err = b.CompileAll(compile.NewLayout(append(pair, k.Cols...)), k.Rest); err != nil {
		return nil, err
	}
	if k.Aggregated {
		out.None = func(ctx context.Context) (value.Value, error) {
			op, err := b.open(e.Query, c.None, nil)
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			return OneValue(ctx, op, e.Pos)
		}
	}
	return out, nil
}

// rowsByKey returns the rows of a subquery by their keys, which are read once in a run.
func (b *Builder) rowsByKey(c *logical.Correlation) *exec.KeyTable {
	if t := b.keys[c]; t != nil {
		return t
	}
	k := c.Keyed
	t := &exec.KeyTable{
		Types: typesOf(k.Cols[:len(k.Inner)]), Columns: typesOf(k.Cols), Memory: b.Env.Memory,
		Open: func(context.Context) (exec.Operator, error) { return b.Root(k.Node, k.Cols) },
	}
	if b.keys == nil {
		b.keys = map[*logical.Correlation]*exec.KeyTable{}
	}
	b.keys[c] = t
	return t
}

// Subquery builds the plan of a subquery that does not depend on the row, once.
func (b *Builder) Subquery(q *logical.Subquery) (exec.Operator, error) {
	if op := b.Ops[q]; op != nil {
		return op, nil
	}
	b.Single = true // its operators are not ready for another run
	op, err := b.Root(q.Rel.Node, q.Rel.Cols)
	if err != nil {
		return nil, err
	}
	if b.Ops == nil {
		b.Ops = map[*logical.Subquery]exec.Operator{}
	}
	b.Ops[q] = op
	return op, nil
}

// ExplainSubqueries are the plans of the queries within expressions.
func (b *Builder) ExplainSubqueries(subs []*logical.Subquery) ([]string, error) {
	var lines []string
	for i, q := range subs {
		title, op, err := "("+q.What()+")", exec.Operator(nil), error(nil)
		if q.Corr != nil {
			title, op, err = b.explainCorrelated(q)
		} else {
			op, err = b.Subquery(q)
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
