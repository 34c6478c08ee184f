package plan

import (
	"cmp"
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// insert binds INSERT.
func (b *binder) insert(s *parse.Insert) (*insertion, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	ords, err := targetColumns(def, s.Columns)
	if err != nil {
		return nil, err
	}
	n := &insertion{table: table}
	if n.opts, n.update, err = b.conflict(s, table); err != nil {
		return nil, err
	}
	rel, err := b.insertSource(s, def, ords)
	if err != nil {
		return nil, err
	}
	if n.rows, err = b.fullRows(rel, def, ords, fn.Assignment); err != nil {
		return nil, err
	}
	n.rows.skip = b.present(s, table, n.opts, n.rows)
	n.returning, err = b.returning(s.Returning, table, s.Alias)
	return n, err
}

// targetColumns finds the columns of an INSERT or COPY, all without names.
func targetColumns(def *storage.TableDef, names []parse.Ident) ([]int, error) {
	var ords []int
	if names == nil {
		for i := range def.Columns {
			ords = append(ords, i)
		}
		return ords, nil
	}
	seen := map[int]bool{}
	for _, n := range names {
		i, err := tableColumn(def, n)
		if err != nil {
			return nil, err
		}
		if seen[i] {
			return nil, parse.Errorf(n.Pos, "column %s is named twice", n.Name)
		}
		seen[i] = true
		ords = append(ords, i)
	}
	return ords, nil
}

// targets are what the values for columns have to be comparable with.
func targets(def *storage.TableDef, ords []int) []target {
	out := make([]target, len(ords))
	for i, o := range ords {
		c := &def.Columns[o]
		if c.Type.Kind == value.Vector {
			out[i] = target{enc: encodingOf(def, o), dim: c.Type.Dim, name: c.Name, call: c.Name, document: true}
			if out[i].enc == nil {
				out[i].name = ""
			}
		}
	}
	return out
}

// insertSource binds the rows of an INSERT; DEFAULT in VALUES becomes the
// column's default.
func (b *binder) insertSource(s *parse.Insert, def *storage.TableDef, ords []int) (*relation, error) {
	if s.Query == nil {
		return &relation{&valuesNode{rows: [][]*expr{{}}}, nil}, nil
	}
	q := s.Query
	if v, ok := q.Body.(*parse.Values); ok && len(q.With) == 0 && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil {
		return b.insertValues(v, def, ords)
	}
	rel, err := b.query(q, nil, targets(def, ords))
	if err != nil {
		return nil, err
	}
	if len(rel.cols) != len(ords) {
		return nil, parse.Errorf(q.Pos, "the query gives %s for %s of %s", counted(len(rel.cols), "column"), counted(len(ords), "column"), def.Name)
	}
	return rel, nil
}

// insertValues binds VALUES: each value takes the type of its column.
func (b *binder) insertValues(v *parse.Values, def *storage.TableDef, ords []int) (*relation, error) {
	n := &valuesNode{}
	want := targets(def, ords)
	s := &scope{inside: "VALUES"}
	if len(v.Rows[0]) > len(ords) {
		return nil, parse.Errorf(v.Rows[0][len(ords)].Position(), "%s for %s of %s", counted(len(v.Rows[0]), "value"), counted(len(ords), "column"), def.Name)
	}
	if len(v.Rows[0]) < len(ords) {
		return nil, parse.Errorf(v.Pos, "%s for %s of %s", counted(len(v.Rows[0]), "value"), counted(len(ords), "column"), def.Name)
	}
	for _, o := range ords {
		n.outs = append(n.outs, &column{name: def.Columns[o].Name, typ: def.Columns[o].Type, enc: encodingOf(def, o)})
	}
	for _, row := range v.Rows {
		bound := make([]*expr, len(ords))
		for i, e := range row {
			x, err := b.assigned(s, e, def, ords[i], want[i])
			if err != nil {
				return nil, err
			}
			bound[i] = x
		}
		n.rows = append(n.rows, bound)
	}
	return &relation{n, n.outs}, nil
}

// assigned binds a value that goes into a column.
func (b *binder) assigned(s *scope, e parse.Expr, def *storage.TableDef, ord int, t target) (*expr, error) {
	if d, ok := e.(*parse.Default); ok {
		return b.defaultOf(def, ord, d.Pos)
	}
	var x *expr
	var err error
	if t.name != "" && b.needsTarget(e) {
		x, err = b.vector(s, e, t)
	} else {
		x, err = b.expr(s, e)
	}
	if err != nil {
		return nil, err
	}
	return b.store(x, def, ord, fn.Assignment)
}

// store converts a bound value to the type of a column, encoding texts and
// pictures where the column has an encoder. A text that is written down or an
// argument is read as what the column holds.
func (b *binder) store(x *expr, def *storage.TableDef, ord int, mode fn.CastMode) (*expr, error) {
	c := &def.Columns[ord]
	if x.op == opConst && x.typ.Kind == value.Text {
		mode = fn.Explicit
	}
	if c.Type.Kind == value.Vector {
		if enc := encodingOf(def, ord); enc != nil && (x.typ.Kind == value.Text || x.typ.Kind == value.Blob) {
			v, err := b.asVector(x, target{enc: enc, dim: c.Type.Dim, name: c.Name, call: c.Name, document: true})
			if err == nil && v.op == opText && x.varies() {
				v.vectors = true
			}
			return v, err
		}
		if x.typ.Kind == value.Vector && x.typ.Dim > 0 && x.typ.Dim != c.Type.Dim {
			return nil, errorAt(x.pos, &storage.DimensionError{Table: def.Name, Column: c.Name, Got: x.typ.Dim, Want: c.Type.Dim})
		}
		if x.typ.Kind == value.Text {
			return b.castTo(x, c.Type, fn.Explicit)
		}
	}
	out, err := b.castTo(x, c.Type, mode)
	if err != nil {
		if p, ok := err.(*PlacedError); ok {
			return nil, &PlacedError{p.Pos, fmt.Errorf("%s: %w", c.Name, p.Err)}
		}
	}
	return out, err
}

// defaultOf returns the default of a column, NULL without one.
func (b *binder) defaultOf(def *storage.TableDef, ord int, pos parse.Pos) (*expr, error) {
	c := &def.Columns[ord]
	if c.Default == "" {
		x := constant(value.Value{}, pos, "DEFAULT")
		x.typ = c.Type
		return x, nil
	}
	e, err := parseExpr(c.Default)
	if err != nil {
		return nil, fmt.Errorf("default of %s.%s: %w", def.Name, c.Name, err)
	}
	x, err := b.expr(&scope{inside: "DEFAULT"}, e)
	if err != nil {
		return nil, fmt.Errorf("default of %s.%s: %w", def.Name, c.Name, err)
	}
	return b.store(x, def, ord, fn.Assignment)
}

// parseExpr parses an expression that stands alone.
func parseExpr(text string) (parse.Expr, error) {
	st, err := parse.Parse("SELECT " + text)
	if err != nil {
		return nil, err
	}
	if q, ok := st.(*parse.Select); ok {
		if c, ok := q.Body.(*parse.Core); ok && len(c.Items) == 1 && c.Items[0].Expr != nil {
			return c.Items[0].Expr, nil
		}
	}
	return nil, fmt.Errorf("%s is not an expression", text)
}

// fullRows gives rows for some columns the others' defaults: its columns are
// those of the table.
func (b *binder) fullRows(rel *relation, def *storage.TableDef, ords []int, mode fn.CastMode) (*projectNode, error) {
	p := &projectNode{in: rel.node, stores: true}
	from := make([]*column, len(def.Columns))
	for i, o := range ords {
		if i < len(rel.cols) {
			from[o] = rel.cols[i]
		}
	}
	for i := range def.Columns {
		c := &def.Columns[i]
		var e *expr
		var err error
		if from[i] != nil {
			if e, err = b.store(columnExpr(from[i], parse.Pos{}), def, i, mode); err != nil {
				return nil, err
			}
		} else if e, err = b.defaultOf(def, i, parse.Pos{}); err != nil {
			return nil, err
		}
		p.items = append(p.items, e)
		p.outs = append(p.outs, &column{name: c.Name, typ: c.Type})
	}
	return p, nil
}

// conflict reads ON CONFLICT.
func (b *binder) conflict(s *parse.Insert, table *storage.Table) (storage.InsertOptions, *conflictUpdate, error) {
	var opts storage.InsertOptions
	c := s.OnConflict
	if c == nil {
		return opts, nil, nil
	}
	def := table.Def()
	opts.OnConflict = storage.ConflictSkip
	if len(c.Columns) > 0 {
		ords, err := targetColumns(def, c.Columns)
		if err != nil {
			return opts, nil, err
		}
		if opts.Target = uniqueOn(def, ords); opts.Target == nil {
			return opts, nil, parse.Errorf(c.Columns[0].Pos, "ON CONFLICT needs the primary key or the columns of a unique index of %s", def.Name)
		}
	}
	if c.Set == nil {
		return opts, nil, nil
	}
	if opts.Target == nil {
		return opts, nil, parse.Errorf(c.Pos, "ON CONFLICT DO UPDATE has to name the key: ON CONFLICT (%s) DO UPDATE ...", keyName(def))
	}
	scan := scanOf(table, cmp.Or(s.Alias.Name, s.Table.Name))
	excluded := scanOf(table, "excluded")
	for _, x := range excluded.cols {
		x.hidden = true
	}
	sc := &scope{columns: append(append([]*column(nil), scan.cols...), excluded.cols...), inside: "ON CONFLICT"}
	// A bare name is the row that is there.
	bare := *sc
	u := &conflictUpdate{from: sc.columns}
	var err error
	if u.cols, u.items, err = b.assignments(&bare, c.Set, def, scan.cols); err != nil {
		return opts, nil, err
	}
	u.where, err = b.condition(&bare, c.Where, "WHERE")
	return opts, u, err
}

func keyName(def *storage.TableDef) string {
	if def.PrimaryKey < 0 {
		return "key"
	}
	return def.Columns[def.PrimaryKey].Name
}

// uniqueOn finds the unique index over exactly the given columns, or the primary
// key.
func uniqueOn(def *storage.TableDef, ords []int) *storage.IndexDef {
	if len(ords) == 1 && ords[0] == def.PrimaryKey {
		return storage.PrimaryKeyTarget
	}
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if !x.Unique || len(x.Columns) != len(ords) {
			continue
		}
		have := map[int]bool{}
		for _, id := range x.Columns {
			have[def.ColumnID(id)] = true
		}
		all := true
		for _, o := range ords {
			all = all && have[o]
		}
		if all {
			return x
		}
	}
	return nil
}

