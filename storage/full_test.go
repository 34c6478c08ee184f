//go:build unix

package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// smallDisk is a file system of a certain size. What is written over takes no space,
// nor does removing and renaming, as on real ones.
type smallDisk struct {
	vfs.FS
	mu    sync.Mutex
	size  int64
	used  int64
	files map[string]*diskSpace
}

// diskSpace is that of a file, which may have several names.
type diskSpace struct{ space, names int64 }

const diskBlock = 4096

func newSmallDisk(fs vfs.FS, size int64) *smallDisk {
	return &smallDisk{FS: fs, size: size, files: map[string]*diskSpace{}}
}

func (d *smallDisk) resize(by int64) {
	d.mu.Lock()
	d.size += by
	d.mu.Unlock()
}

// need gives a file space up to a size, whole blocks, and returns what it has then.
func (d *smallDisk) need(f *diskSpace, to int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	to = (to + diskBlock - 1) / diskBlock * diskBlock
	if more := to - f.space; more > 0 {
		if d.used+more > d.size {
			return &os.PathError{Op: "write", Path: "disk", Err: syscall.ENOSPC}
		}
		d.used += more
		f.space = to
	}
	return nil
}

func (d *smallDisk) drop(name string) {
	if f := d.files[name]; f != nil {
		delete(d.files, name)
		if f.names--; f.names == 0 {
			d.used -= f.space
			f.space = 0
		}
	}
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	sp := &diskSpace{names: 1}
	if err := d.need(sp, 1); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.used -= sp.space
		return nil, err
	}
	d.drop(name)
	d.files[name] = sp
	return &smallFile{File: f, d: d, sp: sp}, nil
}

func (d *smallDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	d.mu.Lock()
	sp := d.files[name]
	d.mu.Unlock()
	if sp == nil {
		return d.Create(name, c)
	}
	f, err := d.FS.OpenReadWrite(name, c, o...)
	return &smallFile{File: f, d: d, sp: sp}, err
}

func (d *smallDisk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(old, name, c)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	sp := d.files[old]
	delete(d.files, old)
	d.files[name] = sp
	return &smallFile{File: f, d: d, sp: sp}, nil
}

func (d *smallDisk) Link(old, name string) error {
	err := d.FS.Link(old, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.files[name] = d.files[old]
		d.files[old].names++
	}
	return err
}

func (d *smallDisk) Rename(old, name string) error {
	err := d.FS.Rename(old, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if sp := d.files[old]; err == nil && sp != nil {
		d.drop(name)
		delete(d.files, old)
		d.files[name] = sp
	}
	return err
}

func (d *smallDisk) Remove(name string) error {
	err := d.FS.Remove(name)
	if err == nil {
		d.mu.Lock()
		d.drop(name)
		d.mu.Unlock()
	}
	return err
}

func (d *smallDisk) RemoveAll(name string) error {
	err := d.FS.RemoveAll(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range d.files {
		if n == name || strings.HasPrefix(n, name+"/") {
			d.drop(n)
		}
	}
	return err
}

// take takes all space that is left, if a file has so much by then.
func (d *smallDisk) take(name string, least int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	if f == nil || f.space < least {
		return false
	}
	d.size = d.used
	return true
}

// Truncate gives back what a file has of the disk after at; what is in it stays.
func (d *smallDisk) Truncate(name string, at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[name]; f != nil {
		if to := (at + diskBlock - 1) / diskBlock * diskBlock; to < f.space {
			d.used -= f.space - to
			f.space = to
		}
	}
	return nil
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: uint64(d.size - d.used), TotalBytes: uint64(d.size), UsedBytes: uint64(d.used)}, nil
}

type smallFile struct {
	vfs.File
	d  *smallDisk
	sp *diskSpace
	at int64
}

func (f *smallFile) Write(p []byte) (int, error) {
	if err := f.d.need(f.sp, f.at+int64(len(p))); err != nil {
		// Part of it fits.
		n := min(int64(len(p)), max(0, f.sp.space-f.at))
		m, _ := f.File.Write(slices.Clone(p[:n])) // Pebble's file system in memory may change it
		f.at += int64(m)
		return m, err
	}
	n, err := f.File.Write(p)
	f.at += int64(n)
	return n, err
}

func (f *smallFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.d.need(f.sp, off+int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *smallFile) Preallocate(off, n int64) error { return f.d.need(f.sp, off+n) }

// fullOf reports whether an error is the one that a full disk gives.
func fullOf(err error) bool {
	return errors.Is(err, storage.ErrFull) && errors.Is(err, syscall.ENOSPC)
}

// count reads all rows of the table photos, which may have gaps, and counts them.
func count(t *testing.T, s *storage.Store) int {
	t.Helper()
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	return countIn(t, v)
}

func countIn(t *testing.T, v *storage.View) (n int) {
	t.Helper()
	tab := must[*storage.Table](t)(v.Table("photos"))
	scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1, 2}})
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		check(t, err)
		if b == nil {
			break
		}
		for _, p := range b.Sel {
			n += readRow(t, b, int(p))
		}
		if b.Sel == nil {
			for p := range b.Len {
				n += readRow(t, b, p)
			}
		}
	}
	if n != int(tab.Rows()) {
		t.Fatalf("%d rows, the counter says %d", n, tab.Rows())
	}
	return n
}

