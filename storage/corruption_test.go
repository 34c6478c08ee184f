package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// readPhotos reads everything in the table photos and reports wrong answers. A
// damaged store may give an error instead. rows is the number of rows read.
func readPhotos(s *storage.Store, dim int) (rows int, wrong string, err error) {
	v, err := s.Snapshot()
	if err != nil {
		return 0, "", err
	}
	defer v.Close()
	tab, err := v.Table("photos")
	if err != nil {
		return 0, "", err
	}
	scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1, 2}})
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		if err != nil || b == nil {
			if err == nil && rows != int(tab.Rows()) {
				return rows, fmt.Sprintf("%d rows, the counter says %d", rows, tab.Rows()), nil
			}
			return rows, "", err
		}
		for i := range b.Len {
			if b.Sel != nil {
				break
			}
			want := photoRows(rows, rows+1, dim)
			for c := range 3 {
				if value.Compare(b.Cols[c].Value(i), want.Cols[c].Value(0)) != 0 {
					return rows, fmt.Sprintf("row %d column %d: %v", rows, c, b.Cols[c].Value(i)), nil
				}
			}
			if i%97 == 0 {
				row, ok, err := tab.Lookup(ctx, want.Cols[0].Value(0))
				if err != nil {
					return rows, "", err
				}
				if !ok || row != uint64(rows) {
					return rows, fmt.Sprintf("row %d is found as %d %v", rows, row, ok), nil
				}
			}
			rows++
		}
	}
}

// damaged makes a store with rows in full blocks and in the tail, in files and, after
// a crash, in the log. unsynced is the part of what was not synced that survives a
// crash in percent, all of it when only the process is killed; -1 means no crash.
func damaged(t *testing.T, unsynced int) *vfs.MemFS {
	fs := vfs.NewCrashableMem()
	s := fillDamaged(t, fs, 1500)
	if unsynced >= 0 {
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(1, 1))})
		check(t, s.Close())
		return fs
	}
	l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
	check(t, l.Append(ctx, photoRows(1500, 4000, 4)))
	must[uint64](t)(l.Finish(ctx))
	check(t, s.Close())
	return fs
}

// fillDamaged opens a new store and commits rows, a hundred at a time.
func fillDamaged(t *testing.T, fs vfs.FS, rows int) *storage.Store {
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, photos(4))
		return err
	})
	for i := 0; i < rows; i += 100 {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(i, i+100, 4), storage.InsertOptions{})
			return err
		})
	}
	return s
}

// flip changes one bit of a random file with one of the suffixes and says where.
func flip(t *testing.T, r *rand.Rand, fs vfs.FS, suffix string) string {
	names := must[[]string](t)(fs.List("db"))
	var files []string
	for _, n := range names {
		if strings.HasSuffix(n, suffix) || suffix == "MANIFEST" && strings.HasPrefix(n, suffix) {
			files = append(files, n)
		}
	}
	name := fs.PathJoin("db", files[r.IntN(len(files))])
	info := must[vfs.FileInfo](t)(fs.Stat(name))
	if info.Size() == 0 {
		return ""
	}
	at := r.Int64N(info.Size())
	f := must[vfs.File](t)(fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified))
	b := make([]byte, 1)
	must[int](t)(f.ReadAt(b, at))
	b[0] ^= 1 << r.IntN(8)
	must[int](t)(f.WriteAt(b, at))
	check(t, f.Close())
	return fmt.Sprintf("%s at %d of %d", name, at, info.Size())
}

func copyOf(t *testing.T, fs vfs.FS) *vfs.MemFS {
	c := vfs.NewMem()
	_, err := vfs.Clone(fs, c, "db", "db")
	check(t, err)
	return c
}

