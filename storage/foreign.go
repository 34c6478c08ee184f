package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// References are checked when a statement has ended: writes note the keys that rows refer to
// from now on, and those that are gone, and CheckReferences looks at the tables as they are
// then. What has to follow a key that is gone (ON DELETE CASCADE, SET NULL, ...) is done there
// too, by writes that may note further keys.

// references is what CheckReferences has to look at.
type references struct {
	held map[refName]map[string][]value.Value // keys that rows of a table refer to
	gone map[refName]map[string]goneKey       // keys that no longer exist
}

// refName names a reference.
type refName struct{ table, constraint string }

// goneKey is a key of a row that was deleted, or changed to another one.
type goneKey struct {
	old, new []value.Value // new is nil: deleted
}

// encodeTuple is equal for equal keys; null is set where one of the values is NULL.
func encodeTuple(vals []value.Value) (k string, null bool) {
	var b []byte
	for _, v := range vals {
		null = null || v.IsNull()
		b = key.Append(b, v)
	}
	return string(b), null
}

func tupleText(vals []value.Value) string {
	parts := make([]string, len(vals))
	for i, v := range vals {
		if parts[i] = v.String(); v.Kind() == value.Text {
			parts[i] = value.Quote(v.Str())
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (d *TableDef) columnNames(ids []uint32) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = d.Columns[d.ColumnID(id)].Name
	}
	return names
}

// positions are those of columns with these ids.
func (d *TableDef) positions(ids []uint32) []int {
	at := make([]int, len(ids))
	for i, id := range ids {
		at[i] = d.ColumnID(id)
	}
	return at
}

// referrer is a reference to a table, and the table that has it.
type referrer struct {
	def *TableDef
	ref *ReferenceDef
}

// referrers are the references to a table.
func (c *catalog) referrers(table string) []referrer {
	var out []referrer
	for _, d := range c.byName {
		for i := range d.References {
			if d.References[i].Table == table {
				out = append(out, referrer{d, &d.References[i]})
			}
		}
	}
	slices.SortFunc(out, func(a, b referrer) int {
		return strings.Compare(a.def.Name+"\x00"+a.ref.Name, b.def.Name+"\x00"+b.ref.Name)
	})
	return out
}

// bound reports whether rows of the table refer to others, or others to them.
func (c *catalog) bound(d *TableDef) bool {
	return len(d.References) > 0 || len(c.referrers(d.Name)) > 0
}

func (tx *Tx) hold(table string, ref *ReferenceDef, vals []value.Value) {
	k, null := encodeTuple(vals)
	if null {
		return
	}
	if tx.refs.held == nil {
		tx.refs.held = map[refName]map[string][]value.Value{}
	}
	n := refName{table, ref.Name}
	if tx.refs.held[n] == nil {
		tx.refs.held[n] = map[string][]value.Value{}
	}
	tx.refs.held[n][k] = vals
}

// holdRows notes what rows pos of cols, which has all columns of the table, refer to.
func (tx *Tx) holdRows(d *TableDef, cols []*value.Column, pos []int32) {
	for i := range d.References {
		ref := &d.References[i]
		at := d.positions(ref.Columns)
		for _, p := range pos {
			vals := make([]value.Value, len(at))
			for k, c := range at {
				if cols[c] != nil {
					vals[k] = cols[c].Value(int(p))
				}
			}
			tx.hold(d.Name, ref, vals)
		}
	}
}

func (tx *Tx) goes(r referrer, old, fresh []value.Value) {
	k, null := encodeTuple(old)
	if null {
		return
	}
	if fresh != nil {
		if same, _ := encodeTuple(fresh); same == k {
			return
		}
	}
	if tx.refs.gone == nil {
		tx.refs.gone = map[refName]map[string]goneKey{}
	}
	n := refName{r.def.Name, r.ref.Name}
	if tx.refs.gone[n] == nil {
		tx.refs.gone[n] = map[string]goneKey{}
	}
	tx.refs.gone[n][k] = goneKey{old, fresh}
}

// rowValues reads columns at positions of rows.
func (t *Table) rowValues(ctx context.Context, rows []uint64, at []int, f func(i int, vals []value.Value)) error {
	for first := 0; first < len(rows); first += BlockRows {
		n := min(len(rows)-first, BlockRows)
		b, err := t.Fetch(ctx, rows[first:first+n], at)
		if err != nil {
			return err
		}
		for i := range n {
			vals := make([]value.Value, len(at))
			for k := range at {
				vals[k] = b.Cols[k].Value(i)
			}
			f(first+i, vals)
		}
	}
	return nil
}

// noteDeleted notes the keys of rows that are about to be deleted.
func (tx *Tx) noteDeleted(ctx context.Context, t *Table, rows []uint64) error {
	for _, r := range tx.catalog.referrers(t.def.Name) {
		err := t.rowValues(ctx, rows, t.def.positions(r.ref.Key), func(_ int, vals []value.Value) { tx.goes(r, vals, nil) })
		if err != nil {
			return err
		}
	}
	return nil
}

// noteUpdated notes what an update of rows changes: keys that others refer to, and what the
// rows refer to.
func (tx *Tx) noteUpdated(ctx context.Context, t *Table, rows []uint64, cols []int, vals []*value.Column, pos []int32) error {
	touches := func(at []int) bool {
		return slices.ContainsFunc(at, func(c int) bool { return slices.Contains(cols, c) })
	}
	fresh := func(at []int, i int, old []value.Value) []value.Value {
		out := slices.Clone(old)
		for k, c := range at {
			if n := slices.Index(cols, c); n >= 0 {
				out[k] = value.Value{}
				if vals[n] != nil {
					out[k] = vals[n].Value(int(pos[i]))
				}
			}
		}
		return out
	}
	for _, r := range tx.catalog.referrers(t.def.Name) {
		at := t.def.positions(r.ref.Key)
		if !touches(at) {
			continue
		}
		if err := t.rowValues(ctx, rows, at, func(i int, old []value.Value) { tx.goes(r, old, fresh(at, i, old)) }); err != nil {
			return err
		}
	}
	for i := range t.def.References {
		ref := &t.def.References[i]
		at := t.def.positions(ref.Columns)
		if !touches(at) {
			continue
		}
		if err := t.rowValues(ctx, rows, at, func(i int, old []value.Value) { tx.hold(t.def.Name, ref, fresh(at, i, old)) }); err != nil {
			return err
		}
	}
	return nil
}

// CheckReferences is called at the end of each statement. It does what follows keys that are
// gone, and returns a *ReferenceError where a row refers to what is not there.
func (tx *Tx) CheckReferences(ctx context.Context) error {
	for tx.refs.gone != nil {
		gone := tx.refs.gone
		tx.refs.gone = nil
		for _, n := range sortedRefs(gone) {
			if err := tx.follow(ctx, n, gone[n]); err != nil {
				return err
			}
		}
	}
	held := tx.refs.held
	tx.refs.held = nil
	for _, n := range sortedRefs(held) {
		d, ref := tx.reference(n)
		if ref == nil {
			continue
		}
		find, err := tx.finder(ref)
		if err != nil {
			return err
		}
		for _, vals := range held[n] {
			found, err := find.has(vals)
			if err == nil && !found {
				err = &ReferenceError{Table: d.Name, Constraint: ref.Name, Columns: d.columnNames(ref.Columns), Parent: ref.Table, Key: tupleText(vals)}
			}
			if err != nil {
				find.close()
				return err
			}
		}
		find.close()
	}
	return nil
}

func sortedRefs[V any](m map[refName]V) []refName {
	var all []refName
	for n := range m {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b refName) int {
		return strings.Compare(a.table+"\x00"+a.constraint, b.table+"\x00"+b.constraint)
	})
	return all
}

