package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Rows that are all scored are scored by several workers, with the answers that
// one would give.
func TestParallelScores(t *testing.T) {
	f := open(t)
	photos := fill(f, newRand(), 20000)
	q := []float32{1, -2, 1}
	best := map[string]float64{}
	type row struct {
		id    int64
		score float64
	}
	var all []row
	first := int64(-1)
	for _, p := range photos {
		if x := p.v; first < 0 && x != nil && x[0]*x[0]+x[1]*x[1]+x[2]*x[2] > 0 {
			first = p.id
		}
		if p.v == nil || p.width <= 20 {
			continue
		}
		s := vector.Score(vector.Cosine, q, p.v)
		if s != s {
			continue
		}
		all = append(all, row{p.id, s})
		if b, ok := best[p.tag]; !ok || s > b {
			best[p.tag] = s
		}
	}
	slices.SortFunc(all, func(a, b row) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return int(b.id - a.id)
	})
	var want []string
	for tag, s := range best {
		want = append(want, tag+"|"+value.Float(s).String())
	}
	slices.Sort(want)
	f.env.Workers = 3
	sql := "SELECT tag, max(v_sim([1, -2, 1])) AS best FROM photos WHERE width > 20 GROUP BY tag ORDER BY tag"
	f.expect(sql, want...)
	if plan := strings.Join(f.run("EXPLAIN "+sql), "\n"); !strings.Contains(plan, "Parallel (3 workers)") {
		t.Errorf("not parallel:\n%s", plan)
	}
	want = nil
	for _, r := range all[:700] {
		want = append(want, fmt.Sprint(r.id))
	}
	f.expect("SELECT id FROM photos WHERE width > 20 ORDER BY v_sim([1, -2, 1]), id DESC LIMIT 700", want...)
	f.expect("SELECT DISTINCT ON (tag) tag, v_sim([1, -2, 1]) AS s FROM photos WHERE width > 20 ORDER BY tag, s LIMIT 1",
		"t0|"+value.Float(best["t0"]).String())
	// Left in the middle, the workers end too.
	f.expect("SELECT id FROM (SELECT id, v_sim([1, -2, 1]) AS s FROM photos) AS x WHERE s IS NOT NULL LIMIT 1", fmt.Sprint(first))
}
