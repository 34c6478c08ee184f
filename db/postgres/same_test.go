//go:build unix

package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// columns are those of the tables that random statements ask, here and there. PostgreSQL
// without pgvector has no v and no h.
const (
	columns       = "id INTEGER PRIMARY KEY, n INTEGER, r REAL, t TEXT, b BOOLEAN, at TIMESTAMP, d DATE, i INTERVAL, x BLOB, j JSON, m NUMERIC"
	vectorColumns = ", v VECTOR(4), h HALFVEC(4)"
)

var texts = []string{"", "a", "A", "B", "ab", "a_b", "a%b", "Ä", "ä", "z", "ß", "日本", "a\\b", "it's", "\"q\"", " a", "a ", "\u200b", "10", "9", "e\u0301", "\u00e9", "\U0001f43a", "a\nb", "%", "_", "\\", "Z", "aa", "true", "2001-05-01", "ǆ", "İ", "ﬁ", "\uffff"}

// random makes statements.
type random struct {
	*rand.Rand
	vectors bool
}

func (g random) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g random) text() string {
	return "'" + strings.ReplaceAll(texts[g.IntN(len(texts))], "'", "''") + "'"
}

func (g random) vec() string {
	return fmt.Sprintf("'[%d,%d,%d,%d]'", g.IntN(3), g.IntN(3), g.IntN(3)-1, g.IntN(2))
}

func (g random) real() string {
	return g.pick("0", "-0.0", "0.5", "-0.5", "1", "-1", "1.5", "2", "1e300", "-1e300", "0.1", "3", "1e-300", "16777217", "9007199254740993")
}

func (g random) int() string {
	return g.pick("0", "1", "-1", "2", "-2", "3", "-3", "7", "2147483648", "9007199254740993", "9223372036854775807")
}

func (g random) time() string {
	return g.pick("'2001-05-01'", "'2001-05-01 00:00:00.000001'", "'2000-02-29 12:00:00'", "'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'1970-01-01'", "'1969-12-31 23:59:59.5'", "'2002-01-31 08:30:00'")
}

func (g random) date() string {
	return g.pick("'2001-05-01'", "'2000-02-29'", "'0001-01-01'", "'9999-12-31'", "'1970-01-01'", "'2002-01-31'", "'2002-02-28'")
}

func (g random) interval() string {
	return g.pick("'1 day'", "'24 hours'", "'1 mon'", "'30 days'", "'-1 day'", "'0'", "'1 year 2 days 03:04:05.6'", "'-1 mon 30 days'", "'00:00:00.000001'")
}

func (g random) json() string {
	return g.pick("'1'", "'1.0'", "'\"a\"'", "'null'", "'true'", "'[1, 2]'", "'[]'", "'{}'", `'{"a": 1, "b": [1, {"c": "ä"}]}'`, `'{"b": 2, "a": null}'`, `'{"a":  1.0}'`, `'"\u00e4"'`)
}

// value is a literal for a column.
func (g random) value(column string) string {
	switch column {
	case "n":
		return g.pick("0", "1", "-1", "2", "3", "-3", g.int())
	case "r":
		return g.real()
	case "t":
		return g.text()
	case "b":
		return g.pick("true", "false")
	case "at":
		return g.time()
	case "d":
		return g.date()
	case "i":
		return g.interval()
	case "x":
		return g.pick(`'\x'`, `'\x00'`, `'\xff00'`, `'\x61'`)
	case "j":
		return g.json()
	case "m":
		return g.pick("0", "1", "1.0", "1.00", "-0.5", "12345678901234567890.123456789", "-1e20", "0.000001")
	}
	return g.vec()
}

var plain = []string{"n", "r", "t", "b", "at", "d", "i"}

