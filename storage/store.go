package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Store is an open store. All methods are safe for concurrent use.
type Store struct {
	dir           string
	id            string // of the store and its copies; "" when it has none
	readOnly      bool
	noSync        bool
	writerTimeout time.Duration
	inMemory      bool
	db            *pebble.DB // of the current generation; for whoever has the writer lock
	opts          *pebble.Options
	cache         *pebble.Cache
	fs            *guardFS // for all but Pebble, which has one of its generation
	lock          io.Closer
	writer        chan struct{} // holds a token while a Tx or Loader is at work

	// Whoever holds the token may use these; see KeepPrompts.
	prompts   int // how many are kept; -1 when that has to be counted
	dropUpper bool

	hotSize    int64 // see hotBlocks
	samples    samples
	sortMemory int    // see defaultSortMemory
	buildRows  uint64 // see defaultBuildRows

	largeTransaction int // see there

	patience time.Duration // how long a write may hang after the disk has failed

	mu      sync.Mutex
	users   int           // views, transactions and calls that need the database
	backups sync.Mutex    // one at a time
	behind  int           // of the users, those that only clean up: see cleanUp
	quiet   chan struct{} // closed when there are none left
	ending  bool          // Close was called
	closing bool          // and nobody may begin anything any more
	done    chan struct{}
	noted   error // last error of a background job
	catalog *catalog
	gen     *generation // the database as it is open now
	retired int         // generations that views still read
	later   []string    // files to be removed when there are none

	room   *room
	keeper keeper

	schemas struct {
		sync.Mutex
		kept      uint64   // generation of the catalog that has a second copy
		announced uint64   // generation whose commit is under way, or was
		lost      *catalog // the second copy, when the catalog can't be read
		damaged   bool     // it could not be read
		closed    bool     // the store was closed before it was opened: no log tells of a change
	}

	watcher Watcher // see SetWatcher
	bell    bell

	transforms  transforms
	backgrounds backgrounds
	clusterings clusterings
	visits      visits // tests: what approximate searches visit
	commits     commits
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close releases the store. If views or transactions are still open it refuses
// new work, returns an error, and releases the store when the last of them ends.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return ErrClosed
	}
	s.ending = true
	s.mu.Unlock()
	s.keeper.stop() // which uses the store
	s.mu.Lock()
	s.closing = true
	if s.behind > 0 {
		quiet := make(chan struct{})
		s.quiet = quiet
		s.mu.Unlock()
		select {
		case <-quiet:
		case <-time.After(cleanUpTime): // the disk hangs
		}
		s.mu.Lock()
		s.quiet = nil
	}
	n := s.users
	s.mu.Unlock()
	if n > 0 {
		return fmt.Errorf("%d views or transactions are still open; the store is released when they are closed", n)
	}
	return s.release()
}

// enter keeps the store from being released until leave.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return ErrClosed
	}
	s.users++
	return nil
}

func (s *Store) leave() {
	s.mu.Lock()
	s.users--
	last := s.closing && s.users == 0
	s.mu.Unlock()
	if last {
		_ = s.release()
	}
}

// cleanUpTime is how long Close waits for what goes on in the background.
const cleanUpTime = 30 * time.Second

// cleanUp runs in the background what is left to do after a caller who has entered
// was given his answer: a caller that cancels does not wait for files to be removed. It
// leaves for the caller; Close waits for it.
func (s *Store) cleanUp(f func()) {
	s.mu.Lock()
	s.behind++
	s.mu.Unlock()
	go func() {
		f()
		s.mu.Lock()
		s.behind--
		s.users--
		last := s.closing && s.users == 0
		if s.quiet != nil && s.behind == 0 {
			close(s.quiet)
			s.quiet, last = nil, false // Close goes on
		}
		s.mu.Unlock()
		if last {
			_ = s.release()
		}
	}()
}

// release closes the database and gives the directory up.
func (s *Store) release() error {
	defer close(s.done)
	g := s.gen
	cache := s.cache.Metrics().Size
	defer func() {
		if openStores.Add(-1) == 0 {
			trimMemory(cache)
		}
	}()
	closed := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				closed <- fmt.Errorf("closing: %v", r)
			}
		}()
		var err error
		flushed := false
		if !s.readOnly {
			err = s.home()
		}
		if !s.readOnly && g.failed() == nil {
			if s.fs.files != nil {
				s.fs.files.closing()
			}
			if err == nil && !g.wrote() {
				flushed = true // the log is empty
			} else {
				err = g.db.Flush() // nothing to replay at the next Open
				flushed = err == nil && g.failed() == nil
			}
		}
		if g.failed() != nil {
			g.settle()
		}
		err = errors.Join(err, g.latest.close(), g.db.Close())
		flushed = flushed && g.failed() == nil
		if flushed {
			s.room.closing()
		}
		if s.fs.files != nil {
			err = errors.Join(err, s.fs.files.close(flushed))
		}
		err = errors.Join(err, s.commits.close(flushed))
		failed := g.failed()
		s.room.closed(!s.fs.gone.Load() && (failed == nil || isFull(failed)))
		s.cache.Unref()
		closed <- err
	}()
	var err error
	select {
	case err = <-closed:
	case <-g.broken:
		// After a failed write Pebble may hold its locks for ever, and a full disk
		// keeps it from finishing. Whatever it still tries is cut off from the directory.
		wait := g.wait()
		if g.failed() != nil {
			wait = min(wait, time.Second)
		}
		select {
		case err = <-closed:
			err = errors.Join(g.failed(), err)
		case <-time.After(wait):
			err = g.trouble()
		}
	}
	g.fs.cut.Store(true)
	g.fs.gone.Store(true)
	s.fs.cutOff()
	s.fs.gone.Store(true)
	return errors.Join(err, s.lock.Close())
}