// A flipped bit is reported by an error or by Check, or makes no difference. It
// never changes an answer, and what can still be read is salvaged.
func TestFlippedBits(t *testing.T) {
	whole := damaged(t, -1)
	found, harmless := 0, 0
	for i := range seeds(6) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 11))
		fs := copyOf(t, whole)
		where := flip(t, r, fs, []string{".sst", ".sst", ".sst", "MANIFEST"}[r.IntN(4)])
		s, err := storage.Open("db", &storage.Options{FS: fs})
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("%s: open: %v", where, err)
			}
			found++
			continue
		}
		rows, wrong, err := readPhotos(s, 4)
		if wrong != "" {
			t.Fatalf("%s: a wrong answer: %s", where, wrong)
		}
		if err != nil && !errors.Is(err, storage.ErrCorrupt) {
			t.Fatalf("%s: an error that does not tell of damage: %v", where, err)
		}
		problems := 0
		check(t, s.Check(ctx, func(p storage.Problem) { problems++ }))
		switch {
		case problems > 0:
			found++
		case err != nil:
			t.Fatalf("%s: Check finds nothing, and reading says %v", where, err)
		case rows != 4000:
			t.Fatalf("%s: %d rows and no word about it", where, rows)
		default:
			harmless++
		}
		if problems > 0 {
			salvaged := 0
			err := s.Salvage(ctx, "photos", func(b *value.Batch) error { salvaged += b.Count(); return nil }, func(storage.Problem) {})
			if err == nil && salvaged < 2000 {
				t.Fatalf("%s: only %d of 4,000 rows were salvaged", where, salvaged)
			}
		}
		s.Close()
	}
	if found == 0 {
		t.Fatal("no flipped bit was found")
	}
	t.Logf("%d flipped bits were found, %d changed nothing", found, harmless)
}

// A flipped bit in the log of a store whose process was killed is reported, or makes no
// difference: what was acknowledged is there. The store is left as it is, and
// as found, for reading only, holds all transactions up to some point, whole.
func TestFlippedBitsInLog(t *testing.T) {
	whole := damaged(t, 100)
	found, ends, harmless := 0, 0, 0
	for i := range seeds(60) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 12))
		fs := copyOf(t, whole)
		where := flip(t, r, fs, []string{".log", ".log", ".log", "MANIFEST"}[r.IntN(4)])
		before := must[[]string](t)(fs.List("db"))
		s, err := storage.Open("db", &storage.Options{FS: fs})
		if err == nil {
			if rows := transactions(t, s, where); rows != 1500 {
				t.Fatalf("%s: %d rows of 1500 acknowledged ones, and no word about it", where, rows)
			}
			harmless++
			continue
		}
		if !errors.Is(err, storage.ErrCorrupt) {
			t.Fatalf("%s: open: %v", where, err)
		}
		found++
		if !strings.Contains(err.Error(), "open it as found") {
			continue
		}
		ends++
		if after := must[[]string](t)(fs.List("db")); !sameFiles(before, after) {
			t.Fatalf("%s: refused, but the directory has changed from %v to %v", where, before, after)
		}
		if _, err := storage.Open("db", &storage.Options{FS: fs, ReadOnly: true}); !errors.Is(err, storage.ErrCorrupt) {
			t.Fatalf("%s: open for reading only: %v", where, err)
		}
		s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs, AsFound: true}))
		rows, wrong, err := readPhotos(s, 4)
		if wrong != "" || err != nil || rows%100 != 0 || rows >= 1500 {
			t.Fatalf("%s: refused, and as found there are %d rows, %s, %v", where, rows, wrong, err)
		}
		check(t, s.Close())
	}
	t.Logf("%d flipped bits were found, %d of them by the number of commits; %d changed nothing", found, ends, harmless)
	if ends == 0 || ends == found {
		t.Fatal("one of the two ways to find a flipped bit was not tried")
	}
}