// fill fills a table here and the same one there, whose rows lie in another order.
func (g random) fill(t *testing.T, d *db.DB, rows int) {
	t.Helper()
	cols, names := columns, append(slices.Clone(plain), "x", "j", "m")
	if g.vectors {
		cols, names = cols+vectorColumns, append(names, "v", "h")
	}
	run(t, d, "CREATE TABLE here ("+cols+")")
	run(t, d, "CREATE TABLE x.there ("+cols+")")
	run(t, d, "CREATE TABLE other (k INTEGER PRIMARY KEY, n INTEGER, t TEXT, d DATE)")
	var b strings.Builder
	for i := range rows {
		fmt.Fprintf(&b, "%s(%d", map[bool]string{false: ", "}[i == 0], i+1)
		for _, c := range names {
			if g.IntN(8) == 0 {
				b.WriteString(", NULL")
			} else {
				b.WriteString(", " + g.value(c))
			}
		}
		b.WriteString(")")
	}
	run(t, d, "INSERT INTO here VALUES "+b.String())
	run(t, d, "INSERT INTO x.there SELECT * FROM here ORDER BY id * 7919 % 61, id DESC")
	for i := range 15 {
		run(t, d, fmt.Sprintf("INSERT INTO other VALUES (%d, %s, %s, %s)", i, g.value("n"), g.value("t"), g.value("d")))
	}
}

// score is a distance, by which rows are ordered.
func (g random) score() string {
	return g.pick("similarity(", "cosine_distance(", "inner_product(", "l2_distance(", "l1_distance(") + g.pick("v", "v", "h") + ", " + g.vec() + ")"
}

