package dbtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// windows returns a query with window functions over what is in scope.
func (g *generator) windows(from, where pair) statement {
	var items []pair
	add := func(p pair) { items = append(items, both("%s AS c%d", p, len(items)+1)) }
	if g.oneIn(5) { // over groups
		key := columnOf(g, g.scope, integers)
		g.scope = slices.DeleteFunc(slices.Clone(g.scope), func(c column) bool { return c.typ == texts || c.typ == booleans })
		sum := both("%s(%s)", pick(g, "sum", "max", "count"), columnOf(g, g.scope, integers))
		add(key)
		add(both("%s(%s) OVER (ORDER BY %s)", pick(g, "sum", "min", "count"), sum, g.ordered(key)))
		add(both("%s() OVER (ORDER BY %s, %s)", pick(g, "rank", "row_number", "dense_rank"), g.ordered(sum), g.ordered(key)))
		return g.order(both("SELECT %s FROM %s%s GROUP BY %s", join(items, ", "), from, where, key), len(items))
	}
	add(g.expr(g.anyType(), min(g.depth, 1)))
	named := pair{}
	over := func(keys, frames bool) pair { return both("(%s)", g.window(keys, frames)) }
	if g.oneIn(3) {
		named = both(" WINDOW w AS (%s), w2 AS (w)", g.window(true, false))
		plain := over
		over = func(keys, frames bool) pair {
			if g.oneIn(2) {
				return both("%s", pick(g, "w", "w2"))
			}
			return plain(keys, frames)
		}
	}
	for range 1 + g.rand.IntN(3) {
		add(g.windowCall(over))
	}
	q := both("SELECT %s FROM %s%s%s", join(items, ", "), from, where, named)
	if g.oneIn(3) {
		c := both("row_number() OVER (%s)", g.window(true, false))
		n := 1 + g.rand.IntN(3)
		q = pair{
			fmt.Sprintf("SELECT %s FROM %s%s%s QUALIFY %s <= %d", join(items, ", ").ours, from.ours, where.ours, named.ours, c.ours, n),
			fmt.Sprintf("SELECT %s FROM (SELECT %s, %s AS q FROM %s%s%s) WHERE q <= %d", strings.Join(names(len(items)), ", "), join(items, ", ").theirs, c.theirs, from.theirs, where.theirs, named.theirs, n),
		}
	}
	return g.order(q, len(items))
}

func names(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("c%d", i+1))
	}
	return out
}

// ordered gives a key a direction that both languages understand alike.
func (g *generator) ordered(e pair) pair {
	switch g.rand.IntN(4) {
	case 0:
		return both("%s DESC%s", e, pair{"", " NULLS FIRST"})
	case 1:
		return both("%s%s", e, pick(g, " NULLS FIRST", " DESC NULLS LAST"))
	}
	return both("%s%s", e, pair{"", " NULLS LAST"})
}

