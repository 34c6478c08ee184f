//go:build unix

package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
	"github.com/lupadb/lupa/db/postgres"
	"github.com/lupadb/lupa/encoder"
)

// TestAsked shows what is asked of the database, and what is done here.
func TestAsked(t *testing.T) {
	d, _ := open(t, pglite.at(t), nil)
	run(t, d, "CREATE TABLE x.there ("+columns+vectorColumns+")")
	run(t, d, "CREATE TABLE here (k INTEGER PRIMARY KEY)")
	for _, c := range []struct{ sql, want string }{
		{"SELECT id FROM x.there", `SELECT "id" FROM`},
		{"SELECT t FROM x.there WHERE id = 3", `WHERE ("id" = $1::int8) [$1 = 3]`},
		{"SELECT t FROM x.there WHERE t < 'x'", `WHERE ("t" COLLATE "C" < $1::text COLLATE "C")`},
		{"SELECT t FROM x.there WHERE lower(t) = 'x'", "Filter lower(t) = 'x'"},
		{"SELECT id FROM x.there ORDER BY similarity(v, '[1,0,0,0]') LIMIT 3", `ORDER BY nullif(1 - ("v" <=> $1::vector), 'NaN'::float8) DESC NULLS LAST, "id" LIMIT 3`},
		{"SELECT id FROM x.there ORDER BY similarity(v, '[1,0,0,0]') LIMIT 3 APPROX", `ORDER BY "v" <=> $1::vector LIMIT 3`},
		{"SELECT id FROM x.there LIMIT 3", `ORDER BY "id" LIMIT 3`},
		{"SELECT count(*) FROM x.there WHERE b", `SELECT count(*) FROM`},
		{"SELECT b, max(t) FROM x.there GROUP BY b", `SELECT "b", max("t" COLLATE "C") FROM`},
		{"SELECT avg(r) FROM x.there", "Aggregate"},
		{"SELECT id FROM x.there ORDER BY lower(t) LIMIT 3", "TopN 3"},
		{"SELECT a.id FROM x.there a JOIN x.there b ON a.id = b.n WHERE a.b", `FROM "testasked"."there" t1 CROSS JOIN "testasked"."there" t2 WHERE t1."b" AND (t1."id" = t2."n")`},
		{"SELECT a.id FROM x.there a LEFT JOIN x.there b ON a.id = b.n AND b.b WHERE b.t IS NULL", `t1 LEFT JOIN "testasked"."there" t2 ON (t1."id" = t2."n") AND t2."b" WHERE (t2."t" IS NULL)`},
		{"SELECT a.id FROM x.there a LEFT JOIN x.there b ON lower(a.t) = b.t", "Join"},
		{"SELECT id FROM x.there WHERE d >= '2024-01-01' AND i < '1 day' ORDER BY d LIMIT 2", `WHERE ("d" >= $1::date) AND ("i" < $2::interval) ORDER BY "d", "id" LIMIT 2`},
		{"SELECT a.id, h.k FROM x.there a JOIN here h ON h.k = a.id ORDER BY similarity(a.v, '[1,0,0,0]') LIMIT 3", `Ask x: SELECT nullif(1 - ("v" <=> $1::vector), 'NaN'::float8), "id" FROM "testasked"."there" ORDER BY "id"`},
		{"SELECT id FROM x.there ORDER BY lower(t)", `Ask x: SELECT "id", "t" FROM "testasked"."there" ORDER BY "id"`},
		{"SELECT n, count(*) FROM x.there GROUP BY n ORDER BY 2 LIMIT 2", `GROUP BY "n" ORDER BY count(*), min("id") LIMIT 2`},
		{"SELECT id FROM x.there WHERE n IN (1, 2, NULL)", `"n" IN ($1::int8, $2::int8`},
	} {
		if plan := rows(t, d, "EXPLAIN "+c.sql); !strings.Contains(plan, c.want) {
			t.Errorf("%s: %s is not in\n%s", c.sql, c.want, plan)
		}
	}
}

