package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// estimated are tables of data that is not even: values that are frequent and rare, clustered, correlated,
// NULL, and keys into each other.
func estimated(t *testing.T, r *rand.Rand) *db.DB {
	s, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	skewed := func(n int) int { return int(float64(n) * r.Float64() * r.Float64() * r.Float64()) }
	var sql strings.Builder
	sql.WriteString(`CREATE TABLE places (id INTEGER PRIMARY KEY, country TEXT, people INTEGER);
		CREATE TABLE photos (id INTEGER PRIMARY KEY, place INTEGER, taken TIMESTAMP, stars INTEGER, width REAL, camera TEXT);
		CREATE TABLE tags (photo INTEGER, tag TEXT);
		CREATE INDEX tag_photo ON tags (photo);`)
	insert := func(table string, n int, row func(i int) string) {
		for from := 0; from < n; from += 2000 {
			fmt.Fprintf(&sql, "INSERT INTO %s VALUES ", table)
			for i := from; i < min(from+2000, n); i++ {
				if i > from {
					sql.WriteString(", ")
				}
				sql.WriteString(row(i))
			}
			sql.WriteString(";")
		}
	}
	insert("places", 700, func(i int) string {
		return fmt.Sprintf("(%d, 'country %d', %d)", i, skewed(60), 1<<r.IntN(24))
	})
	insert("photos", 24000, func(i int) string {
		place := "NULL"
		if r.IntN(5) > 0 {
			place = fmt.Sprint(skewed(700))
		}
		return fmt.Sprintf("(%d, %s, TIMESTAMP '2010-01-01' + INTERVAL '%d hours', %d, %g, 'camera %d')",
			i, place, i*3+r.IntN(50), skewed(6), 640*float64(1+skewed(12)), skewed(200))
	})
	insert("tags", 60000, func(int) string { return fmt.Sprintf("(%d, 'tag %d')", r.IntN(24000), skewed(3000)) })
	if _, err := s.Exec(context.Background(), sql.String()); err != nil {
		t.Fatal(err)
	}
	return s
}

var figures = regexp.MustCompile(`\[(\d+) rows?(?:, ~(\d+) expected)?`)

// The rows that operators are expected to give are within a factor of 10 of what they give, for nine of ten.
func TestEstimates(t *testing.T) {
	seed := uint64(1)
	if os.Getenv("LUPA_SOAK") != "" {
		seed = rand.Uint64()
	}
	r := rand.New(rand.NewPCG(seed, 1))
	s := estimated(t, r)
	defer s.Close()
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	condition := func() string {
		day := fmt.Sprintf("TIMESTAMP '2010-01-01' + INTERVAL '%d hours'", r.IntN(72000))
		return pick(
			fmt.Sprintf("p.stars = %d", r.IntN(6)), fmt.Sprintf("p.stars >= %d", r.IntN(6)),
			"p.taken < "+day, fmt.Sprintf("p.taken BETWEEN %s AND %s + INTERVAL '%d days'", day, day, 1+r.IntN(300)),
			fmt.Sprintf("p.camera = 'camera %d'", r.IntN(200)), fmt.Sprintf("p.camera > 'camera %d'", r.IntN(200)),
			fmt.Sprintf("p.camera IN ('camera %d', 'camera %d')", r.IntN(20), r.IntN(200)),
			fmt.Sprintf("p.width > %d", 640*r.IntN(13)), fmt.Sprintf("p.width BETWEEN %d AND %d", 640*r.IntN(4), 640*(4+r.IntN(8))),
			"p.place IS NULL", fmt.Sprintf("p.place < %d", r.IntN(700)), fmt.Sprintf("p.place = %d", r.IntN(700)),
			fmt.Sprintf("p.id BETWEEN %d AND %d", r.IntN(12000), 12000+r.IntN(12000)), fmt.Sprintf("p.camera LIKE 'camera 1%d%%'", r.IntN(10)))
	}
	conditions := func() string {
		n := 1 + r.IntN(2)
		var all []string
		for range n {
			all = append(all, condition())
		}
		return strings.Join(all, pick(" AND ", " AND ", " OR "))
	}
	within, all, off := 0, 0, map[string]int{}
	unknown := map[string]int{}
	for range 400 {
		q := pick(
			"SELECT p.id FROM photos p WHERE %s",
			"SELECT p.id, q.country FROM photos p JOIN places q ON q.id = p.place WHERE %s",
			fmt.Sprintf("SELECT p.id, q.country FROM photos p JOIN places q ON q.id = p.place WHERE q.people > %d AND %%s", 1<<r.IntN(24)),
			fmt.Sprintf("SELECT p.id FROM photos p JOIN tags t ON t.photo = p.id WHERE t.tag = 'tag %d' AND (%%s)", r.IntN(3000)),
			fmt.Sprintf("SELECT q.country, count(*) FROM photos p LEFT JOIN places q ON q.id = p.place AND q.people < %d WHERE %%s GROUP BY q.country", 1<<r.IntN(24)),
			"SELECT p.camera, count(*) FROM photos p WHERE %s GROUP BY p.camera ORDER BY 2 DESC LIMIT 5",
			"SELECT p.camera, p.stars, count(*) FROM photos p WHERE %s GROUP BY p.camera, p.stars HAVING count(*) > 3",
			"SELECT DISTINCT p.place FROM photos p WHERE %s",
			"SELECT DISTINCT ON (p.camera) p.camera, p.id FROM photos p WHERE %s ORDER BY p.camera, p.taken",
			"SELECT p.id, row_number() OVER (PARTITION BY p.camera ORDER BY p.taken) FROM photos p WHERE %s",
			"SELECT p.id FROM photos p WHERE (%s) AND p.id IN (SELECT photo FROM tags WHERE tag < 'tag 2')",
			"SELECT p.id FROM photos p WHERE %s UNION SELECT photo FROM tags WHERE tag LIKE 'tag 1%%%%'",
			"SELECT p.camera FROM photos p WHERE %s EXCEPT SELECT 'camera ' || id FROM places",
			"SELECT t.tag, count(*) FROM photos p JOIN tags t ON t.photo = p.id JOIN places q ON q.id = p.place WHERE %s GROUP BY t.tag ORDER BY t.tag",
			"WITH RECURSIVE w (i) AS (SELECT p.id FROM photos p WHERE %s UNION SELECT i / 2 FROM w WHERE i > 0) SELECT count(*) FROM w")
		q = fmt.Sprintf(q, conditions())
		rows, err := s.Query(context.Background(), "EXPLAIN ANALYZE "+q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for row, err := range rows.All() {
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			line := row[0].String()
			m := figures.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			name := strings.Fields(line)[0]
			if m[2] == "" {
				unknown[name]++
				continue
			}
			real, _ := strconv.ParseFloat(m[1], 64)
			guess, _ := strconv.ParseFloat(m[2], 64)
			real, guess = max(1, real), max(1, guess)
			all++
			if real <= 10*guess && guess <= 10*real {
				within++
			} else {
				off[name]++
				if testing.Verbose() {
					t.Logf("%s\n   of %s", strings.TrimSpace(line), q)
				}
			}
		}
	}
	for name, n := range unknown {
		t.Errorf("%d operators %s tell no estimate", n, name)
	}
	var worst []string
	for name, n := range off {
		worst = append(worst, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(worst)
	t.Logf("%d of %d operators within a factor of 10; off: %v", within, all, worst)
	if 10*within < 9*all {
		t.Errorf("seed %d: %d of %d operators are within a factor of 10; off: %v", seed, within, all, worst)
	}
}
