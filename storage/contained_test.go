package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// twoTables makes a store of two tables of the same kind, loaded and written to row by
// row, so that files of both kinds hold both.
func twoTables(t *testing.T) *vfs.MemFS {
	fs := vfs.NewMem()
	opts := &storage.Options{FS: fs}
	s := must[*storage.Store](t)(storage.Open("db", opts))
	for _, name := range []string{"photos", "other"} {
		d := named(name)
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, d)
			return err
		})
		l := must[*storage.Loader](t)(s.BulkLoad(ctx, name, storage.LoadOptions{}))
		check(t, l.Append(ctx, photoRows(0, 4000, 16)))
		must[uint64](t)(l.Finish(ctx))
	}
	for i := 4000; i < 6000; i += 500 {
		for _, name := range []string{"photos", "other"} {
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, name, photoRows(i, i+500, 16), storage.InsertOptions{})
				return err
			})
		}
	}
	check(t, s.Close())
	return fs
}

// named is a table like photos.
func named(name string) storage.TableDef {
	d := photos(16)
	d.Name = name
	for i := range d.Indexes {
		d.Indexes[i].Name += "_of_" + name
	}
	return d
}

// damageInside flips a bit in a table file where no open looks: before its end.
func damageInside(t *testing.T, r *rand.Rand, fs vfs.FS) string {
	names := slices.DeleteFunc(must[[]string](t)(fs.List("db")), func(n string) bool { return !strings.HasSuffix(n, ".sst") })
	slices.Sort(names)
	for {
		name := fs.PathJoin("db", names[r.IntN(len(names))])
		info := must[vfs.FileInfo](t)(fs.Stat(name))
		if info.Size() < 5000 {
			continue
		}
		at := r.Int64N(info.Size() - 4500)
		f := must[vfs.File](t)(fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified))
		b := make([]byte, 1)
		must[int](t)(f.ReadAt(b, at))
		b[0] ^= 1 << r.IntN(8)
		must[int](t)(f.WriteAt(b, at))
		check(t, f.Close())
		return fmt.Sprintf("%s at %d of %d", name, at, info.Size())
	}
}

// scanAll reads a table to its end.
func scanAll(s *storage.Store, name string) (rows int, err error) {
	v, err := s.Snapshot()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	tab, err := v.Table(name)
	if err != nil {
		return 0, err
	}
	scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1, 2}})
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		if err != nil || b == nil {
			return rows, err
		}
		for i := range b.Len {
			if b.Sel == nil || slices.Contains(b.Sel, int32(i)) {
				rows++
			}
		}
	}
}

// damageOnly fails unless err is nil or tells of damage, in one line for people.
func damageOnly(t *testing.T, where, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if !errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrFailed) {
		t.Fatalf("%s: %s: %v", where, what, err)
	}
	for _, bad := range []string{"\n", "carrier", "goroutine", "pebble"} {
		if strings.Contains(err.Error(), bad) {
			t.Fatalf("%s: %s says %q", where, what, err)
		}
	}
}

// A damaged block damages what lies in it: whatever else the store does, reading other
// tables, writing to them, writing memory to files, merging files, loading, goes on, and
// no table is damaged any more when the damaged one is dropped.
func TestDamageIsContained(t *testing.T) {
	whole := twoTables(t)
	hurt, healed, refused := 0, 0, 0
	for i := range seeds(4) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 51))
		fs := copyOf(t, whole)
		where := fmt.Sprintf("seed %d: %s", i+firstSeed(), damageInside(t, r, fs))
		opts := &storage.Options{FS: fs}
		storage.SetMemTable(opts, 1<<16)
		s, err := storage.Open("db", opts)
		if err != nil {
			damageOnly(t, where, "open", err)
			refused++
			continue
		}
		bad := map[string]bool{}
		for _, name := range []string{"photos", "other"} {
			began := time.Now()
			_, err := scanAll(s, name)
			damageOnly(t, where, "scan of "+name, err)
			bad[name] = err != nil
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("%s: a scan took %v", where, d)
			}
		}
		check(t, s.Check(ctx, func(p storage.Problem) {
			for _, name := range []string{"photos", "other"} {
				bad[name] = bad[name] || p.Table == name
			}
			if strings.ContainsAny(p.String(), "\n<") {
				t.Fatalf("%s: check says %q", where, p.String())
			}
		}))
		if bad["photos"] || bad["other"] {
			hurt++
		}
		// The store goes on, with flushes and compactions.
		n := map[string]int{"photos": 6000, "other": 6000, "third": 0}
		third := named("third")
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, third)
			return err
		})
		for range 30 {
			for _, name := range []string{"photos", "other", "third"} {
				tx := must[*storage.Tx](t)(s.Begin(ctx))
				_, err := tx.Insert(ctx, name, photoRows(n[name], n[name]+100, 16), storage.InsertOptions{})
				if err != nil {
					damageOnly(t, where, "insert into "+name, err)
					check(t, tx.Rollback())
				} else if err := tx.Commit(ctx); err != nil {
					t.Fatalf("%s: commit: %v", where, err)
				} else {
					n[name] += 100
				}
				if err != nil && !bad[name] {
					t.Fatalf("%s: insert into %s, which is whole: %v", where, name, err)
				}
			}
		}
		for _, name := range []string{"photos", "other", "third"} {
			l, err := s.BulkLoad(ctx, name, storage.LoadOptions{})
			if err == nil {
				if err = l.Append(ctx, photoRows(n[name], n[name]+1500, 16)); err == nil {
					_, err = l.Finish(ctx)
				} else {
					l.Abort()
				}
			}
			damageOnly(t, where, "load into "+name, err)
			if err != nil && !bad[name] {
				t.Fatalf("%s: load into %s, which is whole: %v", where, name, err)
			}
		}
		for name, is := range bad {
			if rows, err := scanAll(s, name); !is && (err != nil || rows < 6000) {
				t.Fatalf("%s: %s is whole, and has %d rows, %v", where, name, rows, err)
			}
		}
		// What is damaged goes.
		for name, is := range bad {
			if !is {
				continue
			}
			tx := must[*storage.Tx](t)(s.Begin(ctx))
			err := tx.DropTable(ctx, name)
			damageOnly(t, where, "drop of "+name, err)
			if err != nil {
				t.Fatalf("%s: drop of %s: %v", where, name, err)
			}
			check(t, tx.Commit(ctx))
		}
		_, err = s.Vacuum(ctx, "third", nil)
		if damageOnly(t, where, "vacuum", err); err != nil {
			t.Fatalf("%s: vacuum: %v", where, err)
		}
		if e := s.Stats().BackgroundError; strings.Contains(e, "\n") || strings.Contains(e, "<") {
			t.Fatalf("%s: background error %q", where, e)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("%s: close: %v", where, err)
		}
		s, err = storage.Open("db", opts)
		if err != nil {
			t.Fatalf("%s: opened again: %v", where, err)
		}
		left := []string{}
		check(t, s.Check(ctx, func(p storage.Problem) {
			if p.Table != "" {
				t.Errorf("%s: the damaged tables were dropped, and check says %v", where, p)
			}
			left = append(left, p.String()) // the file, until it is merged with others; what is of no table
		}))
		if len(left) == 0 {
			healed++
		}
		check(t, s.Close())
	}
	t.Logf("refused %d, a table was damaged in %d, nothing left of it after the table was dropped %d", refused, hurt, healed)
	if hurt == 0 {
		t.Error("no table was damaged")
	}
}
