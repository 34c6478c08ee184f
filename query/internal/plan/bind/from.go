package bind

import (
	"cmp"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
)

// from binds what FROM reads.
func (b *Binder) from(t parse.TableExpr, s *Scope) (*logical.Relation, error) {
	switch t := t.(type) {
	case *parse.TableName:
		if f := b.catalogTable(t); f != nil {
			return b.rowFunc(f, catalogTables[f.Func.Name], s)
		}
		if t.Table.Database != "" {
			table, err := b.Remote(t.Table)
			if err != nil {
				return nil, err
			}
			r := RemoteScan(table, cmp.Or(t.Alias.Name, t.Table.Name))
			return r, rename(r.Cols, t.Columns)
		}
		for i := len(b.ctes) - 1; i >= 0; i-- {
			if t.Table.Means(b.ctes[i].def.Name.Name) {
				return b.cteRef(i, t)
			}
		}
		table, err := b.tempTable(t.Table)
		if table == nil && err == nil {
			if r, err := b.viewRef(t); r != nil || err != nil {
				return r, err
			}
			table, err = b.Table(t.Table)
		}
		if err != nil {
			return nil, err
		}
		b.frozen.table(t, table.Def().Name)
		r := ScanOf(table, cmp.Or(t.Alias.Name, t.Table.Name))
		return r, rename(r.Cols, t.Columns)
	case *parse.SubqueryTable:
		if t.Lateral {
			return nil, parse.Errorf(t.Pos, "LATERAL comes directly after the tables that it uses")
		}
		q, err := b.Query(t.Query, s.outer, nil)
		if err != nil {
			return nil, err
		}
		if n := len(t.Columns); t.Row && len(q.Cols) != n {
			return nil, parse.Errorf(t.Pos, "a row of %s is looked for in a query that gives %s", logical.Counted(n, "value"), logical.Counted(len(q.Cols), "column"))
		}
		return aliased(q, t.Alias.Name, t.Columns)
	case *parse.TableFunc:
		return b.tableFunc(t, s)
	case *parse.Join:
		return b.join(t, s)
	}
	return nil, parse.Errorf(t.Position(), "internal error: unknown table expression %T", t)
}

// ScanOf is the scan of a table under a name.
func ScanOf(table *storage.Table, name string) *logical.Relation {
	n := &logical.Scan{Table: table, Cols: scanColumns(table.Def(), name), Rows: float64(table.Rows())}
	for _, c := range n.Cols {
		c.Stored = &logical.Stored{Table: table, Ord: c.Ord}
	}
	return &logical.Relation{Node: n, Cols: n.Cols}
}

// scanColumns are the columns of the scan of a table under a name.
func scanColumns(def *storage.TableDef, name string) []*logical.Column {
	var out []*logical.Column
	for i := range def.Columns {
		c := &def.Columns[i]
		out = append(out, &logical.Column{Table: name, Name: c.Name, Type: c.Type, Encoding: EncodingOf(def, i), Ord: i, Source: def.Name})
	}
	return out
}

// aliased gives a query's columns a table name, and other names if some are
// given.
func aliased(q *logical.Relation, table string, names []parse.Ident) (*logical.Relation, error) {
	n := &logical.Alias{In: q.Node, From: q.Cols}
	for _, c := range q.Cols {
		x := *c
		x.Table = table
		n.Outs = append(n.Outs, &x)
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, rename(n.Outs, names)
}

func rename(cols []*logical.Column, names []parse.Ident) error {
	if len(names) > len(cols) {
		return parse.Errorf(names[len(cols)].Pos, "%d names, but %s", len(names), logical.Counted(len(cols), "column"))
	}
	for i, n := range names {
		cols[i].Name = n.Name
	}
	return nil
}

// join binds a join.
func (b *Binder) join(t *parse.Join, s *Scope) (*logical.Relation, error) {
	l, err := b.from(t.Left, s)
	if err != nil {
		return nil, err
	}
	if q := lateral(t.Right); q != nil {
		r, err := b.apart(t, q, l, s)
		if r != nil || err != nil {
			return r, err
		}
	}
	r, err := b.from(t.Right, s)
	if err != nil {
		return nil, err
	}
	if t.Kind == parse.FullJoin {
		return b.fullJoin(t, s, l, r)
	}
	return b.joined(t, s, l, r)
}

// absent notes that an outer join may have no row of the columns' table.
func absent(cols []*logical.Column) {
	for _, c := range cols {
		c.Absent = true
	}
}

// joined joins two relations.
func (b *Binder) joined(t *parse.Join, s *Scope, l, r *logical.Relation) (*logical.Relation, error) {
	for _, lc := range l.Cols {
		for _, rc := range r.Cols {
			if lc.Table == rc.Table && lc.Table != "" {
				return nil, parse.Errorf(t.Right.Position(), "two tables are called %q here; give one another name: %s AS x", rc.Table, rc.Table)
			}
		}
	}
	n := &logical.Join{Kind: t.Kind, Left: l.Node, Right: r.Node}
	if t.Kind == parse.RightJoin { // the other way round, but the columns stay in order
		n.Kind, n.Left, n.Right = parse.LeftJoin, r.Node, l.Node
	}
	switch t.Kind {
	case parse.LeftJoin:
		absent(r.Cols)
	case parse.RightJoin:
		absent(l.Cols)
	}
	cols := append(append([]*logical.Column(nil), l.Cols...), r.Cols...)
	if len(t.Using) > 0 {
		ls, rs := &Scope{columns: l.Cols}, &Scope{columns: r.Cols}
		var joined []*logical.Column
		for _, u := range t.Using {
			x, err := b.name(ls, &parse.ColumnRef{Pos: u.Pos, Name: u}, false)
			if err != nil {
				return nil, err
			}
			y, err := b.name(rs, &parse.ColumnRef{Pos: u.Pos, Name: u}, false)
			if err != nil {
				return nil, err
			}
			eq, err := b.apply("=", u.Pos, x, y)
			if err != nil {
				return nil, err
			}
			eq.Text = u.Name
			n.On = append(n.On, eq)
			if t.Kind == parse.RightJoin {
				x, y = y, x
			}
			y.Column.Merged = true
			joined = append(joined, x.Column)
		}
		// One of the two columns remains visible without a table's name, and comes first.
		for _, c := range cols {
			if !slices.Contains(joined, c) {
				joined = append(joined, c)
			}
		}
		return &logical.Relation{Node: n, Cols: joined}, nil
	}
	if t.On != nil {
		on, err := b.condition(&Scope{columns: cols, outer: s.outer, Inside: "ON"}, t.On, "ON")
		if err != nil {
			return nil, err
		}
		n.On = logical.Conjuncts(on, nil)
	}
	return &logical.Relation{Node: n, Cols: cols}, nil
}
