// Package library makes up a photo library, the same for the same size, and has what people ask of
// it: for tests that hold the answers against SQLite's, and for measurements.
package library

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Table is a table of the library.
type Table struct {
	Name, Columns string // in SQL that everybody understands
	Rows          int
	row           func(i int, to []any) []any
}

// Each calls f with the rows, in their order, until it fails. Tables are read in their order, each
// once: they share a source of random numbers. Values are nil, int, float64 and string; f does not keep them.
func (t Table) Each(f func(values []any) error) error {
	var values []any
	for i := range t.Rows {
		values = t.row(i, values[:0])
		if err := f(values); err != nil {
			return err
		}
	}
	return nil
}

// Tables returns the tables of a library of so many photos: photos and places, tags by a skewed
// choice, people, faces and albums.
func Tables(photos int) []Table {
	n := photos
	r := rand.New(rand.NewPCG(7, uint64(n)))
	orNull := func(one int, x any) any {
		if r.IntN(one) == 0 {
			return nil
		}
		return x
	}
	// Few tags, places and people are on most photos.
	skewed := func(n int) int { x := r.Float64(); return int(float64(n) * x * x * x) }
	name := func(what string, i int) string { return what + " " + strconv.Itoa(i) }
	places, persons, albums := n/20+5, n/30+5, n/50+5
	return []Table{
		{"places", "id INTEGER PRIMARY KEY, name TEXT, country TEXT", places, func(i int, to []any) []any {
			return append(to, i, name("place", i), name("country", i%13))
		}},
		{"photos", "id INTEGER PRIMARY KEY, place INTEGER, taken INTEGER, width INTEGER, rating DOUBLE PRECISION, title TEXT", n, func(i int, to []any) []any {
			return append(to, i, orNull(10, skewed(places)), i*100+r.IntN(100), 600+100*r.IntN(40), orNull(5, float64(r.IntN(21))/4), name("photo", r.IntN(n)))
		}},
		{"tags", "photo INTEGER, tag TEXT", n * 5 / 2, func(i int, to []any) []any {
			return append(to, r.IntN(n), name("tag", skewed(n/10)))
		}},
		{"people", "id INTEGER PRIMARY KEY, name TEXT, born INTEGER", persons, func(i int, to []any) []any {
			return append(to, i, name("name", i), 1930+r.IntN(90))
		}},
		{"faces", "photo INTEGER, person INTEGER, size DOUBLE PRECISION", n, func(i int, to []any) []any {
			return append(to, r.IntN(n), orNull(6, skewed(persons)), float64(r.IntN(64))/64)
		}},
		{"albums", "id INTEGER PRIMARY KEY, name TEXT, first INTEGER, last INTEGER", albums, func(i int, to []any) []any {
			from := r.IntN(n * 100)
			return append(to, i, name("album", i%40), from, from+r.IntN(3000))
		}},
		{"members", "album INTEGER, photo INTEGER, position INTEGER", n / 2, func(i int, to []any) []any {
			return append(to, skewed(albums), r.IntN(n), i)
		}},
	}
}

// Literal returns a value in SQL.
func Literal(x any) string {
	switch x := x.(type) {
	case nil:
		return "NULL"
	case string:
		return "'" + strings.ReplaceAll(x, "'", "''") + "'"
	}
	return fmt.Sprint(x)
}

// Indexes are those that somebody would make.
var Indexes = []string{
	"CREATE INDEX tags_photo ON tags (photo)", "CREATE INDEX tags_tag ON tags (tag)", "CREATE INDEX faces_person ON faces (person)",
	"CREATE INDEX members_album ON members (album, position)", "CREATE INDEX photos_place ON photos (place, taken)",
}

// Statement is a query of the library.
type Statement struct {
	SQL     string
	Ordered bool // its rows come in a certain order
}

