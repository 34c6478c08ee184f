package plan

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// relation is a bound query: its plan and its columns in order.
type relation struct {
	node node
	cols []*column
}

// maxDepth bounds the nesting of queries.
const maxDepth = 64

// query binds a whole query. want, if not nil, are the columns of the table its
// rows go into, so that texts and pictures among them are encoded.
func (b *binder) query(q *parse.Select, outer *scope, want []target) (*relation, error) {
	if b.depth++; b.depth > maxDepth {
		return nil, parse.Errorf(q.Pos, "queries are nested more than %d deep", maxDepth)
	}
	defer func() { b.depth-- }()
	if len(q.With) > 0 {
		defer func(n int) { b.ctes = b.ctes[:n] }(len(b.ctes))
		for i := range q.With {
			for k := range i {
				if q.With[k].Name.Name == q.With[i].Name.Name {
					return nil, parse.Errorf(q.With[i].Pos, "WITH names %q twice", q.With[i].Name.Name)
				}
			}
			b.ctes = append(b.ctes, cte{&q.With[i], len(b.ctes)})
		}
	}
	count, offset, err := b.limits(q)
	if err != nil {
		return nil, err
	}
	if core, ok := q.Body.(*parse.Core); ok {
		return b.core(core, q.OrderBy, count, offset, outer, want)
	}
	r, err := b.body(q.Body, outer, want)
	if err != nil {
		return nil, err
	}
	if len(q.OrderBy) == 0 {
		if count >= 0 || offset > 0 {
			r.node = &limitNode{r.node, count, offset}
		}
		return r, nil
	}
	// The outcome of a UNION is ordered by its columns.
	s := &scope{columns: r.cols, outer: outer, inside: "ORDER BY"}
	n := &sortNode{in: r.node, count: count, offset: offset}
	for i := range q.OrderBy {
		e, err := b.orderExpr(s, q.OrderBy[i].Expr, func(k int) (*expr, error) { return columnExpr(r.cols[k], q.OrderBy[i].Pos), nil }, len(r.cols))
		if err != nil {
			return nil, err
		}
		k, err := b.sortKeyOf(&q.OrderBy[i], e)
		if err != nil {
			return nil, err
		}
		n.keys = append(n.keys, k)
	}
	return &relation{n, r.cols}, nil
}

// limits returns the numbers of LIMIT (-1 without one) and OFFSET.
func (b *binder) limits(q *parse.Select) (count, offset int64, err error) {
	number := func(e parse.Expr, clause string, none int64) (int64, error) {
		if e == nil {
			return none, nil
		}
		x, err := b.expr(&scope{inside: clause}, e)
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
		if x.val.IsNull() {
			return none, nil
		}
		if x, err = b.castConst(x, intType, fn.Implicit); err != nil {
			return 0, parse.Errorf(parse.Start(e), "%s needs a whole number, not %s", clause, e)
		}
		if x.val.Kind() != value.Integer {
			return 0, parse.Errorf(parse.Start(e), "%s needs a whole number, not %s", clause, e)
		}
		if x.val.Int() < 0 {
			return 0, parse.Errorf(parse.Start(e), "%s can't be negative", clause)
		}
		return x.val.Int(), nil
	}
	if count, err = number(q.Limit, "LIMIT", -1); err != nil {
		return
	}
	offset, err = number(q.Offset, "OFFSET", 0)
	const most = 1 << 60
	return min(count, most), min(offset, most), err
}

// body binds the body of a query other than a single SELECT.
func (b *binder) body(body parse.Body, outer *scope, want []target) (*relation, error) {
	switch t := body.(type) {
	case *parse.Core:
		return b.core(t, nil, -1, 0, outer, want)
	case *parse.Select:
		return b.query(t, outer, want)
	case *parse.Values:
		return b.values(t, outer, want)
	case *parse.Union:
		return b.union(t, outer, want)
	}
	return nil, parse.Errorf(body.Position(), "internal error: unknown query %T", body)
}

