//go:build unix

package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lupadb/lupa/db"
)

// BenchmarkSearch asks for the ten nearest of 2,000 rows through Lupa, and with the same statement
// through a plain program over pgx, in turns. It reports the medians and what Lupa adds.
func BenchmarkSearch(b *testing.B) {
	d, c := open(b, pglite.at(b), nil)
	ctx := context.Background()
	run(b, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, v VECTOR(64))")
	rng := rand.New(rand.NewPCG(1, 2))
	vec := func() string {
		var s []string
		for range 64 {
			s = append(s, fmt.Sprintf("%.3f", rng.NormFloat64()))
		}
		return "[" + strings.Join(s, ",") + "]"
	}
	for from := 0; from < 2000; from += 500 {
		var rows []string
		for i := range 500 {
			rows = append(rows, fmt.Sprintf("(%d, '%s')", from+i, vec()))
		}
		run(b, d, "INSERT INTO x.there VALUES "+strings.Join(rows, ", "))
	}
	const text = `SELECT nullif(1 - ("v" <=> $1::vector), 'NaN'::float8), "id" FROM there ORDER BY nullif(1 - ("v" <=> $1::vector), 'NaN'::float8) DESC NULLS LAST, "id" LIMIT 10`
	inTurns(b, func() {
		if got := rows(b, d, "SELECT id, similarity(v, $1) AS s FROM x.there ORDER BY s LIMIT 10", vec()); strings.Count(got, "\n") != 9 {
			b.Fatal(got)
		}
	}, func() {
		r, err := c.Query(ctx, text, pgx.QueryExecModeExec, vec())
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for r.Next() {
			var s float64
			var id int64
			if err := r.Scan(&s, &id); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10 || r.Err() != nil {
			b.Fatal(n, r.Err())
		}
	})
}

// BenchmarkRow finds a row by its key in PostgreSQL, through Lupa and through a pool of pgx.
func BenchmarkRow(b *testing.B) {
	address := installed.at(b)
	d, c := open(b, address, nil)
	ctx := context.Background()
	run(b, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, t TEXT)")
	run(b, d, "INSERT INTO x.there SELECT i, 't' || i FROM generate_series(1, 10000) AS g (i)")
	var schema string
	if err := c.QueryRow(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		b.Fatal(err)
	}
	pool, err := pgxpool.New(ctx, address+"&search_path="+schema)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	i := 0
	inTurns(b, func() {
		i++
		if got := rows(b, d, "SELECT t FROM x.there WHERE id = $1", i%10000+1); got != fmt.Sprint("t", i%10000+1) {
			b.Fatal(got)
		}
	}, func() {
		var t string
		if err := pool.QueryRow(ctx, "SELECT t FROM there WHERE id = $1", i%10000+1).Scan(&t); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkLoad loads 100,000 rows into PostgreSQL and reads them back, through Lupa and by pgx's
// CopyFrom and Query.
func BenchmarkLoad(b *testing.B) {
	const n = 100000
	d, c := open(b, installed.at(b), nil)
	ctx := context.Background()
	run(b, d, "CREATE TABLE x.there (id INTEGER, t TEXT, r REAL)")
	empty := func() {
		if _, err := c.Exec(ctx, "TRUNCATE there"); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("write", func(b *testing.B) {
		inTurns(b, func() {
			empty()
			a, err := d.Appender(ctx, "x.there", nil, &db.AppenderOptions{Atomic: true})
			if err != nil {
				b.Fatal(err)
			}
			for i := range n {
				if err := a.Append(i, "some text", float64(i)); err != nil {
					b.Fatal(err)
				}
			}
			if err := a.Close(); err != nil {
				b.Fatal(err)
			}
		}, func() {
			empty()
			i := -1
			_, err := c.CopyFrom(ctx, pgx.Identifier{"there"}, []string{"id", "t", "r"}, pgx.CopyFromFunc(func() ([]any, error) {
				if i++; i == n {
					return nil, nil
				}
				return []any{int64(i), "some text", float64(i)}, nil
			}))
			if err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("read", func(b *testing.B) {
		empty()
		run(b, d, fmt.Sprintf("INSERT INTO x.there SELECT i, 'some text', i FROM generate_series(1, %d) AS g (i)", n))
		inTurns(b, func() {
			r, err := d.Query(ctx, "SELECT id, t, r FROM x.there")
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			scanAll(b, r.Next, r.Scan, n)
		}, func() {
			r, err := c.Query(ctx, "SELECT id, t, r FROM there")
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			scanAll(b, r.Next, r.Scan, n)
		})
	})
	// All rows are looked at here, by a function that is not asked for.
	b.Run("whole", func(b *testing.B) {
		if _, err := c.Exec(ctx, "ANALYZE there"); err != nil {
			b.Fatal(err)
		}
		if plan := rows(b, d, "EXPLAIN ANALYZE SELECT sum(id), sum(octet_length(t)) FROM x.there"); !strings.Contains(plan, " requests") {
			b.Fatal(plan)
		}
		inTurns(b, func() {
			if got := rows(b, d, "SELECT sum(id), sum(octet_length(t)) FROM x.there"); got != fmt.Sprintf("%d|%d", n*(n+1)/2, 9*n) {
				b.Fatal(got)
			}
		}, func() {
			r, err := c.Query(ctx, "SELECT id, t FROM there")
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			var ids, bytes int64
			for r.Next() {
				var id int64
				var t string
				if err := r.Scan(&id, &t); err != nil {
					b.Fatal(err)
				}
				ids, bytes = ids+id, bytes+int64(len(t))
			}
			if ids != n*(n+1)/2 || bytes != 9*n {
				b.Fatal(ids, bytes)
			}
		})
	})
}

func scanAll(b *testing.B, next func() bool, scan func(...any) error, want int) {
	n := 0
	for next() {
		var id int64
		var t string
		var r float64
		if err := scan(&id, &t, &r); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if n != want {
		b.Fatalf("%d rows of %d", n, want)
	}
}

// inTurns runs both in turns, and reports their medians and the difference.
func inTurns(b *testing.B, lupa, plain func()) {
	b.Helper()
	lupa()
	plain()
	var times [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		for k := range 2 {
			f := []func(){lupa, plain}[(i+k)%2]
			start := time.Now()
			f()
			times[(i+k)%2] = append(times[(i+k)%2], time.Since(start))
		}
	}
	for k := range times {
		slices.Sort(times[k])
	}
	mid := func(k int) float64 { return float64(times[k][len(times[k])/2].Microseconds()) }
	b.ReportMetric(mid(0), "lupa-us")
	b.ReportMetric(mid(1), "pgx-us")
	b.ReportMetric(mid(0)-mid(1), "more-us")
	b.ReportMetric(mid(0)/mid(1), "times")
}