func (tx *Tx) reference(n refName) (*TableDef, *ReferenceDef) {
	d := tx.catalog.byName[n.table]
	if d == nil {
		return nil, nil
	}
	for i := range d.References {
		if d.References[i].Name == n.constraint {
			return d, &d.References[i]
		}
	}
	return nil, nil
}

// keyFinder looks for keys of the table that a reference is to.
type keyFinder struct {
	ed   indexEditor
	cols []*value.Column
	at   []int
}

func (tx *Tx) finder(ref *ReferenceDef) (*keyFinder, error) {
	t, err := tx.Table(ref.Table)
	if err != nil {
		return nil, err
	}
	at := t.def.positions(ref.Key)
	for _, x := range t.def.indexes() {
		have := slices.Sorted(slices.Values(x.columns()))
		if !x.def().Unique || x.def().Partial() || !slices.Equal(have, slices.Sorted(slices.Values(at))) {
			continue
		}
		ed, err := x.edit(tx.View, tx)
		if err != nil {
			return nil, err
		}
		return &keyFinder{ed: ed, cols: make([]*value.Column, len(t.def.Columns)), at: at}, nil
	}
	return nil, &DefinitionError{fmt.Sprintf("%s refers to a key of %s that is not unique any more", ref.Name, ref.Table)}
}

func (f *keyFinder) has(vals []value.Value) (bool, error) {
	for i, c := range f.at {
		f.cols[c] = &value.Column{Type: vals[i].Type()}
		f.cols[c].Append(0, vals[i])
	}
	_, found, err := f.ed.conflict(f.cols, 0)
	return found, err
}

func (f *keyFinder) close() { f.ed.close() }

