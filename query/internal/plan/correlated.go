package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// keyTable compiles how e finds rows by key.
func (b *builder) keyTable(l layout, e *expr) (*exec.Keyed, error) {
	c := e.query.corr
	k := c.keyed
	args := e.args
	out := &exec.Keyed{Table: c.table, Kind: k.kind, Value: k.value, Wrap: at(e.pos)}
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
		looked := &column{name: "x", typ: e.args[0].typ}
		pair = append(pair, looked)
		item := k.cols[k.value]
		eq, err := b.apply("=", e.pos, columnExpr(looked, e.pos), columnExpr(item, e.pos))
		if err != nil {
			return nil, err
		}
		if out.Test, err = b.compile(newLayout(append(slices.Clone(pair), k.cols...)), eq); err != nil {
			return nil, err
		}
	}
	if out.Rest, err = b.compileAll(newLayout(append(pair, k.cols...)), k.rest); err != nil {
		return nil, err
	}
	if k.aggregated {
		out.None = func(ctx context.Context) (value.Value, error) {
			op, err := c.openNone(ctx)
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			return oneValue(ctx, op, e.pos)
		}
	}
	return out, nil
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

// keyed is a correlated subquery taken apart: its rows without the conditions
// that compare them with the outer row, those of equality as keys to find them
// by, and the other conditions on a pair of rows.
type keyed struct {
	node  node
	cols  []*column // of node: the keys, what the other conditions use, the value
	inner []*expr   // the keys
	outer []*expr   // what they are equal to, over outer columns
	rest  []*expr
	value int // position of the subquery's item in cols
	kind  exec.KeyedKind

	aggregated bool // the node groups by the keys: one row a key
	alone      int  // values of the outer columns for which it is run alone, at first
	texts      []string
}

