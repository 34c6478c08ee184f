package dbtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/dbtest"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

var updateWrong = flag.Bool("wrong.update", false, "rewrite testdata/wrong.txt with the errors as they are")

// TestWrong checks the error of every statement of testdata/wrong.txt: the
// statement at the start of a line, its error indented below it (WD is
// the working directory). All of them
// parse (query/internal/parse has a table of those that don't) and are wrong in
// what they mean. The messages are there to be read: would somebody new to the
// language know what to do?
func TestWrong(t *testing.T) {
	const name = "testdata/wrong.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	store := wrongStore(t)
	var out strings.Builder
	n := 0
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		sql, want, _ := strings.Cut(block, "\n\t")
		n++
		err := runAll(store, sql)
		if err == nil {
			t.Errorf("%s\nis accepted, want the error\n\t%s", sql, want)
			fmt.Fprintf(&out, "%s\n\t\n\n", sql)
			continue
		}
		got := strings.ReplaceAll(strings.ReplaceAll(err.Error(), wd, "WD"), "\n", "\n\t")
		if got != want && !*updateWrong {
			t.Errorf("%s\nerror is\n\t%s\nwant\n\t%s", sql, got, want)
		}
		for _, inside := range []string{"%!", "0x", "github.com", "goroutine", "parse.", "plan.", "exec.", "*query", "value."} {
			if strings.Contains(got, inside) {
				t.Errorf("%s\nerror speaks of %q: %s", sql, inside, got)
			}
		}
		fmt.Fprintf(&out, "%s\n\t%s\n\n", sql, got)
	}
	if n < 60 {
		t.Errorf("only %d wrong statements", n)
	}
	if *updateWrong {
		if err := os.WriteFile(name, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// None of them left anything behind.
	rows, err := dump(store)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := dump(wrongStore(t)); err != nil || rows != want {
		t.Errorf("the store holds\n%s\nafter the errors, held\n%s\nbefore (%v)", rows, want, err)
	}
}

// wrongStore returns the store the wrong statements are run in.
func wrongStore(t *testing.T) *db.DB {
	t.Helper()
	dir := t.TempDir()
	if err := dbtest.WriteModels(dir); err != nil {
		t.Fatal(err)
	}
	colours, err := table.Open("colours", filepath.Join(dir, "colours"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open("", &db.Options{InMemory: true, Encoders: []encoder.Encoder{colours}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, sql := range []string{
		`CREATE TABLE photos (id TEXT PRIMARY KEY, caption TEXT, width INTEGER, height INTEGER NOT NULL DEFAULT 1, score REAL,
			taken TIMESTAMP, ok BOOLEAN, meta JSON, clip VECTOR ENCODER 'colours', v VECTOR(3))`,
		`CREATE TABLE tags (photo TEXT, tag TEXT)`,
		`CREATE INDEX by_tag ON tags (tag)`,
		`INSERT INTO photos (id, caption, width, clip) VALUES ('x1', 'a wolf', 10, 'red'), ('x2', NULL, 20, 'green')`,
		`INSERT INTO tags VALUES ('x1', 'wolf'), ('x1', 'snow')`,
	} {
		if _, err := store.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s\n%v", sql, err)
		}
	}
	return store
}

// runAll runs a statement and reads its rows to the end.
func runAll(store *db.DB, sql string) error {
	rows, err := store.Query(context.Background(), sql)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// dump returns what the store holds as text.
func dump(store *db.DB) (string, error) {
	var out strings.Builder
	for _, sql := range []string{"SHOW TABLES", "DESCRIBE photos", "SELECT * FROM photos", "SELECT * FROM tags"} {
		rows, err := store.Query(context.Background(), sql)
		if err != nil {
			return "", err
		}
		for rows.Next() {
			fmt.Fprintln(&out, rows.Values())
		}
		if err := rows.Err(); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}
