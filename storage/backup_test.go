package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
)

// A backup that fails, as on a full disk of its own, or that is cancelled, does the
// store no harm, wherever that happens.
func TestBackupFails(t *testing.T) {
	var left atomic.Int64 // writes to the copy that succeed
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "copy") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && left.Add(-1) < 0 {
			return errDisk
		}
		return nil
	}))
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	insert := func(from int) {
		t.Helper()
		tx := must[*storage.Tx](t)(s.Begin(ctx))
		_, err := tx.Insert(ctx, "photos", photoRows(from, from+1, 3), storage.InsertOptions{})
		check(t, err)
		check(t, tx.Commit(ctx))
	}
	if _, err := work(s, 3); err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		left.Store(int64(n))
		err := s.Backup(ctx, "copy", nil)
		insert(5000 + n)
		if err == nil {
			break
		}
		if !errors.Is(err, errDisk) {
			t.Fatalf("write %d: %v", n, err)
		}
	}
	if n < 5 {
		t.Errorf("a backup makes only %d writes", n)
	}
	left.Store(1 << 30)
	for i := range 20 { // one after the other into the same place
		cctx, cancel := context.WithCancel(ctx)
		go cancel()
		if err := s.Backup(cctx, "again", nil); err == nil {
			break
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		insert(6000 + i)
	}
	check(t, s.Close())
}

// rowsOf opens a backup for reading, checks it, and returns the number of its rows. Not
// one byte of it is changed by that.
func rowsOf(t *testing.T, fs vfs.FS, dir, what string) int {
	t.Helper()
	before := folderHash(t, fs, dir)
	s, err := storage.Open(dir, &storage.Options{FS: fs, ReadOnly: true})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	rows, wrong, err := readPhotos(s, 4)
	if wrong != "" || err != nil {
		t.Fatalf("%s: %s, %v", what, wrong, err)
	}
	healthy(t, s)
	check(t, s.Close())
	if folderHash(t, fs, dir) != before {
		t.Fatalf("%s: reading a backup has changed it", what)
	}
	return rows
}

// When the process is killed or the power fails while a backup is made, the store has lost
// nothing, and where the backup goes there is none, the older one or the new one: never
// one that only looks like one. The next backup goes there as if nothing had happened.
func TestCutDuringBackup(t *testing.T) {
	for _, older := range []bool{false, true} {
		mem := vfs.NewCrashableMem()
		r := rand.New(rand.NewPCG(uint64(firstSeed()), 61))
		var ops, at atomic.Int64
		var disk *vfs.MemFS
		cut := func() { // the last operation that at names is the one that counts
			disk = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[r.IntN(3)], RNG: r})
		}
		var mu sync.Mutex
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && ops.Add(1) == at.Load() {
				mu.Lock()
				cut()
				mu.Unlock()
			}
			return nil
		}))
		s := fillDamaged(t, fs, 1500)
		first := 0
		if older {
			check(t, s.Backup(ctx, "copy", nil))
			first = 1500
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, "photos", photoRows(1500, 1600, 4), storage.InsertOptions{})
				return err
			})
		}
		rows, tried, found := 1500+100*min(first, 1), 0, map[string]int{}
		for n := int64(1); ; n += int64(1 + r.IntN(3)) {
			ops.Store(0)
			at.Store(n)
			disk = nil
			if !older {
				check(t, fs.RemoveAll("copy"))
			}
			check(t, s.Backup(ctx, "copy", nil))
			mu.Lock()
			fs := disk
			mu.Unlock()
			if fs == nil {
				break
			}
			tried++
			what := fmt.Sprintf("older %v, operation %d", older, n)
			if got := rowsAfter(t, fs, what); got != rows {
				t.Fatalf("%s: the store has %d rows of %d", what, got, rows)
			}
			dir := "copy"
			if _, err := fs.Stat(dir); errors.Is(err, os.ErrNotExist) {
				dir = "copy.replaced" // what an older one is called for a moment, where directories can't be exchanged
			}
			if names, err := fs.List(dir); err == nil && len(names) > 0 {
				got := rowsOf(t, fs, dir, what)
				if got != first && got != rows {
					t.Fatalf("%s: a backup of %d rows", what, got)
				}
				found[dir]++
			} else if older {
				t.Fatalf("%s: the older backup is gone", what)
			}
			again := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
			check(t, again.Backup(ctx, "copy", nil))
			check(t, again.Close())
			if got := rowsOf(t, fs, "copy", what); got != rows {
				t.Fatalf("%s: the next backup has %d rows of %d", what, got, rows)
			}
			for _, n := range must[[]string](t)(fs.List("")) {
				if strings.HasPrefix(n, "copy.") {
					t.Errorf("%s: %s is left", what, n)
				}
			}
		}
		check(t, s.Close())
		t.Logf("older %v: %d cuts, after which there was a backup in %v", older, tried, found)
		if tried < 10 {
			t.Error("hardly any cut")
		}
	}
}

func rowsAfter(t *testing.T, fs vfs.FS, what string) int {
	t.Helper()
	s, err := storage.Open("db", &storage.Options{FS: fs})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	rows, wrong, err := readPhotos(s, 4)
	if wrong != "" || err != nil {
		t.Fatalf("%s: %s, %v", what, wrong, err)
	}
	healthy(t, s)
	check(t, s.Close())
	return rows
}

