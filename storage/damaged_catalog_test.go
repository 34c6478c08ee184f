package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// damagedCatalogs returns copies of a store, by name, with the block of the catalog damaged in
// one of the files that hold some of it.
func damagedCatalogs(t *testing.T, fs *vfs.MemFS) map[string]*vfs.MemFS {
	out := map[string]*vfs.MemFS{}
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
		b[100] ^= 4
		out[n] = copyOf(t, fs)
		overwrite(t, out[n], "db/"+n, b)
	}
	if len(out) == 0 {
		t.Fatal("no file holds the catalog")
	}
	return out
}

// load loads rows into a table.
func load(s *storage.Store, name string, b *value.Batch) error {
	l, err := s.BulkLoad(ctx, name, storage.LoadOptions{})
	if err != nil {
		return err
	}
	if err := l.Append(ctx, b); err != nil {
		l.Abort()
		return err
	}
	_, err = l.Finish(ctx)
	return err
}

// besideDamage are things that are done to a store, of which each is a commit.
func besideDamage(t *testing.T, s *storage.Store) []func() error {
	tx := func(f func(tx *storage.Tx) error) func() error {
		return func() error {
			tx, err := s.Begin(ctx)
			if err != nil {
				return err
			}
			tx.OneStatement()
			if err := f(tx); err != nil {
				tx.Rollback()
				return err
			}
			return tx.Commit(ctx)
		}
	}
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	width := must[*storage.Table](t)(v.Table("other")).Def().Columns[1].ID
	return []func() error{
		func() error { return load(s, "other", photoRows(6000, 8000, 16)) },
		tx(func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, named("third"))
			return err
		}),
		func() error { return load(s, "third", photoRows(0, 1500, 16)) },
		tx(func(tx *storage.Tx) error {
			return tx.CreateIndex(ctx, "other", storage.IndexDef{Name: "more", Columns: []uint32{width}}, nil)
		}),
		tx(func(tx *storage.Tx) error { return deleteAll(tx, "other", 100, 1700) }),
		func() error { _, err := s.Vacuum(ctx, "other", nil); return err },
		tx(func(tx *storage.Tx) error {
			return tx.AddColumn(ctx, "third", storage.ColumnDef{Name: "more", Type: value.Type{Kind: value.Integer}}, value.Int(7))
		}),
		tx(func(tx *storage.Tx) error {
			return tx.CreateWatch(ctx, "third", storage.WatchDef{Name: "w", Expr: "width % 3 = 0", Columns: []uint32{width}})
		}),
		func() error { // with notes of the watch
			b := photoRows(1500, 3000, 16)
			b.Cols = append(b.Cols, &value.Column{Type: value.Type{Kind: value.Integer}})
			for i := range b.Len {
				b.Cols[3].Append(i, value.Int(int64(i)))
			}
			return load(s, "third", b)
		},
		tx(func(tx *storage.Tx) error { return tx.DropTable(ctx, "third") }),
	}
}

// deleteAll deletes rows by their numbers.
func deleteAll(tx *storage.Tx, name string, from, to uint64) error {
	var rows []uint64
	for r := from; r < to; r++ {
		rows = append(rows, r)
	}
	_, err := tx.Delete(ctx, name, rows)
	return err
}

// stateOf tells what is in a store: the tables, with columns and indexes, and how many rows are
// in some of them. Notes of watches lie beside the catalog, and are damaged with it.
func stateOf(s *storage.Store, tables ...string) (string, error) {
	v, err := s.Snapshot()
	if err != nil {
		return "", err
	}
	defer v.Close()
	out := ""
	for _, d := range v.Tables() {
		out += fmt.Sprintf("%s(%d columns, %d indexes, %d watches) ", d.Name, len(d.Columns), len(d.Indexes), len(d.Watches))
		if !slices.Contains(tables, d.Name) {
			continue
		}
		rows, err := scanAll(s, d.Name)
		if err != nil {
			return "", err
		}
		out += fmt.Sprintf("%d rows ", rows)
	}
	for _, d := range v.Views() {
		out += "view " + d.Name
	}
	return out, nil
}

