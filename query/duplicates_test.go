package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// duplicates() gives what comparing every pair of rows gives.
func TestDuplicatesAgainstAllPairs(t *testing.T) {
	rng := newRand()
	for _, n := range []int{0, 1, 40, 1100, 2500} {
		f := open(t)
		f.run("CREATE TABLE d (id INTEGER PRIMARY KEY, v VECTOR(8))")
		vecs := make([][]float32, 0, n)
		for i := range n {
			v := make([]float32, 8)
			switch {
			case i%17 == 3:
				v = nil
			case i%19 == 4: // no direction
			case i > 0 && rng.IntN(3) == 0 && vecs[i-1] != nil: // near to another one, perhaps the same
				for k, x := range vecs[i-1] {
					v[k] = x + float32(rng.NormFloat64()*float64(rng.IntN(3))*0.05)
				}
			default:
				for k := range v {
					v[k] = float32(rng.NormFloat64())
				}
			}
			vecs = append(vecs, v)
		}
		for from := 0; from < n; from += 500 {
			var rows []string
			for i := from; i < min(n, from+500); i++ {
				l := "NULL"
				if vecs[i] != nil {
					l = literal(vecs[i])
				}
				rows = append(rows, fmt.Sprintf("(%d, %s)", i, l))
			}
			f.run("INSERT INTO d VALUES " + strings.Join(rows, ", "))
		}
		f.run("DELETE FROM d WHERE id % 23 = 5")
		for i := range vecs {
			if i%23 == 5 {
				vecs[i] = nil
			}
		}
		for _, least := range []float64{0.8, 0.95, 0.9999, 1} {
			want := duplicatesByHand(t, vecs, least)
			got := f.run("SELECT * FROM duplicates('d', 'v', ?)", value.Float(least))
			if !slices.Equal(got, want) {
				t.Fatalf("%d rows, %g: got %d rows, want %d\n%v\n%v", n, least, len(got), len(want), few(got), few(want))
			}
		}
	}
}

func few(s []string) []string { return s[:min(len(s), 20)] }

func duplicatesByHand(t *testing.T, vecs [][]float32, least float64) []string {
	t.Helper()
	near := make([][]int, len(vecs))
	queries := make([]*vector.Query, len(vecs))
	for i, v := range vecs {
		if v == nil {
			continue
		}
		q, err := vector.NewQuery(vector.Cosine, v)
		if err != nil {
			t.Fatal(err)
		}
		if !q.Zero() {
			queries[i] = q
		}
	}
	for i, q := range queries {
		for j := i + 1; q != nil && j < len(vecs); j++ {
			if queries[j] != nil && q.Score(vecs[j]) >= least {
				near[i], near[j] = append(near[i], j), append(near[j], i)
			}
		}
	}
	seen := make([]bool, len(vecs))
	var out []string
	number := 0
	for i := range vecs {
		if seen[i] || len(near[i]) == 0 {
			continue
		}
		number++
		group := []int{i}
		seen[i] = true
		for k := 0; k < len(group); k++ {
			for _, j := range near[group[k]] {
				if !seen[j] {
					seen[j] = true
					group = append(group, j)
				}
			}
		}
		slices.Sort(group)
		best := group[0]
		for _, j := range group {
			if len(near[j]) > len(near[best]) {
				best = j
			}
		}
		for _, j := range group {
			out = append(out, fmt.Sprintf("%d|%d|%d|%v", j, number, best, value.Float(queries[best].Score(vecs[j]))))
		}
	}
	return out
}
