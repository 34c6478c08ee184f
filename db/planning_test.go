package db_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// long are statements that grow with n.
var long = map[string]func(n int) string{
	"OR":   func(n int) string { return "SELECT count(*) FROM t WHERE id = 1" + strings.Repeat(" OR id = 4", n) },
	"AND":  func(n int) string { return "SELECT count(*) FROM t WHERE id = 1" + strings.Repeat(" AND id <> 4", n) },
	"||":   func(n int) string { return "SELECT s" + strings.Repeat(" || s", n) + " FROM t" },
	"+":    func(n int) string { return "SELECT 1" + strings.Repeat("+1", n) },
	"NOT":  func(n int) string { return "SELECT " + strings.Repeat("NOT ", n) + "(id > 1) FROM t" },
	"IN":   func(n int) string { return "SELECT id FROM t WHERE id IN (1" + strings.Repeat(", 2", n) + ")" },
	"CASE": func(n int) string { return "SELECT CASE" + strings.Repeat(" WHEN id = 3 THEN s", n) + " END FROM t" },
	"VALUES": func(n int) string {
		return "SELECT * FROM (VALUES (1, 'x')" + strings.Repeat(", (2, 'y')", n) + ") AS v"
	},
	"items": func(n int) string { return "SELECT id" + strings.Repeat(", id + 1", n) + " FROM t" },
	"BETWEEN": func(n int) string {
		return "SELECT id FROM t WHERE " + strings.Repeat("(id BETWEEN 1 AND 3) AND ", n) + "TRUE"
	},
	"GROUP BY": func(n int) string {
		return "SELECT s" + strings.Repeat(" || s", n) + " FROM t GROUP BY s"
	},
}

// What planning allocates grows with a statement, and not with its square.
func TestPlanningIsLinear(t *testing.T) {
	s, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if _, err := s.Exec(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a')"); err != nil {
		t.Fatal(err)
	}
	cost := func(sql string) float64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := s.Exec(ctx, sql); err != nil {
			t.Fatalf("%.60s: %v", sql, err)
		}
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	for name, of := range long {
		few := 400
		if name == "NOT" {
			few = 40 // these are nested
		}
		cost(of(1))
		if a, b := cost(of(few)), cost(of(4*few)); b > 7*a {
			t.Errorf("%s: %.0f KiB for %d, %.0f KiB for %d", name, a/1024, few, b/1024, 4*few)
		}
	}
	// Queries within each other whose columns are used twice do not double with each level.
	nested := func(n int) string {
		q := "SELECT s AS x FROM t"
		for range n {
			q = "SELECT substr(x || x, 1, 9) AS x FROM (" + q + ") AS a"
		}
		return q
	}
	if a, b := cost(nested(12)), cost(nested(24)); b > 4*a {
		t.Errorf("nested: %.0f KiB for 12 levels, %.0f KiB for 24", a/1024, b/1024)
	}
}
