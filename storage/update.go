package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/value"
)

// An update changes rows where they are: of the blocks they are in it writes the
// columns that are set, and no other. Where few rows of a block change and the columns
// are wide, that would cost much more than the rows are worth; such rows are deleted and
// added again at the end.
const (
	// cheapBytes is what a block may always be rewritten for.
	cheapBytes = 16 << 10
	// movedCost is how many bytes of a block are rewritten rather than one byte of a row
	// moved: a moved row is written twice, as a tail row and in a block, and leaves a
	// deleted one behind.
	movedCost = 4
	// vectorShare is the part of a block's rows from which on new vectors are written
	// where the rows are: all codes of the block are made anew.
	vectorShare = 4
)

// editor takes changes of keys: a transaction's batch, or the files of a build. Those of
// one column ascend.
type editor interface {
	sink
	deleteKey(k []byte) error
	deleteRange(from, to []byte) error
	// merge appends to the value of a key.
	merge(k, v []byte) error
}

// Update replaces columns of rows: rows[i] (live, without repeats) gets the values of the
// i-th selected row of b in the columns at positions cols. It returns the numbers that
// the rows have afterwards: most keep theirs, others are moved to the end of the table.
// Keys are checked after all rows have changed, so that keys may be swapped. b may be
// longer than BatchSize.
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
	if err := tx.noteUpdated(ctx, t, rows, cols, b.Cols, pos); err != nil {
		return nil, err
	}
	tell, err := tx.tellUpdated(ctx, t, rows, cols, b.Cols, pos)
	if err != nil {
		return nil, err
	}
	u := &inPlace{tx: tx, t: t, cols: cols, vals: b.Cols, pos: pos, rows: rows}
	moved, err := u.split()
	if err != nil {
		return nil, err
	}
	if err := tx.removeKeys(ctx, t, ascending(rows, moved)); err != nil {
		return nil, err
	}
	if err := u.run(ctx); err != nil {
		return nil, err
	}
	out := slices.Clone(rows)
	if err := tx.move(ctx, table, rows, cols, b.Cols, pos, moved, out); err != nil || tell == nil {
		return out, err
	}
	return out, tell(out)
}

// ascending returns the rows at positions at, in ascending order.
func ascending(rows []uint64, at []int32) []uint64 {
	out := make([]uint64, len(at))
	for i, n := range at {
		out[i] = rows[n]
	}
	slices.Sort(out)
	return out
}

// move deletes the rows at positions at, whose keys are gone, and adds their successors
// at the end; out gets the new numbers.
func (tx *Tx) move(ctx context.Context, table string, rows []uint64, cols []int, vals []*value.Column, pos, at []int32, out []uint64) error {
	var empty []uint32
	for len(at) > 0 {
		n := min(len(at), BlockRows)
		// Inserting moves the tail on, so the table is looked at anew.
		t, err := tx.Table(table)
		if err != nil {
			return err
		}
		def := t.def
		chunk, from := make([]uint64, n), make([]int32, n)
		for i, k := range at[:n] {
			chunk[i], from[i] = rows[k], pos[k]
		}
		all := allColumns(def)
		old, err := t.Fetch(ctx, chunk, all)
		if err != nil {
			return err
		}
		for i, c := range cols {
			fresh := &value.Column{Type: def.Columns[c].Type}
			appendRows(fresh, 0, vals[i], from)
			old.Cols[c] = fresh
		}
		slices.Sort(chunk)
		gone, err := tx.bury(ctx, t, chunk, tx)
		if err != nil {
			return err
		}
		empty = append(empty, gone...)
		res, err := tx.insert(ctx, t, old.Cols, selected(&value.Batch{Len: n}), InsertOptions{})
		if unique := new(UniqueError); errors.As(err, &unique) && unique.Row >= 0 && unique.Row < int64(n) {
			unique.Row = int64(at[unique.Row])
		}
		if err != nil {
			return err
		}
		for i, k := range at[:n] {
			out[k] = res.Rows[i]
		}
		at = at[n:]
	}
	if len(empty) == 0 {
		return nil
	}
	t, err := tx.Table(table)
	if err != nil {
		return err
	}
	return tx.dropEmpty(t, empty, tx)
}

func allColumns(d *TableDef) []int {
	all := make([]int, len(d.Columns))
	for i := range all {
		all[i] = i
	}
	return all
}

// inPlace is the part of an update in a transaction's batch whose rows stay where they are.
type inPlace struct {
	tx   *Tx
	t    *Table
	cols []int
	vals []*value.Column
	pos  []int32  // in vals, for each of rows
	rows []uint64 // all rows of the update
	at   []int32  // those that stay, as positions in rows, by row number
}

