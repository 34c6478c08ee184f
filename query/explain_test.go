package query_test

import (
	"strings"
	"testing"
)

// Plans as a person reads them: one line an operator, inputs below.
func TestExplain(t *testing.T) {
	f := open(t)
	fill(f, newRand(), 3000)
	f.run("CREATE INDEX by_tag ON photos (tag, width)")
	f.run("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)")
	f.run("CREATE TABLE ordered (id INTEGER, n INTEGER)")
	f.run("CREATE INDEX by_n ON ordered (n)")
	f.run("INSERT INTO ordered SELECT id, width FROM photos")
	for _, c := range []struct{ sql, want string }{
		{"SELECT count(*) FROM photos", `
Project count(*)
  Metadata photos`},
		// Only the filter's column and the search read; the rest for three rows.
		{"SELECT id, tag, v_sim([1, 0, 0]) AS s FROM photos WHERE width > 50 AND s > 0.25 ORDER BY s LIMIT 3", `
Project id, tag, v_sim([1, 0, 0]) AS s
  Fetch photos (id, tag)
    Filter s > 0.25
      Nearest photos.v 3 by s (best first) [s > 0.25], among the rows of
        Filter width > 50
          Scan photos (width)`},
		{"SELECT id FROM photos WHERE v <-> [1, 0, 0] < 0.5", `
Project id
  Fetch photos (id)
    Filter v <-> [1, 0, 0] < 0.5
      Nearest photos.v within v <-> [1, 0, 0] < 0.5`},
		// The search in a subquery is seen.
		{"SELECT x.id FROM (SELECT id, v_sim([1, 0, 0]) AS s FROM photos) AS x ORDER BY x.s LIMIT 10 OFFSET 20", `
Project x.id
  Fetch photos (id)
    Limit 10 offset 20
      Nearest photos.v 30 by x.s (best first)`},
		// The first of an order from an index.
		{"SELECT id FROM ordered WHERE n > 20 ORDER BY n DESC LIMIT 5", `
Project id
  Fetch ordered (id)
    TopN 5 by n (descending)
      Filter n > 20
        IndexLookup by_n [n > 20, first 5 by n (descending)] in ordered (n)`},
		// Another key decides among ties only.
		{"SELECT id FROM photos ORDER BY v_sim([1, 0, 0]), width DESC LIMIT 5", `
Project id
  Fetch photos (id)
    TopN 5 by v_sim([1, 0, 0]) (best first), width (descending)
      Fetch photos (width)
        Nearest photos.v 5 by v_sim([1, 0, 0]) (best first), ties included`},
		// Subqueries that depend on the row.
		{"SELECT id FROM photos AS p WHERE EXISTS (SELECT 1 FROM people WHERE name = p.tag AND people.id > p.width) AND width > 7", `
Project id
  Filter width > 7 AND EXISTS (SELECT 1 FROM people WHERE name = p.tag AND people.id > p.width)
    Scan photos (id, width, tag)
Subquery 1 (EXISTS, found by hash of name = p.tag, then people.id > p.width)
  Project name, id
    Scan people (id, name)`},
		{"SELECT (SELECT name FROM people WHERE id = p.width) FROM photos AS p", `
Project (SELECT name FROM people WHERE id = p.width)
  Scan photos (width)
Subquery 1 (value, run for each p.width; after 256, found by hash)
  Project name
    Filter id = p.width
      KeyLookup [id = p.width] in people (name, id)`},
		{"SELECT tag FROM photos WHERE id = 7", `
Project tag
  Filter id = 7
    KeyLookup [id = 7] in photos (tag, id)`},
		// Vectors are fetched for the survivors of a filter only.
		{"SELECT v FROM photos WHERE width = 3", `
Project v
  Fetch photos (v)
    Filter width = 3
      Scan photos (width)`},
		{"SELECT id, tag FROM photos ORDER BY width DESC LIMIT 5", `
Project id, tag
  Fetch photos (id, tag)
    TopN 5 by width (descending)
      Scan photos (width)`},
		{"SELECT name FROM photos JOIN people ON people.id = width WHERE tag = 't1' AND name LIKE 'a%'", `
Project name
  HashJoin on width = people.id
    Filter tag = 't1'
      Scan photos (width, tag)
    Filter name LIKE 'a%'
      Scan people (id, name)`},
		{"SELECT id FROM photos WHERE id IN (SELECT id FROM people)", `
Project id
  Filter id IN (SELECT id FROM people)
    Scan photos (id)
Subquery 1 (IN)
  Project id
    Scan people (id)`},
	} {
		if got := strings.Join(f.run("EXPLAIN "+c.sql), "\n"); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s\ngot:\n%s\nwant:%s", c.sql, got, c.want)
		}
	}
	got := strings.Join(f.run("EXPLAIN ANALYZE SELECT id FROM photos AS p WHERE id < 10 AND EXISTS (SELECT 1 FROM ordered WHERE ordered.id > p.id)"), "\n")
	if !strings.Contains(got, "; run 9 times)") {
		t.Errorf("EXPLAIN ANALYZE does not tell how often the subquery was run:\n%s", got)
	}
	got = strings.Join(f.run("EXPLAIN ANALYZE SELECT id FROM photos WHERE width > 50 ORDER BY v_sim([1, 0, 0]) LIMIT 3"), "\n")
	for _, want := range []string{"exact: yes", "[3 rows", "read", "rows considered"} {
		if !strings.Contains(got, want) {
			t.Errorf("EXPLAIN ANALYZE does not tell %q:\n%s", want, got)
		}
	}
}