// values binds VALUES (...), (...).
func (b *binder) values(v *parse.Values, outer *scope, want []target) (*relation, error) {
	s := &scope{outer: outer, inside: "VALUES"}
	n := &valuesNode{}
	width := len(v.Rows[0])
	types := make([][]fn.ArgType, width)
	for _, row := range v.Rows {
		bound := make([]*expr, width)
		for i, e := range row {
			x, err := b.item(s, e, want, i)
			if err != nil {
				return nil, err
			}
			bound[i] = x
			types[i] = append(types[i], argType(x))
		}
		n.rows = append(n.rows, bound)
	}
	for i := range width {
		t, err := fn.Common("VALUES", types[i])
		if err != nil {
			return nil, errorAt(v.Rows[0][i].Position(), err)
		}
		if t.Kind == value.Null {
			t = textType
		}
		for _, row := range n.rows {
			if row[i], err = b.castTo(row[i], t, fn.Implicit); err != nil {
				return nil, err
			}
		}
		n.outs = append(n.outs, &column{name: fmt.Sprintf("column%d", i+1), typ: t, enc: n.rows[0][i].enc})
	}
	return &relation{n, n.outs}, nil
}

// item binds an item of a select list or a row of VALUES. Where it goes into a
// vector column, texts and pictures are encoded for that.
func (b *binder) item(s *scope, e parse.Expr, want []target, i int) (*expr, error) {
	if i < len(want) && want[i].name != "" && b.needsTarget(e) {
		return b.vector(s, e, want[i])
	}
	return b.expr(s, e)
}

func (b *binder) union(u *parse.Union, outer *scope, want []target) (*relation, error) {
	l, err := b.body(u.Left, outer, want)
	if err != nil {
		return nil, err
	}
	r, err := b.body(u.Right, outer, want)
	if err != nil {
		return nil, err
	}
	if len(l.cols) != len(r.cols) {
		return nil, parse.Errorf(u.Right.Position(), "UNION needs queries of equally many columns; these have %d and %d", len(l.cols), len(r.cols))
	}
	n := &unionNode{}
	for i, c := range l.cols {
		t, err := fn.Common("UNION", []fn.ArgType{{Type: c.typ}, {Type: r.cols[i].typ}})
		if err != nil {
			return nil, errorAt(u.Right.Position(), err)
		}
		out := &column{name: c.name, typ: t, enc: c.enc, rank: c.rank}
		if r.cols[i].rank != c.rank {
			out.rank = mixed
		}
		n.outs = append(n.outs, out)
	}
	for _, side := range []*relation{l, r} {
		if in, err := b.converted(side, n.outs); err != nil {
			return nil, err
		} else if un, ok := in.(*unionNode); ok && side == l && u.All {
			n.ins = append(n.ins, un.ins...)
		} else {
			n.ins = append(n.ins, in)
		}
	}
	var out node = n
	if !u.All {
		out = &distinctNode{n}
	}
	return &relation{out, n.outs}, nil
}

// converted returns a node whose columns, in order, are those of r with the types of outs.
func (b *binder) converted(r *relation, outs []*column) (node, error) {
	p := &projectNode{in: r.node}
	for i, c := range r.cols {
		e, err := b.castTo(columnExpr(c, parse.Pos{}), outs[i].typ, fn.Implicit)
		if err != nil {
			return nil, err
		}
		p.items = append(p.items, e)
		p.outs = append(p.outs, &column{name: c.name, typ: outs[i].typ})
	}
	return p, nil
}

