package storage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Limits of definitions.
const (
	maxColumns = 1000
	maxName    = 1000 // bytes
)

// changeTable writes a new definition of a table, nil for none, into the
// transaction's catalog.
func (tx *Tx) changeTable(old, def *TableDef) error {
	c := tx.catalog.clone()
	if c.generation == tx.baseGeneration {
		c.generation++
	}
	if old != nil {
		delete(c.byName, old.Name)
		if def == nil || def.Name != old.Name {
			if err := tx.deleteKey(key.Schema(old.Name)); err != nil {
				return err
			}
		}
	}
	if def != nil {
		def.final()
		c.byName[def.Name] = def
		c.nextID = max(c.nextID, def.ID+1)
		for i := range def.Watches {
			c.nextID = max(c.nextID, def.Watches[i].ID+1)
		}
		if err := tx.set(key.Schema(def.Name), encodeSchema(def)); err != nil {
			return err
		}
	}
	tx.catalog = c
	return tx.set(key.Generation, encodeGeneration(c))
}

func checkName(what, name string) error {
	if name == "" || len(name) > maxName {
		return &DefinitionError{fmt.Sprintf("the name of a %s has 1 to %d bytes, not %d", what, maxName, len(name))}
	}
	if !utf8.ValidString(name) {
		return &DefinitionError{fmt.Sprintf("the name of a %s is not valid UTF-8: %q", what, name)}
	}
	return nil
}

func checkColumn(c *ColumnDef) error {
	if err := checkName("column", c.Name); err != nil {
		return err
	}
	switch k := c.Type.Kind; {
	case k == value.Vector && (c.Type.Dim < 1 || c.Type.Dim > value.MaxDim):
		return &DefinitionError{fmt.Sprintf("column %s: a vector has 1 to %d dimensions, not %d", c.Name, value.MaxDim, c.Type.Dim)}
	case k == value.Null || k > value.Numeric || k == value.Vector+1:
		return &DefinitionError{fmt.Sprintf("column %s has no type", c.Name)}
	case k != value.Vector && c.Type.Dim != 0:
		return &DefinitionError{fmt.Sprintf("column %s: only a vector has dimensions", c.Name)}
	}
	return nil
}

// CreateTable creates a table; ids and watches in def are ignored, and the columns of its indexes are
// positions in def.Columns. It returns the definition as stored.
func (tx *Tx) CreateTable(ctx context.Context, def TableDef) (*TableDef, error) {
	if err := tx.writable(); err != nil {
		return nil, err
	}
	if err := checkName("table", def.Name); err != nil {
		return nil, err
	}
	if err := tx.catalog.free(def.Name); err != nil {
		return nil, err
	}
	if len(def.Columns) == 0 || len(def.Columns) > maxColumns {
		return nil, &DefinitionError{fmt.Sprintf("a table has 1 to %d columns, not %d", maxColumns, len(def.Columns))}
	}
	d := def.clone()
	d.ID, d.nextID, d.Watches = tx.catalog.nextID, 1, nil
	for i := range d.Columns {
		c := &d.Columns[i]
		if err := checkColumn(c); err != nil {
			return nil, err
		}
		if d.Column(c.Name) != i {
			return nil, &ExistsError{"column", c.Name}
		}
		c.ID, c.fill, c.fillBlocks = d.nextID, value.Value{}, 0
		c.newPages()
		d.nextID++
	}
	if d.PrimaryKey < -1 || d.PrimaryKey >= len(d.Columns) {
		return nil, &DefinitionError{"the primary key is not a column of the table"}
	}
	if d.PrimaryKey >= 0 {
		c := &d.Columns[d.PrimaryKey]
		if !key.Indexable(c.Type.Kind) {
			return nil, &DefinitionError{fmt.Sprintf("%s can't be the primary key: %s has no order", c.Name, c.Type.Kind)}
		}
		c.NotNull = true
	}
	if err := tx.checkConstraints(d); err != nil {
		return nil, err
	}
	indexes := d.Indexes
	d.Indexes = nil
	for _, x := range indexes {
		ids := make([]uint32, len(x.Columns))
		for i, at := range x.Columns {
			if int(at) >= len(d.Columns) {
				return nil, &DefinitionError{fmt.Sprintf("index %s: no column %d", x.Name, at)}
			}
			ids[i] = d.Columns[at].ID
		}
		x.Columns, x.Where = ids, slices.Clone(x.Where)
		for i := range x.Where {
			at := int(x.Where[i].Column)
			if at >= len(d.Columns) {
				return nil, &DefinitionError{fmt.Sprintf("index %s: no column %d", x.Name, at)}
			}
			x.Where[i].Column = d.Columns[at].ID
		}
		if err := tx.addIndex(d, x); err != nil {
			return nil, err
		}
	}
	if err := tx.changeTable(nil, d); err != nil {
		return nil, err
	}
	return d, tx.setCounters(d, counters{})
}

