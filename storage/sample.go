package storage

import (
	"context"
	"slices"
	"sync"

	"github.com/lupadb/lupa/storage/value"
)

// samples are rows of tables that stand for all, for estimates. They are kept while their tables have
// about as many rows.
type samples struct {
	mu sync.Mutex
	of map[uint32]*sample // by the id of the table
}

// sample are the same rows of some columns of a table.
type sample struct {
	next, live uint64 // of the table
	n          int
	cols       map[uint32]*value.Column // by the id of the column; nil: its values are too large
}

const (
	sampleRows   = 500
	sampleBlocks = 125       // rows are taken from so many blocks at the most
	sampleBytes  = 256 << 10 // of texts of a column
)

// Sample returns some hundred rows that are spread over the table, the same ones at each call while the
// table does not change much, of which the given columns are read; others are nil. Columns of vectors, and of
// large texts, are nil too. A batch without rows says that there is no sample. It is not to be changed.
func (t *Table) Sample(ctx context.Context, cols []int) (*value.Batch, error) {
	out := &value.Batch{Cols: make([]*value.Column, len(t.def.Columns))}
	if t.view.picture == nil || t.counters.live == 0 {
		return out, nil
	}
	all := &t.view.store.samples
	all.mu.Lock()
	s := all.of[t.def.ID]
	all.mu.Unlock()
	var want []int
	if s != nil && near(s.next, t.counters.next) && near(s.live, t.counters.live) {
		missing := false
		for i := range t.def.Columns {
			c, known := s.cols[t.def.Columns[i].ID]
			known = known && (c == nil || c.Type == t.def.Columns[i].Type)
			if known || slices.Contains(cols, i) {
				want = append(want, i)
			}
			missing = missing || !known && slices.Contains(cols, i)
		}
		if missing {
			s = nil
		}
	} else {
		want, s = cols, nil
	}
	if s == nil {
		var err error
		if s, err = t.sample(ctx, want); err != nil {
			return nil, err
		}
		all.mu.Lock()
		if all.of == nil {
			all.of = map[uint32]*sample{}
		}
		all.of[t.def.ID] = s
		all.mu.Unlock()
	}
	out.Len = s.n
	for _, i := range cols {
		out.Cols[i] = s.cols[t.def.Columns[i].ID]
	}
	return out, nil
}

// near reports whether a number has changed by less than an eighth.
func near(was, is uint64) bool { return is <= was+was/8 && was <= is+is/8 }

// sample reads one.
func (t *Table) sample(ctx context.Context, cols []int) (*sample, error) {
	blocks := uint64(t.counters.next+BlockRows-1) / BlockRows
	some := min(blocks, sampleBlocks)
	each := (sampleRows + some - 1) / some
	var rows []uint64
	for k := range some {
		b := uint32(k * blocks / some)
		n := uint64(t.rowsIn(b))
		dead, err := t.dead(b)
		if err != nil {
			return nil, err
		}
		from := len(rows)
		for j := range min(each, n) {
			// One of each part of the block, at a place that is the same next time.
			part := n / min(each, n)
			at := j*part + mix(uint64(b)<<20|j)%part
			for at < n && dead != nil && dead.Has(int(at)) {
				at++
			}
			if at < n {
				rows = append(rows, uint64(b)*BlockRows+at)
			}
		}
		slices.Sort(rows[from:])
		rows = append(rows[:from], slices.Compact(rows[from:])...)
	}
	s := &sample{next: t.counters.next, live: t.counters.live, n: len(rows), cols: map[uint32]*value.Column{}}
	for _, i := range cols {
		def := &t.def.Columns[i]
		s.cols[def.ID] = nil
		if def.Type.Kind == value.Vector || len(rows) == 0 {
			continue
		}
		col, bytes := &value.Column{Type: def.Type}, 0
		var f Fetcher
		const piece = 64
		for from := 0; from < len(rows) && bytes <= sampleBytes; from += piece {
			b, err := f.Fetch(ctx, t, rows[from:min(from+piece, len(rows))], []int{i})
			if err != nil {
				return nil, err
			}
			for k := range b.Len {
				v := b.Cols[0].Value(k)
				bytes += len(v.Str())
				col.Append(from+k, v)
			}
		}
		if bytes <= sampleBytes {
			s.cols[def.ID] = col
		}
	}
	return s, nil
}
