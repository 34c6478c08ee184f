package db_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// A search with a time limit tells what of its answer is proven, through Rows, a notice and EXPLAIN ANALYZE,
// with an index and without, and with time enough it gives what others do. No time at all is one group of rows.
func TestWithin(t *testing.T) {
	const dim, rows = 32, 20*1024 + 500
	d := open(t, nil)
	mustExec(t, d, fmt.Sprintf(`CREATE TABLE pics (id INTEGER PRIMARY KEY, third INTEGER, v VECTOR(%d))`, dim))
	rng := rand.New(rand.NewPCG(15, 16))
	vector := func(spread float64, p []float32) []float32 {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(spread * rng.NormFloat64())
			if p != nil {
				v[j] += p[j]
			}
		}
		return v
	}
	var places [80][]float32
	for i := range places {
		places[i] = vector(1, nil)
	}
	a := must(d.Appender(ctx, "pics", nil, &db.AppenderOptions{Atomic: true}))
	for i := range rows {
		if err := a.Append(i, i%3, vector(0.1, places[rng.IntN(len(places))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	type row struct {
		id    int64
		score float64
	}
	var told []string
	with := db.WithNotice(ctx, func(s string) { told = append(told, s) })
	ask := func(sql string, args ...any) (out []row, p db.Partial, ok bool) {
		t.Helper()
		told = nil
		r := must(d.Query(with, sql, args...))
		if _, ok := r.Partial(); ok {
			t.Fatal("known before it was asked")
		}
		for r.Next() {
			var x row
			if err := r.Scan(&x.id, &x.score); err != nil {
				t.Fatal(err)
			}
			out = append(out, x)
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		p, ok = r.Partial()
		return out, p, ok
	}
	orders := []struct {
		by     string
		higher bool
	}{{"similarity(v, $1)", true}, {"v <=> $1", false}, {"v <-> $1", false}, {"v <#> $1", false}}
	proven := 0
	for _, index := range []bool{false, true} {
		if index {
			mustExec(t, d, `CREATE INDEX by_look ON pics USING ivf (v) WITH (lists = 80)`)
		}
		for i := range 40 {
			o := orders[i%len(orders)]
			q := vector(0.1, places[rng.IntN(len(places))])
			where := []string{"", "WHERE third = 1 "}[i/4%2]
			sql := fmt.Sprintf("SELECT id, %s FROM pics %sORDER BY 2%s LIMIT 10", o.by, where, map[bool]string{true: " DESC"}[o.higher])
			want, _, ok := ask(sql, q)
			if ok {
				t.Fatal("a search without a limit of time says what it has proven")
			}
			got, p, ok := ask(sql+" WITHIN 3600 s OFFSET 2", q)
			if !ok || !p.Complete || p.Proven != 10 || len(told) > 0 || fmt.Sprint(got[:8]) != fmt.Sprint(want[2:]) {
				t.Fatalf("%v, %+v, %q, want %v", got, p, told, want)
			}
			got, p, ok = ask(sql+" WITHIN 0 ms", q)
			if !ok || p.Proven > len(got) || len(got) > 10 {
				t.Fatalf("%d rows, %+v", len(got), p)
			}
			if fmt.Sprint(got[:p.Proven]) != fmt.Sprint(want[:p.Proven]) {
				t.Fatalf("%d of %v proven, want %v", p.Proven, got, want)
			}
			proven += p.Proven
			if p.Complete {
				continue
			}
			reach := strings.Contains(strings.Join(told, ""), "another row could reach")
			if !strings.HasPrefix(told[0], fmt.Sprintf("%d of %d proven; ", p.Proven, len(got))) || reach == math.IsInf(p.Unseen, 0) {
				t.Fatalf("%q of %+v", told, p)
			}
			for _, w := range want {
				out := true
				for _, g := range got {
					out = out && g != w
				}
				if out && w.score != p.Unseen && w.score > p.Unseen == o.higher {
					t.Fatalf("%s: %v was not found, %+v", sql, w, p)
				}
			}
			var plan []string
			for line, err := range must(d.Query(ctx, "EXPLAIN ANALYZE "+sql+" WITHIN 0 ms", q)).All() {
				if err != nil {
					t.Fatal(err)
				}
				plan = append(plan, line[0].String())
			}
			text := strings.Join(plan, "\n")
			if !strings.Contains(text, "exact: no") || !strings.Contains(text, fmt.Sprintf("%d of %d proven; ", p.Proven, len(got))) ||
				strings.Contains(text, "clusters visited") != index {
				t.Fatal(text)
			}
		}
	}
	if proven == 0 {
		t.Error("nothing was ever proven")
	}
	// A limit from outside is for a query that is one search.
	zero := db.Within(ctx, 0)
	for sql, limited := range map[string]bool{
		"SELECT id FROM pics ORDER BY v <=> $1 LIMIT 3":                                           true,
		"SELECT id FROM pics ORDER BY v <=> $1 LIMIT 3 WITHIN 3600 s":                             true,
		"SELECT id FROM pics WHERE id <> 7 ORDER BY v <=> $1 LIMIT 3":                             false,
		"SELECT id FROM pics ORDER BY v <=> $1, id LIMIT 3":                                       false,
		"SELECT id FROM (SELECT id FROM pics ORDER BY v <=> $1 LIMIT 3) AS x ORDER BY id LIMIT 2": false,
		"SELECT (SELECT id FROM pics ORDER BY v <=> $1 LIMIT 1) FROM pics LIMIT 1":                false,
	} {
		r := must(d.Query(zero, sql, places[3]))
		for r.Next() {
		}
		if p, ok := r.Partial(); ok != limited || r.Err() != nil || ok && p.Complete != strings.Contains(sql, "WITHIN") {
			t.Errorf("%s: %+v, %v, %v", sql, p, ok, r.Err())
		}
	}
	// Several in one call are answered one by one.
	st := must(d.Prepare(ctx, "SELECT id, v <=> $1 FROM pics ORDER BY 2 LIMIT 3 WITHIN 0 ms"))
	defer st.Close()
	for _, r := range must(st.QueryMany(ctx, [][]any{{places[0]}, {places[1]}})) {
		for r.Next() {
		}
		if _, ok := r.Partial(); !ok || r.Err() != nil {
			t.Error("nothing is known of one of many", r.Err())
		}
		r.Close()
	}
}
