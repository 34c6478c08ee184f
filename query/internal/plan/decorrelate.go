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
func decorrelate(q *Subquery) {
	c, root := q.Corr, CopyNode(q.Rel.Node)
	if q.Op == OpExists {
		root = root.(*Limit).In // the first row is enough, whichever way
	}
	free := map[*column]bool{}
	for _, o := range c.Outer {
		free[o] = true
	}
	dependent := func(x *Expr) bool { return x.UsesOuter(c.Block) }
	k := &Keyed{}
	p, ok := root.(*Project)
	if !ok && q.Op == OpExists {
		if l, isLimit := root.(*Limit); isLimit && l.Count > 0 && l.Offset == 0 {
			p, ok = l.In.(*Project)
		}
	}
	if !ok || p.Skip != nil {
		return
	}
	// A conversion of the value's type is a projection of its own.
	for {
		under, ok := p.In.(*Project)
		if !ok || under.Skip != nil {
			break
		}
		m := map[*column]*Expr{}
		for i, c := range under.Outs {
			m[c] = under.Items[i]
		}
		p = &Project{In: under.In, Items: SubstituteAll(p.Items, m), Outs: p.Outs}
	}
	n := p.In
	item := p.Items[0]
	var agg *Group
	var sorted *Sort
	limited := false
	switch t := n.(type) {
	case *Group:
		if len(t.Keys) > 0 || q.Op != OpSubquery {
			return
		}
		agg, n = t, t.In
	case *Sort:
		if len(t.On) > 0 || t.Offset > 0 || t.Count == 0 || t.Count > 1 && q.Op != OpExists || t.Count == 1 && q.Op == OpInQuery {
			return
		}
		sorted, n, limited = t, t.In, t.Count == 1
	case *Limit:
		if t.Offset > 0 || t.Count == 0 || t.Count > 1 && q.Op != OpExists || t.Count == 1 && q.Op == OpInQuery {
			return
		}
		n, limited = t.In, t.Count == 1
	}
	f, ok := n.(*Filter)
	if !ok {
		return
	}
	var own []*Expr
	for _, cond := range f.Conds {
		if !dependent(cond) {
			own = append(own, cond)
			continue
		}
		// The outer columns instead of their slots.
		cond = cond.Expand(c.Block)
		if cond.Op == OpCall && cond.Call.Func.Name == "=" {
			x, y := cond.Args[0], cond.Args[1]
			if usesAny(x, free) {
				x, y = y, x
			}
			if onlyOf(y, free) && !usesAny(x, free) && len(ColumnsOf(x)) > 0 && x.Type.Kind != value.Vector && !y.Costly() {
				var err error
				if x, err = CastRows(x, cond.Call.Params[0], fn.Implicit); err != nil {
					return
				}
				if y, err = CastRows(y, cond.Call.Params[0], fn.Implicit); err != nil {
					return
				}
				k.Inner, k.Outer = append(k.Inner, x), append(k.Outer, y)
				k.Texts = append(k.Texts, cond.Text)
				continue
			}
		}
		k.Rest = append(k.Rest, cond)
	}
	if len(k.Inner) == 0 {
		return
	}
	// What remains must not need the outer row.
	below := f.In
	if len(own) > 0 {
		below = &Filter{In: f.In, Conds: own}
	}
	if UsesOuter(f.In, c.Block) || sorted != nil && slices.ContainsFunc(sorted.Keys, func(s SortKey) bool { return dependent(s.Expr) }) {
		return
	}
	if q.Op != OpExists && dependent(item) {
		return
	}
	k.Alone = 1
	if indexed(f.In, k.Inner) {
		k.Alone = 256
	}
	items := slices.Clone(k.Inner)
	switch {
	case agg != nil:
		if len(k.Rest) > 0 || slices.ContainsFunc(agg.Aggs, func(a *Aggregate) bool {
			return slices.ContainsFunc(a.Parts(), dependent)
		}) {
			return
		}
		g := &Group{In: below, Keys: k.Inner, Aggs: agg.Aggs, AggCols: agg.AggCols}
		items = nil
		for _, x := range k.Inner {
			col := &column{Name: x.Text, Type: x.Type}
			g.KeyCols = append(g.KeyCols, col)
			items = append(items, ColumnExpr(col, x.Pos))
		}
		below, k.Aggregated = g, true
		k.Kind = exec.KeyedOne
	case q.Op == OpExists:
		k.Kind = exec.KeyedExists
	case q.Op == OpInQuery:
		k.Kind = exec.KeyedIn
	case limited:
		k.Kind = exec.KeyedFirst
		if sorted != nil {
			below = &Sort{In: below, Keys: sorted.Keys, Count: -1}
		}
	default:
		k.Kind = exec.KeyedOne
	}
	out := &Project{In: below, Items: items}
	for _, x := range items {
		out.Outs = append(out.Outs, &column{Name: x.Text, Type: x.Type})
	}
	// Columns that the other conditions use keep their identity.
	m := map[*column]*Expr{}
	for col := range ColumnsOf(k.Rest...) {
		if !free[col] && m[col] == nil {
			kept := *col
			kept.Table = ""
			m[col] = ColumnExpr(&kept, parse.Pos{})
			out.Items, out.Outs = append(out.Items, ColumnExpr(col, parse.Pos{})), append(out.Outs, &kept)
		}
	}
	k.Rest = SubstituteAll(k.Rest, m)
	if q.Op != OpExists {
		k.Value = len(out.Items)
		out.Items = append(out.Items, item)
		out.Outs = append(out.Outs, &column{Name: item.Text, Type: item.Type, Encoding: item.Encoding})
	}
	k.Node, k.Cols = out, out.Outs
	if q.Op == OpInQuery {
		k.Looked = &column{Name: "x", Type: q.Type}
		var err error
		if k.Test, err = CallRows("=", q.Pos, ColumnExpr(k.Looked, q.Pos), ColumnExpr(k.Cols[k.Value], q.Pos)); err != nil {
			return
		}
	}
	c.Keyed = k
	if k.Aggregated {
		c.None = noneOf(q.Rel.Node)
	}
}

// onlyOf reports whether e uses columns of the set, and no other.
func onlyOf(e *Expr, set map[*column]bool) bool {
	used := ColumnsOf(e)
	for c := range used {
		if !set[c] {
			return false
		}
	}
	return len(used) > 0
}

// indexed reports whether a table below n has an index, or its primary key, on
// one of the keys.
func indexed(n Node, keys []*Expr) bool {
	for _, k := range keys {
		if k.Op != OpColumn {
			continue
		}
		scan := ScanFor(n, k.Column)
		if scan == nil {
			continue
		}
		def := scan.Table.Def()
		if def.PrimaryKey == k.Column.Ord {
			return true
		}
		for i := range def.Indexes {
			if def.ColumnID(def.Indexes[i].Columns[0]) == k.Column.Ord {
				return true
			}
		}
	}
	return false
}

// usesAny reports whether e uses a column of the set.
func usesAny(e *Expr, set map[*column]bool) bool {
	for c := range ColumnsOf(e) {
		if set[c] {
			return true
		}
	}
	return false
}

// noneOf returns the plan of a subquery, an aggregate without groups, where no row
// passes its conditions.
func noneOf(n Node) Node {
	n = CopyNode(n)
	if p, ok := n.(*Project); ok {
		if a, ok := p.In.(*Group); ok {
			a.In = &Filter{In: a.In, Conds: []*Expr{Constant(value.Bool(false), parse.Pos{}, "FALSE")}}
		}
	}
	return n
}
