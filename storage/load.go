package storage

import (
	"context"
	"sync"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// defaultSortMemory is what the keys of one index take in memory before they are written
// to a file to be merged at the end.
const defaultSortMemory = 48 << 20

// LoadOptions of BulkLoad.
type LoadOptions struct {
	// QuerySamples are query vectors typical for a vector column (position in
	// Def().Columns), to train its codes with.
	QuerySamples map[int][][]float32
	// WithoutCodes leaves the rows without codes, in a table whose vectors have none so
	// far; RetrainColumn makes up for it.
	WithoutCodes bool
	Progress     Progress
}

// Loader is a bulk load in progress. It belongs to one goroutine.
type Loader struct {
	s         *Store
	view      *View
	d         *TableDef // of the table that is written
	existing  *Table    // the table as it was; nil when it is new
	opts      LoadOptions
	dir       string
	sst       *sstWriter
	builder   *blockBuilder
	codes     *loadCodes
	inherit   *Table // whose transforms a new table takes over; may be nil
	counters  counters
	oldTail   uint64 // first row of the tail as it was
	keys      *indexEditors
	notes     *fileNotes     // of watches
	first     uint64         // number of the first row of the input
	n         uint64         // rows of the input
	behind    sync.WaitGroup // what goes on although a context has ended
	published bool
	frees     bool // it takes less space than what it replaces: see makeRoom
	err       error
	done      bool
}

// BulkLoad starts loading rows past the write-ahead log. It holds the writer's
// place until Finish or Abort; readers go on and see all of it or nothing.
func (s *Store) BulkLoad(ctx context.Context, table string, opts LoadOptions) (*Loader, error) {
	l, err := s.newLoader(ctx, opts)
	if err != nil {
		return nil, err
	}
	if l.existing, err = l.view.Table(table); err != nil {
		return nil, firstError(err, l.Abort())
	}
	l.d, l.counters = l.existing.def, l.existing.counters
	l.start()
	if err := l.builder.addTail(l.existing); err != nil {
		return nil, firstError(err, l.Abort())
	}
	return l, nil
}

// newLoader takes the writer lock and a directory for the files.
func (s *Store) newLoader(ctx context.Context, opts LoadOptions) (*Loader, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	if err := s.lockWriter(ctx); err != nil {
		s.leave()
		return nil, err
	}
	l := &Loader{s: s, opts: opts}
	var err error
	if l.view, err = s.writerView(); err != nil {
		return nil, firstError(err, l.Abort())
	}
	if l.dir, err = s.newLoadDir(); err != nil {
		return nil, firstError(err, l.Abort())
	}
	l.sst = s.newSSTWriter(l.dir)
	return l, nil
}

// start prepares for rows of l.d after l.counters.
func (l *Loader) start() {
	l.builder = newBlockBuilder(l.d)
	if !l.opts.WithoutCodes || l.existing.coded() {
		l.codes = newLoadCodes(l)
		l.builder.codes = l.codes
	}
	l.first = l.counters.next
	l.oldTail = l.counters.next - l.counters.next%BlockRows
	f := &indexFiles{s: l.s, dir: l.dir, sst: l.sst, inputRow: l.inputRow, progress: l.opts.Progress}
	if l.existing != nil && l.existing.counters.live > 0 {
		f.view = l.view
	}
	l.keys = buildIndexes(l.d.indexes(), f)
}

// Rows returns the number of rows appended so far.
func (l *Loader) Rows() uint64 { return l.n }

// Append adds the selected rows of a batch that has all columns of the table in
// their order. Errors as for Insert, but a duplicate key may show as late as in Finish.
// After an error only Abort is left.
func (l *Loader) Append(ctx context.Context, b *value.Batch) error {
	if l.err != nil || l.done {
		return firstError(l.err, ErrClosed)
	}
	pos := selected(b)
	if l.err = checkRows(l.d, b.Cols, pos, nil, int64(l.n)); l.err == nil {
		l.err = l.tellLoaded(ctx, b.Cols, pos)
	}
	if l.err == nil {
		l.err = l.append(ctx, b.Cols, pos)
	}
	return l.err
}

func (l *Loader) append(ctx context.Context, cols []*value.Column, pos []int32) error {
	if err := checkRows(l.d, cols, pos, nil, int64(l.n)); err != nil {
		return err
	}
	for len(pos) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(BlockRows-l.builder.n, len(pos))
		if err := l.addKeys(cols, pos[:n]); err != nil {
			return err
		}
		l.builder.add(cols, pos[:n])
		l.counters.number(l.d, cols, pos[:n])
		l.counters.next += uint64(n)
		l.counters.live += uint64(n)
		l.n += uint64(n)
		pos = pos[n:]
		if l.builder.n == BlockRows {
			if err := l.builder.seal(ctx, l.sst, l.counters.sealed()-1); err != nil {
				return err
			}
			l.builder.reset()
			l.progress("loading", l.n, 0)
		}
	}
	return nil
}

