package storage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// An index is kept in step with the rows of its table through this interface alone: inserts,
// loads, updates, deletes, the merging of blocks, VACUUM (a load of all rows), building over
// the rows there are and Check know no kind of index. The primary key is one.
//
// Rows have numbers, and merging gives rows other numbers: for an index that is a row removed
// and the same row added. All keys of an index start with its prefix.
type index interface {
	// def is the index's definition; that of the primary key is not among TableDef.Indexes.
	def() *IndexDef
	// where names the index in errors and in what Check finds.
	where() string
	// columns are the positions of the columns that it is made from.
	columns() []int
	prefix() []byte
	// differs reports whether row i of old and of fresh, which are indexed like the table's
	// columns, are different to the index.
	differs(old, fresh []*value.Column, i int) bool
	// duplicate is the error that says that another row has the key of row i already; row is
	// its position in the input, -1 without one.
	duplicate(cols []*value.Column, i int, row int64) error
	// edit changes the index by writes to to. What was there before them is seen in v.
	edit(v *View, to editor) (indexEditor, error)
	// build changes the index by sorted table files, in bounded memory.
	build(f *indexFiles) indexEditor
	// check compares the index with the rows of t, which it is shown one by one.
	check(c *checker, t *Table) indexCheck
}

// indexEditor is a change of an index: a row is removed before it is added. The columns that
// it gets are indexed like the table's; those of the index are there, and nil is NULL
// throughout. It belongs to one goroutine.
type indexEditor interface {
	// conflict finds the row that has the key of row i of cols already, where the index is
	// unique, and returns an error for values that the index can't take.
	conflict(cols []*value.Column, i int) (row uint64, found bool, err error)
	add(cols []*value.Column, i int, row uint64) error
	remove(cols []*value.Column, i int, row uint64) error
	// forget is remove for a row number that merging has given to a row which was deleted
	// meanwhile: what belongs to other rows by now, as v shows it, stays theirs.
	forget(cols []*value.Column, i int, row uint64) error
	// finish writes what was not written yet. Without it nothing may be left of a build.
	finish(ctx context.Context) error
	close()
}

// wholeIndex is an index that is built from the table as a whole, not from one row after the
// other. It reads the table several times, and writes ascending keys in streams of a prefix each.
type wholeIndex interface {
	buildWhole(ctx context.Context, t *Table, put func(prefix, k, v []byte) error, progress Progress) error
}

// indexFiles is where a build writes.
type indexFiles struct {
	s    *Store
	view *View  // shows the index as it is; nil: it is empty
	dir  string // for files that are needed meanwhile
	sst  *sstWriter
	// inputRow turns a row's number into what errors say; nil: they name no row.
	inputRow func(row uint64) int64
	progress Progress
}

func (f *indexFiles) report(stage string, done, total uint64) {
	if f.progress != nil {
		f.progress(stage, done, total)
	}
}

// indexCheck compares an index with the rows of its table.
type indexCheck interface {
	// row is told of every live row, in order, and reports what is wrong.
	row(cols []*value.Column, i int, row uint64)
	// finish looks for what belongs to no row. The error is for the end of the context.
	finish() error
}

// IndexKind says what an index is for.
type IndexKind string

// OrderedIndex finds rows by values of scalar columns, and rows in their order.
const OrderedIndex IndexKind = ""

// kindOfIndex is what the store knows of a kind of index.
type kindOfIndex struct {
	// check completes and verifies a new definition, whose columns exist.
	check func(d *TableDef, x *IndexDef) error
	open  func(d *TableDef, x *IndexDef) index
}

// indexKinds are the kinds of indexes there are.
var indexKinds = map[IndexKind]kindOfIndex{
	OrderedIndex: {checkOrdered, openOrdered},
	ClusterIndex: {checkClusters, openClusters},
}

// kindNames are the names of the kinds as CREATE INDEX has them.
func kindNames() []string {
	names := []string{"btree"}
	for k := range maps.Keys(indexKinds) {
		if k != OrderedIndex {
			names = append(names, string(k))
		}
	}
	slices.Sort(names)
	return names
}

// ParseIndexKind returns the kind of this name: btree is an ordered one.
func ParseIndexKind(name string) (IndexKind, error) {
	k := IndexKind(strings.ToLower(name))
	if k == "btree" {
		k = OrderedIndex
	}
	if _, ok := indexKinds[k]; !ok {
		return "", &DefinitionError{fmt.Sprintf("there is no kind of index %q; the kinds are %s (searches of vectors are exact, and need none)", name, strings.Join(kindNames(), ", "))}
	}
	return k, nil
}

// indexes are all indexes of the table, the primary key first.
func (d *TableDef) indexes() []index {
	if d.maintained != nil {
		return d.maintained
	}
	var all []index
	if d.PrimaryKey >= 0 {
		all = append(all, openPrimary(d))
	}
	for i := range d.Indexes {
		x := &d.Indexes[i]
		all = append(all, indexKinds[x.Kind].open(d, x))
	}
	return all
}

// final notes that the definition does not change any more.
func (d *TableDef) final() {
	d.maintained = nil
	d.maintained = d.indexes()
}

// indexesOn are the indexes that are made from one of the columns at positions cols.
func (d *TableDef) indexesOn(cols []int) []index {
	return slices.DeleteFunc(slices.Clone(d.indexes()), func(x index) bool {
		return !slices.ContainsFunc(x.columns(), func(c int) bool { return slices.Contains(cols, c) })
	})
}

