package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// ScanOptions choose what a Scanner reads.
type ScanOptions struct {
	Columns   []int   // positions in Def().Columns; the batch's Cols are in this order
	Nulls     []int   // more columns, of which only it is read what is NULL: BOOLEANs after Columns, true for NULL
	Filter    *RowSet // only these rows; nil = all
	FromBlock uint32
	ToBlock   uint32 // exclusive; 0 = to the end
	// Transient promises that nobody keeps a batch's texts beyond the next call,
	// nor looks at its row numbers, which are left out.
	Transient bool
}

// Scanner reads a table one block at a time.
type Scanner struct {
	t       *Table
	opts    ScanOptions
	block   uint32
	to      uint32
	dead    []*BlockSet // of blocks from opts.FromBlock on; nil = no deleted rows
	columns []*columnReader
	nulls   []*columnReader
	batch   value.Batch
	sel     []int32
	rows    []uint64
	err     error
	started bool
	closed  bool
}

// Scan returns a Scanner over the table's live rows in row order. The caller
// closes it before the view.
func (t *Table) Scan(opts ScanOptions) *Scanner {
	s := &Scanner{t: t, opts: opts, block: opts.FromBlock, to: t.Blocks()}
	if opts.ToBlock > 0 {
		s.to = min(s.to, opts.ToBlock)
	}
	if opts.Filter != nil {
		s.to = min(s.to, opts.Filter.Blocks())
	}
	return s
}

func (s *Scanner) start() error {
	s.started = true
	var err error
	if s.dead, err = s.t.deadBlocks(s.opts.FromBlock, s.to); err != nil {
		return err
	}
	for _, c := range s.opts.Columns {
		if c < 0 || c >= len(s.t.def.Columns) {
			return fmt.Errorf("column %d of %d", c, len(s.t.def.Columns))
		}
		s.columns = append(s.columns, &columnReader{t: s.t, pos: c, from: s.opts.FromBlock, to: s.to, transient: s.opts.Transient})
		s.batch.Cols = append(s.batch.Cols, new(value.Column))
	}
	for _, c := range s.opts.Nulls {
		if c < 0 || c >= len(s.t.def.Columns) {
			return fmt.Errorf("column %d of %d", c, len(s.t.def.Columns))
		}
		s.nulls = append(s.nulls, &columnReader{t: s.t, pos: c, from: s.opts.FromBlock, to: s.to})
		s.batch.Cols = append(s.batch.Cols, &value.Column{Type: value.Type{Kind: value.Boolean}})
	}
	return nil
}

// Next returns the live rows of the next block that has any, or nil at the end.
// Deleted and filtered rows are excluded through Sel. The batch and its columns
// are reused by the next call; strings in it stay valid, unless Transient was asked.
func (s *Scanner) Next(ctx context.Context) (*value.Batch, error) {
	if s.err != nil || s.closed {
		return nil, s.err
	}
	if !s.started {
		s.err = s.start()
	}
	for s.err == nil && s.block < s.to {
		if s.err = ctx.Err(); s.err != nil {
			break
		}
		b := s.block
		s.block++
		n := s.t.rowsIn(b)
		live := firstRows(n)
		if s.dead != nil {
			if d := s.dead[b-s.opts.FromBlock]; d != nil {
				for i := range live {
					live[i] &^= d[i]
				}
			}
		}
		if s.opts.Filter != nil {
			f := s.opts.Filter.Block(b)
			if f == nil {
				continue
			}
			for i := range live {
				live[i] &= f[i]
			}
		}
		count := live.Count()
		if count == 0 {
			continue
		}
		if s.err = s.read(b, n, &live); s.err != nil {
			break
		}
		s.setRows(b, n, count, &live)
		return &s.batch, nil
	}
	return nil, s.err
}

