package storage_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage"
)

func newPhotos(t *testing.T, dir string, opts *storage.Options, rows, dim int) *storage.Store {
	t.Helper()
	s := must[*storage.Store](t)(storage.Open(dir, opts))
	update(t, s, func(tx *storage.Tx) error {
		if _, err := tx.CreateTable(ctx, photos(dim)); err != nil {
			return err
		}
		_, err := tx.Insert(ctx, "photos", photoRows(0, rows, dim), storage.InsertOptions{})
		return err
	})
	return s
}

func TestOpenWhatIsNoStore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	check(t, os.WriteFile(file, []byte("x"), 0o644))
	_, err := storage.Open(file, nil)
	if !errors.Is(err, storage.ErrNotStore) {
		t.Errorf("a file: %v", err)
	}
	_, err = storage.Open(dir, nil) // holds the file
	if !errors.Is(err, storage.ErrNotStore) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory with other files: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("the directory was touched: %v", names)
	}
	_, err = storage.Open(filepath.Join(dir, "absent"), &storage.Options{ReadOnly: true})
	if !errors.Is(err, storage.ErrNotStore) {
		t.Errorf("nothing, to read: %v", err)
	}
}

func TestNewerFormat(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	check(t, newPhotos(t, dir, nil, 10, 2).Close())
	marker := filepath.Join(dir, "LUPA")
	old, err := os.ReadFile(marker)
	check(t, err)
	check(t, os.WriteFile(marker, []byte("Lupa store, format 99\n"), 0o644))
	_, err = storage.Open(dir, nil)
	if !errors.Is(err, storage.ErrFormat) || !strings.Contains(err.Error(), "99") {
		t.Fatalf("a store of format 99: %v", err)
	}
	check(t, os.WriteFile(marker, old, 0o644))
	checked(t, must[*storage.Store](t)(storage.Open(dir, nil)))
}

// One writer or several readers, in this process and in others.
func TestLocks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	w := newPhotos(t, dir, nil, 1500, 2)
	ro := &storage.Options{ReadOnly: true}
	for _, o := range []*storage.Options{nil, ro} {
		if _, err := storage.Open(dir, o); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("beside a writer: %v", err)
		}
		if got := inChild(t, dir, o == ro); got != "locked" {
			t.Errorf("beside a writer, another process: %s", got)
		}
	}
	check(t, w.Close())
	a := must[*storage.Store](t)(storage.Open(dir, ro))
	b := must[*storage.Store](t)(storage.Open(dir, ro))
	verifyPhotos(t, a, 1500, 2)
	verifyPhotos(t, b, 1500, 2)
	check(t, a.Close())
	if got := inChild(t, dir, true); got != "rows 1500" {
		t.Errorf("two readers in two processes: %s", got)
	}
	if got := inChild(t, dir, false); got != "locked" {
		t.Errorf("a writer beside a reader: %s", got)
	}
	if _, err := b.Begin(ctx); !errors.Is(err, storage.ErrReadOnly) {
		t.Errorf("writing to what is open for reading: %v", err)
	}
	healthy(t, b)
	backup := filepath.Join(t.TempDir(), "copy")
	check(t, b.Backup(ctx, backup, nil))
	check(t, b.Close())
	if got := inChild(t, dir, false); got != "rows 1500" {
		t.Errorf("after the readers: %s", got)
	}
	checked(t, must[*storage.Store](t)(storage.Open(backup, nil)))
}

// inChild opens a store in another process and returns what happens.
func inChild(t *testing.T, dir string, readOnly bool) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), "LUPA_CHILD=open", "LUPA_DIR="+dir)
	if readOnly {
		cmd.Env = append(cmd.Env, "LUPA_RO=1")
	}
	out, err := cmd.Output()
	check(t, err)
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// Memory: the store is gone after Close, and its backup is on disk.
func TestInMemory(t *testing.T) {
	s := newPhotos(t, "", &storage.Options{InMemory: true}, 2000, 3)
	verifyPhotos(t, s, 2000, 3)
	dir := filepath.Join(t.TempDir(), "copy")
	check(t, s.Backup(ctx, dir, nil))
	other := newPhotos(t, "", &storage.Options{InMemory: true}, 20, 3)
	if err := other.Backup(ctx, dir, nil); err == nil {
		t.Error("a backup went into a directory that holds one of another store")
	}
	checked(t, other)
	checked(t, s)
	s = must[*storage.Store](t)(storage.Open(dir, nil))
	verifyPhotos(t, s, 2000, 3)
	checked(t, s)
}

