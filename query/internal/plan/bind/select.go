package bind

import (
	"slices"
	"strings"
	"time"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// maxDepth bounds the nesting of queries.
const maxDepth = 64

// Query binds a whole query. want, if not nil, are the columns of the table its
// rows go into, so that texts and pictures among them are encoded.
func (b *Binder) Query(q *parse.Select, outer *Scope, want []target) (*logical.Relation, error) {
	if b.depth++; b.depth > maxDepth {
		return nil, parse.Errorf(q.Pos, "queries are nested more than %d deep", maxDepth)
	}
	defer func() { b.depth-- }()
	if q.Lock {
		if err := lockElsewhere(q); err != nil {
			return nil, err
		}
	}
	if len(q.With) > 0 {
		defer func(n int) { b.ctes = b.ctes[:n] }(len(b.ctes))
		if err := b.with(q.With, q.Recursive, q); err != nil {
			return nil, err
		}
	}
	count, offset, err := b.limits(q)
	if err != nil {
		return nil, err
	}
	recall, err := b.recall(q)
	if err != nil {
		return nil, err
	}
	within, err := b.timeLimit(q)
	if err != nil {
		return nil, err
	}
	if core, ok := q.Body.(*parse.Core); ok {
		r, err := b.core(core, q.OrderBy, count, offset, outer, want)
		if err != nil {
			return nil, err
		}
		order := orderOf(r.Node)
		if order != nil {
			order.Recall, order.Time, order.Top = recall, within, q == b.Top
		}
		if within != nil && order == nil {
			return nil, logical.NoSearch(within.Pos)
		}
		return r, nil
	}
	if within != nil {
		return nil, logical.NoSearch(within.Pos)
	}
	r, err := b.body(q.Body, outer, want)
	if err != nil {
		return nil, err
	}
	if len(q.OrderBy) == 0 {
		if count >= 0 || offset > 0 {
			r.Node = &logical.Limit{In: r.Node, Count: count, Offset: offset}
		}
		return r, nil
	}
	// The outcome of a UNION is ordered by its columns.
	s := &Scope{columns: r.Cols, outer: outer, Inside: "ORDER BY"}
	n := &logical.Sort{In: r.Node, Count: count, Offset: offset}
	for i := range q.OrderBy {
		e, err := b.orderExpr(s, q.OrderBy[i].Expr, func(k int) (*logical.Expr, error) { return logical.ColumnExpr(r.Cols[k], q.OrderBy[i].Pos), nil }, len(r.Cols))
		if err != nil {
			return nil, err
		}
		k, err := b.sortKeyOf(&q.OrderBy[i], e)
		if err != nil {
			return nil, err
		}
		n.Keys = append(n.Keys, k)
	}
	return &logical.Relation{Node: n, Cols: r.Cols}, nil
}

// lockElsewhere refuses FOR UPDATE of rows that others change.
func lockElsewhere(q *parse.Select) (err error) {
	parse.Walk(q, func(n parse.Node) bool {
		if t, ok := n.(*parse.TableName); ok && t.Table.Database != "" && !strings.EqualFold(t.Table.Database, "pg_catalog") && err == nil {
			err = parse.Errorf(t.Pos, "FOR UPDATE locks rows of the store, not those of attached databases")
		}
		return err == nil
	})
	return err
}

// limits returns the numbers of LIMIT (-1 without one) and OFFSET.
func (b *Binder) limits(q *parse.Select) (count, offset int64, err error) {
	number := func(e parse.Expr, clause string, none int64) (int64, error) {
		if e == nil {
			return none, nil
		}
		x, err := b.Expr(&Scope{Inside: clause}, e)
		if err != nil {
			return 0, err
		}
		x, ok, err := b.constOf(x)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, parse.Errorf(parse.Start(e), "%s needs a constant number", clause)
		}
		if x.Value.IsNull() {
			return none, nil
		}
		if x, err = b.castConst(x, logical.IntType, fn.Implicit); err != nil {
			return 0, parse.Errorf(parse.Start(e), "%s needs a whole number, not %s", clause, e)
		}
		if x.Value.Kind() != value.Integer {
			return 0, parse.Errorf(parse.Start(e), "%s needs a whole number, not %s", clause, e)
		}
		if x.Value.Int() < 0 {
			return 0, parse.Errorf(parse.Start(e), "%s can't be negative", clause)
		}
		return x.Value.Int(), nil
	}
	if count, err = number(q.Limit, "LIMIT", -1); err != nil {
		return
	}
	offset, err = number(q.Offset, "OFFSET", 0)
	const most = 1 << 60
	return min(count, most), min(offset, most), err
}

