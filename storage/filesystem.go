package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system a store works on. It does three things that Pebble
// leaves to the process: it leaves locking the folder to the store; it turns a
// failure of the write-ahead log, which Pebble answers with a panic that nobody can
// recover, into the store's refusal of all further writes; and it cuts a failed store
// off from its folder, which somebody may have opened again by then.
type guardFS struct {
	vfs.FS
	dir  string
	cut  atomic.Bool  // nothing is written any more
	gone atomic.Bool  // the store is closed
	fail func(error)  // told of failures of the log
	home func() error // nil, or says whether the folder is still the one that was opened

	growth *cacheGrowth // told of what is read

	// Merging files that met a damaged block waits, longer each time: Pebble would begin
	// it again at once, for ever, and take a whole processor.
	mergeAfter atomic.Int64 // Unix nanoseconds
	mergeDelay atomic.Int64
	files      *fileList // told of what is made, written and removed; nil: nobody keeps a list
}

// logFailed notes a failure of the log. Pebble goes on as if nothing had happened, on
// a log that ends here: whoever commits asks afterwards whether the store has failed.
func (g *guardFS) logFailed(err error) {
	g.fail(err)
	g.cutOff()
}

// syncFailed makes the store refuse further writes after a file could not be synced. The
// system takes what it could not write for written from then on, so that a second attempt
// succeeds and means nothing; Pebble would try again. A lack of space is not of that
// kind: it is reported before anything is taken for written.
func (g *guardFS) syncFailed(err error) {
	if g.fail == nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return
	}
	g.fail(fmt.Errorf("the disk could not keep what was written: %w", err))
	g.cutOff()
}

// errMergeWaits is what Pebble is told while merging waits.
var errMergeWaits = errors.New("merging files waits, for it has met a damaged block")

// mergeFailed makes merging files wait after it has met damage.
func (g *guardFS) mergeFailed() {
	d := min(max(4*g.mergeDelay.Load(), int64(time.Second)), int64(5*time.Minute))
	g.mergeDelay.Store(d)
	g.mergeAfter.Store(time.Now().UnixNano() + d)
}

