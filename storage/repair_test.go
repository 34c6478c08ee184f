package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// folderHash is a hash over the names and contents of a directory.
func folderHash(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	h := fnv.New64a()
	for _, n := range names {
		f, err := fs.Open(fs.PathJoin(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		fmt.Fprintf(h, "%s %d ", n, len(b))
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum64())
}

// damageFile does to a random file of a store what disks, copying tools and people do,
// and says what.
func damageFile(t *testing.T, r *rand.Rand, fs vfs.FS) string {
	names := must[[]string](t)(fs.List("db"))
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "load-") || n == "LOCK" })
	// Half of the trials go to what holds rows.
	if r.IntN(2) == 0 {
		kind := []string{".sst", ".log", "MANIFEST"}[r.IntN(3)]
		if some := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.Contains(n, kind) }); len(some) > 0 {
			names = some
		}
	}
	name := names[r.IntN(len(names))]
	path := fs.PathJoin("db", name)
	f := must[vfs.File](t)(fs.Open(path))
	b := must[[]byte](t)(io.ReadAll(f))
	check(t, f.Close())
	write := func(path string, b []byte) {
		f := must[vfs.File](t)(fs.Create(path, vfs.WriteCategoryUnspecified))
		must[int](t)(f.Write(bytes.Clone(b)))
		check(t, f.Close())
	}
	kind := r.IntN(8)
	if len(b) == 0 {
		kind = 7
	}
	switch kind {
	case 0, 1, 2:
		at := r.IntN(len(b))
		b[at] ^= 1 << r.IntN(8)
		write(path, b)
		return fmt.Sprintf("%s: a bit of byte %d of %d", name, at, len(b))
	case 3:
		n := r.IntN(len(b))
		write(path, b[:n])
		return fmt.Sprintf("%s: cut to %d of %d", name, n, len(b))
	case 4:
		from := r.IntN(len(b))
		to := min(len(b), from+[]int{512, 4096, len(b)}[r.IntN(3)])
		clear(b[from:to])
		write(path, b)
		return fmt.Sprintf("%s: zeros from %d to %d of %d", name, from, to, len(b))
	case 5:
		write(path, append(b, b[:min(len(b), 1+r.IntN(600))]...))
		return fmt.Sprintf("%s: longer than %d", name, len(b))
	case 6:
		other := fs.PathJoin("db", names[r.IntN(len(names))])
		f := must[vfs.File](t)(fs.Open(other))
		o := must[[]byte](t)(io.ReadAll(f))
		check(t, f.Close())
		write(path, o)
		write(other, b)
		return fmt.Sprintf("%s: changed places with %s", name, other)
	}
	check(t, fs.Remove(path))
	return name + ": removed"
}

// Whatever is done to a file of a store: either it opens and holds everything, or what
// it lacks is said by Open, which changes nothing then, or by whoever reads the damaged
// place and by Check. Repair never makes it worse.
func TestDamageIsNeverSilent(t *testing.T) {
	for name, whole := range map[string]*vfs.MemFS{"closed": damaged(t, -1), "killed": damaged(t, 100), "power cut": damaged(t, 0)} {
		rows := 1500
		if name == "closed" {
			rows = 4000
		}
		t.Run(name, func(t *testing.T) {
			refused, readable, harmless, repaired := 0, 0, 0, 0
			for i := range seeds(50) {
				r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 21))
				fs := copyOf(t, whole)
				where := damageFile(t, r, fs)
				before := folderHash(t, fs, "db")
				ro := r.IntN(4) == 0
				s, err := storage.Open("db", &storage.Options{FS: fs, ReadOnly: ro})
				if err != nil {
					if !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, storage.ErrNotStore) && !errors.Is(err, storage.ErrFormat) {
						t.Fatalf("%s: open: %v", where, err)
					}
					for _, bad := range []string{"\n", "carrier", "goroutine"} {
						if strings.Contains(err.Error(), bad) {
							t.Fatalf("%s: open says %q", where, err)
						}
					}
					if after := folderHash(t, fs, "db"); after != before {
						t.Fatalf("%s: refused (%v), but the directory has changed", where, err)
					}
					refused++
					if did, err := storage.Repair("db", &storage.RepairOptions{FS: fs}); err == nil {
						repaired++
						s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
						n, wrong, err := readPhotos(s, 4)
						// Without COMMITS nobody knows what is missing at the end of a damaged
						// log, which Repair says; after a power cut it may lag behind.
						blind := name == "power cut" || strings.Contains(strings.Join(did, "\n"), "may be missing")
						if n != rows && !(blind && n%100 == 0) || wrong != "" || err != nil {
							t.Fatalf("%s: repaired, and %d rows of %d, %s, %v", where, n, rows, wrong, err)
						}
						healthy(t, s)
						check(t, s.Close())
					}
					continue
				}
				n, wrong, err := readPhotos(s, 4)
				problems := 0
				check(t, s.Check(ctx, func(storage.Problem) { problems++ }))
				switch {
				case wrong != "":
					t.Fatalf("%s: %s", where, wrong)
				case err != nil && !errors.Is(err, storage.ErrCorrupt):
					t.Fatalf("%s: an error that does not tell of damage: %v", where, err)
				case err != nil && problems == 0:
					t.Fatalf("%s: Check finds nothing, and reading says %v", where, err)
				case err != nil || problems > 0:
					readable++
				case n != rows && name == "power cut" && n%100 == 0: // commits of the last second, whole: see FORMAT.md
					harmless++
				case n != rows:
					t.Fatalf("%s: %d rows of %d, and no word about it", where, n, rows)
				default:
					harmless++
				}
				s.Close()
			}
			t.Logf("refused %d (of them %d could be repaired), readable in part %d, harmless %d", refused, repaired, readable, harmless)
			if refused == 0 || repaired == 0 {
				t.Error("one of the ways was not tried")
			}
		})
	}
}

