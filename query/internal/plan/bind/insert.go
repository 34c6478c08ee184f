package bind

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Insert binds INSERT.
func (b *Binder) Insert(s *parse.Insert) (*logical.Insert, error) {
	defer b.within(len(b.ctes))
	if err := b.with(s.With.With, s.Recursive, s); err != nil {
		return nil, err
	}
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	ords, err := TargetColumns(def, s.Columns)
	if err != nil {
		return nil, err
	}
	n := &logical.Insert{Table: table}
	if n.Opts, n.Update, err = b.conflict(s, table); err != nil {
		return nil, err
	}
	rel, err := b.insertSource(s, def, ords)
	if err != nil {
		return nil, err
	}
	if n.Rows, err = b.FullRows(rel, def, ords, fn.Assignment); err != nil {
		return nil, err
	}
	n.Rows.Skip = b.present(s, table, n.Opts, n.Rows)
	n.Returning, err = b.returning(s.Returning, table, s.Alias, nil)
	return n, err
}

// TargetColumns finds the columns of an INSERT or COPY, all without names.
func TargetColumns(def *storage.TableDef, names []parse.Ident) ([]int, error) {
	var ords []int
	if names == nil {
		for i := range def.Columns {
			ords = append(ords, i)
		}
		return ords, nil
	}
	seen := map[int]bool{}
	for _, n := range names {
		i, err := TableColumn(def, n)
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
			out[i] = target{enc: EncodingOf(def, o), dim: c.Type.Dim, name: c.Name, call: c.Name, document: true}
			if out[i].enc == nil {
				out[i].name = ""
			}
		}
	}
	return out
}

// insertSource binds the rows of an INSERT; DEFAULT in VALUES becomes the
// column's default.
func (b *Binder) insertSource(s *parse.Insert, def *storage.TableDef, ords []int) (*logical.Relation, error) {
	if s.Query == nil {
		return &logical.Relation{Node: &logical.Values{Rows: [][]*logical.Expr{{}}}, Cols: nil}, nil
	}
	q := s.Query
	if v, ok := q.Body.(*parse.Values); ok && len(q.With) == 0 && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil {
		return b.insertValues(v, def, ords)
	}
	rel, err := b.Query(q, nil, targets(def, ords))
	if err != nil {
		return nil, err
	}
	if len(rel.Cols) != len(ords) {
		return nil, parse.Errorf(q.Pos, "the query gives %s for %s of %s", logical.Counted(len(rel.Cols), "column"), logical.Counted(len(ords), "column"), def.Name)
	}
	return rel, nil
}

