package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// decorrelate finds out how the rows of a subquery are found by key. Without
// an equality between a column of its own and the outer row there is no way.
func decorrelate(q *subquery) {
	c, root := q.corr, copyNode(q.rel.node)
	if q.op == opExists {
		root = root.(*limitNode).in // the first row is enough, whichever way
	}
	free := map[*column]bool{}
	for _, o := range c.outer {
		free[o] = true
	}
	dependent := func(x *expr) bool { return x.usesOuter(c.block) }
	k := &keyed{}
	p, ok := root.(*projectNode)
	if !ok && q.op == opExists {
		if l, isLimit := root.(*limitNode); isLimit && l.count > 0 && l.offset == 0 {
			p, ok = l.in.(*projectNode)
		}
	}
	if !ok || p.skip != nil {
		return
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
		if len(t.keys) > 0 || q.op != opSubquery {
			return
		}
		agg, n = t, t.in
	case *sortNode:
		if len(t.on) > 0 || t.offset > 0 || t.count == 0 || t.count > 1 && q.op != opExists || t.count == 1 && q.op == opInQuery {
			return
		}
		sorted, n, limited = t, t.in, t.count == 1
	case *limitNode:
		if t.offset > 0 || t.count == 0 || t.count > 1 && q.op != opExists || t.count == 1 && q.op == opInQuery {
			return
		}
		n, limited = t.in, t.count == 1
	}
	f, ok := n.(*filterNode)
	if !ok {
		return
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
				if x, err = castRows(x, cond.call.Params[0], fn.Implicit); err != nil {
					return
				}
				if y, err = castRows(y, cond.call.Params[0], fn.Implicit); err != nil {
					return
				}
				k.inner, k.outer = append(k.inner, x), append(k.outer, y)
				k.texts = append(k.texts, cond.text)
				continue
			}
		}
		k.rest = append(k.rest, cond)
	}
	if len(k.inner) == 0 {
		return
	}
	// What remains must not need the outer row.
	below := f.in
	if len(own) > 0 {
		below = &filterNode{f.in, own}
	}
	if usesOuter(f.in, c.block) || sorted != nil && slices.ContainsFunc(sorted.keys, func(s sortKey) bool { return dependent(s.expr) }) {
		return
	}
	if q.op != opExists && dependent(item) {
		return
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
			return
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
	case q.op == opExists:
		k.kind = exec.KeyedExists
	case q.op == opInQuery:
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
	if q.op != opExists {
		k.value = len(out.items)
		out.items = append(out.items, item)
		out.outs = append(out.outs, &column{name: item.text, typ: item.typ, enc: item.enc})
	}
	k.node, k.cols = out, out.outs
	if q.op == opInQuery {
		k.looked = &column{name: "x", typ: q.typ}
		var err error
		if k.test, err = callRows("=", q.pos, columnExpr(k.looked, q.pos), columnExpr(k.cols[k.value], q.pos)); err != nil {
			return
		}
	}
	c.keyed = k
	if k.aggregated {
		c.none = noneOf(q.rel.node)
	}
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