func (l *Loader) progress(stage string, done, total uint64) {
	if l.opts.Progress != nil {
		l.opts.Progress(stage, done, total)
	}
}

func (l *Loader) addKeys(cols []*value.Column, pos []int32) error {
	for _, ed := range l.keys.edit {
		for i, p := range pos {
			if err := ed.add(cols, int(p), l.counters.next+uint64(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Finish publishes all rows at once and returns how many there were. On an error
// nothing of the load stays.
func (l *Loader) Finish(ctx context.Context) (uint64, error) {
	if l.err != nil || l.done {
		return 0, firstError(l.err, ErrClosed)
	}
	err := l.finish(ctx, nil)
	if e := l.Abort(); err == nil && e != nil {
		err = e
	}
	if err != nil {
		return 0, err
	}
	return l.n, nil
}

// finish writes what is left and ingests it; more adds keys of the caller's.
func (l *Loader) finish(ctx context.Context, more func() error) error {
	if l.n == 0 && more == nil {
		return nil
	}
	if err := l.finishTail(); err != nil {
		return err
	}
	if l.codes != nil {
		if err := l.await(ctx, l.codes.finish); err != nil {
			return err
		}
	}
	if err := l.keys.finish(ctx); err != nil {
		return err
	}
	var before *View
	if l.existing != nil {
		before = l.view
	}
	if l.counters.sealed() > uint32(l.oldTail/BlockRows) {
		if err := l.builder.sealStats(before, l.sst.set); err != nil {
			return err
		}
	}
	n := key.Family(nil, l.d.ID, key.Counters)
	if err := l.sst.put(n, n, l.counters.encode()); err != nil {
		return err
	}
	if more != nil {
		if err := more(); err != nil {
			return err
		}
	}
	if l.notes != nil {
		if err := l.notes.finish(); err != nil {
			return err
		}
	}
	return l.publish(ctx)
}

// publish ingests what was written.
func (l *Loader) publish(ctx context.Context) error {
	l.progress("publishing", l.n, l.n)
	err := l.await(ctx, func() error { // the long part
		_, err := l.sst.finish()
		return err
	})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.published = true
	err = l.s.ingest(l.sst, l.frees)
	if err == nil && l.notes.any() {
		l.s.bell.ring()
	}
	return err
}

// await waits for f, but no longer than ctx allows; f goes on, then, until Abort has
// cleaned up.
func (l *Loader) await(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	l.behind.Go(func() { done <- f() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finishTail writes the rows after the last full block.
func (l *Loader) finishTail() error {
	prefix := key.Family(nil, l.d.ID, key.Tail)
	first := l.counters.next - l.counters.next%BlockRows
	from := max(first, l.first) // rows before are in the tail already
	if first > l.oldTail && l.first > l.oldTail {
		if err := l.sst.deleteRange(prefix, key.Row(nil, l.d.ID, l.oldTail), key.Row(nil, l.d.ID, l.first)); err != nil {
			return err
		}
	}
	var buf, k []byte
	for row := from; row < l.counters.next; row++ {
		buf = buf[:0]
		i := int(row - first)
		for j, c := range l.builder.cols {
			if v := c.Value(i); !v.IsNull() || !l.d.Columns[j].fill.IsNull() {
				buf = block.AppendField(buf, l.d.Columns[j].ID, v, l.d.Columns[j].Type)
			}
		}
		k = key.Row(k[:0], l.d.ID, row)
		if err := l.sst.put(prefix, k, buf); err != nil {
			return err
		}
	}
	return nil
}

// inputRow turns a row number into a position in the input.
func (l *Loader) inputRow(row uint64) int64 { return int64(row - l.first) }

// Abort discards the load. After Finish it does nothing. The files of a load that
// was not published, and the writer lock, are given up in the background.
func (l *Loader) Abort() error {
	if l.done {
		return nil
	}
	l.done = true
	if l.published {
		err := l.release()
		l.s.leave()
		return err
	}
	l.s.cleanUp(func() { _ = l.release() })
	return nil
}

func (l *Loader) release() error {
	if l.codes != nil {
		l.codes.stopped.Store(true)
	}
	l.behind.Wait()
	if l.keys != nil {
		l.keys.close()
	}
	if l.codes != nil {
		l.codes.stop() // it must not write any more
	}
	if l.sst != nil {
		l.sst.abort()
	}
	var err error
	if l.view != nil {
		err = l.view.Close()
	}
	_ = l.s.fs.RemoveAll(l.dir) // what can't be removed goes at the next Open
	l.s.unlockWriter()
	return err
}