// After a power cut the file COMMITS may not know of the commits of the last second, and
// a flipped bit near the end of the log may look like a write that was cut off. Then
// the store holds all transactions up to some point, whole; without one, all.
func TestFlippedBitsInLogAfterPowerCut(t *testing.T) {
	for _, late := range []bool{false, true} {
		fs := vfs.NewCrashableMem()
		const n = 900 // all in the tail: deleting that when it is sealed would empty the log soon
		s := fillDamaged(t, fs, n)
		if late {
			storage.AwaitCommits(s)
		}
		whole := fs.CrashClone(vfs.CrashCloneCfg{})
		check(t, s.Close())
		found, cut, harmless := 0, 0, 0
		for i := range seeds(30) {
			r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 12))
			fs := copyOf(t, whole)
			where := flip(t, r, fs, ".log")
			s, err := storage.Open("db", &storage.Options{FS: fs})
			if err != nil {
				if !errors.Is(err, storage.ErrCorrupt) {
					t.Fatalf("%s: open: %v", where, err)
				}
				found++
				continue
			}
			switch rows := transactions(t, s, where); {
			case rows == n:
				harmless++
			case late:
				t.Fatalf("%s: %d rows of %d, acknowledged long ago, and no word about it", where, rows, n)
			default:
				cut++
			}
		}
		t.Logf("%d flipped bits were found, %d look like a torn write, %d changed nothing", found, cut, harmless)
		if late && found == 0 || !late && cut == 0 {
			t.Fatal("the second has made no difference")
		}
	}
}

// transactions checks that a store made by damaged holds whole transactions, in order,
// closes it and returns the number of rows.
func transactions(t *testing.T, s *storage.Store, where string) int {
	t.Helper()
	healthy(t, s)
	rows, wrong, err := readPhotos(s, 4)
	var none *storage.NoTableError
	if errors.As(err, &none) {
		err = nil
	}
	if wrong != "" || err != nil || rows%100 != 0 {
		t.Fatalf("%s: %d rows, %s, %v", where, rows, wrong, err)
	}
	check(t, s.Close())
	return rows
}

// sameFiles compares what two directories hold, but for the lock.
func sameFiles(a, b []string) bool {
	clean := func(names []string) []string {
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "LOCK" })
		slices.Sort(names)
		return names
	}
	return slices.Equal(clean(a), clean(b))
}

// The file that counts commits may be damaged, too: one flipped bit in it makes no
// difference, two that leave nothing valid are reported, and so is a file that
// belongs to a later state of the store.
func TestFlippedBitsInCommits(t *testing.T) {
	whole := damaged(t, 100)
	flipAt := func(fs vfs.FS, at int64) {
		f := must[vfs.File](t)(fs.OpenReadWrite("db/COMMITS", vfs.WriteCategoryUnspecified))
		b := make([]byte, 1)
		must[int](t)(f.ReadAt(b, at))
		b[0] ^= 4
		must[int](t)(f.WriteAt(b, at))
		check(t, f.Close())
	}
	for _, at := range []int64{0, 5, 11, 512, 523} {
		fs := copyOf(t, whole)
		flipAt(fs, at)
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
		if rows := transactions(t, s, "COMMITS"); rows != 1500 {
			t.Fatalf("byte %d: %d rows", at, rows)
		}
	}
	fs := copyOf(t, whole)
	flipAt(fs, 0)
	flipAt(fs, 512)
	if _, err := storage.Open("db", &storage.Options{FS: fs}); !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "COMMITS") {
		t.Fatalf("both records are damaged: %v", err)
	}
	// The rows that were added are gone with the files of an older copy.
	fs, later := copyOf(t, whole), copyOf(t, whole)
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: later}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(1500, 1600, 4), storage.InsertOptions{})
		return err
	})
	check(t, s.Close())
	check(t, fs.Remove("db/COMMITS"))
	_, err := vfs.Clone(later, fs, "db/COMMITS", "db/COMMITS")
	check(t, err)
	if _, err := storage.Open("db", &storage.Options{FS: fs}); !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "the last 1 are not there") {
		t.Fatalf("older files beside a newer COMMITS: %v", err)
	}
}