// recall returns the part of the rows that APPROX asks for, 0 without it.
func (b *Binder) recall(q *parse.Select) (float64, error) {
	if !q.Approx {
		return 0, nil
	}
	if q.Target == nil {
		return 0.95, nil
	}
	x, err := b.Expr(&Scope{Inside: "TARGET ACCURACY"}, q.Target)
	if err != nil {
		return 0, err
	}
	x, ok, err := b.constOf(x)
	if err == nil && ok && !x.Value.IsNull() {
		x, err = b.castConst(x, logical.RealType, fn.Implicit)
	}
	if err != nil {
		return 0, err
	}
	if !ok || x.Value.Kind() != value.Real || !(x.Value.Float() >= 1 && x.Value.Float() <= 100) {
		return 0, parse.Errorf(parse.Start(q.Target), "TARGET ACCURACY is the part of the rows to be found, 1 to 100 in a hundred")
	}
	return x.Value.Float() / 100, nil
}

// timeLimit returns the time limit of WITHIN, nil without it.
func (b *Binder) timeLimit(q *parse.Select) (*logical.TimeLimit, error) {
	w := q.Within
	if w == nil {
		return nil, nil
	}
	if q != b.Top {
		return nil, parse.Errorf(w.Pos, "WITHIN is for a query whose rows are given as they are, where it is told which of them are proven; not for one within another statement")
	}
	start := parse.Start(w.Time)
	x, err := b.Expr(&Scope{Inside: "WITHIN"}, w.Time)
	if err != nil {
		return nil, err
	}
	x, ok, err := b.constOf(x)
	bad := parse.Errorf(start, "WITHIN is a constant time, not %s", w.Time).WithHint("LIMIT 10 WITHIN 5 ms, or an INTERVAL")
	if err != nil {
		return nil, err
	}
	if !ok || x.Value.IsNull() {
		return nil, bad
	}
	limit := &logical.TimeLimit{Pos: w.Pos}
	if x.Value.Kind() == value.Interval && w.Unit == "" {
		s := x.Value.Span()
		const day = 24 * time.Hour
		limit.Most = min(longest, time.Duration(s.Months)*30*day+time.Duration(s.Days)*day+time.Duration(min(s.Micros, int64(longest/time.Microsecond)))*time.Microsecond)
	} else {
		unit := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second}[w.Unit]
		if unit == 0 {
			return nil, bad
		}
		if x, err = b.castConst(x, logical.RealType, fn.Implicit); err != nil || x.Value.Kind() != value.Real {
			return nil, bad
		}
		limit.Most = time.Duration(min(x.Value.Float()*float64(unit), float64(longest)))
	}
	if limit.Most < 0 {
		return nil, parse.Errorf(start, "WITHIN can't be negative")
	}
	return limit, nil
}

// longest is the longest time of WITHIN: no search takes that long.
const longest = 24 * time.Hour

// orderOf returns the ORDER BY at the top of a plan, nil without one and for DISTINCT ON.
func orderOf(n logical.Node) *logical.Sort {
	switch n := n.(type) {
	case *logical.Project:
		return orderOf(n.In)
	case *logical.Sort:
		if len(n.On) == 0 {
			return n
		}
	}
	return nil
}

// body binds the body of a query other than a single SELECT.
func (b *Binder) body(body parse.Body, outer *Scope, want []target) (*logical.Relation, error) {
	switch t := body.(type) {
	case *parse.Core:
		return b.core(t, nil, -1, 0, outer, want)
	case *parse.Select:
		return b.Query(t, outer, want)
	case *parse.Values:
		return b.values(t, outer, want)
	case *parse.Union:
		return b.union(t, outer, want)
	}
	return nil, parse.Errorf(body.Position(), "internal error: unknown query %T", body)
}

