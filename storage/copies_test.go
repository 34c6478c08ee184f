//go:build unix

package storage_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// copiedStores makes two days of a store, each closed and killed, and another store, in
// directories below dir, and returns how many rows each holds.
func copiedStores(t *testing.T, dir string) map[string]int {
	t.Helper()
	rows := map[string]int{}
	keep := func(from, name string, n int) {
		t.Helper()
		copyOpen(t, filepath.Join(dir, name), from)
		rows[name] = n
	}
	work := filepath.Join(dir, "work")
	n := 2500
	s := newPhotos(t, work, nil, n, 4)
	check(t, s.Close())
	for _, day := range []string{"monday", "tuesday"} {
		keep(work, day, n)
		s = must[*storage.Store](t)(storage.Open(work, nil))
		for range 3 {
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, "photos", photoRows(n, n+100, 4), storage.InsertOptions{})
				return err
			})
			n += 100
		}
		keep(work, day+" killed", n) // nobody is writing
		check(t, load(s, "photos", photoRows(n, n+1500, 4)))
		n += 1500
		check(t, s.Close())
	}
	other := filepath.Join(dir, "other work")
	s = newPhotos(t, other, nil, 700, 4)
	check(t, s.Close())
	keep(other, "other", 700)
	s = must[*storage.Store](t)(storage.Open(other, nil))
	for i := range 12 { // more commits than the others
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(700+i, 701+i, 4), storage.InsertOptions{})
			return err
		})
	}
	keep(other, "other killed", 712)
	check(t, s.Close())
	check(t, os.RemoveAll(work))
	check(t, os.RemoveAll(other))
	return rows
}

// copyOpen copies the directory of a store that may be open. Nobody writes to it, but directories
// of loads may go while they are copied.
func copyOpen(t *testing.T, to, from string) {
	t.Helper()
	for {
		err := os.CopyFS(to, os.DirFS(from))
		if err == nil {
			return
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		check(t, os.RemoveAll(to))
	}
}

// folderSum is one of all names and bytes below a directory.
func folderSum(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	check(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		fmt.Fprintf(h, "%s %d %x\n", p, len(b), sha256.Sum256(b))
		return err
	}))
	return fmt.Sprintf("%x", h.Sum(nil))
}

// A store's directory as copying tools and people leave it: it opens and everything is there, or
// the error says which file is wrong and what to do, and not one byte has changed.
func TestHostileCopies(t *testing.T) {
	base := t.TempDir()
	rows := copiedStores(t, base)
	stores := slices.Sorted(func(yield func(string) bool) {
		for n := range rows {
			if !yield(n) {
				return
			}
		}
	})
	files := func(name string) (out []string) {
		for _, e := range must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(base, name))) {
			if e.Name() != "LOCK" {
				out = append(out, e.Name())
			}
		}
		return out
	}
	opened, refused := 0, 0
	try := func(what, name string, hurt func(dir string), want ...int) {
		t.Helper()
		dir := filepath.Join(base, "copy")
		check(t, os.RemoveAll(dir))
		check(t, os.CopyFS(dir, os.DirFS(filepath.Join(base, name))))
		hurt(dir)
		before := folderSum(t, dir)
		s, err := storage.Open(dir, nil)
		if err != nil {
			refused++
			if !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, storage.ErrNotStore) && !errors.Is(err, storage.ErrFormat) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if folderSum(t, dir) != before {
				t.Errorf("%s, %s: the directory has changed: %v", name, what, err)
			}
			if !strings.Contains(err.Error(), "lupa repair") && !strings.Contains(err.Error(), "restore") && !strings.Contains(err.Error(), "move it out") && !errors.Is(err, storage.ErrNotStore) {
				t.Errorf("%s, %s: no way out: %v", name, what, err)
			}
			return
		}
		opened++
		if want = append(want, rows[name]); !slices.Contains(want, count(t, s)) {
			t.Errorf("%s, %s: %d rows, want %v", name, what, count(t, s), want)
		}
		healthy(t, s)
		check(t, s.Close())
	}
	read := func(name, n string) []byte { return must[[]byte](t)(os.ReadFile(filepath.Join(base, name, n))) }
	put := func(dir, n string, b []byte) { check(t, os.WriteFile(filepath.Join(dir, n), b, 0o644)) }
	for _, name := range stores {
		for i, a := range files(name) {
			for j, b := range files(name)[i+1:] {
				if (i+j+firstSeed())%4 != 0 && seeds(1) == 1 { // the soak does all
					continue
				}
				try(a+" and "+b+" swapped", name, func(dir string) {
					put(dir, a, read(name, b))
					put(dir, b, read(name, a))
				})
			}
			try(a+" of no length", name, func(dir string) { put(dir, a, nil) })
			stem, ext := strings.TrimSuffix(a, filepath.Ext(a)), filepath.Ext(a)
			for _, extra := range []string{stem + " (1)" + ext, "Copy of " + a, a + ".bak", a + "~", "._" + a} {
				if strings.HasPrefix(extra, "marker.") {
					continue // Pebble's markers go by their beginning
				}
				try("beside it "+extra, name, func(dir string) { put(dir, extra, read(name, a)) })
			}
		}
	}
	// Two days, and what a copying tool that was cut off leaves of both.
	for _, days := range [][2]string{{"monday", "tuesday"}, {"monday killed", "tuesday killed"}, {"monday", "monday killed"}, {"monday killed", "tuesday"}, {"monday", "tuesday killed"}, {"monday", "other"}, {"monday killed", "other killed"}} {
		for i := range seeds(20) {
			r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 12))
			old, fresh := days[0], days[1]
			if i%2 == 1 {
				old, fresh = fresh, old
			}
			keepOld := i%4 < 2 // what only the old copy has
			try(fmt.Sprintf("files of %s over it, seed %d", fresh, i+firstSeed()), old, func(dir string) {
				there := files(fresh)
				for _, n := range there {
					if r.IntN(2) == 0 {
						put(dir, n, read(fresh, n))
					}
				}
				for _, n := range files(old) {
					if !keepOld && !slices.Contains(there, n) && r.IntN(2) == 0 {
						check(t, os.Remove(filepath.Join(dir, n)))
					}
				}
			}, rows[fresh])
		}
	}
	// A log and a table of another store, under names that are free and under those in use.
	for _, name := range []string{"monday", "monday killed"} {
		for _, n := range files("other killed") {
			for _, as := range append(files(name), "999998.log", "999998.sst", "000001.log") {
				if filepath.Ext(n) == filepath.Ext(as) && (strings.HasSuffix(n, ".log") || strings.HasSuffix(n, ".sst")) {
					try(n+" of another store as "+as, name, func(dir string) { put(dir, as, read("other killed", n)) })
				}
			}
		}
	}
	t.Logf("%d copies were refused, %d opened", refused, opened)
	if refused < 100 || opened < 20 {
		t.Error("too few of either")
	}
}

