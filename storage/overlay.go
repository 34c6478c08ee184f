package storage

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tidwall/btree"

	"github.com/lupadb/lupa/storage/internal/key"
)

// iterator is what keys are read with: Pebble's, or one that sees the changes of a large
// transaction on top of it. Keys and values are valid until the next call.
type iterator interface {
	First() bool
	Last() bool
	Next() bool
	Prev() bool
	SeekGE(k []byte) bool
	SeekGEWithLimit(k, limit []byte) pebble.IterValidityState
	NextWithLimit(limit []byte) pebble.IterValidityState
	Key() []byte
	Value() []byte
	ValueAndErr() ([]byte, error)
	Error() error
	Close() error
}

// overlay holds the changes of a transaction that has grown too large for a batch, which is
// a log: what is written over stays in it, and it doubles by copying. Here a key is held
// once, and long values lie in a file. It belongs to the transaction: see Tx and View.mu.
type overlay struct {
	overlayState
	base  *pebble.DB
	spill *spill // nil: nothing is written to files
	gone  int64  // bytes of changes that were taken out of the tree; see drop
}

// overlayState is all that a savepoint has to keep of an overlay: copying the tree takes no
// time, and those who change it afterwards copy the nodes that they change.
type overlayState struct {
	tree  *btree.BTreeG[*change]
	spans []span // deleted below the tree; ascending and apart, never changed in place
	held  int64  // bytes in memory, about
}

// change is what a transaction does to one key. It is not changed once it is in a tree.
type change struct {
	data  []byte // the key and, unless the spill has it, the value
	off   int64  // of the value in the spill
	size  int    // of the value
	width uint32 // of the key
	kind  changeKind
}

func (c *change) key() []byte { return c.data[:c.width:c.width] }

// value returns the value, nil where it lies in the spill.
func (c *change) value() []byte {
	if c.spilled() {
		return nil
	}
	return c.data[c.width:]
}

func (c *change) spilled() bool { return c.size > len(c.data)-int(c.width) }

// changeAt is what a key is looked for with.
func changeAt(k []byte) *change { return &change{data: k, width: uint32(len(k))} }

type changeKind uint8

const (
	changeSet changeKind = iota
	changeDelete
	changeMerge // value is appended to what lies below
)

// changeOverhead is about what a change takes beside its key and value.
const changeOverhead = 80

// span is a range of keys [from, to).
type span struct{ from, to []byte }

func newOverlay(base *pebble.DB, sp *spill) *overlay {
	return &overlay{overlayState: overlayState{tree: newTree()}, base: base, spill: sp}
}