// readRow compares a row with what was inserted under its key.
func readRow(t *testing.T, b *value.Batch, p int) int {
	t.Helper()
	i := must[int](t)(strconv.Atoi(strings.TrimPrefix(b.Cols[0].Value(p).String(), "photo")))
	want := photoRows(i, i+1, b.Cols[2].Type.Dim)
	for c := range 3 {
		if value.Compare(b.Cols[c].Value(p), want.Cols[c].Value(0)) != 0 {
			t.Fatalf("row %d column %d: %v", i, c, b.Cols[c].Value(p))
		}
	}
	return 1
}

// A store grows until the disk is full. What is not acknowledged is never seen, and
// rows are deleted, the store is opened and vacuumed, and writing goes on once there
// is space.
func TestFullDisk(t *testing.T) {
	for i := range seeds(12) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 7))
		mem := vfs.NewMem()
		disk := newSmallDisk(mem, 1<<20+int64(i%40)*(91<<10))
		opts := &storage.Options{FS: disk}
		storage.SetMemTable(opts, 1<<18)
		s := newPhotos(t, "db", opts, 1, 5)
		rows := 1
		insert := func(n int) error {
			tx, err := s.Begin(ctx)
			if err != nil {
				return err
			}
			if _, err := tx.Insert(ctx, "photos", photoRows(rows, rows+n, 5), storage.InsertOptions{}); err != nil {
				t.Fatal(err)
			}
			if err = tx.Commit(ctx); err == nil {
				rows += n
			}
			return err
		}
		for {
			var err error
			if r.IntN(8) == 0 {
				var l *storage.Loader
				if l, err = s.BulkLoad(ctx, "photos", storage.LoadOptions{}); err == nil {
					n := 1 + r.IntN(3000)
					if err = l.Append(ctx, photoRows(rows, rows+n, 5)); err == nil {
						if _, err = l.Finish(ctx); err == nil {
							rows += n
						}
					}
					check(t, l.Abort())
				}
			} else {
				err = insert(1 + r.IntN(700))
			}
			if err != nil {
				if !fullOf(err) {
					t.Fatalf("%d: not the error of a full disk: %v", i, err)
				}
				break
			}
			if rows > 1000000 {
				t.Fatal("the disk does not get full")
			}
		}
		full := func(when string) {
			t.Helper()
			if n := count(t, s); n != rows {
				t.Fatalf("%d: %s there are %d rows of %d acknowledged ones", i, when, n, rows)
			}
		}
		full("on a full disk")
		for insert(100) == nil { // some may fit
		}
		full("after more")
		// Somebody else takes what is left of the disk, though not while the store has lent
		// its reserve to a file that is being written.
		for end := time.Now().Add(30 * time.Second); !disk.take("db/RESERVE", 384<<10); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d: there is no reserve", i)
			}
		}
		full("with nothing left")
		check(t, s.Close())
		s = must[*storage.Store](t)(storage.Open("db", opts))
		full("after opening on a full disk")
		gone := []uint64{}
		for j := range uint64(min(rows, 300)) {
			gone = append(gone, uint64(rows)-1-j)
		}
		for try := 0; ; try++ { // what is being merged holds space for a moment
			tx := must[*storage.Tx](t)(s.Begin(ctx))
			must[int](t)(tx.Delete(ctx, "photos", gone))
			err := tx.Commit(ctx)
			if err == nil {
				break
			}
			if try == 50 {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		rows -= len(gone)
		full("after deleting on a full disk")
		healthy(t, s)
		disk.resize(8 << 20)
		check(t, insert(500))
		full("after there was space")
		checked(t, s)
		s = must[*storage.Store](t)(storage.Open("db", opts))
		full("after opening it again")
		must[storage.VacuumResult](t)(s.Vacuum(ctx, "photos", nil))
		checked(t, s)
	}
}

