package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system a store works on. It does three things that Pebble
// leaves to the process: it leaves locking the directory to the store; it turns a
// failure of the write-ahead log or of the list of files (MANIFEST), which Pebble answers
// by ending the process, into the store's refusal of all further writes; and it cuts a
// failed store off from its directory, which somebody may have opened again by then.
type guardFS struct {
	vfs.FS
	dir       string
	cut       atomic.Bool  // nothing is written any more
	gone      atomic.Bool  // the store is closed
	fail      func(error)  // told of failures that Pebble is not told of, see keepsSilent
	failStore func(error)  // told of failed syncs where there is no log
	home      func() error // nil, or says whether the directory is still the one that was opened

	growth *cacheGrowth           // told of what is read
	files  *fileList              // told of what is made, written and removed; nil: nobody keeps a list
	room   *room                  // told of logs; may be nil
	keep   func(name string) bool // asked before a table file is removed

	spareRoom atomic.Pointer[room] // asked for space when there is none

	listings atomic.Int32 // of the store's directory, since it was opened

	ops   sync.RWMutex // held for reading during every change
	mu    sync.Mutex
	logs  []string    // that were begun, in their order
	lists []*listFile // of the files of the database

	// Merging files that met a damaged block, or a full disk, waits, longer each time:
	// Pebble would begin it again at once, for ever, and take a whole processor.
	mergeAfter atomic.Int64 // Unix nanoseconds
	mergeDelay atomic.Int64
}

// listFile is a list of files (MANIFEST), and how much of it is surely on the disk.
type listFile struct {
	name            string
	written, synced atomic.Int64
	needs           atomic.Uint64 // the first log that is needed besides, by what is written; 0: not known
}

// failed notes a failure that Pebble is not told of. It goes on as if nothing had happened,
// on files that end here: whoever commits asks afterwards whether the store has failed.
func (g *guardFS) failed(err error) {
	g.cut.Store(true)
	g.fail(err)
}

// spare reports whether an operation that failed should be tried again, because there
// is space now that had been set aside for it. Merging files has to wait.
func (g *guardFS) spare(err error, merge bool) bool {
	r := g.spareRoom.Load()
	return r != nil && !merge && isFull(err) && !g.cut.Load() && r.giveBack()
}

// mergeFull makes compactions wait on a full disk: over and over they would fill what
// space there is, and fail the commits that need little of it.
func (g *guardFS) mergeFull(err error) {
	if !isFull(err) {
		return
	}
	d := min(max(2*g.mergeDelay.Load(), int64(500*time.Millisecond)), int64(20*time.Second))
	g.mergeDelay.Store(d)
	g.mergeAfter.Store(time.Now().UnixNano() + d)
}

// syncFailed makes the store refuse further writes after a file could not be synced. The
// system takes what it could not write for written from then on, so that a second attempt
// succeeds and means nothing; Pebble would try again. A lack of space is not of that
// kind: it is reported before anything is taken for written.
func (g *guardFS) syncFailed(err error) {
	fail := g.fail
	if fail == nil {
		fail = g.failStore
	}
	if fail == nil || isFull(err) {
		return
	}
	fail(fmt.Errorf("the disk could not keep what was written: %w", err))
	g.cutOff()
}

// errMergeWaits is what Pebble is told while merging waits.
var errMergeWaits = errors.New("merging files waits: it met a damaged block or a full disk")

// mergeFailed makes merging files wait after it has met damage.
func (g *guardFS) mergeFailed() {
	d := min(max(4*g.mergeDelay.Load(), int64(time.Second)), int64(5*time.Minute))
	g.mergeDelay.Store(d)
	g.mergeAfter.Store(time.Now().UnixNano() + d)
}

