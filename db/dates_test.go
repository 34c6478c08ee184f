package db_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

// DATE and INTERVAL through arguments, Scan, the appender, files and a backup.
func TestDates(t *testing.T) {
	ctx := t.Context()
	store := open(t, nil)
	exec := func(s string, args ...any) {
		t.Helper()
		if _, err := store.Exec(ctx, s, args...); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	exec("CREATE TABLE d (id INTEGER PRIMARY KEY, day DATE, pause INTERVAL)")
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	exec("INSERT INTO d VALUES (1, $1, $2)", noon, "36:00")
	a, err := store.Appender(ctx, "d", []string{"id", "day", "pause"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, row := range [][]any{{noon, "1 mon"}, {"2024-03-01", nil}, {nil, "-1 day 02:00"}} {
		if err := a.Append(append([]any{id + 2}, row...)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	var day time.Time
	var text string
	var pause time.Duration
	var value any
	if err := store.QueryRow(ctx, "SELECT day, day, pause, pause FROM d WHERE id = 1").Scan(&day, &text, &pause, &value); err != nil {
		t.Fatal(err)
	}
	if !day.Equal(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)) || text != "2024-02-29" || pause != 36*time.Hour || value != "36:00:00" {
		t.Errorf("%v, %q, %v, %v", day, text, pause, value)
	}
	if err := store.QueryRow(ctx, "SELECT INTERVAL '1 second' * ($1 / 1e9)", 90*time.Minute+250*time.Millisecond).Scan(&pause); err != nil || pause != 90*time.Minute+250*time.Millisecond {
		t.Errorf("%v, %v", pause, err)
	}
	if _, err := store.Exec(ctx, "UPDATE d SET pause = $1", time.Second); err == nil || !strings.Contains(err.Error(), "INTERVAL '1 second' * n") {
		t.Errorf("a number of nobody knows what: %v", err)
	}
	if err := store.QueryRow(ctx, "SELECT pause FROM d WHERE id = 2").Scan(&pause); err == nil {
		t.Error("a month went into a time.Duration")
	}
	const all = "SELECT string_agg(concat_ws('/', id, day, pause), ' ' ORDER BY id) FROM "
	read := func(q *db.DB, from string) (s string) {
		t.Helper()
		if err := q.QueryRow(ctx, all+from).Scan(&s); err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		return s
	}
	want := read(store, "d")
	if want != "1/2024-02-29/36:00:00 2/2024-02-29/1 mon 3/2024-03-01 4/-1 days +02:00:00" {
		t.Error(want)
	}
	for _, ext := range []string{"csv", "jsonl", "parquet"} {
		file := filepath.Join(t.TempDir(), "d."+ext)
		exec("COPY d TO '" + file + "'")
		exec("CREATE TABLE back (id INTEGER, day DATE, pause INTERVAL)")
		exec("COPY back FROM '" + file + "'")
		if got := read(store, "back"); got != want {
			t.Errorf("%s: %s", ext, got)
		}
		exec("DROP TABLE back")
	}
	folder := filepath.Join(t.TempDir(), "copy")
	exec("BACKUP TO '" + folder + "'")
	backup, err := db.Open(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	if got := read(backup, "d"); got != want {
		t.Errorf("backup: %s", got)
	}
	pool := sql.OpenDB(driver.ForDB(store))
	defer pool.Close()
	var null sql.NullTime
	if err := pool.QueryRow("SELECT day FROM d WHERE day > $1", "2024-02-29").Scan(&null); err != nil || null.Time.Day() != 1 {
		t.Error(null, err)
	}
}
