package storage

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
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
	return out, tx.move(ctx, table, rows, cols, b.Cols, pos, moved, out)
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

// rewriter writes columns of blocks anew, with some of their rows changed.
type rewriter struct {
	t    *Table // as it was before
	view *View
	cols []int
	to   editor

	columns  []rewrittenColumn
	blocks   uint32   // sealed ones that were rewritten
	last     []uint32 // their numbers
	key, buf []byte
	planes   [2][]byte
}

type rewrittenColumn struct {
	def     *ColumnDef
	reader  *columnReader
	col     value.Column
	started bool
	encoder *blockEncoder // nil: the vectors have no codes
	coder   *coder        // nil: codes are made one block at a time

	fresh uint64 // values that were set in sealed blocks
	added stats  // of the new values
	whole stats  // of all rows of the blocks
	nulls int64  // how many more there are now
}

func newRewriter(v *View, t *Table, cols []int, to editor) *rewriter {
	w := &rewriter{t: t, view: v, cols: cols, to: to, columns: make([]rewrittenColumn, len(cols))}
	for i, c := range cols {
		w.columns[i].def = &t.def.Columns[c]
		w.columns[i].reader = &columnReader{t: t, pos: c, to: t.sealedBlocks()}
	}
	return w
}

func (w *rewriter) close() {
	for i := range w.columns {
		c := &w.columns[i]
		c.reader.Close()
		if c.coder != nil {
			_ = c.coder.finish()
			c.coder = nil
		}
	}
}

// change gives rows of block b, at ascending slots, the values at positions pos of vals.
func (w *rewriter) change(ctx context.Context, b uint32, slots []int32, vals []*value.Column, pos []int32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b >= w.t.sealedBlocks() {
		return w.changeTail(slots, vals, pos)
	}
	w.view.store.keeper.touch(nil, w.t.def.ID, b, w.cols)
	var touched BlockSet
	for _, s := range slots {
		touched[s>>6] |= 1 << (s & 63)
	}
	for i := range w.columns {
		c := &w.columns[i]
		isVector := c.def.Type.Kind == value.Vector
		if isVector && !c.started {
			if err := w.startCodes(c, i); err != nil {
				return err
			}
		}
		if err := c.reader.readStored(b, &c.col, &touched, c.encoder != nil || c.coder != nil); err != nil {
			return err
		}
		before := countNulls(&c.col, slots)
		assign(&c.col, slots, vals[i], pos)
		c.nulls += int64(countNulls(&c.col, slots) - before)
		c.added.add(&c.col, slots)
		c.fresh += uint64(len(slots))
		c.whole.add(&c.col, allRows)
		w.key = key.Numbered(w.key[:0], w.t.def.ID, key.Columns, c.def.ID, b)
		w.buf = block.Encode(w.buf[:0], &c.col, BlockRows)
		if err := w.to.set(w.key, w.buf); err != nil {
			return err
		}
		if !isVector {
			continue
		}
		if err := w.changePages(c, b, &touched); err != nil {
			return err
		}
		if err := w.changeCodes(c, b); err != nil {
			return err
		}
	}
	w.blocks++
	w.last = append(w.last, b)
	return nil
}

// readStored decodes block b with its deleted rows. Of a vector column it reads the pages
// that hold a touched row, or every one; the other vectors are undefined.
func (r *columnReader) readStored(b uint32, col *value.Column, touched *BlockSet, every bool) error {
	def := &r.t.def.Columns[r.pos]
	src, err := r.raw(b)
	if err != nil {
		return err
	}
	if src == nil {
		def.fillColumn(col, BlockRows)
		return nil
	}
	n, err := block.Decode(src, def.Type, col)
	if err == nil && n != BlockRows {
		err = fmt.Errorf("%w: %d rows", block.ErrMalformed, n)
	}
	if err != nil {
		return r.t.corruptNumber(key.Columns, r.pos, b, err)
	}
	if def.Type.Kind != value.Vector {
		return nil
	}
	if r.pages == nil {
		if r.pages, err = r.t.pages(r.pos, r.from, r.to); err != nil {
			return err
		}
	}
	dim, rpp := def.Type.Dim, r.pages.rowsPerPage
	col.Vecs = slices.Grow(col.Vecs[:0], BlockRows*dim)[:BlockRows*dim]
	if every {
		return r.t.blockVectors(r.pages, dim, b, col.Vecs)
	}
	for p := range BlockRows / rpp {
		if !anyIn(touched, p*rpp, rpp) {
			continue
		}
		page, err := r.pages.Page(b*def.pagesPerBlock() + uint32(p))
		if err != nil {
			return err
		}
		if dst := col.Vecs[p*rpp*dim : (p+1)*rpp*dim]; page == nil {
			clear(dst)
		} else {
			r.pages.floats(dst, page)
		}
	}
	return nil
}

// startCodes finds out how the vectors of a column are coded.
func (w *rewriter) startCodes(c *rewrittenColumn, i int) error {
	c.started = true
	tr, err := w.t.transform(w.cols[i])
	if err != nil || tr == nil {
		return err
	}
	if b, ok := w.to.(*build); ok { // on all CPUs
		c.coder = newCoder(tr, w.t.def.ID, c.def.ID, b.set, make(chan []float32, 64))
	} else {
		c.encoder = tr.newEncoder()
	}
	return nil
}

