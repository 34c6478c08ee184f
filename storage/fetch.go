package storage

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Fetch gathers the given rows in the given order (repeats allowed). The batch
// belongs to the caller and may be longer than BatchSize. A row that is deleted or
// was never there is an error.
func (t *Table) Fetch(ctx context.Context, rows []uint64, cols []int) (*value.Batch, error) {
	return new(Fetcher).Fetch(ctx, t, rows, cols)
}

// Fetcher is Table.Fetch in memory of its own: a batch is valid until the next one. The
// zero Fetcher is ready. It belongs to one goroutine.
type Fetcher struct {
	Unread int // of the columns asked for, the last so many are not read: their slots hold zeros

	batch value.Batch
	cols  []value.Column
	order []int32
	f     fetcher
	rows  []uint64
}

// Fetch gathers rows: see Table.Fetch.
func (m *Fetcher) Fetch(ctx context.Context, t *Table, rows []uint64, cols []int) (*value.Batch, error) {
	b := &m.batch
	m.rows = append(m.rows[:0], rows...)
	b.Len, b.Rows, b.Sel = len(rows), m.rows, nil
	if len(m.cols) != len(cols) {
		m.cols = make([]value.Column, len(cols))
		b.Cols = make([]*value.Column, len(cols))
		for i := range m.cols {
			b.Cols[i] = &m.cols[i]
		}
	}
	for i, c := range cols {
		if c < 0 || c >= len(t.def.Columns) {
			return nil, fmt.Errorf("column %d of %d", c, len(t.def.Columns))
		}
		slots(&m.cols[i], t.def.Columns[c].Type, len(rows))
	}
	order := slices.Grow(m.order[:0], len(rows))
	for i := range rows {
		order = append(order, int32(i))
	}
	m.order = order
	if !slices.IsSorted(rows) {
		slices.SortFunc(order, func(x, y int32) int {
			switch {
			case rows[x] < rows[y]:
				return -1
			case rows[x] > rows[y]:
				return 1
			}
			return 0
		})
	}
	f := &m.f
	f.t, f.cols, f.out = t, cols[:len(cols)-m.Unread], b
	defer f.close()
	if len(rows) > 0 {
		// One more than the last block, so that readers see no key past it.
		f.from, f.to = uint32(rows[order[0]]/BlockRows), uint32(rows[order[len(order)-1]]/BlockRows)+1
	}
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		blk := uint32(rows[order[0]] / BlockRows)
		n := 1
		for n < len(order) && uint32(rows[order[n]]/BlockRows) == blk {
			n++
		}
		if err := f.fetch(blk, order[:n]); err != nil {
			return nil, err
		}
		order = order[n:]
	}
	return b, nil
}

// slots makes c a column of n slots to be set in any order.
func slots(c *value.Column, t value.Type, n int) {
	c.Type, c.Nulls, c.Joined, c.Values, c.Codes = t, nil, "", nil, nil
	switch t.Kind {
	case value.Boolean:
		c.Bools = cleared(c.Bools, n)
	case value.Integer, value.Timestamp, value.Date:
		c.Ints = cleared(c.Ints, n)
	case value.Real:
		c.Reals = cleared(c.Reals, n)
	case value.Vector:
		c.Vecs = cleared(c.Vecs, n*t.Dim)
	default:
		c.Strs = cleared(c.Strs, n)
	}
}

