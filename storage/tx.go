package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/key"
)

// maxTransaction is what a transaction's changes may take in memory: keys and short values;
// in a large one long values are in a file. A bulk load has no such limit.
const maxTransaction = 1 << 30

// Tx is the read-write transaction. It reads its own writes. It belongs to one
// goroutine, except that reading through it by many is safe while none writes.
// Get Tables anew after writing. A method that fails leaves what it had written so
// far; undo it with RollbackTo.
type Tx struct {
	*View
	blockWrites
	batch          *pebble.Batch
	baseGeneration uint64 // of the catalog at the start
	single         bool   // see OneStatement
	built          *build // nil, or all that the transaction has written
	dir            string // of its files, "" as long as it has none
	done           bool
	gen            *generation
	freeing        int               // more than 0 while something is deleted
	buried         map[uint32]uint64 // rows deleted, by the table's ID
	refs           references        // to be checked: see CheckReferences
	grows          bool              // it has written something else than what deleting takes
	telling        bool              // it has written notes of watches
}

// Begin starts the one read-write transaction, waiting until the one before has
// ended or ctx is done.
func (s *Store) Begin(ctx context.Context) (*Tx, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	if err := s.lockWriter(ctx); err != nil {
		s.leave()
		return nil, err
	}
	tx := &Tx{batch: s.db.NewIndexedBatch(), gen: s.enterGeneration()}
	tx.View = &View{store: s, reader: tx.batch, mu: new(sync.Mutex), close: func() error { return nil }}
	var err error
	if tx.catalog, err = s.loadCatalog(s.db); err != nil {
		return nil, firstError(err, tx.Rollback())
	}
	tx.baseGeneration = tx.catalog.generation
	return tx, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Before returns a view of what the transaction sees now, whatever it writes afterwards. The
// caller closes it before the transaction ends.
func (tx *Tx) Before() (*View, error) {
	v := &View{store: tx.store, mu: new(sync.Mutex), catalog: tx.catalog, close: func() error { return nil }}
	if tx.over != nil {
		v.over = &overlay{overlayState: tx.over.snapshot(), base: tx.over.base, spill: tx.over.spill}
		return v, nil
	}
	b := tx.store.db.NewIndexedBatch()
	if err := b.Apply(tx.batch, nil); err != nil {
		return nil, firstError(err, b.Close())
	}
	v.reader, v.close = b, b.Close
	return v, nil
}

// Commit makes the transaction's writes durable and visible. Afterwards the Tx is
// closed whatever the outcome.
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.done {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return firstError(err, tx.Rollback())
	}
	tx.done = true
	tx.closed.Store(true)
	s := tx.store
	defer s.leave()
	g := tx.gen
	defer g.leave()
	if tx.built != nil {
		err := s.ingest(tx.built.sst, false)
		tx.built.abort()
		s.unlockWriter()
		if err == nil {
			s.keeper.note(tx.buried, 0)
			tx.rings()
		}
		return firstError(err, tx.batch.Close())
	}
	if tx.over != nil && tx.grows {
		return tx.commitLarge()
	}
	if tx.empty() {
		s.unlockWriter()
		return firstError(tx.closeWrites(), g.failed())
	}
	if tx.over != nil { // it only deletes: that is possible on a full disk
		fresh := g.db.NewBatch()
		if err := tx.over.apply(fresh); err != nil {
			s.unlockWriter()
			return errors.Join(err, fresh.Close(), tx.closeWrites())
		}
		if err := tx.closeWrites(); err != nil {
			s.unlockWriter()
			return errors.Join(err, fresh.Close())
		}
		tx.batch = fresh
	}
	c := &s.commits
	err := tx.batch.Set(key.Commits, c.countedCommit(), nil)
	if err == nil && s.id != "" {
		err = tx.batch.LogData([]byte(idNote+s.id), nil)
	}
	if err == nil {
		err = s.makeRoom(tx.batch.Len(), !tx.grows)
	}
	if err == nil && tx.catalog.generation != tx.baseGeneration {
		err = s.announceSchemas(tx.catalog)
	}
	if err != nil {
		s.unlockWriter()
		return firstError(err, tx.batch.Close())
	}
	size := tx.batch.Len()
	// The next writer may start as soon as the batch has its place in the log; many
	// that wait for the disk share one sync.
	err = g.guard("commit", func() error {
		if s.noSync {
			return g.db.Apply(tx.batch, pebble.NoSync)
		}
		return g.db.ApplyNoSyncWait(tx.batch, pebble.Sync)
	})
	s.room.done()
	if err != nil {
		s.unlockWriter()
		return err // the batch is left to the collector: Pebble may still hold it
	}
	c.made++
	number := c.made
	g.hot.write(tx.blockWrites, number)
	snap := g.db.NewSnapshot() // of what views see when the commit is on the disk
	s.unlockWriter()
	if !s.noSync {
		if err := g.try(tx.batch.SyncWait); err != nil {
			g.fail(err)
		}
		if err := g.listed(); err != nil {
			g.settle()
			return errors.Join(err, snap.Close())
		}
	}
	if err := g.acknowledge(number, snap, 0); err != nil {
		g.settle()
		return fmt.Errorf("commit: %w", err)
	}
	s.acknowledged(number)
	tx.rings()
	s.keeper.note(tx.buried, size)
	if tx.catalog.generation != tx.baseGeneration {
		s.keepSchemas(tx.catalog)
	}
	return tx.batch.Close()
}