// The block with the catalog is damaged: the tables whose own keys lie elsewhere are read, by
// the second copy of the catalog, and written to in every way; tables are made, changed and
// dropped. A process that is killed, or a machine that loses power, at any operation leaves all
// of a commit or nothing.
func TestDamagedCatalog(t *testing.T) {
	whole := twoTables(t)
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: whole}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(6000, 6500, 16), storage.InsertOptions{}) // more than is verified when a store is opened
		return errors.Join(err, tx.PutView(ctx, storage.ViewDef{Name: "seen", Query: "SELECT id FROM other", Columns: []string{"id"}, Uses: []string{"other"}}, false))
	})
	check(t, s.Close())
	pictures := 0
	for name, damaged := range damagedCatalogs(t, whole) {
		for _, percent := range []int{0, 50, 100} {
			fs := vfs.NewCrashableMem()
			if _, err := vfs.Clone(damaged, fs, "db", "db", vfs.CloneSync); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(uint64(percent), uint64(firstSeed())))
			type picture struct {
				fs          *vfs.MemFS
				acked, next int // commits
			}
			var taken []picture
			at, acked, every := 0, 0, 60/seeds(1)+1
			take := false
			var mu sync.Mutex // housekeeping writes beside
			hooked := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				mu.Lock()
				defer mu.Unlock()
				one := every
				if strings.Contains(op.Path, "SCHEMA") { // which of the copies are there counts most
					one = every/15 + 1
				}
				if take && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && r.IntN(one) == 0 {
					taken = append(taken, picture{fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: r}), acked, at})
				}
				return nil
			}))
			open := func(fs vfs.FS) *storage.Store {
				t.Helper()
				s, err := storage.Open("db", &storage.Options{FS: fs})
				if err != nil {
					t.Fatalf("%s, %d%%: %v", name, percent, err)
				}
				s.SetWatcher(widthsBy3)
				storage.SetBuildRows(s, 1000)
				storage.SetLargeTransaction(s, 1000)
				return s
			}
			s := open(hooked)
			if bad := s.Stats().BackgroundError; !strings.Contains(bad, "checksum") {
				t.Errorf("nobody says that the catalog is damaged: %q", bad)
			}
			state := func(s *storage.Store) string {
				t.Helper()
				got, err := stateOf(s, "other", "third")
				if err != nil {
					t.Fatalf("%s, %d%%: %v", name, percent, err)
				}
				return got
			}
			states := []string{state(s)}
			if want := "other(3 columns, 1 indexes, 0 watches) 6000 rows photos(3 columns, 1 indexes, 0 watches) view seen"; states[0] != want {
				t.Fatalf("%s: %s", name, states[0])
			}
			steps := besideDamage(t, s)
			for i := range steps {
				mu.Lock()
				at, take = i+1, true
				mu.Unlock()
				if err := steps[i](); err != nil {
					t.Fatalf("%s, step %d: %v", name, i, err)
				}
				mu.Lock()
				acked, take = i+1, false
				mu.Unlock()
				states = append(states, state(s))
				if states[i+1] == states[i] && i != 5 { // VACUUM
					t.Fatalf("step %d changes nothing: %s", i, states[i])
				}
				if i%4 == 3 {
					check(t, s.Close())
					s = open(hooked)
					steps = besideDamage(t, s)
					if got := state(s); got != states[i+1] {
						t.Fatalf("%s: opened again: %s, not %s", name, got, states[i+1])
					}
				}
			}
			problems := 0
			check(t, s.Check(ctx, func(p storage.Problem) {
				if problems++; p.Table == "other" {
					t.Errorf("%s: %v", name, p)
				}
			}))
			if problems == 0 {
				t.Error("CHECK finds nothing")
			}
			check(t, s.Close())
			for i, p := range taken {
				pictures++
				s := open(p.fs)
				got := state(s)
				if got != states[p.acked] && got != states[p.next] {
					t.Fatalf("%s, %d%%, picture %d of commit %d: %s\nnot %s\nnor %s", name, percent, i, p.next, got, states[p.acked], states[p.next])
				}
				// And it goes on.
				if err := load(s, "other", photoRows(20000, 21500, 16)); err != nil {
					t.Fatalf("%s, %d%%, picture %d of commit %d: %v", name, percent, i, p.next, err)
				}
				update(t, s, func(tx *storage.Tx) error {
					_, err := tx.CreateTable(ctx, named("fourth"))
					return err
				})
				check(t, s.Check(ctx, func(p storage.Problem) {
					if p.Table == "other" || p.Table == "third" {
						t.Errorf("%s: %v", name, p)
					}
				}))
				check(t, s.Close())
			}
		}
	}
	t.Logf("%d pictures", pictures)
	if pictures == 0 {
		t.Error("no picture was taken")
	}
}

// Salvage reads the second copy of a catalog that was about to be written when the process was
// killed.
func TestSalvageReadsTheNextSchemas(t *testing.T) {
	for name, damaged := range damagedCatalogs(t, twoTables(t)) {
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: damaged}))
		old := fileBytes(t, damaged, "db/SCHEMA")
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, named("third"))
			return err
		})
		check(t, load(s, "third", photoRows(0, 1500, 16)))
		check(t, s.Close())
		// Of the catalog's blocks none is left, and the second copy has not got its name yet.
		for _, n := range must[[]string](t)(damaged.List("db")) {
			if !strings.HasSuffix(n, ".sst") {
				continue
			}
			b := fileBytes(t, damaged, "db/"+n)
			if keys, _ := readableKeys(t, b); len(keys) > 0 && strings.HasPrefix(keys[0], "\x00\x00\x00\x00") {
				b[100] ^= 4
				overwrite(t, damaged, "db/"+n, b)
			}
		}
		check(t, damaged.Rename("db/SCHEMA", "db/SCHEMA.next"))
		f := must[vfs.File](t)(damaged.Create("db/SCHEMA.old", vfs.WriteCategoryUnspecified))
		must[int](t)(f.Write(bytes.Clone(old)))
		check(t, f.Close())
		for _, without := range []string{"nothing", "MANIFEST"} { // then rows are looked for in every file
			fs := copyOf(t, damaged)
			for _, n := range must[[]string](t)(fs.List("db")) {
				if strings.HasPrefix(n, without) {
					check(t, fs.Remove("db/"+n))
				}
			}
			report, err := storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: fs})
			if err != nil {
				t.Fatalf("%s, without %s: %v", name, without, err)
			}
			s := must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: fs}))
			for _, table := range []string{"other", "third"} {
				want := map[string]int{"other": 6000, "third": 1500}[table]
				if rows, err := scanAll(s, table); err != nil || rows != want {
					t.Errorf("%s, without %s: %d rows of %s, %v\n%+v", name, without, rows, table, err, report)
				}
			}
			check(t, s.Close())
		}
	}
}
