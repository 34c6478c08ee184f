package storage

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// ReadStats counts what was read through a View, for tests and EXPLAIN ANALYZE.
// Blocks that come from the cache count as well.
type ReadStats struct {
	ScalarBytes atomic.Int64 // scalar column blocks
	PageBytes   atomic.Int64 // float32 pages
	CodeBytes   atomic.Int64 // code blocks
	KeyBytes    atomic.Int64 // primary key map and indexes
	RowBytes    atomic.Int64 // tail rows
	Pages       atomic.Int64 // float32 pages touched
}

// View is a consistent picture of the store. Its methods, and those of its
// Tables, are safe for concurrent use; a Scanner belongs to one goroutine.
type View struct {
	Reads ReadStats

	store   *Store
	reader  pebble.Reader
	over    *overlay // instead of the reader, in a large transaction
	catalog *catalog
	picture *picture // nil: the view is of a snapshot of its own, or of a transaction
	gen     *generation
	close   func() error
	closed  atomic.Bool
	// In a transaction the reader is its batch, which builds an index of its
	// range deletions while it is read.
	mu *sync.Mutex
}

// Snapshot returns a consistent view of everything committed so far. It never
// waits for the writer. The caller closes it.
func (s *Store) Snapshot() (*View, error) {
	v := new(View)
	return v, s.SnapshotTo(v)
}

// SnapshotTo is Snapshot in the memory of v, which is new.
func (s *Store) SnapshotTo(v *View) error {
	if err := s.enter(); err != nil {
		return err
	}
	g, p := s.enterLatest()
	v.store, v.reader, v.picture, v.gen = s, p.snap, p, g
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.catalog == nil {
		var err error
		if p.catalog, err = s.loadCatalog(p.snap); err != nil {
			v.leave()
			return err
		}
	}
	v.catalog = p.catalog
	return nil
}

// leave gives back what a view of a picture holds.
func (v *View) leave() error {
	err := v.gen.release(v.picture)
	v.gen.leave()
	v.store.leave()
	return err
}

// writerView is a view of everything that is in the database, also of commits that
// still wait for the disk. The caller has the writer lock.
func (s *Store) writerView() (*View, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	g := s.enterGeneration()
	snap := g.db.NewSnapshot()
	return s.newView(snap, func() error {
		err := snap.Close()
		g.leave()
		s.leave()
		return err
	})
}

func (s *Store) newView(snap *pebble.Snapshot, close func() error) (*View, error) {
	v := &View{store: s, reader: snap, close: close}
	var err error
	if v.catalog, err = s.loadCatalog(snap); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// Close releases the view. Scanners must be closed before.
func (v *View) Close() error {
	if !v.closed.CompareAndSwap(false, true) {
		return nil
	}
	if v.picture != nil {
		return v.leave()
	}
	return v.close()
}

// Tables returns all tables, ordered by name.
func (v *View) Tables() []*TableDef { return v.catalog.sorted() }

// Index returns the index of this name and its table, or a *NoIndexError.
func (v *View) Index(name string) (*TableDef, *IndexDef, error) {
	if d, x := v.catalog.index(name); d != nil {
		return d, x, nil
	}
	return nil, nil, &NoIndexError{name}
}

// Table returns a table by name, or a *NoTableError.
func (v *View) Table(name string) (*Table, error) {
	if v.closed.Load() {
		return nil, ErrClosed
	}
	d := v.catalog.byName[name]
	if d == nil {
		return nil, &NoTableError{name}
	}
	t := &Table{view: v, def: d}
	var err error
	t.counters, err = v.readCounters(d)
	return t, err
}

// Refresh makes t, a Table of any view, the table as v sees it. It reports false, and
// leaves t as it is, where its definition is another one by now: compare is by identity,
// so that of a table made anew, or in a changed catalog, counts as another.
func (v *View) Refresh(t *Table) (bool, error) {
	if v.closed.Load() {
		return false, ErrClosed
	}
	if v.catalog.byName[t.def.Name] != t.def {
		return false, nil
	}
	c, err := v.readCounters(t.def)
	if err != nil {
		return false, err
	}
	t.view, t.counters, t.own = v, c, nil
	return true, nil
}

func (v *View) get(k []byte, f func([]byte) error) (bool, error) {
	if v.closed.Load() {
		return false, ErrClosed
	}
	if v.mu != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
	}
	b, c, err := v.getFrom(k)
	if err == pebble.ErrNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = f(b)
	c.Close()
	return true, err
}

func (v *View) iter(lower, upper []byte) (iterator, error) {
	if v.closed.Load() {
		return nil, ErrClosed
	}
	if v.mu != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
	}
	return v.newIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

// getFrom and newIter read the view; mu is held.
func (v *View) getFrom(k []byte) ([]byte, io.Closer, error) {
	if v.over != nil {
		return v.over.Get(k)
	}
	return v.reader.Get(k)
}

func (v *View) newIter(opts *pebble.IterOptions) (iterator, error) {
	if v.over != nil {
		return v.over.newIter(opts)
	}
	it, err := v.reader.NewIter(opts)
	if err != nil {
		return nil, err
	}
	return it, nil
}

// prefixIter iterates over the keys that start with prefix.
func (v *View) prefixIter(prefix []byte) (iterator, error) {
	return v.iter(prefix, key.End(prefix))
}

// counters of a table: rows are numbered up to next, live of them not deleted.
type counters struct {
	next, live uint64
	identity   int64 // the highest number that an identity column was given so far
}

func (c counters) encode() []byte {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.next), c.live)
	if c.identity != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(c.identity))
	}
	return b
}

// decodeCounters reads what encode writes.
func decodeCounters(b []byte) (counters, error) {
	if len(b) != 16 && len(b) != 24 {
		return counters{}, fmt.Errorf("%w: counters have %d bytes", block.ErrMalformed, len(b))
	}
	c := counters{next: binary.BigEndian.Uint64(b), live: binary.BigEndian.Uint64(b[8:])}
	if len(b) == 24 {
		c.identity = int64(binary.BigEndian.Uint64(b[16:]))
	}
	if c.live > c.next || c.next >= 1<<41 {
		return counters{}, fmt.Errorf("%w: %d rows of %d are live", block.ErrMalformed, c.live, c.next)
	}
	return c, nil
}

// number notes the values that an identity column is given in rows pos.
func (c *counters) number(d *TableDef, cols []*value.Column, pos []int32) {
	for i := range d.Columns {
		if !d.Columns[i].Identity || cols[i] == nil || cols[i].Type.Kind != value.Integer {
			continue
		}
		for _, p := range pos {
			if !cols[i].Null(int(p)) {
				c.identity = max(c.identity, cols[i].Ints[p])
			}
		}
	}
}

// sealed is the number of full blocks.
func (c counters) sealed() uint32 { return uint32(c.next / BlockRows) }

func (c counters) blocks() uint32 { return uint32((c.next + BlockRows - 1) / BlockRows) }

func (v *View) readCounters(d *TableDef) (c counters, err error) {
	if p := v.picture; p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if c, ok := p.counters[d.ID]; ok {
			return c, nil
		}
		defer func() {
			if err == nil {
				if p.counters == nil {
					p.counters = map[uint32]counters{}
				}
				p.counters[d.ID] = c
			}
		}()
	}
	ok, err := v.get(key.Family(nil, d.ID, key.Counters), func(b []byte) (err error) {
		c, err = decodeCounters(b)
		return err
	})
	if err == nil && !ok {
		err = fmt.Errorf("%w: no counters", block.ErrMalformed)
	}
	return c, corrupt(d.Name, "", "counters", err)
}