// decorrelate finds out how the rows of e's subquery are found by key. Without
// an equality between a column of its own and the outer row there is no way.
func (b *binder) decorrelate(e *expr) error {
	c, r := e.query.corr, e.query.rel
	free := map[*column]bool{}
	for _, o := range c.outer {
		free[o] = true
	}
	dependent := func(x *expr) bool {
		for col := range columnsOf(x) {
			if free[col] {
				return true
			}
		}
		return false
	}
	k := &keyed{}
	p, ok := r.node.(*projectNode)
	if !ok && e.op == opExists {
		if l, isLimit := r.node.(*limitNode); isLimit && l.count > 0 && l.offset == 0 {
			p, ok = l.in.(*projectNode)
		}
	}
	if !ok || p.skip != nil {
		return nil
	}
	// A conversion of the value's type is a projection of its own.
	for {
		under, ok := p.in.(*projectNode)
		if !ok || under.skip != nil {
			break
		}
		m := map[*column]*expr{}
		for i, c := range under.outs {
			m[c] = under.items[i]
		}
		p = &projectNode{in: under.in, items: substituteAll(p.items, m), outs: p.outs}
	}
	n := p.in
	item := p.items[0]
	var agg *aggNode
	var sorted *sortNode
	limited := false
	switch t := n.(type) {
	case *aggNode:
		if len(t.keys) > 0 || e.op != opSubquery {
			return nil
		}
		agg, n = t, t.in
	case *sortNode:
		if len(t.on) > 0 || t.offset > 0 || t.count == 0 || t.count > 1 && e.op != opExists || t.count == 1 && e.op == opInQuery {
			return nil
		}
		sorted, n, limited = t, t.in, t.count == 1
	case *limitNode:
		if t.offset > 0 || t.count == 0 || t.count > 1 && e.op != opExists || t.count == 1 && e.op == opInQuery {
			return nil
		}
		n, limited = t.in, t.count == 1
	}
	f, ok := n.(*filterNode)
	if !ok {
		return nil
	}
	var own []*expr
	for _, cond := range f.conds {
		if !dependent(cond) {
			own = append(own, cond)
			continue
		}
		if cond.op == opCall && cond.call.Func.Name == "=" {
			x, y := cond.args[0], cond.args[1]
			if dependent(x) {
				x, y = y, x
			}
			if onlyOf(y, free) && !dependent(x) && len(columnsOf(x)) > 0 && x.typ.Kind != value.Vector && !y.costly() {
				var err error
				if x, err = b.castTo(x, cond.call.Params[0], fn.Implicit); err != nil {
					return nil
				}
				if y, err = b.castTo(y, cond.call.Params[0], fn.Implicit); err != nil {
					return nil
				}
				k.inner, k.outer = append(k.inner, x), append(k.outer, y)
				k.texts = append(k.texts, cond.text)
				continue
			}
		}
		k.rest = append(k.rest, cond)
	}
	if len(k.inner) == 0 {
		return nil
	}
	// What remains must not need the outer row.
	below := f.in
	if len(own) > 0 {
		below = &filterNode{f.in, own}
	}
	if usesColumns(f.in, free) || sorted != nil && slices.ContainsFunc(sorted.keys, func(s sortKey) bool { return dependent(s.expr) }) {
		return nil
	}
	if e.op != opExists && dependent(item) {
		return nil
	}
	k.alone = 1
	if indexed(f.in, k.inner) {
		k.alone = 256
	}
	items := slices.Clone(k.inner)
	switch {
	case agg != nil:
		if len(k.rest) > 0 || slices.ContainsFunc(agg.aggs, func(a *aggregate) bool {
			return a.arg != nil && dependent(a.arg) || a.filter != nil && dependent(a.filter)
		}) {
			return nil
		}
		g := &aggNode{in: below, keys: k.inner, aggs: agg.aggs, aggCols: agg.aggCols}
		items = nil
		for _, x := range k.inner {
			col := &column{name: x.text, typ: x.typ}
			g.keyCols = append(g.keyCols, col)
			items = append(items, columnExpr(col, x.pos))
		}
		below, k.aggregated = g, true
		k.kind = exec.KeyedOne
	case e.op == opExists:
		k.kind = exec.KeyedExists
	case e.op == opInQuery:
		k.kind = exec.KeyedIn
	case limited:
		k.kind = exec.KeyedFirst
		if sorted != nil {
			below = &sortNode{in: below, keys: sorted.keys, count: -1}
		}
	default:
		k.kind = exec.KeyedOne
	}
	out := &projectNode{in: below, items: items}
	for _, x := range items {
		out.outs = append(out.outs, &column{name: x.text, typ: x.typ})
	}
	// Columns that the other conditions use keep their identity.
	m := map[*column]*expr{}
	for col := range columnsOf(k.rest...) {
		if !free[col] && m[col] == nil {
			kept := *col
			kept.table = ""
			m[col] = columnExpr(&kept, parse.Pos{})
			out.items, out.outs = append(out.items, columnExpr(col, parse.Pos{})), append(out.outs, &kept)
		}
	}
	k.rest = substituteAll(k.rest, m)
	if e.op != opExists {
		k.value = len(out.items)
		out.items = append(out.items, item)
		out.outs = append(out.outs, &column{name: item.text, typ: item.typ, enc: item.enc})
	}
	k.node, k.cols = out, out.outs
	c.keyed = k
	c.table = &exec.KeyTable{
		Types: typesOf(k.cols[:len(k.inner)]), Columns: typesOf(k.cols), Memory: b.in.Memory,
		Open: func(ctx context.Context) (exec.Operator, error) {
			bl := &builder{binder: newBinder(ctx, c.in)}
			n, err := bl.optimize(k.node)
			if err != nil {
				return nil, err
			}
			return bl.root(n, k.cols)
		},
	}
	return nil
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

// onlyOf reports whether e uses columns of the set, and no other.
func onlyOf(e *expr, set map[*column]bool) bool {
	used := columnsOf(e)
	for c := range used {
		if !set[c] {
			return false
		}
	}
	return len(used) > 0
}

// indexed reports whether a table below n has an index, or its primary key, on
// one of the keys.
func indexed(n node, keys []*expr) bool {
	for _, k := range keys {
		if k.op != opColumn {
			continue
		}
		scan := scanFor(n, k.col)
		if scan == nil {
			continue
		}
		def := scan.table.Def()
		if def.PrimaryKey == k.col.ord {
			return true
		}
		for i := range def.Indexes {
			if def.ColumnID(def.Indexes[i].Columns[0]) == k.col.ord {
				return true
			}
		}
	}
	return false
}

// usesColumns reports whether an expression of n, or below, uses a column of the set.
func usesColumns(n node, set map[*column]bool) bool {
	for _, e := range expressions(n) {
		for c := range columnsOf(e) {
			if set[c] {
				return true
			}
		}
	}
	return slices.ContainsFunc(n.inputs(), func(in node) bool { return usesColumns(in, set) })
}

// expressions returns those of one node.
func expressions(n node) []*expr {
	var out []*expr
	switch n := n.(type) {
	case *scanNode:
		out = n.filters
	case *filterNode:
		out = n.conds
	case *projectNode:
		out = n.items
	case *joinNode:
		out = n.on
	case *aggNode:
		out = slices.Clone(n.keys)
		for _, a := range n.aggs {
			if a.arg != nil {
				out = append(out, a.arg)
			}
			if a.filter != nil {
				out = append(out, a.filter)
			}
		}
	case *sortNode:
		out = slices.Clone(n.on)
		for _, k := range n.keys {
			out = append(out, k.expr)
		}
	case *valuesNode:
		for _, row := range n.rows {
			out = append(out, row...)
		}
	}
	return out
}

// explain returns what EXPLAIN shows of a correlated subquery: how its rows are
// found, and the plan.
func (c *correlation) explain(ctx context.Context, what string) (title string, plan []string, err error) {
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
		return title + ")", exec.Explain(op), nil
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
	return title + ")", exec.Explain(op), nil
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
