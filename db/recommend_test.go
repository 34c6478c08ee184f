package db_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/vector"
)

// recommend is what its strategies say, however the examples are given.
func TestRecommendByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 4))
	d := fusionTable(t, r, 3000)
	for round := range 12 {
		where := []string{"id < 3", "id = 5", "id IN (7, 9, 12, 30)"}
		liked, disliked := where[round%3], where[(round+1+round/3%2)%3]
		_, _, p := mmrRows(t, d, "1", " WHERE v IS NOT NULL AND "+liked)
		_, _, n := mmrRows(t, d, "1", " WHERE v IS NOT NULL AND "+disliked)
		list := func(vs [][]float32) string {
			var out []string
			for _, v := range vs {
				out = append(out, strings.ReplaceAll(fmt.Sprint(v), " ", ", "))
			}
			return "ARRAY[" + strings.Join(out, ", ") + "]"
		}
		query := func(where string) string { return "(SELECT v FROM f WHERE v IS NOT NULL AND " + where + ")" }
		mean := func(vs [][]float32) []float32 {
			out := make([]float32, 16)
			for _, v := range vs {
				unit := make([]float32, 16)
				vector.Normalize(unit, v)
				vector.AddScaled(out, unit, 1/float32(len(vs)), make([]float32, 16))
			}
			return out
		}
		to := make([]float32, 16)
		vector.AddScaled(to, mean(p), 2, make([]float32, 16))
		vector.AddScaled(to, mean(n), -1, make([]float32, 16))
		nearest := func(vs [][]float32, x []float32) float64 {
			best := -2.0
			for _, v := range vs {
				best = max(best, vector.Score(vector.Cosine, v, x))
			}
			return best
		}
		for _, args := range []string{list(p) + ", " + list(n), query(liked) + ", " + query(disliked), list(p) + ", " + query(disliked)} {
			ids, average, vs := mmrRows(t, d, "recommend(v, "+args+")", "")
			_, best, _ := mmrRows(t, d, "recommend(v, "+args+", 'best')", "")
			for i, v := range vs {
				if v == nil || vector.Norm(v) == 0 {
					if average[i] == average[i] || best[i] == best[i] {
						t.Fatalf("%s: row %d without a direction has %v and %v", args, ids[i], average[i], best[i])
					}
					continue
				}
				if want := vector.Score(vector.Cosine, to, v); average[i] < want-1e-6 || average[i] > want+1e-6 {
					t.Fatalf("%s: row %d has %v, want %v", args, ids[i], average[i], want)
				}
				a, b := nearest(p, v), nearest(n, v)
				want := a
				if a <= b {
					want = -float64(b * b)
				}
				if best[i] != want {
					t.Fatalf("%s, 'best': row %d has %v, want %v", args, ids[i], best[i], want)
				}
			}
			// The best rows come by bounds for the mean.
			sql := "SELECT id, recommend(v, " + args + ") AS s FROM f ORDER BY s"
			if got, want := scores(t, d, sql+" LIMIT 9"), scores(t, d, sql); fmt.Sprint(got) != fmt.Sprint(want[:9]) {
				t.Fatalf("%s\ngot  %v\nwant %v", sql, got, want[:9])
			}
			if plan := explain(t, d, sql+" LIMIT 9"); !strings.Contains(plan, "Nearest f.v") {
				t.Fatalf("%s is not searched for\n%s", sql, plan)
			}
		}
	}
}
