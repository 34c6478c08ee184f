package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/key"
)

// defaultBuildRows is the number of rows from which on a transaction of one statement
// builds an index, or a column of vectors, in files.
const defaultBuildRows = 100_000

// build is what a transaction of one statement writes to table files instead of its
// batch, which is kept in memory. Commit takes the files in with one ingestion.
type build struct {
	dir string
	sst *sstWriter
}

// OneStatement says that the transaction serves one statement: Commit or Rollback
// follow its next write. So what that write builds over the rows of a large table
// need not be kept in memory. Afterwards the transaction accepts no other write, and
// does not show this one.
func (tx *Tx) OneStatement() { tx.single = true }

// inFiles reports whether to build in files.
func (tx *Tx) inFiles(t *Table) bool {
	return tx.single && tx.empty() && t.Rows() >= tx.store.buildRows
}

// changesInFiles is inFiles for changes of rows: where others refer to them, or they to others,
// there is more to write afterwards.
func (tx *Tx) changesInFiles(t *Table) bool { return tx.inFiles(t) && !tx.catalog.bound(t.def) }

// newLoadDir makes a directory for table files that are to be ingested. One that is left
// over is removed at the next Open.
func (s *Store) newLoadDir() (string, error) {
	dir := s.fs.PathJoin(s.dir, fmt.Sprintf("%s%d.%d", loadDirPrefix, time.Now().UnixNano(), tempNumber.Add(1)))
	return dir, s.fs.MkdirAll(dir, 0o755)
}

func (tx *Tx) newBuild() (*build, error) {
	dir, err := tx.store.newLoadDir()
	return &build{dir: dir, sst: tx.store.newSSTWriter(dir)}, err
}

// set writes a key whose last four bytes are a number, or the counters of a table; it is
// the sink of blocks.
func (b *build) set(k, v []byte) error {
	if len(k) == 5 && k[4] == key.Counters {
		return b.sst.put(k, k, v)
	}
	return b.sst.set(k, v)
}

func (b *build) merge(k, v []byte) error { return b.sst.merge(k[:len(k)-4], k, v) }

// deleteKey deletes such a key; deleteRange those of [from, to), which are of one prefix.
func (b *build) deleteKey(k []byte) error { return b.sst.remove(k[:len(k)-4], k) }
func (b *build) deleteRange(from, to []byte) error {
	return b.sst.deleteRange(from[:len(from)-4], from, to)
}

// abort removes the files; those that were ingested are gone already.
func (b *build) abort() {
	b.sst.abort()
	_ = b.sst.s.fs.RemoveAll(b.dir)
}

// inBuild has write fill a build that keepBuild, or write itself, makes what Commit publishes; one
// that is not to be published is removed.
func (tx *Tx) inBuild(write func(b *build) error) error {
	b, err := tx.newBuild()
	defer func() {
		if tx.built == nil {
			b.abort()
		}
	}()
	if err != nil {
		return err
	}
	return write(b)
}

// rewrite has a table get the definition d, which takes what write does: in files where the table
// is large, see inFiles. There b is what w is, else nil.
func (tx *Tx) rewrite(t *Table, d *TableDef, write func(w editor, b *build) error) error {
	if !tx.inFiles(t) {
		if err := write(tx, nil); err != nil {
			return err
		}
		return tx.changeTable(t.def, d)
	}
	return tx.inBuild(func(b *build) error {
		if err := write(b, b); err != nil {
			return err
		}
		return tx.keepBuild(b, d)
	})
}

// keepBuild makes b, and the definition of a table that it changes, what Commit
// publishes.
func (tx *Tx) keepBuild(b *build, d *TableDef) error {
	c := tx.catalog.clone()
	c.generation++
	c.byName[d.Name] = d
	if err := b.sst.changeCatalog(c, d); err != nil {
		return err
	}
	tx.built = b
	return nil
}

// indexFiles is where changes of indexes in files go that a transaction makes.
func (b *build) indexFiles(tx *Tx) *indexFiles {
	return &indexFiles{s: tx.store, view: tx.View, dir: b.dir, sst: b.sst}
}