// ReadOnly reports whether the store was opened for reading only.
func (s *Store) ReadOnly() bool { return s.readOnly }

// Dir returns the store's directory.
func (s *Store) Dir() string { return s.dir }

func (s *Store) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = plainError(err)
}

// lockWriter waits for the writer lock.
func (s *Store) lockWriter(ctx context.Context) error {
	if s.readOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var late <-chan time.Time
	if s.writerTimeout > 0 {
		t := time.NewTimer(s.writerTimeout)
		defer t.Stop()
		late = t.C
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-late:
		return fmt.Errorf("%w, since %v and more", ErrBusy, s.writerTimeout)
	}
	err := firstError(s.home(), s.writable())
	if err != nil {
		<-s.writer
	}
	return err
}

func (s *Store) unlockWriter() { <-s.writer }

// home returns an error when the store's directory is not where it was any more, or can't
// be written to. The log would go on in files that nobody finds, and new files would
// come to lie in a directory of somebody else's: so nothing is written any more.
func (s *Store) home() error {
	h, ok := s.lock.(interface{ held() (lost bool, err error) })
	if !ok {
		return nil
	}
	lost, err := h.held()
	if lost {
		s.mu.Lock()
		g := s.gen
		s.mu.Unlock()
		if g != nil {
			g.fail(err)
		}
		s.fs.cutOff()
	}
	return err
}

// fail makes the current generation refuse further writes.
func (s *Store) fail(err error) {
	s.mu.Lock()
	g := s.gen
	s.mu.Unlock()
	if g != nil {
		g.fail(err)
	}
}

// writable reports why nothing can be written, if so. After a full disk it begins anew.
func (s *Store) writable() error {
	s.mu.Lock()
	err, full := s.gen.failure, s.gen.full
	s.mu.Unlock()
	if err != nil && full {
		return s.renew()
	}
	return err
}

// listed waits until the log that holds a commit is on the list of files. It hardly
// ever has to: once after opening, and whenever a log is full.
func (g *generation) listed() error {
	s := g.s
	if s.fs.files == nil {
		return nil
	}
	if err := s.fs.files.settle(); err != nil {
		g.fail(err)
	}
	return g.failed()
}

// StoreStats are figures about a store.
type StoreStats struct {
	DiskBytes       uint64 // size of the files
	CacheBytes      int64  // filled part of the block cache
	CacheHits       int64
	CacheMiss       int64
	MergedBlocks    int64  // blocks that housekeeping has filled, since the store was opened
	MovedRows       int64  // rows that got another number thereby
	FreedBlocks     int64  // blocks that ran empty and were dropped
	Retrained       int64  // how often codes were trained anew because rows had drifted
	Reclustered     int64  // how often an ivf index was built anew, or its rule of stopping measured again
	BackgroundError string // last failed flush or compaction, "" when all is well
}

// Stats returns figures about the store.
func (s *Store) Stats() StoreStats {
	if s.enter() != nil {
		return StoreStats{}
	}
	defer s.leave()
	g := s.enterGeneration()
	defer g.leave()
	m := g.db.Metrics()
	st := StoreStats{
		DiskBytes:  s.filesBytes(),
		CacheBytes: m.BlockCache.Size,
		CacheHits:  m.BlockCache.Hits, CacheMiss: m.BlockCache.Misses,
		MergedBlocks: s.keeper.merged.Load(), MovedRows: s.keeper.moved.Load(), FreedBlocks: s.keeper.freed.Load(), Retrained: s.keeper.retrained.Load(), Reclustered: s.keeper.reclustered.Load(),
	}
	s.mu.Lock()
	if s.noted != nil {
		st.BackgroundError = s.noted.Error()
	}
	s.mu.Unlock()
	return st
}

// Progress reports on long work: done and total in the unit of the stage; total is 0
// when not known. It is called from the working goroutine, not too often.
type Progress func(stage string, done, total uint64)

// plainError is err in words for people, in one line: Pebble's errors of damage carry
// notes for programs, and some of them stacks.
func plainError(err error) error {
	var b *blockError
	if errors.As(err, &b) {
		return b
	}
	text, _, _ := strings.Cut(err.Error(), "\ngoroutine ")
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "<") {
			kept = append(kept, l)
		}
	}
	text = strings.Join(kept, "; ")
	text = strings.TrimPrefix(strings.ReplaceAll(text, "pebble: corruption: ", ""), "pebble: ")
	if text == err.Error() {
		return err
	}
	return &plain{text, err}
}

type plain struct {
	text string
	err  error
}

func (e *plain) Error() string { return e.text }
func (e *plain) Unwrap() error { return e.err }

// corrupt wraps an error met while reading. Errors of Pebble and of the codecs
// name the damaged place; a cancelled context stays what it is.
func corrupt(table, column, where string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrCorrupt) {
		return err
	}
	return &CorruptError{Table: table, Column: column, Where: where, Err: plainError(err)}
}

// get returns a copy of the value of k, nil when there is none.
func get(r pebble.Reader, k []byte) ([]byte, error) {
	v, c, err := r.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, corrupt("", "", fmt.Sprintf("key %x", k), err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, c.Close()
}