// addIndex checks an index's definition and appends it to d, with an id.
func (tx *Tx) addIndex(d *TableDef, x IndexDef) error {
	if err := checkName("index", x.Name); err != nil {
		return err
	}
	if other, _ := tx.catalog.index(x.Name); other != nil || d.Index(x.Name) != nil {
		return &ExistsError{"index", x.Name}
	}
	if len(x.Columns) == 0 {
		return &DefinitionError{fmt.Sprintf("index %s has no column", x.Name)}
	}
	for i, id := range x.Columns {
		at := d.ColumnID(id)
		if at < 0 {
			return &DefinitionError{fmt.Sprintf("index %s: no column of id %d", x.Name, id)}
		}
		if slices.Contains(x.Columns[:i], id) {
			return &DefinitionError{fmt.Sprintf("index %s: column %s twice", x.Name, d.Columns[at].Name)}
		}
	}
	kind, ok := indexKinds[x.Kind]
	if !ok {
		return &DefinitionError{fmt.Sprintf("index %s is of kind %q, which does not exist", x.Name, x.Kind)}
	}
	x.Options = maps.Clone(x.Options)
	if err := kind.check(d, &x); err != nil {
		return err
	}
	if err := checkWhere(d, &x); err != nil {
		return err
	}
	x.ID, x.Columns = d.nextID, slices.Clone(x.Columns)
	d.nextID++
	d.Indexes = append(d.Indexes, x)
	return nil
}

// DropTable removes a table and everything in it.
func (tx *Tx) DropTable(ctx context.Context, table string) error {
	defer tx.frees()()
	if err := tx.writable(); err != nil {
		return err
	}
	d := tx.catalog.byName[table] // whatever of it is damaged
	if d == nil {
		return &NoTableError{table}
	}
	for _, other := range tx.catalog.sorted() {
		if other.Name != table && other.refersTo(table) {
			return &DefinitionError{fmt.Sprintf("%s refers to %s; drop it, or its constraint, first", other.Name, table)}
		}
	}
	if err := tx.catalog.unused(table); err != nil {
		return err
	}
	if err := tx.changeTable(d, nil); err != nil {
		return err
	}
	for i := range d.Watches {
		tx.telling = true
		if err := tx.deletePrefix(key.Watch(nil, d.Watches[i].ID)); err != nil {
			return err
		}
	}
	return tx.deletePrefix(key.Table(nil, d.ID))
}

// RenameTable changes a table's name.
func (tx *Tx) RenameTable(ctx context.Context, table, to string) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	if err := checkName("table", to); err != nil {
		return err
	}
	if err := tx.catalog.free(to); err != nil {
		return err
	}
	if err := tx.catalog.unused(table); err != nil {
		return err
	}
	d := t.def.clone()
	d.Name = to
	for i := range d.References {
		if d.References[i].Table == table {
			d.References[i].Table = to
		}
	}
	if err := tx.changeTable(t.def, d); err != nil {
		return err
	}
	for _, other := range tx.catalog.sorted() {
		if !other.refersTo(table) {
			continue
		}
		o := other.clone()
		for i := range o.References {
			if o.References[i].Table == table {
				o.References[i].Table = to
			}
		}
		if err := tx.changeTable(other, o); err != nil {
			return err
		}
	}
	return nil
}

