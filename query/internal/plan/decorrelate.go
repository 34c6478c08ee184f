package plan

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

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
	c, r := e.query.corr, &relation{copyNode(e.query.rel.node), e.query.rel.cols}
	free := map[*column]bool{}
	for _, o := range c.outer {
		free[o] = true
	}
	dependent := func(x *expr) bool { return x.usesOuter(c.block) }
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
		// The outer columns instead of their slots.
		cond = cond.expand(c.block)
		if cond.op == opCall && cond.call.Func.Name == "=" {
			x, y := cond.args[0], cond.args[1]
			if usesAny(x, free) {
				x, y = y, x
			}
			if onlyOf(y, free) && !usesAny(x, free) && len(columnsOf(x)) > 0 && x.typ.Kind != value.Vector && !y.costly() {
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
	if usesOuter(f.in, c.block) || sorted != nil && slices.ContainsFunc(sorted.keys, func(s sortKey) bool { return dependent(s.expr) }) {
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
			return slices.ContainsFunc(a.parts(), dependent)
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
	if k.aggregated {
		c.none = noneOf(e.query.rel.node)
	}
	return nil
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

// usesAny reports whether e uses a column of the set.
func usesAny(e *expr, set map[*column]bool) bool {
	for c := range columnsOf(e) {
		if set[c] {
			return true
		}
	}
	return false
}

// usesOuter reports whether an expression of n, or below, depends on a column of a query
// around the block.
func usesOuter(n node, k *block) bool {
	return slices.ContainsFunc(expressions(n), func(e *expr) bool { return e.usesOuter(k) }) ||
		slices.ContainsFunc(n.inputs(), func(in node) bool { return usesOuter(in, k) })
}

// keyTable compiles how e finds rows by key.
func (b *builder) keyTable(l layout, e *expr) (*exec.Keyed, error) {
	c := e.query.corr
	k := c.keyed
	args := e.args
	out := &exec.Keyed{Kind: k.kind, Value: k.value, Wrap: at(e.pos), Table: b.run.keyTable(c)}
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
			op, err := b.run.open(e.query, c.none, nil)
			if err != nil {
				return value.Value{}, err
			}
			defer op.Close()
			return oneValue(ctx, op, e.pos)
		}
	}
	return out, nil
}

// keyTable returns the rows of a subquery by their keys, which are read once in a run.
func (r *Run) keyTable(c *correlation) *exec.KeyTable {
	if t := r.keys[c]; t != nil {
		return t
	}
	k := c.keyed
	t := &exec.KeyTable{
		Types: typesOf(k.cols[:len(k.inner)]), Columns: typesOf(k.cols), Memory: r.env.Memory,
		Open: func(context.Context) (exec.Operator, error) { return r.b.root(k.node, k.cols) },
	}
	if r.keys == nil {
		r.keys = map[*correlation]*exec.KeyTable{}
	}
	r.keys[c] = t
	return t
}
