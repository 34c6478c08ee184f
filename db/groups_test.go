package db_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The best rows of each group are those of scoring every row, and the vectors of few rows are
// read for them.
func TestTopOfGroupsIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 4))
	d := fusionTable(t, r, 9000)
	vec := func(dim int) string {
		var parts []string
		for range dim {
			parts = append(parts, fmt.Sprintf("%.3f", r.NormFloat64()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	left := 0
	const rounds = 40
	for round := range rounds {
		by := []string{
			"similarity(v, " + vec(16) + ") DESC NULLS LAST",
			"w <=> " + vec(8),
			"0.5 * similarity(v, " + vec(16) + ") + 0.1 * bm25(caption, 'w0 w2') DESC NULLS LAST",
			"similarity(v, " + vec(16) + "), id DESC",
			"0.1 * recency - similarity(w, " + vec(8) + ") ASC",
		}[r.IntN(5)]
		partition := []string{"PARTITION BY n ", "PARTITION BY n % 7, recency > 0.5 ", "", "PARTITION BY length(caption) ", "PARTITION BY id "}[r.IntN(5)]
		where := []string{"", fmt.Sprintf("WHERE id %% 5 < %d ", 1+r.IntN(4)), "WHERE match(caption, 'w0') ", "WHERE id < 300 "}[r.IntN(4)]
		k := 1 + r.IntN(6)
		call := []string{"row_number()", "rank()"}[r.IntN(2)]
		over := fmt.Sprintf("%s OVER (%sORDER BY %s)", call, partition, by)
		keep := fmt.Sprintf([]string{"%s <= %d", "%s < %[2]d + 1", "%[2]d >= %[1]s", "%s BETWEEN 1 AND %d", "%s = %d"}[r.IntN(5)], "k", k)
		// A sum over the same window keeps all rows in the plan.
		plain := fmt.Sprintf("SELECT id, k * 1.0 FROM (SELECT id, %s AS k, count(*) %s AS c FROM f %s) AS x WHERE %s ORDER BY id, k", over, over[strings.Index(over, "OVER"):], where, keep)
		nested := fmt.Sprintf("SELECT id, k * 1.0 FROM (SELECT id, %s AS k FROM f %s) AS x WHERE %s ORDER BY id, k", over, where, keep)
		qualify := fmt.Sprintf("SELECT id, %s * 1.0 FROM f %sQUALIFY %s ORDER BY id", over, where, strings.Replace(keep, "k", over, 1))
		want := fmt.Sprint(scores(t, d, plain))
		if strings.Contains(explain(t, d, plain), "of each group by") {
			t.Fatalf("%s leaves rows out", plain)
		}
		for _, sql := range []string{nested, qualify} {
			if got := fmt.Sprint(scores(t, d, sql)); got != want {
				t.Fatalf("round %d: %s\ngot  %v\nwant %v\n%s", round, sql, got, want, explain(t, d, sql))
			}
		}
		if strings.Contains(explain(t, d, qualify), "of rows the bounds") || strings.Contains(explain(t, d, qualify), "exact: yes; the best") {
			left++
		}
	}
	t.Logf("%d of %d left rows out", left, rounds)
	if left < rounds/4 {
		t.Errorf("of %d searches %d left rows out by bounds", rounds, left)
	}
}
