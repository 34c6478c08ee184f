package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Delete removes rows and returns how many of them were there.
func (tx *Tx) Delete(ctx context.Context, table string, rows []uint64) (int, error) {
	defer tx.frees()()
	t, err := tx.table(table)
	if err != nil {
		return 0, err
	}
	live, err := t.liveOf(rows)
	if err != nil {
		return 0, err
	}
	if err := tx.noteDeleted(ctx, t, live); err != nil {
		return 0, err
	}
	if err := tx.untell(t.def, live); err != nil {
		return 0, err
	}
	if uint64(len(live))*filesShare >= tx.store.buildRows && tx.changesInFiles(t) {
		return len(live), tx.deleteMany(ctx, t, live)
	}
	if err := tx.removeKeys(ctx, t, live); err != nil {
		return 0, err
	}
	empty, err := tx.bury(ctx, t, live, tx)
	if err != nil {
		return 0, err
	}
	return len(live), tx.dropEmpty(t, empty, tx)
}

// filesShare is the part of the rows that a table must have for building in files, from
// which on they are deleted in files.
const filesShare = 5

// deleteMany deletes live rows, which ascend, in files.
func (tx *Tx) deleteMany(ctx context.Context, t *Table, rows []uint64) error {
	return tx.inBuild(func(b *build) error {
		if err := tx.deleteKeys(ctx, t, rows, b); err != nil {
			return err
		}
		empty, err := tx.bury(ctx, t, rows, b)
		if err != nil {
			return err
		}
		if err := tx.dropEmpty(t, empty, b); err != nil {
			return err
		}
		tx.built = b
		return nil
	})
}

// deleteKeys takes rows out of the indexes, in files.
func (tx *Tx) deleteKeys(ctx context.Context, t *Table, rows []uint64, b *build) error {
	of := t.def.indexes()
	if uint64(len(rows)) == t.counters.live { // all of them
		for _, x := range of {
			if err := b.deleteIndex(x); err != nil {
				return err
			}
		}
		return nil
	}
	e := buildIndexes(of, b.indexFiles(tx))
	defer e.close()
	return t.removeRows(ctx, e, rows)
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

// removeKeys takes live rows out of the indexes.
func (tx *Tx) removeKeys(ctx context.Context, t *Table, rows []uint64) error {
	of := t.def.indexes()
	if len(of) == 0 || len(rows) == 0 {
		return nil
	}
	if uint64(len(rows)) == t.counters.live { // all of them
		for _, x := range of {
			if err := tx.deletePrefix(x.prefix()); err != nil {
				return err
			}
		}
		return nil
	}
	e, err := tx.editIndexes(of, tx)
	if err != nil {
		return err
	}
	defer e.close()
	return t.removeRows(ctx, e, rows)
}

// bury sets the tombstones of live rows, which ascend, and drops tail rows. It returns the
// sealed blocks with no live row left, which the caller drops.
func (tx *Tx) bury(ctx context.Context, t *Table, rows []uint64, to editor) (empty []uint32, err error) {
	d := t.def
	if len(rows) == 0 {
		return nil, nil
	}
	first := uint32(rows[0] / BlockRows)
	dead, err := t.deadBlocks(first, uint32(rows[len(rows)-1]/BlockRows)+1)
	if err != nil {
		return nil, err
	}
	t.counters.live -= uint64(len(rows))
	if tx.buried == nil {
		tx.buried = map[uint32]uint64{}
	}
	tx.buried[d.ID] += uint64(len(rows))
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := uint32(rows[0] / BlockRows)
		set := new(BlockSet)
		if dead != nil && dead[b-first] != nil {
			set = dead[b-first]
		}
		n := 0
		for ; n < len(rows) && uint32(rows[n]/BlockRows) == b; n++ {
			i := int(rows[n] % BlockRows)
			if set.Has(i) {
				return nil, corrupt(d.Name, "", fmt.Sprintf("row %d", rows[n]), fmt.Errorf("%w: deleted twice", block.ErrMalformed))
			}
			set[i>>6] |= 1 << (i & 63)
			if b >= t.sealedBlocks() {
				if err := to.deleteKey(key.Row(nil, d.ID, rows[n])); err != nil {
					return nil, err
				}
			}
		}
		if err := to.set(key.Tombstone(nil, d.ID, b), encodeTombstones(set)); err != nil {
			return nil, err
		}
		if b < t.sealedBlocks() && set.Count() == BlockRows {
			empty = append(empty, b)
		}
		rows = rows[n:]
	}
	return empty, to.set(key.Family(nil, d.ID, key.Counters), t.counters.encode())
}

// dropEmpty drops blocks without a live row, and tells housekeeping.
func (tx *Tx) dropEmpty(t *Table, blocks []uint32, to editor) error {
	for _, b := range blocks {
		tx.store.keeper.touch(nil, t.def.ID, b, allColumns(t.def))
	}
	return dropBlocks(t, blocks, to)
}

// dropBlocks deletes the columns, pages and codes of blocks. A range deletion costs every
// later read of the transaction, so blocks that follow each other share one.
func dropBlocks(t *Table, blocks []uint32, to editor) error {
	d := t.def
	slices.Sort(blocks)
	runs := func(f func(from, to uint32) error) error {
		for i := 0; i < len(blocks); {
			n := i + 1
			for n < len(blocks) && blocks[n] == blocks[n-1]+1 {
				n++
			}
			if err := f(blocks[i], blocks[n-1]+1); err != nil {
				return err
			}
			i = n
		}
		return nil
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		err := runs(func(from, until uint32) error {
			k := func(n uint32) []byte { return key.Numbered(nil, d.ID, key.Columns, c.ID, n) }
			if until == from+1 {
				return to.deleteKey(k(from))
			}
			return to.deleteRange(k(from), k(until))
		})
		if err != nil {
			return err
		}
		if c.Type.Kind != value.Vector {
			continue
		}
		per := c.pagesPerBlock()
		err = runs(func(from, until uint32) error {
			return to.deleteRange(key.Numbered(nil, d.ID, key.Pages, c.ID, from*per), key.Numbered(nil, d.ID, key.Pages, c.ID, until*per))
		})
		if err != nil {
			return err
		}
		tr, err := t.transform(i)
		if tr == nil {
			tr = new(transform) // outdated ones have no base either
		}
		for p := range 2 {
			if err != nil {
				return err
			}
			err = runs(func(from, until uint32) error {
				k := func(n uint32) []byte { return key.Code(nil, d.ID, c.ID, tr.base+byte(p+1), n) }
				if until == from+1 {
					return to.deleteKey(k(from))
				}
				return to.deleteRange(k(from), k(until))
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