// No space is left for one operation of the disk after the other, once or until it is
// noticed. What failed is not seen: not now, not if the process is killed there, and
// not later. The same step succeeds as soon as there is space.
func TestNoSpaceForAnyOperation(t *testing.T) {
	states := workStates(t)
	hits, failed := 0, 0
	for i := range seeds(110) {
		i += firstSeed()
		n, forever := 1+i*3%331, i%2 == 0
		mem := vfs.NewCrashableMem()
		f := &faults{forever: forever, err: &os.PathError{Op: "write", Path: "disk", Err: syscall.ENOSPC}}
		f.left.set(int64(n))
		f.counts = func(op errorfs.Op) bool {
			switch op.Kind {
			case errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpRename, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate, errorfs.OpFileFlush:
				return false // they take no space
			case errorfs.OpReuseForWrite, errorfs.OpOpen, errorfs.OpMkdirAll:
				return false
			case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
				// A file system that finds out late. Directories are not among what it puts off.
				return changes(op) && !forever && path.Ext(op.Path) != "" || strings.Contains(op.Path, "MANIFEST-") && !forever
			}
			return changes(op)
		}
		opts := &storage.Options{FS: errorfs.Wrap(mem, f)}
		storage.SetMemTable(opts, 1<<18)
		s, err := storage.Open("db", opts)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("operation %d: %v", n, err)
			}
			f.forever = false
			f.left.set(0)
			s = must[*storage.Store](t)(storage.Open("db", opts))
		}
		storage.SetPatience(s, 2*time.Second)
		for j, step := range workSteps(s) {
			before := time.Now()
			err := step()
			if err == nil {
				continue
			}
			failed++
			if took := time.Since(before); took > 5*time.Second { // a hang, not a slow machine
				t.Errorf("operation %d: step %d takes %v", n, j, took)
			}
			if !fullOf(err) {
				t.Fatalf("operation %d, step %d: not the error of a full disk: %v", n, j, err)
			}
			if got := state(t, s); got != states[j] {
				t.Fatalf("operation %d failed in step %d, which is seen: %s, want %s", n, j, got, states[j])
			}
			killed := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})}))
			if got := state(t, killed); got != states[j] {
				t.Fatalf("operation %d failed in step %d, and the process is killed: %s, want %s", n, j, got, states[j])
			}
			checked(t, killed)
			f.forever = false
			f.left.set(0)
			for try := 0; ; try++ { // what Pebble does in the background fails for some time, too
				if err = step(); err == nil {
					break
				}
				if try == 50 {
					t.Fatalf("operation %d failed in step %d; with space: %v", n, j, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if got := state(t, s); got != states[j+1] {
				t.Fatalf("operation %d failed in step %d; done again: %s, want %s", n, j, got, states[j+1])
			}
		}
		if f.hit.n.Load() > 0 {
			hits++
		}
		f.forever = false
		f.left.set(0)
		healthy(t, s)
		check(t, s.Close())
		s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: mem}))
		if got, want := state(t, s), states[len(states)-1]; got != want {
			t.Fatalf("operation %d: opened again there is %s, want %s", n, got, want)
		}
		checked(t, s)
	}
	if failed == 0 {
		t.Fatal("no step failed")
	}
	t.Logf("%d runs met a failing operation, %d steps failed", hits, failed)
}

