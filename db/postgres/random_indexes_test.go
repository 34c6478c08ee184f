//go:build unix

package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What TestRandomIndexes keeps of a table: columns by their present names, and the unique indexes.
type indexed struct {
	*writer
	cols    []variable
	indexes []madeIndex
	made    int // columns, indexes and constraints so far
	next    int // the next id
}

type madeIndex struct {
	name string
	on   []string
	of   []string // its WHERE, conditions that AND joins; nil for that of a UNIQUE column
	uses []string // the columns of both
}

func (g *indexed) value(k kind) string {
	if g.one(6) {
		return "NULL"
	}
	switch k {
	case ints:
		return oneOf(g.writer, "0", "1", "2", "3", "4", "5", "6", "7")
	case strs:
		return oneOf(g.writer, "'a'", "'b'", "'c'", "'it''s'", "''", "'B'")
	case bools:
		return oneOf(g.writer, "TRUE", "FALSE")
	case doubles:
		return oneOf(g.writer, "'NaN'", "'-Infinity'", "'Infinity'", "0", "-0.5", "1.5", "2")
	case decimals:
		return oneOf(g.writer, "1", "1.50", "-2.25", "0")
	}
	return oneOf(g.writer, "'2024-01-31'", "'2024-02-29'", "'1999-05-01'")
}

func (g *indexed) known(k kind) string {
	for {
		if v := g.value(k); v != "NULL" {
			return v
		}
	}
}

// term is a condition on one column that an index may have.
func (g *indexed) term() (string, string) {
	c := oneOf(g.writer, g.cols[1:]...)
	switch g.IntN(8) {
	case 0:
		return c.name + " IS NULL", c.name
	case 1:
		return c.name + " IS NOT NULL", c.name
	case 2:
		return fmt.Sprintf("%s IN (%s, %s)", c.name, g.known(c.kind), g.known(c.kind)), c.name
	case 3:
		return fmt.Sprintf("%s BETWEEN %s AND %s", c.name, g.known(c.kind), g.known(c.kind)), c.name
	}
	if c.kind == bools {
		return fmt.Sprintf(oneOf(g.writer, "%s", "NOT %s", "%s IS TRUE", "%s = TRUE", "%s = FALSE", "%s IS FALSE"), c.name), c.name
	}
	return fmt.Sprintf("%s %s %s", c.name, oneOf(g.writer, "=", "<>", "<", "<=", ">", ">="), g.known(c.kind)), c.name
}