// cond is a condition on the columns of a table, whose names follow p.
func (g random) cond(p string, depth int) string {
	op := g.pick("=", "<>", "<", "<=", ">", ">=", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM ")
	c := append(slices.Clone(plain), "m")[g.IntN(len(plain)+1)]
	switch g.IntN(24) {
	case 0, 1, 2, 3:
		return p + c + op + g.value(c)
	case 4:
		return p + g.pick("n", "r", "t", "b", "at", "d", "i", "x", "j") + g.pick(" IS NULL", " IS NOT NULL")
	case 5:
		return p + c + g.pick("", " NOT") + " IN (" + g.value(c) + ", " + g.pick(g.value(c), "NULL", g.value(c)+", "+g.value(c)) + ")"
	case 6:
		return p + "t " + g.pick("", "NOT ") + g.pick("LIKE ", "LIKE ", "ILIKE ") + g.pick("'a%'", "'%b'", "'_'", `'a\_b'`, "'%ä%'", g.text(), `'\\%'`, `'%\%%'`, "'__'", `'a#_b' ESCAPE '#'`, `'a\_b' ESCAPE ''`)
	case 7:
		return p + "b" + g.pick("", " IS TRUE", " IS NOT FALSE", " IS UNKNOWN", " = false")
	case 8:
		return fmt.Sprintf("%sn BETWEEN %d AND %d", p, g.IntN(3)-3, g.IntN(4))
	case 9:
		return p + c + " BETWEEN " + g.value(c) + " AND " + g.value(c)
	case 10:
		a := plain[g.IntN(len(plain))]
		return p + a + op + p + a
	case 11:
		return g.pick(p+"n"+op+p+"r", p+"r"+op+p+"n", p+"at"+op+p+"d", p+"d"+op+p+"at", p+"d"+op+g.time(), p+"at"+op+"DATE "+g.date(), p+"n"+op+g.real(), p+"r"+op+g.int(), p+"d"+op+"TIMESTAMP "+g.time())
	case 12:
		return g.pick("lower("+p+"t) = 'a'", "upper("+p+"t) = 'Ä'", "length("+p+"t) = 1", p+"t || 'x' = 'ax'", "octet_length("+p+"t) = 2", "substr("+p+"t, 1, 1) = 'a'", "reverse("+p+"t) = 'ba'", p+"t ~ '^a'", "starts_with("+p+"t, 'a')", "strpos("+p+"t, 'b') > 0", "trim("+p+"t) = 'a'", "left("+p+"t, 1) = 'a'", "concat("+p+"t, "+p+"n) = 'a1'")
	case 13:
		return g.pick(p+"n + 1 > 2", p+"n / 2 = 1", p+"n % 2 = 1", "abs("+p+"n) = 1", p+"n - 1 < 0", "-"+p+"n = 1", p+"r * 2 = 1", "round("+p+"r) = 2", "floor("+p+"r) = 0", p+"r / 2 < 0.3", "mod("+p+"n, 2) = -1", p+"n * 1.5 = 1.5", "sign("+p+"r) = -1", p+"n & 1 = 1", "CASE WHEN "+p+"n <> 0 THEN 6 / "+p+"n ELSE 0 END > 1")
	case 14:
		return g.pick("coalesce("+p+"n, 1) = 1", "coalesce("+p+"t, 'x')"+op+g.text(), "coalesce("+p+"at, "+p+"at)"+op+g.time(), "CASE WHEN "+p+"b THEN "+p+"n ELSE 2 END = 2", "CASE WHEN "+p+"b THEN "+p+"d ELSE NULL END"+op+g.date(), "nullif("+p+"n, 1) IS NULL", "greatest("+p+"n, 1) = 1", "least("+p+"r, 0.5) = 0.5", "CASE "+p+"t WHEN 'a' THEN 1 WHEN 'A' THEN 2 END = 2")
	case 15:
		return g.pick("extract(year FROM "+p+"at) = 2001", "date_trunc('month', "+p+"at)"+op+"'2001-05-01'", p+"at + INTERVAL '1 day'"+op+g.time(), p+"d + 1"+op+g.date(), p+"d - 1 = '2000-02-28'", p+"d::TIMESTAMP"+op+g.time(), p+"at::DATE"+op+g.date(), "extract(dow FROM "+p+"d) = 2", p+"d + "+p+"i > '2001-01-01'", p+"at - "+p+"at = '0'")
	case 16:
		return p + "x" + op + g.value("x")
	case 17:
		return g.pick(p+"j = "+g.json(), p+"j ->> 'a' = '1'", p+"j @> '{\"a\": 1}'", p+"j -> 'b' IS NULL", "jsonb_typeof("+p+"j) = 'object'", p+"j IS NOT NULL")
	case 18:
		if g.vectors {
			s := g.score()
			if p != "" {
				s = strings.NewReplacer("(v", "("+p+"v", "(h", "("+p+"h").Replace(s)
			}
			return s + " > " + g.pick("0.3", "0.6", "1.2", "2.4")
		}
	case 19:
		return p + "n IN (SELECT n FROM other" + g.pick("", " WHERE t IS NOT NULL", " WHERE k < 3") + ")"
	case 20:
		return g.pick("", "NOT ") + "EXISTS (SELECT 1 FROM other o WHERE o.n = " + p + g.pick("n", "id") + ")"
	case 21:
		return p + "n " + op + " (SELECT max(n) FROM %[1]s WHERE b)"
	}
	if depth == 0 {
		return "TRUE"
	}
	return g.pick("(", "NOT (") + g.cond(p, depth-1) + g.pick(" AND ", " OR ") + g.cond(p, depth-1) + ")"
}

func (g random) where(p string) string {
	if g.IntN(4) == 0 {
		return ""
	}
	s := " WHERE " + g.cond(p, 2)
	if g.IntN(2) == 0 {
		s += " AND " + g.cond(p, 1)
	}
	return s
}

func (g random) dir() string {
	return g.pick("", " ASC", " DESC", " DESC NULLS LAST", " NULLS FIRST", " ASC NULLS LAST", " DESC NULLS FIRST")
}

func (g random) limit() string {
	return g.pick("", "", " LIMIT 5", " LIMIT 3 OFFSET 2", " LIMIT 0", " OFFSET 4", " LIMIT 1000")
}

// statement is a random query; %[1]s stands for the table. Answers without an order of their
// own are sorted before they are compared.
func (g random) statement() (sql string, ordered bool) {
	c := append(slices.Clone(plain), "x", "m")[g.IntN(len(plain)+2)]
	all := "id, n, r, t, b, at, d, i, x, j, m"
	if g.vectors {
		all += ", v, h"
	}
	switch g.IntN(17) {
	case 0, 1:
		agg := g.pick("count(*), count(n), count(DISTINCT t), min(t), max(t), min(r), max(at), sum(n / 4)", "count(DISTINCT "+c+"), max(d), min(i), min(d), max(i)", "avg(n), sum(r), stddev(r), bool_and(b), bool_or(b)",
			"string_agg(t, ',' ORDER BY id), array_agg(n ORDER BY n, id)", "string_agg(t, ',')", "count(*) FILTER (WHERE "+g.cond("", 1)+"), max(t) FILTER (WHERE b), sum(DISTINCT n % 10)", "median(r), mode() WITHIN GROUP (ORDER BY t)", "sum(i), avg(r), min(b)", "sum(r), count(i), count(x), count(j)")
		return "SELECT " + agg + " FROM %[1]s" + g.where(""), true
	case 2, 3, 4:
		k := g.pick(c, c, "coalesce(n, 0)", "CASE WHEN b THEN 'x' ELSE t END", "n / 2", "lower(t)", "d", "date_trunc('year', at)", "extract(year FROM d)", "b, n", "d, t")
		second := ""
		if strings.Contains(k, ", ") {
			second = ", 2"
		}
		return "SELECT " + k + g.pick(", count(*), min(id), max(t), sum(n % 100)", ", count(DISTINCT t) FILTER (WHERE b)", ", string_agg(t, '|')", ", max(d), min(at), max(i)", ", count(*) AS k, avg(r)") + " FROM %[1]s" + g.where("") + " GROUP BY 1" + second + g.pick("", " HAVING count(*) > 2", " HAVING max(n) > 1", " HAVING min(t) < 'b'") + " ORDER BY 1" + g.dir() + second + g.limit(), true
	case 5:
		if g.vectors {
			s := g.score()
			return "SELECT id, round(" + s + ", 4) FROM %[1]s" + g.where("") + " ORDER BY " + s + g.pick("", "", " ASC", " DESC", " DESC NULLS LAST") + fmt.Sprintf(" LIMIT %d", 1+g.IntN(70)), true
		}
	case 6, 7:
		on := g.pick("a.n = b.n", "a.t = b.t AND a.id < b.id", "a.id = b.n", "a.id = b.id AND a.r > b.n", "a.d = b.d", "lower(a.t) = b.t", "a.at = b.d", "a.i = b.i AND b.b", "a.id = b.id AND "+g.cond("b.", 1), "a.n = b.n AND a.b")
		return fmt.Sprintf("SELECT a.id, b.id, b.t, a.d, coalesce(b.t, 'none') FROM %%[1]s a %sJOIN %%[1]s b ON %s%s ORDER BY a.id%s, b.id%s%s", g.pick("", "LEFT ", "RIGHT ", "FULL "), on, g.where(g.pick("a.", "b.")), g.pick("", " DESC"), g.pick("", " DESC"), g.limit()), true
	case 8:
		on := g.pick("a.n = o.n", "a.t = o.t", "a.id = o.k", "a.d = o.d", "a.n = o.k AND a.b")
		if g.vectors && g.IntN(2) == 0 {
			s := strings.NewReplacer("(v", "(a.v", "(h", "(a.h").Replace(g.score())
			return fmt.Sprintf("SELECT a.id, o.k, round(%s, 4) FROM %%[1]s a %sJOIN other o ON %s%s ORDER BY %s, o.k, a.id%s", s, g.pick("", "LEFT ", "RIGHT "), on, g.where("a."), s, g.pick(" LIMIT 7", "")), true
		}
		return fmt.Sprintf("SELECT a.id, o.k, o.t FROM %%[1]s a %sJOIN other o ON %s%s ORDER BY a.id, o.k%s", g.pick("", "LEFT ", "FULL "), on, g.where("a."), g.limit()), true
	case 9:
		w := g.pick("row_number() OVER (PARTITION BY b ORDER BY n)", "rank() OVER (ORDER BY "+c+g.dir()+")", "sum(n % 10) OVER (ORDER BY id ROWS 2 PRECEDING)", "lag(t) OVER (ORDER BY d)", "count(*) OVER (PARTITION BY "+c+")", "first_value(id) OVER (PARTITION BY b ORDER BY t)")
		return "SELECT id, " + w + " AS w FROM %[1]s" + g.where("") + g.pick("", " ORDER BY id", " ORDER BY w, id"), true
	case 10:
		return "WITH q AS (SELECT * FROM %[1]s" + g.where("") + ") SELECT a.id, (SELECT count(*) FROM q b WHERE b.n = a.n) FROM q a ORDER BY a.id" + g.limit(), true
	case 11:
		return "SELECT DISTINCT ON (" + c + ") " + c + ", id, t FROM %[1]s" + g.where("") + " ORDER BY " + c + g.dir() + ", " + g.pick("id", "t DESC, id", "n, id", "d"), true
	case 12:
		return "SELECT " + c + " FROM %[1]s" + g.where("") + g.pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + "SELECT " + c + " FROM %[1]s" + g.where("") + " ORDER BY 1" + g.dir(), true
	case 13:
		return "SELECT DISTINCT " + g.pick(c, c+", b", "n, b") + " FROM %[1]s" + g.where("") + " ORDER BY 1" + g.dir() + g.pick("", " LIMIT 3"), true
	case 14:
		return "SELECT " + all + " FROM %[1]s" + g.where("") + g.pick("", " LIMIT 1000"), false
	case 15:
		return "SELECT id, " + g.pick("n + 1", "r / 3", "t || '!'", "at + INTERVAL '1 mon'", "d - 5", "i * 2", "j -> 'a'", "j ->> 'b'", "upper(t)", "b AND n > 0", "CASE WHEN n > 1 THEN t END", "n = 1 OR t = 'a'", "coalesce(t, 'x')", "at::DATE", "to_char(d, 'YYYY')", "x || x", "n::TEXT", "r::INTEGER") + " AS e FROM %[1]s WHERE n BETWEEN -5 AND 5 AND r BETWEEN -9 AND 9 ORDER BY " + g.pick("id", "e"+g.dir()+", id", c+g.dir()), true
	}
	return "SELECT " + all + " FROM %[1]s" + g.where("") + " ORDER BY " + g.pick(c, c, "lower(t)", "n % 3", "d, t", "b, at DESC") + g.dir() + g.pick("", ", id") + g.limit(), true
}

// TestSameAnswers asks tables here and there the same random questions.
func TestSameAnswers(t *testing.T) {
	for name, s := range map[string]*server{"PGlite": &pglite, "PostgreSQL": &installed} {
		t.Run(name, func(t *testing.T) {
			d, _ := open(t, s.at(t), nil)
			g := random{rand.New(rand.NewPCG(11, 7)), s == &pglite}
			g.fill(t, d, 60)
			n := 400
			if os.Getenv("LUPA_SOAK") != "" {
				n = 20000
			}
			asked, failed := 0, 0
			for range n {
				sql, ordered := g.statement()
				want, err1 := tryRows(d, strings.ReplaceAll(sql, "%[1]s", "here"))
				got, err2 := tryRows(d, strings.ReplaceAll(sql, "%[1]s", "x.there"))
				if !ordered {
					want, got = sorted(want), sorted(got)
				}
				if err1 != nil && strings.Contains(err1.Error(), "out of range") {
					continue // of rows that other conditions leave out
				}
				if (err1 == nil) == (err2 == nil) && (want == got || err1 != nil) {
					if err1 == nil {
						asked++
					}
					continue
				}
				plan, _ := tryRows(d, "EXPLAIN "+strings.ReplaceAll(sql, "%[1]s", "x.there"))
				t.Errorf("%s\n%v here, %v there\n%s\n%s", sql, err1, err2, difference(want, got), plan)
				if failed++; failed == 10 {
					t.FailNow()
				}
			}
			if asked < n*8/10 {
				t.Errorf("only %d of %d statements ran", asked, n)
			}
		})
	}
}

// difference is the first line in which two answers differ.
func difference(here, there string) string {
	a, b := strings.Split(here, "\n"), strings.Split(there, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("row %d\nhere  %s\nthere %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d rows here, %d there", len(a), len(b))
}

func sorted(s string) string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