func newTree() *btree.BTreeG[*change] {
	less := func(a, b *change) bool { return bytes.Compare(a.key(), b.key()) < 0 }
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

// snapshot returns the state as it is, whatever is written afterwards.
func (o *overlay) snapshot() overlayState {
	s := o.overlayState
	s.tree = s.tree.Copy()
	return s
}

// restore goes back to a state, which may be asked for again.
func (o *overlay) restore(s overlayState) {
	o.overlayState = s
	o.tree = s.tree.Copy()
}

func (o *overlay) put(c *change) {
	o.held += c.held()
	if old, replaced := o.tree.Set(c); replaced {
		o.dropped(old)
	}
}

// drop takes a change out of the tree.
func (o *overlay) drop(c *change) {
	o.tree.Delete(c)
	o.dropped(c)
}

// dropped counts a change that is not in the tree any more. When the library splits a node, both
// halves go on in one array, in which the left one keeps what has left the right one since: rows
// that were added one by one, and have gone into blocks. So once that may be much the
// tree is built anew.
func (o *overlay) dropped(c *change) {
	o.held -= c.held()
	if o.gone += c.held(); o.gone < o.held/4+goneLeast {
		return
	}
	o.gone = 0
	fresh := newTree()
	o.tree.Scan(func(c *change) bool {
		fresh.Load(c)
		return true
	})
	o.tree = fresh
}

// goneLeast is how many bytes of changes may be held that are not in the tree any more.
const goneLeast = 4 << 20

func (c *change) held() int64 { return int64(len(c.data)) + changeOverhead }

// newChange copies k and v, in one piece of memory.
func newChange(kind changeKind, k, v []byte) *change {
	b := make([]byte, len(k)+len(v))
	copy(b, k)
	copy(b[len(k):], v)
	return &change{kind: kind, data: b, width: uint32(len(k)), size: len(v)}
}

func (o *overlay) set(k, v []byte) error {
	if o.spill == nil || len(v) < o.spill.least {
		o.put(newChange(changeSet, k, v))
		return nil
	}
	off, err := o.spill.append(v)
	if err != nil {
		return err
	}
	c := newChange(changeSet, k, nil)
	c.off, c.size = off, len(v)
	o.put(c)
	return nil
}

// merge appends to the value of a key.
func (o *overlay) merge(k, v []byte) error {
	old, ok := o.tree.Get(changeAt(k))
	switch {
	case !ok && !o.deleted(k):
		o.put(newChange(changeMerge, k, v))
	case !ok, old.kind == changeDelete:
		return o.set(k, v)
	default:
		data := old.data
		if old.spilled() {
			before, err := o.valueOf(old, nil)
			if err != nil {
				return err
			}
			data = append(bytes.Clone(old.key()), before...)
		}
		// Older states see no further than they did; a state that was gone back from is not
		// read any more.
		o.put(&change{kind: old.kind, data: append(data, v...), width: old.width, size: old.size + len(v)})
	}
	return nil
}

func (o *overlay) delete(k []byte) error {
	old, ok := o.tree.Get(changeAt(k))
	below := !o.deleted(k)
	if below && ok && old.kind == changeSet {
		// What was added and is gone again leaves nothing: rows are added one by one, and go
		// into blocks.
		_, c, err := o.base.Get(k)
		switch {
		case err == pebble.ErrNotFound:
			below = false
		case err != nil:
			return err
		default:
			c.Close()
		}
	}
	if below {
		o.put(newChange(changeDelete, k, nil))
	} else if ok {
		o.drop(old)
	}
	return nil
}

func (o *overlay) deleteRange(from, to []byte) {
	if bytes.Compare(from, to) >= 0 {
		return
	}
	var in []*change
	o.tree.Ascend(changeAt(from), func(c *change) bool {
		if bytes.Compare(c.key(), to) >= 0 {
			return false
		}
		in = append(in, c)
		return true
	})
	for _, c := range in {
		o.drop(c)
	}
	// Spans that touch the new one become one with it.
	i := sort.Search(len(o.spans), func(i int) bool { return bytes.Compare(o.spans[i].to, from) >= 0 })
	j := i
	s := span{bytes.Clone(from), bytes.Clone(to)}
	for ; j < len(o.spans) && bytes.Compare(o.spans[j].from, to) <= 0; j++ {
		if bytes.Compare(o.spans[j].from, s.from) < 0 {
			s.from = o.spans[j].from
		}
		if bytes.Compare(o.spans[j].to, s.to) > 0 {
			s.to = o.spans[j].to
		}
	}
	o.spans = slices.Concat(o.spans[:i], []span{s}, o.spans[j:])
}

// in returns the span that k lies in, nil when there is none.
func (s *overlayState) in(k []byte) *span {
	i := sort.Search(len(s.spans), func(i int) bool { return bytes.Compare(s.spans[i].to, k) > 0 })
	if i < len(s.spans) && bytes.Compare(s.spans[i].from, k) <= 0 {
		return &s.spans[i]
	}
	return nil
}

// deleted reports whether nothing of what lies below is seen at k.
func (s *overlayState) deleted(k []byte) bool { return s.in(k) != nil }

// do repeats what was written to a batch.
func (o *overlay) do(kind pebble.InternalKeyKind, k, v []byte) error {
	switch kind {
	case pebble.InternalKeyKindSet:
		return o.set(k, v)
	case pebble.InternalKeyKindMerge:
		return o.merge(k, v)
	case pebble.InternalKeyKindDelete:
		return o.delete(k)
	case pebble.InternalKeyKindRangeDelete:
		o.deleteRange(k, v)
		return nil
	}
	return fmt.Errorf("a batch holds an entry of kind %v", kind)
}

// valueOf returns the value of a change, in dst where it has to be read.
func (o *overlay) valueOf(c *change, dst []byte) ([]byte, error) {
	if !c.spilled() {
		return c.value(), nil
	}
	dst = slices.Grow(dst[:0], c.size)[:c.size]
	return dst, o.spill.read(dst, c.off)
}

// Get is pebble.Reader's.
func (o *overlay) Get(k []byte) ([]byte, io.Closer, error) {
	c, ok := o.tree.Get(changeAt(k))
	switch {
	case !ok && o.deleted(k), ok && c.kind == changeDelete:
		return nil, nil, pebble.ErrNotFound
	case !ok:
		return o.base.Get(k)
	}
	v, err := o.valueOf(c, nil)
	if err == nil && c.kind == changeMerge {
		var below []byte
		if below, err = get(o.base, k); below != nil {
			v = append(below, v...)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return v, io.NopCloser(nil), nil
}

func (o *overlay) newIter(opts *pebble.IterOptions) (iterator, error) {
	base, err := o.base.NewIter(opts)
	if err != nil {
		return nil, err
	}
	it := &overlayIter{o: o, state: o.snapshot(), base: base, lower: bytes.Clone(opts.GetLowerBound()), upper: bytes.Clone(opts.GetUpperBound())}
	it.changes = it.state.tree.Iter()
	return it, nil
}

// overlayIter iterates over a state of an overlay and what lies below.
type overlayIter struct {
	o            *overlay
	state        overlayState
	base         *pebble.Iterator
	changes      btree.IterG[*change]
	lower, upper []byte

	back           bool // which way both are ahead of the current key, or at it
	onBase, onTree bool // whether base and changes are at a key
	at             *change
	both           bool // base is at the key of at, too
	paused         bool // base stopped at a limit, and is not at the next key
	valid          bool
	err            error
	seek, buf      []byte
}

func (it *overlayIter) First() bool {
	it.back, it.paused = false, false
	it.onBase = it.base.First()
	if len(it.lower) > 0 {
		it.onTree = it.changes.Seek(changeAt(it.lower))
	} else {
		it.onTree = it.changes.First()
	}
	return it.settle(nil) == pebble.IterValid
}

func (it *overlayIter) Last() bool {
	it.back, it.paused = true, false
	it.onBase = it.base.Last()
	it.treeBefore(it.upper)
	return it.settle(nil) == pebble.IterValid
}

// treeBefore moves to the last change before k; nil: the last.
func (it *overlayIter) treeBefore(k []byte) {
	if len(k) > 0 && it.changes.Seek(changeAt(k)) {
		it.onTree = it.changes.Prev()
		return
	}
	it.onTree = it.changes.Last()
}

func (it *overlayIter) SeekGE(k []byte) bool { return it.SeekGEWithLimit(k, nil) == pebble.IterValid }

func (it *overlayIter) SeekGEWithLimit(k, limit []byte) pebble.IterValidityState {
	it.back = false
	if bytes.Compare(k, it.lower) < 0 {
		k = it.lower
	}
	it.onBase = it.seekBase(k, limit)
	it.onTree = it.changes.Seek(changeAt(k))
	return it.settle(limit)
}

// seekBase moves base to k or behind, but not beyond limit, if there is one.
func (it *overlayIter) seekBase(k, limit []byte) bool {
	if it.paused = false; limit == nil {
		return it.base.SeekGE(k)
	}
	at := it.base.SeekGEWithLimit(k, limit)
	it.paused = at == pebble.IterAtLimit
	return at == pebble.IterValid
}

func (it *overlayIter) Next() bool { return it.NextWithLimit(nil) == pebble.IterValid }

func (it *overlayIter) NextWithLimit(limit []byte) pebble.IterValidityState {
	if !it.valid {
		return pebble.IterExhausted
	}
	if it.back || it.paused {
		it.seek = append(it.seek[:0], it.Key()...)
		it.back = false
		it.onBase = it.seekBase(it.seek, nil)
		it.onTree = it.changes.Seek(changeAt(it.seek))
		if at := it.settle(nil); at != pebble.IterValid {
			return at
		}
	}
	it.step()
	return it.settle(limit)
}

func (it *overlayIter) Prev() bool {
	if !it.valid {
		return false
	}
	if !it.back {
		it.seek = append(it.seek[:0], it.Key()...)
		it.back, it.paused = true, false
		it.onBase = it.base.SeekLT(it.seek)
		it.treeBefore(it.seek)
		return it.settle(nil) == pebble.IterValid
	}
	it.step()
	return it.settle(nil) == pebble.IterValid
}

// step leaves the current key.
func (it *overlayIter) step() {
	if it.at == nil || it.both {
		if it.back {
			it.onBase = it.base.Prev()
		} else {
			it.onBase = it.base.Next()
		}
	}
	if it.at != nil {
		if it.back {
			it.onTree = it.changes.Prev()
		} else {
			it.onTree = it.changes.Next()
		}
	}
}

// settle finds the next key that is there, from where base and changes are.
func (it *overlayIter) settle(limit []byte) pebble.IterValidityState {
	it.valid, it.at, it.both = false, nil, false
	for {
		for it.onBase {
			s := it.state.in(it.base.Key())
			if s == nil {
				break
			}
			if it.back {
				it.onBase = it.base.SeekLT(s.from)
			} else {
				it.onBase = it.seekBase(s.to, limit)
			}
		}
		if !it.onBase {
			if it.err = it.base.Error(); it.err != nil {
				return pebble.IterExhausted
			}
		}
		var c *change
		if it.onTree {
			c = it.changes.Item()
			if it.back && bytes.Compare(c.key(), it.lower) < 0 || !it.back && len(it.upper) > 0 && bytes.Compare(c.key(), it.upper) >= 0 {
				it.onTree, c = false, nil
			}
		}
		if c == nil && !it.onBase {
			return pebble.IterExhausted
		}
		order := 1 // whether the change comes first
		switch {
		case !it.onBase:
			order = -1
		case c != nil:
			if order = bytes.Compare(c.key(), it.base.Key()); it.back {
				order = -order
			}
		}
		if order > 0 {
			c = nil
		}
		it.at, it.both = c, order == 0
		if limit != nil && bytes.Compare(it.Key(), limit) >= 0 {
			return pebble.IterAtLimit
		}
		if c == nil || c.kind != changeDelete {
			it.valid = true
			return pebble.IterValid
		}
		it.step()
	}
}

func (it *overlayIter) Key() []byte {
	if it.at != nil {
		return it.at.key()
	}
	return it.base.Key()
}

func (it *overlayIter) ValueAndErr() ([]byte, error) {
	if it.at == nil {
		return it.base.ValueAndErr()
	}
	v, err := it.o.valueOf(it.at, it.buf)
	if it.at.spilled() {
		it.buf = v
	}
	if err != nil || it.at.kind != changeMerge || !it.both {
		return v, err
	}
	below, err := it.base.ValueAndErr()
	it.buf = append(append(it.buf[:0], below...), v...)
	return it.buf, err
}

// Value is ValueAndErr for whoever asks for Error afterwards.
func (it *overlayIter) Value() []byte {
	v, err := it.ValueAndErr()
	if err != nil {
		it.err = err
	}
	return v
}

func (it *overlayIter) Error() error { return it.err }
func (it *overlayIter) Close() error { return it.base.Close() }

// groupBytes is how much of an overlay goes into one file at least, where what follows is of
// another kind.
const groupBytes = 8 << 20

// write puts all changes into table files that can be ingested together.
func (o *overlay) write(to *sstWriter) error { return o.writeGroups(to, groupBytes) }

func (o *overlay) writeGroups(to *sstWriter, least int) error {
	var group, last, until []byte // the stream, the prefix before, and where its last span ends
	size := 0
	enter := func(k []byte) {
		p := streamOf(k)
		if bytes.Equal(p, last) {
			return
		}
		codes := func(p []byte) bool { return len(p) > 4 && p[4] == key.Codes }
		if group == nil || bytes.Compare(k, until) >= 0 && (size >= least || codes(p) != codes(last)) {
			group, size = p, 0
		}
		last = p
	}
	spans := o.spans
	delete := func(s span) error {
		enter(s.from)
		until = s.to
		return to.deleteWithin(group, s.from, s.to)
	}
	var err error
	var buf []byte
	o.tree.Scan(func(c *change) bool {
		for len(spans) > 0 && bytes.Compare(spans[0].from, c.key()) <= 0 {
			if err = delete(spans[0]); err != nil {
				return false
			}
			spans = spans[1:]
		}
		enter(c.key())
		switch c.kind {
		case changeDelete:
			err = to.remove(group, c.key())
		default:
			var v []byte
			if v, err = o.valueOf(c, buf); err != nil {
				return false
			}
			if c.spilled() {
				buf = v
			}
			size += len(v)
			if c.kind == changeMerge {
				err = to.merge(group, c.key(), v)
			} else {
				err = to.put(group, c.key(), v)
			}
		}
		return err == nil
	})
	for _, s := range spans {
		if err == nil {
			err = delete(s)
		}
	}
	return err
}

// apply puts all changes into a batch.
func (o *overlay) apply(b *pebble.Batch) (err error) {
	for _, s := range o.spans {
		if err := b.DeleteRange(s.from, s.to, nil); err != nil {
			return err
		}
	}
	o.tree.Scan(func(c *change) bool {
		var v []byte
		if v, err = o.valueOf(c, nil); err != nil {
			return false
		}
		switch c.kind {
		case changeDelete:
			err = b.Delete(c.key(), nil)
		case changeMerge:
			err = b.Merge(c.key(), v, nil)
		default:
			err = b.Set(c.key(), v, nil)
		}
		return err == nil
	})
	return err
}

// streamOf returns the prefix of a key whose keys are read together: a column's blocks, an
// index.
func streamOf(k []byte) []byte {
	n := 5
	if len(k) > 4 {
		switch k[4] {
		case key.Columns, key.Pages, key.Index:
			n = 9
		case key.Codes:
			n = 10
		}
	}
	return k[:min(n, len(k))]
}