// asked is a condition that may imply that of an index, with an OR or only such as indexes have.
func (g *indexed) asked(x *madeIndex, or bool) string {
	var parts []string
	if x != nil {
		for _, name := range x.on {
			if g.one(3) {
				continue
			}
			i := slices.IndexFunc(g.cols, func(c variable) bool { return c.name == name })
			v := g.known(g.cols[i].kind)
			if or {
				v = g.value(g.cols[i].kind)
			}
			parts = append(parts, name+" "+oneOf(g.writer, "=", "=", "=", ">=", "<")+" "+v)
		}
		for _, c := range x.of {
			switch n := g.IntN(8); {
			case n == 0:
				continue
			case n == 1 && or:
				c = "(" + c + " OR id = 3)"
			}
			parts = append(parts, c)
		}
	}
	for len(parts) == 0 || g.one(3) {
		c, _ := g.term()
		parts = append(parts, c)
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return strings.Join(parts, " AND ")
}

// anyIndex is an index that CREATE INDEX made, nil without one.
func (g *indexed) anyIndex() *madeIndex {
	var of []*madeIndex
	for i := range g.indexes {
		if x := &g.indexes[i]; x.of != nil {
			of = append(of, x)
		}
	}
	if of == nil {
		return nil
	}
	return oneOf(g.writer, of...)
}

// forget drops a column, and the indexes with it.
func (g *indexed) forget(column string) {
	g.cols = slices.DeleteFunc(g.cols, func(c variable) bool { return c.name == column })
	g.indexes = slices.DeleteFunc(g.indexes, func(x madeIndex) bool { return slices.Contains(x.uses, column) })
}

func (g *indexed) number() int { g.made++; return g.made }

// statement is one that changes rows or the table, and what to do here once it has run.
func (g *indexed) statement() (sql string, then func()) {
	f := fmt.Sprintf
	then = func() {}
	switch g.IntN(12) {
	case 0: // an index
		x := madeIndex{name: f("x%d", g.number())}
		perm := g.Perm(len(g.cols) - 1)
		for _, i := range perm[:1+g.IntN(2)] {
			x.on = append(x.on, g.cols[i+1].name)
		}
		if y := g.anyIndex(); y != nil && g.one(3) { // two over the same columns
			x.on = y.on
		}
		x.uses = slices.Clone(x.on)
		for range 1 + g.IntN(2) {
			c, name := g.term()
			x.of, x.uses = append(x.of, c), append(x.uses, name)
		}
		return f("CREATE %sINDEX %s ON px (%s) WHERE %s", oneOf(g.writer, "UNIQUE ", "UNIQUE ", ""), x.name, strings.Join(x.on, ", "), strings.Join(x.of, " AND ")),
			func() { g.indexes = append(g.indexes, x) }
	case 1:
		if x := g.anyIndex(); x != nil && len(g.indexes) > 4 {
			return "DROP INDEX " + x.name, func() {
				g.indexes = slices.DeleteFunc(g.indexes, func(y madeIndex) bool { return y.name == x.name })
			}
		}
	case 2: // several actions, of which one may fail
		var actions []string
		var done []func()
		for range 1 + g.IntN(3) {
			c := oneOf(g.writer, g.cols[1:]...)
			switch g.IntN(6) {
			case 0, 1:
				v := variable{f("c%d", g.number()), oneOf(g.writer, ints, strs, bools, days)}
				more := oneOf(g.writer, "", " DEFAULT "+g.known(v.kind), " UNIQUE", " NOT NULL")
				actions = append(actions, f("ADD COLUMN %s %s%s", v.name, typeName[v.kind], more))
				done = append(done, func() {
					if g.cols = append(g.cols, v); more == " UNIQUE" {
						g.indexes = append(g.indexes, madeIndex{on: []string{v.name}, uses: []string{v.name}})
					}
				})
			case 2:
				if len(g.cols) > 5 && !slices.ContainsFunc(g.indexes, func(x madeIndex) bool { return slices.Contains(x.uses, c.name) }) {
					actions = append(actions, "DROP COLUMN "+c.name)
					done = append(done, func() { g.forget(c.name) })
				}
			case 3:
				actions = append(actions, f("ALTER COLUMN %s %s NOT NULL", c.name, oneOf(g.writer, "SET", "DROP")))
			case 4:
				actions = append(actions, f("ALTER COLUMN %s SET DEFAULT %s", c.name, g.value(c.kind)))
			case 5:
				cond, _ := g.term()
				actions = append(actions, f("ADD CONSTRAINT k%d CHECK (%s)", g.number(), cond))
			}
		}
		if len(actions) > 0 {
			return "ALTER TABLE px " + strings.Join(actions, ", "), func() {
				for _, d := range done {
					d()
				}
			}
		}
	case 3:
		if !g.one(4) {
			break
		}
		at := 1 + g.IntN(len(g.cols)-1)
		old, name := g.cols[at].name, f("c%d", g.number())
		return f("ALTER TABLE px RENAME COLUMN %s TO %s", old, name), func() {
			g.cols[at].name = name
			word := regexp.MustCompile(`\b` + old + `\b`)
			for i := range g.indexes {
				x := &g.indexes[i]
				for _, in := range []*[]string{&x.on, &x.of, &x.uses} {
					*in = slices.Clone(*in)
					for k, s := range *in {
						(*in)[k] = word.ReplaceAllString(s, name)
					}
				}
			}
		}
	case 4, 5:
		var set []string
		for _, i := range g.Perm(len(g.cols) - 1)[:1+g.IntN(2)] {
			c := g.cols[i+1]
			set = append(set, c.name+" = "+g.value(c.kind))
		}
		return f("UPDATE px SET %s WHERE id %% %d = %d%s", strings.Join(set, ", "), 5+g.IntN(300), g.IntN(5), oneOf(g.writer, "", " AND "+g.asked(g.anyIndex(), true))), then
	case 6:
		return f("DELETE FROM px WHERE id %% %d = 1 AND %s", 3+g.IntN(30), g.asked(g.anyIndex(), true)), then
	}
	names := []string{"id"}
	for _, c := range g.cols[1:] {
		names = append(names, c.name)
	}
	var rows []string
	for range 1 + g.IntN(3) {
		g.next++
		row := []string{fmt.Sprint(g.next)}
		for _, c := range g.cols[1:] {
			row = append(row, g.value(c.kind))
		}
		rows = append(rows, "("+strings.Join(row, ", ")+")")
	}
	sql = f("INSERT INTO px (%s) VALUES %s", strings.Join(names, ", "), strings.Join(rows, ", "))
	x := g.anyIndex()
	switch g.IntN(4) {
	case 0:
		sql += " ON CONFLICT DO NOTHING"
	case 1, 2:
		if x == nil {
			break
		}
		sql += f(" ON CONFLICT (%s)%s DO ", strings.Join(x.on, ", "), oneOf(g.writer, "", " WHERE "+strings.Join(x.of, " AND "), " WHERE "+strings.Join(x.of, " AND "), " WHERE "+g.asked(x, false)))
		c := oneOf(g.writer, g.cols[1:]...)
		sql += oneOf(g.writer, "NOTHING", f("UPDATE SET %s = excluded.%s", c.name, c.name), f("UPDATE SET %s = %s", c.name, g.value(c.kind)))
	}
	return sql, then
}

// TestRandomIndexes holds tables whose indexes are over a part of their rows, and which are altered,
// against PostgreSQL's: what is refused, the rows, and what searches by conditions find.
func TestRandomIndexes(t *testing.T) {
	for name, s := range map[string]*server{"PGlite": &pglite, "PostgreSQL": &installed} {
		t.Run(name, func(t *testing.T) {
			d, c := open(t, s.at(t), nil)
			ctx := context.Background()
			session, err := d.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			rounds, seed := 6, *randomSeed
			if os.Getenv("LUPA_SOAK") != "" {
				rounds, seed = 300, 1000
			}
			ran, refused, found := 0, 0, 0
			for range rounds {
				g := &indexed{writer: &writer{Rand: rand.New(rand.NewPCG(seed, 17))}, next: 5000,
					cols: []variable{{"id", ints}, {"i", ints}, {"t", strs}, {"b", bools}, {"r", doubles}, {"m", decimals}, {"d", days}, {"n", ints}}}
				log := []string{}
				both := func(sql string) bool {
					t.Helper()
					log = append(log, sql)
					_, there := c.PgConn().Exec(ctx, sql).ReadAll()
					_, here := session.Exec(ctx, sql)
					if (here == nil) != (there == nil) {
						t.Fatalf("seed %d: %s\nhere: %v\nPostgreSQL: %v\n\n%s", seed, sql, here, there, strings.Join(log[max(0, len(log)-12):], ";\n"))
					}
					return here == nil
				}
				both("DROP TABLE IF EXISTS px")
				both("CREATE TABLE px (id BIGINT PRIMARY KEY, i BIGINT, t TEXT, b BOOLEAN, r DOUBLE PRECISION, m NUMERIC(10,2), d DATE, n BIGINT)")
				both(fmt.Sprintf("INSERT INTO px SELECT k, k, 'k' || k, k %% 2 = 0, k, k, DATE '2024-01-01' + k::INT, k + 10 FROM generate_series(1, %d) AS g (k)", oneOf(g.writer, 0, 40, 300, 2100)))
				open := false
				for range 120 {
					switch {
					case !open && g.one(5):
						open = both("BEGIN")
					case open && g.one(8):
						both("COMMIT")
						open = false
					}
					if open {
						both("SAVEPOINT s")
					}
					before := *g
					before.cols, before.indexes = slices.Clone(g.cols), slices.Clone(g.indexes)
					sql, then := g.statement()
					ok := both(sql)
					if ran++; ok {
						then()
					} else {
						refused++
					}
					if open && (!ok || g.one(6)) {
						both("ROLLBACK TO SAVEPOINT s")
						g.cols, g.indexes = before.cols, before.indexes
					}
					for _, ask := range []string{"TRUE", g.asked(g.anyIndex(), true), g.asked(g.anyIndex(), true)} {
						sql := "SELECT * FROM px WHERE " + ask + " ORDER BY id"
						if ask == "TRUE" && !g.one(4) {
							continue
						}
						want, err1 := theirRows(c, sql)
						got, err2 := ourRows(session, sql)
						if err1 != nil || err2 != nil || !slices.EqualFunc(want, got, sameRow) {
							t.Fatalf("seed %d: %s\nhere: %v\nPostgreSQL: %v\n%s\n\n%s", seed, sql, err2, err1, firstDifference(got, want), strings.Join(log[max(0, len(log)-12):], ";\n"))
						}
						if ask != "TRUE" && len(got) > 0 {
							found++
						}
					}
				}
				if open {
					both("COMMIT")
				}
				if report, err := d.Check(ctx); err != nil || len(report) > 0 {
					t.Fatalf("seed %d: %v %v", seed, report, err)
				}
				seed++
			}
			t.Logf("%d statements, %d refused by both; %d searches found rows", ran, refused, found)
			if refused*2 > ran || found < ran/4 {
				t.Errorf("of %d statements both refuse %d; %d searches found rows", ran, refused, found)
			}
		})
	}
}
