package storage

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

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
