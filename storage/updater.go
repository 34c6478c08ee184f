package storage

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// assign sets rows of a block's column to the values at positions pos of src; nil is NULL
// throughout.
func assign(c *value.Column, slots []int32, src *value.Column, pos []int32) {
	for n, s := range slots {
		i, p := int(s), int(pos[n])
		null := src == nil || src.Null(p)
		if null && len(c.Nulls)*64 < BlockRows {
			c.Nulls = append(c.Nulls, value.NewBitmap(BlockRows-64*len(c.Nulls))...)
		}
		if null {
			c.Nulls.Set(i)
		} else if c.Nulls != nil {
			c.Nulls.Clear(i)
		}
		switch c.Type.Kind {
		case value.Boolean:
			c.Bools[i] = !null && src.Bools[p]
		case value.Integer, value.Timestamp, value.Date:
			if c.Ints[i] = 0; !null {
				c.Ints[i] = src.Ints[p]
			}
		case value.Real:
			if c.Reals[i] = 0; !null {
				c.Reals[i] = src.Reals[p]
			}
		case value.Vector:
			if v := c.Vec(i); null {
				clear(v)
			} else {
				copyVectors(v, src.Vec(p), c.Type)
			}
		default:
			if c.Strs[i] = ""; !null {
				c.Strs[i] = src.Strs[p]
			}
		}
	}
	if c.Type.Kind != value.Vector {
		c.Joined, c.Values, c.Codes = "", nil, nil
	}
}

// Updater is an update of many rows of a table, in files: it needs no memory for them.
// It belongs to one goroutine.
type Updater struct {
	tx   *Tx
	t    *Table
	cols []int
	b    *build
	w    *rewriter
	keys *indexEditors

	last  uint64 // row
	n     int64
	block uint32 // of the rows that wait
	slots []int32
	vals  []*value.Column
	rows  []uint64
	done  bool

	watched *watchedUpdate // nil: no watch depends on what is set
	notes   *fileNotes
}

// NewUpdater starts an update of the columns at positions cols, in a transaction of one
// statement that has written nothing so far, and which sees nothing of it until it is
// committed. It returns nil for a table that is too small to be worth it, or a transaction of
// several statements. The caller closes it.
func (tx *Tx) NewUpdater(ctx context.Context, table string, cols []int) (*Updater, error) {
	t, err := tx.table(table)
	if err != nil || !tx.changesInFiles(t) {
		return nil, err
	}
	b, err := tx.newBuild()
	if err != nil {
		b.abort()
		return nil, err
	}
	u := &Updater{tx: tx, t: t, cols: cols, b: b, w: newRewriter(tx.View, t, cols, b), vals: make([]*value.Column, len(cols))}
	u.keys = buildIndexes(t.def.indexesOn(cols), b.indexFiles(tx))
	if w := t.def.watchesOn(cols); len(w.touched) > 0 {
		u.watched, u.notes = w, newFileNotes(b.sst, tx.number())
	}
	u.reset()
	return u, nil
}

func (u *Updater) reset() {
	u.slots, u.rows = u.slots[:0], u.rows[:0]
	for i, c := range u.cols {
		if u.vals[i] == nil {
			u.vals[i] = new(value.Column)
		}
		u.vals[i].Reset(u.t.def.Columns[c].Type)
	}
}

// Add changes rows, which ascend, also from call to call: rows[i] gets the values of the
// i-th selected row of b. Errors as for Tx.Update, those of keys in Finish.
func (u *Updater) Add(ctx context.Context, rows []uint64, b *value.Batch) error {
	pos := selected(b)
	if len(pos) != len(rows) {
		return fmt.Errorf("%d new values for %d rows", len(pos), len(rows))
	}
	if err := checkRows(u.t.def, b.Cols, pos, u.cols, u.n); err != nil {
		return err
	}
	for len(rows) > 0 {
		n := 0
		for ; n < len(rows) && rows[n]/BlockRows == rows[0]/BlockRows; n++ {
			if u.n > 0 && rows[n] <= u.last || rows[n] >= u.t.counters.next {
				return fmt.Errorf("rows to update don't ascend: %d after %d", rows[n], u.last)
			}
			u.last = rows[n]
			u.n++
		}
		if blk := uint32(rows[0] / BlockRows); blk != u.block {
			if err := u.flush(ctx); err != nil {
				return err
			}
			u.block = blk
		}
		for i, c := range u.vals {
			appendRows(c, len(u.rows), b.Cols[i], pos[:n])
		}
		for _, r := range rows[:n] {
			u.rows, u.slots = append(u.rows, r), append(u.slots, int32(r%BlockRows))
		}
		rows, pos = rows[n:], pos[n:]
	}
	return nil
}

// flush changes the rows that wait.
func (u *Updater) flush(ctx context.Context) error {
	if len(u.rows) == 0 {
		return nil
	}
	dead, err := u.t.dead(u.block)
	if err != nil {
		return err
	}
	for _, s := range u.slots {
		if dead != nil && dead.Has(int(s)) {
			return fmt.Errorf("row %d to update is deleted", uint64(u.block)*BlockRows+uint64(s))
		}
	}
	if err := u.tell(ctx); err != nil {
		return err
	}
	pos := allRows[:len(u.rows)]
	err = u.t.changes(ctx, u.keys.indexes, u.rows, u.cols, u.vals, pos, func(n, at int, old, fresh []*value.Column, i int) error {
		if err := u.keys.edit[n].remove(old, i, u.rows[at]); err != nil {
			return err
		}
		return u.keys.edit[n].add(fresh, i, u.rows[at])
	})
	if err != nil {
		return err
	}
	if err := u.w.change(ctx, u.block, u.slots, u.vals, pos); err != nil {
		return err
	}
	u.reset()
	return nil
}

// Finish makes the changes what Commit publishes, all at once.
func (u *Updater) Finish(ctx context.Context) error {
	if err := u.flush(ctx); err != nil {
		return err
	}
	if err := u.w.finish(ctx); err != nil {
		return err
	}
	if err := u.keys.finish(ctx); err != nil {
		return err
	}
	if u.notes != nil {
		if err := u.notes.finish(); err != nil {
			return err
		}
		u.tx.telling = u.notes.any()
	}
	u.tx.built, u.done = u.b, true
	return nil
}

// Close releases what the update holds. Without Finish nothing of it stays.
func (u *Updater) Close() {
	u.w.close()
	u.keys.close()
	if !u.done {
		u.b.abort()
		u.done = true
	}
}
