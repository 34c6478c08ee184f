package storage

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/value"
)

// A cursor that is asked for again and again is closed after a moment all the same: until then
// it keeps the files that a flush or merge has replaced.
func TestCursorsEndWhileTheyAreUsed(t *testing.T) {
	ctx := context.Background()
	s, err := OpenContext(ctx, "db", &Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tx, err := s.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	def := TableDef{Name: "t", PrimaryKey: 0, Columns: []ColumnDef{{Name: "id", Type: value.Type{Kind: value.Integer}}}}
	if _, err := tx.CreateTable(ctx, def); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	v, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	tbl, err := v.Table("t")
	if err != nil {
		t.Fatal(err)
	}
	p := tbl.view.picture
	look := func() *cursor {
		t.Helper()
		if _, _, err := tbl.Lookup(ctx, value.Int(1)); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.cursors) != 1 || p.timer == nil {
			t.Fatalf("%d cursors, timer %v", len(p.cursors), p.timer)
		}
		return p.cursors[0]
	}
	first := look()
	if again := look(); again != first {
		t.Error("a look-up does not use the cursor of the one before")
	}
	p.dropCursors()
	if later := look(); later == first {
		t.Error("the cursor is used for ever")
	}
	p.dropCursors()
	p.dropCursors() // nobody has asked since
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cursors != nil || p.timer != nil {
		t.Errorf("%d cursors, timer %v: nobody asks for them", len(p.cursors), p.timer)
	}
}
