package storage

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// generation is one opening of the database. A store begins another one when the one
// before has met a full disk in the middle of a write: Pebble has the failed commit in
// memory by then, and goes on only from what is on the disk. Views of the old
// generation go on reading it.
type generation struct {
	s        *Store
	db       *pebble.DB
	fs       *guardFS
	merges   *merges
	readOnly bool // because there was no room to open it for writing

	settled  sync.Once
	ingested atomic.Uint64 // sequence number of the last ingestion
	apart    atomic.Int32  // ingestions that are no commits: see ingestApart

	// Guarded by the store's mu.
	users    int // views and transactions; one more while it is the current generation
	acked    uint64
	kept     uint64        // ingested, of the last ingestion that was acknowledged
	latest   *picture      // what was acknowledged
	hot      *hotBlocks    // what views read lately
	failure  error         // why no more writes are accepted
	full     bool          // the failure is a lack of space: the next write begins anew
	stuck    error         // why memory could not be written to files last time
	broken   chan struct{} // closed when writes have failed, or got stuck for the first time
	isBroken bool
}

// picture is a snapshot that views share, with what they have read of it.
type picture struct {
	snap   *pebble.Snapshot
	refs   int    // guarded by the store's mu
	commit uint64 // the last one that is in it
	hot    *hotBlocks

	mu       sync.Mutex
	catalog  *catalog
	counters map[uint32]counters // of tables, by id
	stats    map[statsKey]ColumnStats
	tails    keptTails
	cursors  []*cursor
	timer    *time.Timer    // closes them; nil: there are none, or the picture is closed
	dropping sync.WaitGroup // cursors that are being closed
	asked    bool           // for a cursor, since the timer looked
	closed   bool
}

// noteIngested notes the sequence number of an ingestion; of two at a time the later one
// may be told of first.
func (g *generation) noteIngested(n uint64) {
	for old := g.ingested.Load(); old < n && !g.ingested.CompareAndSwap(old, n); old = g.ingested.Load() {
	}
}

// picture returns one of a snapshot, as of a commit.
func (g *generation) picture(snap *pebble.Snapshot, commit uint64) *picture {
	return &picture{snap: snap, refs: 1, commit: commit, hot: g.hot}
}

// beginGeneration opens the database, and makes it the store's current one.
func (s *Store) beginGeneration(readOnly bool) (*generation, error) {
	g := &generation{s: s, readOnly: readOnly && !s.readOnly, users: 1, merges: newMerges(), broken: make(chan struct{}), hot: newHotBlocks(s.hotSize)}
	g.fs = &guardFS{FS: s.fs.FS, dir: s.fs.dir, fail: g.fail, growth: s.fs.growth, room: s.room, keep: s.keepForViews, files: s.fs.files, home: s.home}
	g.fs.spareRoom.Store(s.room)
	o := *s.opts
	o.FS = g.fs
	o.ReadOnly = readOnly
	o.Logger = quiet{g}
	o.Experimental.CompactionScheduler = g.merges
	o.Experimental.DisableIngestAsFlushable = func() bool { return g.apart.Load() > 0 }
	o.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) {
			if errors.Is(err, errMergeWaits) {
				return // why was said before
			}
			if pebble.IsCorruptionError(err) {
				g.fs.mergeFailed()
			}
			s.note(plainError(err))
		},
		// Reading damage is an error for whoever reads, not for the store.
		DataCorruption: func(i pebble.DataCorruptionInfo) { s.note(plainError(i.Details)) },
		FlushBegin:     func(pebble.FlushInfo) { s.room.flushBegins() },
		FlushEnd:       func(i pebble.FlushInfo) { g.flushed(i.Err); s.room.flushEnds(i.Err) },
		TableIngested: func(i pebble.TableIngestInfo) {
			if i.Err == nil {
				g.noteIngested(uint64(i.GlobalSeqNum))
			}
		},
	}
	opened := make(chan error, 1)
	go func() {
		var err error
		g.db, err = openPebble(s.dir, &o)
		opened <- err
	}()
	var err error
	select {
	case err = <-opened:
	case <-g.broken: // Pebble tries for ever to write what it has read from the log
		select {
		case err = <-opened:
		case <-time.After(g.wait()):
			err = g.trouble()
			g.fs.cut.Store(true)
			g.fs.gone.Store(true)
			return nil, err
		}
	}
	if failed := g.failed(); failed != nil {
		if err == nil {
			g.fs.cut.Store(true)
			_ = g.db.Close()
		}
		err = failed // Pebble may blame what came of it
	}
	if err != nil {
		g.fs.cut.Store(true)
		g.fs.gone.Store(true)
		return nil, err
	}
	return g, nil
}