// AddColumn adds a column at the end. fill is the value of the rows already
// there, of the column's type or NULL; for a NOT NULL column of a table with rows
// it can't be NULL.
func (tx *Tx) AddColumn(ctx context.Context, table string, col ColumnDef, fill value.Value) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	if err := checkColumn(&col); err != nil {
		return err
	}
	if t.def.Column(col.Name) >= 0 {
		return &ExistsError{"column", col.Name}
	}
	if len(t.def.Columns) == maxColumns {
		return &DefinitionError{fmt.Sprintf("a table has at most %d columns", maxColumns)}
	}
	switch {
	case fill.IsNull() && col.NotNull && t.counters.live > 0:
		return &NotNullError{t.def.Name, col.Name, -1}
	case !fill.IsNull() && fill.Kind() != col.Type.Kind:
		return &TypeError{t.def.Name, col.Name, fill.Type(), col.Type}
	case !fill.IsNull() && fill.Type() != col.Type.Widened():
		return &DimensionError{t.def.Name, col.Name, fill.Type().Dim, col.Type.Dim}
	}
	if err := fill.Check(); err != nil {
		return invalid(t.def, &col, -1, err)
	}
	if col.Type.Half && !fill.IsNull() {
		if err := value.CheckHalf(fill.Vec()); err != nil {
			return &ValueError{t.def.Name, col.Name, -1, err}
		}
		fill = value.Vec(appendVector(nil, fill.Vec(), col.Type))
	}
	d := t.def.clone()
	col.ID, col.fill, col.fillBlocks = d.nextID, fill, t.sealedBlocks()
	col.newPages()
	d.nextID++
	write := func(w editor, _ *build) error {
		if fill.Kind() == value.Vector {
			if err := tx.fillVectors(ctx, t, &col, w); err != nil {
				return err
			}
		}
		d.Columns = append(d.Columns, col)
		n := uint64(t.sealedBlocks()) * BlockRows
		if n == 0 {
			return nil
		}
		// The statistics know the value once, for all rows.
		one := &value.Column{Type: col.Type}
		one.Append(0, fill)
		var st stats
		st.add(one, []int32{0})
		st.rows, st.nulls = n, st.nulls*n
		return w.set(key.Of(nil, d.ID, key.Stats, col.ID), st.encode())
	}
	if fill.Kind() == value.Vector {
		// Searches read pages, so a vector is written out; NULLs need no page.
		col.fillBlocks = 0
		return tx.rewrite(t, d, write)
	}
	if err := write(tx, nil); err != nil {
		return err
	}
	return tx.changeTable(t.def, d)
}

// fillVectors writes the sealed blocks of a new vector column that is the same everywhere.
func (tx *Tx) fillVectors(ctx context.Context, t *Table, col *ColumnDef, to sink) error {
	d := &TableDef{ID: t.def.ID, Name: t.def.Name, Columns: []ColumnDef{*col}}
	b := newBlockBuilder(d)
	col.fillColumn(b.cols[0], BlockRows)
	b.n = BlockRows
	for n := range t.sealedBlocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		dead, err := t.dead(n)
		if err != nil {
			return err
		}
		if dead != nil && dead.Count() == BlockRows {
			continue
		}
		if err := b.seal(ctx, to, n); err != nil {
			return err
		}
	}
	return nil
}

