package db_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// The best rows by a sum of scores are those of scoring and sorting all rows, to the last bit,
// and bounds leave most of them out.
func TestFusionIsExact(t *testing.T) {
	ctx := context.Background()
	store, err := db.Open(t.TempDir()+"/f.lupa", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := store.Exec(ctx, sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("CREATE TABLE p (id INTEGER PRIMARY KEY, v VECTOR(16), w VECTOR(16), caption TEXT, n INTEGER)")
	r := rand.New(rand.NewPCG(1, 9))
	vec := func() []float32 {
		v := make([]float32, 16)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	app, err := store.Appender(ctx, "p", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20000 {
		var b strings.Builder
		for range 1 + r.IntN(10) {
			fmt.Fprintf(&b, "w%d ", int(math.Exp(r.Float64()*7))-1)
		}
		var v any = vec()
		if i%50 == 0 {
			v = nil
		}
		if err := app.Append(i, v, vec(), b.String(), r.IntN(100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	exec("CREATE INDEX words ON p USING fulltext (caption)")
	exec("DELETE FROM p WHERE id % 17 = 3")
	exec("UPDATE p SET caption = 'w1 w1 w400' WHERE id % 501 = 0")
	ids := func(sql string, args ...any) (out []string) {
		t.Helper()
		rows, err := store.Query(ctx, sql, args...)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for row, err := range rows.All() {
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			out = append(out, fmt.Sprint(row))
		}
		return out
	}
	fused := 0
	for i := range 30 {
		a, b := math.Round(r.Float64()*100)/100+0.01, math.Round(r.Float64()*r.Float64()*100)/100+0.01
		words := fmt.Sprintf("w%d w%d", int(math.Exp(r.Float64()*7))-1, r.IntN(5))
		sum := fmt.Sprintf("%v * similarity(v, $1) + %v * bm25(caption, '%s')", a, b, words)
		if i%3 == 1 {
			sum = fmt.Sprintf("%v * bm25(words, '%s') + (%v * similarity(w, $1) + 0.25)", b, words, a)
		}
		if i%3 == 2 {
			sum = fmt.Sprintf("%v * similarity(v, $1) + %v * similarity(w, $1) + %v * bm25(caption, '%s')", a, a/10, b, words)
		}
		q, k := vec(), 1+r.IntN(30)
		got := ids(fmt.Sprintf("SELECT id, %s FROM p ORDER BY %s DESC NULLS LAST LIMIT %d", sum, sum, k), q)
		all := ids(fmt.Sprintf("SELECT id, %s AS s FROM p ORDER BY s DESC NULLS LAST", sum), q)
		if fmt.Sprint(got) != fmt.Sprint(all[:k]) {
			t.Fatalf("%s: %v, want %v", sum, got, all[:k])
		}
		plan := strings.Join(ids(fmt.Sprintf("EXPLAIN ANALYZE SELECT id FROM p ORDER BY %s DESC NULLS LAST LIMIT %d", sum, k), q), "\n")
		if !strings.Contains(plan, "Fusion of") || !strings.Contains(plan, "exact: yes") {
			t.Fatalf("no fusion:\n%s", plan)
		}
		if strings.Contains(plan, "bounds leave ") && !strings.Contains(plan, "too little") {
			fused++
		}
		// With a condition every row that passes is scored.
		got = ids(fmt.Sprintf("SELECT id, %s FROM p WHERE n < 50 ORDER BY %s DESC NULLS LAST LIMIT %d", sum, sum, k), q)
		all = ids(fmt.Sprintf("SELECT id, %s AS s FROM p WHERE n < 50 ORDER BY s DESC NULLS LAST", sum), q)
		if fmt.Sprint(got) != fmt.Sprint(all[:k]) {
			t.Fatalf("%s among some: %v, want %v", sum, got, all[:k])
		}
	}
	if fused < 15 {
		t.Errorf("bounds left rows out in %d of 30", fused)
	}
}