// untilMergeWaits returns a context that ends when ctx does, or when merging files waits:
// a merge that somebody asked for would not get its turn as long as that lasts.
func (g *guardFS) untilMergeWaits(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for ctx.Err() == nil {
			if time.Now().UnixNano() < g.mergeAfter.Load() {
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

// cutOff keeps everybody from writing to the folder.
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

// isLog reports whether a file is part of the store's own log; that of a copy may
// fail without harm to the store.
func (g *guardFS) isLog(name string) bool {
	return strings.HasSuffix(name, ".log") && g.PathDir(name) == g.dir
}

func (g *guardFS) Lock(name string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// created wraps a file that was opened for writing, or replaces a log that could not be.
// whole says that it will be written from its first byte on.
func (g *guardFS) created(name string, f vfs.File, err error, whole bool) (vfs.File, error) {
	log := g.isLog(name)
	switch {
	case err == nil:
		file := &guardFile{File: f, g: g, log: log, own: g.PathDir(name) == g.dir}
		if g.files != nil && whole {
			file.state = g.files.created(name)
		} else if g.files != nil {
			g.files.opened(name)
		}
		return file, nil
	case log:
		g.logFailed(err)
		return noFile{}, nil
	}
	g.pause()
	return nil, err
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
		_ = g.home() // a folder that was replaced cuts the store off
	}
	if err := g.err("create", name); err != nil {
		return g.created(name, nil, err, true)
	}
	if c == "pebble-compaction" && time.Now().UnixNano() < g.mergeAfter.Load() {
		g.pause()
		return nil, errMergeWaits
	}
	if g.files != nil && strings.HasPrefix(g.PathBase(name), "marker.") && g.PathDir(name) == g.dir {
		// Pebble syncs the folder only afterwards: the marker could be on the disk, and the
		// file that it names not.
		if err := syncDir(g, g.dir); err != nil {
			return g.created(name, nil, err, true)
		}
	}
	f, err := g.FS.Create(name, c)
	return g.created(name, f, err, true)
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := g.err("open", name); err != nil {
		return g.created(name, nil, err, true)
	}
	f, err := g.FS.OpenReadWrite(name, c, o...)
	return g.created(name, f, err, false)
}

func (g *guardFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := g.err("rename", old); err != nil {
		return g.created(name, nil, err, true)
	}
	if g.files != nil && !g.files.release(old) {
		f, err := g.FS.Create(name, c) // the old one stays on the list, and is left alone
		return g.created(name, f, err, true)
	}
	f, err := g.FS.ReuseForWrite(old, name, c)
	return g.created(name, f, err, true)
}

// OpenDir opens a folder, to sync it. For the store's own that is part of every new
// log, so a failure is one of the log.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	own := g.PathDir(g.PathJoin(name, "x")) == g.dir
	return &guardFile{File: f, g: g, log: own, folder: own && g.files != nil}, nil
}

func (g *guardFS) Link(old, name string) error {
	if err := g.err("link", old); err != nil {
		return err
	}
	if err := g.FS.Link(old, name); err != nil {
		return err
	}
	if g.files != nil {
		g.files.moved(old, name, false)
	}
	return nil
}

func (g *guardFS) Remove(name string) error {
	if err := g.err("remove", name); err != nil {
		return err
	}
	if g.files != nil && !g.files.remove(name) {
		return nil // as soon as no list names it
	}
	return g.FS.Remove(name)
}

func (g *guardFS) RemoveAll(name string) error {
	if err := g.err("remove", name); err != nil {
		return err
	}
	if g.files != nil {
		g.files.removedAll(name)
	}
	return g.FS.RemoveAll(name)
}

func (g *guardFS) Rename(old, name string) error {
	if err := g.err("rename", old); err != nil {
		return err
	}
	if err := g.FS.Rename(old, name); err != nil {
		return err
	}
	if g.files != nil {
		g.files.moved(old, name, true)
	}
	return nil
}

// guardFile is a file opened for writing, or a folder to sync.
type guardFile struct {
	vfs.File
	g      *guardFS
	log    bool       // part of the store's log: its failures are told to the store alone
	own    bool       // it lies in the store's folder
	folder bool       // the store's own
	state  *fileState // what the list knows of it; nil: nothing
}

// do runs an operation that changes the file.
func (f *guardFile) do(op string, run func() error) error {
	err := f.g.err(op, "")
	if err == nil {
		if err = run(); err != nil {
			if f.log {
				f.g.logFailed(err)
			} else {
				f.g.pause()
			}
		}
	}
	if f.log {
		return nil
	}
	return err
}

func (f *guardFile) Write(p []byte) (n int, err error) {
	err = f.do("write", func() (err error) {
		if n, err = f.File.Write(p); err == nil && f.state != nil {
			f.g.files.wrote(f.state, p[:n])
		}
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

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

func (f *guardFile) Sync() error     { return f.synced(f.File.Sync) }
func (f *guardFile) SyncData() error { return f.synced(f.File.SyncData) }

func (f *guardFile) synced(sync func() error) error {
	return f.do("sync", func() error {
		var made []*fileState
		if f.folder {
			made = f.g.files.undurable()
		}
		err := sync()
		switch {
		case err != nil:
			if f.own && !f.log {
				f.g.syncFailed(err)
			}
		case f.folder:
			f.g.files.dirSynced(made)
		case f.state != nil:
			f.g.files.synced(f.state)
		}
		return err
	})
}

func (f *guardFile) SyncTo(n int64) (full bool, err error) {
	err = f.do("sync", func() (err error) {
		if full, err = f.File.SyncTo(n); err != nil && f.own && !f.log {
			f.g.syncFailed(err)
		}
		return err
	})
	return full, err
}

func (f *guardFile) Preallocate(off, n int64) error {
	if f.g.cut.Load() {
		return nil
	}
	if err := f.File.Preallocate(off, n); !f.log {
		return err
	}
	return nil
}

func (f *guardFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil && f.log {
		f.g.logFailed(err)
		return noFile{}.Stat()
	}
	return info, err
}

func (f *guardFile) Close() error {
	if f.state != nil {
		f.g.files.closed(f.state)
	}
	if err := f.File.Close(); !f.log {
		return err
	}
	return nil
}

// noFile stands for a log that could not be created.
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