// cleared returns n zeros in the memory of s, if that is enough.
func cleared[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// newColumn returns a column of n slots to be set in any order.
func newColumn(t value.Type, n int) *value.Column {
	c := &value.Column{Type: t}
	switch t.Kind {
	case value.Boolean:
		c.Bools = make([]bool, n)
	case value.Integer, value.Timestamp, value.Date:
		c.Ints = make([]int64, n)
	case value.Real:
		c.Reals = make([]float64, n)
	case value.Vector:
		c.Vecs = make([]float32, n*t.Dim)
	default:
		c.Strs = make([]string, n)
	}
	return c
}

// setSlot sets row i of n of a column made by newColumn.
func setSlot(c *value.Column, i, n int, v value.Value) {
	if v.IsNull() {
		if c.Nulls == nil {
			c.Nulls = value.NewBitmap(n)
		}
		c.Nulls.Set(i)
		return
	}
	switch c.Type.Kind {
	case value.Boolean:
		c.Bools[i] = v.Bool()
	case value.Integer, value.Timestamp, value.Date:
		c.Ints[i] = v.Int()
	case value.Real:
		c.Reals[i] = v.Float()
	case value.Vector:
		copy(c.Vec(i), v.Vec())
	default:
		c.Strs[i] = v.Str()
	}
}

type fetcher struct {
	t        *Table
	cols     []int
	out      *value.Batch
	readers  []*columnReader
	scratch  []value.Column
	from, to uint32

	// Rows of few blocks are found through one iterator over all columns: opening one
	// takes as long as finding a block.
	few iterator
	key []byte
}

// fewBlocks is the number of blocks up to which one iterator serves all columns.
const fewBlocks = 4

func (f *fetcher) close() {
	if f.few != nil {
		f.few.Close()
	}
	for _, r := range f.readers {
		if r != nil {
			r.Close()
		}
	}
	f.few, f.t, f.out = nil, nil, nil
	clear(f.readers)
}

// decodeWhole is the number of rows of a block from which on decoding all of it is
// quicker than picking values.
const decodeWhole = 16

// fetch sets the output slots at positions order, whose rows all are in block b and
// ascend.
func (f *fetcher) fetch(b uint32, order []int32) error {
	t, rows := f.t, f.out.Rows
	dead, err := t.dead(b)
	if err != nil {
		return err
	}
	for _, at := range order {
		if row := rows[at]; row >= t.counters.next || dead != nil && dead.Has(int(row%BlockRows)) {
			return fmt.Errorf("%s has no row number %d", t.def.Name, row)
		}
	}
	if b >= t.sealedBlocks() {
		return f.fetchTail(order)
	}
	if len(f.readers) != len(f.cols) {
		f.readers, f.scratch = make([]*columnReader, len(f.cols)), make([]value.Column, len(f.cols))
	}
	n := f.out.Len
	for i, c := range f.cols {
		def, out := &t.def.Columns[c], f.out.Cols[i]
		src, opened, err := f.raw(i, b)
		if err != nil {
			return err
		}
		switch {
		case src == nil:
			for _, at := range order {
				setSlot(out, int(at), n, def.fill)
			}
		case def.Type.Kind == value.Vector:
			if err := f.vectors(f.reader(i), b, src, out, order); err != nil {
				return err
			}
		case len(order) >= decodeWhole:
			tmp := &f.scratch[i]
			rowsIn, err := block.Decode(src, def.Type, tmp)
			if err == nil && rowsIn != BlockRows {
				err = fmt.Errorf("%w: %d rows", block.ErrMalformed, rowsIn)
			}
			if err != nil {
				return t.corruptNumber(key.Columns, c, b, err)
			}
			for _, at := range order {
				setSlot(out, int(at), n, tmp.Value(int(rows[at]%BlockRows)))
			}
		default:
			for _, at := range order {
				var v value.Value
				if row := int(rows[at] % BlockRows); opened != nil {
					v, err = opened.At(row)
				} else {
					v, err = block.At(src, def.Type, row)
				}
				if err != nil {
					return t.corruptNumber(key.Columns, c, b, err)
				}
				setSlot(out, int(at), n, v)
			}
		}
	}
	return nil
}

// reader returns the reader of the i-th column.
func (f *fetcher) reader(i int) *columnReader {
	if f.readers[i] == nil {
		f.readers[i] = &columnReader{t: f.t, pos: f.cols[i], from: f.from, to: min(f.to, f.t.sealedBlocks())}
	}
	return f.readers[i]
}

// raw returns the encoded block of the i-th column, as columnReader.raw does, valid until the
// next call. Those of few rows are kept, opened, for the next ones who want some.
func (f *fetcher) raw(i int, b uint32) ([]byte, *block.Opened, error) {
	t, c := f.t, &f.t.def.Columns[f.cols[i]]
	alone := func() ([]byte, *block.Opened, error) {
		src, err := f.reader(i).raw(b)
		return src, nil, err
	}
	if f.to-f.from > fewBlocks {
		return alone()
	}
	p, k := t.view.picture, hotKey{t.def.ID, c.ID, b}
	if p != nil {
		if h := p.hot.get(k, p.commit); h != nil {
			t.view.Reads.ScalarBytes.Add(int64(len(h.data)))
			return h.data, h.opened, nil
		}
	}
	if f.few == nil {
		if len(f.cols) == 1 && p == nil {
			return alone()
		}
		var err error
		if f.few, err = t.view.prefixIter(key.Family(nil, t.def.ID, key.Columns)); err != nil {
			return nil, nil, corrupt(t.def.Name, "", "blocks", err)
		}
	}
	f.key = key.Numbered(f.key[:0], t.def.ID, key.Columns, c.ID, b)
	if !f.few.SeekGE(f.key) || !bytes.Equal(f.few.Key(), f.key) {
		if f.few.Error() != nil { // damage may be in what an older level has there
			f.few.Close()
			f.few = nil
			return alone()
		}
		return nil, nil, firstError(t.corruptNumber(key.Columns, f.cols[i], b, f.few.Error()), f.reader(i).missing(b))
	}
	var opened *block.Opened
	src, err := f.few.ValueAndErr()
	if err == nil && p != nil {
		var h *hotBlock
		if h, err = p.hot.put(k, p.commit, src, c.Type.Kind); h != nil {
			opened = h.opened
		}
	}
	t.view.Reads.ScalarBytes.Add(int64(len(src)))
	return src, opened, t.corruptNumber(key.Columns, f.cols[i], b, err)
}

func (f *fetcher) vectors(r *columnReader, b uint32, nulls []byte, out *value.Column, order []int32) error {
	def := &f.t.def.Columns[r.pos]
	for _, at := range order {
		row := f.out.Rows[at]
		v, err := block.At(nulls, def.Type, int(row%BlockRows))
		if err != nil {
			return f.t.corruptNumber(key.Columns, r.pos, b, err)
		}
		if v.IsNull() {
			setSlot(out, int(at), f.out.Len, v)
			continue
		}
		if r.pages == nil {
			if r.pages, err = f.t.pages(r.pos, r.from, r.to); err != nil {
				return err
			}
		}
		src, err := r.pages.Row(row)
		if err == nil && src == nil {
			err = f.t.corruptNumber(key.Pages, r.pos, uint32(row/uint64(r.pages.rowsPerPage)), fmt.Errorf("%w: it is missing", block.ErrMalformed))
		}
		if err != nil {
			return err
		}
		r.pages.floats(out.Vec(int(at)), src)
	}
	return nil
}

func (f *fetcher) fetchTail(order []int32) error {
	one := make([]*value.Column, len(f.cols))
	for i := range one {
		one[i] = new(value.Column)
	}
	for _, at := range order {
		row := f.out.Rows[at]
		for i, c := range f.cols {
			one[i].Reset(f.t.def.Columns[c].Type)
		}
		ok, err := f.t.view.get(key.Row(nil, f.t.def.ID, row), func(src []byte) error {
			f.t.view.Reads.RowBytes.Add(int64(len(src)))
			return f.t.decodeRow(src, f.cols, one, 0)
		})
		if err == nil && !ok {
			err = fmt.Errorf("%w: it is missing", block.ErrMalformed)
		}
		if err != nil {
			return f.t.corruptRow(row, err)
		}
		for i := range f.cols {
			setSlot(f.out.Cols[i], int(at), f.out.Len, one[i].Value(0))
		}
	}
	return nil
}
