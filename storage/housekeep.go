package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Deleted rows leave holes in sealed blocks, which take space and are read by every
// search. Housekeeping closes them in the background: it fills a block with the rows that
// follow in the next ones, so that rows keep their order, and drops the blocks that run
// empty. One step writes one block. All that takes time is done beside the writers, on a
// snapshot; the writer's place is taken for the commit alone, which adds what was deleted
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
// has the writer's place; by is his own watch, if he has one.
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

// merge is one step: block target gets the rows that follow.
type merge struct {
	k      *keeper
	view   *View
	watch  *watch
	t      *Table
	target uint32
	blocks []uint32 // that it reads: target, and those whose rows it takes
	rows   []uint64 // that target will hold
	slots  []int32  // where, of each of them
	free   int      // slots before it hold rows that were there, or are given one
	most   int      // how many rows may still move
	from   int      // first slot that gets another row than it has, or is emptied
	until  int      // the slot after the last one
	// partial says that more rows could follow than may move in one step.
	partial bool
	taken   []BlockSet // of each block
	cols    []*value.Column
	moved   int // rows that get another number
	to      *batchEditor
	gen     *generation
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

// holes counts the deleted rows of blocks.
func holes(blocks []liveBlock) (n int) {
	for _, b := range blocks {
		n += BlockRows - b.live
	}
	return n
}

// mergeRows is how many rows one step moves.
func (d *TableDef) mergeRows(bytes int) int {
	row := 0
	for i := range d.Columns {
		if c := &d.Columns[i]; c.Type.Kind == value.Vector {
			row += block.NumberBytes(c.Type) * c.Type.Dim
		}
	}
	return max(mergeLeast, bytes/max(row, 1))
}

// take adds rows of a block to the target, as many as there is room for and may move. Those
// of the target itself that may not move stay where they are.
func (m *merge) take(b liveBlock) {
	var taken BlockSet
	for i := 0; i < BlockRows && m.free < BlockRows; i++ {
		if b.dead != nil && b.dead.Has(i) {
			continue
		}
		slot := m.free
		switch stays := b.n == m.target && i == slot; {
		case stays:
		case m.most > 0:
			m.most--
			m.from, m.until = min(m.from, slot), max(m.until, slot+1)
			if b.n == m.target {
				m.until = i + 1
			}
		default:
			m.partial = true
			slot = i
		}
		if m.partial && b.n != m.target {
			break
		}
		m.rows, m.slots = append(m.rows, uint64(b.n)*BlockRows+uint64(i)), append(m.slots, int32(slot))
		taken[i>>6] |= 1 << (i & 63)
		m.free = slot + 1
	}
	m.blocks, m.taken = append(m.blocks, b.n), append(m.taken, taken)
}

// runs calls f with the rows of the target, in the order of their slots: positions in rows
// or, for empty slots, nil and how many.
func (m *merge) runs(f func(pos []int32, empty int)) {
	for i, slot := 0, 0; slot < BlockRows; {
		n := 0
		for i+n < len(m.slots) && int(m.slots[i+n]) == slot+n {
			n++
		}
		if n > 0 {
			f(allRows[i:i+n], 0)
			i, slot = i+n, slot+n
			continue
		}
		next := BlockRows
		if i < len(m.slots) {
			next = int(m.slots[i])
		}
		f(nil, next-slot)
		slot = next
	}
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

func (m *merge) close() {
	m.watch.end()
	if m.to != nil {
		_ = m.to.batch.Close()
	}
	_ = m.view.Close()
	m.gen.leave()
}

// run does the step. When it can't be done because of what was written meanwhile, it
// returns false, and nothing has changed.
func (m *merge) run(ctx context.Context) (ok bool, err error) {
	defer m.close()
	m.to = &batchEditor{batch: m.gen.db.NewBatch()}
	if err := m.prepare(ctx); err != nil {
		return false, err
	}
	tx, err := m.k.s.Begin(ctx)
	if err != nil {
		return false, err
	}
	emptied, ok, err := m.adjust(ctx, tx)
	if !ok || err != nil {
		return false, firstError(err, tx.Rollback())
	}
	if err := tx.batch.Close(); err != nil {
		return false, firstError(err, tx.Rollback())
	}
	for _, b := range append(emptied, m.target) {
		m.k.touch(m.watch, m.t.def.ID, b, allColumns(m.t.def))
	}
	tx.batch, tx.blockWrites, tx.grows = m.to.batch, m.to.blockWrites, true
	m.to = nil
	m.k.commits(tx.batch.Len())
	if err := tx.Commit(ctx); err != nil {
		return false, err
	}
	if !m.partial || len(m.rows) > mergeFull {
		m.k.merged.Add(1)
	}
	m.k.moved.Add(int64(m.moved))
	m.k.freed.Add(int64(len(emptied)))
	return true, nil
}

// adjust completes the batch with what was written since the snapshot, and the tombstones.
// It returns the blocks that run empty; ok is false when the step has to be done again.
func (m *merge) adjust(ctx context.Context, tx *Tx) (emptied []uint32, ok bool, err error) {
	d, to := m.t.def, m.to
	if tx.gen != m.gen || tx.catalog.generation != m.view.catalog.generation {
		return nil, false, nil
	}
	now, err := tx.Table(d.Name)
	if err != nil {
		return nil, false, err
	}
	for i := range d.Columns {
		if d.Columns[i].Type.Kind != value.Vector {
			continue
		}
		was, err := m.t.transform(i)
		if err != nil {
			return nil, false, err
		}
		if is, err := now.transform(i); err != nil || !is.same(was) {
			return nil, false, err // the codes were trained anew
		}
	}
	var gone BlockSet // of the target
	at := 0
	for i, b := range m.blocks {
		dead, err := now.dead(b)
		if err != nil {
			return nil, false, err
		}
		if dead == nil {
			dead = new(BlockSet)
		}
		for w := range m.taken[i] {
			for s := m.taken[i][w]; s != 0; s &= s - 1 {
				if dead[w]&(s&-s) != 0 {
					slot := m.slots[at]
					gone[slot>>6] |= 1 << (slot & 63)
				}
				at++
			}
			dead[w] |= m.taken[i][w]
		}
		if b == m.target {
			continue
		}
		if dead.Count() == BlockRows {
			emptied = append(emptied, b)
		}
		if err := to.set(key.Tombstone(nil, d.ID, b), encodeTombstones(dead)); err != nil {
			return nil, false, err
		}
	}
	if gone.Count() > BlockRows/2 {
		return nil, false, nil
	}
	if err := dropBlocks(now, emptied, to); err != nil {
		return nil, false, err
	}
	if ok, err := m.refresh(ctx, now, &gone, to); !ok || err != nil {
		return nil, false, err
	}
	if err := m.forget(ctx, tx, &gone, to); err != nil {
		return nil, false, err
	}
	var used BlockSet
	for _, slot := range m.slots {
		used[slot>>6] |= 1 << (slot & 63)
	}
	for w := range gone {
		gone[w] |= ^used[w]
	}
	k := key.Tombstone(nil, d.ID, m.target)
	if gone.Count() == 0 {
		return emptied, true, to.deleteKey(k)
	}
	return emptied, true, to.set(k, encodeTombstones(&gone))
}

// refresh writes the columns that were updated in place meanwhile. It can't do so, and
// returns false, for vectors, and for columns that are part of a key.
func (m *merge) refresh(ctx context.Context, now *Table, gone *BlockSet, to editor) (ok bool, err error) {
	d := m.t.def
	cols := m.watch.updated(m.blocks)
	if len(cols) == 0 {
		return true, nil
	}
	var rows []uint64
	var slots []int32
	for i, r := range m.rows {
		if slot := m.slots[i]; !gone.Has(int(slot)) {
			rows, slots = append(rows, r), append(slots, slot)
		}
	}
	keys := d.keyColumns()
	for _, c := range cols {
		if d.Columns[c].Type.Kind == value.Vector || slices.Contains(keys, c) {
			return false, nil
		}
	}
	fresh, err := now.Fetch(ctx, rows, cols)
	if err != nil {
		return false, err
	}
	for i, c := range cols {
		col := &value.Column{Type: d.Columns[c].Type}
		n := 0
		m.runs(func(pos []int32, empty int) {
			if pos == nil {
				appendRows(col, n, nil, allRows[:empty])
			} else {
				appendRows(col, n, m.cols[c], pos)
			}
			n += len(pos) + empty
		})
		assign(col, slots, fresh.Cols[i], allRows[:len(rows)])
		k := key.Numbered(nil, d.ID, key.Columns, d.Columns[c].ID, m.target)
		if err := to.set(k, block.Encode(nil, col, BlockRows)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// forget takes rows that were deleted meanwhile out of the indexes, to which renumber has
// given their new numbers.
func (m *merge) forget(ctx context.Context, tx *Tx, gone *BlockSet, to editor) error {
	e, err := tx.editIndexes(m.t.def.indexes(), to)
	if err != nil {
		return err
	}
	defer e.close()
	for i := range m.rows {
		is := uint64(m.target)*BlockRows + uint64(m.slots[i])
		if !gone.Has(int(m.slots[i])) || is == m.rows[i] {
			continue
		}
		for _, ed := range e.edit {
			if err := ed.forget(m.cols, i, is); err != nil {
				return err
			}
		}
	}
	return e.finish(ctx)
}

// prepare writes the changes of the step to its batch.
func (m *merge) prepare(ctx context.Context) error {
	d := m.t.def
	cols, err := m.t.Fetch(ctx, m.rows, allColumns(d))
	if err != nil {
		return err
	}
	b := newBlockBuilder(d)
	to := &pageEditor{m: m}
	b.over = to.deleteKey
	b.codes = newBatchCodes(to, m.t, false)
	none := make([]*value.Column, len(d.Columns))
	m.runs(func(pos []int32, empty int) {
		if pos == nil {
			b.add(none, allRows[:empty])
		} else {
			b.add(cols.Cols, pos)
		}
	})
	if err := m.keepPages(b); err != nil {
		return err
	}
	if err := b.seal(ctx, to, m.target); err != nil {
		return err
	}
	m.cols = cols.Cols
	return m.renumber(ctx)
}

// rewrites reports whether a page of the target is written, of rpp rows each: others hold
// what they have.
func (m *merge) rewrites(page, rpp int) bool { return page*rpp < m.until && (page+1)*rpp > m.from }

// keepPages gives the deleted rows of pages that are not written the vectors that are there:
// codes are those of what pages hold.
func (m *merge) keepPages(b *blockBuilder) error {
	var used BlockSet
	for _, slot := range m.slots {
		used[slot>>6] |= 1 << (slot & 63)
	}
	for i := range b.cols {
		def := &m.t.def.Columns[i]
		if def.Type.Kind != value.Vector || m.from == 0 && m.until == BlockRows {
			continue
		}
		pages, err := m.t.pages(i, m.target, m.target+1)
		if err != nil {
			return err
		}
		dim := def.Type.Dim
		vecs := make([]float32, BlockRows*dim)
		if err := firstError(m.t.blockVectors(pages, dim, m.target, vecs), pages.Close()); err != nil {
			return err
		}
		for slot := range BlockRows {
			if !used.Has(slot) && !m.rewrites(slot/def.pageRows, def.pageRows) {
				copy(b.cols[i].Vecs[slot*dim:(slot+1)*dim], vecs[slot*dim:])
			}
		}
	}
	return nil
}

// pageEditor is the editor of a merge, which leaves out the pages that are not written.
type pageEditor struct{ m *merge }

func (e *pageEditor) leavesOut(k []byte) bool {
	d := e.m.t.def
	if k[4] != key.Pages {
		return false
	}
	c := &d.Columns[d.ColumnID(binary.BigEndian.Uint32(k[5:]))]
	return !e.m.rewrites(int(key.Number(k)-e.m.target*c.pagesPerBlock()), c.pageRows)
}

func (e *pageEditor) set(k, v []byte) error {
	if e.leavesOut(k) {
		return nil
	}
	return e.m.to.set(k, v)
}

func (e *pageEditor) deleteKey(k []byte) error {
	if e.leavesOut(k) {
		return nil
	}
	return e.m.to.deleteKey(k)
}

// renumber gives rows their new numbers in the indexes. A row gets a number that is lower, so
// the one that had it has been removed by then.
func (m *merge) renumber(ctx context.Context) error {
	e, err := m.view.editIndexes(m.t.def.indexes(), m.to)
	if err != nil {
		return err
	}
	defer e.close()
	for i, was := range m.rows {
		is := uint64(m.target)*BlockRows + uint64(m.slots[i])
		if is == was {
			continue
		}
		m.moved++
		if err := e.remove(m.cols, i, was); err != nil {
			return err
		}
		if err := e.add(m.cols, i, is); err != nil {
			return err
		}
	}
	return e.finish(ctx)
}

// batchEditor edits a batch that nobody reads.
type batchEditor struct {
	blockWrites
	batch *pebble.Batch
}

func (e *batchEditor) set(k, v []byte) error {
	e.writes(k)
	return e.batch.Set(k, v, nil)
}

func (e *batchEditor) merge(k, v []byte) error { return e.batch.Merge(k, v, nil) }

func (e *batchEditor) deleteKey(k []byte) error {
	e.writes(k)
	return e.batch.Delete(k, nil)
}

func (e *batchEditor) deleteRange(from, to []byte) error {
	if _, hot := hotKeyOf(from); hot {
		e.wroteAny = true
	}
	return e.batch.DeleteRange(from, to, nil)
}

// liveBlock is a sealed block with a live row.
type liveBlock struct {
	n    uint32
	live int
	dead *BlockSet // nil: none
}

// liveBlocks goes through the sealed blocks of a table that have a live row.
type liveBlocks struct {
	t    *Table
	at   uint32
	dead []*BlockSet // of the blocks from first on
	from uint32
	to   uint32
}

// tombstonesAtOnce is of how many blocks they are read at once.
const tombstonesAtOnce = 512

func (l *liveBlocks) next() (b liveBlock, ok bool, err error) {
	for ; l.at < l.t.sealedBlocks(); l.at++ {
		if l.at >= l.to {
			l.from, l.to = l.at, min(l.at+tombstonesAtOnce, l.t.sealedBlocks())
			if l.dead, err = l.t.deadBlocks(l.from, l.to); err != nil {
				return b, false, err
			}
		}
		b = liveBlock{n: l.at, live: BlockRows}
		if l.dead != nil && l.dead[l.at-l.from] != nil {
			b.dead = l.dead[l.at-l.from]
			b.live -= b.dead.Count()
		}
		if b.live > 0 {
			l.at++
			return b, true, nil
		}
	}
	return b, false, nil
}
