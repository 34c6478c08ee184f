package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// decorrelate finds out how the rows of a subquery are found by key. Without an equality between
// a column of its own and the outer row, those of EXISTS and IN are read once and tried with each
// outer row: see pairwise.
func decorrelate(q *logical.Subquery) {
	c, root := q.Corr, logical.CopyNode(q.Rel.Node)
	if q.Op == logical.OpExists {
		root = root.(*logical.Limit).In // the first row is enough, whichever way
	}
	free := map[*logical.Column]bool{}
	for _, o := range c.Outer {
		free[o] = true
	}
	dependent := func(x *logical.Expr) bool { return x.UsesOuter(c.Block) }
	k := &logical.Keyed{}
	p, ok := root.(*logical.Project)
	if !ok && q.Op == logical.OpExists {
		if l, isLimit := root.(*logical.Limit); isLimit && l.Count > 0 && l.Offset == 0 {
			p, ok = l.In.(*logical.Project)
		}
	}
	if !ok || p.Skip != nil {
		return
	}
	// A conversion of the value's type is a projection of its own.
	for {
		under, ok := p.In.(*logical.Project)
		if !ok || under.Skip != nil {
			break
		}
		m := map[*logical.Column]*logical.Expr{}
		for i, c := range under.Outs {
			m[c] = under.Items[i]
		}
		p = &logical.Project{In: under.In, Items: logical.SubstituteAll(p.Items, m), Outs: p.Outs}
	}
	n := p.In
	item := p.Items[0]
	var agg *logical.Group
	var sorted *logical.Sort
	limited := false
	switch t := n.(type) {
	case *logical.Group:
		if len(t.Keys) > 0 || q.Op != logical.OpSubquery {
			return
		}
		agg, n = t, t.In
	case *logical.Sort:
		if len(t.On) > 0 || t.Offset > 0 || t.Count == 0 || t.Count > 1 && q.Op != logical.OpExists || t.Count == 1 && q.Op == logical.OpInQuery {
			return
		}
		sorted, n, limited = t, t.In, t.Count == 1
	case *logical.Limit:
		if t.Offset > 0 || t.Count == 0 || t.Count > 1 && q.Op != logical.OpExists || t.Count == 1 && q.Op == logical.OpInQuery {
			return
		}
		n, limited = t.In, t.Count == 1
	}
	f, ok := n.(*logical.Filter)
	if !ok {
		return
	}
	var own []*logical.Expr
	for _, cond := range f.Conds {
		if !dependent(cond) {
			own = append(own, cond)
			continue
		}
		// The outer columns instead of their slots.
		cond = cond.Expand(c.Block)
		if cond.Op == logical.OpCall && cond.Call.Func.Name == "=" {
			x, y := cond.Args[0], cond.Args[1]
			if usesAny(x, free) {
				x, y = y, x
			}
			if onlyOf(y, free) && !usesAny(x, free) && len(logical.ColumnsOf(x)) > 0 && x.Type.Kind != value.Vector && !y.Costly() {
				var err error
				if x, err = logical.CastRows(x, cond.Call.Params[0], fn.Implicit); err != nil {
					return
				}
				if y, err = logical.CastRows(y, cond.Call.Params[0], fn.Implicit); err != nil {
					return
				}
				k.Inner, k.Outer = append(k.Inner, x), append(k.Outer, y)
				k.Texts = append(k.Texts, cond.Text)
				continue
			}
		}
		k.Rest = append(k.Rest, cond)
	}
	if len(k.Inner) == 0 && !pairwise(q, k.Rest, f.In) {
		return
	}
	// What remains must not need the outer row.
	below := f.In
	if len(own) > 0 {
		below = &logical.Filter{In: f.In, Conds: own}
	}
	if logical.UsesOuter(f.In, c.Block) || sorted != nil && slices.ContainsFunc(sorted.Keys, func(s logical.SortKey) bool { return dependent(s.Expr) }) {
		return
	}
	if q.Op != logical.OpExists && dependent(item) {
		return
	}
	k.Alone = 1
	if len(k.Inner) == 0 {
		k.Alone = 16
	}
	if indexed(f.In, k.Inner) {
		k.Alone = 256
	}
	items := slices.Clone(k.Inner)
	switch {
	case agg != nil:
		if len(k.Rest) > 0 || slices.ContainsFunc(agg.Aggs, func(a *logical.Aggregate) bool {
			return slices.ContainsFunc(a.Parts(), dependent)
		}) {
			return
		}
		g := &logical.Group{In: below, Keys: k.Inner, Aggs: agg.Aggs, AggCols: agg.AggCols}
		items = nil
		for _, x := range k.Inner {
			col := &logical.Column{Name: x.Text, Type: x.Type}
			g.KeyCols = append(g.KeyCols, col)
			items = append(items, logical.ColumnExpr(col, x.Pos))
		}
		below, k.Aggregated = g, true
		k.Kind = exec.KeyedOne
	case q.Op == logical.OpExists:
		k.Kind = exec.KeyedExists
	case q.Op == logical.OpInQuery:
		k.Kind = exec.KeyedIn
	case limited:
		k.Kind = exec.KeyedFirst
		if sorted != nil {
			below = &logical.Sort{In: below, Keys: sorted.Keys, Count: -1}
		}
	default:
		k.Kind = exec.KeyedOne
	}
	out := &logical.Project{In: below, Items: items}
	for _, x := range items {
		out.Outs = append(out.Outs, &logical.Column{Name: x.Text, Type: x.Type})
	}
	// Columns that the other conditions use keep their identity.
	m := map[*logical.Column]*logical.Expr{}
	for col := range logical.ColumnsOf(k.Rest...) {
		if !free[col] && m[col] == nil {
			kept := *col
			kept.Table = ""
			m[col] = logical.ColumnExpr(&kept, parse.Pos{})
			out.Items, out.Outs = append(out.Items, logical.ColumnExpr(col, parse.Pos{})), append(out.Outs, &kept)
		}
	}
	k.Rest = logical.SubstituteAll(k.Rest, m)
	if q.Op != logical.OpExists {
		k.Value = len(out.Items)
		out.Items = append(out.Items, item)
		out.Outs = append(out.Outs, &logical.Column{Name: item.Text, Type: item.Type, Encoding: item.Encoding})
	}
	k.Node, k.Cols = out, out.Outs
	if q.Op == logical.OpInQuery {
		k.Looked = &logical.Column{Name: "x", Type: q.Type}
		var err error
		if k.Test, err = logical.CallRows("=", q.Pos, logical.ColumnExpr(k.Looked, q.Pos), logical.ColumnExpr(k.Cols[k.Value], q.Pos)); err != nil {
			return
		}
	}
	c.Keyed = k
	if k.Aggregated {
		c.None = noneOf(q.Rel.Node)
	}
}

