package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Delete removes rows and returns how many of them were there.
func (tx *Tx) Delete(ctx context.Context, table string, rows []uint64) (int, error) {
	t, err := tx.table(table)
	if err != nil {
		return 0, err
	}
	live, err := t.liveOf(rows)
	if err != nil {
		return 0, err
	}
	if err := tx.removeKeys(ctx, t, live); err != nil {
		return 0, err
	}
	return len(live), tx.bury(ctx, t, live)
}

// liveOf returns those of the rows that are there, ascending and without repeats.
func (t *Table) liveOf(rows []uint64) ([]uint64, error) {
	rows = slices.Clone(rows)
	slices.Sort(rows)
	rows = slices.Compact(rows)
	live := rows[:0]
	var dead *BlockSet
	at := int64(-1)
	for _, r := range rows {
		if r >= t.counters.next {
			break
		}
		if b := int64(r / BlockRows); b != at {
			var err error
			if dead, err = t.dead(uint32(b)); err != nil {
				return nil, err
			}
			at = b
		}
		if dead == nil || !dead.Has(int(r%BlockRows)) {
			live = append(live, r)
		}
	}
	return live, nil
}

// keyColumns returns the positions of the columns that are part of a key.
func (d *TableDef) keyColumns() []int {
	var out []int
	for i := range d.Columns {
		in := i == d.PrimaryKey
		for _, x := range d.Indexes {
			in = in || slices.Contains(x.Columns, d.Columns[i].ID)
		}
		if in {
			out = append(out, i)
		}
	}
	return out
}

// removeKeys takes live rows out of the primary key map and the indexes.
func (tx *Tx) removeKeys(ctx context.Context, t *Table, rows []uint64) error {
	which := t.def.keyColumns()
	if len(which) == 0 {
		return nil
	}
	if uint64(len(rows)) == t.counters.live { // all of them
		if t.def.PrimaryKey >= 0 {
			if err := tx.deletePrefix(key.Family(nil, t.def.ID, key.Primary)); err != nil {
				return err
			}
		}
		for _, x := range t.def.Indexes {
			if err := tx.deletePrefix(key.Of(nil, t.def.ID, key.Index, x.ID)); err != nil {
				return err
			}
		}
		return nil
	}
	w := indexWriter{tx: tx, d: t.def}
	cols := make([]*value.Column, len(t.def.Columns))
	for len(rows) > 0 {
		n := min(len(rows), BlockRows)
		b, err := t.Fetch(ctx, rows[:n], which)
		if err != nil {
			return err
		}
		for i, c := range which {
			cols[c] = b.Cols[i]
		}
		for i := range n {
			if err := w.remove(cols, i, rows[i]); err != nil {
				return err
			}
		}
		rows = rows[n:]
	}
	return nil
}

// bury sets the tombstones of live rows, which ascend, and drops what no longer
// serves: tail rows, and the columns of blocks with no live row left.
func (tx *Tx) bury(ctx context.Context, t *Table, rows []uint64) error {
	d := t.def
	if len(rows) == 0 {
		return nil
	}
	t.counters.live -= uint64(len(rows))
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := uint32(rows[0] / BlockRows)
		set, err := tx.readTombstones(d, b)
		if err != nil {
			return err
		}
		if set == nil {
			set = new(BlockSet)
		}
		n := 0
		for ; n < len(rows) && uint32(rows[n]/BlockRows) == b; n++ {
			i := int(rows[n] % BlockRows)
			if set.Has(i) {
				return corrupt(d.Name, "", fmt.Sprintf("row %d", rows[n]), fmt.Errorf("%w: deleted twice", block.ErrMalformed))
			}
			set[i>>6] |= 1 << (i & 63)
			if b >= t.sealedBlocks() {
				if err := tx.deleteKey(key.Row(nil, d.ID, rows[n])); err != nil {
					return err
				}
			}
		}
		if err := tx.set(key.Tombstone(nil, d.ID, b), encodeTombstones(set)); err != nil {
			return err
		}
		if b < t.sealedBlocks() && set.Count() == BlockRows {
			if err := tx.dropBlock(d, b); err != nil {
				return err
			}
		}
		rows = rows[n:]
	}
	return tx.setCounters(d, t.counters)
}

// dropBlock deletes the columns, pages and codes of a block.
func (tx *Tx) dropBlock(d *TableDef, b uint32) error {
	for i := range d.Columns {
		c := &d.Columns[i]
		if err := tx.deleteKey(key.Numbered(nil, d.ID, key.Columns, c.ID, b)); err != nil {
			return err
		}
		if c.Type.Kind != value.Vector {
			continue
		}
		per := c.pagesPerBlock()
		from, to := key.Numbered(nil, d.ID, key.Pages, c.ID, b*per), key.Numbered(nil, d.ID, key.Pages, c.ID, (b+1)*per)
		if err := tx.batch.DeleteRange(from, to, nil); err != nil {
			return err
		}
		for _, plane := range codePlanes {
			if err := tx.deleteKey(key.Code(nil, d.ID, c.ID, plane, b)); err != nil {
				return err
			}
		}
	}
	return nil
}

// codePlanes are the planes a block's codes may have.
var codePlanes = []byte{1, 2}

// Update replaces columns of rows: rows[i] (live, without repeats) gets the
// values of the i-th selected row of b in the columns at positions cols. It returns
// the new row numbers. Keys are checked after all rows have changed, so that keys
// may be swapped. b may be longer than BatchSize.
func (tx *Tx) Update(ctx context.Context, table string, rows []uint64, cols []int, b *value.Batch) ([]uint64, error) {
	t, err := tx.table(table)
	if err != nil {
		return nil, err
	}
	pos := selected(b)
	if len(pos) != len(rows) {
		return nil, fmt.Errorf("%d new values for %d rows", len(pos), len(rows))
	}
	if err := checkRows(t.def, b.Cols, pos, cols, 0); err != nil {
		return nil, err
	}
	live, err := t.liveOf(rows)
	if err != nil {
		return nil, err
	}
	if len(live) != len(rows) {
		return nil, fmt.Errorf("%d of %d rows to update are deleted or repeated", len(rows)-len(live), len(rows))
	}
	if err := tx.removeKeys(ctx, t, live); err != nil {
		return nil, err
	}
	all := make([]int, len(t.def.Columns))
	for i := range all {
		all[i] = i
	}
	var out []uint64
	for len(rows) > 0 {
		n := min(len(rows), BlockRows)
		// Inserting moves the tail on, so the table is looked at anew.
		if t, err = tx.Table(table); err != nil {
			return nil, err
		}
		old, err := t.Fetch(ctx, rows[:n], all)
		if err != nil {
			return nil, err
		}
		dst := make([]int32, n)
		for i := range dst {
			dst[i] = int32(i)
		}
		for i, c := range cols {
			fresh := &value.Column{Type: t.def.Columns[c].Type}
			appendRows(fresh, 0, b.Cols[i], pos[:n])
			old.Cols[c] = fresh
		}
		chunk := slices.Clone(rows[:n])
		slices.Sort(chunk)
		if err := tx.bury(ctx, t, chunk); err != nil {
			return nil, err
		}
		res, err := tx.insert(ctx, t, old.Cols, dst, InsertOptions{})
		if unique := new(UniqueError); errors.As(err, &unique) {
			unique.Row += int64(len(out))
		}
		if err != nil {
			return nil, err
		}
		out = append(out, res.Rows...)
		rows, pos = rows[n:], pos[n:]
	}
	return out, nil
}
