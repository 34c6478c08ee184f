//go:build unix

package postgres_test

import (
	"fmt"
	"slices"
	"strings"
)

// What TestRandomStatements asks beside queries: statements that change rows, recursion, groupings of several kinds,
// and functions that give rows.

// change is a statement whose WITH changes rows, or which changes rows itself; its rows come in no order.
func (g *writer) change() string {
	g.names, g.nested, g.around = 0, 0, nil
	table := oneOf(g, "wa", "wb", "wc", "ta")
	g.scope = nil
	for _, c := range wideColumns {
		g.scope = append(g.scope, variable{"q0." + c.name, c.kind})
	}
	where := func() string { return g.where(1) }
	set := func() string {
		v := oneOf(g, wideColumns[1:]...)
		for v.kind == decimals {
			v = oneOf(g, wideColumns[1:]...)
		}
		return v.name + " = " + g.typed(v.kind, 1)
	}
	returning := "id, i, t, b"
	insert := func(table string) string {
		return fmt.Sprintf("INSERT INTO %s (id, i, t, b) SELECT q0.id + %d, %s, %s, %s FROM %s AS q0%s", table, oneOf(g, 100, 1000, 0, 7), g.typed(ints, 1), g.typed(strs, 1), g.typed(bools, 1), oneOf(g, "wa", "wb", "ta"), where())
	}
	change := func(table string) string {
		switch g.IntN(4) {
		case 0:
			return fmt.Sprintf("DELETE FROM %s AS q0%s", table, where())
		case 1:
			return insert(table) + oneOf(g, "", " ON CONFLICT DO NOTHING", " ON CONFLICT (id) DO UPDATE SET t = excluded.t, i = "+table+".i + 1")
		}
		return fmt.Sprintf("UPDATE %s AS q0 SET %s%s", table, set(), where())
	}
	if table == "ta" { // temporary tables are changed by statements of their own
		return change(table) + " RETURNING " + returning
	}
	switch g.IntN(5) {
	case 0:
		return change(table) + " RETURNING " + returning
	case 1:
		return fmt.Sprintf("WITH x AS (%s RETURNING %s) SELECT count(*), sum(x.i), min(x.t), (SELECT count(*) FROM %s), (SELECT sum(i) FROM %s) FROM x", change(table), returning, table, table)
	case 2:
		return fmt.Sprintf("WITH x AS (%s RETURNING %s) SELECT x.id, x.t, w.t FROM x LEFT JOIN %s AS w USING (id)", change(table), returning, table)
	case 3:
		other := oneOf(g, "wa", "wb", "wc")
		for other == table {
			other = oneOf(g, "wa", "wb", "wc")
		}
		return fmt.Sprintf("WITH x AS (%s RETURNING %s), y AS (%s RETURNING id) SELECT count(*) FROM x UNION ALL SELECT count(*) FROM y", change(table), returning, change(other))
	}
	return fmt.Sprintf("WITH x AS (DELETE FROM %s AS q0%s RETURNING %s) INSERT INTO wc (id, i, t, b) SELECT id + 50000, i, t, b FROM x WHERE NOT EXISTS (SELECT 1 FROM wc WHERE wc.id = x.id + 50000) RETURNING %s", oneOf(g, "wa", "wb"), where(), returning, returning)
}

// recursive is a query that uses itself.
func (g *writer) recursive() string {
	g.names, g.nested, g.around = 0, 0, nil
	union := oneOf(g, "UNION", "UNION ALL")
	switch g.IntN(3) {
	case 0:
		return fmt.Sprintf("WITH RECURSIVE r (n, s) AS (SELECT %s::BIGINT, 'a'::TEXT %s SELECT n + %d, s || %s FROM r WHERE n < %d) SELECT n, s, count(*) OVER () FROM r", oneOf(g, "0", "1", "-3"), union, 1+g.IntN(3), oneOf(g, "'b'", "n::TEXT"), 3+g.IntN(8))
	case 1:
		return fmt.Sprintf("WITH RECURSIVE r (id, up, depth) AS (SELECT id, i, 0 FROM wa WHERE id <= %d %s SELECT w.id, w.i, r.depth + 1 FROM %s AS w JOIN r ON w.i = r.id WHERE r.depth < 3) SELECT depth, count(*), min(id), max(up) FROM r GROUP BY depth", 1+g.IntN(5), union, oneOf(g, "wa", "wb", "va"))
	}
	return fmt.Sprintf("WITH RECURSIVE r AS (SELECT id, 1 AS n FROM %s WHERE %s %s SELECT id, n * 2 FROM r WHERE n < 9) SELECT n, count(*), sum(id) FROM r GROUP BY ROLLUP (n)", oneOf(g, "wa", "va"), oneOf(g, "id < 4", "b", "i > 0"), union)
}

// sets is a query with groups of several kinds.
func (g *writer) sets() string {
	g.names, g.nested, g.around = 0, 0, nil
	from := g.from(2)
	where := g.where(1)
	var keys []string
	for range 8 {
		k := g.column(g.scope, oneOf(g, sorts...))
		if strings.Contains(k, ".") && !strings.Contains(k, "'") && !slices.Contains(keys, k) && len(keys) < 3 {
			keys = append(keys, k)
		}
	}
	if len(keys) < 2 {
		return "SELECT count(*) FROM " + from + where
	}
	by := oneOf(g, "ROLLUP (%s)", "CUBE (%s)", "GROUPING SETS ((%s), ())")
	by = fmt.Sprintf(by, strings.Join(keys, ", "))
	if g.one(3) {
		by = fmt.Sprintf("GROUPING SETS ((%s), (%s), ())", keys[0], strings.Join(keys, ", "))
	} else if g.one(3) {
		by = keys[0] + ", ROLLUP (" + strings.Join(keys[1:], ", ") + ")"
	}
	s := fmt.Sprintf("SELECT %s, grouping(%s), count(*), %s FROM %s%s GROUP BY %s", strings.Join(keys, ", "), strings.Join(keys, ", "), g.aggregate(), from, where, by)
	if g.one(3) {
		s += " HAVING " + oneOf(g, "count(*) > 1", "grouping("+keys[0]+") = 0")
	}
	return s
}