// TestApprox checks that an approximate index answers where it is asked for, and only there.
func TestApprox(t *testing.T) {
	d, c := open(t, pglite.at(t), nil)
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, v VECTOR(8))")
	rng := rand.New(rand.NewPCG(5, 5))
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "%s(%d, '[", map[bool]string{false: ", "}[i == 0], i)
		for k := range 8 {
			fmt.Fprintf(&b, "%s%.4f", map[bool]string{false: ","}[k == 0], rng.Float64())
		}
		b.WriteString("]')")
	}
	run(t, d, "INSERT INTO x.there VALUES "+b.String())
	ctx := context.Background()
	if _, err := c.Exec(ctx, "CREATE INDEX near ON there USING hnsw (v vector_cosine_ops); ANALYZE there"); err != nil {
		t.Fatal(err)
	}
	const order = " ORDER BY similarity(v, '[1,0,1,0,1,0,1,0]') LIMIT 10"
	exact := rows(t, d, "SELECT id FROM x.there"+order)
	if plan := rows(t, d, "EXPLAIN ANALYZE SELECT id FROM x.there"+order); !strings.Contains(plan, "exact: yes") {
		t.Error(plan)
	}
	found := rows(t, d, "SELECT id FROM x.there"+order+" APPROX WITH TARGET ACCURACY 95")
	if plan := rows(t, d, "EXPLAIN ANALYZE SELECT id FROM x.there"+order+" APPROX WITH TARGET ACCURACY 95"); !strings.Contains(plan, "exact: no (near)") {
		t.Error(plan)
	}
	// Where so much of the index would have to be read that all rows are less, all are.
	if plan := rows(t, d, "EXPLAIN ANALYZE SELECT id FROM x.there"+order+" APPROX WITH TARGET ACCURACY 99"); !strings.Contains(plan, "exact: yes") {
		t.Error(plan)
	}
	// It is the index that is asked: how many rows it looks at follows from the accuracy, and where it
	// is gone, the answer is exact.
	for accuracy, want := range map[int]string{50: "40", 95: "80", 99: "640"} {
		var ef string
		if _, err := c.Exec(ctx, "CREATE OR REPLACE VIEW seen AS SELECT id, v, current_setting('hnsw.ef_search', true) AS ef, current_setting('hnsw.iterative_scan', true) AS scan FROM there"); err != nil {
			t.Fatal(err)
		}
		got := rows(t, d, fmt.Sprintf("SELECT ef, scan FROM x.seen%s APPROX WITH TARGET ACCURACY %d", order, accuracy))
		if ef, _, _ = strings.Cut(got, "\n"); ef != want+"|strict_order" {
			t.Errorf("accuracy %d: %s", accuracy, ef)
		}
	}
	if plan := rows(t, d, "EXPLAIN ANALYZE SELECT id FROM x.there WHERE id % 3 = 1"+order+" APPROX"); !strings.Contains(plan, "exact: yes") && !strings.Contains(plan, "TopN") {
		t.Error(plan)
	}
	if plan := rows(t, d, "EXPLAIN ANALYZE SELECT id FROM x.there WHERE id > 1500"+order+" APPROX"); !strings.Contains(plan, "exact: no (near)") || !strings.Contains(plan, "[10 rows") {
		t.Error(plan)
	}
	same := 0
	for _, id := range strings.Split(exact, "\n") {
		if strings.Contains("\n"+found+"\n", "\n"+id+"\n") {
			same++
		}
	}
	if same < 9 {
		t.Errorf("%d of 10 found:\n%s\ninstead of\n%s", same, found, exact)
	}
}

