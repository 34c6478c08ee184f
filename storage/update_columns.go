package storage

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

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

// staleShare bounds how many values that no longer exist count among the distinct ones
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