// window returns a window's definition. With certain its order leaves no ties.
func (g *generator) window(certain, frames bool) pair {
	var parts []pair
	if g.oneIn(2) {
		keys := []pair{g.leafOf()}
		if g.oneIn(4) {
			keys = append(keys, g.leafOf())
		}
		parts = append(parts, both("PARTITION BY %s", join(keys, ", ")))
	}
	var order []pair
	distance := frames && !certain && g.oneIn(3)
	if distance {
		order = append(order, g.ordered(columnOf(g, g.columnsOnly(), pick(g, integers, reals))))
	} else {
		for range g.rand.IntN(3) {
			order = append(order, g.ordered(g.leafOf()))
		}
	}
	if certain {
		order = append(order, g.key())
	}
	if len(order) > 0 {
		parts = append(parts, both("ORDER BY %s", join(order, ", ")))
	}
	if frames && (distance || g.oneIn(2)) {
		unit := pick(g, "ROWS", "RANGE", "GROUPS")
		if unit == "GROUPS" && len(order) == 0 || distance {
			unit = "RANGE"
		}
		if !certain && unit == "ROWS" {
			unit = "RANGE" // which rows are around a row is not certain among equals
		}
		bound := func(least int) (pair, int) {
			k := least + g.rand.IntN(5-least)
			n := g.rand.IntN(4)
			switch {
			case k == 0:
				return both("UNBOUNDED PRECEDING"), k
			case k == 4:
				return both("UNBOUNDED FOLLOWING"), k
			case k == 2 || unit == "RANGE" && !distance:
				return both("CURRENT ROW"), 2
			case k == 1:
				return both("%d PRECEDING", n), k
			}
			return both("%d FOLLOWING", n), k
		}
		start, k := bound(0)
		for k == 4 {
			start, k = bound(0)
		}
		end, e := bound(k)
		for e == 0 {
			end, e = bound(max(k, 1))
		}
		exclude := pick(g, "", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS")
		if !certain && (exclude == " EXCLUDE CURRENT ROW" || exclude == " EXCLUDE TIES") && unit != "RANGE" {
			exclude = ""
		}
		parts = append(parts, both("%s BETWEEN %s AND %s%s", unit, start, end, exclude))
	}
	return join(parts, " ")
}

// leafOf returns a column, which is not a number of one to a language.
func (g *generator) leafOf() pair {
	return both("%s", pick(g, g.columnsOnly()...).name)
}

func (g *generator) columnsOnly() []column { return g.scope }

// windowCall returns the call of a window function.
func (g *generator) windowCall(over func(certain, frames bool) pair) pair {
	t := g.comparableType()
	switch g.rand.IntN(10) {
	case 0:
		return both("row_number() OVER %s", over(true, false))
	case 1:
		return both("%s() OVER %s", pick(g, "rank", "dense_rank", "percent_rank", "cume_dist"), over(g.oneIn(2), false))
	case 2:
		return both("ntile(%d) OVER %s", 1+g.rand.IntN(4), over(true, false))
	case 3:
		x := g.expr(t, 1)
		switch g.rand.IntN(3) {
		case 0:
			return both("%s(%s) OVER %s", pick(g, "lag", "lead"), x, over(true, false))
		case 1:
			return both("%s(%s, %d) OVER %s", pick(g, "lag", "lead"), x, g.rand.IntN(4), over(true, false))
		}
		return both("%s(%s, %d, %s) OVER %s", pick(g, "lag", "lead"), x, g.rand.IntN(4), g.literal(t), over(true, false))
	case 4, 5:
		x := g.expr(t, 1)
		if g.oneIn(3) {
			return both("nth_value(%s, %d) OVER %s", x, 1+g.rand.IntN(3), over(true, true))
		}
		return both("%s(%s) OVER %s", pick(g, "first_value", "last_value"), x, over(true, true))
	}
	var p pair
	switch g.rand.IntN(5) {
	case 0:
		p = both("count(*)")
	case 1:
		p = both("count(%s)", g.expr(g.anyType(), 1))
	case 2:
		p = both("%s(%s)", pick(g, "min", "max"), g.expr(t, 1))
	default:
		p = both("%s(%s)", pick(g, "sum", "avg"), g.expr(pick(g, integers, reals), 1))
	}
	if g.oneIn(5) {
		p = both("%s FILTER (WHERE %s)", p, g.expr(booleans, 1))
	}
	return both("%s OVER %s", p, over(g.oneIn(2), true))
}

// TestPostgreSQL compares window functions with PostgreSQL, as PGlite runs it: where
// LUPA_PGLITE names a directory with node_modules/@electric-sql/pglite (npm install
// @electric-sql/pglite).
func TestPostgreSQL(t *testing.T) {
	folder := os.Getenv("LUPA_PGLITE")
	if folder == "" {
		t.Skip("LUPA_PGLITE names no directory with PGlite")
	}
	program, err := os.ReadFile("testdata/pglite.mjs")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(folder, "lupa-compare.mjs")
	if err := os.WriteFile(script, program, 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(script)
	failures := 0
	for i := 0; i*150 < *diffQueries && failures < 15; i++ {
		seed := *diffSeed + uint64(i)
		g := &generator{rand: rand.New(rand.NewPCG(seed, 43))}
		d := newDiffer(t, g, []int{0, 1, 7, 40, 40, 90}[seed%6])
		var statements, queries []string
		for _, table := range []string{"t", "u", "v"} {
			statements = append(statements, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY, a BIGINT, b BIGINT, x DOUBLE PRECISION, s TEXT COLLATE \"C\", f BOOLEAN)", table))
			rows, err := d.ourRows("SELECT id, coalesce(a::text, 'NULL'), coalesce(b::text, 'NULL'), coalesce(x::text, 'NULL'), s, coalesce(f::text, 'NULL') FROM " + table)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				f := strings.SplitN(r, " ", 5)
				last := strings.LastIndex(f[4], " ")
				text := "NULL"
				if s := f[4][:last]; s != "NULL" {
					text = "'" + strings.ReplaceAll(strings.Trim(s, `"`), "'", "''") + "'"
				}
				bare := func(s string) string { return strings.Trim(s, `"`) }
				statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, %s, %s, %s, %s)", table, f[0], bare(f[1]), bare(f[2]), bare(f[3]), text, bare(f[4][last+1:])))
			}
		}
		var all []statement
		for range 150 {
			g.scope, g.inner, g.depth = nil, 0, 0
			from := g.from(2)
			s := g.windows(from, pair{})
			theirs := s.ours
			if at := strings.Index(theirs, " QUALIFY "); at >= 0 {
				continue // PostgreSQL has none; SQLite is compared
			}
			all, queries = append(all, s), append(queries, theirs)
		}
		in, _ := json.Marshal(map[string]any{"statements": statements, "queries": queries})
		cmd := exec.Command("node", script)
		cmd.Dir, cmd.Stdin, cmd.Stderr = folder, bytes.NewReader(in), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var answers []struct {
			Error string
			Rows  []string
		}
		if err := json.Unmarshal(out, &answers); err != nil {
			t.Fatal(err)
		}
		for k, s := range all {
			ours, err := d.ourRows(s.ours)
			theirs := answers[k].Rows
			if !s.ordered {
				slices.Sort(ours)
				slices.Sort(theirs)
			}
			if strings.Contains(answers[k].Error, "could not determine polymorphic type") {
				continue // of a text literal, which is TEXT here
			}
			if (err != nil) != (answers[k].Error != "") || err == nil && !slices.Equal(ours, theirs) {
				t.Errorf("seed %d: %s\nhere: %v %s\nPostgreSQL: %s %s", seed, s.ours, err, few(ours, theirs), answers[k].Error, few(theirs, ours))
				failures++
			}
		}
		d.close(t)
	}
}
