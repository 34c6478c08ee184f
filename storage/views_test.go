package storage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// viewNames are the views of a store, in order.
func viewNames(t *testing.T, s *storage.Store) string {
	t.Helper()
	v := must[*storage.View](t)(s.Snapshot())
	var names []string
	for _, d := range v.Views() {
		names = append(names, d.Name+":"+strings.Join(d.Columns, ",")+":"+d.Query)
	}
	check(t, v.Close())
	return strings.Join(names, " ")
}

// Views are kept with the catalog: an opening, a backup, and a salvage with or without the list of files
// bring them back, in the order in which they can be made.
func TestViews(t *testing.T) {
	fs := vfs.NewMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	commit := func(f func(tx *storage.Tx) error) error {
		tx := must[*storage.Tx](t)(s.Begin(ctx))
		if err := f(tx); err != nil {
			check(t, tx.Rollback())
			return err
		}
		return tx.Commit(ctx)
	}
	view := func(name, query string, uses ...string) func(*storage.Tx) error {
		return func(tx *storage.Tx) error {
			return tx.PutView(ctx, storage.ViewDef{Name: name, Query: query, Columns: []string{"a"}, Uses: uses}, false)
		}
	}
	def := storage.TableDef{Name: "t", PrimaryKey: -1, Columns: []storage.ColumnDef{{Name: "a", Type: value.Type{Kind: value.Integer}}}}
	check(t, commit(func(tx *storage.Tx) error { _, err := tx.CreateTable(ctx, def); return err }))
	check(t, commit(view("z", "SELECT a FROM t", "t")))
	check(t, commit(view("b", "SELECT a FROM z", "z")))
	check(t, commit(view("gone", "SELECT a FROM t", "t")))
	check(t, commit(func(tx *storage.Tx) error { return tx.DropView(ctx, "gone") }))
	want := "z:a:SELECT a FROM t b:a:SELECT a FROM z"

	var used *storage.DependentError
	var exists *storage.ExistsError
	for what, f := range map[string]func(*storage.Tx) error{
		"drop a table":   func(tx *storage.Tx) error { return tx.DropTable(ctx, "t") },
		"rename a table": func(tx *storage.Tx) error { return tx.RenameTable(ctx, "t", "u") },
		"drop a view":    func(tx *storage.Tx) error { return tx.DropView(ctx, "z") },
		"rename a view":  func(tx *storage.Tx) error { return tx.RenameView(ctx, "z", "y") },
	} {
		if err := commit(f); !errors.As(err, &used) {
			t.Errorf("%s: %v", what, err)
		}
	}
	def.Name = "b"
	for what, f := range map[string]func(*storage.Tx) error{
		"a table like a view":             func(tx *storage.Tx) error { _, err := tx.CreateTable(ctx, def); return err },
		"a view like a table":             view("t", "SELECT 1"),
		"a view like a view":              view("z", "SELECT 1"),
		"a view renamed to a table":       func(tx *storage.Tx) error { return tx.RenameView(ctx, "b", "t") },
		"a view replaced that is a table": func(tx *storage.Tx) error { return tx.PutView(ctx, storage.ViewDef{Name: "t"}, true) },
	} {
		if err := commit(f); !errors.As(err, &exists) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := viewNames(t, s); got != want {
		t.Errorf("views %q, want %q", got, want)
	}
	healthy(t, s)
	check(t, s.Backup(ctx, "copy", nil))
	check(t, s.Close())

	for _, where := range []string{"db", "copy"} {
		again := must[*storage.Store](t)(storage.Open(where, &storage.Options{FS: fs}))
		if got := viewNames(t, again); got != want {
			t.Errorf("%s: views %q, want %q", where, got, want)
		}
		healthy(t, again)
		check(t, again.Close())
	}
	names := must[[]string](t)(fs.List("db"))
	slices.Sort(names)
	for _, without := range append(names, "nothing") {
		if !strings.HasPrefix(without, "MANIFEST") && without != "SCHEMA" && without != "nothing" {
			continue
		}
		damaged := copyOf(t, fs)
		_ = damaged.Remove("db/" + without)
		_, err := storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: damaged})
		check(t, err)
		saved := must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: damaged}))
		if got := viewNames(t, saved); got != want {
			t.Errorf("without %s: views %q, want %q", without, got, want)
		}
		healthy(t, saved)
		check(t, saved.Close())
	}
	cascade := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	s = cascade
	check(t, commit(func(tx *storage.Tx) error {
		if err := tx.DropViewsOf(ctx, "t"); err != nil {
			return err
		}
		return tx.DropTable(ctx, "t")
	}))
	if got := viewNames(t, s); got != "" {
		t.Errorf("views %q after all were dropped", got)
	}
	check(t, s.Close())
}
