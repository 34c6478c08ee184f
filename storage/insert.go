package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// OnConflict says what Insert does with a row whose key is there already.
type OnConflict uint8

const (
	ConflictError OnConflict = iota // stop with a *UniqueError
	ConflictSkip                    // leave the row out and report it
)

// InsertOptions of Insert.
type InsertOptions struct {
	OnConflict OnConflict
	// Target is the unique index whose conflicts are skipped; a conflict with
	// another one is an error. Nil = with any, PrimaryKeyTarget = the primary key.
	Target *IndexDef
}

// PrimaryKeyTarget stands for the primary key in InsertOptions.Target and IndexScan.
var PrimaryKeyTarget = &IndexDef{Name: "primary key"}

// NoRow is the row number of a row that was not inserted.
const NoRow = ^uint64(0)

// Conflict is a row that ConflictSkip left out.
type Conflict struct {
	Pos int    // position in the batch
	Row uint64 // the row that has the key
}

// InsertResult of Insert.
type InsertResult struct {
	Rows      []uint64 // row number for every selected row of the batch, in order, NoRow where it was left out
	Conflicts []Conflict
}

// Insert adds the selected rows of a batch that has all columns of the table in
// their order (a nil column is NULL throughout). Errors: *UniqueError,
// *NotNullError, *DimensionError, *NotFiniteError, *ValueError, *TypeError.
func (tx *Tx) Insert(ctx context.Context, table string, b *value.Batch, opts InsertOptions) (InsertResult, error) {
	t, err := tx.table(table)
	if err != nil {
		return InsertResult{}, err
	}
	pos := selected(b)
	if err := checkRows(t.def, b.Cols, pos, nil, 0); err != nil {
		return InsertResult{}, err
	}
	return tx.insert(ctx, t, b.Cols, pos, opts)
}

// selected returns the positions of the batch's selected rows.
func selected(b *value.Batch) []int32 {
	if b.Sel != nil {
		return b.Sel
	}
	pos := make([]int32, b.Len)
	for i := range pos {
		pos[i] = int32(i)
	}
	return pos
}

// checkRows verifies that rows pos of cols may go into the table: every value that
// enters, by whatever way, passes here. which are the
// positions of cols in the definition; nil = all in order. first is the number in
// the input of row pos[0].
func checkRows(d *TableDef, cols []*value.Column, pos []int32, which []int, first int64) error {
	if which == nil && len(cols) != len(d.Columns) || which != nil && len(cols) != len(which) {
		return fmt.Errorf("%d columns for a table of %d", len(cols), len(d.Columns))
	}
	for i, c := range cols {
		def := &d.Columns[i]
		if which != nil {
			def = &d.Columns[which[i]]
		}
		if c == nil || c.Type.Kind == value.Null {
			if def.NotNull && len(pos) > 0 {
				return &NotNullError{d.Name, def.Name, first}
			}
			continue
		}
		if c.Type.Kind != def.Type.Kind {
			return &TypeError{d.Name, def.Name, c.Type, def.Type}
		}
		if c.Type.Dim != def.Type.Dim {
			return &DimensionError{d.Name, def.Name, c.Type.Dim, def.Type.Dim}
		}
		for n, p := range pos {
			if c.Null(int(p)) {
				if def.NotNull {
					return &NotNullError{d.Name, def.Name, first + int64(n)}
				}
			} else if err := c.CheckRow(int(p)); err != nil {
				return invalid(d, def, first+int64(n), err)
			}
		}
	}
	return nil
}

// invalid is the error for a value that breaks a rule of its kind: err of value.Check.
func invalid(d *TableDef, c *ColumnDef, row int64, err error) error {
	if c.Type.Kind == value.Vector {
		return &NotFiniteError{d.Name, c.Name, row}
	}
	return &ValueError{d.Name, c.Name, row, err}
}