// A table that is not the store's stays where somebody has put it.
func TestStrayTablesStay(t *testing.T) {
	base := t.TempDir()
	rows := copiedStores(t, base)
	dir := filepath.Join(base, "monday")
	var table []byte
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		if strings.HasSuffix(e.Name(), ".sst") {
			table = must[[]byte](t)(os.ReadFile(filepath.Join(dir, e.Name())))
		}
	}
	strays := []string{"999998.sst", "000012 (1).sst"}
	for _, n := range strays {
		check(t, os.WriteFile(filepath.Join(dir, n), table, 0o644))
	}
	there := func(when string) {
		t.Helper()
		for _, n := range strays {
			if b, err := os.ReadFile(filepath.Join(dir, n)); err != nil || string(b) != string(table) {
				t.Errorf("%s %s is gone: %v", when, n, err)
			}
		}
	}
	n := rows["monday"]
	for i := range 3 {
		s := must[*storage.Store](t)(storage.Open(dir, nil))
		if got := count(t, s); got != n {
			t.Fatalf("%d rows of %d", got, n)
		}
		check(t, load(s, "photos", photoRows(n, n+200, 4)))
		n += 200
		must[storage.VacuumResult](t)(s.Vacuum(ctx, "photos", nil))
		healthy(t, s)
		if i == 1 { // it is killed
			killed := filepath.Join(base, "killed")
			copyOpen(t, killed, dir)
			check(t, s.Close())
			dir = killed
			continue
		}
		check(t, s.Close())
		there("closed,")
	}
	there("in the end")
	for _, n := range strays { // nobody misses them
		check(t, os.Remove(filepath.Join(dir, n)))
	}
	s := must[*storage.Store](t)(storage.Open(dir, nil))
	checked(t, s)
}