func (s *Scanner) read(b uint32, n int, live *BlockSet) error {
	cols, nulls := s.batch.Cols[:len(s.columns)], s.batch.Cols[len(s.columns):]
	if b >= s.t.sealedBlocks() {
		if len(nulls) > 0 {
			if err := s.t.readTailNulls(s.opts.Nulls, nulls, live); err != nil {
				return err
			}
			if len(cols) == 0 {
				return nil
			}
		}
		return s.t.readTail(s.opts.Columns, cols, live)
	}
	for i, r := range s.columns {
		if err := r.read(b, cols[i], live); err != nil {
			return err
		}
	}
	for i, r := range s.nulls {
		if err := r.readNulls(b, nulls[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scanner) setRows(b uint32, n, count int, live *BlockSet) {
	s.batch.Len = n
	s.batch.Sel = nil
	if count < n {
		s.sel = s.sel[:0]
		for i := range n {
			if live.Has(i) {
				s.sel = append(s.sel, int32(i))
			}
		}
		s.batch.Sel = s.sel
	}
	if s.opts.Transient {
		return
	}
	if cap(s.rows) < n {
		s.rows = make([]uint64, n) // of a small table a few
	}
	first := uint64(b) * BlockRows
	s.rows = s.rows[:n]
	for i := range s.rows {
		s.rows[i] = first + uint64(i)
	}
	s.batch.Rows = s.rows
}

// Close releases the scanner.
func (s *Scanner) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	for _, c := range slices.Concat(s.columns, s.nulls) {
		if e := c.Close(); err == nil {
			err = e
		}
	}
	return err
}

// columnReader decodes one column of sealed blocks, opening what it needs when it
// needs it.
type columnReader struct {
	t        *Table
	pos      int
	from, to uint32
	blocks   *numbered
	pages    *pageReader

	transient bool
	texts     block.Texts // where transient texts live
}

func (r *columnReader) Close() error {
	err := r.blocks.Close()
	if r.pages != nil {
		if e := r.pages.Close(); err == nil {
			err = e
		}
	}
	return err
}

// raw returns the encoded block, nil when the rows are from before the column was added.
func (r *columnReader) raw(b uint32) ([]byte, error) {
	if r.blocks == nil {
		var err error
		if r.blocks, err = r.t.numbers(key.Columns, r.pos, r.from, r.to); err != nil {
			return nil, err
		}
	}
	src, err := r.blocks.Get(b)
	if err == nil && src == nil {
		err = r.missing(b)
	}
	return src, err
}

// missing is the error for a block that has no key, nil when that is all right.
func (r *columnReader) missing(b uint32) error {
	if r.t.def.Columns[r.pos].filled(b) {
		return nil
	}
	return r.t.corruptNumber(key.Columns, r.pos, b, fmt.Errorf("%w: it is missing", block.ErrMalformed))
}

// read decodes block b. Of a vector column only the pages that hold a live row
// are read; the other vectors are undefined.
func (r *columnReader) read(b uint32, col *value.Column, live *BlockSet) error {
	def := &r.t.def.Columns[r.pos]
	src, err := r.raw(b)
	if err != nil {
		return err
	}
	if src == nil {
		def.fillColumn(col, BlockRows)
		return nil
	}
	var n int
	if r.transient {
		n, err = r.texts.Decode(src, def.Type, col)
	} else {
		n, err = block.Decode(src, def.Type, col)
	}
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
	if cap(col.Vecs) < BlockRows*dim {
		col.Vecs = make([]float32, BlockRows*dim)
	}
	col.Vecs = col.Vecs[:BlockRows*dim]
	for p := 0; p < BlockRows/rpp; p++ {
		if !anyIn(live, p*rpp, rpp) {
			continue
		}
		n := b*uint32(BlockRows/rpp) + uint32(p)
		page, err := r.pages.Page(n)
		if err != nil {
			return err
		}
		dst := col.Vecs[p*rpp*dim : (p+1)*rpp*dim]
		if page == nil {
			clear(dst)
			for i := p * rpp; i < (p+1)*rpp; i++ {
				if live.Has(i) && !col.Null(i) {
					return r.t.corruptNumber(key.Pages, r.pos, n, fmt.Errorf("%w: it is missing", block.ErrMalformed))
				}
			}
			continue
		}
		r.pages.floats(dst, page)
	}
	return nil
}

// readNulls reads which rows of block b are NULL: neither its values nor pages.
func (r *columnReader) readNulls(b uint32, col *value.Column) error {
	if cap(col.Bools) < BlockRows {
		col.Bools = make([]bool, BlockRows)
	}
	col.Bools = col.Bools[:BlockRows]
	src, err := r.raw(b)
	if err != nil {
		return err
	}
	def := &r.t.def.Columns[r.pos]
	if src == nil {
		null := def.fill.IsNull()
		for i := range col.Bools {
			col.Bools[i] = null
		}
		return nil
	}
	n, err := block.Nulls(src, def.Type.Kind, col.Bools)
	if err == nil && n != BlockRows {
		err = fmt.Errorf("%w: %d rows", block.ErrMalformed, n)
	}
	if err != nil {
		return r.t.corruptNumber(key.Columns, r.pos, b, err)
	}
	return nil
}

// readTailNulls is readNulls of the rows after the last sealed block; rows that are not
// live count as NULL.
func (t *Table) readTailNulls(columns []int, cols []*value.Column, live *BlockSet) error {
	n := t.rowsIn(t.sealedBlocks())
	for _, c := range cols {
		c.Bools = slices.Grow(c.Bools[:0], n)[:n]
		for i := range c.Bools {
			c.Bools[i] = true
		}
	}
	return t.tailRows(live, func(i int, src []byte) error {
		for k, c := range columns {
			cols[k].Bools[i] = t.def.Columns[c].fill.IsNull()
		}
		for len(src) > 0 {
			id, field, rest, err := block.NextField(src)
			if err != nil {
				return err
			}
			src = rest
			for k, c := range columns {
				if t.def.Columns[c].ID == id {
					cols[k].Bools[i] = value.Kind(field[0]) == value.Null
				}
			}
		}
		return nil
	})
}

// anyIn reports whether the set holds a row of [from, from+n).
func anyIn(s *BlockSet, from, n int) bool {
	if n >= 64 {
		for w := from / 64; w < (from+n)/64; w++ {
			if s[w] != 0 {
				return true
			}
		}
		return false
	}
	return s[from/64]>>(from%64)&(1<<n-1) != 0
}

// readTail decodes the rows after the last sealed block into columns; the slots
// of rows that are not live are NULL.
func (t *Table) readTail(columns []int, cols []*value.Column, live *BlockSet) error {
	n := t.rowsIn(t.sealedBlocks())
	whole := *live == firstRows(n)
	if whole && t.keptTail(columns, cols) {
		return nil
	}
	for i, c := range columns {
		cols[i].Reset(t.def.Columns[c].Type)
	}
	next, size := 0, int64(0) // rows done, and their bytes
	blank := func(until int) {
		for ; next < until; next++ {
			for i := range columns {
				cols[i].Append(next, value.Value{})
			}
		}
	}
	err := t.tailRows(live, func(i int, src []byte) error {
		blank(i)
		next++
		size += int64(len(src))
		return t.decodeRow(src, columns, cols, i)
	})
	if err != nil {
		return err
	}
	blank(n)
	if whole {
		t.keepTail(columns, cols, n, size)
	}
	return nil
}

// tailRows calls f with the position in the tail and the stored form, valid during
// the call, of each live row after the last sealed block. An error of f is put
// down to the row.
func (t *Table) tailRows(live *BlockSet, f func(i int, src []byte) error) error {
	b := t.sealedBlocks()
	first := uint64(b) * BlockRows
	n := t.rowsIn(b)
	it, err := t.view.iter(key.Row(nil, t.def.ID, first), key.Row(nil, t.def.ID, first+uint64(n)))
	if err != nil {
		return corrupt(t.def.Name, "", "tail", err)
	}
	defer it.Close()
	next := 0 // rows done
	for ok := it.First(); ok; ok = it.Next() {
		row := key.RowNumber(it.Key())
		i := int(row - first)
		if !live.Has(i) {
			continue
		}
		if err := t.expectLive(live, first, next, i); err != nil {
			return err
		}
		src, err := it.ValueAndErr()
		if err != nil {
			return t.corruptRow(row, err)
		}
		t.view.Reads.RowBytes.Add(int64(len(src)))
		if err := f(i, src); err != nil {
			return t.corruptRow(row, err)
		}
		next = i + 1
	}
	if err := it.Error(); err != nil {
		return corrupt(t.def.Name, "", fmt.Sprintf("tail (rows %d to %d)", first+uint64(next), first+uint64(n)-1), err)
	}
	return t.expectLive(live, first, next, n)
}

// expectLive reports a live row in [from, to) of the tail that has no key.
func (t *Table) expectLive(live *BlockSet, first uint64, from, to int) error {
	for i := from; i < to; i++ {
		if live.Has(i) {
			return t.corruptRow(first+uint64(i), fmt.Errorf("%w: it is missing", block.ErrMalformed))
		}
	}
	return nil
}

func (t *Table) corruptRow(row uint64, err error) error {
	return corrupt(t.def.Name, "", fmt.Sprintf("row %d", row), err)
}

// decodeRow appends the fields of a tail row as row n of cols.
func (t *Table) decodeRow(src []byte, columns []int, cols []*value.Column, n int) error {
	var few [8]value.Value
	vals := few[:0]
	for _, c := range columns {
		vals = append(vals, t.def.Columns[c].fill)
	}
	for len(src) > 0 {
		id, field, rest, err := block.NextField(src)
		if err != nil {
			return err
		}
		src = rest
		for i, c := range columns {
			if t.def.Columns[c].ID == id {
				v, _, err := block.ReadValue(field)
				if err != nil {
					return err
				}
				if typ := t.def.Columns[c].Type; !v.IsNull() && v.Type() != typ.Widened() {
					return fmt.Errorf("%w: %s is %v", block.ErrMalformed, t.def.Columns[c].Name, v.Type())
				}
				vals[i] = v
			}
		}
	}
	for i, v := range vals {
		cols[i].Append(n, v)
	}
	return nil
}
