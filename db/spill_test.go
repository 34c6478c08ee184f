package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

// temporary are the temporary files of a store.
func temporary(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "load-") {
			names = append(names, e.Name())
		}
	}
	return names
}

const spillTables = `
	CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, s TEXT, r REAL, n NUMERIC, d DATE, j JSON, b BOOLEAN);
	INSERT INTO t SELECT i, CASE WHEN i % 97 = 0 THEN NULL ELSE i * 7919 % 30011 END, CASE WHEN i % 89 = 0 THEN NULL ELSE 'text ' || i * 104729 % 20011 END,
	  (i % 1013) / 8.0, (i % 501) * 0.5, DATE '2020-01-01' + i % 3000, '{"a": ' || i % 10 || '}', i % 3 = 0 FROM generate_series(1, 60000) AS g (i);
	CREATE TABLE u (k INTEGER, s TEXT, x INTEGER);
	INSERT INTO u SELECT CASE WHEN i % 101 = 0 THEN NULL ELSE i END, 'text ' || i, i % 7 FROM generate_series(1, 40000) AS g (i)`

// sharedTwice uses a query so often that its rows are kept.
var sharedTwice = "WITH w AS (SELECT id, s, k, r FROM t), x AS (" + strings.Repeat("SELECT id FROM w WHERE id < 0 UNION ALL ", 70) +
	"SELECT a.id FROM w a JOIN w b ON a.id = b.k WHERE a.s <> b.s) SELECT * FROM x"

