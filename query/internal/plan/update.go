package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// rowNumberNode gives the rows of a table their number as a column.
type rowNumberNode struct {
	in  node
	num *column
}

func (n *rowNumberNode) columns() []*column {
	return append([]*column{n.num}, n.in.columns()...)
}
func (n *rowNumberNode) inputs() []node { return []node{n.in} }

// numbered is the scan of a table with its row numbers.
func numbered(table *storage.Table, name string) (*relation, *rowNumberNode) {
	rel := scanOf(table, name)
	n := &rowNumberNode{rel.node, &column{name: "row number", typ: intType, hidden: true}}
	return &relation{n, rel.cols}, n
}

// update plans UPDATE t SET ... [FROM ...] [WHERE ...].
func (b *binder) update(s *parse.Update) (*Plan, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	rel, num := numbered(table, orElse(s.Alias.Name, s.Table.Name))
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
	out, err := b.improved(&relation{p, p.outs})
	if err != nil {
		return nil, err
	}
	return b.planned(returning.columns(), func(b *builder) (exec.Operator, func() int64, error) {
		child, err := b.root(out.node, out.cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewUpdate(child, &b.run.env, def, cols)
		op.Stream = s.From == nil && returning == nil
		return b.writes(op, func() int64 { return op.Affected }, table, returning)
	}), nil
}

func (b *binder) where(in node, s *scope, e parse.Expr) (node, error) {
	s.inside = "WHERE"
	cond, err := b.condition(s, e, "WHERE")
	if err != nil || cond == nil {
		return in, err
	}
	return &filterNode{in, conjuncts(cond, nil)}, nil
}

// delete plans DELETE FROM t [WHERE ...].
func (b *binder) delete(s *parse.Delete) (*Plan, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	rel, num := numbered(table, orElse(s.Alias.Name, s.Table.Name))
	sc := &scope{columns: rel.cols, aliases: map[string]*alias{}}
	in, err := b.where(num, sc, s.Where)
	if err != nil {
		return nil, err
	}
	r := &returned{}
	if len(s.Returning) > 0 {
		sc.inside = "RETURNING"
		if err := b.returnedItems(r, sc, s.Returning); err != nil {
			return nil, err
		}
	}
	p := &projectNode{in: in, items: []*expr{columnExpr(num.num, parse.Pos{})}, outs: []*column{{name: "row number", typ: intType}}}
	p.items, p.outs = append(p.items, r.items...), append(p.outs, r.outs...)
	out, err := b.improved(&relation{p, p.outs})
	if err != nil {
		return nil, err
	}
	var cols []Column
	if len(s.Returning) > 0 {
		cols = r.columns()
	}
	return b.planned(cols, func(b *builder) (exec.Operator, func() int64, error) {
		child, err := b.root(out.node, out.cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewDelete(child, &b.run.env, table.Def())
		return b.measured(op), func() int64 { return op.Affected }, nil
	}), nil
}
