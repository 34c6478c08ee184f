package exec

import (
	"slices"

	"github.com/lupadb/lupa/storage/value"
)

// newColumn returns an empty column of a type.
func newColumn(t value.Type) *value.Column { return &value.Column{Type: t} }

// appendColumn adds rows of src to dst, which has n rows: those of sel, or the
// first count. The types' kinds are equal, or src is NULL throughout.
func appendColumn(dst *value.Column, n int, src *value.Column, sel []int32, count int) {
	if sel != nil {
		count = len(sel)
	}
	if src == nil || src.Type.Kind == value.Null {
		appendNulls(dst, n, count)
		return
	}
	switch dst.Type.Kind {
	case value.Boolean:
		dst.Bools = appendPicked(dst.Bools, src.Bools, sel, count)
	case value.Integer, value.Timestamp, value.Date:
		dst.Ints = appendPicked(dst.Ints, src.Ints, sel, count)
	case value.Real:
		dst.Reals = appendPicked(dst.Reals, src.Reals, sel, count)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		dst.Strs = appendPicked(dst.Strs, src.Strs, sel, count)
	case value.Vector:
		if dst.Type.Dim == 0 {
			dst.Type.Dim = src.Type.Dim
		}
		d := dst.Type.Dim
		if sel == nil {
			dst.Vecs = append(dst.Vecs, src.Vecs[:count*d]...)
		} else {
			dst.Vecs = slices.Grow(dst.Vecs, count*d)
			for _, i := range sel {
				dst.Vecs = append(dst.Vecs, src.Vecs[int(i)*d:(int(i)+1)*d]...)
			}
		}
	}
	if src.Nulls == nil {
		if dst.Nulls != nil {
			growNulls(dst, n+count)
		}
		return
	}
	if sel == nil {
		for i := 0; i < count; i++ {
			if src.Nulls.Get(i) {
				growNulls(dst, n+count)
				dst.Nulls.Set(n + i)
			}
		}
	} else {
		for k, i := range sel {
			if src.Nulls.Get(int(i)) {
				growNulls(dst, n+count)
				dst.Nulls.Set(n + k)
			}
		}
	}
	if dst.Nulls != nil {
		growNulls(dst, n+count)
	}
}

// appendNulls adds count NULL rows.
func appendNulls(dst *value.Column, n, count int) {
	growNulls(dst, n+count)
	for i := 0; i < count; i++ {
		dst.Nulls.Set(n + i)
	}
	switch dst.Type.Kind {
	case value.Boolean:
		dst.Bools = append(dst.Bools, make([]bool, count)...)
	case value.Integer, value.Timestamp, value.Date:
		dst.Ints = append(dst.Ints, make([]int64, count)...)
	case value.Real:
		dst.Reals = append(dst.Reals, make([]float64, count)...)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		dst.Strs = append(dst.Strs, make([]string, count)...)
	case value.Vector:
		dst.Vecs = append(dst.Vecs, make([]float32, count*dst.Type.Dim)...)
	}
}

// growNulls makes room in the bitmap for n rows.
func growNulls(c *value.Column, n int) {
	for len(c.Nulls)*64 < n {
		c.Nulls = append(c.Nulls, 0)
	}
}

func appendPicked[T any](dst, src []T, sel []int32, count int) []T {
	if sel == nil {
		return append(dst, src[:count]...)
	}
	dst = slices.Grow(dst, count)
	for _, i := range sel {
		dst = append(dst, src[i])
	}
	return dst
}

// gather returns the rows sel of c in buf, or c itself when sel is nil.
func gather(c *value.Column, sel []int32, buf *value.Column) *value.Column {
	if c == nil || sel == nil || c.Type.Kind == value.Null {
		return c
	}
	buf.Reset(c.Type)
	appendColumn(buf, 0, c, sel, 0)
	return buf
}

// constant returns a column that has v in n rows.
func constant(v value.Value, t value.Type, n int) *value.Column {
	c := newColumn(t)
	if v.IsNull() {
		if t.Kind == value.Null {
			return c
		}
		appendNulls(c, 0, n)
		return c
	}
	if t.Kind == value.Vector {
		c.Type.Dim = len(v.Vec())
	}
	for i := 0; i < n; i++ {
		c.Append(i, v)
	}
	return c
}

// Copy returns the selected rows of a batch in memory of their own.
func Copy(b *value.Batch) *value.Batch {
	t := &rowsTable{}
	t.add(b)
	return t.batch()
}