// buildIndex builds index x of d over the rows of t, in files.
func (tx *Tx) buildIndex(ctx context.Context, t *Table, d *TableDef, x index, progress Progress) error {
	return tx.inBuild(func(b *build) error {
		if w, ok := x.(wholeIndex); ok {
			if err := w.buildWhole(ctx, t, b.sst.put, progress); err != nil {
				return err
			}
			return tx.keepBuild(b, d)
		}
		f := b.indexFiles(tx)
		f.view, f.progress = nil, progress
		ed := x.build(f)
		defer ed.close()
		if err := t.addAll(ctx, x, ed, progress); err != nil {
			return err
		}
		if err := ed.finish(ctx); err != nil {
			return err
		}
		return tx.keepBuild(b, d)
	})
}

// ingest publishes table files, and counts that as a commit. The caller has the
// writer lock. One that gives space back may use the reserve.
func (s *Store) ingest(sst *sstWriter, frees bool) error {
	c, g := &s.commits, s.gen
	if err := sst.countCommit(); err != nil {
		return err
	}
	files, err := sst.finish()
	if err != nil {
		return err
	}
	if err := s.makeRoom(ingestNote, frees); err != nil {
		return err
	}
	defer s.room.done()
	if sst.raises != nil {
		if err := s.announceSchemas(sst.raises); err != nil {
			return err
		}
	}
	// The files would be on the disk before the commits that still wait for it.
	if err := g.guard("commit", func() error { return g.awaitCommits(c.made) }); err != nil {
		return err
	}
	if sst.meetsDamage(g.db) {
		// Pebble is to say so before the files are taken in. It would try for ever afterwards,
		// and all writes would wait for it.
		g.apart.Add(1)
		defer g.apart.Add(-1)
	}
	defer s.fs.files.loading()()
	err = g.try(func() error { return g.db.Ingest(context.Background(), files) })
	if failed := g.failed(); failed != nil {
		g.settle()
		return fmt.Errorf("ingest: %w", failed)
	}
	err = fullOr(err)
	if errors.Is(err, pebble.ErrCorruption) {
		return corrupt("", "", "ingest", err) // nothing was written: what it touches can't be read
	}
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	if s.fs.files != nil { // no log tells of these files
		if s.fs.files.renewNow() != nil {
			if err := s.fs.files.renewNow(); err != nil {
				s.note(err) // the files are there and stay: it is too late to say that they are not
			}
		}
	}
	c.made++
	g.hot.write(blockWrites{wroteAny: true}, c.made)
	if err := g.acknowledge(c.made, g.db.NewSnapshot(), g.ingested.Load()); err != nil {
		g.settle()
		return fmt.Errorf("ingest: %w", err)
	}
	s.acknowledged(c.made)
	if sst.raises != nil {
		s.keepSchemas(sst.raises)
	} else if catalog, err := s.loadCatalog(g.db); err == nil {
		s.keepSchemas(catalog)
	}
	return nil
}

// ingestApart takes table files in whose keys nobody reads before a commit that follows, and
// which lie in memory nowhere. So it needs no writer lock, and is no commit.
func (s *Store) ingestApart(g *generation, sst *sstWriter) error {
	files, err := sst.finish()
	if err != nil || len(files) == 0 {
		return err
	}
	s.mu.Lock()
	err = firstError(g.failure, g.stuck)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	// An ingestion that waits in the log would be cut off there, with the commits after it,
	// if writing the log failed: see trim.
	g.apart.Add(1)
	defer g.apart.Add(-1)
	defer s.fs.files.loading()()
	err = g.try(func() error { return g.db.Ingest(context.Background(), files) })
	if failed := g.failed(); failed != nil {
		g.settle()
		return fmt.Errorf("ingest: %w", failed)
	}
	switch {
	case isFull(err):
		return fullError(err)
	case errors.Is(err, pebble.ErrCorruption):
		return corrupt("", "", "ingest", err)
	case err != nil:
		return fmt.Errorf("ingest: %w", err)
	case s.fs.files != nil: // no log tells of these files
		return s.fs.files.renewNow()
	}
	return nil
}

// awaitCommits waits until the first n commits are on the disk.
func (g *generation) awaitCommits(n uint64) error {
	g.s.mu.Lock()
	wait := g.acked < n
	g.s.mu.Unlock()
	if !wait {
		return nil
	}
	return g.db.LogData(nil, pebble.Sync)
}
