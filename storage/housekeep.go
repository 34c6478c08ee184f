package storage

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/storage/internal/key"
)

// Deleted rows leave holes in sealed blocks, which take space and are read by every
// search. Housekeeping closes them in the background: it fills a block with the rows that
// follow in the next ones, so that rows keep their order, and drops the blocks that run
// empty. One step writes one block. All that takes time is done beside the writers, on a
// snapshot; the writer lock is taken for the commit alone, which adds what was deleted
// since, and the new values of scalar columns. A step moves no more rows than make a
// commit of a few milliseconds, and the next one goes on where it stopped. Where vectors or
// keys were updated in these blocks meanwhile, the step is done again.
const (
	// mergeWindow is how many blocks in a row have to have a block's worth of holes among
	// them to be merged: afterwards any so many of them are four fifths full.
	mergeWindow = 5
	// mergeFull is from which number of live rows on a block is left as it is.
	mergeFull = BlockRows - BlockRows/16
	// mergeBytes is how many bytes of vectors one step moves: writers wait while they are
	// put into the log, two milliseconds or three. Wide ones take several steps a block.
	mergeBytes = 3 << 19
	// mergeLeast is how many rows a step moves all the same, for each writes the block's
	// other columns and codes.
	mergeLeast = 64
	// mergeSources bounds the blocks that one step empties.
	mergeSources = 64
	// restShare is how many times as long as it has worked housekeeping rests.
	restShare = 3
	// spaceStep is after how many bytes of commits the space of what was written over is
	// looked at.
	spaceStep = 32 << 20
	// spaceLeast is what Pebble may keep of that in any case, and spaceMost the size of a
	// store from which on it is left to Pebble.
	spaceLeast = 16 << 20
	spaceMost  = 1 << 30
	// keeperRetry is how long it rests after an error.
	keeperRetry = 10 * time.Second
)

// keeper does the housekeeping of a store. It has a goroutine only while there is
// something to do.
type keeper struct {
	s                       *Store
	noMerging, noRetraining bool

	mergeBytes int // see mergeBytes

	training chan struct{} // holds a token while codes are trained anew

	merged, moved, freed, retrained, reclustered atomic.Int64 // see StoreStats
	largest                                      atomic.Int64 // bytes of the largest commit, for which writers wait

	mu        sync.Mutex
	written   int                     // bytes since space was looked at
	deleted   map[uint32]uint64       // rows deleted since the table was looked at, by the table's ID
	clusters  map[columnOf]*recluster // indexes to be built anew
	clustered map[columnOf]clusteredOf
	asked     map[columnOf]*asking
	ended     bool // the store is closed, or about to be
	cancel    context.CancelFunc
	done      chan struct{} // of the goroutine; nil: there is none

	watches []*watch
}

// watch notes which blocks of a table are changed after a snapshot.
type watch struct {
	k       *keeper
	table   uint32
	touched map[uint32]map[int]struct{} // columns written in place, by block; guarded by the keeper's mu
}

