//go:build unix

package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
)

// mergeFS counts the files that others are merged into while the store is being opened, and
// refuses them, or makes them slowly.
type mergeFS struct {
	vfs.FS
	refuse  bool
	opening atomic.Bool
	early   atomic.Int32
}

func (f *mergeFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if c != "pebble-compaction" {
		return f.FS.Create(name, c)
	}
	if f.opening.Load() {
		f.early.Add(1)
	}
	if f.refuse {
		return nil, &os.PathError{Op: "create", Path: name, Err: syscall.ENOSPC}
	}
	file, err := f.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return slowFile{file}, nil
}

func (f *mergeFS) Unwrap() vfs.FS { return f.FS }

// slowFile takes a while to write to.
type slowFile struct{ vfs.File }

func (f slowFile) Write(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return f.File.Write(p)
}

// mergeDue makes a store that was killed with a log that is not in table files, and with more
// of them than are left unmerged when it is opened.
func mergeDue(t *testing.T) (fs *vfs.MemFS, rows int) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	opts := &storage.Options{FS: &mergeFS{FS: mem, refuse: true}}
	storage.SetMemTable(opts, 1<<18)
	s := newPhotos(t, "db", opts, 1, 16)
	rows = 1
	for range 12 {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(rows, rows+700, 16), storage.InsertOptions{})
			return err
		})
		rows += 700
	}
	fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	check(t, s.Close())
	return fs, rows
}

// openedFull opens a store whose disk is full, or gets full: it opens, for reading at least, or
// fails with the error of a full disk. Then there is space, and everything is there. No merge
// begins before the store is open, for it would end the process when opening fails.
func openedFull(t *testing.T, what string, mem *vfs.MemFS, disk vfs.FS, rows int, space func()) (opened bool) {
	t.Helper()
	watch := &mergeFS{FS: disk}
	opts := &storage.Options{FS: watch}
	storage.SetMemTable(opts, 1<<18)
	watch.opening.Store(true)
	s, err := storage.Open("db", opts)
	watch.opening.Store(false)
	if n := watch.early.Load(); n > 0 && err != nil {
		t.Errorf("%s: %d files were merged into, and the store was not opened", what, n)
	}
	if err == nil {
		if got := count(t, s); got != rows {
			t.Fatalf("%s: %d rows of %d", what, got, rows)
		}
		_ = s.Close()
	} else if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%s: not the error of a full disk: %v", what, err)
	}
	runtime.Gosched() // what was left behind goes on
	space()
	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: mem}))
	if got := count(t, s); got != rows {
		t.Fatalf("%s: with space again %d rows of %d", what, got, rows)
	}
	checked(t, s)
	return err == nil
}

// No space is left for one operation after the other of an opening that has a log to write to
// table files, and files to merge.
func TestNoSpaceWhileOpening(t *testing.T) {
	whole, rows := mergeDue(t)
	failed, hits := 0, 0
	for i := range seeds(30) {
		i += firstSeed()
		n, forever := 1+i/2%24, i%2 == 0
		mem := copyOf(t, whole)
		f := &faults{forever: forever, err: &os.PathError{Op: "write", Path: "disk", Err: syscall.ENOSPC}}
		f.left.set(int64(n))
		f.counts = func(op errorfs.Op) bool {
			switch op.Kind {
			case errorfs.OpCreate, errorfs.OpLink, errorfs.OpFileWrite, errorfs.OpFilePreallocate:
				return true
			case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo: // found out late
				return path.Ext(op.Path) != "" && !forever
			}
			return false
		}
		what := fmt.Sprint("operation ", n)
		if !openedFull(t, what, mem, errorfs.Wrap(mem, f), rows, func() { f.forever = false; f.left.set(0) }) {
			failed++
		}
		if f.hit.n.Load() > 0 {
			hits++
		}
	}
	if hits < seeds(30)/3 {
		t.Errorf("%d openings of %d met a full disk", hits, seeds(30))
	}
	t.Logf("%d openings failed, %d met a full disk", failed, hits)
}

// The same with so many blocks of free space, from none to more than enough.
func TestLittleSpaceWhileOpening(t *testing.T) {
	whole, rows := mergeDue(t)
	failed := 0
	for i := range seeds(40) {
		i += firstSeed()
		mem := copyOf(t, whole)
		disk := newSmallDisk(mem, 0)
		for _, n := range must[[]string](t)(mem.List("db")) {
			info := must[vfs.FileInfo](t)(mem.Stat("db/" + n))
			if info.IsDir() {
				continue
			}
			space := max(diskBlock, (info.Size()+diskBlock-1)/diskBlock*diskBlock)
			disk.files["db/"+n] = &diskSpace{space: space, names: 1}
			disk.used += space
		}
		free := int64(i%160) * diskBlock
		disk.size = disk.used + free
		if !openedFull(t, fmt.Sprint("free space of ", free), mem, disk, rows, func() {}) {
			failed++
		}
	}
	t.Logf("%d openings of %d failed", failed, seeds(40))
}