// core binds one SELECT with the ORDER BY and LIMIT that belong to it.
func (b *Binder) core(c *parse.Core, order []parse.OrderItem, count, offset int64, outer *Scope, want []target) (*logical.Relation, error) {
	c, err := b.withRows(c)
	if err != nil {
		return nil, err
	}
	s := &Scope{outer: outer, aliases: map[string]*alias{}, named: c.Windows}
	var in logical.Node = &logical.Values{Rows: [][]*logical.Expr{{}}}
	if c.From != nil {
		r, err := b.from(c.From, s)
		if err != nil {
			return nil, err
		}
		in, s.columns = r.Node, r.Cols
	}
	for i := range c.Items {
		it := &c.Items[i]
		if it.Alias.Name != "" && it.Expr != nil && s.aliases[it.Alias.Name] == nil {
			s.aliases[it.Alias.Name] = &alias{item: it}
		}
	}

	s.Inside = "WHERE"
	where, err := b.condition(s, c.Where, "WHERE")
	if err != nil {
		return nil, err
	}
	if where != nil {
		in = &logical.Filter{In: in, Conds: logical.Conjuncts(where, nil)}
	}

	items, names, err := b.items(s, c, want)
	if err != nil {
		return nil, err
	}
	ordinal := func(k int) (*logical.Expr, error) { return items[k], nil }

	if err := b.checkWindows(s); err != nil {
		return nil, err
	}
	s.aggregates, s.windows, s.Inside = false, false, "GROUP BY"
	groups, sets, err := b.groupBy(c, func(g parse.Expr) (*logical.Expr, error) {
		e, err := b.ordinalOr(s, g, ordinal, len(items), false)
		if err == nil && (e.Uses(logical.OpAgg) || e.Uses(logical.OpGrouping)) {
			err = parse.Errorf(parse.Start(g), "GROUP BY can't use an aggregate")
		}
		return e, err
	}, func() []*logical.Expr {
		return slices.DeleteFunc(slices.Clone(items), func(e *logical.Expr) bool { return e.Uses(logical.OpAgg) || e.Uses(logical.OpWindow) })
	})
	if err != nil {
		return nil, err
	}
	s.aggregates, s.Inside = true, "HAVING"
	having, err := b.condition(s, c.Having, "HAVING")
	if err != nil {
		return nil, err
	}
	s.windows, s.Inside = true, "QUALIFY"
	qualify, err := b.condition(s, c.Qualify, "QUALIFY")
	if err != nil {
		return nil, err
	}
	s.Inside = ""
	var keys []logical.SortKey
	for i := range order {
		e, err := b.orderExpr(s, order[i].Expr, ordinal, len(items))
		if err != nil {
			return nil, err
		}
		k, err := b.sortKeyOf(&order[i], e)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	var on []*logical.Expr
	for _, d := range c.DistinctOn {
		e, err := b.orderExpr(s, d, ordinal, len(items))
		if err != nil {
			return nil, err
		}
		on = append(on, e)
	}

	// Grouping.
	grouped := len(groups) > 0 || sets != nil || having != nil
	for _, e := range items {
		grouped = grouped || e.Uses(logical.OpAgg) || e.Uses(logical.OpGrouping)
	}
	for _, k := range keys {
		grouped = grouped || k.Expr.Uses(logical.OpAgg)
	}
	grouped = grouped || qualify != nil && qualify.Uses(logical.OpAgg)
	if grouped {
		g := b.newGrouping(in, groups, s)
		g.sets = sets
		for i := range items {
			if items[i], err = g.replace(items[i]); err != nil {
				return nil, err
			}
		}
		for i := range keys {
			if keys[i].Expr, err = g.replace(keys[i].Expr); err != nil {
				return nil, err
			}
		}
		for i := range on {
			if on[i], err = g.replace(on[i]); err != nil {
				return nil, err
			}
		}
		if having != nil {
			if having, err = g.replace(having); err != nil {
				return nil, err
			}
		}
		if qualify != nil {
			if qualify, err = g.replace(qualify); err != nil {
				return nil, err
			}
		}
		in = g.result()
		if having != nil {
			in = &logical.Filter{In: in, Conds: logical.Conjuncts(having, nil)}
		}
	}

	byRows := make([]*logical.Expr, len(keys), len(keys)+1)
	for i := range keys {
		byRows[i] = keys[i].Expr
	}
	if qualify != nil {
		byRows = append(byRows, qualify)
	}
	in = b.overRows(in, items, byRows, on)
	for i := range keys {
		keys[i].Expr = byRows[i]
	}
	w := &windowing{b: b, in: in, cols: map[string]*logical.Column{}}
	if qualify != nil {
		qualify = w.replace(byRows[len(keys)])
	}
	for i := range items {
		items[i] = w.replace(items[i])
	}
	for i := range keys {
		keys[i].Expr = w.replace(keys[i].Expr)
	}
	for i := range on {
		on[i] = w.replace(on[i])
	}
	if in = w.in; qualify != nil {
		in = &logical.Filter{In: in, Conds: logical.Conjuncts(qualify, nil)}
	}

	outs := make([]*logical.Column, len(items))
	for i, e := range items {
		outs[i] = &logical.Column{Name: names[i], Type: e.Type, Encoding: e.Encoding, Array: e.Array, Rank: b.rankOf(e)}
		if e.Op == logical.OpColumn {
			outs[i].Stored = e.Column.Stored
		}
	}
	switch {
	case c.Distinct:
		// ORDER BY can only use what is selected: equal rows are one.
		p := &logical.Project{In: in, Items: items, Outs: outs}
		in = &logical.Distinct{In: p}
		byKey := map[string]*logical.Column{}
		for i, e := range items {
			if byKey[e.Key()] == nil {
				byKey[e.Key()] = outs[i]
			}
		}
		for i := range keys {
			k := keys[i].Expr.Rewrite(func(x *logical.Expr) *logical.Expr {
				if c := byKey[x.Key()]; c != nil {
					return logical.ColumnExpr(c, x.Pos)
				}
				return nil
			})
			for c := range logical.ColumnsOf(k) {
				if !slices.Contains(outs, c) {
					return nil, parse.Errorf(order[i].Pos, "with SELECT DISTINCT, ORDER BY can only use what is selected; %s is not", keys[i].Expr)
				}
			}
			keys[i].Expr = k
		}
		if len(keys) > 0 {
			in = &logical.Sort{In: in, Keys: keys, Count: count, Offset: offset}
		} else if count >= 0 || offset > 0 {
			in = &logical.Limit{In: in, Count: count, Offset: offset}
		}
		return &logical.Relation{Node: in, Cols: outs}, nil
	case len(on) > 0:
		if err := distinctOnOrder(c, on, keys); err != nil {
			return nil, err
		}
		in = &logical.Sort{In: in, Keys: keys, On: on, Count: count, Offset: offset}
	case len(keys) > 0:
		in = &logical.Sort{In: in, Keys: keys, Count: count, Offset: offset}
	case count >= 0 || offset > 0:
		in = &logical.Limit{In: in, Count: count, Offset: offset}
	}
	return &logical.Relation{Node: &logical.Project{In: in, Items: items, Outs: outs}, Cols: outs}, nil
}

// distinctOnOrder checks PostgreSQL's rule: ORDER BY starts with the
// expressions of DISTINCT ON.
func distinctOnOrder(c *parse.Core, on []*logical.Expr, keys []logical.SortKey) error {
	left := map[string]bool{}
	for _, e := range on {
		left[e.Key()] = true
	}
	n := len(left)
	for i := 0; i < len(keys) && i < n; i++ {
		if !left[keys[i].Expr.Key()] {
			return parse.Errorf(c.DistinctOn[0].Position(), "ORDER BY has to start with what DISTINCT ON has: ORDER BY %s, ...", logical.Texts(on, ", "))
		}
	}
	return nil
}

// items binds the select list and expands its stars.
func (b *Binder) items(s *Scope, c *parse.Core, want []target) (items []*logical.Expr, names []string, err error) {
	for i := range c.Items {
		it := &c.Items[i]
		if it.Star {
			n := 0
			b.frozen.noStar(it)
			for _, col := range s.columns {
				if !col.Hidden && (it.Table.Name == "" && !col.Merged || it.Table.Name != "" && it.Table.Means(col.Table)) {
					items = append(items, logical.ColumnExpr(col, it.Pos))
					names = append(names, col.Name)
					b.frozen.star(it, col)
					n++
				}
			}
			if n == 0 && it.Table.Name != "" {
				return nil, nil, parse.Errorf(it.Pos, "no table %q in this query", it.Table.Name).WithHint("%s", hint.Question(it.Table.Name, s.tables()))
			}
			if n == 0 {
				return nil, nil, parse.Errorf(it.Pos, "* needs a FROM")
			}
			continue
		}
		s.aggregates, s.windows, s.Inside = true, true, ""
		a := s.aliases[it.Alias.Name]
		var e *logical.Expr
		if a != nil && a.item == it {
			if len(items) < len(want) && want[len(items)].name != "" && b.needsTarget(it.Expr) {
				e, err = b.item(s, it.Expr, want, len(items))
				a.expr = e
			} else {
				if a.expr == nil && a.err == nil {
					a.bind(b, s)
				}
				e, err = a.expr, a.err
			}
		} else {
			e, err = b.item(s, it.Expr, want, len(items))
		}
		if err != nil {
			return nil, nil, err
		}
		items = append(items, e)
		name := itemName(it)
		if ref, ok := it.Expr.(*parse.ColumnRef); ok && it.Alias.Name == "" && e.Op == logical.OpColumn && ref.Name.Means(e.Column.Name) {
			name = e.Column.Name // as it was given, whatever its case here
		}
		names = append(names, name)
	}
	return items, names, nil
}

// itemName is the name of a select item's column.
func itemName(it *parse.SelectItem) string {
	if it.Alias.Name != "" {
		return it.Alias.Name
	}
	switch e := it.Expr.(type) {
	case *parse.ColumnRef:
		return e.Name.Name
	case *parse.Call:
		return strings.ToLower(e.Func.Name)
	case *parse.Cast:
		return itemName(&parse.SelectItem{Expr: e.X})
	case *parse.Case:
		return "case"
	case *parse.Exists:
		return "exists"
	}
	return it.Expr.String()
}

// item binds an item of a select list or a row of VALUES. Where it goes into a
// vector column, texts and pictures are encoded for that.
func (b *Binder) item(s *Scope, e parse.Expr, want []target, i int) (*logical.Expr, error) {
	if i < len(want) && want[i].name != "" && b.needsTarget(e) {
		return b.vector(s, e, want[i])
	}
	return b.Expr(s, e)
}
