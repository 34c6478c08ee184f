package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Table is a table as a View sees it. Get it anew after writing through a
// transaction.
type Table struct {
	view     *View
	def      *TableDef
	counters counters
	own      *backgrounds // of what the view alone sees, for as long as it stays; nil until asked for, under the lock of the store's
}

// Def returns the table's definition.
func (t *Table) Def() *TableDef { return t.def }

// Rows returns the number of live rows.
func (t *Table) Rows() uint64 { return t.counters.live }

// Identity returns the highest number that the table's identity column was given so far,
// by the table or by a program; 0 if that was none.
func (t *Table) Identity() int64 { return t.counters.identity }

// NextRow returns the number the next row will get: no row has this or a higher one.
func (t *Table) NextRow() uint64 { return t.counters.next }

// Blocks returns the number of blocks, the unfilled last one included.
func (t *Table) Blocks() uint32 { return t.counters.blocks() }

// sealedBlocks is the number of full blocks; the rows after them are the tail.
func (t *Table) sealedBlocks() uint32 { return t.counters.sealed() }

// hasDead reports whether any row was ever deleted.
func (t *Table) hasDead() bool { return t.counters.live < t.counters.next }

// dead returns the deleted rows of a block, nil when there are none.
func (t *Table) dead(b uint32) (*BlockSet, error) {
	if !t.hasDead() {
		return nil, nil
	}
	p, k := t.view.picture, hotKey{t.def.ID, tombstones, b}
	if p == nil {
		return t.view.readTombstones(t.def, b)
	}
	if b := p.hot.get(k, p.commit); b != nil {
		if len(b.data) == 0 {
			return nil, nil
		}
		return decodeTombstones(b.data)
	}
	set, err := t.view.readTombstones(t.def, b)
	if err == nil {
		var raw []byte // none, if there are none
		if set != nil {
			raw = encodeTombstones(set)
		}
		_, err = p.hot.put(k, p.commit, raw, value.Null)
	}
	return set, err
}

func (v *View) readTombstones(d *TableDef, b uint32) (*BlockSet, error) {
	var set *BlockSet
	_, err := v.get(key.Tombstone(nil, d.ID, b), func(raw []byte) (err error) {
		set, err = decodeTombstones(raw)
		return err
	})
	return set, corrupt(d.Name, "", fmt.Sprintf("tombstones of block %d", b), err)
}

func decodeTombstones(raw []byte) (*BlockSet, error) {
	set := new(BlockSet)
	if len(raw) != 8*len(set) {
		return nil, fmt.Errorf("%w: %d bytes", block.ErrMalformed, len(raw))
	}
	for i := range set {
		set[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return set, nil
}

func encodeTombstones(set *BlockSet) []byte {
	raw := make([]byte, 0, 8*len(set))
	for _, w := range set {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	return raw
}

// deadBlocks reads the tombstones of blocks [from, to) at once: nil where a block has none.
func (t *Table) deadBlocks(from, to uint32) ([]*BlockSet, error) {
	if !t.hasDead() || from >= to {
		return nil, nil
	}
	out := make([]*BlockSet, to-from)
	it, err := t.view.iter(key.Tombstone(nil, t.def.ID, from), key.Tombstone(nil, t.def.ID, to))
	if err != nil {
		return nil, corrupt(t.def.Name, "", "tombstones", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		b := key.Number(it.Key())
		set, err := decodeTombstones(it.Value())
		if err != nil {
			return nil, corrupt(t.def.Name, "", fmt.Sprintf("tombstones of block %d", b), err)
		}
		out[b-from] = set
	}
	return out, corrupt(t.def.Name, "", "tombstones", it.Error())
}

// rowsIn is the number of row numbers given out in a block.
func (t *Table) rowsIn(b uint32) int {
	if b < t.sealedBlocks() {
		return BlockRows
	}
	return int(t.counters.next % BlockRows)
}

// all returns the set of the first n rows of a block.
func firstRows(n int) (s BlockSet) {
	for i := range s {
		switch {
		case n >= 64*(i+1):
			s[i] = ^uint64(0)
		case n > 64*i:
			s[i] = 1<<(n-64*i) - 1
		}
	}
	return s
}

// filled reports whether a column has no key in block b because it was added later.
func (c *ColumnDef) filled(b uint32) bool { return b < c.fillBlocks }

// fillColumn makes n rows of col the value that rows have from before the column was added.
func (c *ColumnDef) fillColumn(col *value.Column, n int) {
	col.Reset(c.Type)
	for i := range n {
		col.Append(i, c.fill)
	}
}