// follow does with the rows that have reference n to keys that are gone what the reference says.
func (tx *Tx) follow(ctx context.Context, n refName, gone map[string]goneKey) error {
	d, ref := tx.reference(n)
	if ref == nil {
		return nil
	}
	find, err := tx.finder(ref)
	if err != nil {
		return err
	}
	for k, g := range gone { // another row may have the key by now
		found, err := find.has(g.old)
		if err != nil {
			find.close()
			return err
		}
		if found {
			delete(gone, k)
		}
	}
	find.close()
	if len(gone) == 0 {
		return nil
	}
	t, err := tx.Table(d.Name)
	if err != nil {
		return err
	}
	at := d.positions(ref.Columns)
	var deleted, nulled, changed []uint64
	var fresh [][]value.Value
	err = t.referring(ctx, at, gone, func(row uint64, g goneKey) error {
		action := ref.OnDelete
		if g.new != nil {
			action = ref.OnUpdate
		}
		switch {
		case action == Refuse:
			return &ReferenceError{Table: d.Name, Constraint: ref.Name, Columns: d.columnNames(ref.Columns), Parent: ref.Table, Key: tupleText(g.old), Gone: true}
		case action == SetNull:
			nulled = append(nulled, row)
		case g.new == nil:
			deleted = append(deleted, row)
		default:
			changed, fresh = append(changed, row), append(fresh, g.new)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(deleted) > 0 {
		if _, err := tx.Delete(ctx, d.Name, deleted); err != nil {
			return err
		}
	}
	set := func(rows []uint64, of func(i, k int) value.Value) error {
		if len(rows) == 0 {
			return nil
		}
		b := &value.Batch{Len: len(rows)}
		for k, c := range at {
			col := &value.Column{Type: d.Columns[c].Type}
			for i := range rows {
				col.Append(i, of(i, k))
			}
			b.Cols = append(b.Cols, col)
		}
		_, err := tx.Update(ctx, d.Name, rows, at, b)
		return err
	}
	if err := set(nulled, func(int, int) value.Value { return value.Value{} }); err != nil {
		return err
	}
	return set(changed, func(i, k int) value.Value { return fresh[i][k] })
}

// referring calls f for the rows whose columns at positions hold one of the keys: found by
// an index that begins with these columns, else by reading all rows.
func (t *Table) referring(ctx context.Context, at []int, keys map[string]goneKey, f func(row uint64, g goneKey) error) error {
	if x := t.indexBeginning(at); x != nil && len(keys) <= 1000 {
		for _, g := range keys {
			pre := slices.Clone(x.prefix())
			for _, c := range x.columns()[:len(at)] {
				pre = key.Append(pre, g.old[slices.Index(at, c)])
			}
			rows, err := t.rowsOf(x, pre)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if err := f(row, g); err != nil {
					return err
				}
			}
		}
		return nil
	}
	s := t.Scan(ScanOptions{Columns: at})
	defer s.Close()
	for {
		b, err := s.Next(ctx)
		if b == nil || err != nil {
			return err
		}
		vals := make([]value.Value, len(at))
		for _, p := range selected(b) {
			for k := range at {
				vals[k] = b.Cols[k].Value(int(p))
			}
			k, null := encodeTuple(vals)
			if g, ok := keys[k]; ok && !null {
				if err := f(b.Rows[p], g); err != nil {
					return err
				}
			}
		}
	}
}

// indexBeginning finds an ordered index whose first columns are these, in any order.
func (t *Table) indexBeginning(at []int) index {
	for _, x := range t.def.indexes() {
		if cols := x.columns(); x.def().Ordered() && len(cols) >= len(at) &&
			slices.Equal(slices.Sorted(slices.Values(cols[:len(at)])), slices.Sorted(slices.Values(at))) {
			return x
		}
	}
	return nil
}

// rowsOf reads the row numbers of an ordered index's entries that begin with pre.
func (t *Table) rowsOf(x index, pre []byte) (rows []uint64, err error) {
	it, err := t.view.prefixIter(pre)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if x.def().primary {
			rows = append(rows, key.RowNumber(it.Value()))
			continue
		}
		rows = append(rows, key.RowNumber(it.Key()))
	}
	return rows, corrupt(t.def.Name, "", x.where(), it.Error())
}

// AddReference adds a reference; its id columns are those of the tables. The rows there are
// have to refer to what is there.
func (tx *Tx) AddReference(ctx context.Context, table string, ref ReferenceDef) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	if err := checkName("constraint", ref.Name); err != nil {
		return err
	}
	if t.def.constraint(ref.Name) {
		return &ExistsError{"constraint", ref.Name}
	}
	for _, id := range ref.Columns {
		if t.def.ColumnID(id) < 0 {
			return &DefinitionError{fmt.Sprintf("constraint %s: no column of id %d", ref.Name, id)}
		}
	}
	d := t.def.clone()
	d.References = append(d.References, ref)
	find, err := tx.finder(&ref)
	if err != nil {
		return err
	}
	find.close()
	if err := tx.changeTable(t.def, d); err != nil {
		return err
	}
	at := d.positions(ref.Columns)
	s := t.Scan(ScanOptions{Columns: at})
	defer s.Close()
	for {
		b, err := s.Next(ctx)
		if b == nil || err != nil {
			return err
		}
		for _, p := range selected(b) {
			vals := make([]value.Value, len(at))
			for k := range at {
				vals[k] = b.Cols[k].Value(int(p))
			}
			tx.hold(table, &ref, vals)
		}
	}
}

// DropReferencesTo drops all references to a table.
func (tx *Tx) DropReferencesTo(ctx context.Context, table string) error {
	for _, r := range tx.catalog.referrers(table) {
		if r.def.Name != table {
			if err := tx.DropConstraint(ctx, r.def.Name, r.ref.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