// TestWrites fills, changes and empties a table there.
func TestWrites(t *testing.T) {
	for name, s := range map[string]*server{"PGlite": &pglite, "PostgreSQL": &installed} {
		t.Run(name, func(t *testing.T) {
			d, _ := open(t, s.at(t), nil)
			cols := "id TEXT PRIMARY KEY, n INTEGER, r REAL, b BOOLEAN, at TIMESTAMP, data BLOB, meta JSON"
			run(t, d, "CREATE TABLE x.there ("+cols+")")
			run(t, d, "CREATE TABLE here ("+cols+")")
			for i := range 5000 { // more than one INSERT takes
				if i > 0 && i%1000 != 0 {
					continue
				}
				var b strings.Builder
				for k := range 1000 {
					fmt.Fprintf(&b, "%s('k%05d', %d, %g, %v, '2024-01-01 00:00:%02d', '\\x%04x', '{\"k\": %d}')", map[bool]string{false: ", "}[k == 0], i+k, k-500, float64(k)/7, k%3 == 0, k%60, k, k)
				}
				run(t, d, "INSERT INTO here VALUES "+b.String())
			}
			run(t, d, "INSERT INTO here (id) VALUES ('')")
			if r := run(t, d, "INSERT INTO x.there SELECT * FROM here"); r.RowsAffected != 5001 {
				t.Errorf("%d rows", r.RowsAffected)
			}
			same := func() {
				t.Helper()
				const q = "SELECT * FROM %s ORDER BY id"
				if a, b := rows(t, d, fmt.Sprintf(q, "here")), rows(t, d, fmt.Sprintf(q, "x.there")); a != b {
					t.Errorf("%d and %d bytes differ", len(a), len(b))
				}
			}
			same()
			for _, sql := range []string{
				"UPDATE %s SET n = 7, meta = '[1]', data = NULL WHERE id < 'k00100'",
				"DELETE FROM %s WHERE n > 400 OR id = ''",
				"INSERT INTO %s (id, n) VALUES ('k00001', 1), ('new', 2) ON CONFLICT (id) DO NOTHING",
				"INSERT INTO %s (id, n) VALUES ('k00001', 1), ('newer', 2) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
				"INSERT INTO %s (id, n) SELECT id, 9 FROM here WHERE n < 300 ON CONFLICT (id) DO UPDATE SET n = excluded.n",
			} {
				here, there := run(t, d, fmt.Sprintf(sql, "here")), run(t, d, fmt.Sprintf(sql, "x.there"))
				if strings.Contains(sql, "SELECT id, 9") {
					same := rows(t, d, "SELECT count(*) FROM x.there WHERE n = 9")
					if want := rows(t, d, "SELECT count(*) FROM here WHERE n = 9"); same != want {
						t.Errorf("%s: %s rows there, %s here", sql, same, want)
					}
					continue
				}
				if here.RowsAffected != there.RowsAffected {
					t.Errorf("%s: %d rows here, %d there", sql, here.RowsAffected, there.RowsAffected)
				}
			}
			same()
			// All or nothing.
			if _, err := d.Exec(context.Background(), "INSERT INTO x.there SELECT id || 'y', n, r, b, at, data, meta FROM here UNION ALL SELECT 'k00001', 1, 1, true, NULL, NULL, NULL"); err == nil {
				t.Error("a key is given twice")
			} else if e, u := new(postgres.Error), new(db.UniqueError); !errors.As(err, &e) || e.SQLState() != "23505" || !errors.As(err, &u) {
				t.Error(err)
			}
			same()
			run(t, d, "DROP TABLE x.there")
			if _, err := tryRows(d, "SELECT * FROM x.there"); err == nil {
				t.Error("it is there still")
			}
		})
	}
}

