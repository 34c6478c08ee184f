package db_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"github.com/lupadb/lupa/db"
)

// A NUMERIC goes to Go and back with every digit, through files too.
func TestNumeric(t *testing.T) {
	ctx := context.Background()
	d, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec := func(s string, args ...any) {
		t.Helper()
		if _, err := d.Exec(ctx, s, args...); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	exec("CREATE TABLE n (id INTEGER PRIMARY KEY, x NUMERIC(38,18), y NUMERIC)")
	const long = "12345678901234567890.123456789012345678"
	exact, _, err := apd.NewFromString(long)
	if err != nil {
		t.Fatal(err)
	}
	exec("INSERT INTO n VALUES (1, ?, ?)", long, long)
	exec("INSERT INTO n VALUES (2, ?, ?)", 19.99, 7)
	exec("INSERT INTO n VALUES (3, ?, ?)", exact, sql.NullString{})
	want := []string{"12345678901234567890.123456789012345678|12345678901234567890.123456789012345678", "19.990000000000000000|7", "12345678901234567890.123456789012345678|NULL"}
	check := func(table string) {
		t.Helper()
		type row struct {
			X string
			Y *apd.Decimal
		}
		rows, err := db.Select[row](ctx, d, "SELECT x, y FROM "+table+" ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			y := "NULL"
			if r.Y != nil {
				y = r.Y.Text('f')
			}
			if got := r.X + "|" + y; got != want[i] {
				t.Errorf("%s, row %d: %s, not %s", table, i+1, got, want[i])
			}
		}
		if len(rows) != len(want) {
			t.Errorf("%s has %d rows", table, len(rows))
		}
	}
	check("n")
	var n int
	if err := d.QueryRow(ctx, "SELECT count(*) FROM n WHERE x = ? AND x > ? AND y = ?", 19.99, "19.98", 7).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	var f float64
	var i int64
	if err := d.QueryRow(ctx, "SELECT x, y FROM n WHERE id = 2").Scan(&f, &i); err != nil || f != 19.99 || i != 7 {
		t.Errorf("%v %v %v", f, i, err)
	}
	for _, ext := range []string{"csv", "jsonl", "json", "parquet"} {
		file := filepath.Join(t.TempDir(), "n."+ext)
		exec("COPY n TO '" + file + "'")
		exec("CREATE TABLE " + ext + "_in (id INTEGER PRIMARY KEY, x NUMERIC(38,18), y NUMERIC)")
		exec("COPY " + ext + "_in FROM '" + file + "'")
		check(ext + "_in")
	}
}