// Dense returns b without a selection, in memory of its own where it had one.
func Dense(b *value.Batch) *value.Batch {
	if b.Sel == nil {
		return b
	}
	return Copy(b)
}

// compactor makes batches dense, reusing its memory.
type compactor struct {
	bufs []value.Column
	cols []*value.Column
	rows []uint64
	out  value.Batch
}

// compact returns b without a selection. Of its columns only those at the
// positions in need are kept (all if need is nil), the others are nil.
func (c *compactor) compact(b *value.Batch, need []int) *value.Batch {
	if b.Sel == nil {
		return b
	}
	if len(c.bufs) < len(b.Cols) {
		c.bufs = make([]value.Column, len(b.Cols))
		c.cols = make([]*value.Column, len(b.Cols))
	}
	clear(c.cols)
	if need == nil {
		for i, col := range b.Cols {
			c.cols[i] = gather(col, b.Sel, &c.bufs[i])
		}
	} else {
		for _, i := range need {
			c.cols[i] = gather(b.Cols[i], b.Sel, &c.bufs[i])
		}
	}
	c.out = value.Batch{Len: len(b.Sel), Cols: c.cols[:len(b.Cols)]}
	if b.Rows != nil {
		c.rows = c.rows[:0]
		for _, i := range b.Sel {
			c.rows = append(c.rows, b.Rows[i])
		}
		c.out.Rows = c.rows
	}
	return &c.out
}

// rowsTable holds rows of any number in columns.
type rowsTable struct {
	cols []*value.Column
	rows []uint64 // row numbers, where the batches had them
	n    int
}

// add appends the selected rows of a batch.
func (t *rowsTable) add(b *value.Batch) {
	if t.cols == nil {
		t.cols = make([]*value.Column, len(b.Cols))
	}
	for i, c := range b.Cols {
		if c == nil {
			continue
		}
		if t.cols[i] == nil {
			t.cols[i] = newColumn(c.Type)
			if t.n > 0 {
				appendNulls(t.cols[i], 0, t.n)
			}
		} else if t.cols[i].Type.Kind == value.Null && c.Type.Kind != value.Null {
			t.cols[i] = newColumn(c.Type)
			appendNulls(t.cols[i], 0, t.n)
		}
		appendColumn(t.cols[i], t.n, c, b.Sel, b.Len)
	}
	if b.Rows != nil {
		t.rows = appendPicked(t.rows, b.Rows, b.Sel, b.Len)
	}
	t.n += b.Count()
}

// batch returns the rows, whose memory is the table's.
func (t *rowsTable) batch() *value.Batch { return &value.Batch{Len: t.n, Cols: t.cols, Rows: t.rows} }

// reset makes the table empty; its memory is used again.
func (t *rowsTable) reset() {
	for _, c := range t.cols {
		if c != nil {
			clear(c.Strs) // they keep what they are parts of
			c.Reset(c.Type)
		}
	}
	t.rows, t.n = t.rows[:0], 0
}

// pick returns a table of the given rows.
func (t *rowsTable) pick(order []int32) *rowsTable {
	out := &rowsTable{n: len(order), cols: make([]*value.Column, len(t.cols))}
	for i, c := range t.cols {
		if c == nil {
			continue
		}
		out.cols[i] = newColumn(c.Type)
		if c.Type.Kind == value.Null {
			continue
		}
		appendColumn(out.cols[i], 0, c, order, 0)
	}
	if t.rows != nil {
		out.rows = appendPicked(nil, t.rows, order, 0)
	}
	return out
}

// emitter hands out the rows of a table in an order, batch by batch.
type emitter struct {
	t     *rowsTable
	order []int32 // nil = as they are
	at    int
	c     compactor
}

func (e *emitter) next() *value.Batch {
	total := e.t.n
	if e.order != nil {
		total = len(e.order)
	}
	if e.at >= total {
		return nil
	}
	n := min(value.BatchSize, total-e.at)
	sel := make([]int32, n)
	for i := range sel {
		if e.order != nil {
			sel[i] = e.order[e.at+i]
		} else {
			sel[i] = int32(e.at + i)
		}
	}
	e.at += n
	return e.c.compact(&value.Batch{Len: e.t.n, Cols: e.t.cols, Rows: e.t.rows, Sel: sel}, nil)
}