// current makes g the generation of the store; the one before goes when its last view
// is closed. All that g holds counts as acknowledged.
func (s *Store) current(g *generation, acked uint64) {
	g.acked = acked
	g.latest = g.picture(g.db.NewSnapshot(), acked)
	s.mu.Lock()
	old := s.gen
	s.gen, s.db = g, g.db
	if old != nil {
		s.retired++
	}
	s.mu.Unlock()
	g.merges.begin()
	if old != nil {
		old.leave()
	}
}

// enterLatest keeps the current generation, and what was acknowledged in it, for a view.
func (s *Store) enterLatest() (*generation, *picture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gen
	g.users++
	g.latest.refs++
	return g, g.latest
}

// enterGeneration keeps the current generation.
func (s *Store) enterGeneration() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen.users++
	return s.gen
}

func (g *generation) leave() {
	g.s.mu.Lock()
	g.users--
	last := g.users == 0
	g.s.mu.Unlock()
	if last {
		g.close()
	}
}

// release gives a picture back.
func (g *generation) release(p *picture) error {
	g.s.mu.Lock()
	p.refs--
	last := p.refs == 0
	g.s.mu.Unlock()
	if last {
		return p.close()
	}
	return nil
}

// close ends a generation that another one has followed, and removes the files that
// were kept for its views.
func (g *generation) close() {
	g.fs.cut.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		_ = g.latest.close()
		_ = g.db.Close()
	}()
	select {
	case <-done:
	case <-time.After(time.Second): // it waits for a write that will never succeed
	}
	g.fs.gone.Store(true)
	s := g.s
	s.mu.Lock()
	s.retired--
	var names []string
	if s.retired == 0 {
		names, s.later = s.later, nil
	}
	s.mu.Unlock()
	for _, n := range names {
		_ = s.fs.Remove(n)
	}
}

// keepForViews is asked before a table file is removed. While views of an earlier
// generation may still open it, the file stays until they are closed.
func (s *Store) keepForViews(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired == 0 {
		return false
	}
	s.later = append(s.later, name)
	return true
}

// acknowledge says that the commits up to n, and the ingestion before them, are on the
// disk, and shows them to views. It fails when the generation failed before.
func (g *generation) acknowledge(n uint64, snap *pebble.Snapshot, ingested uint64) error {
	g.s.mu.Lock()
	old := g.latest
	switch {
	case n <= g.acked: // together with a later one
		old = g.picture(snap, n)
	case g.failure != nil:
		err := g.failure
		g.s.mu.Unlock()
		return errors.Join(err, snap.Close())
	default:
		g.latest, g.acked = g.picture(snap, n), n
		g.kept = max(g.kept, ingested)
	}
	g.s.mu.Unlock()
	return g.release(old)
}

// fail makes the generation refuse further writes, and cuts Pebble off from the disk.
func (g *generation) fail(err error) {
	g.fs.cut.Store(true)
	g.s.mu.Lock()
	if g.failure == nil {
		if g.full = isFull(err) && !g.s.noSync; g.full {
			g.failure = fullError(err)
		} else {
			g.failure = fmt.Errorf("%w: %w", ErrFailed, err)
		}
	}
	g.breakLocked()
	full := g.full
	g.s.mu.Unlock()
	if !full {
		g.s.fs.cutOff() // the list of files is not written any more, either
	}
}

// fatal is what Pebble calls when it expects not to survive.
func (g *generation) fatal(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if e, ok := a.(error); ok && len(args) == 1 {
			err = e
		}
	}
	g.fail(err)
	g.fs.pause()
}