// TestTypes reads PostgreSQL's own types.
func TestTypes(t *testing.T) {
	ctx := context.Background()
	admin, err := pgx.Connect(ctx, installed.at(t))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, "ALTER DATABASE postgres SET timezone = 'America/New_York'"); err != nil {
		t.Fatal(err)
	}
	defer admin.Exec(ctx, "ALTER DATABASE postgres RESET timezone")
	d, c := open(t, installed.at(t), nil)
	if _, err := c.Exec(ctx, `CREATE TYPE mood AS ENUM ('sad', 'happy');
		CREATE TABLE types (k smallint, i integer, f real, n numeric(20, 5), c varchar(5), ch char(3), u uuid, d date, tz timestamptz, iv interval, m mood, a int[], j jsonb, j2 json, by bytea, nm name);
		SET timezone = 'America/New_York';
		INSERT INTO types VALUES (1, 2, 1.5, 12345.67890, 'äb', 'x', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2024-02-29', '2024-01-01 00:00:00+02', '1 day', 'happy', '{1,2}', '{"b": 1, "a": 2}', '{"b":1}', '\x00', 'nm'); INSERT INTO types (k) VALUES (2)`); err != nil {
		t.Fatal(err)
	}
	got := rows(t, d, "SELECT * FROM x.types ORDER BY k")
	want := `1|2|1.5|12345.67890|äb|x|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|2024-02-29|2023-12-31 22:00:00|1 day|happy|{1,2}|{"a": 2, "b": 1}|{"b":1}|\x00|nm
2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for sql, want := range map[string]string{
		"SELECT k FROM x.types WHERE u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'": "1",
		"SELECT k FROM x.types WHERE tz = '2023-12-31 22:00:00'":                 "1",
		"SELECT k FROM x.types WHERE n > 12345 AND f = 1.5 AND i = 2":            "1",
		"SELECT k FROM x.types WHERE d > '2024-01-01'":                           "1",
		"SELECT k FROM x.types WHERE m IS NULL":                                  "2",
	} {
		if got := rows(t, d, sql); got != want {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if _, err := d.Exec(ctx, "INSERT INTO x.types (k, u) VALUES (3, 'x')"); err == nil || !strings.Contains(err.Error(), "uuid") {
		t.Error(err)
	}
	run(t, d, "INSERT INTO x.types (k, i, f, n, c, j) VALUES (3, 4, 2.5, 0.125, 'abc', '[1]')")
	if got := rows(t, d, "SELECT i, f, n, c, j FROM x.types WHERE k = 3"); got != "4|2.5|0.12500|abc|[1]" {
		t.Error(got)
	}
	for _, sql := range []string{"INSERT INTO x.types (k) VALUES (40000)", "INSERT INTO x.types (i) VALUES (3000000000)", "INSERT INTO x.types (f) VALUES (1e300)", "INSERT INTO x.types (c) VALUES ('too long')"} {
		if _, err := d.Exec(ctx, sql); err == nil {
			t.Errorf("%s: no error", sql)
		}
	}
	run(t, d, "CREATE TABLE x.days AS SELECT DATE '1999-12-31' AS d, INTERVAL '1 mon -2 days 03:04:05.5' AS i")
	run(t, d, "INSERT INTO x.days SELECT d + 60, NULL FROM x.days")
	if got := rows(t, d, "SELECT d, i, d - DATE '1999-12-31' FROM x.days WHERE d >= DATE '1999-12-31' ORDER BY d"); got != "1999-12-31|1 mon -2 days +03:04:05.5|0\n2000-02-29|NULL|60" {
		t.Error(got)
	}
	// UPDATE sends values as INSERT does, whatever the time zone of the session there.
	run(t, d, "UPDATE x.types SET d = '2024-03-01', iv = '2 mons 3 days', tz = '2024-06-01 12:00:00', j = '[2]' WHERE k = 3")
	if got := rows(t, d, "SELECT d, iv, tz, j FROM x.types WHERE k = 3"); got != "2024-03-01|2 mons 3 days|2024-06-01 12:00:00|[2]" {
		t.Error(got)
	}
	// What the language has no value for is an error, not another value.
	for _, s := range []string{"f) VALUES ('NaN'", "n) VALUES ('NaN'", "tz) VALUES ('infinity'", "d) VALUES ('infinity'"} {
		if _, err := c.Exec(ctx, "DELETE FROM types; INSERT INTO types ("+s+")"); err != nil {
			t.Fatal(err)
		}
		if _, err := tryRows(d, "SELECT f, n, tz, d FROM x.types"); err == nil || !strings.Contains(err.Error(), "can't hold") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// TestChangedThere changes a table under a plan that is kept.
func TestChangedThere(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	ctx := context.Background()
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, n INTEGER)")
	run(t, d, "INSERT INTO x.there VALUES (1, 2)")
	if got := rows(t, d, "SELECT n FROM x.there"); got != "2" {
		t.Fatal(got)
	}
	if _, err := c.Exec(ctx, "ALTER TABLE there RENAME COLUMN n TO m"); err != nil {
		t.Fatal(err)
	}
	if _, err := tryRows(d, "SELECT n FROM x.there"); err == nil || !strings.Contains(err.Error(), `no column "n"`) {
		t.Error(err)
	}
	if got := rows(t, d, "SELECT m FROM x.there"); got != "2" {
		t.Error(got)
	}
	// Types that change under a plan that is kept: the next read is planned anew.
	for _, change := range []struct{ sql, want string }{
		{"ALTER COLUMN m TYPE text USING 'eightchr'", "eightchr"},
		{"ALTER COLUMN m TYPE float8 USING 2.5", "2.5"},
		{"ALTER COLUMN m TYPE date USING DATE '2024-02-29'", "2024-02-29"},
		{"ALTER COLUMN m TYPE timestamptz USING TIMESTAMPTZ '2024-02-29 12:00:00Z'", "2024-02-29 12:00:00"},
		{"ALTER COLUMN m TYPE smallint USING 7", "7"},
		{"ALTER COLUMN m TYPE bigint", "7"},
		{"ADD COLUMN z text", "7"},
		{"DROP COLUMN z", "7"},
		{"ALTER COLUMN m TYPE uuid USING 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	} {
		if _, err := c.Exec(ctx, "ALTER TABLE there "+change.sql); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"SELECT m FROM x.there", "SELECT m FROM x.there WHERE id = 1", "SELECT max(m) FROM x.there"} {
			if got := rows(t, d, sql); got != change.want {
				t.Errorf("%s: %s is %s", change.sql, sql, got)
			}
		}
		run(t, d, "CREATE TABLE mine AS SELECT * FROM x.there")
		if got := rows(t, d, "SELECT m FROM mine"); got != change.want {
			t.Errorf("%s: %s is read at once", change.sql, got)
		}
		run(t, d, "DROP TABLE mine")
	}
	if _, err := c.Exec(ctx, "DROP TABLE there; CREATE TABLE there (id text, m bytea); INSERT INTO there VALUES ('x', 'y')"); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, d, "SELECT * FROM x.there"); got != `x|\x79` {
		t.Error(got)
	}
}

// TestSimilarThere finds rows of attached tables that are like others, as those of tables here.
func TestSimilarThere(t *testing.T) {
	d, _ := open(t, pglite.at(t), nil)
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, kind TEXT, v VECTOR(3)); CREATE TABLE here (id INTEGER PRIMARY KEY, kind TEXT, v VECTOR(3))")
	run(t, d, `INSERT INTO here SELECT i, 'k' || CAST(i % 3 AS TEXT), vector(cos(i * 0.7), sin(i * 0.7), sin(i * i * 0.37)) FROM generate_series(1, 60) AS g(i);
		INSERT INTO here VALUES (101, 'k1', NULL), (102, 'k1', [0, 0, 0]), (103, 'k2', vector(cos(0.7), sin(0.7), sin(0.37) + 0.01)); INSERT INTO x.there SELECT * FROM here`)
	for _, sql := range []string{
		"SELECT a.id, n.id FROM here AS a JOIN LATERAL (SELECT b.id FROM here AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v), b.id LIMIT 3) AS n ON true ORDER BY 1, 2",
		"SELECT a.id, n.id FROM here AS a LEFT JOIN LATERAL (SELECT b.id FROM here AS b WHERE b.kind = a.kind AND b.id > a.id ORDER BY a.v <-> b.v, b.id LIMIT 2) AS n ON true ORDER BY 1, 2",
		"SELECT id, (SELECT b.id FROM here AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v), b.id LIMIT 1) FROM here AS a ORDER BY 1",
		"SELECT a.id, b.id FROM here AS a JOIN here AS b ON a.id < b.id AND similarity(a.v, b.v) > 0.999 ORDER BY 1, 2",
		"SELECT id FROM here ORDER BY mmr(similarity(v, [1, 0, 0]), v, 0.5) LIMIT 7",
		"SELECT id FROM here WHERE id < 100 ORDER BY recommend(v, ARRAY[[1, 0, 0], [0, 1, 0]], (SELECT v FROM here WHERE id = 7), 'best'), id LIMIT 7",
		"SELECT id FROM here WHERE id < 100 ORDER BY recommend(v, (SELECT v FROM here WHERE id < 4), [0, 0, 1]), id LIMIT 7",
		"SELECT id, kind FROM here WHERE id < 100 QUALIFY row_number() OVER (PARTITION BY kind ORDER BY similarity(v, [1, 0, 0]), id) <= 2 ORDER BY 2, 1",
	} {
		want := rows(t, d, sql)
		for _, there := range []string{strings.ReplaceAll(sql, "here", "x.there"), strings.Replace(sql, "here", "x.there", 1)} {
			if got := rows(t, d, there); got != want || want == "" {
				t.Errorf("%s\ngot  %s\nwant %s", there, got, want)
			}
		}
	}
	for sql, want := range map[string]string{
		"SELECT * FROM duplicates('x.there', 'v', 0.99)":             "copy",
		"SELECT * FROM why('x.there', 'v', 'a', 1)":                  "copy",
		"SELECT id FROM x.there WHERE relevance(v, [1, 0, 0]) > 0.5": "attached database",
		"CREATE WATCH w ON x.there WHERE id > 5":                     "attached database",
	} {
		if _, err := tryRows(d, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	run(t, d, "DROP TABLE x.there")
}

// TestSearchByPhrase encodes phrases here, with the encoder that the table's comment names.
func TestSearchByPhrase(t *testing.T) {
	opts := &db.Options{Encoders: []encoder.Encoder{letters{"v1"}}}
	address := pglite.at(t)
	d, _ := open(t, address, opts)
	run(t, d, "CREATE TABLE x.photos (id TEXT PRIMARY KEY, clip VECTOR(3) ENCODER 'letters')")
	run(t, d, "INSERT INTO x.photos VALUES ('wolf', 'aab'), ('dog', 'abb'), ('cat', 'ccc')")
	for _, sql := range []string{"SELECT id FROM x.photos ORDER BY clip_sim('c') LIMIT 1", "SELECT p.id FROM x.photos p ORDER BY p.clip_sim('c') LIMIT 1", "SELECT id FROM x.photos ORDER BY similarity(clip, 'cca') LIMIT 1"} {
		if got := rows(t, d, sql); got != "cat" {
			t.Errorf("%s: %s", sql, got)
		}
	}
	run(t, d, "CREATE TABLE tags (id TEXT PRIMARY KEY, tag TEXT)")
	run(t, d, "INSERT INTO tags VALUES ('wolf', 'wild'), ('cat', 'tame'), ('dog', 'tame')")
	if got := rows(t, d, "SELECT p.id, g.tag FROM x.photos p JOIN tags g ON g.id = p.id WHERE g.tag = 'tame' ORDER BY p.clip_sim('a') LIMIT 1"); got != "dog|tame" {
		t.Error(got)
	}
	run(t, d, "CREATE TABLE mine AS SELECT * FROM x.photos WHERE id <> 'cat'")
	if got := rows(t, d, "SELECT id FROM mine ORDER BY clip_sim('a') LIMIT 1"); got != "wolf" {
		t.Error(got)
	}
	// Another model is refused.
	other, err := db.Open("", &db.Options{InMemory: true, Encoders: []encoder.Encoder{letters{"v2"}}, Attach: []db.Attachable{postgres.Opener(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	run(t, other, "ATTACH $1 AS y", address)
	var mismatch *encoder.MismatchError
	if _, err := tryRows(other, "SELECT id FROM y.photos ORDER BY clip_sim('c') LIMIT 1"); !errors.As(err, &mismatch) {
		t.Error(err)
	}
	run(t, d, "DROP TABLE x.photos")
}

// letters encodes a text as how often it has the letters a, b and c.
type letters struct{ hash string }

func (l letters) Model() encoder.Model {
	return encoder.Model{Name: "letters", Dim: 3, Hash: l.hash}
}

func (letters) EncodeTexts(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = []float32{float32(strings.Count(t, "a")), float32(strings.Count(t, "b")), float32(strings.Count(t, "c"))}
	}
	return out, nil
}

func (letters) EncodeImages(_ context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	out := make([]encoder.ImageResult, len(images))
	for i := range images {
		pictures.Add(1)
		out[i].Vector = []float32{1, 2, 3}
	}
	return out, nil
}

// pictures is how many pictures letters has encoded.
var pictures atomic.Int64

func (letters) Close() error { return nil }

// TestBulk copies a file there and back, in bounded memory.
func TestBulk(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	dir := t.TempDir()
	n := 50000
	run(t, d, fmt.Sprintf("CREATE TABLE here AS SELECT i AS id, 'caption ' || i AS t, i / 7.0 AS r FROM generate_series(1, %d) AS g (i)", n))
	file := filepath.Join(dir, "rows.csv")
	run(t, d, "COPY here TO $1", file)
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, t TEXT, r REAL)")
	if r := run(t, d, "COPY x.there FROM $1", file); r.RowsAffected != int64(n) {
		t.Errorf("%d rows", r.RowsAffected)
	}
	back := filepath.Join(dir, "back.csv")
	run(t, d, "COPY (SELECT * FROM x.there ORDER BY id) TO $1", back)
	a, _ := os.ReadFile(file)
	b, _ := os.ReadFile(back)
	if string(a) != string(b) {
		t.Errorf("%d bytes went, %d came back", len(a), len(b))
	}
	// A server that ends amid a COPY leaves nothing.
	ctx := context.Background()
	if _, err := c.Exec(ctx, "CREATE TABLE slow (id bigint, t text, r float8); CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$; CREATE TRIGGER slowly BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION wait()"); err != nil {
		t.Fatal(err)
	}
	killed := make(chan bool)
	go func() {
		defer close(killed)
		time.Sleep(500 * time.Millisecond)
		c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lupa' AND state = 'active'")
	}()
	if _, err := d.Exec(ctx, "INSERT INTO x.slow SELECT * FROM here"); err == nil {
		t.Error("the insertion went on without a connection")
	}
	<-killed
	if got := rows(t, d, "SELECT count(*) FROM x.slow"); got != "0" {
		t.Error(got)
	}
}

// TestCancelThere ends a statement there when its context ends here.
func TestCancelThere(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	ctx := context.Background()
	if _, err := c.Exec(ctx, "CREATE VIEW slow AS SELECT i AS id FROM generate_series(1, 1000) g (i), LATERAL (SELECT pg_sleep(0.1 + 0 * i)) s"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := d.Exec(short, "CREATE TABLE mine AS SELECT * FROM x.slow")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	for range 100 {
		var n int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lupa' AND state = 'active'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the statement goes on there")
}

// TestManyStatements looks for what small statements leave behind.
func TestManyStatements(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, t TEXT)")
	run(t, d, "INSERT INTO x.there SELECT i, 't' || i FROM generate_series(1, 100) AS g (i)")
	before := runtime.NumGoroutine()
	n := 1000
	if os.Getenv("LUPA_SOAK") != "" {
		n = 10000
	}
	for i := range n {
		if got := rows(t, d, "SELECT t FROM x.there WHERE id = $1", i%100+1); got != fmt.Sprintf("t%d", i%100+1) {
			t.Fatal(got)
		}
		// An answer that is not read to its end gives its connection back, too.
		if i%50 == 0 {
			r, err := d.Query(context.Background(), "SELECT t FROM x.there")
			if err != nil {
				t.Fatal(err)
			}
			r.Next()
			r.Close()
		}
	}
	// Nor do statements of many forms fill the server.
	if _, err := c.Exec(context.Background(), "CREATE VIEW prepared AS SELECT count(*) AS n FROM pg_prepared_statements"); err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		rows(t, d, fmt.Sprintf("SELECT t FROM x.there LIMIT %d", i))
	}
	var prepared int
	if fmt.Sscan(rows(t, d, "SELECT n FROM x.prepared"), &prepared); prepared < 1 || prepared > 257 {
		t.Errorf("%d statements are prepared", prepared)
	}
	if now := runtime.NumGoroutine(); now > before+20 {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	var open int
	if err := c.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lupa'").Scan(&open); err != nil {
		t.Fatal(err)
	}
	if open > 4 {
		t.Errorf("%d connections are open", open)
	}
}

// TestRefused are statements that are refused with the reason.
func TestRefused(t *testing.T) {
	d, _ := open(t, installed.at(t), nil)
	ctx := context.Background()
	run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, t TEXT)")
	run(t, d, "CREATE TABLE here (id INTEGER PRIMARY KEY)")
	for sql, want := range map[string]string{
		"SELECT * FROM x.missing":                          `no table "missing" in x`,
		"SELECT * FROM y.there":                            `no database is attached as "y"`,
		"SELECT nothing FROM x.there":                      `no column "nothing"`,
		"TRUNCATE x.there":                                 "",
		"DELETE FROM x.there WHERE lower(t) = 'a'":         "does not compute lower(t)",
		"UPDATE x.there SET t = upper(t)":                  "is not computed there",
		"INSERT INTO x.there VALUES (1, 'a') RETURNING id": "RETURNING is for the store's own tables",
		"CREATE TABLE x.there (id INTEGER)":                "exists already",
		"CREATE TABLE x.other (id INTEGER DEFAULT 3)":      "DEFAULT is for the store's own tables",
		"ATTACH 'postgres://127.0.0.1/x' AS x":             "already",
		"ATTACH 'mysql://127.0.0.1/x' AS y":                "no driver attaches mysql://",
		"ATTACH 'file.db' AS y":                            "starts with its kind",
		"ATTACH 'postgres://%zz' AS y":                     "can't be read",
		"DETACH y":                                         `no database is attached as "y"`,
	} {
		if _, err := d.Exec(ctx, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// A password is never told.
	_, err := d.Exec(ctx, "ATTACH 'postgres://me:secret@127.0.0.1:1/x' AS y")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	conn, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, sql := range []string{"BEGIN", "INSERT INTO here VALUES (1)"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(ctx, "INSERT INTO x.there VALUES (1, 'a')"); err == nil || !strings.Contains(err.Error(), "a transaction is about this store alone") {
		t.Error(err)
	}
	conn.Exec(ctx, "ROLLBACK")
	run(t, d, "DETACH x")
	if got := rows(t, d, "SHOW DATABASES"); got != "" {
		t.Error(got)
	}
	run(t, d, "DETACH IF EXISTS x")
	if _, err := db.Open("", &db.Options{InMemory: true}); err != nil {
		t.Fatal(err)
	}
}

// TestImportAgain imports pictures, and again: those that are there are not encoded anew.
func TestImportAgain(t *testing.T) {
	d, _ := open(t, pglite.at(t), &db.Options{Encoders: []encoder.Encoder{letters{"v1"}}})
	run(t, d, "CREATE TABLE x.photos (path TEXT PRIMARY KEY, clip VECTOR(3) ENCODER 'letters')")
	const insert = "INSERT INTO x.photos SELECT path, image(path) FROM images('../../testdata/toy-clip/scenes/scene00*.jpg') ON CONFLICT (path) DO NOTHING"
	before := pictures.Load()
	first := run(t, d, insert)
	if first.RowsAffected < 5 || pictures.Load()-before != first.RowsAffected {
		t.Fatalf("%d rows of %d pictures", first.RowsAffected, pictures.Load()-before)
	}
	run(t, d, "DELETE FROM x.photos WHERE path LIKE '%scene001%'")
	if again := run(t, d, insert); again.RowsAffected != 1 || pictures.Load()-before != first.RowsAffected+1 {
		t.Errorf("%d rows the second time, %d pictures", again.RowsAffected, pictures.Load()-before)
	}
}

// TestPersist attaches a database for good: the store knows it when it is opened again.
func TestPersist(t *testing.T) {
	address := installed.at(t)
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "s")
	opts := &db.Options{Attach: []db.Attachable{postgres.Opener(nil)}}
	d, err := db.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(ctx, "ATTACH 'postgres://me:secret@127.0.0.1/x' AS y PERSIST"); err == nil || !strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	run(t, d, "ATTACH $1 AS y PERSIST", address)
	run(t, d, "CREATE TABLE y.persisted (id INTEGER PRIMARY KEY)")
	run(t, d, "INSERT INTO y.persisted VALUES (7)")
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if d, err = db.Open(dir, opts); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, d, "SELECT id FROM y.persisted"); got != "7" {
			t.Error(got)
		}
	}
	run(t, d, "DROP TABLE y.persisted")
	run(t, d, "DETACH y")
	if got := rows(t, d, "SELECT count(*) FROM lupa_databases"); got != "0" {
		t.Error(got)
	}
	if _, err := tryRows(d, "SELECT id FROM y.persisted"); err == nil {
		t.Error("it is attached still")
	}
	// A database that can't be reached any more is forgotten.
	run(t, d, "ATTACH $1 AS Gone PERSIST", address)
	run(t, d, "UPDATE lupa_databases SET address = 'postgres://postgres@127.0.0.1:1/x?sslmode=disable&connect_timeout=1'")
	d.Close()
	if d, err = db.Open(dir, opts); err != nil {
		t.Fatal(err)
	}
	if _, err := tryRows(d, "SELECT id FROM gone.t"); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Error(err)
	}
	run(t, d, "DETACH gone")
	if got := rows(t, d, "SELECT count(*) FROM lupa_databases"); got != "0" {
		t.Error(got)
	}
	if _, err := d.Exec(ctx, "DETACH gone"); err == nil {
		t.Error("it was there still")
	}
	if problems, err := d.Check(ctx); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	d.Close()
}

// TestAppender adds rows of a program.
func TestAppender(t *testing.T) {
	for _, atomic := range []bool{false, true} {
		t.Run(fmt.Sprint(atomic), func(t *testing.T) {
			d, c := open(t, installed.at(t), nil)
			ctx := context.Background()
			run(t, d, "CREATE TABLE x.there (id INTEGER PRIMARY KEY, t TEXT)")
			a, err := d.Appender(ctx, "x.there", nil, &db.AppenderOptions{Atomic: atomic})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 10000 {
				if err := a.Append(i, fmt.Sprint("t", i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := c.QueryRow(ctx, "SELECT count(*) FROM there WHERE t = 't' || id").Scan(&n); err != nil || n != 10000 {
				t.Error(n, err)
			}
			if a, err = d.Appender(ctx, "x.there", nil, &db.AppenderOptions{Atomic: atomic}); err != nil {
				t.Fatal(err)
			}
			a.Append(20000, "new")
			a.Append(1, "there already")
			var twice *db.UniqueError
			if err := a.Close(); !errors.As(err, &twice) {
				t.Error(err)
			}
			if got := rows(t, d, "SELECT count(*) FROM x.there"); got != "10000" {
				t.Error(got)
			}
		})
	}
}

// TestReconnect ends the connections between two statements, and one in the middle of an answer.
func TestReconnect(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	ctx := context.Background()
	run(t, d, "CREATE TABLE x.there (id INTEGER, t TEXT)") // without a primary key
	run(t, d, "INSERT INTO x.there SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) AS g (i)")
	kill := func() {
		t.Helper()
		if _, err := c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lupa'"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	for range 3 {
		if got := rows(t, d, "SELECT count(*) FROM x.there"); got != "50000" {
			t.Error(got)
		}
		kill()
	}
	r, err := d.Query(ctx, "SELECT id, t FROM x.there")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r.Next() {
		if n++; n == 10 {
			kill()
		}
	}
	if r.Err() == nil {
		t.Errorf("%d rows of 50000 are an answer", n)
	}
	r.Close()
	if got := rows(t, d, "SELECT count(*) FROM x.there"); got != "50000" {
		t.Error(got)
	}
}

// TestThroughSQL uses an attached table through database/sql.
func TestThroughSQL(t *testing.T) {
	address := installed.at(t)
	pool := sql.OpenDB(driver.NewConnector(":memory:", &db.Options{Attach: []db.Attachable{postgres.Opener(nil)}}))
	defer pool.Close()
	for _, s := range []string{"ATTACH '" + address + "' AS x", "CREATE TABLE x.through (id INTEGER PRIMARY KEY, t TEXT)", "INSERT INTO x.through VALUES (1, 'a'), (2, 'b')"} {
		if _, err := pool.Exec(s); err != nil {
			t.Fatal(s, err)
		}
	}
	defer pool.Exec("DROP TABLE x.through")
	var got string
	if err := pool.QueryRow("SELECT t FROM x.through WHERE id = $1", 2).Scan(&got); err != nil || got != "b" {
		t.Error(got, err)
	}
}
