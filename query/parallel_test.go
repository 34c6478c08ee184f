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

// Groups made of parts of a table are those of the whole, in the same order, and
// sums of reals the same to the last bit for any number of workers.
func TestParallelGroups(t *testing.T) {
	f := open(t)
	const rows = 160_000
	f.run("CREATE TABLE photos (id INTEGER, width INTEGER, tag TEXT)")
	f.run("CREATE TABLE d (n INTEGER)")
	f.run("INSERT INTO d VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19)")
	f.run(`INSERT INTO photos SELECT id, id * 7919 % 101, 't' || (id * 31 % 7)
		FROM (SELECT a.n * 8000 + b.n * 400 + c.n * 20 + d.n AS id FROM d AS a, d AS b, d AS c, d) AS x ORDER BY id`)
	f.run("DELETE FROM photos WHERE id % 1000 = 7")
	type group struct{ n, sum, last int64 }
	groups := map[string]*group{}
	var order []string
	for id := range int64(rows) {
		width, tag := id*7919%101, fmt.Sprint("t", id*31%7)
		if id%1000 == 7 || width <= 20 {
			continue
		}
		g := groups[tag]
		if g == nil {
			g = &group{}
			groups[tag] = g
			order = append(order, tag)
		}
		g.n++
		g.sum += width
		g.last = id
	}
	var want []string
	for _, tag := range order {
		g := groups[tag]
		want = append(want, fmt.Sprintf("%s|%d|%d|%d", tag, g.n, g.sum, g.last))
	}
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"SELECT tag, count(*), sum(width), max(id) FROM photos WHERE width > 20 GROUP BY tag", want},
		{"SELECT count(*), count(DISTINCT tag) FROM photos WHERE tag LIKE '%3%'", nil},
		{"SELECT count(*) FROM photos WHERE tag LIKE '%t%' AND tag LIKE '%4%'", nil},
		{"SELECT tag, width, count(*), avg(id / 7.0), min(tag) FILTER (WHERE width > 50) FROM photos GROUP BY tag, width", nil},
		{"SELECT sum(sqrt(id)), avg(1.0 / (id + 1)), min(width), max(tag) FROM photos", nil},
		{"SELECT id % 60000 AS k, sum(width / 3.0) AS s FROM photos GROUP BY k ORDER BY s, k LIMIT 50", nil}, // many groups
		{"SELECT width FROM photos GROUP BY width HAVING count(*) > 2000", nil},
	} {
		for _, workers := range []int{1, 2, 5} {
			f.env.Workers = workers
			got := f.run(c.sql)
			if c.want == nil {
				c.want = got
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s\nwith %d workers: %.300q\nwant %.300q", c.sql, workers, got, c.want)
			}
		}
	}
	if plan := strings.Join(f.run("EXPLAIN SELECT tag, count(*) FROM photos WHERE width > 20 GROUP BY tag"), "\n"); !strings.Contains(plan, "(5 workers)") {
		t.Errorf("not in parts:\n%s", plan)
	}
	f.fails("SELECT sum(1 / (width - 50)) FROM photos", "division by zero")
}

// Joins of a large table with others, below groups, give the same with any number of workers.
func TestParallelJoins(t *testing.T) {
	f := open(t)
	f.run("CREATE TABLE photos (id INTEGER, width INTEGER, tag TEXT)")
	f.run("INSERT INTO photos SELECT i, i * 7919 % 1013, 't' || (i * 31 % 97) FROM generate_series(0, 159999) AS s (i)")
	f.run("DELETE FROM photos WHERE id % 1000 = 7")
	f.run("CREATE TABLE tags (tag TEXT, weight REAL, kind INTEGER)")
	f.run("INSERT INTO tags SELECT 't' || i, 1.0 / (i + 1), i % 5 FROM generate_series(3, 120) AS s (i)")
	f.run("INSERT INTO tags SELECT 't' || i, 2.0 / (i + 1), 7 FROM generate_series(0, 9) AS s (i)")
	f.run("CREATE TABLE sizes (low INTEGER, high INTEGER, name TEXT)")
	f.run("INSERT INTO sizes SELECT i * 100, i * 100 + 80, 'size ' || i FROM generate_series(0, 9) AS s (i)")
	for _, sql := range []string{
		"SELECT t.kind, count(*), sum(t.weight * p.width), max(p.id) FROM photos p JOIN tags t ON t.tag = p.tag WHERE p.width > 20 GROUP BY t.kind",
		"SELECT t.kind, count(*), count(t.weight) FROM photos p LEFT JOIN tags t ON t.tag = p.tag AND t.kind <> 7 AND p.width % 2 = 0 GROUP BY t.kind",
		"SELECT s.name, t.kind, count(*) FROM photos p JOIN tags t ON t.tag = p.tag JOIN sizes s ON p.width BETWEEN s.low AND s.high GROUP BY s.name, t.kind",
		"SELECT count(*), sum(x.n) FROM photos p JOIN (SELECT tag, count(*) AS n FROM tags GROUP BY tag) x ON x.tag = p.tag",
		"SELECT x.c, count(*) FROM photos p JOIN (SELECT width, count(*) AS c FROM photos GROUP BY width) x ON x.width = p.width GROUP BY x.c",
		"SELECT count(*) FROM photos p, sizes s WHERE p.width > s.high + 850",
	} {
		var want []string
		for _, workers := range []int{1, 2, 5} {
			f.env.Workers = workers
			got := f.run(sql)
			if want == nil {
				want = got
			}
			if len(got) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s\nwith %d workers: %.300q\nwant %.300q", sql, workers, got, want)
			}
		}
		plan := strings.Join(f.run("EXPLAIN "+sql), "\n")
		large := strings.Contains(plan, "RangeJoin") // it holds the large table
		if !large && !strings.Contains(plan, "(5 workers)") || !strings.Contains(plan, "Join") {
			t.Errorf("not in parts:\n%s", plan)
		}
	}
	// The figures of EXPLAIN ANALYZE are those of all workers.
	sql := "SELECT t.kind, count(*) FROM photos p JOIN tags t ON t.tag = p.tag WHERE p.width > 20 GROUP BY t.kind"
	want := f.run("SELECT count(*) FROM photos p JOIN tags t ON t.tag = p.tag WHERE p.width > 20")
	if plan := strings.Join(f.run("EXPLAIN ANALYZE "+sql), "\n"); !strings.Contains(plan, "["+want[0]+" rows") {
		t.Errorf("not %s rows:\n%s", want[0], plan)
	}
	f.fails("SELECT sum(1 / (p.width - 50)) FROM photos p JOIN tags t ON t.tag = p.tag", "division by zero")
}
