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
	return s.salvage(ctx, table, emit, report, func(uint64, uint64, string) {})
}

// salvage is Salvage, which tells stale of rows that may be old, before it emits them.
func (s *Store) salvage(ctx context.Context, table string, emit func(*value.Batch) error, report func(Problem), stale func(from, to uint64, why string)) error {
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
		t.counters = counters{}
	}
	// Of a commit that was saved in part the counters are not there.
	if guess, err := v.guessCounters(d); err == nil {
		t.counters.next = max(t.counters.next, guess.next)
	} else if t.counters.next == 0 {
		return err
	}
	t.counters.live = 0 // they may be old: tombstones are looked for
	sv := &salvager{ctx: ctx, t: t, report: report, stale: stale}
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
		if err := sv.block(b, emit); err != nil {
			return err
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
	stale   func(from, to uint64, why string)
	readers []*columnReader
	batch   value.Batch
}

func (s *salvager) found(err error) {
	if s.ctx.Err() == nil {
		s.report(problemOf(s.t.def.Name, err))
	}
}

// block emits what it can read of a block.
func (s *salvager) block(b uint32, emit func(*value.Batch) error) error {
	t := s.t
	n := t.rowsIn(b)
	live := firstRows(n)
	dead, err := t.dead(b)
	if err != nil {
		s.found(err) // deleted rows come back, none is lost
		from := uint64(b) * BlockRows
		s.stale(from, from+uint64(n)-1, "what was deleted of them can't be read")
	}
	if dead != nil {
		for i := range live {
			live[i] &^= dead[i]
		}
	}
	if live.Count() == 0 {
		return nil
	}
	if b >= t.sealedBlocks() {
		got := s.tail(b, &live, n, true)
		return s.emit(b, n, &got, emit)
	}
	lost := 0
	for i, r := range s.readers {
		if !s.column(r, b, s.batch.Cols[i], &live) {
			lost++
		}
	}
	if lost == 0 {
		return s.emit(b, n, &live, emit)
	}
	// The rows may be there as they were before the block was sealed: when the commit that
	// sealed it was saved in part.
	cols := s.batch.Cols
	s.batch.Cols = nil
	for range cols {
		s.batch.Cols = append(s.batch.Cols, new(value.Column))
	}
	got := s.tail(b, &live, n, false)
	if err := s.emit(b, n, &got, emit); err != nil {
		return err
	}
	s.batch.Cols = cols
	if lost == len(s.readers) {
		return nil
	}
	for i := range live {
		live[i] &^= got[i]
	}
	return s.emit(b, n, &live, emit)
}

// emit hands out rows of a block.
func (s *salvager) emit(b uint32, n int, rows *BlockSet, emit func(*value.Batch) error) error {
	if rows.Count() == 0 {
		return nil
	}
	s.batch.Len = n
	s.batch.Sel, s.batch.Rows = s.batch.Sel[:0], s.batch.Rows[:0]
	for i := range n {
		s.batch.Rows = append(s.batch.Rows, uint64(b)*BlockRows+uint64(i))
		if rows.Has(i) {
			s.batch.Sel = append(s.batch.Sel, int32(i))
		}
	}
	return emit(&s.batch)
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

// tail reads the rows of a block that are kept one by one and returns those that could be
// read; all says that all should be there.
func (s *salvager) tail(b uint32, live *BlockSet, n int, all bool) (got BlockSet) {
	t := s.t
	every := make([]int, len(t.def.Columns))
	for i, c := range s.batch.Cols {
		every[i] = i
		c.Reset(t.def.Columns[i].Type)
	}
	one := make([]*value.Column, len(every))
	for i := range one {
		one[i] = new(value.Column)
	}
	bad, first, why := 0, uint64(0), error(nil) // rows in sequence that can't be read
	for i := range n {
		row := uint64(b)*BlockRows + uint64(i)
		for j, c := range one {
			c.Reset(t.def.Columns[j].Type)
		}
		ok := false
		if live.Has(i) {
			var err error
			ok, err = t.view.get(key.Row(nil, t.def.ID, row), func(src []byte) error { return t.decodeRow(src, every, one, 0) })
			if err == nil && !ok && all {
				err = fmt.Errorf("%w: it is missing", block.ErrMalformed)
			}
			if err != nil {
				if bad++; bad == 1 {
					first, why = row, err
				}
				ok = false
			}
		}
		if bad > 0 && (ok || i == n-1) {
			if bad > 1 {
				why = fmt.Errorf("%w (and %d rows after it)", why, bad-1)
			}
			s.found(t.corruptRow(first, why))
			bad = 0
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