// indexColumns returns the positions of the columns that indexes are made from.
func indexColumns(of []index) []int {
	var out []int
	for _, x := range of {
		out = append(out, x.columns()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// keyColumns returns the positions of the columns that are part of an index.
func (d *TableDef) keyColumns() []int { return indexColumns(d.indexes()) }

// columnsOf are the positions of an index's columns.
func (d *TableDef) columnsOf(x *IndexDef) []int {
	at := make([]int, len(x.Columns))
	for i, id := range x.Columns {
		at[i] = d.ColumnID(id)
	}
	return at
}

// indexEditors change all of some indexes alike.
type indexEditors struct {
	indexes []index
	edit    []indexEditor
}

// editIndexes begins a change of indexes by writes to to.
func (v *View) editIndexes(of []index, to editor) (*indexEditors, error) {
	e := &indexEditors{indexes: of, edit: make([]indexEditor, 0, len(of))}
	for _, x := range of {
		ed, err := x.edit(v, to)
		if err != nil {
			e.close()
			return nil, err
		}
		e.edit = append(e.edit, ed)
	}
	return e, nil
}

// buildIndexes begins a change of indexes in files.
func buildIndexes(of []index, f *indexFiles) *indexEditors {
	e := &indexEditors{indexes: of, edit: make([]indexEditor, 0, len(of))}
	for _, x := range of {
		e.edit = append(e.edit, x.build(f))
	}
	return e
}

func (e *indexEditors) close() {
	for _, ed := range e.edit {
		ed.close()
	}
}

// conflict looks for a row that has a unique key of row i of cols; x is the index: one that is
// preferred, where there are several.
func (e *indexEditors) conflict(cols []*value.Column, i int, preferred func(*IndexDef) bool) (x index, row uint64, found bool, err error) {
	for n, ed := range e.edit {
		there, is, err := ed.conflict(cols, i)
		if err != nil {
			return nil, 0, false, err
		}
		if first := is && preferred(e.indexes[n].def()); first || is && !found {
			if x, row, found = e.indexes[n], there, true; first {
				break
			}
		}
	}
	return x, row, found, nil
}

func (e *indexEditors) add(cols []*value.Column, i int, row uint64) error {
	for _, ed := range e.edit {
		if err := ed.add(cols, i, row); err != nil {
			return err
		}
	}
	return nil
}

func (e *indexEditors) remove(cols []*value.Column, i int, row uint64) error {
	for _, ed := range e.edit {
		if err := ed.remove(cols, i, row); err != nil {
			return err
		}
	}
	return nil
}

func (e *indexEditors) finish(ctx context.Context) error {
	for _, ed := range e.edit {
		if err := ed.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// eachChunk calls f with the columns of the indexes, indexed like the table's, of at most
// BlockRows rows at a time; first is the position of the first one in rows.
func (t *Table) eachChunk(ctx context.Context, of []index, rows []uint64, f func(cols []*value.Column, first, n int) error) error {
	which := indexColumns(of)
	cols := make([]*value.Column, len(t.def.Columns))
	for first := 0; first < len(rows); {
		n := min(len(rows)-first, BlockRows)
		b, err := t.Fetch(ctx, rows[first:first+n], which)
		if err != nil {
			return err
		}
		for i, c := range which {
			cols[c] = b.Cols[i]
		}
		if err := f(cols, first, n); err != nil {
			return err
		}
		first += n
	}
	return nil
}

// removeRows takes live rows out of indexes.
func (t *Table) removeRows(ctx context.Context, e *indexEditors, rows []uint64) error {
	if len(e.edit) == 0 {
		return nil
	}
	err := t.eachChunk(ctx, e.indexes, rows, func(cols []*value.Column, first, n int) error {
		for i := range n {
			if err := e.remove(cols, i, rows[first+i]); err != nil {
				return err
			}
		}
		return nil
	})
	return firstError(err, e.finish(ctx))
}

// changes calls f for the rows that are different to one of the indexes, the n-th, once they have
// new values. at is the row's position in rows, i the one in the columns before and after.
func (t *Table) changes(ctx context.Context, of []index, rows []uint64, cols []int, vals []*value.Column, pos []int32, f func(n, at int, old, fresh []*value.Column, i int) error) error {
	if len(of) == 0 {
		return nil
	}
	fresh := make([]*value.Column, len(t.def.Columns))
	which := indexColumns(of)
	return t.eachChunk(ctx, of, rows, func(old []*value.Column, first, n int) error {
		for _, c := range which {
			fresh[c] = old[c]
			if at := slices.Index(cols, c); at >= 0 {
				fresh[c] = &value.Column{Type: t.def.Columns[c].Type}
				appendRows(fresh[c], 0, vals[at], pos[first:first+n])
			}
		}
		for i := range n {
			for at, x := range of {
				if !x.differs(old, fresh, i) {
					continue
				}
				if err := f(at, first+i, old, fresh, i); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// addAll adds all live rows of t to an index that is new.
func (t *Table) addAll(ctx context.Context, x index, ed indexEditor, progress Progress) error {
	which := x.columns()
	s := t.Scan(ScanOptions{Columns: which})
	defer s.Close()
	cols := make([]*value.Column, len(t.def.Columns))
	done := uint64(0)
	for {
		b, err := s.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		for i, c := range which {
			cols[c] = b.Cols[i]
		}
		for _, p := range selected(b) {
			_, taken, err := ed.conflict(cols, int(p))
			if err == nil && taken {
				err = x.duplicate(cols, int(p), -1)
			}
			if err != nil {
				return err
			}
			if err := ed.add(cols, int(p), b.Rows[p]); err != nil {
				return err
			}
		}
		done += uint64(b.Count())
		if progress != nil {
			progress("indexing", done, t.Rows())
		}
	}
}

// deleteIndex deletes all of an index in files.
func (b *build) deleteIndex(x index) error {
	p := x.prefix()
	return b.sst.deleteRange(p, p, key.End(p))
}