func TestCloseWithOpenViews(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	s := newPhotos(t, dir, nil, 10, 2)
	v := must[*storage.View](t)(s.Snapshot())
	if err := s.Close(); err == nil {
		t.Error("Close does not mention the open view")
	}
	if _, err := s.Snapshot(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("a view of a closed store: %v", err)
	}
	tab := must[*storage.Table](t)(v.Table("photos"))
	if tab.Rows() != 10 {
		t.Errorf("%d rows", tab.Rows())
	}
	check(t, v.Close())
	checked(t, must[*storage.Store](t)(storage.Open(dir, nil)))
}

// Each step of an upgrade is done or not done, and after all of them the file that
// names the format follows; an older program refuses the store.
func TestUpgrade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	s := newPhotos(t, dir, nil, 1500, 2)
	if err := storage.Upgrade(s, 3, 2); err == nil { // of three more steps
		t.Fatal("a step failed, and the upgrade did not")
	}
	if v, file := storage.StoredFormat(s); v != storage.Format+1 || file != storage.Format {
		t.Fatalf("after a failed second step the store is of format %d, its file says %d", v, file)
	}
	check(t, storage.Upgrade(s, 3, 0))
	if v, file := storage.StoredFormat(s); v != storage.Format+3 || file != v {
		t.Fatalf("after three steps the store is of format %d, its file says %d", v, file)
	}
	verifyPhotos(t, s, 1500, 2)
	check(t, s.Close())
	if _, err := storage.Open(dir, nil); !errors.Is(err, storage.ErrFormat) {
		t.Fatalf("an older program opens it: %v", err)
	}
}

// A store of the first format is upgraded when it is opened for writing; for reading
// only, the error says so.
func TestUpgradeOfFormat1(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	s := newPhotos(t, dir, nil, 1500, 2)
	check(t, storage.Downgrade(s))
	check(t, s.Close())
	if _, err := storage.Open(dir, &storage.Options{ReadOnly: true}); !errors.Is(err, storage.ErrFormat) || !strings.Contains(err.Error(), "open it for writing once") {
		t.Fatalf("opened for reading only: %v", err)
	}
	s = must[*storage.Store](t)(storage.Open(dir, nil))
	if v, file := storage.StoredFormat(s); v != storage.Format || file != v {
		t.Fatalf("the store is of format %d, its file says %d", v, file)
	}
	verifyPhotos(t, s, 1500, 2)
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(1500, 1600, 2), storage.InsertOptions{})
		return err
	})
	checked(t, s)
	s = must[*storage.Store](t)(storage.Open(dir, &storage.Options{ReadOnly: true}))
	verifyPhotos(t, s, 1600, 2)
	checked(t, s)
}

// A store whose directory is moved, replaced or taken the lock from while it is open
// refuses to write, and what was committed is where the directory is now.
func TestFolderTakenAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open directory can't be moved there")
	}
	insert := func(s *storage.Store) error {
		tx, err := s.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Insert(ctx, "photos", photoRows(500, 501, 2), storage.InsertOptions{}); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit(ctx)
	}
	for name, c := range map[string]struct {
		take  func(dir string) error
		where string // of the directory afterwards, beside dir
	}{
		"moved":        {func(dir string) error { return os.Rename(dir, dir+".moved") }, ".moved"},
		"lock removed": {func(dir string) error { return os.Remove(filepath.Join(dir, "LOCK")) }, ""},
		"lock replaced": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "LOCK")), os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o644))
		}, ""},
		"replaced": {func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".moved"), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o644))
		}, ".moved"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			s := newPhotos(t, dir, nil, 500, 2)
			check(t, c.take(dir))
			if err := insert(s); err == nil {
				t.Fatal("a commit was acknowledged")
			}
			verifyPhotos(t, s, 500, 2)
			_ = s.Close()
			where := dir + c.where
			if name == "lock removed" {
				if _, err := storage.Open(where, nil); !errors.Is(err, storage.ErrCorrupt) {
					t.Fatalf("a plain open made the lock again: %v", err)
				}
			}
			must[[]string](t)(storage.Repair(where, nil))
			s = must[*storage.Store](t)(storage.Open(where, nil))
			verifyPhotos(t, s, 500, 2)
			check(t, insert(s))
			checked(t, s)
		})
	}
}

// Opening gives up when its context ends.
func TestOpenContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	checked(t, newPhotos(t, dir, nil, 500, 2))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := storage.OpenContext(gone, dir, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	checked(t, must[*storage.Store](t)(storage.Open(dir, nil)))
}
