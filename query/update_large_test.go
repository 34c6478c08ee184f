package query_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// Updates and deletions of many rows are written in files when a statement is on its own, and
// in the transaction's batch otherwise. Both give the same rows, in the same order.
func TestLargeUpdates(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	exec := func(sql string) int64 {
		t.Helper()
		_, affected, err := f.try(ctx, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return affected
	}
	for _, name := range []string{"alone", "within"} {
		exec("CREATE TABLE " + name + " (id INTEGER PRIMARY KEY, grp INTEGER, note TEXT, x REAL, v VECTOR(4))")
		var ten []string
		for i := range 10 {
			ten = append(ten, fmt.Sprintf("(%d)", i))
		}
		exec("INSERT INTO " + name + " WITH d(i) AS (VALUES " + strings.Join(ten, ",") + ") " +
			"SELECT 100000*f.i + 10000*e.i + 1000*d.i + 100*c.i + 10*b.i + a.i, a.i, CASE WHEN c.i < 8 THEN 'note ' || b.i END, d.i / 4.0, CAST('[' || a.i || ',1,0,' || b.i || ']' AS VECTOR(4)) " +
			"FROM d AS a, d AS b, d AS c, d AS d, d AS e, (VALUES (0), (1)) AS f(i) WHERE f.i = 0 OR e.i < 2")
		exec("CREATE INDEX " + name + "_grp ON " + name + " (grp, note)")
		exec("CREATE UNIQUE INDEX " + name + "_x ON " + name + " (id, x)")
	}
	compare := func(sql string) {
		t.Helper()
		for _, q := range []string{"SELECT * FROM %s", "SELECT count(*), sum(id) FROM %s WHERE grp = 3 AND note = 'note 5'", "SELECT * FROM %s WHERE id = 100007"} {
			a, _, err := f.try(ctx, fmt.Sprintf(q, "alone"))
			if err != nil {
				t.Fatal(err)
			}
			b, _, err := f.try(ctx, fmt.Sprintf(q, "within"))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a, b) {
				t.Fatalf("after %s, %s gives %d rows on its own and %d in a transaction, which differ", sql, q, len(a), len(b))
			}
		}
	}
	compare("INSERT")
	for i, sql := range []string{
		"UPDATE %s SET grp = grp + 1",
		"UPDATE %s SET note = note || '!', x = -x WHERE id %% 3 = 0",
		"UPDATE %s SET id = id + 1",
		"UPDATE %s SET id = 300000 - id, grp = NULL WHERE id > 7",
		"UPDATE %s SET x = (SELECT count(*) FROM %[1]s AS o WHERE o.id < 299990) WHERE grp IS NULL",
		"UPDATE %s SET x = 1 WHERE id IN (SELECT id FROM %[1]s WHERE id %% 2 = 0)",
		"UPDATE %s AS t SET x = 2 WHERE EXISTS (SELECT 1 FROM %[1]s AS o WHERE o.id = t.id + 1)",
		"UPDATE %s SET x = o.id FROM %[1]s AS o WHERE o.id = %[1]s.id",
		"UPDATE %s SET v = v * 2",
		"UPDATE %s SET v = NULL WHERE id %% 5 < 4",
		"UPDATE %s SET v = [1,2,3,4], note = NULL WHERE v IS NULL",
		"UPDATE %s SET grp = 3 WHERE similarity(v, [1,2,3,4]) > 0.9",
		"DELETE FROM %s WHERE id %% 3 = 1",
		"DELETE FROM %s WHERE id >= 100000 AND id < 200000",
		"UPDATE %s SET grp = grp + 2, note = 'last'",
		"DELETE FROM %s",
	} {
		if i%3 != 0 && os.Getenv("LUPA_SOAK") == "" {
			continue
		}
		alone, within := fmt.Sprintf(sql, "alone"), fmt.Sprintf(sql, "within")
		alone, _, _ = strings.Cut(alone, "%!(EXTRA")
		within, _, _ = strings.Cut(within, "%!(EXTRA")
		n1 := exec(alone)
		exec("BEGIN")
		n2 := exec(within)
		exec("COMMIT")
		if n1 != n2 {
			t.Fatalf("%s changed %d rows, in a transaction %d", alone, n1, n2)
		}
		if n1 == 0 {
			t.Errorf("%s changed nothing", alone)
		}
		compare(alone)
	}
}

// A key that is given twice after an update of many rows is an error, and nothing is changed.
func TestLargeUpdateUnique(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	var vals []string
	for i := range 400 {
		vals = append(vals, fmt.Sprintf("(%d)", i))
	}
	for _, sql := range []string{
		"CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER, b TEXT)",
		"CREATE UNIQUE INDEX t_u ON t (u)",
		"INSERT INTO t WITH d(i) AS (VALUES " + strings.Join(vals, ",") + ") SELECT 400*a.i + b.i, 400*a.i + b.i, 'x' FROM d AS a, d AS b",
	} {
		if _, _, err := f.try(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		"UPDATE t SET id = id / 2, b = 'a long text, so that many rows make many bytes'",
		"UPDATE t SET u = u %% 159999, b = 'a long text, so that many rows make many bytes'",
		"UPDATE t SET u = 1, b = 'a long text, so that many rows make many bytes' WHERE u <> 1",
	} {
		_, _, err := f.try(ctx, strings.ReplaceAll(sql, "%%", "%"))
		if err == nil || !strings.Contains(err.Error(), "duplicate key") {
			t.Fatalf("%s: %v", sql, err)
		}
		rows, _, err := f.try(ctx, "SELECT count(*), sum(id), sum(u), max(b) FROM t")
		if err != nil || rows[0] != "160000|12799920000|12799920000|x" {
			t.Fatalf("%v, %v", rows, err)
		}
	}
}