// finite reports whether no number is NaN or infinite: those have all bits of the
// exponent set.
func finite(v []float32) bool {
	for _, x := range v {
		if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}

// keyOf appends a row's values of an index's columns, or of the primary key if x
// is nil. null reports whether one of them is NULL.
func keyOf(dst []byte, d *TableDef, x *IndexDef, cols []*value.Column, i int) (k []byte, null bool) {
	add := func(at int) {
		var v value.Value
		if c := cols[at]; c != nil {
			v = c.Value(i)
		}
		null = null || v.IsNull()
		dst = key.Append(dst, v)
	}
	if x == nil {
		add(d.PrimaryKey)
		return dst, null
	}
	for _, id := range x.Columns {
		add(d.ColumnID(id))
	}
	return dst, null
}

// uniqueError describes a key that is there already.
func uniqueError(d *TableDef, x *IndexDef, k []byte, row int64) error {
	e := &UniqueError{Table: d.Name, Row: row}
	ids := []uint32(nil)
	if x != nil {
		e.Index, ids = x.Name, x.Columns
	} else {
		ids = []uint32{d.Columns[d.PrimaryKey].ID}
	}
	var parts []string
	for _, id := range ids {
		c := &d.Columns[d.ColumnID(id)]
		e.Columns = append(e.Columns, c.Name)
		v, rest, err := key.Decode(k, c.Type.Kind)
		if err != nil {
			parts = append(parts, fmt.Sprintf("%x", k))
			break
		}
		k = rest
		if v.Kind() == value.Text {
			parts = append(parts, value.Quote(v.Str()))
		} else {
			parts = append(parts, v.String())
		}
	}
	e.Key = strings.Join(parts, ", ")
	if len(parts) > 1 {
		e.Key = "(" + e.Key + ")"
	}
	return e
}

// indexWriter keeps the primary key map and the indexes of a table in step with
// its rows.
type indexWriter struct {
	tx   *Tx
	d    *TableDef
	its  []*pebble.Iterator // of unique indexes, as things were at the start
	seen []map[string]uint64
	key  []byte
}

func (tx *Tx) newIndexWriter(d *TableDef) (*indexWriter, error) {
	w := &indexWriter{tx: tx, d: d, its: make([]*pebble.Iterator, len(d.Indexes)), seen: make([]map[string]uint64, len(d.Indexes))}
	for i := range d.Indexes {
		if !d.Indexes[i].Unique {
			continue
		}
		it, err := tx.prefixIter(key.Of(nil, d.ID, key.Index, d.Indexes[i].ID))
		if err != nil {
			w.close()
			return nil, err
		}
		w.its[i], w.seen[i] = it, map[string]uint64{}
	}
	return w, nil
}

func (w *indexWriter) close() {
	for _, it := range w.its {
		if it != nil {
			it.Close()
		}
	}
}

// conflict looks for a row that has a unique key of row i of cols.
func (w *indexWriter) conflict(cols []*value.Column, i int) (x *IndexDef, k []byte, row uint64, found bool, err error) {
	d := w.d
	if d.PrimaryKey >= 0 {
		prefix := len(key.Family(w.key[:0], d.ID, key.Primary))
		w.key, _ = keyOf(key.Family(w.key[:0], d.ID, key.Primary), d, nil, cols, i)
		if err := checkKeySize(d, nil, w.key[prefix:]); err != nil {
			return nil, nil, 0, false, err
		}
		row, found, err = w.tx.lookupKey(d, w.key)
		if err != nil || found {
			return nil, w.key[prefix:], row, found, err
		}
	}
	for n := range d.Indexes {
		x := &d.Indexes[n]
		prefix := len(key.Of(w.key[:0], d.ID, key.Index, x.ID))
		var null bool
		w.key, null = keyOf(key.Of(w.key[:0], d.ID, key.Index, x.ID), d, x, cols, i)
		if err := checkKeySize(d, x, w.key[prefix:]); err != nil {
			return nil, nil, 0, false, err
		}
		if !x.Unique || null {
			continue
		}
		if row, ok := w.seen[n][string(w.key[prefix:])]; ok {
			return x, w.key[prefix:], row, true, nil
		}
		it := w.its[n]
		if seekPrefix(it, w.key) && len(it.Key()) == len(w.key)+8 {
			return x, w.key[prefix:], key.RowNumber(it.Key()), true, nil
		}
		if err := it.Error(); err != nil {
			return nil, nil, 0, false, corrupt(d.Name, "", "index "+x.Name, err)
		}
	}
	return nil, nil, 0, false, nil
}

func checkKeySize(d *TableDef, x *IndexDef, k []byte) error {
	if len(k) <= maxKey {
		return nil
	}
	what := "the primary key"
	if x != nil {
		what = "index " + x.Name
	}
	return &DefinitionError{fmt.Sprintf("a key of %d bytes is too long for %s of %s, at most %d are possible", len(k), what, d.Name, maxKey)}
}

// add enters row i of cols under its new number.
func (w *indexWriter) add(cols []*value.Column, i int, row uint64) error {
	d := w.d
	if d.PrimaryKey >= 0 {
		w.key, _ = keyOf(key.Family(w.key[:0], d.ID, key.Primary), d, nil, cols, i)
		if err := w.tx.set(w.key, binary.BigEndian.AppendUint64(nil, row)); err != nil {
			return err
		}
	}
	for n := range d.Indexes {
		x := &d.Indexes[n]
		prefix := len(key.Of(w.key[:0], d.ID, key.Index, x.ID))
		var null bool
		w.key, null = keyOf(key.Of(w.key[:0], d.ID, key.Index, x.ID), d, x, cols, i)
		if x.Unique && !null {
			w.seen[n][string(w.key[prefix:])] = row
		}
		w.key = binary.BigEndian.AppendUint64(w.key, row)
		if err := w.tx.set(w.key, nil); err != nil {
			return err
		}
	}
	return nil
}

// remove takes row i of cols, of this number, out.
func (w *indexWriter) remove(cols []*value.Column, i int, row uint64) error {
	d := w.d
	if d.PrimaryKey >= 0 {
		w.key, _ = keyOf(key.Family(w.key[:0], d.ID, key.Primary), d, nil, cols, i)
		if err := w.tx.deleteKey(w.key); err != nil {
			return err
		}
	}
	for n := range d.Indexes {
		x := &d.Indexes[n]
		w.key, _ = keyOf(key.Of(w.key[:0], d.ID, key.Index, x.ID), d, x, cols, i)
		w.key = binary.BigEndian.AppendUint64(w.key, row)
		if err := w.tx.deleteKey(w.key); err != nil {
			return err
		}
	}
	return nil
}

// insert adds checked rows.
func (tx *Tx) insert(ctx context.Context, t *Table, cols []*value.Column, pos []int32, opts InsertOptions) (res InsertResult, err error) {
	w, err := tx.newIndexWriter(t.def)
	if err != nil {
		return res, err
	}
	defer w.close()
	res.Rows = make([]uint64, 0, len(pos))
	accepted := make([]int32, 0, len(pos))
	for n, p := range pos {
		if n%256 == 0 {
			if err := ctx.Err(); err != nil {
				return res, err
			}
		}
		x, k, row, found, err := w.conflict(cols, int(p))
		if err != nil {
			return res, err
		}
		if found {
			target := opts.Target == nil || opts.Target == PrimaryKeyTarget && x == nil || x != nil && opts.Target.Name == x.Name
			if opts.OnConflict != ConflictSkip || !target {
				return res, uniqueError(t.def, x, k, int64(n))
			}
			res.Conflicts = append(res.Conflicts, Conflict{int(p), row})
			res.Rows = append(res.Rows, NoRow)
			continue
		}
		row = t.counters.next + uint64(len(accepted))
		if err := w.add(cols, int(p), row); err != nil {
			return res, err
		}
		res.Rows = append(res.Rows, row)
		accepted = append(accepted, p)
	}
	return res, tx.appendRows(ctx, t, cols, accepted)
}

// appendRows stores rows at the end of the table: full blocks as columns, the rest
// as tail rows.
func (tx *Tx) appendRows(ctx context.Context, t *Table, cols []*value.Column, pos []int32) error {
	d, c := t.def, t.counters
	if len(pos) == 0 {
		return nil
	}
	var builder *blockBuilder
	var buf, k []byte
	for len(pos) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		used := int(c.next % BlockRows)
		n := min(BlockRows-used, len(pos))
		if used+n == BlockRows {
			if builder == nil {
				builder = newBlockBuilder(d)
				builder.codes = newBatchCodes(tx, t, true)
			}
			builder.reset()
			if used > 0 {
				tail := &Table{view: tx.View, def: d, counters: c}
				if err := builder.addTail(tail); err != nil {
					return err
				}
				// Not as a range: a batch sorts its range deletions again after every write,
				// for the next read, which would take the square of the rows' number.
				for row := c.next - uint64(used); row < c.next; row++ {
					k = key.Row(k[:0], d.ID, row)
					if err := tx.deleteKey(k); err != nil {
						return err
					}
				}
			}
			builder.add(cols, pos[:n])
			if err := builder.seal(ctx, tx, c.sealed()); err != nil {
				return err
			}
		} else {
			for i, p := range pos[:n] {
				buf = buf[:0]
				for j, col := range cols {
					if col != nil && !col.Null(int(p)) || !d.Columns[j].fill.IsNull() {
						var v value.Value
						if col != nil {
							v = col.Value(int(p))
						}
						buf = block.AppendField(buf, d.Columns[j].ID, v)
					}
				}
				k = key.Row(k[:0], d.ID, c.next+uint64(i))
				if err := tx.set(k, buf); err != nil {
					return err
				}
			}
		}
		c.next += uint64(n)
		c.live += uint64(n)
		pos = pos[n:]
	}
	t.counters = c
	if builder != nil {
		if err := builder.sealStats(tx.View, tx.set); err != nil {
			return err
		}
	}
	return tx.setCounters(d, c)
}