// assignments binds SET col = value, ...
func (b *binder) assignments(s *scope, set []parse.Assignment, def *storage.TableDef, cols []*column) ([]int, []*expr, error) {
	var ords []int
	var items []*expr
	seen := map[int]bool{}
	for i := range set {
		a := &set[i]
		o, err := tableColumn(def, a.Column)
		if err != nil {
			return nil, nil, err
		}
		if seen[o] {
			return nil, nil, parse.Errorf(a.Column.Pos, "column %s is set twice", a.Column.Name)
		}
		seen[o] = true
		x, err := b.assigned(s, a.Value, def, o, targets(def, []int{o})[0])
		if err != nil {
			return nil, nil, err
		}
		ords, items = append(ords, o), append(items, x)
	}
	return ords, items, nil
}

// returning binds RETURNING over the columns of a table, nil without one.
func (b *binder) returning(items []parse.SelectItem, table *storage.Table, as parse.Ident) (*returned, error) {
	if len(items) == 0 {
		return nil, nil
	}
	rel := scanOf(table, cmp.Or(as.Name, table.Def().Name))
	r := &returned{rel: rel}
	return r, b.returnedItems(r, &scope{columns: rel.cols, aliases: map[string]*alias{}}, items)
}

func (b *binder) returnedItems(r *returned, s *scope, items []parse.SelectItem) error {
	core := &parse.Core{Items: items}
	exprs, names, err := b.items(s, core, nil)
	if err != nil {
		return err
	}
	for i, e := range exprs {
		if e.uses(opAgg) {
			return parse.Errorf(e.pos, "RETURNING can't use an aggregate")
		}
		r.items = append(r.items, e)
		r.outs = append(r.outs, &column{name: names[i], typ: e.typ})
	}
	return nil
}