// A damaged store is not backed up as if it were whole, wherever the damage is, whether
// bytes are copied or shared, and an older backup stays as it is.
func TestBackupOfDamage(t *testing.T) {
	store := salvageCase(t, true)
	refused, whole := 0, 0
	for i := range seeds(12) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 62))
		fs := copyOf(t, store)
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
		older := r.IntN(2) == 0
		if older {
			check(t, s.Backup(ctx, "copy", nil))
		}
		check(t, s.Close())
		where := damageInside(t, r, fs)
		opts := &storage.Options{FS: fs, ReadOnly: r.IntN(3) == 0}
		s, err := storage.Open("db", opts)
		if err != nil {
			damageOnly(t, where, "open", err)
			continue
		}
		before := ""
		if older {
			before = folderHash(t, fs, "copy")
		}
		problems := 0
		check(t, s.Check(ctx, func(storage.Problem) { problems++ }))
		err = s.Backup(ctx, "copy", &storage.BackupOptions{HardLinks: r.IntN(3) == 0})
		damageOnly(t, where, "backup", err)
		switch {
		case err == nil && problems > 0 && !older:
			t.Fatalf("%s: the backup is made", where)
		case err == nil:
			// Nothing was damaged that is backed up, or the older backup had it: in any case
			// this one is whole.
			c := must[*storage.Store](t)(storage.Open("copy", &storage.Options{FS: fs, ReadOnly: true}))
			for _, name := range []string{"photos", "other"} {
				if rows, err := scanAll(c, name); rows != 7500 || err != nil {
					t.Fatalf("%s: a backup with %d rows of %s, %v", where, rows, name, err)
				}
			}
			healthy(t, c)
			check(t, c.Close())
			whole++
		default:
			refused++
			names, _ := fs.List("copy")
			if older && folderHash(t, fs, "copy") != before || !older && len(names) > 0 {
				t.Fatalf("%s: refused, and there is a backup of %d files", where, len(names))
			}
		}
		check(t, s.Close())
	}
	t.Logf("refused %d, whole %d", refused, whole)
	if refused == 0 {
		t.Error("no backup was refused")
	}
}

// CHECK finds damage of a backup in place, and changes nothing in it.
func TestCheckOfABackup(t *testing.T) {
	fs := salvageCase(t, true)
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	check(t, s.Backup(ctx, "copy", nil))
	check(t, s.Close())
	for _, n := range must[[]string](t)(fs.List("copy")) {
		b := fileBytes(t, fs, "copy/"+n)
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		for _, at := range []int{0, len(b) / 3, len(b) - 1} {
			damaged := bytes.Clone(b)
			damaged[at] ^= 4
			overwrite(t, fs, "copy/"+n, damaged)
			before := folderHash(t, fs, "copy")
			problems := 0
			s, err := storage.Open("copy", &storage.Options{FS: fs, ReadOnly: true})
			if err == nil {
				check(t, s.Check(ctx, func(storage.Problem) { problems++ }))
				check(t, s.Close())
			} else if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("%s at %d: %v", n, at, err)
			}
			if err == nil && problems == 0 {
				t.Errorf("%s at %d: damage is not found", n, at)
			}
			if folderHash(t, fs, "copy") != before {
				t.Errorf("%s at %d: CHECK has changed the backup", n, at)
			}
			// Nor is it restored, or made part of the next one.
			if s, err := storage.Open("copy", &storage.Options{FS: fs, ReadOnly: true}); err == nil {
				if err := s.Backup(ctx, "restored", &storage.BackupOptions{New: true}); !errors.Is(err, storage.ErrCorrupt) {
					t.Errorf("%s at %d: restored: %v", n, at, err)
				}
				check(t, s.Close())
			}
		}
		overwrite(t, fs, "copy/"+n, b)
	}
	s = must[*storage.Store](t)(storage.Open("copy", &storage.Options{FS: fs, ReadOnly: true}))
	check(t, s.Backup(ctx, "restored", &storage.BackupOptions{New: true}))
	check(t, s.Close())
	s = must[*storage.Store](t)(storage.Open("restored", &storage.Options{FS: fs}))
	if rows, err := scanAll(s, "photos"); rows != 7500 || err != nil {
		t.Errorf("%d rows restored, %v", rows, err)
	}
	healthy(t, s)
	check(t, s.Close())
}

// A backup in place of an older one writes what is new.
func TestIncrementalBackupWritesWhatIsNew(t *testing.T) {
	var written atomic.Int64
	counted := countingFS{FS: vfs.NewMem(), written: &written}
	s := fillDamaged(t, counted, 1500)
	load := func(from, to int) {
		l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
		check(t, l.Append(ctx, photoRows(from, to, 4)))
		must[uint64](t)(l.Finish(ctx))
	}
	load(1500, 60000)
	check(t, s.Close())
	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: counted}))
	backup := func() int64 {
		written.Store(0)
		check(t, s.Backup(ctx, "copy", nil))
		return written.Load()
	}
	all := backup()
	same := backup()
	load(60000, 61000)
	more := backup()
	t.Logf("bytes written: %d at first, %d with nothing new, %d with a sixtieth more", all, same, more)
	if all < 1<<20 || same > all/20 || more > all/8 {
		t.Errorf("bytes written: %d at first, %d with nothing new, %d with a sixtieth more", all, same, more)
	}
	check(t, s.Close())
	if got := rowsOf(t, counted, "copy", "copy"); got != 61000 {
		t.Errorf("%d rows", got)
	}
}

// countingFS counts the bytes that are written below the directory "copy".
type countingFS struct {
	vfs.FS
	written *atomic.Int64
}

func (c countingFS) Create(name string, w vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, w)
	if err == nil && strings.HasPrefix(name, "copy") {
		f = countingFile{f, c.written}
	}
	return f, err
}

type countingFile struct {
	vfs.File
	written *atomic.Int64
}

func (c countingFile) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.File.Write(p)
}