// untilMergeWaits returns a context that ends when ctx does, or when merging files waits or
// has been cut off: a merge that somebody asked for would not get its turn, then.
func (g *guardFS) untilMergeWaits(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for ctx.Err() == nil {
			if g.cut.Load() || time.Now().UnixNano() < g.mergeAfter.Load() {
				cancel()
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return ctx, cancel
}

// cutOff keeps everybody from writing to the directory.
func (g *guardFS) cutOff() {
	g.cut.Store(true)
	if g.files != nil {
		g.files.wakeAll()
	}
}

func (g *guardFS) err(op, name string) error {
	if g.cut.Load() {
		g.pause()
		return fmt.Errorf("%s %s: %w", op, name, ErrFailed)
	}
	return nil
}

// pause keeps Pebble, which repeats a failed flush at once, from taking a whole
// processor while the disk is full. One that a closed store has left behind is
// stopped.
func (g *guardFS) pause() {
	if g.gone.Load() {
		select {}
	}
	time.Sleep(20 * time.Millisecond)
}

// isMerge reports whether Pebble creates a file to merge others into.
func isMerge(c vfs.DiskWriteCategory) bool {
	return c == "pebble-compaction" || c == "pebble-blob-file-rewrite"
}

// isLog reports whether a file is part of the store's own log; that of a copy may
// fail without harm to the store.
func (g *guardFS) isLog(name string) bool {
	return g.fail != nil && strings.HasSuffix(name, ".log") && g.PathDir(name) == g.dir
}

// keepsSilent reports whether failures that a file meets are told to the store alone, while
// Pebble is let through, cut off from the disk. There are three kinds:
//
//   - the log, whose failure Pebble answers with a panic;
//   - the list of files and the marker that names it. Where a merge ends, Pebble changes what it
//     knows of level 0 in place before it writes the list, and expects the process to end where
//     that fails: whatever it chose to merge next would go by wrong places. As nothing is
//     removed once the store is cut off, the files that the list on the disk names stay;
//   - the files that Pebble makes at the end of opening a database. By then work of its own goes
//     on beside it, and where opening fails Pebble takes away what that work uses: it would
//     panic, in a goroutine that nobody can recover. The store closes what was opened.
func (g *guardFS) keepsSilent(name string) bool {
	if g.fail == nil || g.PathDir(name) != g.dir {
		return false
	}
	base := g.PathBase(name)
	return strings.HasSuffix(base, ".log") || strings.HasSuffix(base, ".dbtmp") ||
		strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// List is the last thing that opening a database does which may fail. Of a list that can't be
// read it is given an empty one: by that nothing is deleted.
func (g *guardFS) List(name string) ([]string, error) {
	names, err := g.FS.List(name)
	if g.fail == nil || name != g.dir && g.PathDir(g.PathJoin(name, "x")) != g.dir {
		return names, err
	}
	if n := g.listings.Add(1); err != nil && n > 1 {
		g.failed(err)
		return nil, nil
	}
	return names, err
}

func (g *guardFS) Lock(name string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// create runs an operation that opens a file for writing, and wraps the file, or
// replaces a log that could not be opened.
// whole says that it will be written from its first byte on.
func (g *guardFS) create(op, name string, c vfs.DiskWriteCategory, whole bool, run func() (vfs.File, error)) (vfs.File, error) {
	merge := isMerge(c)
	err := g.err(op, name)
	if err == nil && merge && time.Now().UnixNano() < g.mergeAfter.Load() {
		g.pause()
		return nil, errMergeWaits
	}
	var f vfs.File
	if err == nil {
		g.ops.RLock()
		if f, err = run(); g.spare(err, merge) {
			f, err = run()
		}
		g.ops.RUnlock()
	}
	log, silent := g.isLog(name), g.keepsSilent(name)
	switch {
	case err == nil:
		out := &guardFile{File: f, g: g, log: log, silent: silent, merge: merge, own: g.PathDir(name) == g.dir}
		if g.files != nil && whole {
			out.state = g.files.created(name)
		} else if g.files != nil {
			g.files.opened(name)
		}
		switch {
		case log && g.room != nil:
			g.mu.Lock()
			g.logs = append(g.logs, name)
			g.mu.Unlock()
			space := int64(0)
			if fi, err := f.Stat(); err == nil {
				space = fi.Size()
			}
			g.room.logCreated(name, f, space)
		case g.room != nil && strings.HasPrefix(g.PathBase(name), "MANIFEST-") && g.PathDir(name) == g.dir:
			out.list = &listFile{name: name}
			g.mu.Lock()
			g.lists = append(g.lists, out.list)
			g.mu.Unlock()
		}
		return out, nil
	case silent:
		g.failed(err)
		return noFile{}, nil
	}
	if merge {
		g.mergeFull(err)
	}
	g.pause()
	return nil, g.told(err)
}

// told is the error that a caller other than Pebble gets: of a full disk in plain words.
func (g *guardFS) told(err error) error {
	if g.room == nil && isFull(err) {
		return fullError(err)
	}
	return err
}

func (g *guardFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.Open(name, o...)
	if err != nil || g.growth == nil {
		return f, err
	}
	c := countedFile{File: f, growth: g.growth, name: g.PathBase(name)}
	if strings.HasSuffix(name, ".sst") {
		if info, err := f.Stat(); err == nil {
			c.blocks = info.Size() - footerBytes
		}
	}
	return c, nil
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if g.home != nil && g.files != nil && g.PathDir(name) == g.dir {
		_ = g.home() // a directory that was replaced cuts the store off
	}
	if g.files != nil && strings.HasPrefix(g.PathBase(name), "marker.manifest.") && g.PathDir(name) == g.dir {
		// Pebble syncs the directory only afterwards: the marker could be on the disk, and the
		// file that it names not.
		if err := syncDir(g, g.dir); err != nil {
			g.failed(err)
			return noFile{}, nil
		}
	}
	return g.create("create", name, c, true, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.create("open", name, c, false, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

func (g *guardFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create("rename", name, c, true, func() (vfs.File, error) {
		if g.files != nil && g.files.isClosing() {
			return g.FS.Create(name, c) // it stays empty, see emptyLog
		}
		if g.room != nil {
			g.room.logReused(old)
		}
		if g.files != nil && !g.files.release(old) {
			return g.FS.Create(name, c) // the old one stays on the list, and is left alone
		}
		f, err := g.FS.ReuseForWrite(old, name, c)
		if errors.Is(err, os.ErrNotExist) { // its space was needed
			return g.FS.Create(name, c)
		}
		return f, err
	})
}

// OpenDir opens a directory, to sync it. For the store's own that is part of every new
// log, so a failure is one of the log.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	own := g.PathDir(g.PathJoin(name, "x")) == g.dir
	return &guardFile{File: f, g: g, silent: own && g.fail != nil, folder: own && g.files != nil}, nil
}

// change runs an operation that changes a directory.
func (g *guardFS) change(op, name string, run func() error) error {
	if err := g.err(op, name); err != nil {
		return err
	}
	g.ops.RLock()
	defer g.ops.RUnlock()
	err := run()
	if g.spare(err, false) {
		err = run()
	}
	return g.told(err)
}

func (g *guardFS) Link(old, name string) error {
	err := g.change("link", old, func() error { return g.FS.Link(old, name) })
	if err == nil && g.files != nil {
		g.files.moved(old, name, false)
	}
	return err
}

func (g *guardFS) Remove(name string) error {
	if g.keep != nil && strings.HasSuffix(name, ".sst") && g.PathDir(name) == g.dir && g.keep(name) {
		return nil
	}
	err := g.change("remove", name, func() error {
		if g.files != nil && !g.files.remove(name) {
			return nil // as soon as no list names it
		}
		err := g.FS.Remove(name)
		if err == nil && g.room != nil {
			g.room.refill()
		}
		return err
	})
	return g.silenced(name, err)
}

// silenced tells the store of an error that Pebble is not told of: of a marker's or a file's that
// opening makes. Logs and lists are removed when nothing needs them.
func (g *guardFS) silenced(name string, err error) error {
	if err == nil || errors.Is(err, os.ErrNotExist) || strings.HasSuffix(name, ".log") ||
		strings.HasPrefix(g.PathBase(name), "MANIFEST-") || !g.keepsSilent(name) {
		return err
	}
	g.failed(err)
	return nil
}

func (g *guardFS) RemoveAll(name string) error {
	return g.change("remove", name, func() error {
		if g.files != nil {
			g.files.removedAll(name)
		}
		return g.FS.RemoveAll(name)
	})
}

func (g *guardFS) Rename(old, name string) error {
	err := g.change("rename", old, func() error { return g.FS.Rename(old, name) })
	if err == nil && g.files != nil {
		g.files.moved(old, name, true)
	}
	return g.silenced(old, err)
}

func (g *guardFS) MkdirAll(name string, perm os.FileMode) error {
	return g.change("make directory", name, func() error { return g.FS.MkdirAll(name, perm) })
}

// guardFile is a file opened for writing, or a directory to sync.
type guardFile struct {
	vfs.File
	g      *guardFS
	log    bool       // it is part of the store's own log
	silent bool       // its failures are told to the store alone: see keepsSilent
	own    bool       // it lies in the store's directory
	folder bool       // the store's own
	state  *fileState // what the list knows of it; nil: nothing
	merge  bool       // of other files
	list   *listFile  // not nil: it is the list of files of Pebble's
}

// do runs an operation that changes the file.
func (f *guardFile) do(op string, run func() error) error {
	err := f.g.err(op, "")
	if err == nil {
		f.g.ops.RLock()
		// What a failed sync has lost is not there when it is tried again.
		if err = run(); op == "write" && f.g.spare(err, f.merge) {
			err = run()
		}
		f.g.ops.RUnlock()
		if err != nil {
			if f.merge {
				f.g.mergeFull(err)
			}
			if f.silent {
				f.g.failed(err)
			} else {
				f.g.pause()
			}
		}
	}
	if f.silent {
		return nil
	}
	return f.g.told(err)
}

func (f *guardFile) Write(p []byte) (n int, err error) {
	if f.emptyLog() {
		return len(p), nil
	}
	log := uint64(0)
	if f.list != nil {
		log = firstLog(p)
	}
	var failed error // f.do may keep it from Pebble
	err = f.do("write", func() error {
		rest := p[n:]
		if f.state != nil {
			f.g.files.writes(f.state, rest)
		}
		m, err := f.File.Write(rest)
		if f.state != nil {
			f.g.files.wrote(f.state, rest, m) // on a full disk a part may be there
		}
		n, failed = n+m, err
		return err
	})
	if failed != nil && f.state != nil && !f.log {
		f.g.files.wroteAt(f.state) // nobody knows what is there
	}
	if err == nil {
		n = len(p)
	}
	if f.list != nil {
		f.list.written.Add(int64(n))
		if log > 0 && n == len(p) {
			f.list.needs.Store(log)
		}
	}
	return n, err
}

// emptyLog reports whether the file is a log that Close has begun. Nothing comes into it but the
// mark of its end, which stays out as well: an empty log needs no sync, and a later log may
// follow it, which is not so where the mark could be half on the disk.
func (f *guardFile) emptyLog() bool { return f.log && f.state != nil && f.state.late }

func (f *guardFile) WriteAt(p []byte, off int64) (n int, err error) {
	if f.state != nil {
		f.g.files.wroteAt(f.state)
	}
	err = f.do("write", func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *guardFile) sync(run func() error) error {
	if f.emptyLog() || f.folder && f.g.files.folderCanWait() {
		return nil
	}
	written, needs := int64(0), uint64(0)
	if f.list != nil {
		written, needs = f.list.written.Load(), f.list.needs.Load()
	}
	return f.do("sync", func() error {
		var made []*fileState
		if f.folder {
			made = f.g.files.undurable()
		}
		err := run()
		switch {
		case err != nil:
			if f.own && !f.silent {
				f.g.syncFailed(err)
			}
			return err
		case f.folder:
			f.g.files.dirSynced(made)
		case f.state != nil:
			f.g.files.synced(f.state)
		}
		if f.list != nil {
			f.list.synced.Store(written)
			f.g.room.needsLogs(needs)
		}
		return nil
	})
}

func (f *guardFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *guardFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *guardFile) SyncTo(n int64) (full bool, err error) {
	err = f.do("sync", func() (err error) {
		if full, err = f.File.SyncTo(n); err != nil && f.own && !f.silent {
			f.g.syncFailed(err)
		}
		return err
	})
	return full, err
}

// Preallocate leaves the log to the store's room, which makes it grow by what is
// written; Pebble would give it the size of its memory, 70 MB, at once.
func (f *guardFile) Preallocate(off, n int64) error {
	if f.log || f.g.cut.Load() {
		return nil
	}
	return f.File.Preallocate(off, n)
}

func (f *guardFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil && f.silent {
		f.g.failed(err)
		return noFile{}.Stat()
	}
	return info, err
}

func (f *guardFile) Close() error {
	if f.state != nil {
		f.g.files.closed(f.state)
	}
	if err := f.File.Close(); !f.silent {
		return err
	}
	return nil
}

// noFile stands for a file that could not be created and that Pebble can't do without.
type noFile struct{}

var errNoFile = errors.New("the file could not be created")

func (noFile) Close() error                           { return nil }
func (noFile) Read([]byte) (int, error)               { return 0, errNoFile }
func (noFile) ReadAt([]byte, int64) (int, error)      { return 0, errNoFile }
func (noFile) Write(p []byte) (int, error)            { return len(p), nil }
func (noFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (noFile) Preallocate(_, _ int64) error           { return nil }
func (noFile) Sync() error                            { return nil }
func (noFile) SyncTo(int64) (bool, error)             { return true, nil }
func (noFile) SyncData() error                        { return nil }
func (noFile) Prefetch(_, _ int64) error              { return nil }
func (noFile) Fd() uintptr                            { return vfs.InvalidFd }

func (noFile) Stat() (vfs.FileInfo, error) { return noInfo{}, nil }

type noInfo struct{}

func (noInfo) Name() string           { return "" }
func (noInfo) Size() int64            { return 0 }
func (noInfo) Mode() fs.FileMode      { return 0 }
func (noInfo) ModTime() (t time.Time) { return t }
func (noInfo) IsDir() bool            { return false }
func (noInfo) Sys() any               { return nil }
func (noInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