// note tells of rows that were deleted from tables, and how many bytes were written,
// after the commit.
func (k *keeper) note(deleted map[uint32]uint64, bytes int) {
	if k.noMerging {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.written += bytes; k.written >= spaceStep {
		k.wake()
	}
	if k.deleted == nil {
		k.deleted = map[uint32]uint64{}
	}
	work := false
	for id, n := range deleted {
		if _, seen := k.deleted[id]; !seen {
			n += BlockRows // there may be holes from before the store was opened
		}
		k.deleted[id] += n
		work = work || k.deleted[id] >= BlockRows
	}
	if work {
		k.wake()
	}
}

// wake begins the work, if it is not under way. The caller holds mu.
func (k *keeper) wake() {
	if k.done != nil || k.ended {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel, k.done = cancel, make(chan struct{})
	go k.run(ctx, k.done)
}

// stop ends the work, and waits for the step that is under way.
func (k *keeper) stop() {
	k.mu.Lock()
	k.ended = true
	done := k.done
	if k.cancel != nil {
		k.cancel()
	}
	k.mu.Unlock()
	if done != nil {
		select {
		case <-done:
		case <-time.After(cleanUpTime): // the disk hangs
		}
	}
}

// touch tells that columns of a block are being written in place, or dropped, by whoever
// has the writer lock; by is his own watch, if he has one.
func (k *keeper) touch(by *watch, table, b uint32, cols []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.watches {
		if w == by || w.table != table {
			continue
		}
		if w.touched[b] == nil {
			w.touched[b] = map[int]struct{}{}
		}
		for _, c := range cols {
			w.touched[b][c] = struct{}{}
		}
	}
}

// updated returns the columns of some blocks that were written in place since the snapshot.
func (w *watch) updated(blocks []uint32) (cols []int) {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	for b, touched := range w.touched {
		if !slices.Contains(blocks, b) {
			continue
		}
		for c := range touched {
			if !slices.Contains(cols, c) {
				cols = append(cols, c)
			}
		}
	}
	return cols
}

// blocks returns the blocks in which a column was written in place since the snapshot, in
// ascending order.
func (w *watch) blocks(column int) (blocks []uint32) {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	for b, touched := range w.touched {
		if _, ok := touched[column]; ok {
			blocks = append(blocks, b)
		}
	}
	slices.Sort(blocks)
	return blocks
}

// again forgets what was noted, at the time of a new snapshot.
func (w *watch) again() {
	w.k.mu.Lock()
	w.touched = map[uint32]map[int]struct{}{}
	w.k.mu.Unlock()
}

// commits notes the size of a commit that follows.
func (k *keeper) commits(bytes int) {
	for n := int64(bytes); ; {
		old := k.largest.Load()
		if old >= n || k.largest.CompareAndSwap(old, n) {
			return
		}
	}
}

// next returns what is to be done next, or ends the goroutine and returns nil.
func (k *keeper) next() func(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, n := range k.deleted {
		if n >= BlockRows && !k.ended {
			k.deleted[id] = 0
			return func(ctx context.Context) error { return k.mergeTable(ctx, id) }
		}
	}
	if k.written >= spaceStep && !k.ended {
		k.written = 0
		return k.space
	}
	for c, due := range k.clusters {
		if !k.ended {
			return func(ctx context.Context) error { return k.recluster(ctx, c, due) }
		}
	}
	for c, a := range k.asked {
		if a.due && !k.ended {
			return func(ctx context.Context) error { return k.retrain(ctx, c, a.queries) }
		}
	}
	k.cancel()
	k.cancel, k.done = nil, nil
	return nil
}

func (k *keeper) run(ctx context.Context, done chan struct{}) {
	defer close(done)
	for {
		work := k.next()
		if work == nil {
			return
		}
		if err := work(ctx); err != nil && ctx.Err() == nil {
			if !errors.Is(err, ErrFull) && !errors.Is(err, ErrBusy) {
				k.s.note(err)
			}
			rest(ctx, keeperRetry)
		}
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// mergeTable goes through a table's blocks once.
func (k *keeper) mergeTable(ctx context.Context, id uint32) error {
	changed := 0
	for at := uint32(0); ; {
		begun := time.Now()
		m, err := k.plan(ctx, id, at)
		if err != nil || m == nil {
			return err
		}
		at = m.target
		ok, err := m.run(ctx)
		if err != nil {
			return err
		}
		switch {
		case ok && m.partial:
			changed = 0
		case ok:
			at, changed = at+1, 0
		case changed == 2: // others keep changing it
			at, changed = at+1, 0
		default:
			changed++
		}
		rest(ctx, restShare*time.Since(begun))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// space has Pebble drop what was deleted or written over, once that may be more than what
// is left. By itself it waits for four files of what memory holds, 64 MB each, however
// small the store.
func (k *keeper) space(ctx context.Context) error {
	g := k.s.enterGeneration()
	defer g.leave()
	m := g.db.Metrics()
	lowest := len(m.Levels) - 1
	upper, bottom := int64(0), m.Levels[lowest].TablesSize
	for _, l := range m.Levels[:lowest] {
		upper += l.TablesSize
	}
	if upper <= max(bottom, spaceLeast) || upper+bottom > spaceMost {
		return nil
	}
	merging, stop := g.fs.untilMergeWaits(ctx)
	defer stop()
	err := g.tryQuietly(func() error {
		return g.db.Compact(merging, key.Table(nil, 0), key.Table(nil, math.MaxUint32), false)
	})
	if merging.Err() != nil {
		return nil // it waits, or the store is closed
	}
	return err
}

// plan looks for the next step in blocks from on, nil if there is none.
func (k *keeper) plan(ctx context.Context, id, from uint32) (m *merge, err error) {
	v, w, err := k.watch(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() {
		if m == nil {
			w.end()
			err = firstError(err, v.Close())
		}
	}()
	t, err := v.tableOf(id)
	if t == nil {
		return nil, err
	}
	it := &liveBlocks{t: t, at: from}
	var window []liveBlock
	for {
		for len(window) < mergeWindow {
			b, ok, err := it.next()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			window = append(window, b)
		}
		if len(window) < 2 {
			return nil, nil
		}
		if window[0].live <= mergeFull && holes(window) >= BlockRows {
			break
		}
		window = window[1:]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	m = &merge{k: k, view: v, watch: w, t: t, most: t.def.mergeRows(k.mergeBytes), from: BlockRows, target: window[0].n, gen: k.s.enterGeneration()}
	for m.free < BlockRows && !m.partial && len(m.blocks) < mergeSources {
		if len(window) == 0 {
			b, ok, err := it.next()
			if err != nil {
				m.gen.leave()
				return nil, err
			}
			if !ok {
				break
			}
			window = append(window, b)
		}
		m.take(window[0])
		window = window[1:]
	}
	if !m.partial {
		m.until = BlockRows // what is empty after the last row is not kept
	}
	return m, nil
}

// tableOf returns the table with this ID, nil when it is gone.
func (v *View) tableOf(id uint32) (*Table, error) {
	for _, d := range v.Tables() {
		if d.ID == id {
			return v.Table(d.Name)
		}
	}
	return nil, nil
}

// watch takes a snapshot of everything that was committed, and notes from then on which
// blocks of the table are changed.
func (k *keeper) watch(ctx context.Context, id uint32) (*View, *watch, error) {
	if err := k.s.lockWriter(ctx); err != nil {
		return nil, nil, err
	}
	defer k.s.unlockWriter()
	v, err := k.s.writerView()
	if err != nil {
		return nil, nil, err
	}
	w := &watch{k: k, table: id, touched: map[uint32]map[int]struct{}{}}
	k.mu.Lock()
	k.watches = append(k.watches, w)
	k.mu.Unlock()
	return v, w, nil
}

// end ends the watch.
func (w *watch) end() {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	w.k.watches = slices.DeleteFunc(w.k.watches, func(o *watch) bool { return o == w })
}
