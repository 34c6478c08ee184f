package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

// Joins by similarity give the pairs of comparing every row with every other one.
func TestPairJoinIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 4))
	d := fusionTable(t, r, 700)
	for round := range 16 {
		least := []float64{0.5, 0.7, 0.9, 1, 0.95, -0.2}[r.IntN(6)]
		near := fmt.Sprintf("similarity(a.v, b.v) %s %v", []string{">", ">="}[r.IntN(2)], least)
		if r.IntN(3) == 0 {
			near = fmt.Sprintf("a.v <=> b.v %s %v", []string{"<", "<="}[r.IntN(2)], 1-least)
		}
		on := []string{"a.id < b.id AND ", "a.id <> b.id AND ", "", "a.n + b.n < 60 AND ", "a.id > b.id AND a.n = 7 AND "}[r.IntN(5)]
		where := []string{"", " WHERE a.n < 20", " WHERE mod(b.id, 3) = 1 AND a.id < 500", " WHERE similarity(a.v, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) > 0.2"}[r.IntN(4)]
		items := "a.id, similarity(a.v, b.v) + b.n"
		from := fmt.Sprintf("SELECT %s FROM f AS a JOIN f AS b ON %s%%s%s ORDER BY a.id, b.id", items, on, where)
		fast, plain := fmt.Sprintf(from, near), fmt.Sprintf(from, "("+near+") IS TRUE")
		if got, want := fmt.Sprint(scores(t, d, fast)), fmt.Sprint(scores(t, d, plain)); got != want {
			t.Fatalf("round %d: %s gives %d bytes, want %d\n%.300s\n%.300s\n%s", round, fast, len(got), len(want), got, want, explain(t, d, fast))
		}
		if !strings.Contains(explain(t, d, fast), "PairJoin") || strings.Contains(explain(t, d, plain), "PairJoin") {
			t.Fatalf("%s\n%s%s", fast, explain(t, d, fast), explain(t, d, plain))
		}
	}
}

// A join that is given up, or cancelled, ends.
func TestPairJoinEnds(t *testing.T) {
	d := fusionTable(t, rand.New(rand.NewPCG(31, 5)), 3000)
	const sql = "SELECT a.id FROM f AS a JOIN f AS b ON similarity(a.v, b.v) > -1"
	rows, err := d.Query(context.Background(), sql+" LIMIT 3")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range rows.All() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d rows", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	rows, err = d.Query(ctx, sql)
	for err == nil {
		var ok bool
		if ok = rows.Next(); !ok {
			err = rows.Err()
			break
		}
	}
	if err == nil {
		t.Error("a cancelled join has ended well")
	}
	if rows != nil {
		rows.Close()
	}
}

// What is found for all rows at once is the same with little memory, or refused for it.
func TestPairsWithinMemory(t *testing.T) {
	dir := t.TempDir() + "/s"
	all := openAt(t, dir, nil)
	mustExec(t, all, "CREATE TABLE p (id INTEGER PRIMARY KEY, v VECTOR(32))")
	r := rand.New(rand.NewPCG(7, 20))
	app, err := all.Appender(ctx, "p", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		v := make([]float32, 32)
		for k := range v {
			v[k] = float32(r.NormFloat64() + float64(i%7))
		}
		if err := app.Append(i, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	statements := []string{
		"SELECT a.id, x.id FROM p AS a JOIN LATERAL (SELECT b.id FROM p AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v) LIMIT 3) AS x ON true",
		"SELECT id, (SELECT b.id FROM p AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v) LIMIT 1) AS nearest FROM p AS a",
		"SELECT id, group_number FROM duplicates('p', 'v', 0.99)",
		"SELECT a.id, b.id FROM p AS a JOIN p AS b ON a.id < b.id AND similarity(a.v, b.v) > 0.992",
	}
	for i, s := range statements {
		statements[i] = "SELECT count(*), sum(hashed) FROM (SELECT (x * 1000003 + coalesce(y, 0) * 7919) % 65521 AS hashed FROM (" + s + ") AS q (x, y)) AS h"
	}
	var want []string
	for _, s := range statements {
		want = append(want, fmt.Sprint(valuesOf(t, all, s)))
	}
	all.Close()
	refused, done := 0, 0
	for _, budget := range []int64{64 << 10, 512 << 10, 4 << 20, 64 << 20} {
		d := openAt(t, dir, &db.Options{MemoryBudget: budget})
		for i, s := range statements {
			var n, sum db.Value
			err := d.QueryRow(ctx, s).Scan(&n, &sum)
			switch {
			case errors.As(err, new(*db.MemoryError)) && budget < 64<<20 && !(i >= 2 && budget >= 512<<10): // pairs are found part by part
				refused++
			case err != nil:
				t.Errorf("%d KiB: %s: %v", budget>>10, s, err)
			default:
				if got := fmt.Sprint([][]db.Value{{n, sum}}); got != want[i] {
					t.Errorf("%d KiB: %s: %s, want %s", budget>>10, s, got, want[i])
				}
				done++
			}
		}
		if n := d.Stats().Open; n != 0 {
			t.Errorf("%d handles are open", n)
		}
		d.Close()
	}
	if refused == 0 || done < len(statements) {
		t.Errorf("%d refused, %d done", refused, done)
	}
}