// rowsOf is a query with a function that gives rows in its select list.
func (g *writer) rowsOf() string {
	g.names, g.nested, g.around = 0, 0, nil
	from := g.from(2)
	where := g.where(1)
	call := oneOf(g,
		"generate_series(1, "+g.small()+")",
		"unnest(ARRAY["+g.typed(ints, 1)+", "+g.typed(ints, 1)+"])",
		"string_to_table("+g.typed(strs, 1)+", ',')",
		"regexp_split_to_table("+g.typed(strs, 1)+", 'b|,')",
		"jsonb_object_keys(jsonb_build_object('x', 1, 'y', "+g.typed(ints, 1)+"))",
		"jsonb_array_elements_text(jsonb_build_array("+g.typed(ints, 1)+", "+g.typed(strs, 1)+"))")
	if g.one(2) {
		call += " AS s1, " + oneOf(g, "generate_series(1, 2)", "unnest(ARRAY[1, 2, 7])")
	}
	return fmt.Sprintf("SELECT %s AS c1, %s AS c2, %s AS c3 FROM %s%s", g.typed(oneOf(g, sorts...), 1), call, g.typed(oneOf(g, sorts...), 1), from, where)
}

// arrays is an expression of arrays or of newer functions, of a type that is written alike.
func (g *writer) newer(k kind, e func(kind) string) string {
	f := fmt.Sprintf
	switch k {
	case ints:
		switch g.IntN(6) {
		case 0:
			return f("(ARRAY[%s, %s, %s])[%s]", e(ints), e(ints), g.literal(ints)+"::BIGINT", g.small())
		case 1:
			return f("regexp_count(%s, '%s')", e(strs), oneOf(g, "a", "[a-c]", "^", "b$"))
		case 2:
			return f("regexp_instr(%s, '%s'%s)", e(strs), oneOf(g, "a", "[b-d]+", "(.)b"), oneOf(g, "", ", 1", ", 2", ", 1, 2", ", 1, 1, 1"))
		case 3:
			return f("cardinality((string_to_array(%s, ','))[2:3])", e(strs))
		case 4:
			return f("cardinality(ARRAY(SELECT n FROM generate_series(1, %s) AS n))", g.small())
		}
		return f("(ARRAY(SELECT n FROM generate_series(1, 4) AS n ORDER BY n DESC))[%s]", g.small())
	case strs:
		switch g.IntN(5) {
		case 0:
			return f("(string_to_array(%s, %s))[%s]", e(strs), oneOf(g, "','", "'a'"), g.small())
		case 1:
			return f("(ARRAY[%s, %s])[%s]", e(strs), e(strs), oneOf(g, "1", "2", "3"))
		case 2:
			return f("regexp_substr(%s, '%s'%s)", e(strs), oneOf(g, "a.", "[b-d]+", "(.)b"), oneOf(g, "", ", 1", ", 2", ", 1, 2"))
		case 3:
			return f("array_to_string((string_to_array(%s, ','))[%s:%s], '/')", e(strs), oneOf(g, "1", "2", "0", ""), oneOf(g, "1", "2", "5", ""))
		}
		return f("(regexp_match(%s, '%s'))[1]", e(strs), oneOf(g, "a(.)", "[b-d]+", "(.)b"))
	case days:
		return f("to_date(%s, '%s')", oneOf(g, "'2024-02-29'", "'2023-1-5'", "to_char("+e(days)+", 'YYYY-MM-DD')"), "YYYY-MM-DD")
	case times:
		return f("make_timestamp(%s, %s, %s, %s, %s, %s)", oneOf(g, "2024", "1999"), oneOf(g, "1", "12"), oneOf(g, "1", "28"), oneOf(g, "0", "23"), oneOf(g, "0", "59"), oneOf(g, "0", "59.5", "60"))
	case spans:
		return f("%s(%s)", oneOf(g, "justify_hours", "justify_days", "justify_interval"), e(spans))
	case decimals:
		return oneOf(g, "to_number('12.5', '99D99')", "to_number('-1,234', 'S9,999')", "to_number('0.50', '9999.99')", "to_number('-7', '99')")
	case jsons:
		switch g.IntN(4) {
		case 0:
			return f("((%s)['%s'])", e(jsons), oneOf(g, "a", "b", "bb"))
		case 1:
			return f("((%s)[%s])", e(jsons), oneOf(g, "0", "1", "-1"))
		case 2:
			return f("(jsonb_build_object('a', %s, 'b', %s) %s)", e(ints), e(jsons), oneOf(g, "- 'a'", "- ARRAY['a', 'z']", "#- '{b,a}'", "#- '{a}'", "- 'q'"))
		}
		return f("(jsonb_build_array(%s, %s) - %s)", e(ints), e(strs), oneOf(g, "0", "1", "-1", "5", "'a'"))
	case bools:
		return f("(%s ?%s %s)", e(jsons), oneOf(g, "|", "&"), oneOf(g, "ARRAY['a', 'x']", "ARRAY['a', 'b']", "'{a}'"))
	}
	return g.leaf(k)
}