// Statements that hold more than their memory write it to files and answer as those that have
// enough of it.
func TestSpill(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "s.lupa")
	large, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := large.Exec(ctx, spillTables); err != nil {
		t.Fatal(err)
	}
	queries := []struct {
		sql     string
		ordered bool
	}{
		{"SELECT * FROM t ORDER BY s DESC, k NULLS FIRST", true},
		{"SELECT id, r, n FROM t ORDER BY n DESC NULLS LAST, r, d DESC, b, k", true},
		{"SELECT * FROM t ORDER BY j ->> 'a', id DESC OFFSET 59000", true},
		{"SELECT s, id FROM t ORDER BY s LIMIT 2000000 OFFSET 59990", true},
		{"SELECT k, count(*), sum(r), min(s), max(n) FROM t GROUP BY k", false},
		{"SELECT s, k, count(*), count(DISTINCT b), avg(r) FROM t GROUP BY s, k", false},
		{"SELECT id, sum(k) FILTER (WHERE b) FROM t GROUP BY id HAVING sum(k) > 100", false},
		{"SELECT DISTINCT s, k, r FROM t", false},
		{"SELECT DISTINCT * FROM (SELECT k, s FROM t UNION ALL SELECT k, s FROM t)", false},
		{"SELECT k, s FROM t UNION SELECT k, s FROM u", false},
		{"SELECT t.id, u.x, u.s FROM t JOIN u ON u.k = t.k AND u.x < 5", false},
		{"SELECT t.id, u.x, u.s FROM t LEFT JOIN u ON u.k = t.k AND u.s <= t.s", false},
		{"SELECT a.id, b.id, a.s, b.s FROM t a JOIN t b ON a.k = b.k AND a.s = b.s", false},
		{"SELECT a.id, u.s FROM t a FULL JOIN u ON a.s = u.s AND a.k < u.k", false},
		{"SELECT id, row_number() OVER (PARTITION BY s ORDER BY r DESC), sum(r) OVER (PARTITION BY k), lag(s, 1, 'none') OVER (PARTITION BY b, d ORDER BY id) FROM t", true},
		{"SELECT id, s, j, n, rank() OVER (PARTITION BY s, k ORDER BY n, d) FROM t WHERE id % 3 > 0", true},
		{"SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY r, id) = 1", true},
		{"SELECT DISTINCT ON (s) s, id, k, j FROM t ORDER BY s, r DESC", true},
		{"SELECT DISTINCT ON (k, b) k, id, s FROM t ORDER BY k DESC, b, n", true},
		{"SELECT DISTINCT ON (s) * FROM t", false},
		{"SELECT k, s FROM t INTERSECT ALL SELECT k, s FROM (SELECT k, s FROM t UNION ALL SELECT k, s FROM t WHERE b)", false},
		{"SELECT k, s FROM t EXCEPT SELECT k, s FROM t WHERE b", false},
		{"SELECT s FROM t EXCEPT ALL SELECT s FROM u", false},
		{"SELECT s FROM t INTERSECT SELECT s FROM u", false},
		{"SELECT id FROM t WHERE s IN (SELECT s FROM u) AND k NOT IN (SELECT k FROM u WHERE k IS NOT NULL AND x > 2)", false},
		{"SELECT count(*), count(*) FILTER (WHERE s IN (SELECT s FROM u WHERE x < 6)), count(*) FILTER (WHERE k NOT IN (SELECT k FROM u)) FROM t", true},
		{"SELECT id FROM t WHERE id + 0.5 NOT IN (SELECT id * 1.5 FROM t) OR n IN (SELECT n * 3 FROM t)", false},
		{"WITH RECURSIVE w (i, s) AS (SELECT id, s FROM t UNION SELECT i / 2, s FROM w WHERE i > 1000) SELECT * FROM w", false},
		{"WITH RECURSIVE w (i, s) AS (SELECT id, s FROM t UNION ALL SELECT i - 30000, s || 'x' FROM w WHERE i > 30000) SELECT * FROM w", false},
		{"WITH RECURSIVE w (i) AS (SELECT 1 UNION SELECT (i * 7919 + d) % 50021 FROM w, (VALUES (0), (1)) AS v (d)) SELECT i FROM w", false},
		{"SELECT count(*), sum(b.id), min(a.s || b.s) FROM t a JOIN t b ON a.k = b.k AND a.s <> b.s", true},
		{"SELECT a.k, count(*), max(u.s) FROM t a JOIN t b ON a.s = b.s AND a.id < b.id JOIN u ON u.k = a.k GROUP BY a.k", false},
		// All rows of one key, or no key: no division helps.
		{"SELECT a.id, count(u.x), max(u.s) FROM (SELECT id, k FROM t WHERE id <= 60) a LEFT JOIN u ON u.x * 0 = a.id * 0 AND u.k < a.k - 5000 GROUP BY a.id", false},
		{"SELECT a.id, u.s FROM (SELECT id, k, d FROM t WHERE id % 199 = 0) a LEFT JOIN u ON u.x / 100 = a.id * 0 AND u.k = a.k + 3 AND a.d < DATE '2024-01-01'", false},
		{"SELECT a.id, count(u.x), min(u.s) FROM (SELECT id FROM t WHERE id <= 60) a LEFT JOIN u ON u.k + a.id < 300 GROUP BY a.id", false},
		{"SELECT a.id, u.s FROM (SELECT id FROM t WHERE id % 3 = 0) a LEFT JOIN u ON u.k BETWEEN a.id AND a.id + 2", false},
		{"SELECT a.id, u.s, u.k FROM (SELECT id FROM t WHERE id <= 60) a FULL JOIN u ON u.x / 100 = a.id * 0 AND u.k < a.id", false},
		{"SELECT count(*), sum(t.id), max(u.s) FROM t JOIN u ON CASE WHEN t.id % 1000 = 0 THEN 0 ELSE t.id END = CASE WHEN u.x > 0 THEN 0 ELSE u.k END", true},
		{sharedTwice, false},
		{"SELECT s, sum(c), count(*) FROM (SELECT t.s, count(*) AS c FROM t JOIN u ON u.s = t.s GROUP BY t.s, t.id) GROUP BY s ORDER BY s", true},
	}
	read := func(d *db.DB, q string, ordered bool) ([]string, error) {
		rows, err := d.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		var out []string
		for row, err := range rows.All() {
			if err != nil {
				return nil, err
			}
			out = append(out, fmt.Sprint(row))
		}
		if !ordered {
			slices.Sort(out)
		}
		return out, nil
	}
	want := make([][]string, len(queries))
	for i, q := range queries {
		if want[i], err = read(large, q.sql, q.ordered); err != nil {
			t.Fatal(q.sql, err)
		}
	}
	if err := large.Close(); err != nil {
		t.Fatal(err)
	}
	// Without files they have no room.
	none, err := db.Open(dir, &db.Options{MemoryBudget: 2 << 20, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		var memory *db.MemoryError
		if _, err := read(none, q.sql, q.ordered); !errors.As(err, &memory) {
			t.Errorf("%s: %v without files", q.sql, err)
		}
	}
	if err := none.Close(); err != nil {
		t.Fatal(err)
	}
	// As after a crash.
	if err := os.MkdirAll(filepath.Join(dir, "load-1700000000000000000.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	small, err := db.Open(dir, &db.Options{MemoryBudget: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if left := temporary(t, dir); left != nil {
		t.Errorf("after opening there are %v", left)
	}
	for i, q := range queries {
		got, err := read(small, q.sql, q.ordered)
		if err != nil {
			t.Errorf("%s: %v", q.sql, err)
			continue
		}
		if !slices.Equal(got, want[i]) {
			t.Errorf("%s: %d rows, not the %d expected", q.sql, len(got), len(want[i]))
			for k := range min(len(got), len(want[i])) {
				if got[k] != want[i][k] {
					t.Logf("row %d: %s, not %s", k, got[k], want[i][k])
					break
				}
			}
		}
		if left := temporary(t, dir); left != nil {
			t.Errorf("%s: it leaves %v", q.sql, left)
		}
	}
	// What ends early, or fails, leaves no file either.
	rows, err := small.Query(ctx, queries[0].sql)
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if temporary(t, dir) == nil {
		t.Error("nothing was written to a file")
	}
	rows.Close()
	if _, err := small.Exec(ctx, "SELECT 1 / (id - 59999) FROM (SELECT * FROM t ORDER BY s) ORDER BY r"); err == nil {
		t.Error("a division by zero is no error")
	}
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if _, err := small.Exec(short, queries[12].sql); !errors.Is(err, context.DeadlineExceeded) {
		t.Logf("it was not stopped: %v", err)
	}
	if left := temporary(t, dir); left != nil {
		t.Errorf("after errors there are %v", left)
	}
}

// A store in memory, and one that is read-only, say that there is no room.
func TestNoSpill(t *testing.T) {
	ctx := context.Background()
	d, err := db.Open(":memory:", &db.Options{MemoryBudget: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var memory *db.MemoryError
	for _, q := range []string{
		"SELECT * FROM generate_series(1, 200000) AS g (i) ORDER BY -i",
		"SELECT i, count(*) FROM generate_series(1, 200000) AS g (i) GROUP BY i",
		"SELECT DISTINCT i FROM generate_series(1, 200000) AS g (i)",
		"SELECT count(*) FROM generate_series(1, 200000) AS g (i) JOIN generate_series(1, 200000) AS h (k) ON g.i = h.k",
	} {
		if _, err := d.Exec(ctx, q); !errors.As(err, &memory) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// What goes to files is not in memory as well: the heap stays as near to the budget as that of statements
// that are refused.
func TestHeapOfASpill(t *testing.T) {
	const budget = 32 << 20
	s, err := db.Open(filepath.Join(t.TempDir(), "s.lupa"), &db.Options{MemoryBudget: budget})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const rows = "(SELECT i, 'some text ' || i AS s FROM generate_series(1, 800000) AS g (i))"
	for _, q := range []struct {
		sql  string
		want int
	}{
		{"SELECT count(*) FROM (SELECT i, s, row_number() OVER (PARTITION BY i % 1000 ORDER BY s) AS r FROM " + rows + ") WHERE r > 0", 800000},
		{"SELECT count(*) FROM (SELECT DISTINCT ON (s) s, i FROM " + rows + " ORDER BY s, i)", 800000},
		{"SELECT count(*) FROM generate_series(1, 50000) AS g (i) WHERE 'some text ' || 2 * i IN (SELECT s FROM " + rows + ")", 50000},
		{"SELECT count(*) FROM (SELECT s FROM " + rows + " EXCEPT ALL SELECT s FROM " + rows + " WHERE i % 2 = 0)", 400000},
		{"WITH RECURSIVE w (i, s) AS (SELECT i, s FROM " + rows + " UNION SELECT i - 400000, s FROM w WHERE i > 400000) SELECT count(*) FROM w", 1200000},
		{"WITH w AS (SELECT i, s FROM " + rows + ") SELECT count(*) FROM (SELECT i FROM w" + strings.Repeat(" WHERE i > 0 UNION ALL SELECT i FROM w", 70) + " WHERE i = 5)", 70*800000 + 1},
	} {
		before, most := largestHeap(func() {
			var n int
			if err := s.QueryRow(context.Background(), q.sql).Scan(&n); err != nil || n != q.want {
				t.Errorf("%.120s: %d, not %d: %v", q.sql, n, q.want, err)
			}
		})
		t.Logf("%d MiB: %.120s", (most-min(before, most))>>20, q.sql)
		if most > before+2*budget+32<<20 {
			t.Errorf("%.120s: a heap of %d MiB with a budget of %d MiB", q.sql, (most-before)>>20, budget>>20)
		}
	}
}

// Groups of joins that workers share out give the same where the joins, or the groups, have no room in
// memory.
func TestSpillOfWorkers(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "s.lupa")
	queries := []string{
		"SELECT count(*), sum(u.x), min(t.s || u.s), max(t.id) FROM t JOIN u ON u.k = t.k AND u.s <> t.s",
		"SELECT u.x, count(*), sum(t.id) FROM t JOIN u ON u.k = t.k GROUP BY u.x ORDER BY u.x",
		"SELECT t.id % 100000 AS g, count(*), count(u.x), min(u.s) FROM t LEFT JOIN u ON u.k = t.k AND u.x > 3 GROUP BY g ORDER BY g",
		"SELECT t.s, count(*), max(u.s) FROM t JOIN u ON u.k = t.k JOIN v ON v.x = u.x GROUP BY t.s ORDER BY t.s",
	}
	var want [][]string
	for _, budget := range []int64{1 << 30, 40 << 20, 3 << 20} {
		s, err := db.Open(dir, &db.Options{MemoryBudget: budget, Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if _, err := s.Exec(ctx, `
				CREATE TABLE t (id INTEGER, k INTEGER, s TEXT);
				INSERT INTO t SELECT i, i * 7919 % 100003, 'text ' || i % 70001 FROM generate_series(1, 170000) AS g (i);
				CREATE TABLE u (k INTEGER, s TEXT, x INTEGER);
				INSERT INTO u SELECT i, 'text ' || i, i % 7 FROM generate_series(1, 90000) AS g (i);
				CREATE TABLE v (x INTEGER);
				INSERT INTO v VALUES (1), (4), (4), (5)`); err != nil {
				t.Fatal(err)
			}
		}
		for i, q := range queries {
			var got []string
			rows, err := s.Query(ctx, q)
			if err != nil {
				t.Fatal(q, err)
			}
			for row, err := range rows.All() {
				if err != nil {
					t.Fatalf("with %d MiB: %s: %v", budget>>20, q, err)
				}
				got = append(got, fmt.Sprint(row))
			}
			if len(want) == i {
				want = append(want, got)
			}
			if len(got) == 0 || !slices.Equal(got, want[i]) {
				t.Errorf("with %d MiB: %s: %d rows %.200q, want %.200q", budget>>20, q, len(got), got, want[i])
			}
			if left := temporary(t, dir); left != nil {
				t.Errorf("%s: it leaves %v", q, left)
			}
		}
		if plan, err := s.Query(ctx, "EXPLAIN "+queries[0]); err != nil {
			t.Error(err)
		} else {
			text := ""
			for row := range plan.All() {
				text += fmt.Sprintln(row)
			}
			if !strings.Contains(text, "(3 workers)") {
				t.Errorf("not in parts:\n%s", text)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