// What copying tools leave out is put back by Repair and by nothing else.
func TestRepairOfMissingFiles(t *testing.T) {
	whole := damaged(t, -1)
	for _, n := range must[[]string](t)(whole.List("db")) {
		if kind := strings.Split(n, ".")[0]; strings.HasSuffix(n, ".sst") || strings.HasPrefix(kind, "MANIFEST") || n == "RESERVE" || n == "SCHEMA" {
			continue
		}
		t.Run(n, func(t *testing.T) {
			fs := copyOf(t, whole)
			check(t, fs.Remove("db/"+n))
			before := folderHash(t, fs, "db")
			s, err := storage.Open("db", &storage.Options{FS: fs})
			if strings.HasSuffix(n, ".log") && err == nil {
				// The log that Close begins stays empty, and is on the list only if the directory was
				// synced for another reason afterwards: without it nothing is missing.
				if rows, wrong, err := readPhotos(s, 4); rows != 4000 || wrong != "" || err != nil {
					t.Fatalf("%d rows, %s, %v", rows, wrong, err)
				}
				if len(fileBytes(t, whole, "db/"+n)) != 0 {
					t.Fatal("a log with something in it is missing, and nobody says so")
				}
				checked(t, s)
				return
			}
			if strings.HasSuffix(n, ".log") {
				if !errors.Is(err, storage.ErrCorrupt) {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "lupa repair") {
				t.Fatalf("open: %v", err)
			}
			if folderHash(t, fs, "db") != before {
				t.Fatal("the refused open has changed the directory")
			}
			did := must[[]string](t)(storage.Repair("db", &storage.RepairOptions{FS: fs}))
			if len(did) == 0 {
				t.Fatal("repaired without a word")
			}
			s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
			if rows, wrong, err := readPhotos(s, 4); rows != 4000 || wrong != "" || err != nil {
				t.Fatalf("%d rows, %s, %v", rows, wrong, err)
			}
			healthy(t, s)
			check(t, s.Close())
			if did := must[[]string](t)(storage.Repair("db", &storage.RepairOptions{FS: fs})); len(did) != 0 {
				t.Fatalf("a whole store was repaired: %v", did)
			}
		})
	}
}

// When the newer of the two lists of files is damaged, and the older one names files that
// were removed since, the error says that it is the list, and Repair makes it anew.
func TestDamagedListOfFiles(t *testing.T) {
	for state, unsynced := range map[string]int{"closed": -1, "killed": 100} {
		whole := damaged(t, unsynced)
		want := 1500
		if unsynced < 0 {
			want = 4000
		}
		told := 0
		for _, slot := range []string{"FILES.0", "FILES.1"} {
			for how, change := range map[string]func(b []byte) []byte{
				"zeros":  func(b []byte) []byte { return make([]byte, len(b)) },
				"empty":  func([]byte) []byte { return nil },
				"cut":    func(b []byte) []byte { return b[:30] },
				"a bit":  func(b []byte) []byte { b[12] ^= 1; return b },
				"letter": func(b []byte) []byte { b[3] = 'x'; return b },
			} {
				what := fmt.Sprintf("%s, %s: %s", state, slot, how)
				fs := copyOf(t, whole)
				overwrite(t, fs, "db/"+slot, change(fileBytes(t, fs, "db/"+slot)))
				before := folderHash(t, fs, "db")
				s, err := storage.Open("db", &storage.Options{FS: fs})
				if err != nil {
					told++
					if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), slot+" is damaged") || !strings.Contains(err.Error(), "lupa repair") {
						t.Errorf("%s: %v", what, err)
					}
					if folderHash(t, fs, "db") != before {
						t.Errorf("%s: the refused open has changed the directory", what)
					}
					if did := must[[]string](t)(storage.Repair("db", &storage.RepairOptions{FS: fs})); len(did) == 0 {
						t.Errorf("%s: repaired without a word", what)
					}
					s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
				}
				if rows, wrong, err := readPhotos(s, 4); rows != want || wrong != "" || err != nil {
					t.Errorf("%s: %d rows of %d, %s, %v", what, rows, want, wrong, err)
				}
				healthy(t, s)
				check(t, s.Close())
				if did := must[[]string](t)(storage.Repair("db", &storage.RepairOptions{FS: fs})); len(did) != 0 {
					t.Errorf("%s: a whole store was repaired: %v", what, did)
				}
			}
		}
		if told == 0 && unsynced < 0 {
			t.Errorf("%s: no damaged list was noticed", state)
		}
	}
}

