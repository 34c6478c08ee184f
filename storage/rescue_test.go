package storage_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// rescued salvages the store db and returns how many rows were saved of the table photos.
func rescued(t *testing.T, fs vfs.FS, what string) (rows int, report *storage.SalvageReport) {
	t.Helper()
	before := folderHash(t, fs, "db")
	report, err := storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: fs})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return 0, report
	}
	if folderHash(t, fs, "db") != before {
		t.Fatalf("%s: the damaged store was changed", what)
	}
	s := must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: fs}))
	defer s.Close()
	v := must[*storage.View](t)(s.Snapshot())
	if tab, err := v.Table("photos"); err == nil {
		rows = int(tab.Rows())
	}
	check(t, v.Close())
	healthy(t, s)
	return rows, report
}

// Rows are saved whichever file is missing, cut off, or not what it was.
func TestSalvageWithoutAFile(t *testing.T) {
	for state, unsynced := range map[string]int{"closed": -1, "killed": 100} {
		whole := damaged(t, unsynced)
		all, _ := rescued(t, copyOf(t, whole), "whole")
		for _, n := range must[[]string](t)(whole.List("db")) {
			for _, how := range []string{"remove", "zeros", "cut"} {
				fs := copyOf(t, whole)
				name := "db/" + n
				b := fileBytes(t, fs, name)
				switch how {
				case "remove":
					check(t, fs.Remove(name))
				case "zeros":
					overwrite(t, fs, name, make([]byte, len(b)))
				case "cut":
					overwrite(t, fs, name, b[:len(b)/2])
				}
				what := fmt.Sprintf("%s, %s: %s", state, how, n)
				rows, report := rescued(t, fs, what)
				t.Logf("%s: %d of %d rows; %q", what, rows, all, report.Notes)
				if rows > all {
					t.Errorf("%s: %d rows saved of %d", what, rows, all)
				}
				if !strings.HasSuffix(n, ".sst") && !strings.HasSuffix(n, ".log") && rows < all*99/100 {
					t.Errorf("%s: %d rows saved of %d", what, rows, all)
				}
			}
		}
	}
}

// Random damages leave the rows of undamaged blocks.
func TestSalvageRandomDamage(t *testing.T) {
	whole := damaged(t, -1)
	all, _ := rescued(t, copyOf(t, whole), "whole")
	names := must[[]string](t)(whole.List("db"))
	saved, most := 0, 0
	for i := range seeds(40) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 11))
		fs := copyOf(t, whole)
		n := names[r.IntN(len(names))]
		b := fileBytes(t, fs, "db/"+n)
		if len(b) == 0 {
			continue
		}
		at := r.IntN(len(b))
		b[at] ^= 1 << r.IntN(8)
		overwrite(t, fs, "db/"+n, b)
		what := fmt.Sprintf("%d: %s byte %d of %d", i, n, at, len(b))
		rows, report := rescued(t, fs, what)
		if rows < all {
			t.Logf("%s: %d of %d rows; %q", what, rows, all, report.Notes)
		}
		saved += rows
		most += all
	}
	t.Logf("%d rows of %d", saved, most)
}

func fileBytes(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f := must[vfs.File](t)(fs.Open(name))
	info := must[vfs.FileInfo](t)(f.Stat())
	b := make([]byte, info.Size())
	if len(b) > 0 {
		must[int](t)(f.ReadAt(b, 0))
	}
	check(t, f.Close())
	return b
}

func overwrite(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f := must[vfs.File](t)(fs.Create(name, vfs.WriteCategoryUnspecified))
	must[int](t)(f.Write(b))
	check(t, f.Close())
}
