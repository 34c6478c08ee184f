package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// correlation is what a subquery that uses columns of a query around it keeps to
// be bound again, with the values these columns have in a row.
type correlation struct {
	def   *parse.Select
	scope *scope
	ctes  []cte
	outer []*column // arguments of the expression, in this order
	in    *Input
	bound map[*column]*expr
	subs  map[parse.Expr]*expr // subqueries within that have their value
	types []value.Type         // of the columns it gives

	keyed *keyed         // how its rows are found by key, if they can be
	table *exec.KeyTable // those rows
	runs  atomic.Int64   // how often it was run on its own
}

// inner binds a query within an expression of scope s. corr is nil if it uses
// nothing of the queries around it.
func (b *binder) inner(q *parse.Select, s *scope) (r *relation, corr *correlation, err error) {
	mark := len(b.free)
	if r, err = b.query(q, s, nil); err != nil {
		return nil, nil, err
	}
	var outer []*column
	for _, c := range b.free[mark:] {
		if !contains(outer, c) {
			outer = append(outer, c)
		}
	}
	b.free = b.free[:mark]
	if outer == nil {
		return r, nil, nil
	}
	for _, c := range outer {
		if !contains(s.columns, c) { // of a query further out
			b.free = append(b.free, c)
		}
	}
	return r, &correlation{
		def: q, scope: s, ctes: slices.Clone(b.ctes), outer: outer, in: b.in,
		bound: b.bound, subs: b.known, types: typesOf(r.cols),
	}, nil
}

// outerColumn binds a reference to a column of a query around this one.
func (b *binder) outerColumn(c *column, ref *parse.ColumnRef) *expr {
	if v := b.bound[c]; v != nil {
		e := *v
		e.pos, e.text = parse.Start(ref), ref.String()
		return &e
	}
	b.free = append(b.free, c)
	e := columnExpr(c, parse.Start(ref))
	e.text = ref.String()
	return e
}