// DropColumn removes a column and the space it takes. The primary key and
// columns of an index can't be dropped.
func (tx *Tx) DropColumn(ctx context.Context, table, column string) error {
	defer tx.frees()()
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	d := t.def.clone()
	at := d.Column(column)
	if at < 0 {
		return &NoColumnError{table, column}
	}
	id := d.Columns[at].ID
	if at == d.PrimaryKey {
		return &DefinitionError{fmt.Sprintf("%s is the primary key of %s and can't be dropped", column, table)}
	}
	for _, x := range d.Indexes {
		if slices.Contains(x.Columns, id) || slices.ContainsFunc(x.Where, func(t IndexTerm) bool { return t.Column == id }) {
			return &DefinitionError{fmt.Sprintf("%s is in index %s; drop that first", column, x.Name)}
		}
	}
	for _, x := range d.References {
		if slices.Contains(x.Columns, id) {
			return &DefinitionError{fmt.Sprintf("%s is in constraint %s; drop that first", column, x.Name)}
		}
	}
	for _, x := range d.Watches {
		if slices.Contains(x.Columns, id) {
			return &DefinitionError{fmt.Sprintf("watch %s depends on %s; drop that first", x.Name, column)}
		}
	}
	if len(d.Columns) == 1 {
		return &DefinitionError{fmt.Sprintf("%s is the only column of %s; drop the table instead", column, table)}
	}
	d.Columns = slices.Delete(d.Columns, at, at+1)
	if d.PrimaryKey > at {
		d.PrimaryKey--
	}
	for _, family := range key.OfColumn {
		if err := tx.deletePrefix(key.Of(nil, d.ID, family, id)); err != nil {
			return err
		}
	}
	return tx.changeTable(t.def, d)
}

// RenameColumn changes a column's name, and, where renamed is not nil, by that the conditions in
// which it stands.
func (tx *Tx) RenameColumn(ctx context.Context, table, column, to string, renamed func(condition string) string) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	if err := checkName("column", to); err != nil {
		return err
	}
	d := t.def.clone()
	at := d.Column(column)
	if at < 0 {
		return &NoColumnError{table, column}
	}
	if d.Column(to) >= 0 {
		return &ExistsError{"column", to}
	}
	d.Columns[at].Name = to
	if renamed != nil {
		for i := range d.Checks {
			d.Checks[i].Expr = renamed(d.Checks[i].Expr)
		}
		for i := range d.Watches {
			d.Watches[i].Expr = renamed(d.Watches[i].Expr)
		}
	}
	return tx.changeTable(t.def, d)
}

// SetColumnModel binds a vector column to an encoder's name and the identity of
// its model; an empty name takes the binding away.
func (tx *Tx) SetColumnModel(ctx context.Context, table, column, encoderName string, m encoder.Model) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	d := t.def.clone()
	at := d.Column(column)
	if at < 0 {
		return &NoColumnError{table, column}
	}
	c := &d.Columns[at]
	if c.Type.Kind != value.Vector {
		return &TypeError{table, column, value.Type{Kind: value.Vector}, c.Type}
	}
	if m.Dim != 0 && m.Dim != c.Type.Dim {
		return &DimensionError{table, column, m.Dim, c.Type.Dim}
	}
	if c.Model.Hash != "" && c.Model.Hash != m.Hash { // its phrases are of the model before
		if err := tx.deletePrefix(key.Of(nil, d.ID, key.Background, c.ID)); err != nil {
			return err
		}
	}
	c.Encoder, c.Model = encoderName, m
	return tx.changeTable(t.def, d)
}

// CreateIndex builds an index over the rows there are; the ID of def does not count, and
// Columns are ids. A large index wants a transaction of its own: see
// OneStatement.
func (tx *Tx) CreateIndex(ctx context.Context, table string, def IndexDef, progress Progress) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	d := t.def.clone()
	if err := tx.addIndex(d, def); err != nil {
		return err
	}
	all := d.indexes()
	x := all[len(all)-1]
	if tx.inFiles(t) {
		return tx.buildIndex(ctx, t, d, x, progress)
	}
	if w, ok := x.(wholeIndex); ok {
		err := w.buildWhole(ctx, t, func(_, k, v []byte) error { return tx.set(k, v) }, progress)
		if err != nil {
			return err
		}
		return tx.changeTable(t.def, d)
	}
	ed, err := x.edit(tx.View, tx)
	if err != nil {
		return err
	}
	defer ed.close()
	if err := t.addAll(ctx, x, ed, progress); err != nil {
		return err
	}
	if err := ed.finish(ctx); err != nil {
		return err
	}
	return tx.changeTable(t.def, d)
}

