package db_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

var bytesRead = regexp.MustCompile(`([0-9.]+) (bytes|KiB|MiB) read`)

// Whether vectors are NULL is answered from null bitmaps, not from floats, whichever way it is
// asked; the answers are those of a column that says the same.
func TestNullTestsReadNoVectors(t *testing.T) {
	s, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	const rows, dim = 4096, 128
	zero := "[" + strings.Repeat("0,", dim-1) + "0]"
	for _, sql := range []string{
		fmt.Sprintf("CREATE TABLE t (id INTEGER PRIMARY KEY, has BOOLEAN, k INTEGER, v VECTOR(%d))", dim),
		"INSERT INTO t SELECT g, g % 7 <> 0, g % 5, CASE WHEN g % 7 <> 0 THEN ('[' || repeat((g % 11) || ',', " + strconv.Itoa(dim-1) + ") || '1]')::VECTOR END FROM generate_series(1, " + strconv.Itoa(rows) + ") g",
		"CREATE TABLE u (tid INTEGER, w INTEGER)",
		"INSERT INTO u SELECT g * 2, g % 3 FROM generate_series(1, 3000) g", // some without a row in t
	} {
		if _, err := s.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	text := func(sql string) string {
		r, err := s.Query(ctx, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		defer r.Close()
		var out strings.Builder
		for r.Next() {
			for _, v := range r.Values() {
				fmt.Fprintf(&out, "%v|", v)
			}
			out.WriteString("\n")
		}
		if err := r.Err(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return out.String()
	}
	q := "'[" + strings.Repeat("1,", dim-1) + "1]'::VECTOR(" + strconv.Itoa(dim) + ")"
	for _, c := range []struct{ asked, same string }{
		{"SELECT count(v), count(*) FILTER (WHERE v IS NULL), count(v) FILTER (WHERE k > 1) FROM t",
			"SELECT count(*) FILTER (WHERE has), count(*) FILTER (WHERE NOT has), count(*) FILTER (WHERE has AND k > 1) FROM t"},
		{"SELECT sum(CASE WHEN v IS NULL THEN k ELSE 0 END) FROM t", "SELECT sum(CASE WHEN has THEN 0 ELSE k END) FROM t"},
		{"SELECT count(*) FROM t WHERE v IS NOT DISTINCT FROM NULL OR k = 3", "SELECT count(*) FROM t WHERE NOT has OR k = 3"},
		{"SELECT k, count(v) FROM t GROUP BY k ORDER BY k", "SELECT k, count(*) FILTER (WHERE has) FROM t GROUP BY k ORDER BY k"},
		{"SELECT w, count(v), count(*) FROM u JOIN t ON id = tid GROUP BY w ORDER BY w",
			"SELECT w, count(*) FILTER (WHERE has), count(*) FROM u JOIN t ON id = tid GROUP BY w ORDER BY w"},
		{"SELECT count(*), count(v), sum(CASE WHEN v IS NOT NULL THEN w END) FROM u LEFT JOIN t ON id = tid",
			"SELECT count(*), count(*) FILTER (WHERE has), sum(CASE WHEN has THEN w END) FROM u LEFT JOIN t ON id = tid"},
		{"SELECT count(*) FROM u LEFT JOIN t ON id = tid WHERE v IS NULL", "SELECT count(*) FROM u LEFT JOIN t ON id = tid WHERE has IS NOT TRUE"},
		{"SELECT count(*) FROM u LEFT JOIN t ON id = tid AND v IS NOT NULL WHERE v IS NULL AND w > 0",
			"SELECT count(*) FROM u LEFT JOIN t ON id = tid AND has WHERE has IS NULL AND w > 0"},
		{"SELECT count(*), count(a.v), count(b.v) FROM t a FULL JOIN t b ON a.id = b.id + 9 WHERE a.v IS NULL OR b.v IS NULL",
			"SELECT count(*), count(*) FILTER (WHERE a.has), count(*) FILTER (WHERE b.has) FROM t a FULL JOIN t b ON a.id = b.id + 9 WHERE a.has IS NOT TRUE OR b.has IS NOT TRUE"},
		{"SELECT count(x.v) FROM u LEFT JOIN (t x LEFT JOIN t y ON x.id = y.id + 2) ON x.id = tid WHERE y.v IS NULL",
			"SELECT count(*) FILTER (WHERE x.has) FROM u LEFT JOIN (t x LEFT JOIN t y ON x.id = y.id + 2) ON x.id = tid WHERE y.has IS NOT TRUE"},
		{"SELECT count(*) FROM u WHERE EXISTS (SELECT 1 FROM t WHERE id = tid AND v IS NULL)", "SELECT count(*) FROM u WHERE EXISTS (SELECT 1 FROM t WHERE id = tid AND NOT has)"},
		{"SELECT id, count(v) OVER (PARTITION BY k ORDER BY id) AS n FROM t ORDER BY id LIMIT 40",
			"SELECT id, sum(CASE WHEN has THEN 1 ELSE 0 END) OVER (PARTITION BY k ORDER BY id) FROM t ORDER BY id LIMIT 40"},
		{"SELECT id FROM t ORDER BY v IS NULL DESC, id LIMIT 5", "SELECT id FROM t ORDER BY has, id LIMIT 5"},
		{"SELECT count(*) FROM (SELECT v <-> " + q + " AS score FROM t) AS s WHERE score IS NOT NULL", "SELECT count(*) FROM t WHERE has"},
		{"SELECT count(*) FROM t WHERE (v <#> " + q + ") IS NULL OR k = 1", "SELECT count(*) FROM t WHERE NOT has OR k = 1"},
	} {
		if got, want := text(c.asked), text(c.same); got != want {
			t.Errorf("%s gives\n%sbut\n%s\n%s", c.asked, got, c.same, want)
		}
		read := 0.0
		for _, m := range bytesRead.FindAllStringSubmatch(text("EXPLAIN ANALYZE "+c.asked), -1) {
			n, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			read += n * map[string]float64{"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20}[m[2]]
		}
		if strings.Contains(c.asked, "FULL JOIN") {
			continue // it is a union, whose parts give values
		}
		if read == 0 || read > rows*dim*4/16 {
			t.Errorf("%s reads %.0f bytes", c.asked, read)
		}
	}
	// The search for a score that is not NULL is the search: it reads no floats to find out which
	// rows have one, and rows of zeros, whose cosine is NULL, are none of them.
	if _, err := s.Exec(ctx, "INSERT INTO t VALUES (0, TRUE, 0, '"+zero+"')"); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{3, rows + 1} {
		got := text(fmt.Sprintf("SELECT id, score FROM (SELECT id, v <=> %s AS score FROM t) AS s WHERE score IS NOT NULL ORDER BY score LIMIT %d", q, limit))
		want := text(fmt.Sprintf("SELECT id, v <=> %s AS score FROM t WHERE has AND id > 0 ORDER BY score LIMIT %d", q, limit))
		if got != want {
			t.Errorf("LIMIT %d: %d rows, want %d", limit, strings.Count(got, "\n"), strings.Count(want, "\n"))
		}
	}
	plan := text(fmt.Sprintf("EXPLAIN SELECT id FROM (SELECT id, v <=> %s AS score FROM t) AS s WHERE score IS NOT NULL ORDER BY score LIMIT 3", q))
	if strings.Contains(plan, "among") || !strings.Contains(plan, "Nearest") {
		t.Errorf("the search for a score that is not NULL is\n%s", plan)
	}
}