// insertValues binds VALUES: each value takes the type of its column.
func (b *Binder) insertValues(v *parse.Values, def *storage.TableDef, ords []int) (*logical.Relation, error) {
	n := &logical.Values{}
	want := targets(def, ords)
	s := &Scope{Inside: "VALUES"}
	if len(v.Rows[0]) > len(ords) {
		return nil, parse.Errorf(v.Rows[0][len(ords)].Position(), "%s for %s of %s", logical.Counted(len(v.Rows[0]), "value"), logical.Counted(len(ords), "column"), def.Name)
	}
	if len(v.Rows[0]) < len(ords) {
		return nil, parse.Errorf(v.Pos, "%s for %s of %s", logical.Counted(len(v.Rows[0]), "value"), logical.Counted(len(ords), "column"), def.Name)
	}
	for _, o := range ords {
		n.Outs = append(n.Outs, &logical.Column{Name: def.Columns[o].Name, Type: def.Columns[o].Type, Encoding: EncodingOf(def, o)})
	}
	for _, row := range v.Rows {
		bound := make([]*logical.Expr, len(ords))
		for i, e := range row {
			x, err := b.assigned(s, e, def, ords[i], want[i])
			if err != nil {
				return nil, err
			}
			bound[i] = x
		}
		n.Rows = append(n.Rows, bound)
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, nil
}

// assigned binds a value that goes into a column.
func (b *Binder) assigned(s *Scope, e parse.Expr, def *storage.TableDef, ord int, t target) (*logical.Expr, error) {
	if d, ok := e.(*parse.Default); ok {
		return b.DefaultOf(def, ord, d.Pos)
	}
	var x *logical.Expr
	var err error
	if t.name != "" && b.needsTarget(e) {
		x, err = b.vector(s, e, t)
	} else {
		x, err = b.Expr(s, e)
	}
	if err != nil {
		return nil, err
	}
	return b.Store(x, def, ord, fn.Assignment)
}

// Store converts a bound value to the type of a column, encoding texts and
// pictures where the column has an encoder. A text that is written down or an
// argument is read as what the column holds.
func (b *Binder) Store(x *logical.Expr, def *storage.TableDef, ord int, mode fn.CastMode) (*logical.Expr, error) {
	c := &def.Columns[ord]
	if x.Op == logical.OpConst && x.Type.Kind == value.Text {
		mode = fn.Explicit
	}
	if c.Type.Kind == value.Vector {
		if enc := EncodingOf(def, ord); enc != nil && (x.Type.Kind == value.Text || x.Type.Kind == value.Blob) {
			v, err := b.asVector(x, target{enc: enc, dim: c.Type.Dim, name: c.Name, call: c.Name, document: true})
			if err == nil && v.Op == logical.OpText && x.Varies() {
				v.Vectors = true
			}
			return v, err
		}
		if x.Type.Kind == value.Vector && x.Type.Dim > 0 && x.Type.Dim != c.Type.Dim {
			return nil, logical.ErrorAt(x.Pos, &storage.DimensionError{Table: def.Name, Column: c.Name, Got: x.Type.Dim, Want: c.Type.Dim})
		}
		if x.Type.Kind == value.Text {
			return b.castTo(x, c.Type, fn.Explicit)
		}
	}
	out, err := b.castTo(x, c.Type, mode)
	if err == nil {
		out, err = b.declared(out, c.Declared, false)
	}
	if err != nil {
		if p, ok := err.(*logical.PlacedError); ok {
			return nil, &logical.PlacedError{Pos: p.Pos, Err: fmt.Errorf("%s: %w", c.Name, p.Err)}
		}
	}
	return out, err
}

// Queries binds a query whose rows are what searches of a vector column ask for: vectors, or
// texts where the column has an encoder.
func (b *Binder) Queries(q *parse.Select, def *storage.TableDef, ord int) (*logical.Relation, error) {
	rel, err := b.Query(q, nil, nil)
	if err != nil {
		return nil, err
	}
	if len(rel.Cols) != 1 {
		return nil, parse.Errorf(q.Pos, "the query gives %s; one, of vectors or texts to search for, is needed", logical.Counted(len(rel.Cols), "column"))
	}
	c := &def.Columns[ord]
	x, err := b.asVector(logical.ColumnExpr(rel.Cols[0], q.Pos), target{enc: EncodingOf(def, ord), dim: c.Type.Dim, name: c.Name, call: "RETRAIN"})
	if err != nil {
		return nil, err
	}
	if d := x.Type.Dim; d > 0 && d != c.Type.Dim {
		return nil, logical.ErrorAt(q.Pos, &storage.DimensionError{Table: def.Name, Column: c.Name, Got: d, Want: c.Type.Dim})
	}
	out := &logical.Column{Name: c.Name, Type: c.Type.Widened()}
	return &logical.Relation{Node: &logical.Project{In: rel.Node, Items: []*logical.Expr{x}, Outs: []*logical.Column{out}}, Cols: []*logical.Column{out}}, nil
}

// DefaultOf returns the default of a column, NULL without one.
func (b *Binder) DefaultOf(def *storage.TableDef, ord int, pos parse.Pos) (*logical.Expr, error) {
	c := &def.Columns[ord]
	if c.Default == "" {
		x := logical.Constant(value.Value{}, pos, "DEFAULT")
		x.Type = c.Type
		return x, nil
	}
	e, err := parseExpr(c.Default)
	if err != nil {
		return nil, fmt.Errorf("default of %s.%s: %w", def.Name, c.Name, err)
	}
	x, err := b.Expr(&Scope{Inside: "DEFAULT"}, e)
	if err != nil {
		return nil, fmt.Errorf("default of %s.%s: %w", def.Name, c.Name, err)
	}
	return b.Store(x, def, ord, fn.Assignment)
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

// FullRows gives rows for some columns the others' defaults: its columns are
// those of the table.
func (b *Binder) FullRows(rel *logical.Relation, def *storage.TableDef, ords []int, mode fn.CastMode) (*logical.Project, error) {
	p := &logical.Project{In: rel.Node, Stores: true}
	from := make([]*logical.Column, len(def.Columns))
	for i, o := range ords {
		if i < len(rel.Cols) {
			from[o] = rel.Cols[i]
		}
	}
	for i := range def.Columns {
		c := &def.Columns[i]
		var e *logical.Expr
		var err error
		if from[i] != nil {
			if e, err = b.Store(logical.ColumnExpr(from[i], parse.Pos{}), def, i, mode); err != nil {
				return nil, err
			}
		} else if e, err = b.DefaultOf(def, i, parse.Pos{}); err != nil {
			return nil, err
		}
		p.Items = append(p.Items, e)
		p.Outs = append(p.Outs, &logical.Column{Name: c.Name, Type: c.Type})
	}
	return p, nil
}

// conflict reads ON CONFLICT.
func (b *Binder) conflict(s *parse.Insert, table *storage.Table) (storage.InsertOptions, *logical.ConflictUpdate, error) {
	var opts storage.InsertOptions
	c := s.OnConflict
	if c == nil {
		return opts, nil, nil
	}
	def := table.Def()
	opts.OnConflict = storage.ConflictSkip
	if len(c.Columns) > 0 {
		ords, err := TargetColumns(def, c.Columns)
		if err != nil {
			return opts, nil, err
		}
		if opts.Targets, err = b.conflictTargets(def, ords, c); err != nil {
			return opts, nil, err
		}
	}
	if c.Set == nil {
		return opts, nil, nil
	}
	if opts.Targets == nil {
		return opts, nil, parse.Errorf(c.Pos, "ON CONFLICT DO UPDATE has to name the key: ON CONFLICT (%s) DO UPDATE ...", keyName(def))
	}
	scan := ScanOf(table, cmp.Or(s.Alias.Name, s.Table.Name))
	excluded := ScanOf(table, "excluded")
	for _, x := range excluded.Cols {
		x.Hidden = true
	}
	sc := &Scope{columns: append(append([]*logical.Column(nil), scan.Cols...), excluded.Cols...), Inside: "ON CONFLICT"}
	// A bare name is the row that is there.
	bare := *sc
	u := &logical.ConflictUpdate{From: sc.columns}
	var err error
	if u.Cols, u.Items, err = b.assignments(&bare, c.Set, def, scan.Cols); err != nil {
		return opts, nil, err
	}
	if u.Where, err = b.condition(&bare, c.Where, "WHERE"); err != nil {
		return opts, nil, err
	}
	return opts, u, b.checkUpdated(def, scan.Cols, u)
}

func keyName(def *storage.TableDef) string {
	if def.PrimaryKey < 0 {
		return "key"
	}
	return def.Columns[def.PrimaryKey].Name
}

// UniqueOn finds the unique index over exactly the given columns and all rows, or the primary
// key.
func UniqueOn(def *storage.TableDef, ords []int) *storage.IndexDef {
	if len(ords) == 1 && ords[0] == def.PrimaryKey {
		return storage.PrimaryKeyTarget
	}
	for i := range def.Indexes {
		if x := &def.Indexes[i]; !x.Partial() && uniqueOver(def, x, ords) {
			return x
		}
	}
	return nil
}

// uniqueOver reports whether an index keeps exactly the given columns unique.
func uniqueOver(def *storage.TableDef, x *storage.IndexDef, ords []int) bool {
	if !x.Unique || len(x.Columns) != len(ords) {
		return false
	}
	have := map[int]bool{}
	for _, id := range x.Columns {
		have[def.ColumnID(id)] = true
	}
	all := true
	for _, o := range ords {
		all = all && have[o]
	}
	return all
}

// assignments binds SET col = value, ...
func (b *Binder) assignments(s *Scope, set []parse.Assignment, def *storage.TableDef, cols []*logical.Column) ([]int, []*logical.Expr, error) {
	var ords []int
	var items []*logical.Expr
	seen := map[int]bool{}
	for i := range set {
		a := &set[i]
		o, err := TableColumn(def, a.Column)
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

// returning binds RETURNING over the columns of a table and those of FROM, nil without one.
func (b *Binder) returning(items []parse.SelectItem, table *storage.Table, as parse.Ident, from []*logical.Column) (*logical.Returned, error) {
	if len(items) == 0 {
		return nil, nil
	}
	rel := ScanOf(table, cmp.Or(as.Name, table.Def().Name))
	r := &logical.Returned{Rel: rel}
	sc := &Scope{columns: slices.Concat(rel.Cols, from), aliases: map[string]*alias{}, Inside: "RETURNING"}
	if err := b.returnedItems(r, sc, items); err != nil {
		return nil, err
	}
	used := logical.ColumnsOf(r.Items...)
	for _, c := range from {
		if used[c] {
			r.From = append(r.From, c)
		}
	}
	return r, nil
}

func (b *Binder) returnedItems(r *logical.Returned, s *Scope, items []parse.SelectItem) error {
	core := &parse.Core{Items: items}
	exprs, names, err := b.items(s, core, nil)
	if err != nil {
		return err
	}
	for i, e := range exprs {
		if e.Uses(logical.OpAgg) {
			return parse.Errorf(e.Pos, "RETURNING can't use an aggregate")
		}
		r.Items = append(r.Items, e)
		r.Outs = append(r.Outs, &logical.Column{Name: names[i], Type: e.Type})
	}
	return nil
}