// Repair does not put back the LOCK of a store that a process has open: a second one
// could write to it then.
func TestRepairOfAnOpenStore(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not known on this system")
	}
	dir := t.TempDir() + "/db"
	s := must[*storage.Store](t)(storage.Open(dir, nil))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, photos(4))
		return err
	})
	check(t, os.Remove(dir+"/LOCK"))
	// As another process sees it: the lock of LOCK is one of the process.
	link := t.TempDir() + "/other"
	check(t, os.Mkdir(link, 0o755))
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		check(t, os.Link(dir+"/"+e.Name(), link+"/"+e.Name()))
	}
	for _, d := range []string{dir, link} {
		if did, err := storage.Repair(d, nil); !errors.Is(err, storage.ErrLocked) || len(did) != 0 {
			t.Errorf("%s: %v, %v", d, did, err)
		}
		if _, err := os.Stat(d + "/LOCK"); err == nil {
			t.Error("LOCK was put back")
		}
	}
	_ = s.Close() // it says that its LOCK was taken away
	must[[]string](t)(storage.Repair(dir, nil))
	s = must[*storage.Store](t)(storage.Open(dir, nil))
	healthy(t, s)
	check(t, s.Close())
}

// A directory where a file of the store was, or a log or a marker that is not the store's, is named,
// with what to do, and nothing is changed; put away, the store opens, after a repair where a file
// is gone. What lies in the directory beside is left alone.
func TestStrangeFolders(t *testing.T) {
	whole := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: whole}, 2500, 4)
	check(t, s.Close())
	strange := []string{"marker.manifest.999999.MANIFEST-999999"}
	for _, n := range must[[]string](t)(whole.List("db")) {
		switch {
		case n == "LOCK", n == "LUPA", n == "COMMITS", strings.HasPrefix(n, "FILES."), strings.HasPrefix(n, "MANIFEST-"), strings.HasSuffix(n, ".sst"):
			strange = append(strange, n)
		}
	}
	for _, n := range strange {
		fs := copyOf(t, whole)
		_, err := fs.Stat("db/" + n)
		was := err == nil
		if was {
			check(t, fs.Remove("db/"+n))
		}
		if strings.HasPrefix(n, "marker.") {
			f := must[vfs.File](t)(fs.Create("db/"+n, vfs.WriteCategoryUnspecified))
			check(t, f.Close())
		} else {
			check(t, fs.MkdirAll("db/"+n, 0o755))
		}
		before := slices.Sorted(slices.Values(must[[]string](t)(fs.List("db"))))
		_, err = storage.Open("db", &storage.Options{FS: fs})
		if err == nil || !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "file "+n+" is") || !strings.Contains(err.Error(), "nothing was changed: ") {
			t.Fatalf("%s: %v", n, err)
		}
		if after := slices.Sorted(slices.Values(must[[]string](t)(fs.List("db")))); !slices.Equal(before, after) {
			t.Errorf("%s: %v, before %v", n, after, before)
		}
		if !strings.Contains(err.Error(), "move it out of the directory") {
			continue
		}
		check(t, fs.Remove("db/"+n))
		if was {
			must[[]string](t)(storage.Repair("db", &storage.RepairOptions{FS: fs}))
		}
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
		healthy(t, s)
		check(t, s.Close())
	}
	fs := copyOf(t, whole)
	for _, n := range []string{"photos", "load-photos", "load-2026", "README.txt", "load-1700000000000000000", "load-1700000000000000000.3"} {
		check(t, fs.MkdirAll("db/"+n, 0o755))
	}
	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	healthy(t, s)
	check(t, s.Close())
	for _, n := range []string{"load-1700000000000000000", "load-1700000000000000000.3"} { // of loads that were cut off
		if _, err := fs.Stat("db/" + n); err == nil {
			t.Errorf("%s is left", n)
		}
	}
	for _, n := range []string{"photos", "load-photos", "load-2026", "README.txt"} {
		if _, err := fs.Stat("db/" + n); err != nil {
			t.Errorf("%s was removed", n)
		}
	}
}