// rings wakes those who wait for notes, once the commit is on the disk.
func (tx *Tx) rings() {
	if tx.telling {
		tx.store.bell.ring()
	}
}

// empty reports whether nothing was written, but for what is built in files.
func (tx *Tx) empty() bool { return tx.batch.Empty() && tx.over == nil }

// size is what the changes so far take in memory, about.
func (tx *Tx) size() int {
	if tx.over != nil {
		return int(tx.over.held)
	}
	return tx.batch.Len()
}

// commitLarge is Commit for what is in an overlay: it goes into table files, which are
// ingested, and not into the log.
func (tx *Tx) commitLarge() error {
	s := tx.store
	sst := s.newSSTWriter(tx.dir)
	if tx.catalog.generation != tx.baseGeneration {
		sst.raises = tx.catalog
	}
	err := tx.over.write(sst)
	if err == nil {
		err = s.ingest(sst, false)
	}
	sst.abort()
	size := tx.size()
	closing := tx.closeWrites()
	s.unlockWriter()
	if err != nil {
		return fullOr(err)
	}
	tx.rings()
	s.keeper.note(tx.buried, size)
	return closing
}

// makeLarge moves the changes from the batch to an overlay. The batch stays as it is, for
// iterators that read it and for savepoints in it.
func (tx *Tx) makeLarge() error {
	if tx.dir == "" {
		dir, err := tx.store.newLoadDir()
		if err != nil {
			return fullOr(err)
		}
		tx.dir = dir
	}
	o := newOverlay(tx.gen.db, nil)
	if !tx.store.inMemory {
		o.spill = &spill{fs: tx.store.fs, dir: tx.dir, least: spillValue}
	}
	for r := tx.batch.Reader(); ; {
		kind, k, v, ok, err := r.Next()
		if err == nil && ok {
			err = o.do(kind, k, v)
		}
		if err != nil {
			o.spill.close()
			return err
		}
		if !ok {
			break
		}
	}
	tx.over = o
	return nil
}

// closeWrites gives up what the transaction has written.
func (tx *Tx) closeWrites() error {
	if tx.over != nil {
		tx.over.spill.close()
		tx.over = nil
	}
	if tx.dir != "" {
		_ = tx.store.fs.RemoveAll(tx.dir) // what can't be removed goes at the next Open
	}
	return tx.batch.Close()
}

// grow is called before n bytes are written.
func (tx *Tx) grow(n int) error {
	if tx.over == nil {
		if tx.batch.Len()+n <= tx.store.largeTransaction {
			return nil
		}
		if err := tx.makeLarge(); err != nil {
			return err
		}
	}
	if tx.over.held+int64(n) > maxTransaction {
		return tooLarge()
	}
	return nil
}

// Rollback discards the transaction. After Commit it does nothing.
func (tx *Tx) Rollback() error {
	if tx.done {
		return nil
	}
	tx.done = true
	tx.closed.Store(true)
	tx.dropBuild()
	err := tx.closeWrites()
	tx.store.unlockWriter()
	tx.gen.leave()
	tx.store.leave()
	return err
}

func (tx *Tx) dropBuild() {
	if tx.built != nil {
		tx.built.abort()
		tx.built = nil
	}
}