// split decides which rows stay, and returns the others, in the order they were given.
func (u *inPlace) split() (moved []int32, err error) {
	order := make([]int32, len(u.rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(u.rows[a], u.rows[b]) })
	costs := newUpdateCosts(u.t, u.cols)
	defer costs.close()
	for len(order) > 0 {
		b := uint32(u.rows[order[0]] / BlockRows)
		n := 1
		for n < len(order) && uint32(u.rows[order[n]]/BlockRows) == b {
			n++
		}
		stay, err := costs.stay(b, n)
		if err != nil {
			return nil, err
		}
		if stay {
			u.at = append(u.at, order[:n]...)
		} else {
			moved = append(moved, order[:n]...)
		}
		order = order[n:]
	}
	slices.Sort(moved)
	return moved, nil
}

// updateCosts weighs rewriting columns of a block against moving rows.
type updateCosts struct {
	t       *Table
	readers []*columnReader // of the scalar columns that are set
	row     int             // bytes of the vectors of a row, and of its other columns about
	vectors bool            // some are set
}

func newUpdateCosts(t *Table, cols []int) *updateCosts {
	c := &updateCosts{t: t}
	for i := range t.def.Columns {
		if typ := t.def.Columns[i].Type; typ.Kind == value.Vector {
			c.row += block.NumberBytes(typ) * typ.Dim
		} else {
			c.row += 16
		}
	}
	for _, i := range cols {
		if t.def.Columns[i].Type.Kind == value.Vector {
			c.vectors = true
		} else {
			c.readers = append(c.readers, &columnReader{t: t, pos: i, to: t.sealedBlocks()})
		}
	}
	return c
}

func (c *updateCosts) close() {
	for _, r := range c.readers {
		r.Close()
	}
}

// stay reports whether n rows of block b are changed where they are.
func (c *updateCosts) stay(b uint32, n int) (bool, error) {
	if b >= c.t.sealedBlocks() {
		return true, nil
	}
	if c.vectors && n*vectorShare < BlockRows {
		return false, nil
	}
	size := 0
	for _, r := range c.readers {
		src, err := r.raw(b)
		if err != nil {
			return false, err
		}
		size += len(src)
	}
	return size <= cheapBytes || size <= movedCost*n*(c.row+size/BlockRows), nil
}

// run changes the rows.
func (u *inPlace) run(ctx context.Context) error {
	if len(u.at) == 0 {
		return nil
	}
	if err := u.rekey(ctx); err != nil {
		return err
	}
	w := newRewriter(u.tx.View, u.t, u.cols, u.tx)
	defer w.close()
	for at := u.at; len(at) > 0; {
		b := uint32(u.rows[at[0]] / BlockRows)
		var slots, from []int32
		for len(at) > 0 && uint32(u.rows[at[0]]/BlockRows) == b {
			slots, from = append(slots, int32(u.rows[at[0]]%BlockRows)), append(from, u.pos[at[0]])
			at = at[1:]
		}
		if err := w.change(ctx, b, slots, u.vals, from); err != nil {
			return err
		}
	}
	return w.finish(ctx)
}

// rekey takes the rows out of the indexes to which they are different afterwards, and then
// enters them as they will be: so keys may be swapped.
func (u *inPlace) rekey(ctx context.Context) error {
	of := u.t.def.indexesOn(u.cols)
	if len(of) == 0 {
		return nil
	}
	rows, from := make([]uint64, len(u.at)), make([]int32, len(u.at))
	for i, k := range u.at {
		rows[i], from[i] = u.rows[k], u.pos[k]
	}
	pass := func(f func(ed indexEditor, x index, at int, old, fresh []*value.Column, i int) error) error {
		w, err := u.tx.editIndexes(of, u.tx)
		if err != nil {
			return err
		}
		defer w.close()
		err = u.t.changes(ctx, of, rows, u.cols, u.vals, from, func(n, at int, old, fresh []*value.Column, i int) error {
			return f(w.edit[n], of[n], at, old, fresh, i)
		})
		return firstError(err, w.finish(ctx))
	}
	err := pass(func(ed indexEditor, _ index, at int, old, _ []*value.Column, i int) error {
		return ed.remove(old, i, rows[at])
	})
	if err != nil {
		return err
	}
	return pass(func(ed indexEditor, x index, at int, _, fresh []*value.Column, i int) error {
		_, taken, err := ed.conflict(fresh, i)
		if err == nil && taken {
			err = x.duplicate(fresh, i, int64(u.at[at]))
		}
		if err != nil {
			return err
		}
		return ed.add(fresh, i, rows[at])
	})
}
