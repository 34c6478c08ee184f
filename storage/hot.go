package storage

import (
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// hotBlocks keeps column blocks from which single rows were read lately, as they are
// stored, opened. Finding one through Pebble takes as long as all else that a look-up does,
// and a row needs one for each of its columns. It is safe for concurrent use.
//
// What a block holds depends on the commit whose picture is read: an UPDATE writes over
// it. So a block is kept with the commit it was read at, and is good for another one if it
// was not written in between.
type hotBlocks struct {
	limit   int64
	serials serials

	mu      sync.RWMutex
	size    int64
	blocks  map[hotKey]*hotBlock
	ring    []hotKey // of those kept, in the order they came; the hand goes round
	hand    int
	written map[hotKey]uint64 // the last commit that wrote a block
	floor   uint64            // blocks that are not in written were not written after this commit
}

// hotKey names a column's block, or with tombstones the deleted rows of one.
type hotKey struct{ table, column, block uint32 }

// tombstones stands for a column.
const tombstones = ^uint32(0)

type hotBlock struct {
	data   []byte        // nobody changes it
	opened *block.Opened // of a column
	commit uint64
	used   atomic.Bool // since the hand passed
}

// hotOverhead is what a block takes beside its bytes, about.
const hotOverhead = 384

// maxWritten bounds how many written blocks are remembered one by one.
const maxWritten = 1 << 14

func newHotBlocks(limit int64) *hotBlocks {
	return &hotBlocks{limit: limit, blocks: map[hotKey]*hotBlock{}, written: map[hotKey]uint64{}}
}

// get returns a block as of a commit, nil where it has to be read.
func (h *hotBlocks) get(k hotKey, commit uint64) *hotBlock {
	h.mu.RLock()
	b := h.blocks[k]
	if b == nil || h.changed(k) > min(b.commit, commit) {
		h.mu.RUnlock()
		return nil
	}
	h.mu.RUnlock()
	if !b.used.Load() {
		b.used.Store(true)
	}
	return b
}

// changed returns the last commit that may have written a block. mu is held.
func (h *hotBlocks) changed(k hotKey) uint64 { return max(h.floor, h.written[k]) }

// put keeps a copy of a block that was read as of a commit: of a column of a kind, or with
// Null of deleted rows. It returns what it has kept, nil if nothing, and an error if the
// bytes are not those of such a block.
func (h *hotBlocks) put(k hotKey, commit uint64, data []byte, kind value.Kind) (*hotBlock, error) {
	if int64(len(data)) > h.limit/16 {
		return nil, nil
	}
	b := &hotBlock{data: append([]byte(nil), data...), commit: commit}
	if kind != value.Null {
		var err error
		if b.opened, err = block.Open(b.data, kind); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed(k) > commit {
		return nil, nil // an old picture: what comes after it reads another block
	}
	if old := h.blocks[k]; old != nil {
		h.size += int64(len(data) - len(old.data))
		h.blocks[k] = b
		return b, nil
	}
	for h.size += int64(len(data)) + hotOverhead; h.size > h.limit && len(h.ring) > 0; {
		h.hand %= len(h.ring)
		victim := h.ring[h.hand]
		v := h.blocks[victim]
		if v.used.CompareAndSwap(true, false) {
			h.hand++
			continue
		}
		h.size -= int64(len(v.data)) + hotOverhead
		delete(h.blocks, victim)
		last := len(h.ring) - 1
		h.ring[h.hand] = h.ring[last]
		h.ring = h.ring[:last]
	}
	h.blocks[k] = b
	h.ring = append(h.ring, k)
	return b, nil
}

// blockWrites are the blocks that a batch writes: whoever fills one notes them.
type blockWrites struct {
	wrote    []hotKey
	wroteAny bool // or too many to tell
}

// writes notes the block of a key that is set or deleted, if it is one that may be kept.
func (w *blockWrites) writes(k []byte) {
	if h, ok := hotKeyOf(k); ok && !w.wroteAny {
		w.wrote = append(w.wrote, h)
		w.wroteAny = len(w.wrote) > maxWritten
	}
}

// write notes what a commit writes, before anybody can see it.
func (h *hotBlocks) write(w blockWrites, commit uint64) {
	if len(w.wrote) == 0 && !w.wroteAny {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.wroteAny || len(h.written)+len(w.wrote) > maxWritten {
		h.floor = commit
		clear(h.written)
		return
	}
	for _, k := range w.wrote {
		h.written[k] = commit
	}
}

// hotKeyOf returns the block that a key of the store is, ok false if it is none that is
// kept.
func hotKeyOf(k []byte) (_ hotKey, ok bool) {
	table, family, column, block, ok := key.Split(k)
	switch {
	case !ok:
		return hotKey{}, false
	case family == key.Columns:
		return hotKey{table, column, block}, true
	case family == key.Tombstones:
		return hotKey{table, tombstones, block}, true
	}
	return hotKey{}, false
}