// A view of before a failure goes on reading while the store has begun anew.
func TestViewsOutliveAFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	f := &faults{err: syscall.ENOSPC}
	f.left.set(0)
	logs := func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log")
	}
	f.counts = logs
	opts := &storage.Options{FS: errorfs.Wrap(mem, f)}
	storage.SetMemTable(opts, 1<<18)
	s := newPhotos(t, "db", opts, 3000, 5)
	v := must[*storage.View](t)(s.Snapshot())
	rows := 3000
	for range 3 {
		f.forever = true
		f.left.set(1)
		insert := func() error {
			tx := must[*storage.Tx](t)(s.Begin(ctx))
			must[storage.InsertResult](t)(tx.Insert(ctx, "photos", photoRows(rows, rows+2000, 5), storage.InsertOptions{}))
			return tx.Commit(ctx)
		}
		if err := insert(); !fullOf(err) {
			t.Fatal(err)
		}
		if n := count(t, s); n != rows {
			t.Fatalf("%d rows, want %d", n, rows)
		}
		f.forever = false
		f.left.set(0)
		check(t, insert())
		rows += 2000
		must[storage.VacuumResult](t)(s.Vacuum(ctx, "photos", nil))
		if n := must[*storage.Table](t)(v.Table("photos")).Rows(); n != 3000 {
			t.Fatalf("the old view has %d rows", n)
		}
	}
	if n := countIn(t, v); n != 3000 {
		t.Fatalf("the old view reads %d rows", n)
	}
	check(t, v.Close())
	checked(t, s)
}

// On a real file system of 8 MB.
func TestFullFileSystem(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4"} {
		t.Run(kind, func(t *testing.T) {
			dir := mounted(t, kind, 8)
			store := filepath.Join(dir, "db")
			s := newPhotos(t, store, nil, 1, 5)
			if used := diskUsed(t, store); used > 8<<20 {
				t.Errorf("a store of one row takes %d bytes while it is open", used)
			}
			check(t, s.Close())
			if used := diskUsed(t, store); used > 1<<20 {
				t.Errorf("a store of one row takes %d bytes", used)
			}
			s = must[*storage.Store](t)(storage.Open(store, nil))
			rows := 1
			insert := func(n int) error {
				tx, err := s.Begin(ctx)
				if err != nil {
					return err
				}
				must[storage.InsertResult](t)(tx.Insert(ctx, "photos", photoRows(rows, rows+n, 5), storage.InsertOptions{}))
				if err = tx.Commit(ctx); err == nil {
					rows += n
				}
				return err
			}
			var err error
			for err == nil {
				err = insert(200)
			}
			if !fullOf(err) {
				t.Fatal(err)
			}
			for insert(1) == nil {
			}
			fill(t, dir)
			if n := count(t, s); n != rows {
				t.Fatalf("%d rows, want %d", n, rows)
			}
			check(t, s.Close())
			s = must[*storage.Store](t)(storage.Open(store, nil))
			if n := count(t, s); n != rows {
				t.Fatalf("%d rows after opening, want %d", n, rows)
			}
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Delete(ctx, "photos", []uint64{uint64(rows) - 1})
				return err
			})
			rows--
			check(t, os.Remove(filepath.Join(dir, "fill")))
			check(t, insert(1))
			if n := count(t, s); n != rows {
				t.Fatalf("%d rows, want %d", n, rows)
			}
			checked(t, s)
		})
	}
}