// core binds one SELECT with the ORDER BY and LIMIT that belong to it.
func (b *binder) core(c *parse.Core, order []parse.OrderItem, count, offset int64, outer *scope, want []target) (*relation, error) {
	s := &scope{outer: outer, aliases: map[string]*alias{}}
	var in node = &valuesNode{rows: [][]*expr{{}}}
	if c.From != nil {
		r, err := b.from(c.From, s)
		if err != nil {
			return nil, err
		}
		in, s.columns = r.node, r.cols
	}
	for i := range c.Items {
		it := &c.Items[i]
		if it.Alias.Name != "" && it.Expr != nil && s.aliases[it.Alias.Name] == nil {
			s.aliases[it.Alias.Name] = &alias{item: it}
		}
	}

	s.inside = "WHERE"
	where, err := b.condition(s, c.Where, "WHERE")
	if err != nil {
		return nil, err
	}
	if where != nil {
		in = &filterNode{in, conjuncts(where, nil)}
	}

	items, names, err := b.items(s, c, want)
	if err != nil {
		return nil, err
	}
	ordinal := func(k int) (*expr, error) { return items[k], nil }

	s.aggregates, s.inside = false, "GROUP BY"
	var groups []*expr
	for _, g := range c.GroupBy {
		e, err := b.ordinalOr(s, g, ordinal, len(items), false)
		if err != nil {
			return nil, err
		}
		if e.uses(opAgg) {
			return nil, parse.Errorf(parse.Start(g), "GROUP BY can't use an aggregate")
		}
		groups = append(groups, e)
	}
	s.aggregates, s.inside = true, "HAVING"
	having, err := b.condition(s, c.Having, "HAVING")
	if err != nil {
		return nil, err
	}
	var keys []sortKey
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
	var on []*expr
	for _, d := range c.DistinctOn {
		e, err := b.orderExpr(s, d, ordinal, len(items))
		if err != nil {
			return nil, err
		}
		on = append(on, e)
	}

	// Grouping.
	grouped := len(groups) > 0 || having != nil
	for _, e := range items {
		grouped = grouped || e.uses(opAgg)
	}
	for _, k := range keys {
		grouped = grouped || k.expr.uses(opAgg)
	}
	if grouped {
		g := b.newGrouping(in, groups, s)
		for i := range items {
			if items[i], err = g.replace(items[i]); err != nil {
				return nil, err
			}
		}
		for i := range keys {
			if keys[i].expr, err = g.replace(keys[i].expr); err != nil {
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
		in = g.node
		if having != nil {
			in = &filterNode{in, conjuncts(having, nil)}
		}
	}

	outs := make([]*column, len(items))
	for i, e := range items {
		outs[i] = &column{name: names[i], typ: e.typ, enc: e.enc, rank: b.rankOf(e)}
	}
	switch {
	case c.Distinct:
		// ORDER BY can only use what is selected: equal rows are one.
		p := &projectNode{in: in, items: items, outs: outs}
		in = &distinctNode{p}
		byKey := map[string]*column{}
		for i, e := range items {
			if byKey[e.key()] == nil {
				byKey[e.key()] = outs[i]
			}
		}
		for i := range keys {
			k := keys[i].expr.rewrite(func(x *expr) *expr {
				if c := byKey[x.key()]; c != nil {
					return columnExpr(c, x.pos)
				}
				return nil
			})
			for c := range columnsOf(k) {
				if !contains(outs, c) {
					return nil, parse.Errorf(order[i].Pos, "with SELECT DISTINCT, ORDER BY can only use what is selected; %s is not", keys[i].expr)
				}
			}
			keys[i].expr = k
		}
		if len(keys) > 0 {
			in = &sortNode{in: in, keys: keys, count: count, offset: offset}
		} else if count >= 0 || offset > 0 {
			in = &limitNode{in, count, offset}
		}
		return &relation{in, outs}, nil
	case len(on) > 0:
		if err := distinctOnOrder(c, on, keys); err != nil {
			return nil, err
		}
		in = &sortNode{in: in, keys: keys, on: on, count: count, offset: offset}
	case len(keys) > 0:
		in = &sortNode{in: in, keys: keys, count: count, offset: offset}
	case count >= 0 || offset > 0:
		in = &limitNode{in, count, offset}
	}
	return &relation{&projectNode{in: in, items: items, outs: outs}, outs}, nil
}

func contains(cols []*column, c *column) bool {
	for _, x := range cols {
		if x == c {
			return true
		}
	}
	return false
}

// distinctOnOrder checks PostgreSQL's rule: ORDER BY starts with the
// expressions of DISTINCT ON.
func distinctOnOrder(c *parse.Core, on []*expr, keys []sortKey) error {
	left := map[string]bool{}
	for _, e := range on {
		left[e.key()] = true
	}
	n := len(left)
	for i := 0; i < len(keys) && i < n; i++ {
		if !left[keys[i].expr.key()] {
			return parse.Errorf(c.DistinctOn[0].Position(), "ORDER BY has to start with what DISTINCT ON has: ORDER BY %s, ...", texts(on, ", "))
		}
	}
	return nil
}

// items binds the select list and expands its stars.
func (b *binder) items(s *scope, c *parse.Core, want []target) (items []*expr, names []string, err error) {
	for i := range c.Items {
		it := &c.Items[i]
		if it.Star {
			n := 0
			for _, col := range s.columns {
				if !col.hidden && (col.table == it.Table.Name || it.Table.Name == "" && !col.merged) {
					items = append(items, columnExpr(col, it.Pos))
					names = append(names, col.name)
					n++
				}
			}
			if n == 0 && it.Table.Name != "" {
				return nil, nil, parse.Errorf(it.Pos, "no table %q in this query", it.Table.Name).WithHint("%s", didYouMean(it.Table.Name, s.tables()))
			}
			if n == 0 {
				return nil, nil, parse.Errorf(it.Pos, "* needs a FROM")
			}
			continue
		}
		s.aggregates, s.inside = true, ""
		a := s.aliases[it.Alias.Name]
		var e *expr
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
		names = append(names, itemName(it))
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

// ordinalOr binds e, or takes the item whose number it is.
func (b *binder) ordinalOr(s *scope, e parse.Expr, item func(int) (*expr, error), n int, aliasFirst bool) (*expr, error) {
	switch x := e.(type) {
	case *parse.Literal:
		if x.Value.Kind() == value.Integer {
			k := x.Value.Int()
			if k < 1 || k > int64(n) {
				return nil, parse.Errorf(x.Pos, "%d is not the number of a column: the select list has %s", k, counted(n, "column"))
			}
			return item(int(k) - 1)
		}
	case *parse.ColumnRef:
		return b.name(s, x, aliasFirst)
	}
	return b.expr(s, e)
}

func (b *binder) orderExpr(s *scope, e parse.Expr, item func(int) (*expr, error), n int) (*expr, error) {
	x, err := b.ordinalOr(s, e, item, n, true)
	if err != nil {
		return nil, err
	}
	if lit, ok := e.(*parse.Literal); ok && lit.Value.Kind() == value.Text {
		return nil, parse.Errorf(parse.Start(e), "ORDER BY %s orders nothing: a text in quotes is the same for every row", e).WithHint("a column's name is written without quotes, or in double quotes")
	}
	return x, nil
}

// sortKeyOf gives an ORDER BY item its direction: a score with none is best
// first, anything else ascending, and a mixture has to say.
func (b *binder) sortKeyOf(it *parse.OrderItem, e *expr) (sortKey, error) {
	k := sortKey{expr: e}
	r := b.rankOf(e)
	what := ""
	switch it.Direction {
	case parse.Asc:
		what = "ascending"
	case parse.Desc:
		k.order.Desc = true
		what = "descending"
	default:
		switch r {
		case mixed:
			return k, parse.Errorf(it.Pos, "ORDER BY %s is made from a score but is none itself: write ASC or DESC after it", it.Expr)
		case score:
			k.order.Desc = true
			what = "best first"
		default:
			what = "ascending"
		}
	}
	switch it.Nulls {
	case parse.NullsFirst:
		k.order.NullsFirst = true
		what += ", nulls first"
	case parse.NullsLast:
		if k.order.Desc && r == plain && !e.uses(opScore) {
			what += ", nulls last"
		}
	default:
		// As in PostgreSQL NULL is above every value; but a row without a vector
		// comes last in any order of scores and distances.
		k.order.NullsFirst = k.order.Desc && r == plain && !e.uses(opScore)
	}
	k.text = it.Expr.String() + " (" + what + ")"
	return k, nil
}

// from binds what FROM reads.
func (b *binder) from(t parse.TableExpr, s *scope) (*relation, error) {
	switch t := t.(type) {
	case *parse.TableName:
		for i := len(b.ctes) - 1; i >= 0; i-- {
			if b.ctes[i].def.Name.Name == t.Table.Name {
				return b.cteRef(i, t)
			}
		}
		table, err := b.table(t.Table)
		if err != nil {
			return nil, err
		}
		r := scanOf(table, orElse(t.Alias.Name, t.Table.Name))
		return r, rename(r.cols, t.Columns)
	case *parse.SubqueryTable:
		q, err := b.query(t.Query, s.outer, nil)
		if err != nil {
			return nil, err
		}
		return aliased(q, t.Alias.Name, t.Columns)
	case *parse.TableFunc:
		return b.tableFunc(t)
	case *parse.Join:
		return b.join(t, s)
	}
	return nil, parse.Errorf(t.Position(), "internal error: unknown table expression %T", t)
}

// scanOf is the scan of a table under a name.
func scanOf(table *storage.Table, name string) *relation {
	def := table.Def()
	n := &scanNode{table: table, rows: float64(table.Rows())}
	for i := range def.Columns {
		c := &def.Columns[i]
		n.cols = append(n.cols, &column{table: name, name: c.Name, typ: c.Type, enc: encodingOf(def, i), ord: i, source: def.Name})
	}
	return &relation{n, n.cols}
}

// inlined is how many uses of queries named by WITH become a part of the plan, each on its
// own, so that a use computes only what it needs. A chain of queries that each use the one
// before twice has more uses than anyone can count; beyond this number, a query is run once and
// its rows are kept for all further uses.
const inlined = 64

// cteRef binds the use of a query named by WITH.
func (b *binder) cteRef(i int, t *parse.TableName) (*relation, error) {
	if b.cteUses++; b.cteUses > inlined {
		return b.sharedRef(i, t)
	}
	c := b.ctes[i]
	q, err := b.cteQuery(c)
	if err != nil {
		return nil, err
	}
	r, err := aliased(q, orElse(t.Alias.Name, t.Table.Name), c.def.Columns)
	if err != nil {
		return nil, err
	}
	return r, rename(r.cols, t.Columns)
}

func (b *binder) cteQuery(c cte) (*relation, error) {
	saved := b.ctes
	defer func() { b.ctes = saved }()
	b.ctes = b.ctes[:c.below:c.below]
	return b.query(c.def.Query, nil, nil)
}

// sharedQuery is a query named by WITH that is run once for many uses.
type sharedQuery struct{ rel *relation }

// sharedRef binds the use of a query whose rows are kept.
func (b *binder) sharedRef(i int, t *parse.TableName) (*relation, error) {
	c := b.ctes[i]
	q := b.shared[c.def]
	if q == nil {
		rel, err := b.cteQuery(c)
		if err != nil {
			return nil, err
		}
		q = &sharedQuery{rel: rel}
		if b.shared == nil {
			b.shared = map[*parse.CTE]*sharedQuery{}
		}
		b.shared[c.def] = q
	}
	n := &sourceNode{text: "rows of " + c.def.Name.Name, rows: 1000}
	for _, col := range q.rel.cols {
		x := *col
		x.table = orElse(t.Alias.Name, t.Table.Name)
		n.outs = append(n.outs, &x)
	}
	n.open = func(b *builder, want []int) (exec.Operator, error) {
		rows := b.run.shared[q]
		if rows == nil {
			op, err := b.root(q.rel.node, q.rel.cols)
			if err != nil {
				return nil, err
			}
			if b.run.shared == nil {
				b.run.shared = map[*sharedQuery]*exec.Shared{}
			}
			rows = exec.NewShared(op, &b.run.env, "WITH "+c.def.Name.Name)
			b.run.shared[q] = rows
		}
		return rows.Use(want), nil
	}
	if err := rename(n.outs, c.def.Columns); err != nil {
		return nil, err
	}
	return &relation{n, n.outs}, rename(n.outs, t.Columns)
}

// aliased gives a query's columns a table name, and other names if some are
// given.
func aliased(q *relation, table string, names []parse.Ident) (*relation, error) {
	n := &aliasNode{in: q.node, from: q.cols}
	for _, c := range q.cols {
		x := *c
		x.table = table
		n.outs = append(n.outs, &x)
	}
	return &relation{n, n.outs}, rename(n.outs, names)
}

func rename(cols []*column, names []parse.Ident) error {
	if len(names) > len(cols) {
		return parse.Errorf(names[len(cols)].Pos, "%d names, but %s", len(names), counted(len(cols), "column"))
	}
	for i, n := range names {
		cols[i].name = n.Name
	}
	return nil
}

// join binds a join.
func (b *binder) join(t *parse.Join, s *scope) (*relation, error) {
	l, err := b.from(t.Left, s)
	if err != nil {
		return nil, err
	}
	r, err := b.from(t.Right, s)
	if err != nil {
		return nil, err
	}
	for _, lc := range l.cols {
		for _, rc := range r.cols {
			if lc.table == rc.table && lc.table != "" {
				return nil, parse.Errorf(t.Right.Position(), "two tables are called %q here; give one another name: %s AS x", rc.table, rc.table)
			}
		}
	}
	n := &joinNode{kind: t.Kind, l: l.node, r: r.node}
	cols := append(append([]*column(nil), l.cols...), r.cols...)
	if len(t.Using) > 0 {
		ls, rs := &scope{columns: l.cols}, &scope{columns: r.cols}
		var joined []*column
		for _, u := range t.Using {
			ref := &parse.ColumnRef{Pos: u.Pos, Name: u}
			x, err := b.name(ls, ref, false)
			if err != nil {
				return nil, err
			}
			y, err := b.name(rs, ref, false)
			if err != nil {
				return nil, err
			}
			eq, err := b.apply("=", u.Pos, x, y)
			if err != nil {
				return nil, err
			}
			eq.text = u.Name
			n.on = append(n.on, eq)
			y.col.merged = true
			joined = append(joined, x.col)
		}
		// One of the two columns remains visible without a table's name, and comes first.
		for _, c := range cols {
			if !contains(joined, c) {
				joined = append(joined, c)
			}
		}
		return &relation{n, joined}, nil
	}
	if t.On != nil {
		on, err := b.condition(&scope{columns: cols, outer: s.outer, inside: "ON"}, t.On, "ON")
		if err != nil {
			return nil, err
		}
		n.on = conjuncts(on, nil)
	}
	return &relation{n, cols}, nil
}
