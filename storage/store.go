package storage

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// Format is the version of the format this package writes. History:
//
//	1  first version
//	2  commits are counted: see commits
const Format = 2

// markerName is the file that makes a folder a store, and says of which format, to
// whoever looks before opening it. It is written before anything else in a new store.
const markerName = "LUPA"

// Store is an open store. All methods are safe for concurrent use.
type Store struct {
	dir      string
	readOnly bool
	noSync   bool
	inMemory bool
	db       *pebble.DB
	opts     *pebble.Options
	fs       *guardFS
	lock     io.Closer
	writer   chan struct{} // holds a token while a Tx or Loader is at work

	// Whoever holds the token may use these; see KeepPrompts.
	prompts   int // how many are kept; -1 when that has to be counted
	dropUpper bool

	sortMemory int           // see defaultSortMemory
	buildRows  uint64        // see defaultBuildRows
	patience   time.Duration // how long a write may hang after the disk has failed

	mu       sync.Mutex
	users    int           // views, transactions and calls that need db
	backups  sync.Mutex    // one at a time
	behind   int           // of the users, those that only clean up: see cleanUp
	quiet    chan struct{} // closed when there are none left
	closing  bool
	done     chan struct{}
	failure  error         // why no more writes are accepted
	noted    error         // last error of a background job
	stuck    error         // why memory could not be written to files last time
	broken   chan struct{} // closed when writes have failed, or got stuck for the first time
	isBroken bool
	catalog  *catalog

	transforms transforms
	commits    commits
}

// Open opens the store in dir, and creates it when the folder is missing or
// empty (unless Options.ReadOnly). Errors: ErrNotStore, ErrFormat, ErrLocked,
// ErrCorrupt.
func Open(dir string, opts *Options) (*Store, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	s := &Store{dir: dir, readOnly: o.ReadOnly, noSync: o.NoSync, inMemory: o.InMemory, writer: make(chan struct{}, 1), prompts: -1, sortMemory: defaultSortMemory, buildRows: defaultBuildRows, patience: 10 * time.Second, broken: make(chan struct{}), done: make(chan struct{})}
	g := &guardFS{FS: o.FS, fail: s.fail}
	if o.InMemory {
		if o.ReadOnly {
			return nil, errors.New("a store in memory can't be read-only: it would be empty")
		}
		s.dir = "memory"
		g.FS = vfs.NewMem()
	} else if o.FS == nil {
		g.FS = vfs.Default
	}
	g.dir = g.PathDir(g.PathJoin(s.dir, "x")) // as Pebble will write it
	s.fs = g
	if err := s.open(&o); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.dir, err)
	}
	return s, nil
}

func (s *Store) open(o *Options) (err error) {
	isNew, err := s.inspect()
	if err != nil {
		return err
	}
	if isNew {
		if s.readOnly {
			return fmt.Errorf("%w, and reading only does not create one", ErrNotStore)
		}
		if err := s.fs.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
	}
	if s.lock, err = s.lockDir(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.fs.cut.Store(true)
			s.lock.Close()
		}
	}()
	if isNew {
		if err := writeMarker(s.fs, s.dir, Format); err != nil {
			return err
		}
	}
	size := o.CacheSize
	if size <= 0 {
		size = defaultCacheSize()
	}
	cache := pebble.NewCache(size)
	defer cache.Unref()
	s.fs.growth = growCache(cache, size, cmp.Or(o.cacheStart, cacheStart))
	s.opts = s.pebbleOptions(o, cache)
	if !isNew && !s.readOnly {
		if err := s.previewCommits(); err != nil {
			return err
		}
	}
	if s.db, err = openPebble(s.dir, s.opts); err != nil {
		return err
	}
	if err := s.failed(); err != nil {
		return err
	}
	err = s.checkFormat()
	if err == nil {
		err = s.openCommits()
	}
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	if !s.readOnly {
		s.removeLeftovers()
	}
	return nil
}

// lockDir locks the folder, against every other user or, to read, against writers.
func (s *Store) lockDir() (io.Closer, error) {
	name := s.fs.PathJoin(s.dir, "LOCK")
	if s.fs.FS == vfs.Default {
		return lockFolder(name, s.readOnly)
	}
	c, err := s.fs.FS.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrLocked, err)
	}
	return c, nil
}

