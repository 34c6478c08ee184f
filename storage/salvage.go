package storage

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Salvage reads every row of a table that can be read, whatever the damage, and
// hands them to emit in batches (all columns; what can't be read is NULL). It
// reports what it could not read. The batch is reused after emit returns.
func (s *Store) Salvage(ctx context.Context, table string, emit func(*value.Batch) error, report func(Problem)) error {
	v, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer v.Close()
	d := v.catalog.byName[table]
	if d == nil {
		return &NoTableError{table}
	}
	t := &Table{view: v, def: d}
	if t.counters, err = v.readCounters(d); err != nil {
		report(problemOf(table, err))
		if t.counters, err = v.guessCounters(d); err != nil {
			return err
		}
	}
	sv := &salvager{ctx: ctx, t: t, report: report}
	for i := range d.Columns {
		sv.readers = append(sv.readers, &columnReader{t: t, pos: i, to: t.sealedBlocks()})
		sv.batch.Cols = append(sv.batch.Cols, new(value.Column))
	}
	defer func() {
		for _, r := range sv.readers {
			r.Close()
		}
	}()
	for b := range t.Blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if sv.block(b) {
			if err := emit(&sv.batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// guessCounters finds the rows of a table whose counters can't be read: the blocks of
// its first column, and the tail.
func (v *View) guessCounters(d *TableDef) (c counters, err error) {
	for i := range d.Columns {
		it, err := v.prefixIter(key.Of(nil, d.ID, key.Columns, d.Columns[i].ID))
		if err != nil {
			return c, err
		}
		if it.Last() {
			c.next = max(c.next, (uint64(key.Number(it.Key()))+1)*BlockRows)
		}
		it.Close()
	}
	it, err := v.prefixIter(key.Family(nil, d.ID, key.Tail))
	if err != nil {
		return c, err
	}
	defer it.Close()
	if it.Last() {
		c.next = max(c.next, key.RowNumber(it.Key())+1)
	}
	return c, nil // no live rows: so tombstones are looked for
}

type salvager struct {
	ctx     context.Context
	t       *Table
	report  func(Problem)
	readers []*columnReader
	batch   value.Batch
}

func (s *salvager) found(err error) {
	if s.ctx.Err() == nil {
		s.report(problemOf(s.t.def.Name, err))
	}
}

// block reads what it can of a block and reports whether there are rows.
func (s *salvager) block(b uint32) bool {
	t := s.t
	n := t.rowsIn(b)
	live := firstRows(n)
	dead, err := t.dead(b)
	if err != nil {
		s.found(err) // deleted rows come back, none is lost
	}
	if dead != nil {
		for i := range live {
			live[i] &^= dead[i]
		}
	}
	if live.Count() == 0 {
		return false
	}
	if b < t.sealedBlocks() {
		lost := 0
		for i, r := range s.readers {
			if !s.column(r, b, s.batch.Cols[i], &live) {
				lost++
			}
		}
		if lost == len(s.readers) {
			return false
		}
	} else if live = s.tail(&live, n); live.Count() == 0 {
		return false
	}
	s.batch.Len = n
	s.batch.Sel, s.batch.Rows = s.batch.Sel[:0], s.batch.Rows[:0]
	for i := range n {
		s.batch.Rows = append(s.batch.Rows, uint64(b)*BlockRows+uint64(i))
		if live.Has(i) {
			s.batch.Sel = append(s.batch.Sel, int32(i))
		}
	}
	return true
}

// column reads a column of a sealed block; of a vector column page by page. It
// reports whether anything could be read.
func (s *salvager) column(r *columnReader, b uint32, col *value.Column, live *BlockSet) bool {
	def := &s.t.def.Columns[r.pos]
	err := r.read(b, col, live)
	if err == nil {
		return true
	}
	s.found(err)
	reopened := &columnReader{t: s.t, pos: r.pos, to: r.to}
	r.Close()
	*r = *reopened
	blank := &value.Column{Type: def.Type}
	if def.Type.Kind != value.Vector {
		*col = *newColumn(def.Type, BlockRows)
		col.Nulls = allNull(BlockRows)
		return false
	}
	// One page after the other; a page that fails is NULL.
	out := newColumn(def.Type, BlockRows)
	out.Nulls = allNull(BlockRows)
	rpp := def.pageRows
	any := false
	for p := 0; p < BlockRows/rpp; p++ {
		var some BlockSet
		for i := p * rpp; i < (p+1)*rpp; i++ {
			if live.Has(i) {
				some[i>>6] |= 1 << (i & 63)
			}
		}
		if some.Count() == 0 {
			continue
		}
		one := &columnReader{t: s.t, pos: r.pos, to: r.to}
		if one.read(b, blank, &some) == nil {
			for i := p * rpp; i < (p+1)*rpp; i++ {
				if some.Has(i) && !blank.Null(i) {
					copy(out.Vec(i), blank.Vec(i))
					out.Nulls.Clear(i)
				}
			}
			any = true
		}
		one.Close()
	}
	*col = *out
	return any
}

func allNull(n int) value.Bitmap {
	b := value.NewBitmap(n)
	for i := range b {
		b[i] = ^uint64(0)
	}
	return b
}

// tail reads the tail row by row and returns those that could be read.
func (s *salvager) tail(live *BlockSet, n int) (got BlockSet) {
	t := s.t
	all := make([]int, len(t.def.Columns))
	for i, c := range s.batch.Cols {
		all[i] = i
		c.Reset(t.def.Columns[i].Type)
	}
	one := make([]*value.Column, len(all))
	for i := range one {
		one[i] = new(value.Column)
	}
	skip, skipTo := 1, 0
	for i := range n {
		row := uint64(t.sealedBlocks())*BlockRows + uint64(i)
		for j, c := range one {
			c.Reset(t.def.Columns[j].Type)
		}
		ok := false
		if live.Has(i) && i >= skipTo {
			var err error
			ok, err = t.view.get(key.Row(nil, t.def.ID, row), func(src []byte) error { return t.decodeRow(src, all, one, 0) })
			if err != nil {
				// Rows that follow are likely to lie in the same damaged block, and each
				// attempt takes long: so leap.
				s.found(t.corruptRow(row, fmt.Errorf("%w (and up to %d rows after it)", err, skip-1)))
				ok, skipTo, skip = false, i+skip, 2*skip
			} else if !ok {
				s.found(t.corruptRow(row, fmt.Errorf("%w: it is missing", block.ErrMalformed)))
			} else {
				skip = 1
			}
		}
		for j, c := range s.batch.Cols {
			if ok {
				c.Append(i, one[j].Value(0))
			} else {
				c.Append(i, value.Value{})
			}
		}
		if ok {
			got[i>>6] |= 1 << (i & 63)
		}
	}
	return got
}