// pairwise reports whether a subquery whose conditions compare its rows with the outer one, but
// have no key, had better read its rows once. Where an index finds them, or a condition may fail,
// it is run for each row.
func pairwise(q *logical.Subquery, conds []*logical.Expr, n logical.Node) bool {
	if q.Op != logical.OpExists && q.Op != logical.OpInQuery || len(conds) == 0 || slices.ContainsFunc(conds, mayFail) {
		return false
	}
	var used []*logical.Expr
	for c := range logical.ColumnsOf(conds...) {
		used = append(used, logical.ColumnExpr(c, parse.Pos{}))
	}
	return !indexed(n, used)
}

// onlyOf reports whether e uses columns of the set, and no other.
func onlyOf(e *logical.Expr, set map[*logical.Column]bool) bool {
	used := logical.ColumnsOf(e)
	for c := range used {
		if !set[c] {
			return false
		}
	}
	return len(used) > 0
}

// indexed reports whether a table below n has an index, or its primary key, on
// one of the keys.
func indexed(n logical.Node, keys []*logical.Expr) bool {
	for _, k := range keys {
		if k.Op != logical.OpColumn {
			continue
		}
		scan := logical.ScanFor(n, k.Column)
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
func usesAny(e *logical.Expr, set map[*logical.Column]bool) bool {
	for c := range logical.ColumnsOf(e) {
		if set[c] {
			return true
		}
	}
	return false
}

// noneOf returns the plan of a subquery, an aggregate without groups, where no row
// passes its conditions.
func noneOf(n logical.Node) logical.Node {
	n = logical.CopyNode(n)
	if p, ok := n.(*logical.Project); ok {
		if a, ok := p.In.(*logical.Group); ok {
			a.In = &logical.Filter{In: a.In, Conds: []*logical.Expr{logical.Constant(value.Bool(false), parse.Pos{}, "FALSE")}}
		}
	}
	return n
}
