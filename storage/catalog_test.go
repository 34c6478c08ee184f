package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/value"
)

// A change of one table reads no other table's definition anew, and the second copy of the catalog
// holds the same texts as if each had been written from its definition.
func TestManyTables(t *testing.T) {
	ctx, fs := context.Background(), vfs.NewMem()
	s, err := Open("db", &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(tx *Tx) error) {
		t.Helper()
		tx, err := s.Begin(ctx)
		if err == nil {
			err = f(tx)
		}
		if err == nil {
			err = tx.Commit(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	load := func() *catalog {
		t.Helper()
		c, err := s.loadCatalog(s.db)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	def := func(i int) TableDef {
		return TableDef{Name: fmt.Sprintf("t%02d", i), PrimaryKey: 0, Columns: []ColumnDef{
			{Name: "a", Type: value.Type{Kind: value.Integer}}, {Name: "b", Type: value.Type{Kind: value.Text}}}}
	}
	for i := range 20 {
		change(func(tx *Tx) error { _, err := tx.CreateTable(ctx, def(i)); return err })
	}
	change(func(tx *Tx) error {
		return tx.PutView(ctx, ViewDef{Name: "v", Query: "SELECT a FROM t00", Columns: []string{"a"}, Uses: []string{"t00"}}, false)
	})
	same := func() {
		t.Helper()
		c := load()
		b, err := readAll(s.fs, s.fs.PathJoin(s.dir, schemasName))
		if err != nil {
			t.Fatal(err)
		}
		fresh := *c
		fresh.stored = nil
		if got, want := string(b), string(schemasText(&fresh)); got != want {
			t.Fatalf("the second copy is\n%s\nnot\n%s", got, want)
		}
		second, tables, err := readSchemas(s.fs, s.dir, 0)
		if err != nil || second.Generation != c.generation || len(tables) != len(c.byName)+len(c.views) {
			t.Fatal(second, len(tables), err)
		}
	}
	same()
	before := load()
	for what, f := range map[string]func(tx *Tx) error{
		"create":        func(tx *Tx) error { _, err := tx.CreateTable(ctx, def(20)); return err },
		"rename":        func(tx *Tx) error { return tx.RenameTable(ctx, "t03", "t99") },
		"rename column": func(tx *Tx) error { return tx.RenameColumn(ctx, "t05", "b", "c", nil) },
		"drop":          func(tx *Tx) error { return tx.DropTable(ctx, "t04") },
		"drop the view": func(tx *Tx) error { return tx.DropView(ctx, "v") },
		"two at once": func(tx *Tx) error {
			if err := tx.RenameColumn(ctx, "t06", "b", "c", nil); err != nil {
				return err
			}
			return tx.RenameColumn(ctx, "t06", "c", "b", nil)
		},
	} {
		change(f)
		same()
		after, changed := load(), 0
		for name, d := range after.byName {
			if before.byName[name] != d {
				changed++
			}
		}
		if changed > 1 {
			t.Errorf("%s: %d definitions were read anew", what, changed)
		}
		before = after
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open("db", &Options{FS: fs}); err != nil {
		t.Fatal(err)
	}
	same()
	names := slices.Sorted(func(yield func(string) bool) {
		for _, d := range load().sorted() {
			if !yield(d.Name) {
				return
			}
		}
	})
	if len(names) != 20 || !slices.Contains(names, "t99") || strings.Contains(strings.Join(names, " "), "t04") {
		t.Error(names)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
