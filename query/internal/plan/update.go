package plan

import (
	"cmp"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// numbered is the scan of a table with its row numbers.
func numbered(table *storage.Table, name string) (*relation, *rowNumberNode) {
	rel := scanOf(table, name)
	n := &rowNumberNode{rel.node, &column{name: "row number", typ: intType, hidden: true}}
	return &relation{n, rel.cols}, n
}

// update binds UPDATE t SET ... [FROM ...] [WHERE ...].
func (b *binder) update(s *parse.Update) (*change, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	rel, num := numbered(table, cmp.Or(s.Alias.Name, s.Table.Name))
	var in node = num
	sc := &scope{columns: rel.cols, inside: "UPDATE"}
	if s.From != nil {
		from, err := b.from(s.From, sc)
		if err != nil {
			return nil, err
		}
		for _, c := range from.cols {
			if c.table == rel.cols[0].table {
				return nil, parse.Errorf(s.From.Position(), "two tables are called %q here; give one another name: %s AS x", c.table, c.table)
			}
		}
		in = &joinNode{kind: parse.InnerJoin, l: in, r: from.node}
		sc.columns = append(append([]*column(nil), rel.cols...), from.cols...)
	}
	cols, items, err := b.assignments(sc, s.Set, def, rel.cols)
	if err != nil {
		return nil, err
	}
	if in, err = b.where(in, sc, s.Where); err != nil {
		return nil, err
	}
	returning, err := b.returning(s.Returning, table, s.Alias)
	if err != nil {
		return nil, err
	}
	p := &projectNode{in: in, items: []*expr{columnExpr(num.num, parse.Pos{})}, outs: []*column{num.num}}
	for i, e := range items {
		p.items = append(p.items, e)
		p.outs = append(p.outs, &column{name: def.Columns[cols[i]].Name, typ: def.Columns[cols[i]].Type})
	}
	p.outs[0] = &column{name: "row number", typ: intType}
	return &change{table, &relation{p, p.outs}, cols, returning}, nil
}

func (b *binder) where(in node, s *scope, e parse.Expr) (node, error) {
	s.inside = "WHERE"
	cond, err := b.condition(s, e, "WHERE")
	if err != nil || cond == nil {
		return in, err
	}
	return &filterNode{in, conjuncts(cond, nil)}, nil
}

// delete binds DELETE FROM t [WHERE ...].
func (b *binder) delete(s *parse.Delete) (*change, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	rel, num := numbered(table, cmp.Or(s.Alias.Name, s.Table.Name))
	sc := &scope{columns: rel.cols, aliases: map[string]*alias{}}
	in, err := b.where(num, sc, s.Where)
	if err != nil {
		return nil, err
	}
	var r *returned
	p := &projectNode{in: in, items: []*expr{columnExpr(num.num, parse.Pos{})}, outs: []*column{{name: "row number", typ: intType}}}
	if len(s.Returning) > 0 {
		r = &returned{}
		sc.inside = "RETURNING"
		if err := b.returnedItems(r, sc, s.Returning); err != nil {
			return nil, err
		}
		p.items, p.outs = append(p.items, r.items...), append(p.outs, r.outs...)
	}
	return &change{table, &relation{p, p.outs}, nil, r}, nil
}