// Statements are what people ask of a photo library, the tables in an order that is not
// the best one.
var Statements = []Statement{
	{"SELECT count(*) FROM tags, places, photos WHERE tags.photo = photos.id AND photos.place = places.id AND places.name = 'place 3'", false},
	{"SELECT ph.id, t.tag FROM tags t JOIN photos ph ON ph.id = t.photo WHERE ph.id = 77 ORDER BY t.tag", true},
	{"SELECT places.country, count(*) FROM photos, places WHERE photos.place = places.id GROUP BY places.country ORDER BY 2 DESC, 1", true},
	{"SELECT t.tag, count(*) FROM tags t JOIN photos p ON p.id = t.photo JOIN places x ON x.id = p.place WHERE x.country = 'country 2' GROUP BY t.tag ORDER BY 2 DESC, 1 LIMIT 10", true},
	{"SELECT p.id FROM photos p WHERE NOT EXISTS (SELECT 1 FROM tags t WHERE t.photo = p.id) AND p.width > 4000", false},
	{"SELECT p.id FROM photos p LEFT JOIN tags t ON t.photo = p.id WHERE t.photo IS NULL AND p.rating > 4", false},
	{"SELECT p.id FROM photos p WHERE p.id NOT IN (SELECT f.photo FROM faces f WHERE f.person IS NOT NULL) AND p.rating IS NULL", false},
	{"SELECT pe.name, count(DISTINCT f.photo) FROM faces f, people pe, photos p WHERE f.person = pe.id AND f.photo = p.id AND p.width >= 2000 AND pe.born < 1950 GROUP BY pe.name", false},
	{"SELECT a.name, count(*) FROM members m, photos p, albums a WHERE m.photo = p.id AND m.album = a.id AND p.rating >= 5 GROUP BY a.name ORDER BY 1", true},
	{"SELECT a.id, count(*), min(p.taken) FROM photos p JOIN albums a ON p.taken BETWEEN a.first AND a.last GROUP BY a.id", false},
	{"SELECT a.id, count(p.id) FROM albums a LEFT JOIN photos p ON p.taken >= a.first AND p.taken < a.last AND p.width > 3000 GROUP BY a.id", false},
	{"SELECT m1.photo, m2.photo FROM members m2, members m1 WHERE m1.album = m2.album AND m1.position < m2.position AND m1.album = 17", false},
	{"SELECT f1.person, f2.person, count(*) FROM faces f1 JOIN faces f2 ON f1.photo = f2.photo AND f1.person < f2.person GROUP BY 1, 2 HAVING count(*) > 1", false},
	{"SELECT p.id, p.title FROM photos p, tags t1, tags t2 WHERE t1.photo = p.id AND t2.photo = p.id AND t1.tag = 'tag 1' AND t2.tag = 'tag 2'", false},
	{"SELECT DISTINCT pe.name FROM people pe, faces f, photos p, places x WHERE f.person = pe.id AND p.id = f.photo AND x.id = p.place AND x.country = 'country 5'", false},
	{"SELECT p.id FROM photos p ORDER BY p.place NULLS LAST, p.taken LIMIT 15", true},
	{"SELECT p.id, p.taken FROM photos p WHERE p.place = 2 ORDER BY p.taken DESC LIMIT 5", true},
	{"SELECT m.photo FROM members m WHERE m.album = 3 ORDER BY m.position LIMIT 10 OFFSET 2", true},
	{"SELECT x.name, (SELECT count(*) FROM photos p WHERE p.place = x.id AND p.width > 1000) FROM places x WHERE x.id < 40", false},
	{"SELECT x.name, (SELECT max(p.rating) FROM photos p WHERE p.place = x.id) AS best FROM places x ORDER BY best DESC NULLS LAST, x.id LIMIT 12", true},
	{"SELECT p.taken / 10000, t.tag, count(*) FROM tags t, photos p WHERE p.id = t.photo GROUP BY 1, 2 HAVING count(*) > 3", false},
	{"SELECT count(*) FROM photos p LEFT JOIN places x ON x.id = p.place LEFT JOIN faces f ON f.photo = p.id WHERE x.country = 'country 1'", false},
	{"SELECT count(*) FROM photos p LEFT JOIN faces f ON f.photo = p.id LEFT JOIN people pe ON pe.id = f.person WHERE pe.born > 2000 OR pe.id IS NULL", false},
	{"SELECT p.id, t.tag FROM photos p LEFT JOIN tags t ON t.photo = p.id WHERE p.id IN (5, 17, 2999, 1000000)", false},
	{"SELECT p.id FROM photos p WHERE EXISTS (SELECT 1 FROM members m JOIN albums a ON a.id = m.album WHERE m.photo = p.id AND a.name = 'album 7')", false},
	{"SELECT a.name, b.name FROM albums b, albums a WHERE a.first < b.first AND a.last > b.last", false},
	{"SELECT count(*), sum(p.width) FROM albums a, members m, photos p, tags t WHERE t.photo = m.photo AND m.photo = p.id AND a.id = m.album AND t.tag < 'tag 2'", false},
	{"SELECT x.country, t.tag, max(p.rating) FROM places x, tags t, photos p, faces f WHERE f.photo = t.photo AND p.id = f.photo AND x.id = p.place AND f.person = 1 GROUP BY 1, 2", false},
	{"WITH busy AS (SELECT photo, count(*) AS n FROM tags GROUP BY photo) SELECT p.id, n FROM busy, photos p WHERE busy.photo = p.id AND n > 5 AND p.width < 3000", false},
	{"SELECT p.id FROM photos p, photos q WHERE q.id = 50 AND p.place = q.place AND p.taken > q.taken", false},
}