// DropIndex removes the index of this name.
func (tx *Tx) DropIndex(ctx context.Context, index string) error {
	defer tx.frees()()
	if err := tx.writable(); err != nil {
		return err
	}
	old, x, err := tx.Index(index)
	if err != nil {
		return err
	}
	for _, r := range tx.catalog.referrers(old.Name) {
		if pk := old.PrimaryKey; pk >= 0 && slices.Equal(r.ref.Key, []uint32{old.Columns[pk].ID}) {
			continue
		}
		if !x.Partial() && slices.Equal(slices.Sorted(slices.Values(r.ref.Key)), slices.Sorted(slices.Values(x.Columns))) {
			return &DefinitionError{fmt.Sprintf("constraint %s of %s refers to what index %s keeps unique; drop that first", r.ref.Name, r.def.Name, index)}
		}
	}
	d := old.clone()
	d.Indexes = slices.DeleteFunc(d.Indexes, func(y IndexDef) bool { return y.ID == x.ID })
	if err := tx.deletePrefix(indexKinds[x.Kind].open(old, x).prefix()); err != nil {
		return err
	}
	return tx.changeTable(old, d)
}

// refersTo reports whether the table has references to the other one.
func (d *TableDef) refersTo(table string) bool {
	return slices.ContainsFunc(d.References, func(x ReferenceDef) bool { return x.Table == table })
}

// checkConstraints checks the names of a new table's constraints. References are added
// later: AddReference.
func (tx *Tx) checkConstraints(d *TableDef) error {
	if len(d.References) > 0 {
		return &DefinitionError{"a table is created without references"}
	}
	seen, identity := map[string]bool{}, false
	for _, x := range d.Checks {
		if err := checkName("constraint", x.Name); err != nil {
			return err
		}
		if seen[x.Name] {
			return &ExistsError{"constraint", x.Name}
		}
		seen[x.Name] = true
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		if c.Identity && (identity || c.Type.Kind != value.Integer) {
			return &DefinitionError{fmt.Sprintf("%s: one INTEGER column of a table can number its rows", c.Name)}
		}
		identity = identity || c.Identity
	}
	return nil
}

// constraint reports whether the table has a constraint of this name, be it an index.
func (d *TableDef) constraint(name string) bool {
	return d.Index(name) != nil || slices.ContainsFunc(d.Checks, func(x CheckDef) bool { return x.Name == name }) ||
		slices.ContainsFunc(d.References, func(x ReferenceDef) bool { return x.Name == name })
}

// AddCheck adds a condition, which the rows there are have to meet already.
func (tx *Tx) AddCheck(ctx context.Context, table string, x CheckDef) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	if err := checkName("constraint", x.Name); err != nil {
		return err
	}
	if t.def.constraint(x.Name) {
		return &ExistsError{"constraint", x.Name}
	}
	d := t.def.clone()
	d.Checks = append(d.Checks, x)
	return tx.changeTable(t.def, d)
}

// DropConstraint removes a check or a reference.
func (tx *Tx) DropConstraint(ctx context.Context, table, name string) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	d := t.def.clone()
	d.Checks = slices.DeleteFunc(d.Checks, func(x CheckDef) bool { return x.Name == name })
	d.References = slices.DeleteFunc(d.References, func(x ReferenceDef) bool { return x.Name == name })
	return tx.changeTable(t.def, d)
}

// AlterColumn changes the default, the rule for NULL and the declared type of a column. Where
// NULL is forbidden now, the rows there are have to have values already.
func (tx *Tx) AlterColumn(ctx context.Context, table, column string, change func(c *ColumnDef)) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	d := t.def.clone()
	at := d.Column(column)
	if at < 0 {
		return &NoColumnError{table, column}
	}
	c := d.Columns[at]
	change(&c)
	if c.Type != d.Columns[at].Type || c.ID != d.Columns[at].ID || c.Name != d.Columns[at].Name {
		return &DefinitionError{"the type of a column stays"}
	}
	if !c.NotNull && at == d.PrimaryKey {
		return &DefinitionError{fmt.Sprintf("%s is the primary key, which is never NULL", column)}
	}
	d.Columns[at] = c
	return tx.changeTable(t.def, d)
}