// openPebble opens the database. A damaged one may make Pebble panic.
func openPebble(dir string, opts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	db, err = pebble.Open(dir, opts)
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, pebble.ErrDBDoesNotExist):
		return nil, fmt.Errorf("%w: it was never filled", ErrNotStore)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: a file is missing: %w", ErrCorrupt, err)
	}
	var path *os.PathError
	var link *os.LinkError
	var call *os.SyscallError
	if errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &call) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// inspect looks at the folder without touching it. isNew means that there is
// nothing there.
func (s *Store) inspect() (isNew bool, err error) {
	fi, err := s.fs.Stat(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !fi.IsDir() {
		return false, fmt.Errorf("%w: it is a file, not a folder", ErrNotStore)
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return false, err
	}
	marked, other := false, ""
	for _, n := range names {
		switch {
		case n == markerName:
			marked = true
		case n != "LOCK" && !strings.HasPrefix(n, markerName+"."):
			other = n
		}
	}
	if !marked {
		if other != "" {
			return false, fmt.Errorf("%w: the folder holds other files (%s) and no file named %s", ErrNotStore, other, markerName)
		}
		return true, nil
	}
	v, err := readMarker(s.fs, s.dir)
	if err != nil {
		return false, err
	}
	return false, checkVersion(v)
}

func checkVersion(v int) error {
	if v > Format {
		return fmt.Errorf("%w: it is of format %d, this program reads up to %d; use a newer version of Lupa", ErrFormat, v, Format)
	}
	return nil
}

const markerText = "Lupa store, format "

func writeMarker(fs vfs.FS, dir string, version int) error {
	tmp := fs.PathJoin(dir, markerName+".new")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%d\n", markerText, version)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, markerName)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readMarker(fs vfs.FS, dir string) (int, error) {
	f, err := fs.Open(fs.PathJoin(dir, markerName))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return 0, err
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), markerText)
	v, err := strconv.Atoi(text)
	if !ok || err != nil || v < 1 {
		return 0, fmt.Errorf("%w: the file %s says %q", ErrNotStore, markerName, b)
	}
	return v, nil
}

// checkFormat reads the version kept in the database and gives it to a new one.
func (s *Store) checkFormat() error {
	b, err := get(s.db, key.Format)
	if err != nil {
		return err
	}
	if b == nil {
		if s.readOnly {
			return fmt.Errorf("%w: it was never filled", ErrNotStore)
		}
		it, err := s.db.NewIter(nil)
		if err != nil {
			return err
		}
		some := it.First()
		if err := it.Close(); err != nil {
			return corrupt("", "", "", err)
		}
		if some {
			return fmt.Errorf("%w: it holds keys but no format version", ErrCorrupt)
		}
		b := s.db.NewBatch()
		err = firstError(
			b.Set(key.Format, binary.BigEndian.AppendUint32(nil, Format), nil),
			b.Set(key.Commits, make([]byte, 8), nil),
		)
		return firstError(err, s.db.Apply(b, pebble.Sync))
	}
	if len(b) != 4 {
		return corrupt("", "", "format version", fmt.Errorf("%d bytes", len(b)))
	}
	v := int(binary.BigEndian.Uint32(b))
	if err := checkVersion(v); err != nil {
		return err
	}
	return s.upgrade(v, upgrades)
}

// removeLeftovers deletes the files of loads that were cut off.
func (s *Store) removeLeftovers() {
	names, _ := s.fs.List(s.dir)
	for _, n := range names {
		if strings.HasPrefix(n, loadDirPrefix) {
			_ = s.fs.RemoveAll(s.fs.PathJoin(s.dir, n))
		}
	}
}

// Close releases the store. If views or transactions are still open it refuses
// new work, returns an error, and releases the store when the last of them ends.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
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
// was given his answer: he who cancels does not wait for files to be removed. It
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

