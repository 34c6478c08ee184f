package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
// a crash, in the log.
func damaged(t *testing.T, crash bool) *vfs.MemFS {
	fs := vfs.NewCrashableMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, photos(4))
		return err
	})
	for i := 0; i < 1500; i += 100 {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(i, i+100, 4), storage.InsertOptions{})
			return err
		})
	}
	if crash {
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		check(t, s.Close())
		return fs
	}
	l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
	check(t, l.Append(ctx, photoRows(1500, 4000, 4)))
	must[uint64](t)(l.Finish(ctx))
	check(t, s.Close())
	return fs
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
	whole := damaged(t, false)
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

// A flipped bit in the log of a crashed store is reported, or it is where a torn
// write could be: then the store holds all transactions up to some point, whole.
func TestFlippedBitsInLog(t *testing.T) {
	whole := damaged(t, true)
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
		healthy(t, s)
		rows, wrong, err := readPhotos(s, 4)
		var none *storage.NoTableError
		if errors.As(err, &none) {
			err = nil
		}
		if wrong != "" || err != nil || rows%100 != 0 {
			t.Fatalf("%s: %d rows, %s, %v", where, rows, wrong, err)
		}
		if rows < 1500 {
			cut++
		} else {
			harmless++
		}
		check(t, s.Close())
	}
	t.Logf("%d flipped bits were found, %d look like a torn write, %d changed nothing", found, cut, harmless)
	if found == 0 {
		t.Fatal("no flipped bit was found")
	}
}
