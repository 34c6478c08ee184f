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
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
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
	hurt, healed, refused, catalog := 0, 0, 0, 0
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
		beside := false // of a catalog that is in the damaged block: nothing can be loaded
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
			beside = beside || err != nil && strings.Contains(err.Error(), "catalog: its block")
			if err != nil && !bad[name] && !beside {
				t.Fatalf("%s: load into %s, which is whole: %v", where, name, err)
			}
		}
		if beside {
			catalog++
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
		if damageOnly(t, where, "vacuum", err); err != nil && !beside {
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
	t.Logf("refused %d, the catalog was damaged in %d, a table was damaged in %d, nothing left of it after the table was dropped %d", refused, catalog, hurt, healed)
	if hurt == 0 {
		t.Error("no table was damaged")
	}
}

// The block with the catalog is damaged: the tables whose own keys lie elsewhere are read, by
// the second copy of the catalog.
func TestDamagedCatalog(t *testing.T) {
	fs := twoTables(t)
	found, refused := 0, 0
	for _, n := range must[[]string](t)(fs.List("db")) {
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		b := fileBytes(t, fs, "db/"+n)
		// The catalog's keys come first in a file, in its first block.
		keys, _ := readableKeys(t, b)
		if len(keys) == 0 || !strings.HasPrefix(keys[0], "\x00\x00\x00\x00") {
			continue
		}
		found++
		damaged := copyOf(t, fs)
		b[100] ^= 4
		overwrite(t, damaged, "db/"+n, b)
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: damaged}))
		v := must[*storage.View](t)(s.Snapshot())
		if got := len(v.Tables()); got != 2 {
			t.Fatalf("%d tables", got)
		}
		check(t, v.Close())
		if bad := s.Stats().BackgroundError; !strings.Contains(bad, "checksum") {
			t.Errorf("nobody says that the catalog is damaged: %q", bad)
		}
		rows, err := scanAll(s, "other")
		if err != nil || rows != 6000 {
			t.Fatalf("the other table: %d rows, %v", rows, err)
		}
		refused++
		// Rows are written beside it, and tables made, changed and dropped; nothing is loaded.
		_, err = s.BulkLoad(ctx, "other", storage.LoadOptions{})
		damageOnly(t, n, "load", err)
		if err == nil {
			t.Fatal("a load was taken in beside a damaged catalog")
		}
		insert := func(name string, from, to int) {
			t.Helper()
			update(t, s, func(tx *storage.Tx) error {
				tx.OneStatement()
				_, err := tx.Insert(ctx, name, photoRows(from, to, 16), storage.InsertOptions{})
				return err
			})
		}
		insert("other", 6000, 6700)
		storage.SetLargeTransaction(s, 1000)
		insert("other", 6700, 8000)
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, named("third"))
			return err
		})
		insert("third", 0, 1500)
		update(t, s, func(tx *storage.Tx) error {
			return tx.AddColumn(ctx, "third", storage.ColumnDef{Name: "more", Type: value.Type{Kind: value.Integer}}, value.Int(7))
		})
		there := func(want map[string]int) {
			t.Helper()
			v := must[*storage.View](t)(s.Snapshot())
			if got := len(v.Tables()); got != len(want)+1 {
				t.Fatalf("%d tables", got)
			}
			check(t, v.Close())
			for name, rows := range want {
				if got, err := scanAll(s, name); err != nil || got != rows {
					t.Fatalf("%s: %d rows of %d, %v", name, got, rows, err)
				}
			}
		}
		for range 3 {
			there(map[string]int{"other": 8000, "third": 1500})
			check(t, s.Close())
			s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: damaged}))
		}
		update(t, s, func(tx *storage.Tx) error { return tx.DropTable(ctx, "third") })
		there(map[string]int{"other": 8000})
		check(t, s.Close())
		s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: damaged}))
		there(map[string]int{"other": 8000})
		problems := 0
		check(t, s.Check(ctx, func(storage.Problem) { problems++ }))
		if problems == 0 {
			t.Error("CHECK finds nothing")
		}
		check(t, s.Close())
	}
	if found == 0 || refused == 0 {
		t.Fatal("no file holds the catalog")
	}
}

// A process that is killed at any operation while it makes a table beside a damaged catalog
// leaves the store with or without that table.
func TestKillsBesideADamagedCatalog(t *testing.T) {
	whole := twoTables(t)
	name := ""
	for _, n := range must[[]string](t)(whole.List("db")) {
		if strings.HasSuffix(n, ".sst") {
			if keys, _ := readableKeys(t, fileBytes(t, whole, "db/"+n)); len(keys) > 0 && strings.HasPrefix(keys[0], "\x00\x00\x00\x00") {
				name = n
			}
		}
	}
	b := fileBytes(t, whole, "db/"+name)
	b[100] ^= 4
	with, without := 0, 0
	for _, percent := range []int{0, 100} {
		fs := vfs.NewCrashableMem()
		if _, err := vfs.Clone(whole, fs, "db", "db", vfs.CloneSync); err != nil {
			t.Fatal(err)
		}
		f := must[vfs.File](t)(fs.Create("db/"+name, vfs.WriteCategoryUnspecified))
		must[int](t)(f.Write(b))
		check(t, f.Sync())
		check(t, f.Close())
		var pictures []*vfs.MemFS
		take := false
		r := rand.New(rand.NewPCG(uint64(percent), 1))
		hooked := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if take && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				pictures = append(pictures, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: r}))
			}
			return nil
		}))
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: hooked, NoMerging: true}))
		change := func(n int) {
			update(t, s, func(tx *storage.Tx) error {
				if n == 2 {
					return tx.DropTable(ctx, "third0")
				}
				_, err := tx.CreateTable(ctx, named(fmt.Sprintf("third%d", n)))
				return err
			})
		}
		change(0)
		take = true
		change(1)
		change(2)
		take = false
		check(t, s.Close())
		for i, p := range pictures {
			s, err := storage.Open("db", &storage.Options{FS: p})
			if err != nil {
				t.Fatalf("%d%%, operation %d: %v", percent, i, err)
			}
			v, err := s.Snapshot()
			if err != nil {
				t.Fatalf("%d%%, operation %d: %v", percent, i, err)
			}
			switch got := len(v.Tables()); got {
			case 3:
				without++
			case 4:
				with++
			default:
				t.Fatalf("%d%%, operation %d: %d tables", percent, i, got)
			}
			check(t, v.Close())
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.CreateTable(ctx, named("fourth"))
				return err
			})
			if rows, err := scanAll(s, "other"); err != nil || rows != 6000 {
				t.Fatalf("%d%%, operation %d: %d rows, %v", percent, i, rows, err)
			}
			check(t, s.Close())
		}
	}
	if with == 0 || without == 0 {
		t.Errorf("%d pictures with the table and %d without", with, without)
	}
}
