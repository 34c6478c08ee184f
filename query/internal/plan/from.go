package plan

import (
	"cmp"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// from binds what FROM reads.
func (b *binder) from(t parse.TableExpr, s *scope) (*relation, error) {
	switch t := t.(type) {
	case *parse.TableName:
		for i := len(b.ctes) - 1; i >= 0; i-- {
			if t.Table.Means(b.ctes[i].def.Name.Name) {
				return b.cteRef(i, t)
			}
		}
		table, err := b.table(t.Table)
		if err != nil {
			return nil, err
		}
		r := scanOf(table, cmp.Or(t.Alias.Name, t.Table.Name))
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
			if !slices.Contains(joined, c) {
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