// depend makes e, whose subquery is q, an expression over the outer columns of q.
func (b *binder) depend(e *expr) *expr {
	for _, c := range e.query.corr.outer {
		e.args = append(e.args, columnExpr(c, e.pos))
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

// bind binds and builds the subquery with values for its outer columns.
func (c *correlation) bind(ctx context.Context, vals []value.Value, explain bool) (*builder, *relation, error) {
	b := newBinder(ctx, c.in)
	b.explain = explain
	b.ctes = slices.Clone(c.ctes)
	b.known = c.subs
	b.bound = maps.Clone(c.bound)
	if b.bound == nil {
		b.bound = map[*column]*expr{}
	}
	for i, col := range c.outer {
		b.bound[col] = &expr{op: opConst, typ: col.typ, val: vals[i], enc: col.enc, computed: true}
	}
	r, err := b.query(c.def, c.scope, nil)
	if err != nil {
		return nil, nil, err
	}
	return &builder{binder: b}, r, b.resolve()
}

// open returns an operator with the subquery's rows for values of its outer
// columns.
func (c *correlation) open(ctx context.Context, vals []value.Value, first bool, types []value.Type) (exec.Operator, error) {
	c.runs.Add(1)
	b, r, err := c.bind(ctx, vals, false)
	if err != nil {
		return nil, err
	}
	if types != nil && r.cols[0].typ.Kind != types[0].Kind {
		n, err := b.converted(r, []*column{{name: r.cols[0].name, typ: types[0]}})
		if err != nil {
			return nil, err
		}
		r = &relation{n, n.columns()}
	}
	if first {
		r = &relation{&limitNode{r.node, 1, 0}, nil}
	}
	n, err := b.optimize(r.node)
	if err != nil {
		return nil, err
	}
	return b.root(n, r.cols)
}

// compileCorrelated makes a subquery executable that depends on the row: args
// are the values of its outer columns, for IN after the one that is looked for.
func (b *builder) compileCorrelated(l layout, e *expr, args []fn.Expr) (fn.Expr, error) {
	c := e.query.corr
	x := &exec.Correlated{Args: args, Result: e.typ, Memory: b.in.Memory}
	switch e.op {
	case opExists:
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			op, err := c.open(ctx, vals, true, nil)
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			batch, err := op.Next(ctx)
			return value.Bool(batch != nil), err
		}
	case opInQuery:
		x.Not = e.not
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			t := e.args[0].typ
			op, err := c.open(ctx, vals[1:], false, []value.Type{t})
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			return exec.InRows(ctx, op, vals[0])
		}
	case opSubquery:
		x.Run = func(ctx context.Context, vals []value.Value) (value.Value, error) {
			op, err := c.open(ctx, vals, false, c.types)
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			return oneValue(ctx, op, e.pos)
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

// openNone returns the row that the subquery, an aggregate without groups, gives
// where no row passes its conditions.
func (c *correlation) openNone(ctx context.Context) (exec.Operator, error) {
	b, r, err := c.bind(ctx, make([]value.Value, len(c.outer)), false)
	if err != nil {
		return nil, err
	}
	if p, ok := r.node.(*projectNode); ok {
		if a, ok := p.in.(*aggNode); ok {
			a.in = &filterNode{a.in, []*expr{constant(value.Bool(false), parse.Pos{}, "FALSE")}}
		}
	}
	n, err := b.optimize(r.node)
	if err != nil {
		return nil, err
	}
	return b.root(n, r.cols)
}

// explain returns what EXPLAIN shows of a correlated subquery: how its rows are
// found, with ran how often it was run for that, and the plan.
func (c *correlation) explain(ctx context.Context, what string, ran bool) (title string, plan []string, err error) {
	ending := ")"
	if ran && (c.keyed == nil || c.runs.Load() > 0) {
		ending = fmt.Sprintf("; run %d times)", c.runs.Load())
	}
	if k := c.keyed; k != nil && k.alone == 1 {
		b := &builder{binder: newBinder(ctx, c.in)}
		b.explain = true
		n, err := b.optimize(k.node)
		if err != nil {
			return "", nil, err
		}
		op, err := b.root(n, k.cols)
		if err != nil {
			return "", nil, err
		}
		defer op.Close()
		title := fmt.Sprintf("(%s, found by hash of %s", what, strings.Join(k.texts, " AND "))
		if len(k.rest) > 0 {
			title += ", then " + texts(k.rest, " AND ")
		}
		return title + ending, exec.Explain(op), nil
	}
	names := make([]string, len(c.outer))
	vals := make([]value.Value, len(c.outer))
	for i, o := range c.outer {
		names[i] = o.name
		if o.table != "" {
			names[i] = o.table + "." + o.name
		}
		vals[i] = sample(o.typ)
	}
	b, r, err := c.bind(ctx, vals, true)
	if err != nil {
		return "", nil, err
	}
	if what == "EXISTS" {
		r = &relation{&limitNode{r.node, 1, 0}, nil}
	}
	n, err := b.optimize(r.node)
	if err != nil {
		return "", nil, err
	}
	op, err := b.root(n, r.cols)
	if err != nil {
		return "", nil, err
	}
	defer op.Close()
	title = fmt.Sprintf("(%s, run for each %s", what, strings.Join(names, ", "))
	if c.keyed != nil {
		title += fmt.Sprintf("; after %d, found by hash", c.keyed.alone)
	}
	return title + ending, exec.Explain(op), nil
}

// sample returns some value of a type, to plan with where none is known yet.
func sample(t value.Type) value.Value {
	switch t.Kind {
	case value.Boolean:
		return value.Bool(true)
	case value.Integer:
		return value.Int(1)
	case value.Real:
		return value.Float(1)
	case value.Timestamp:
		return value.Micros(0)
	case value.Text:
		return value.Str("a")
	case value.Blob:
		return value.BlobOf("a")
	case value.JSON:
		return value.RawJSON("0")
	case value.Vector:
		if t.Dim > 0 {
			v := make([]float32, t.Dim)
			v[0] = 1
			return value.Vec(v)
		}
	}
	return value.Value{}
}
