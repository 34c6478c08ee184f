package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

// Options that can't be meant are errors, not a hang or an endless use of memory.
func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []db.Options{
		{CacheSize: 1 << 62}, {CacheSize: -1}, {Workers: -1}, {Workers: 1 << 20}, {Workers: 1 << 24}, {MemoryBudget: -5},
	} {
		s, err := db.Open(":memory:", &o)
		var bad *db.OptionError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), bad.Option) {
			t.Errorf("%+v: %v", o, err)
		}
		if s != nil {
			s.Close()
		}
	}
	for _, o := range []db.Options{{CacheSize: 1 << 42}, {MemoryBudget: 1 << 62}, {PromptCache: 1 << 62}, {Workers: 4096}} {
		s, err := db.Open(":memory:", &o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if _, err := s.Exec(context.Background(), "CREATE TABLE t (v VECTOR(3)); INSERT INTO t VALUES ([1,2,3])"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Select[[]float32](context.Background(), s, "SELECT v FROM t ORDER BY similarity(v, [1,2,3]) LIMIT 1"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A chain of WITH whose uses double at each level costs what its rows cost, and that is
// bounded.
func TestManyUsesOfWith(t *testing.T) {
	s, err := db.Open(":memory:", &db.Options{MemoryBudget: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	chain := func(n int) string {
		q := "WITH a0(x, y) AS (SELECT 1, 'one')"
		for i := 1; i < n; i++ {
			q += fmt.Sprintf(", a%d AS (SELECT * FROM a%d UNION ALL SELECT y.x + 1, y.y FROM a%[2]d AS y)", i, i-1)
		}
		return q + fmt.Sprintf(" SELECT count(*), sum(x), min(y) FROM a%d", n-1)
	}
	for _, n := range []int{1, 3, 6, 7, 8, 12, 16} {
		var count, sum int
		var text string
		if err := s.QueryRow(context.Background(), chain(n)).Scan(&count, &sum, &text); err != nil {
			t.Fatalf("%d levels: %v", n, err)
		}
		// Rows double, and half of the new ones have one more.
		if want := 1 << (n - 1); count != want || 2*sum != want*(n+1) || text != "one" {
			t.Errorf("%d levels: %d rows with the sum %d", n, count, sum)
		}
	}
	var memory *db.MemoryError
	if _, err := s.Exec(context.Background(), chain(40)); !errors.As(err, &memory) {
		t.Errorf("40 levels: %v", err)
	}
}

// largestHeap runs f and returns the heap before it and the largest one meanwhile.
func largestHeap(f func()) (before, most uint64) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	before = heap()
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, heap())
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return before, most
}

// What a statement is refused for holding it did not hold twice over before: slices that
// grow, and garbage, are bounded too.
func TestHeapOfAStatement(t *testing.T) {
	const budget = 96 << 20
	s, err := db.Open(":memory:", &db.Options{MemoryBudget: budget})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// 2,097,152 and 16,777,216 rows from few.
	const n = "WITH a(x) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7)), n AS (SELECT p.x+8*q.x+64*r.x+512*s.x+4096*t.x+32768*u.x+262144*v.x AS k, 'some text' AS s FROM a AS p, a AS q, a AS r, a AS s, a AS t, a AS u, a AS v), big AS (SELECT n.k + 2097152 * a.x AS k, n.s FROM n, a) "
	for _, q := range []string{
		"SELECT count(*) FROM big AS x JOIN big AS y ON x.k = y.k",
		"SELECT count(*) FROM (SELECT k, s FROM big ORDER BY s, k)",
		"SELECT count(*) FROM (SELECT k, s FROM big ORDER BY s, k LIMIT 1000000000)",
		"SELECT count(*) FROM a LEFT JOIN big ON a.x = big.k",
		"SELECT count(*) FROM a WHERE x IN (SELECT k FROM big)",
		"SELECT count(*) FROM (SELECT k, count(*) AS c FROM big GROUP BY k)",
		"SELECT count(*) FROM (SELECT DISTINCT k, s FROM big)",
		"SELECT count(*) FROM (SELECT k, rank() OVER (PARTITION BY s ORDER BY k) AS r FROM big) WHERE r > 0",
		"SELECT count(*) FROM (SELECT DISTINCT ON (k) k, s FROM big ORDER BY k, s)",
		"SELECT count(*) FROM (SELECT k, s FROM big UNION SELECT k + 1, s FROM big)",
		"SELECT count(*) FROM (SELECT k, string_agg(s, ',') FROM big GROUP BY k)",
		"SELECT length(string_agg(s, ',')) FROM big",
		"SELECT array_agg(k) FROM big",
		"SELECT median(k) FROM big",
		"SELECT length(string_agg(s, ',' ORDER BY k)) FROM big",
	} {
		var err error
		before, most := largestHeap(func() { _, err = s.Exec(context.Background(), n+q) })
		var memory *db.MemoryError
		if !errors.As(err, &memory) {
			t.Errorf("%s: %v", q, err)
		}
		t.Logf("%d MiB: %s", (most-min(before, most))>>20, q)
		if most > before+2*budget+32<<20 {
			t.Errorf("%s: a heap of %d MiB with a budget of %d MiB", q, (most-before)>>20, budget>>20)
		}
	}
}

// A statement of very many values is refused before it is parsed; as one parameter they fit.
func TestMemoryOfLiterals(t *testing.T) {
	s, err := db.Open(":memory:", &db.Options{MemoryBudget: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if _, err := s.Exec(ctx, "CREATE TABLE t (k INTEGER)"); err != nil {
		t.Fatal(err)
	}
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		sql string
		fit bool
	}{
		{"SELECT count(*) FROM t WHERE k IN (" + list(200000, "%d") + ")", false},
		{"INSERT INTO t VALUES " + list(200000, "(%d)"), false},
		{"SELECT count(*) FROM t WHERE k IN (" + list(10000, "%d") + ")", true},
		{"INSERT INTO t VALUES " + list(10000, "(%d)"), true},
		{"SELECT length('" + strings.Repeat("x", 8<<20) + "')", true},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := s.Exec(ctx, c.sql)
		runtime.ReadMemStats(&after)
		var memory *db.MemoryError
		if c.fit && err != nil || !c.fit && !errors.As(err, &memory) {
			t.Errorf("%.40s: %v", c.sql, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; !c.fit && took > 1<<20 {
			t.Errorf("%.40s: %d KiB to be refused", c.sql, took>>10)
		}
	}
}

// What RETURNING gives is part of what a statement holds; without it the rows of an INSERT
// are not kept.
func TestMemoryOfReturning(t *testing.T) {
	s, err := db.Open(":memory:", &db.Options{MemoryBudget: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	const rows = "WITH a(x) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7)) SELECT p.x+8*q.x+64*r.x+512*s.x+4096*t.x+32768*u.x FROM a AS p, a AS q, a AS r, a AS s, a AS t, a AS u"
	if _, err := s.Exec(ctx, "CREATE TABLE t (k INTEGER)"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql string
		fit bool
	}{
		{"INSERT INTO t " + rows + " RETURNING k", false},
		{"INSERT INTO t " + rows, true},
		{"UPDATE t SET k = k + 1 RETURNING k", false},
		{"DELETE FROM t RETURNING k", false},
	} {
		err := s.Update(ctx, func(tx *db.Tx) error {
			r, err := tx.Query(ctx, c.sql)
			if err != nil {
				return err
			}
			defer r.Close()
			for r.Next() {
			}
			return r.Err()
		})
		if memory := new(db.MemoryError); c.fit && err != nil || !c.fit && !errors.As(err, &memory) {
			t.Errorf("%s: %v", c.sql, err)
		}
	}
}