func (w *rewriter) changePages(c *rewrittenColumn, b uint32, touched *BlockSet) error {
	dim, rpp := c.def.Type.Dim, c.def.pageRows
	for p := range BlockRows / rpp {
		if !anyIn(touched, p*rpp, rpp) {
			continue
		}
		w.key = key.Numbered(w.key[:0], w.t.def.ID, key.Pages, c.def.ID, b*c.def.pagesPerBlock()+uint32(p))
		var err error
		if emptyPage(&c.col, p, rpp) {
			err = w.to.deleteKey(w.key)
		} else {
			w.buf = block.AppendNumbers(w.buf[:0], c.col.Vecs[p*rpp*dim:(p+1)*rpp*dim], c.def.Type)
			err = w.to.set(w.key, w.buf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *rewriter) changeCodes(c *rewrittenColumn, b uint32) error {
	switch {
	case c.coder != nil:
		var vecs []float32
		select {
		case vecs = <-c.coder.free:
		default:
			vecs = make([]float32, len(c.col.Vecs))
		}
		copy(vecs, c.col.Vecs)
		c.coder.add(vectorBlock{b, vecs})
	case c.encoder != nil:
		return encodeCodes(c.encoder, w.to, w.t.def.ID, c.def.ID, b, c.col.Vecs, &w.planes)
	}
	return nil
}

// changeTail changes rows after the last sealed block.
func (w *rewriter) changeTail(slots []int32, vals []*value.Column, pos []int32) error {
	first := uint64(w.t.sealedBlocks()) * BlockRows
	for n, s := range slots {
		row := first + uint64(s)
		w.key = key.Row(w.key[:0], w.t.def.ID, row)
		w.buf = w.buf[:0]
		ok, err := w.t.view.get(w.key, func(src []byte) error {
			for len(src) > 0 {
				id, field, rest, err := block.NextField(src)
				if err != nil {
					return err
				}
				src = rest
				if !slices.ContainsFunc(w.columns, func(c rewrittenColumn) bool { return c.def.ID == id }) {
					w.buf = append(binary.AppendUvarint(w.buf, uint64(id)), field...)
				}
			}
			return nil
		})
		if err == nil && !ok {
			err = fmt.Errorf("%w: it is missing", block.ErrMalformed)
		}
		if err != nil {
			return w.t.corruptRow(row, err)
		}
		for i := range w.columns {
			var v value.Value
			if vals[i] != nil {
				v = vals[i].Value(int(pos[n]))
			}
			if def := w.columns[i].def; !v.IsNull() || !def.fill.IsNull() {
				w.buf = block.AppendField(w.buf, def.ID, v, def.Type)
			}
		}
		if err := w.to.set(w.key, w.buf); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the statistics, and waits for the codes.
func (w *rewriter) finish(ctx context.Context) error {
	slices.Sort(w.last)
	slices.SortFunc(w.columns, func(a, b rewrittenColumn) int { return cmp.Compare(a.def.ID, b.def.ID) }) // keys ascend
	for i := range w.columns {
		c := &w.columns[i]
		if c.coder != nil {
			err := c.coder.finish()
			c.coder = nil
			if err != nil {
				return err
			}
		}
		if w.blocks == 0 {
			continue
		}
		st, err := w.view.readStats(w.t.def, c.def)
		if err != nil {
			return err
		}
		if w.blocks == w.t.sealedBlocks() {
			*st = c.whole
		} else {
			rows, nulls := st.rows, int64(st.nulls)+c.nulls
			st.merge(&c.added)
			st.rows, st.nulls = rows, uint64(max(nulls, 0))
			if st.stale += c.fresh; c.def.Type.Kind == value.Vector {
				st.stale = 0 // nothing is said of vectors that could be
			} else if st.stale > rows/staleShare {
				if err := w.countOthers(ctx, i); err != nil {
					return err
				}
				*st = c.whole
			}
		}
		if err := w.to.set(key.Of(nil, w.t.def.ID, key.Stats, c.def.ID), st.encode()); err != nil {
			return err
		}
	}
	return nil
}

// staleShare bounds how many values that are no longer there count among the distinct ones
// of a column: one in so many rows. Beyond it all of the column is counted anew, so that an
// update reads that many rows for each that it changes.
const staleShare = 8

// countOthers counts the values of the blocks that were not rewritten.
func (w *rewriter) countOthers(ctx context.Context, i int) error {
	c := &w.columns[i]
	r := &columnReader{t: w.t, pos: w.t.def.ColumnID(c.def.ID), to: w.t.sealedBlocks()}
	defer r.Close()
	var none BlockSet
	for b := range w.t.sealedBlocks() {
		if _, rewritten := slices.BinarySearch(w.last, b); rewritten {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		dead, err := w.t.dead(b)
		if err != nil {
			return err
		}
		if dead != nil && dead.Count() == BlockRows { // it may have been dropped
			c.whole.rows += BlockRows
			continue
		}
		if err := r.readStored(b, &c.col, &none, false); err != nil {
			return err
		}
		c.whole.add(&c.col, allRows)
	}
	return nil
}

// allRows are the rows of a block.
var allRows = selected(&value.Batch{Len: BlockRows})

func countNulls(c *value.Column, slots []int32) (n int) {
	for _, s := range slots {
		if c.Null(int(s)) {
			n++
		}
	}
	return n
}

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
		c.Joined = ""
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
