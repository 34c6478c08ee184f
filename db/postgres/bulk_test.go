//go:build unix

package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

// TestBulkRead reads whole tables over several connections: by ranges of an integer key, of pages
// where the key is a text or missing, and at once where the table is small, a view or empty.
func TestBulkRead(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	ctx := context.Background()
	const n = 60000
	if _, err := c.Exec(ctx, fmt.Sprintf(`CREATE TABLE keyed (id bigint PRIMARY KEY, t text, r float8, d date, i interval, x bytea, b bool, j jsonb);
		INSERT INTO keyed SELECT i * 7919 %% 1000003 - 500000, nullif('t' || i, 't7'), i / 7.0, DATE '2000-01-01' + i %% 1000, i * INTERVAL '1 min', decode(lpad(to_hex(i), 8, '0'), 'hex'), i %% 3 = 0, jsonb_build_object('k', i) FROM generate_series(1, %[1]d) g (i);
		CREATE TABLE byword (id text PRIMARY KEY, t text); INSERT INTO byword SELECT id::text, repeat(t, 30) FROM keyed;
		CREATE TABLE nokey AS SELECT id, repeat(t, 30) AS t FROM keyed;
		CREATE TABLE far (id bigint PRIMARY KEY); INSERT INTO far SELECT i FROM generate_series(1, 50000) g (i) UNION ALL SELECT 9223372036854775807 UNION ALL SELECT -9223372036854775808;
		CREATE TABLE small (id bigint PRIMARY KEY); INSERT INTO small VALUES (1), (2);
		CREATE TABLE none (id bigint PRIMARY KEY);
		CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (100); CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (100) TO (1000); INSERT INTO parts SELECT generate_series(0, 999);
		CREATE VIEW seen AS SELECT id FROM keyed WHERE b; ANALYZE`, n)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"keyed", "byword", "nokey", "far", "small", "none", "parts", "seen"} {
		run(t, d, "CREATE TABLE mine AS SELECT * FROM x."+table)
		const sums = "SELECT * FROM %s ORDER BY id"
		if a, b := rows(t, d, fmt.Sprintf(sums, "mine")), rows(t, d, fmt.Sprintf(sums, "x."+table)); a != b {
			t.Errorf("%s: %s", table, difference(a, b))
		}
		run(t, d, "DROP TABLE mine")
	}
	plan := rows(t, d, "EXPLAIN ANALYZE INSERT INTO x.none SELECT id FROM x.keyed")
	if !strings.Contains(plan, " requests") {
		t.Error(plan)
	}
	// Conditions travel as literals.
	for _, cond := range []string{"t = 't9'", `t = E'\\' OR t = 'it''s \'`, "r > 8000.5", "d < '2000-02-01'", "i >= '900 hours'", `x = '\x00000010'`, "b", "id IN (1, 2, -3)", "t LIKE 't5%'"} {
		run(t, d, "CREATE TABLE mine AS SELECT id FROM x.keyed WHERE "+cond)
		if a, b := rows(t, d, "SELECT count(*), sum(id) FROM mine"), rows(t, d, "SELECT count(*), sum(id) FROM x.keyed WHERE "+cond); a != b {
			t.Errorf("%s: %s here, %s there", cond, a, b)
		}
		run(t, d, "DROP TABLE mine")
	}
	// All ranges are read in one snapshot.
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				c.Exec(ctx, "WITH gone AS (DELETE FROM far WHERE id = (SELECT min(id) FROM far WHERE id > 0) RETURNING id) INSERT INTO far SELECT id + 1000000 FROM gone")
			}
		}
	}()
	for range 5 {
		if got := rows(t, d, "SELECT count(*) FROM x.far"); got != "50002" {
			t.Error(got)
		}
		run(t, d, "CREATE TABLE mine AS SELECT * FROM x.far")
		if got := rows(t, d, "SELECT count(*) FROM mine"); got != "50002" {
			t.Errorf("%s rows", got)
		}
		run(t, d, "DROP TABLE mine")
	}
	close(stop)
	<-stopped
	// A server that ends amid it leaves nothing.
	killed := make(chan bool)
	go func() {
		defer close(killed)
		for range 20 {
			time.Sleep(5 * time.Millisecond)
			c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lupa' AND query LIKE 'COPY%' AND state = 'active' LIMIT 1")
		}
	}()
	if _, err := d.Exec(ctx, "CREATE TABLE mine AS SELECT a.* FROM x.keyed a"); err != nil {
		if _, err := tryRows(d, "SELECT * FROM mine"); err == nil {
			t.Error("half a table is there")
		}
	}
	<-killed
	if got := rows(t, d, "SELECT count(*) FROM x.keyed"); got != fmt.Sprint(n) {
		t.Error(got)
	}
}

// TestNoDeadlock runs more statements that need two connections each than the pool has.
func TestNoDeadlock(t *testing.T) {
	d, _ := open(t, installed.at(t), nil)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, t TEXT)")
	run(t, d, "INSERT INTO x.there SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) AS g (i)")
	var open []*db.Rows
	for range 6 { // more than the pool has
		r, err := d.Query(ctx, "SELECT * FROM x.there")
		if err != nil {
			t.Fatal(err)
		}
		if !r.Next() {
			t.Fatal(r.Err())
		}
		open = append(open, r)
	}
	for _, r := range open {
		n := 1
		for r.Next() {
			n++
		}
		if n != 20000 || r.Err() != nil {
			t.Error(n, r.Err())
		}
		r.Close()
	}
}