// mounted mounts a small file system, or skips the test.
func mounted(t *testing.T, kind string, mb int) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes Linux and root")
	}
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	check(t, os.Mkdir(mnt, 0o755))
	var cmds [][]string
	if kind == "tmpfs" {
		cmds = [][]string{{"mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mb), "tmpfs", mnt}}
	} else {
		img := filepath.Join(dir, "img")
		check(t, os.WriteFile(img, make([]byte, mb<<20), 0o644))
		cmds = [][]string{{"mkfs.ext4", "-q", "-F", img}, {"mount", "-o", "loop", img, mnt}}
	}
	for _, c := range cmds {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Skipf("a small file system can't be mounted here: %s: %v %s", c[0], err, out)
		}
	}
	t.Cleanup(func() { check(t, exec.Command("umount", "-l", mnt).Run()) })
	return mnt
}

// fill writes what is free in a file named fill.
func fill(t *testing.T, dir string) {
	t.Helper()
	f := must[*os.File](t)(os.Create(filepath.Join(dir, "fill")))
	for n := 1 << 20; n > 0; n /= 2 {
		for {
			if _, err := f.Write(make([]byte, n)); err != nil {
				break
			}
		}
	}
	f.Close()
}

// linksAlone keeps links from being made and logs from being used again while the disk is copied:
// Pebble's file system in memory takes a lock for reading twice there, which hangs when somebody
// waits for it in between.
type linksAlone struct {
	vfs.FS
	mu sync.RWMutex
}

func (l *linksAlone) Link(old, name string) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.FS.Link(old, name)
}

func (l *linksAlone) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.FS.ReuseForWrite(old, name, c)
}

// What the disk is given back on a full disk are logs that nothing needs any more. A load that
// waits in a log of its own is written to tables by itself, and what follows it later: in
// between, these logs hold what was acknowledged.
func TestLogsThatAreNeededStay(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var s *storage.Store
	var mu sync.Mutex
	type picture struct {
		fs          *vfs.MemFS
		acked, next int
	}
	var pictures []picture
	acked, next := 0, 0
	take := false
	links := &linksAlone{FS: mem}
	hooked := errorfs.Wrap(links, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !strings.Contains(op.Path, "MANIFEST-") || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		mu.Lock()
		on := take
		mu.Unlock()
		if !on {
			return nil
		}
		storage.GiveBack(s)
		mu.Lock()
		defer mu.Unlock()
		links.mu.Lock()
		defer links.mu.Unlock()
		pictures = append(pictures, picture{mem.CrashClone(vfs.CrashCloneCfg{}), acked, next})
		return nil
	}))
	opts := &storage.Options{FS: hooked}
	storage.SetMemTable(opts, 1<<18)
	s = newPhotos(t, "db", opts, 100, 3)
	mu.Lock()
	acked, next, take = 100, 100, true
	mu.Unlock()
	step := func(n int, write func(rows *value.Batch) error) {
		t.Helper()
		mu.Lock()
		from := acked
		next = from + n
		mu.Unlock()
		check(t, write(photoRows(from, from+n, 3)))
		mu.Lock()
		acked = from + n
		mu.Unlock()
	}
	insert := func(rows *value.Batch) error {
		tx, err := s.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Insert(ctx, "photos", rows, storage.InsertOptions{}); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit(ctx)
	}
	for range 20 {
		step(10, insert)
		step(50, func(rows *value.Batch) error { return load(s, "photos", rows) })
		step(1, insert)
		step(1, insert)
	}
	mu.Lock()
	take = false
	mu.Unlock()
	// What is in tables is no burden to the reserve.
	for end := time.Now().Add(30 * time.Second); storage.LogsHeld(s) > 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d logs are kept space for", storage.LogsHeld(s))
		}
	}
	checked(t, s)
	lost := 0
	for i, p := range pictures {
		s, err := storage.Open("db", &storage.Options{FS: p.fs})
		if err != nil {
			t.Errorf("picture %d of %d: %v", i, len(pictures), err)
			lost++
			continue
		}
		if n := count(t, s); n != p.acked && n != p.next {
			t.Errorf("picture %d of %d: %d rows of %d acknowledged ones", i, len(pictures), n, p.acked)
			lost++
		}
		checked(t, s)
	}
	if t.Logf("%d pictures, %d lost", len(pictures), lost); len(pictures) < 20 {
		t.Error("too few pictures")
	}
}
