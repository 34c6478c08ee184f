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

// maxTransaction is the size of a transaction's writes from which on it is
// refused: they are kept in memory. A bulk load has no such limit.
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
	done           bool
	gen            *generation
	freeing        int               // more than 0 while something is deleted
	buried         map[uint32]uint64 // rows deleted, by the table's ID
	refs           references        // to be checked: see CheckReferences
	grows          bool              // it has written something else than what deleting takes
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
	if tx.catalog, err = s.catalogItself(s.db); err != nil {
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
		}
		return firstError(err, tx.batch.Close())
	}
	if tx.batch.Empty() {
		s.unlockWriter()
		return firstError(tx.batch.Close(), g.failed())
	}
	c := &s.commits
	err := tx.batch.Set(key.Commits, c.countedCommit(), nil)
	if err == nil {
		err = s.makeRoom(tx.batch.Len(), !tx.grows)
	}
	if err == nil && tx.catalog.generation != tx.baseGeneration {
		err = s.announceSchemas(tx.catalog.generation)
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
	s.keeper.note(tx.buried, size)
	if tx.catalog.generation != tx.baseGeneration {
		s.keepSchemas(tx.catalog)
	}
	return tx.batch.Close()
}

// Rollback discards the transaction. After Commit it does nothing.
func (tx *Tx) Rollback() error {
	if tx.done {
		return nil
	}
	tx.done = true
	tx.closed.Store(true)
	tx.dropBuild()
	tx.store.unlockWriter()
	err := tx.batch.Close()
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
	catalog *catalog
	built   bool
}

// Savepoint returns the current place.
func (tx *Tx) Savepoint() Savepoint {
	return Savepoint{tx.batch.Len(), tx.batch.Count(), tx.catalog, tx.built != nil}
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
	if tx.batch.Len()+len(k)+len(v) > maxTransaction {
		return tooLarge()
	}
	tx.grows = tx.grows || tx.freeing == 0
	tx.writes(k)
	return tx.batch.Set(k, v, nil)
}

// merge appends to the value of a key.
func (tx *Tx) merge(k, v []byte) error {
	if tx.batch.Len()+len(k)+len(v) > maxTransaction {
		return tooLarge()
	}
	tx.grows = tx.grows || tx.freeing == 0
	return tx.batch.Merge(k, v, nil)
}

func (tx *Tx) deleteKey(k []byte) error {
	if tx.batch.Len()+len(k) > maxTransaction {
		return tooLarge()
	}
	tx.writes(k)
	return tx.batch.Delete(k, nil)
}

func (tx *Tx) deleteRange(from, to []byte) error {
	tx.wroteAny = true
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
	tx.wroteAny = true
	return tx.batch.DeleteRange(prefix, key.End(prefix), nil)
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
