package bind

import (
	"cmp"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
)

// numbered is the scan of a table with its row numbers.
func numbered(table *storage.Table, name string) (*logical.Relation, *logical.RowNumbers) {
	rel := ScanOf(table, name)
	n := &logical.RowNumbers{In: rel.Node, Num: &logical.Column{Name: "row number", Type: logical.IntType, Hidden: true}}
	return &logical.Relation{Node: n, Cols: rel.Cols}, n
}

// Update binds UPDATE t SET ... [FROM ...] [WHERE ...].
func (b *Binder) Update(s *parse.Update) (*logical.Change, error) {
	defer b.within(len(b.ctes))
	if err := b.with(s.With.With, s.Recursive, s); err != nil {
		return nil, err
	}
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	rel, num := numbered(table, cmp.Or(s.Alias.Name, s.Table.Name))
	var in logical.Node = num
	sc := &Scope{columns: rel.Cols, Inside: "UPDATE"}
	var others []*logical.Column // of FROM
	if s.From != nil {
		if in, others, err = b.beside(in, s.From, sc); err != nil {
			return nil, err
		}
	}
	cols, items, err := b.assignments(sc, s.Set, def, rel.Cols)
	if err != nil {
		return nil, err
	}
	if in, err = b.where(in, sc, s.Where); err != nil {
		return nil, err
	}
	returning, err := b.returning(s.Returning, table, s.Alias, others)
	if err != nil {
		return nil, err
	}
	p := &logical.Project{In: in, Items: []*logical.Expr{logical.ColumnExpr(num.Num, parse.Pos{})}, Outs: []*logical.Column{num.Num}}
	for i, e := range items {
		p.Items = append(p.Items, e)
		p.Outs = append(p.Outs, &logical.Column{Name: def.Columns[cols[i]].Name, Type: def.Columns[cols[i]].Type})
	}
	p.Outs[0] = &logical.Column{Name: "row number", Type: logical.IntType}
	if returning != nil {
		for _, c := range returning.From {
			p.Items = append(p.Items, logical.ColumnExpr(c, parse.Pos{}))
			p.Outs = append(p.Outs, &logical.Column{Name: c.Name, Type: c.Type})
		}
	}
	set := len(p.Outs)
	if len(def.Checks) > 0 { // which may need columns that are not set
		for _, c := range rel.Cols {
			p.Items = append(p.Items, logical.ColumnExpr(c, parse.Pos{}))
			p.Outs = append(p.Outs, &logical.Column{Name: c.Name, Type: c.Type})
		}
	}
	rows, err := b.checks(&logical.Relation{Node: p, Cols: p.Outs}, def, set, func(ord int) *logical.Column {
		if i := slices.Index(cols, ord); i >= 0 {
			return p.Outs[1+i]
		}
		return p.Outs[set+ord]
	})
	return &logical.Change{Table: table, Rows: rows, Cols: cols, Returning: returning}, err
}

// beside joins the table that a statement changes with those of its FROM or USING, whose columns
// come into the scope and are returned.
func (b *Binder) beside(in logical.Node, t parse.TableExpr, s *Scope) (logical.Node, []*logical.Column, error) {
	from, err := b.from(t, s)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range from.Cols {
		if c.Table == s.columns[0].Table {
			return nil, nil, parse.Errorf(t.Position(), "two tables are called %q here; give one another name: %s AS x", c.Table, c.Table)
		}
	}
	s.columns = slices.Concat(s.columns, from.Cols)
	return &logical.Join{Kind: parse.InnerJoin, Left: in, Right: from.Node}, from.Cols, nil
}

func (b *Binder) where(in logical.Node, s *Scope, e parse.Expr) (logical.Node, error) {
	s.Inside = "WHERE"
	cond, err := b.condition(s, e, "WHERE")
	if err != nil || cond == nil {
		return in, err
	}
	return &logical.Filter{In: in, Conds: logical.Conjuncts(cond, nil)}, nil
}

// Delete binds DELETE FROM t [USING ...] [WHERE ...].
func (b *Binder) Delete(s *parse.Delete) (*logical.Change, error) {
	defer b.within(len(b.ctes))
	if err := b.with(s.With.With, s.Recursive, s); err != nil {
		return nil, err
	}
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	rel, num := numbered(table, cmp.Or(s.Alias.Name, s.Table.Name))
	sc := &Scope{columns: rel.Cols, aliases: map[string]*alias{}}
	var in logical.Node = num
	cond, joined := s.Condition(), s.Using != nil && len(s.Returning) > 0
	if joined { // RETURNING has columns of USING, too
		if in, _, err = b.beside(in, s.Using, sc); err != nil {
			return nil, err
		}
		cond = s.Where
	}
	if in, err = b.where(in, sc, cond); err != nil {
		return nil, err
	}
	if joined { // a row goes once, however many partners it has
		in = &logical.Sort{In: in, On: []*logical.Expr{logical.ColumnExpr(num.Num, parse.Pos{})}, Count: -1}
	}
	var r *logical.Returned
	p := &logical.Project{In: in, Items: []*logical.Expr{logical.ColumnExpr(num.Num, parse.Pos{})}, Outs: []*logical.Column{{Name: "row number", Type: logical.IntType}}}
	if len(s.Returning) > 0 {
		r = &logical.Returned{}
		sc.Inside = "RETURNING"
		if err := b.returnedItems(r, sc, s.Returning); err != nil {
			return nil, err
		}
		p.Items, p.Outs = append(p.Items, r.Items...), append(p.Outs, r.Outs...)
	}
	return &logical.Change{Table: table, Rows: &logical.Relation{Node: p, Cols: p.Outs}, Cols: nil, Returning: r}, nil
}
