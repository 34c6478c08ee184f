package parse

import (
	"reflect"
	"sync"
	"testing"
)

// statements are valid statements of every kind; each has to print itself as
// text that parses to the same tree.
var statements = []string{
	// tables and indexes
	"CREATE TABLE t (id TEXT PRIMARY KEY, clip VECTOR(512) ENCODER 'clip-vit-b-32' NOT NULL, n INT DEFAULT -3)",
	"create table if not exists \"my table\" (\"select\" text not null, b boolean default true, v vector encoder 'x')",
	"CREATE TABLE t (a BIGINT, b DOUBLE PRECISION NULL, c VARCHAR, d BYTEA, e TIMESTAMP WITH TIME ZONE, f TIMESTAMPTZ, g JSONB, PRIMARY KEY (a))",
	"CREATE TABLE t (a TEXT DEFAULT 'x' || 'y' NOT NULL, b TIMESTAMP DEFAULT now() ENCODER 'odd', c INTEGER DEFAULT NULL)",
	"DROP TABLE t", "DROP TABLE IF EXISTS t", "DROP TABLE if",
	"ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 1 NOT NULL", "ALTER TABLE t ADD c TEXT", "ALTER TABLE t ADD COLUMN IF NOT EXISTS c TEXT",
	"ALTER TABLE t DROP COLUMN c", "ALTER TABLE t DROP COLUMN IF EXISTS c", "ALTER TABLE t DROP c",
	"ALTER TABLE t RENAME TO u", "ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t RENAME a TO b",
	"CREATE TABLE t (a VECTOR ENCODER 'nomic' DIMENSIONS 256 VARIANT 'int8' QUERY 'q: ' DOCUMENT '' NOT NULL, query TEXT, document TEXT, dimensions INTEGER)",
	"ALTER TABLE t SET ENCODER './models/clip' FORCE", "ALTER TABLE t SET ENCODER 'e5' QUERY 'it''s: ' FORCE", "ALTER TABLE t ALTER COLUMN c SET ENCODER 'x'", "ALTER TABLE t ALTER c SET ENCODER 'x' FORCE",
	"ALTER TABLE t ALTER COLUMN c SET ENCODER 'x' REENCODE FROM image(path)", "ALTER TABLE t ALTER COLUMN c SET ENCODER 'x' VARIANT 'int8' REENCODE FROM title || ' ' || body FORCE",
	"ALTER TABLE t ALTER COLUMN c TYPE HALFVEC(3)", "ALTER TABLE t ALTER c SET DATA TYPE VECTOR", "CREATE TABLE t (a HALFVEC(2), b HALFVEC ENCODER 'x')",
	"ALTER TABLE t RETRAIN", "ALTER TABLE t RETRAIN clip", "ALTER TABLE t RETRAIN clip FOR (SELECT q FROM queries LIMIT 1000)",
	"CREATE INDEX by_look ON photos USING ivf (clip)", "CREATE INDEX IF NOT EXISTS by_look ON photos USING ivf (clip) WITH (lists = 1000)",
	"SELECT a FROM t ORDER BY clip_sim('x') LIMIT 10 WITHIN 5 ms", "SELECT a FROM t ORDER BY clip_sim('x') LIMIT 10 APPROX WITH TARGET ACCURACY 90 WITHIN $1 seconds OFFSET 3", "SELECT a FROM t ORDER BY clip_sim('x') FETCH FIRST 5 ROWS ONLY WITHIN INTERVAL '2 ms'",
	"SELECT a FROM t ORDER BY clip_sim('x') LIMIT 10 APPROX", "SELECT a FROM t ORDER BY clip_sim('x') LIMIT $1 APPROX WITH TARGET ACCURACY 99.5 OFFSET 3",
	"SELECT a FROM t ORDER BY clip_sim('x') FETCH APPROX FIRST 10 ROWS ONLY WITH TARGET ACCURACY 95", "SELECT a FROM t OFFSET 3 ROWS FETCH NEXT ROW ONLY", "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
	"CREATE INDEX ON t (a)", "CREATE INDEX i ON t (a, b)", "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)", "DROP INDEX i", "DROP INDEX IF EXISTS i",
	// changes
	"INSERT INTO t VALUES (1, 'a', NULL), (2, 'it''s', DEFAULT)",
	"INSERT INTO t (a, b) VALUES (?, ?)", "INSERT INTO t AS x (a) VALUES ($1) RETURNING *, a + 1 AS b, x.*",
	"INSERT INTO t DEFAULT VALUES",
	"INSERT INTO photos SELECT path AS id, width, height, image(path) FROM images('dogs/**') ON CONFLICT (id) DO NOTHING",
	"INSERT INTO t (SELECT * FROM u)", "INSERT INTO t (a) (SELECT 1)", "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
	"INSERT INTO t (a, b) SELECT a, b FROM u WHERE a > 1 ORDER BY b LIMIT 2 ON CONFLICT DO NOTHING",
	"INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = t.c + 1, d = DEFAULT WHERE t.b < excluded.b RETURNING a",
	"INSERT INTO t VALUES ([0.1, -2, 3e-2], X'00ff', E'a\\nb', TRUE)",
	"UPDATE t SET a = 1", "UPDATE t AS x SET a = x.a + 1, b = DEFAULT WHERE x.a < 3 RETURNING *", "UPDATE t x SET a = 1",
	"UPDATE photos SET caption = m.caption FROM read_csv('metadata.csv') AS m WHERE m.photo_id = photos.id",
	"DELETE FROM t", "DELETE FROM t AS x WHERE x.a = 1 RETURNING x.a", "DELETE FROM t WHERE a IN (SELECT a FROM u)",
	// queries
	"SELECT 1", "(SELECT 1)", "((SELECT 1))", "SELECT ALL a FROM t", "SELECT DISTINCT a, b FROM t", "VALUES (1, 2), (3, 4)",
	"SELECT DISTINCT ON (photographer) id, photographer FROM photos ORDER BY photographer, clip_sim('a wolf')",
	"SELECT *, t.*, t.a AS x, b y FROM t", "SELECT t.a FROM t AS u (x, y)", "SELECT a FROM t u",
	"SELECT a FROM t, u, v WHERE t.a = u.a", "SELECT a FROM t JOIN u ON t.a = u.a LEFT OUTER JOIN v USING (a, b) CROSS JOIN w",
	"SELECT a FROM t INNER JOIN (u JOIN v ON u.a = v.a) ON t.a = u.a", "SELECT a FROM (t JOIN u USING (a)) LEFT JOIN v USING (b)",
	"SELECT a FROM t, u JOIN v ON TRUE", "SELECT a FROM ((SELECT 1 AS a) AS x JOIN y USING (a))",
	"SELECT x.a FROM (SELECT a FROM t) AS x (a)", "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, s)", "SELECT * FROM (SELECT 1)",
	"SELECT * FROM ((SELECT 1) UNION ALL (SELECT 2)) AS u", "SELECT * FROM ((SELECT 1)) AS u",
	"SELECT * FROM read_csv('a.csv', header => true, delimiter = ';') AS r", "SELECT * FROM images('dir/**/*.{jpg,png,webp}')", "SELECT * FROM f() g",
	"SELECT * FROM read_csv('a.csv', 'it''s.csv', header => true)",
	"SELECT a, count(*) FROM t WHERE a > 1 GROUP BY a, b + 1 HAVING count(*) > 2 ORDER BY 2 DESC NULLS LAST, a ASC NULLS FIRST LIMIT 10 OFFSET 5",
	"SELECT a FROM t OFFSET 5 ROWS LIMIT 3", "SELECT a FROM t LIMIT ALL", "SELECT a FROM t LIMIT $1 OFFSET $2",
	"SELECT 1 UNION ALL SELECT 2 UNION SELECT 3 ORDER BY 1 LIMIT 2", "SELECT 1 UNION ALL (SELECT 2 ORDER BY 1 LIMIT 1)",
	"SELECT 1 UNION ALL (SELECT 2 UNION SELECT 3)", "(SELECT 1 LIMIT 1) UNION ALL SELECT 2", "((SELECT 1) UNION (SELECT 2)) ORDER BY 1",
	"VALUES (1) UNION ALL SELECT 2", "WITH a AS (SELECT 1), b (x, y) AS (SELECT 1, 2) SELECT * FROM a, b",
	"SELECT (WITH a AS (SELECT 1) SELECT * FROM a)", "SELECT count(DISTINCT a), count(*), sum(a) FILTER (WHERE a > 1), now() FROM t",
	// searching
	"SELECT id FROM photos ORDER BY clip_sim('horse' + 'stripes' - 0.5 * 'grass') LIMIT 5",
	"SELECT id FROM photos WHERE id <> 'x1' ORDER BY clip_sim((SELECT clip FROM photos WHERE id = 'x1')) LIMIT 5",
	"SELECT id FROM photos ORDER BY clip <=> $1, clip <-> [1, 2], clip <#> :q, clip <+> clip LIMIT 10",
	// expressions
	"SELECT 1 + 2 * 3 - -4 / 5 % 6, -(5), - -5, -a, +a, - - a, -(-5), (1 + 2) * 3, 1 - (2 - 3), 1 - 2 - 3",
	"SELECT a OR b AND NOT c = d, (a OR b) AND c, NOT (a AND b), NOT a IS NULL, (NOT a) IS NULL, a = (NOT b)",
	"SELECT a < b, a <= b, a <> b, a != b, a >= b, a > b, (a = b) = c, a = b IS TRUE, (a = b) IS NOT FALSE, a IS UNKNOWN, a IS NOT NULL",
	"SELECT a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b + 1, a ISNULL, a NOTNULL, a = b IS NULL",
	"SELECT a LIKE 'x%', a NOT LIKE b || '%' ESCAPE '!', a ILIKE 'x', a NOT ILIKE 'y', NOT a LIKE 'b'",
	"SELECT a IN (1, 2), a NOT IN ('x'), a IN (SELECT b FROM t), a NOT IN ((SELECT 1)), a IN ((SELECT 1), 2), a + 1 IN (1)",
	"SELECT a BETWEEN 1 AND 2 AND b, a NOT BETWEEN b - 1 AND c + 1 OR d, (a BETWEEN 1 AND 2) = TRUE",
	"SELECT CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 3 END, CASE a WHEN 1 THEN 'x' END, CASE WHEN a THEN CASE WHEN b THEN 1 END END",
	"SELECT CAST(a AS INTEGER), a::TEXT::VECTOR(3), -a::REAL, (-5)::TEXT, -5::TEXT, (a + b)::INT, TIMESTAMP '2024-01-02', json '{}'",
	"SELECT a -> 'x' ->> 'y', a -> 0, a || b -> c, a <-> b + c, a + b <-> c, (a <-> b) + c, (a || b) || c, a || (b || c)",
	"SELECT EXISTS (SELECT 1), NOT EXISTS (SELECT 1), (SELECT 1) + 1, ((SELECT 1) + 1), ((SELECT 1) UNION ALL SELECT 2), (((SELECT 1) + 1))",
	"SELECT extract(year FROM ts), extract('year', ts), substring(s FROM 2 FOR 3), substring(s, 2), substr(s FOR 3), current_timestamp, left(s, 2)",
	"SELECT 9223372036854775807, -9223372036854775808, 0x1F, 1e3, .5, 5., 1.5e-7, 1e300, 0.1, 123456789.125",
	"SELECT 'it''s', '', 'a\nb', 'ünïcödé', \"Quoted \"\"name\"\"\", \"order\", name, key, first, check, index FROM \"t t\"",
	"SELECT /* a /* nested */ comment */ 1 -- the end",
	"SELECT 'a' = ANY(b)",
	// the rest
	"COPY t FROM 'a.csv'", "COPY t (clip, id) FROM 'features.npy', 'ids.csv' (FORMAT csv, HEADER, DELIMITER ';', NULL 'x', n 5)",
	"COPY t FROM $1 WITH (FORMAT npy)", "COPY t TO 'x.csv' (HEADER false)", "COPY t (a, b) TO 'x.npy'",
	"COPY (SELECT * FROM t) TO 'x.html' (FORMAT gallery, IMAGE '{id}')", "COPY t FROM :file (format = 'csv', skip = -1)",
	"EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "EXPLAIN DELETE FROM t", "BEGIN", "BEGIN TRANSACTION", "START TRANSACTION READ ONLY",
	"BEGIN READ WRITE", "COMMIT", "END", "ROLLBACK", "ABORT WORK", "SHOW TABLES", "DESCRIBE t", "DESC t", "BACKUP TO 'dir'", "BACKUP TO ?",
	"CHECK", "VACUUM", "VACUUM t",
}

