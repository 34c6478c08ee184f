package db_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/vector"
)

// greedy is the definition of mmr: rows one by one, each time the one with the highest value.
func greedy(ids []int64, relevance []float64, vectors [][]float32, lambda float64, most int) (out []scored) {
	near := make([]float64, len(ids))
	there := make([]bool, len(ids))
	for i, v := range vectors {
		near[i] = -1
		there[i] = relevance[i] == relevance[i] && v != nil && vector.Norm(v) > 0
	}
	for len(out) < most {
		best, at := 0.0, -1
		for i := range ids {
			if v := float64(lambda*relevance[i]) - float64((1-lambda)*near[i]); there[i] && (at < 0 || v > best) {
				best, at = v, i
			}
		}
		if at < 0 {
			return out
		}
		v := best
		out = append(out, scored{ids[at], &v})
		there[at] = false
		for i := range ids {
			if there[i] {
				near[i] = max(near[i], vector.Score(vector.Cosine, vectors[at], vectors[i]))
			}
		}
	}
	return out
}

// mmr is its definition over all rows, with and without a limit, whatever the relevance is.
func TestMMRByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 2))
	d := fusionTable(t, r, 7000)
	left := 0
	for round := range 24 {
		var q []string
		for range 16 {
			q = append(q, fmt.Sprintf("%.3f", r.NormFloat64()+float64(3*r.IntN(2))))
		}
		by := []string{
			"similarity(v, [" + strings.Join(q, ", ") + "])",
			"0.5 * similarity(v, [" + strings.Join(q, ", ") + "]) + 0.1 * bm25(caption, 'w0 w3')",
			"recency",
		}[r.IntN(3)]
		where := []string{"", fmt.Sprintf(" WHERE id %% 5 < %d", 1+r.IntN(4)), " WHERE id < 700"}[r.IntN(3)]
		lambda := []float64{0, 0.3, 0.5, 0.7, 0.95, 1}[r.IntN(6)]
		ids, relevance, vectors := mmrRows(t, d, by, where)
		k := 1 + r.IntN(25)
		most := k
		if len(ids) < 1000 {
			most = len(ids)
		}
		want := greedy(ids, relevance, vectors, lambda, most)
		sql := fmt.Sprintf("SELECT id, mmr(%s, v, %v) AS s FROM f%s ORDER BY s DESC LIMIT %d", by, lambda, where, k)
		if got := scores(t, d, sql); fmt.Sprint(got) != fmt.Sprint(want[:k]) {
			t.Fatalf("round %d: %s\ngot  %v\nwant %v\n%s", round, sql, got, want[:k], explain(t, d, sql))
		}
		if strings.Contains(explain(t, d, sql), "are chosen down to") {
			left++
		}
		if most == k {
			continue
		}
		sql = fmt.Sprintf("SELECT id, mmr(%s, v, %v) AS s FROM f%s ORDER BY s DESC NULLS LAST", by, lambda, where)
		if got := scores(t, d, sql); fmt.Sprint(got[:len(want)]) != fmt.Sprint(want) || len(got) > len(want) && got[len(want)].score != nil {
			t.Fatalf("round %d: %s\ngot  %v\nwant %v", round, sql, got, want)
		}
	}
	if left < 8 {
		t.Errorf("of 24 searches %d left rows out by bounds", left)
	}
}

func mmrRows(t *testing.T, d *db.DB, by, where string) (ids []int64, relevance []float64, vectors [][]float32) {
	t.Helper()
	rows, err := d.Query(context.Background(), fmt.Sprintf("SELECT id, %s, v FROM f%s", by, where))
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range rows.All() {
		if err != nil {
			t.Fatal(err)
		}
		f := math.NaN()
		if !row[1].IsNull() {
			f = row[1].Float()
		}
		var v []float32
		if !row[2].IsNull() {
			v = append(v, row[2].Vec()...)
		}
		ids, relevance, vectors = append(ids, row[0].Int()), append(relevance, f), append(vectors, v)
	}
	return ids, relevance, vectors
}
