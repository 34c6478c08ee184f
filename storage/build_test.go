package storage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// buildOn runs f in a transaction of one statement that builds in files.
func buildOn(s *storage.Store, f func(tx *storage.Tx) error) error {
	storage.SetBuildRows(s, 1)
	storage.SetSortMemory(s, 20_000) // many runs to merge
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	tx.OneStatement()
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit(ctx)
}

func indexOn(column uint32, unique bool) func(tx *storage.Tx) error {
	return func(tx *storage.Tx) error {
		return tx.CreateIndex(ctx, "photos", storage.IndexDef{Name: "built", Unique: unique, Columns: []uint32{column}}, nil)
	}
}

// leftovers reports the directories that builds and loads have left.
func leftovers(t *testing.T, fs vfs.FS) (found []string) {
	for _, n := range must[[]string](t)(fs.List("db")) {
		if len(n) > 5 && n[:5] == "load-" {
			found = append(found, n)
		}
	}
	return found
}

// An index built in files is the one that a batch would have built, and is kept in
// step with the rows; one that can't be unique leaves nothing behind.
func TestBuildIndex(t *testing.T) {
	fs := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: fs}, 5000, 3)
	check(t, buildOn(s, indexOn(2, false)))
	v := must[*storage.View](t)(s.Snapshot())
	d, x, err := v.Index("built")
	check(t, err)
	tab := must[*storage.Table](t)(v.Table(d.Name))
	rows := must[[]uint64](t)(tab.IndexScan(ctx, x, storage.Range{}))
	if len(rows) != 5000 {
		t.Fatalf("the index has %d rows of 5000", len(rows))
	}
	check(t, v.Close())
	healthy(t, s)
	check(t, s.Close())

	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	update(t, s, func(tx *storage.Tx) error {
		if _, err := tx.Insert(ctx, "photos", photoRows(5000, 6500, 3), storage.InsertOptions{}); err != nil {
			return err
		}
		_, err := tx.Delete(ctx, "photos", []uint64{1, 2, 4000, 5100})
		return err
	})
	healthy(t, s)
	check(t, buildOn(s, func(tx *storage.Tx) error { return tx.DropIndex(ctx, "built") }))
	var unique *storage.UniqueError
	if err := buildOn(s, indexOn(2, true)); !errors.As(err, &unique) || unique.Index != "built" || unique.Row != -1 {
		t.Fatalf("a unique index over repeated values: %v", err)
	}
	check(t, buildOn(s, indexOn(1, true)))
	if found := leftovers(t, fs); len(found) > 0 {
		t.Fatalf("left behind: %v", found)
	}
	checked(t, s)
}

// A column of vectors is filled in files.
func TestBuildColumn(t *testing.T) {
	s := newPhotos(t, "", &storage.Options{InMemory: true}, 5000, 3)
	fill := value.Vec([]float32{1, 2, 3, 4})
	add := func(tx *storage.Tx) error {
		err := tx.AddColumn(ctx, "photos", storage.ColumnDef{Name: "second", Type: fill.Type(), NotNull: true}, fill)
		if err == nil {
			// What was built is not shown before Commit, so nothing may follow.
			if err := tx.DropTable(ctx, "photos"); err == nil {
				t.Error("a second statement was accepted")
			}
		}
		return err
	}
	check(t, buildOn(s, add))
	v := must[*storage.View](t)(s.Snapshot())
	tab := must[*storage.Table](t)(v.Table("photos"))
	b := must[*value.Batch](t)(tab.Fetch(ctx, []uint64{0, 1023, 4999}, []int{tab.Def().Column("second")}))
	for i := range 3 {
		if value.Compare(b.Cols[0].Value(i), fill) != 0 {
			t.Errorf("row %d holds %v", i, b.Cols[0].Value(i))
		}
	}
	check(t, v.Close())
	checked(t, s)
}

// A build that is cancelled or rolled back, at any time, leaves nothing.
func TestBuildCancelled(t *testing.T) {
	fs := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: fs}, 20_000, 3)
	for n := 0; ; n++ {
		ctx, cancel := context.WithCancel(ctx)
		calls := 0
		err := buildOn(s, func(tx *storage.Tx) error {
			return tx.CreateIndex(ctx, "photos", storage.IndexDef{Name: "built", Columns: []uint32{2}}, func(string, uint64, uint64) {
				if calls++; calls == 1+3*n {
					cancel()
				}
			})
		})
		cancel()
		if calls <= 3*n { // it ended before
			check(t, err)
			check(t, buildOn(s, func(tx *storage.Tx) error { return tx.DropIndex(ctx, "built") }))
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at call %d: %v", calls, err)
		}
	}
	no := errors.New("no")
	if err := buildOn(s, func(tx *storage.Tx) error { return firstOf(indexOn(2, false)(tx), no) }); !errors.Is(err, no) {
		t.Fatal(err)
	}
	if found := leftovers(t, fs); len(found) > 0 {
		t.Fatalf("left behind: %v", found)
	}
	v := must[*storage.View](t)(s.Snapshot())
	if _, _, err := v.Index("built"); err == nil {
		t.Fatal("there is an index")
	}
	check(t, v.Close())
	check(t, buildOn(s, indexOn(2, false)))
	checked(t, s)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
