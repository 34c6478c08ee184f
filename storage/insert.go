package storage

import (
	"context"
	"fmt"
	"math"
	"slices"

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
	// Targets are the unique indexes whose conflicts are skipped; a conflict with another one
	// alone is an error. Nil = with any, PrimaryKeyTarget = the primary key.
	Targets []*IndexDef
}

// PrimaryKeyTarget stands for the primary key in InsertOptions.Targets and IndexScan.
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
// their order (a nil column is NULL throughout). What goes into a HALFVEC column is rounded
// to float16. Errors: *UniqueError,
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
	res, err := tx.insert(ctx, t, b.Cols, pos, opts)
	if err != nil {
		return res, err
	}
	return res, tx.tellInserted(ctx, t.def, b.Cols, pos, res.Rows)
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
			} else if def.Type.Half {
				if err := value.CheckHalf(c.Vec(int(p))); err != nil {
					return &ValueError{d.Name, def.Name, first + int64(n), err}
				}
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

// insert adds checked rows.
func (tx *Tx) insert(ctx context.Context, t *Table, cols []*value.Column, pos []int32, opts InsertOptions) (res InsertResult, err error) {
	w, err := tx.editIndexes(t.def.indexes(), tx)
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
		x, row, found, err := w.conflict(cols, int(p), opts.skips)
		if err != nil {
			return res, err
		}
		if found {
			if opts.OnConflict != ConflictSkip || !opts.skips(x.def()) {
				return res, x.duplicate(cols, int(p), int64(n))
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
	if err := w.finish(ctx); err != nil {
		return res, err
	}
	tx.holdRows(t.def, cols, accepted)
	return res, tx.appendRows(ctx, t, cols, accepted)
}

// skips reports whether conflicts with the key of x are skipped.
func (o *InsertOptions) skips(x *IndexDef) bool {
	return o.Targets == nil || slices.ContainsFunc(o.Targets, func(t *IndexDef) bool {
		if t == PrimaryKeyTarget {
			return x.primary
		}
		return !x.primary && t.Name == x.Name
	})
}

// appendRows stores rows at the end of the table: full blocks as columns, the rest
// as tail rows.
func (tx *Tx) appendRows(ctx context.Context, t *Table, cols []*value.Column, pos []int32) error {
	d, c, all := t.def, t.counters, pos
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
						buf = block.AppendField(buf, d.Columns[j].ID, v, d.Columns[j].Type)
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
	c.number(d, cols, all)
	t.counters = c
	if builder != nil {
		if err := builder.sealStats(tx.View, tx.set); err != nil {
			return err
		}
	}
	return tx.setCounters(d, c)
}
