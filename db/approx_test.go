package db_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

// An index of kind ivf from the language to EXPLAIN ANALYZE and back: searches that allow for it
// visit a part of the clusters and say so, all others stay exact, filters are heeded, and the
// statements that make the table are those that made it.
func TestApprox(t *testing.T) {
	const dim, rows = 32, 20 * 1024
	d := open(t, nil)
	mustExec(t, d, fmt.Sprintf(`CREATE TABLE pics (id INTEGER PRIMARY KEY, third INTEGER, v HALFVEC(%d))`, dim))
	rng := rand.New(rand.NewPCG(5, 6))
	var places [200][]float32
	for i := range places {
		places[i] = make([]float32, dim)
		for j := range dim {
			places[i][j] = float32(rng.NormFloat64())
		}
	}
	near := func(spread float64) []float32 {
		p := places[rng.IntN(len(places))]
		v := make([]float32, dim)
		for j := range v {
			v[j] = p[j] + float32(spread*rng.NormFloat64())
		}
		return v
	}
	a := must(d.Appender(ctx, "pics", nil, &db.AppenderOptions{Atomic: true}))
	for i := range rows {
		if err := a.Append(i, i%3, near(0.3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `CREATE INDEX by_look ON pics USING ivf (v) WITH (lists = 200)`)
	ids := func(sql string, args ...any) (out []string) {
		t.Helper()
		r := must(d.Query(ctx, sql, args...))
		for row, err := range r.All() {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, row[0].String())
		}
		return out
	}
	const exact, approx = `SELECT id FROM pics ORDER BY v <=> $1 LIMIT 10`, `SELECT id FROM pics ORDER BY v <=> $1 LIMIT 10 APPROX WITH TARGET ACCURACY 90`
	// What is asked is what the index is measured with, in the background.
	for n := 0; n < 300 || !strings.Contains(strings.Join(ids("EXPLAIN ANALYZE "+approx, near(0.4)), "\n"), "queries that were asked"); n++ {
		if ids(approx, near(0.4)); n > 300 {
			time.Sleep(10 * time.Millisecond)
		}
		if n == 6000 {
			t.Fatal("the index was not measured with what was asked")
		}
	}
	found, n := 0, 0
	for range 60 {
		q := near(0.4)
		want, got := ids(exact, q), ids(approx, q)
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
		for _, w := range want {
			for _, g := range got {
				if g == w {
					found++
				}
			}
			n++
		}
		if third := ids(`SELECT third FROM pics WHERE third = 1 ORDER BY v <=> $1 LIMIT 20 APPROX`, q); len(third) != 20 || strings.Trim(strings.Join(third, ""), "1") != "" {
			t.Fatalf("filtered: %v", third)
		}
	}
	if recall := float64(found) / float64(n); recall < 0.9 {
		t.Errorf("%.3f of the rows were found", recall)
	}
	q := near(0.4)
	plan := strings.Join(ids("EXPLAIN ANALYZE "+approx, q), "\n")
	if !strings.Contains(plan, "exact: no") || !strings.Contains(plan, "of 200; expected recall 0.9") || !strings.Contains(plan, "queries that were asked") {
		t.Error(plan)
	}
	if plan := strings.Join(ids("EXPLAIN ANALYZE "+exact, q), "\n"); !strings.Contains(plan, "exact: yes") {
		t.Error(plan)
	}
	for range 3 { // rows are found at once
		v := near(0.3)
		mustExec(t, d, `INSERT INTO pics VALUES ((SELECT max(id) + 1 FROM pics), 7, $1)`, v)
		if got := ids(`SELECT third FROM pics ORDER BY v <=> $1 LIMIT 1 APPROX`, v); got[0] != "7" {
			t.Errorf("a new row is not found: %v", got)
		}
	}
	tables := must(d.Tables(ctx))
	if sql := tables[0].SQL(); !strings.Contains(sql, `CREATE INDEX by_look ON pics USING ivf (v) WITH (lists = '200');`) {
		t.Error(sql)
	} else {
		mustExec(t, open(t, nil), sql)
	}
	if p := must(d.Check(ctx)); len(p) > 0 {
		t.Error(p)
	}
}