// Savepoint marks a place in the transaction.
type Savepoint struct {
	size    int // bytes of the batch
	count   uint32
	over    *overlayState // instead, in a large transaction
	catalog *catalog
	built   bool
}

// Savepoint returns the current place.
func (tx *Tx) Savepoint() Savepoint {
	sp := Savepoint{tx.batch.Len(), tx.batch.Count(), nil, tx.catalog, tx.built != nil}
	if tx.over != nil {
		state := tx.over.snapshot()
		sp.over = &state
	}
	return sp
}

// RollbackTo undoes everything written since the savepoint. Scanners of the
// transaction must be closed.
func (tx *Tx) RollbackTo(sp Savepoint) error {
	if tx.done {
		return ErrClosed
	}
	tx.refs = references{}
	if !sp.built {
		tx.dropBuild()
	}
	if tx.over != nil {
		if tx.catalog = sp.catalog; sp.over != nil {
			tx.over.restore(*sp.over)
			return nil
		}
		tx.over.spill.close()
		tx.over = nil
	}
	if tx.batch.Len() == sp.size {
		return nil
	}
	// The batch is a log of operations: keep its beginning and index it again.
	// Bytes 8 to 12 are the number of operations.
	repr := append([]byte(nil), tx.batch.Repr()[:sp.size]...)
	binary.LittleEndian.PutUint32(repr[8:], sp.count)
	kept := tx.store.db.NewBatch()
	defer kept.Close()
	fresh := tx.store.db.NewIndexedBatch()
	if err := kept.SetRepr(repr); err != nil {
		return err
	}
	if sp.count > 0 {
		if err := fresh.Apply(kept, nil); err != nil {
			return err
		}
	}
	old := tx.batch
	tx.batch, tx.reader, tx.catalog = fresh, fresh, sp.catalog
	return old.Close()
}

// set writes a key; it is the sink of sealed blocks, too.
func (tx *Tx) set(k, v []byte) error {
	if err := tx.grow(len(k) + len(v)); err != nil {
		return err
	}
	tx.grows = tx.grows || tx.freeing == 0
	tx.writes(k)
	if tx.over != nil {
		return tx.over.set(k, v)
	}
	return tx.batch.Set(k, v, nil)
}

// merge appends to the value of a key.
func (tx *Tx) merge(k, v []byte) error {
	if err := tx.grow(len(k) + len(v)); err != nil {
		return err
	}
	tx.grows = tx.grows || tx.freeing == 0
	if tx.over != nil {
		return tx.over.merge(k, v)
	}
	return tx.batch.Merge(k, v, nil)
}

func (tx *Tx) deleteKey(k []byte) error {
	if err := tx.grow(len(k)); err != nil {
		return err
	}
	tx.writes(k)
	if tx.over != nil {
		return tx.over.delete(k)
	}
	return tx.batch.Delete(k, nil)
}

func (tx *Tx) deleteRange(from, to []byte) error {
	if err := tx.grow(len(from) + len(to)); err != nil {
		return err
	}
	tx.wroteAny = true
	if tx.over != nil {
		tx.over.deleteRange(from, to)
		return nil
	}
	return tx.batch.DeleteRange(from, to, nil)
}

func tooLarge() error {
	return fmt.Errorf("%w: its changes take more than %d MiB of memory; use COPY, or several transactions", ErrTooLarge, maxTransaction>>20)
}

// frees notes that what is written until the function it returns is called serves to
// delete: that is possible on a full disk.
func (tx *Tx) frees() (done func()) {
	tx.freeing++
	return func() { tx.freeing-- }
}

// deletePrefix deletes all keys that start with prefix.
func (tx *Tx) deletePrefix(prefix []byte) error {
	return tx.deleteRange(prefix, key.End(prefix))
}

func (tx *Tx) writable() error {
	if tx.done {
		return ErrClosed
	}
	if tx.built != nil {
		return errors.New("the transaction was for one statement, and that has been run")
	}
	return nil
}

// table returns a table for a write.
func (tx *Tx) table(name string) (*Table, error) {
	if err := tx.writable(); err != nil {
		return nil, err
	}
	return tx.Table(name)
}

func (tx *Tx) setCounters(d *TableDef, c counters) error {
	return tx.set(key.Family(nil, d.ID, key.Counters), c.encode())
}
