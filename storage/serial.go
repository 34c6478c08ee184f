package storage

import (
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// serials learns of tables whose integer keys follow the numbers of their rows, as those do
// that are filled in, or loaded in order. There the row of a key is guessed, and the guess is
// proven by the key that stands in it: no two rows have the same. That reads a block that
// fits into a few bytes where the keys' entries are 17 each. It is safe for concurrent use:
// what it says is a guess.
type serials [64]struct {
	table  atomic.Uint32
	offset atomic.Uint64 // row minus key
	seen   atomic.Int32  // rows in succession that had it, up to serialSure
}

// serialSure is the number of look-ups after which a table's keys are taken to be serial.
const serialSure = 8

// guess returns the row that a key would have.
func (s *serials) guess(table uint32, k int64) (row uint64, ok bool) {
	g := &s[table%uint32(len(s))]
	if g.seen.Load() < serialSure || g.table.Load() != table {
		return 0, false
	}
	return g.offset.Load() + uint64(k), true
}

// learn takes note of the row that a key has.
func (s *serials) learn(table uint32, k int64, row uint64) {
	g := &s[table%uint32(len(s))]
	offset := row - uint64(k)
	if g.table.Load() == table && g.offset.Load() == offset {
		if n := g.seen.Load(); n < serialSure {
			g.seen.Store(n + 1)
		}
		return
	}
	g.seen.Store(0)
	g.offset.Store(offset)
	g.table.Store(table)
}

// guess returns the row of a key if it is where the keys before it let expect it. Otherwise,
// damage included, it is left to the keys' entries.
func (t *Table) guess(p *picture, pk int64) (row uint64, ok bool) {
	row, ok = p.hot.serials.guess(t.def.ID, pk)
	b := uint32(row / BlockRows)
	if !ok || row >= t.counters.next || b >= t.sealedBlocks() {
		return 0, false
	}
	if dead, err := t.dead(b); err != nil || dead != nil && dead.Has(int(row%BlockRows)) {
		return 0, false
	}
	k := hotKey{t.def.ID, t.def.Columns[t.def.PrimaryKey].ID, b}
	h := p.hot.get(k, p.commit)
	if h == nil {
		if h = t.readHot(p, k); h == nil {
			return 0, false
		}
	}
	t.view.Reads.KeyBytes.Add(8)
	at, ok := h.opened.Int(int(row % BlockRows))
	return row, ok && at == pk
}

// readHot reads a column's block to keep it, nil where it can't.
func (t *Table) readHot(p *picture, k hotKey) *hotBlock {
	c, err := p.cursor()
	if err != nil {
		return nil
	}
	defer p.putCursor(c)
	c.key = key.Numbered(c.key[:0], k.table, key.Columns, k.column, k.block)
	if !c.find() {
		return nil
	}
	src, err := c.it.ValueAndErr()
	if err != nil {
		return nil
	}
	h, err := p.hot.put(k, p.commit, src, value.Integer)
	if err != nil {
		return nil
	}
	return h
}