// Directories and files that can't be read or written, and ones behind links.
func TestPermissionsAndLinks(t *testing.T) {
	base := t.TempDir()
	rows := copiedStores(t, base)
	for _, name := range []string{"monday", "monday killed"} {
		mem := vfs.NewMem()
		if _, err := vfs.Clone(vfs.Default, mem, filepath.Join(base, name), "db"); err != nil {
			t.Fatal(err)
		}
		names := must[[]string](t)(mem.List("db"))
		for _, denied := range names {
			if denied == "RESERVE" || denied == "SCHEMA" { // not needed
				continue
			}
			fs := deniedFS{mem, denied, nil}
			before := fileSums(t, mem)
			s, err := storage.Open("db", &storage.Options{FS: fs})
			if err == nil { // a lock, or an empty marker, is not opened in memory
				if got := count(t, s); got != rows[name] {
					t.Errorf("%s without %s: %d rows", name, denied, got)
				}
				check(t, s.Close())
				if mem = vfs.NewMem(); true {
					_, err = vfs.Clone(vfs.Default, mem, filepath.Join(base, name), "db")
					check(t, err)
				}
				continue
			}
			if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), denied) || errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("%s, no permission for %s: %v", name, denied, err)
			}
			if after := fileSums(t, mem); after != before {
				t.Errorf("%s, no permission for %s: the directory has changed", name, denied)
			}
		}
		// Nothing can be written.
		for _, failure := range []error{syscall.EROFS, syscall.EACCES} {
			before := fileSums(t, mem)
			fs := deniedFS{mem, "", failure}
			if _, err := storage.Open("db", &storage.Options{FS: fs}); err == nil || !errors.Is(err, failure) {
				t.Errorf("%s, %v: %v", name, failure, err)
			}
			if fileSums(t, mem) != before {
				t.Errorf("%s, %v: the directory has changed", name, failure)
			}
			s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs, ReadOnly: true}))
			if got := count(t, s); got != rows[name] {
				t.Errorf("%s, %v: %d rows", name, failure, got)
			}
			check(t, s.Close())
		}
		// The directory is a link, or all files are.
		link, links := filepath.Join(base, "link to "+name), filepath.Join(base, "links to "+name)
		copied := filepath.Join(base, "linked "+name)
		check(t, os.CopyFS(copied, os.DirFS(filepath.Join(base, name))))
		if err := os.Symlink(copied, link); err != nil {
			t.Skip("links can't be made here: ", err)
		}
		n := rows[name]
		for range 2 {
			s := must[*storage.Store](t)(storage.Open(link, nil))
			if got := count(t, s); got != n {
				t.Errorf("%s behind a link: %d rows", name, got)
			}
			check(t, load(s, "photos", photoRows(n, n+10, 4)))
			n += 10
			checked(t, s)
		}
		check(t, os.Mkdir(links, 0o755))
		for _, f := range must[[]os.DirEntry](t)(os.ReadDir(copied)) {
			check(t, os.Symlink(filepath.Join(copied, f.Name()), filepath.Join(links, f.Name())))
		}
		s, err := storage.Open(links, nil)
		if err != nil {
			t.Fatalf("%s, files behind links: %v", name, err)
		}
		if _, err := storage.Open(copied, nil); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("%s: opened twice, by its files and by links to them: %v", name, err)
		}
		if got := count(t, s); got != n {
			t.Errorf("%s, files behind links: %d rows of %d", name, got, n)
		}
		check(t, load(s, "photos", photoRows(n, n+10, 4)))
		checked(t, s)
	}
}

func fileSums(t *testing.T, fs vfs.FS) string {
	t.Helper()
	out := ""
	names := must[[]string](t)(fs.List("db"))
	slices.Sort(names)
	for _, n := range names {
		out += fmt.Sprintf("%s %x\n", n, sha256.Sum256(fileBytes(t, fs, "db/"+n)))
	}
	return out
}

// deniedFS has a file that may not be opened, or gives an error to whoever writes.
type deniedFS struct {
	vfs.FS
	name  string
	write error
}

func (d deniedFS) denied(op, name string, write bool) error {
	if d.name != "" && d.PathBase(name) == d.name {
		return &os.PathError{Op: op, Path: name, Err: syscall.EACCES}
	}
	if write && d.write != nil {
		return &os.PathError{Op: op, Path: name, Err: d.write}
	}
	return nil
}

func (d deniedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if err := d.denied("open", name, false); err != nil {
		return nil, err
	}
	return d.FS.Open(name, o...)
}

func (d deniedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := d.denied("open", name, true); err != nil {
		return nil, err
	}
	return d.FS.OpenReadWrite(name, c, o...)
}

func (d deniedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.denied("create", name, true); err != nil {
		return nil, err
	}
	return d.FS.Create(name, c)
}

func (d deniedFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.denied("rename", name, true); err != nil {
		return nil, err
	}
	return d.FS.ReuseForWrite(old, name, c)
}

func (d deniedFS) Remove(name string) error {
	if err := d.denied("remove", name, true); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

func (d deniedFS) Rename(old, name string) error {
	if err := d.denied("rename", name, true); err != nil {
		return err
	}
	return d.FS.Rename(old, name)
}

func (d deniedFS) MkdirAll(name string, perm os.FileMode) error {
	if err := d.denied("mkdir", name, true); err != nil {
		return err
	}
	return d.FS.MkdirAll(name, perm)
}