func TestPrintParses(t *testing.T) {
	for _, src := range statements {
		samePrinted(t, src)
	}
}

// TestConcurrent parses in several goroutines at once, errors included; run
// with -race it checks that nothing is shared between them.
func TestConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, src := range statements {
				if _, err := Parse(src); err != nil {
					t.Error(err)
				}
				if _, err := Parse(src + "\n SELCT ("); err == nil {
					t.Errorf("%s\n SELCT ( is accepted", src)
				}
			}
		})
	}
	wg.Wait()
}

// samePrinted checks that what src parses to prints as text with the same tree,
// and that it prints the same again.
func samePrinted(t *testing.T, src string) {
	t.Helper()
	first, err := Parse(src)
	if err != nil {
		t.Errorf("%s\n  %v", src, err)
		return
	}
	printed := first.String()
	second, err := Parse(printed)
	if err != nil {
		t.Errorf("%s\nprints as\n%s\n  %v", src, printed, err)
		return
	}
	stripPos(reflect.ValueOf(first))
	stripPos(reflect.ValueOf(second))
	if !reflect.DeepEqual(first, second) {
		t.Errorf("%s\nprints as\n%s\nwhich is another tree: it prints as\n%s", src, printed, second)
	}
	if again := second.String(); again != printed {
		t.Errorf("%s\nprints as\n%s\nand then as\n%s", src, printed, again)
	}
}

// stripPos sets every Pos below v to zero.
func stripPos(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			stripPos(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			stripPos(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Pos]() && v.CanSet() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			stripPos(v.Field(i))
		}
	}
}