// release closes the database and gives the folder up.
func (s *Store) release() error {
	defer close(s.done)
	closed := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				closed <- fmt.Errorf("closing: %v", r)
			}
		}()
		var err error
		flushed := false
		if !s.readOnly && s.failed() == nil {
			err = s.db.Flush() // nothing to replay at the next Open
			flushed = err == nil && s.failed() == nil
		}
		closed <- errors.Join(err, s.db.Close(), s.commits.close(flushed))
	}()
	var err error
	select {
	case err = <-closed:
	case <-s.broken:
		// After a failed write Pebble may hold its locks for ever, and a full disk
		// keeps it from finishing. Whatever it still tries is cut off from the folder.
		wait := s.patience
		if s.failed() != nil {
			wait = min(wait, time.Second)
		}
		select {
		case err = <-closed:
			err = errors.Join(s.failed(), err)
		case <-time.After(wait):
			err = s.trouble()
		}
	}
	s.fs.cut.Store(true)
	s.fs.gone.Store(true)
	return errors.Join(err, s.lock.Close())
}

// ReadOnly reports whether the store was opened for reading only.
func (s *Store) ReadOnly() bool { return s.readOnly }

// Dir returns the store's folder.
func (s *Store) Dir() string { return s.dir }

// failf makes the store refuse further writes, and stops those of Pebble: what it
// calls fatal it expects not to survive.
func (s *Store) failf(format string, args ...any) {
	s.fail(fmt.Errorf(format, args...))
	s.fs.cut.Store(true)
	s.fs.pause()
}

func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	s.breakLocked()
}

// breakLocked wakes writes that wait for Pebble.
func (s *Store) breakLocked() {
	if !s.isBroken {
		s.isBroken = true
		close(s.broken)
	}
}

func (s *Store) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// flushed notes the outcome of writing memory to files. While that fails no new
// writes are accepted: they would pile up in memory, and then wait for ever.
func (s *Store) flushed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && err.Error() == "pebble: empty table" {
		err = nil // nothing to write is no failure
	}
	s.stuck = err
	if err != nil {
		s.breakLocked()
	}
}

func (s *Store) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = err
}

// lockWriter waits for the writer's place.
func (s *Store) lockWriter(ctx context.Context) error {
	if s.readOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.failure
	if err == nil && s.stuck != nil {
		err = fmt.Errorf("writes wait until this is mended: %w", s.stuck)
	}
	if err != nil {
		<-s.writer
	}
	return err
}

func (s *Store) unlockWriter() { <-s.writer }

// guard runs a write of Pebble's. It panics on some disk errors, and waits for ever
// when its memory can't be written to files: then guard gives up, and leaves it
// behind. When a write fails the store refuses further writes.
func (s *Store) guard(what string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if r := recover(); r != nil {
				e, ok := r.(error)
				if !ok {
					e = fmt.Errorf("%v", r)
				}
				err = e
			}
			done <- err
		}()
		err = f()
	}()
	var err error
	select {
	case err = <-done:
	case <-s.broken:
		select {
		case err = <-done:
		case <-time.After(s.patience):
			err = fmt.Errorf("%s: %w", what, s.trouble())
			s.fail(err)
			return err
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
		s.fail(err)
		return err
	}
	return s.failed()
}

// trouble returns why writes fail or don't go on.
func (s *Store) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return firstError(s.failure, s.stuck, ErrFailed)
}

// StoreStats are figures about a store.
type StoreStats struct {
	DiskBytes       uint64 // size of the files
	CacheBytes      int64  // filled part of the block cache
	CacheHits       int64
	CacheMiss       int64
	BackgroundError string // last failed flush or compaction, "" when all is well
}

// Stats returns figures about the store.
func (s *Store) Stats() StoreStats {
	if s.enter() != nil {
		return StoreStats{}
	}
	defer s.leave()
	m := s.db.Metrics()
	st := StoreStats{
		DiskBytes:  m.DiskSpaceUsage(),
		CacheBytes: m.BlockCache.Size,
		CacheHits:  m.BlockCache.Hits, CacheMiss: m.BlockCache.Misses,
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

// corrupt wraps an error met while reading. Errors of Pebble and of the codecs
// name the damaged place; a cancelled context stays what it is.
func corrupt(table, column, where string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrCorrupt) {
		return err
	}
	return &CorruptError{Table: table, Column: column, Where: where, Err: err}
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