// breakLocked wakes writes that wait for Pebble.
func (g *generation) breakLocked() {
	if !g.isBroken {
		g.isBroken = true
		close(g.broken)
	}
}

// wrote reports whether anything was written to the log since the database was opened.
func (g *generation) wrote() bool { return g.db.Metrics().WAL.BytesIn > 0 }

func (g *generation) failed() error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	return g.failure
}

// flushed notes the outcome of writing memory to files. While that fails no new
// writes are accepted: they would pile up in memory, and then wait for ever.
func (g *generation) flushed(err error) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if err != nil && err.Error() == "pebble: empty table" {
		err = nil // nothing to write is no failure
	}
	g.stuck = nil
	if err != nil {
		g.stuck = plainError(err)
		g.breakLocked()
	}
}

// trouble returns why writes fail or don't go on.
func (g *generation) trouble() error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	err := firstError(g.failure, g.stuck, ErrFailed)
	err = fullOr(err)
	return err
}

// wait is how long a write may hang. One that waits for space does not get it by
// waiting.
func (g *generation) wait() time.Duration {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if isFull(g.failure) || isFull(g.stuck) {
		return min(g.s.patience, fullPatience)
	}
	return g.s.patience
}

// fullPatience is how long a write may hang on a full disk.
const fullPatience = 700 * time.Millisecond

// guard runs a write of Pebble's. It panics on some disk errors, and waits for ever
// when its memory can't be written to files: then guard gives up, and leaves it
// behind. When the write fails the generation refuses further writes, and what the
// write may have left in the log is removed before guard returns.
func (g *generation) guard(what string, f func() error) error {
	err := g.try(f)
	if errors.Is(err, pebble.ErrCorruption) && g.failed() == nil {
		return corrupt("", "", what, err) // nothing was written: what it touches can't be read
	}
	if err != nil {
		g.fail(err)
	}
	if err = g.failed(); err != nil {
		g.settle()
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// try runs a write of Pebble's as guard does, but leaves the consequences to the caller.
func (g *generation) try(f func() error) error {
	err, left := g.attempt(f)
	if left {
		g.fail(err)
	}
	return err
}

// attempt runs work of Pebble's, turns a panic into an error, and leaves it behind when it
// waits for a disk that fails: then left is true, and the error says what the trouble is.
func (g *generation) attempt(f func() error) (err error, left bool) {
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
	select {
	case err := <-done:
		return err, false
	case <-g.broken:
	}
	select {
	case err := <-done:
		return err, false
	case <-time.After(g.wait()):
		return g.trouble(), true
	}
}

// guard runs a write; the caller has the writer lock.
func (s *Store) guard(what string, f func() error) error { return s.gen.guard(what, f) }

// settle removes what a failed generation has written to the log and the list of files
// since its last acknowledged commit: nobody was told that it is there, so it must not
// be there when the store is opened again.
func (g *generation) settle() {
	g.settled.Do(func() {
		g.s.mu.Lock()
		acked, kept, full := g.acked, g.kept, g.full
		g.s.mu.Unlock()
		if g.db == nil || g.readOnly || !full || !g.fs.drain(time.Second) {
			return
		}
		if err := g.fs.trim(acked, kept); err != nil {
			g.s.note(err)
		}
	})
}

// renew begins another generation after one that met a full disk. The caller has the
// writer lock.
func (s *Store) renew() error {
	old := s.gen
	old.settle()
	if err := s.roomToOpen(); err != nil {
		return err
	}
	g, err := s.beginGeneration(false)
	if err != nil {
		return fullOr(err)
	}
	made, err := madeCommits(g.db, 0)
	if err == nil && made < old.acked {
		err = fmt.Errorf("%w: %d commits of %d are there", ErrCorrupt, made, old.acked)
	}
	if err != nil {
		g.fs.cut.Store(true)
		return errors.Join(err, g.db.Close())
	}
	s.commits.made = made
	s.prompts = -1
	s.current(g, made)
	s.room.opened()
	return nil
}
