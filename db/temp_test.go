package db_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// What is in a temporary table is never in the store's directory, so a crash can leave nothing of it,
// and it is for one session.
func TestTempTables(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "s")
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	one, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	secret := strings.Repeat("a text that is found again ", 100)
	if _, err := one.Exec(ctx, `CREATE TEMP TABLE x (id INTEGER PRIMARY KEY, body TEXT);
		INSERT INTO x SELECT n, $1 FROM generate_series(1, 5000) AS n; CREATE INDEX ON x (body)`, secret); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "found again") || strings.Contains(string(b), "body") {
			t.Errorf("%s holds a part of a temporary table", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	// Another session has one of the same name, and the prepared statement means that of each.
	two, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	count := func(c interface {
		QueryRow(context.Context, string, ...any) *db.Row
	}) (n int) {
		t.Helper()
		if err := c.QueryRow(ctx, "SELECT count(*) FROM x").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := d.Exec(ctx, "CREATE TABLE x (id INTEGER); INSERT INTO x VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Exec(ctx, "CREATE TEMP TABLE X (id INTEGER)"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a, b, c := count(one), count(two), count(d); a != 5000 || b != 0 || c != 1 {
			t.Fatalf("%d, %d and %d rows", a, b, c)
		}
	}

	// Without a session there is nothing that it could belong to.
	if _, err := d.Exec(ctx, "CREATE TEMP TABLE y (id INTEGER)"); err == nil || !strings.Contains(err.Error(), "DB.Conn") {
		t.Errorf("error %v", err)
	}
	if r, err := d.Exec(ctx, "CREATE TEMP TABLE y (id INTEGER); INSERT INTO y VALUES (1), (2); INSERT INTO x SELECT id FROM y"); err != nil || r.RowsAffected != 4 {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := d.Query(ctx, "SELECT * FROM y"); err == nil {
		t.Error("y is still there")
	}

	// One of a transaction ends with it; the writer of the store is not needed for it.
	if err := d.Update(ctx, func(tx *db.Tx) error {
		if _, err := one.Exec(ctx, "DELETE FROM x WHERE id > 10"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "CREATE TEMP TABLE y AS SELECT id FROM x; DELETE FROM x; INSERT INTO x SELECT id + 1 FROM y")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if a, c := count(one), count(d); a != 10 || c != 3 {
		t.Errorf("%d and %d rows", a, c)
	}
	if found, err := d.Check(ctx); err != nil || len(found) > 0 {
		t.Error(found, err)
	}
	one.Close()
	if _, err := one.Query(ctx, "SELECT 1"); err == nil {
		t.Error("a closed session answers")
	}
}

// Temporary tables are made in a store that is only read.
func TestTempTablesReadOnly(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "s")
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(ctx, "CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = db.Open(dir, &db.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Exec(ctx, "CREATE TEMP TABLE x AS SELECT id * 2 AS d FROM t"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRow(ctx, "SELECT sum(d) FROM x").Scan(&n); err != nil || n != 6 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := c.Exec(ctx, "INSERT INTO t VALUES (3)"); err == nil {
		t.Error("the store was written")
	}
}
