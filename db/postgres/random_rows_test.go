//go:build unix

package postgres_test

import (
	"fmt"
	"strings"
)

// Rows as values, arrays of arrays, and ways to write what could be written before: what
// TestRandomStatements asks of these.

// rowExpr is an expression of such a kind.
func (g *writer) rowExpr(k kind, e func(kind) string) string {
	f := fmt.Sprintf
	typed := func(k kind) string { return "(" + e(k) + ")::" + typeName[k] }
	switch k {
	case ints:
		switch g.IntN(9) {
		case 0:
			return f("scale(%s)", typed(decimals))
		case 1:
			return f("min_scale(%s)", typed(decimals))
		case 2:
			return f("cardinality(ARRAY[%s] || %s)", typed(ints), oneOf(g, typed(ints), "ARRAY["+typed(ints)+", "+typed(ints)+"]"))
		case 3:
			return f("array_length(array_prepend(%s, ARRAY[%s]), 1)", typed(ints), typed(ints))
		case 4:
			return f("cardinality(ARRAY[ARRAY[%s, 1], ARRAY[2, %s]])", typed(ints), typed(ints))
		case 5:
			return f("(ARRAY[ARRAY[%s, 1], ARRAY[2, %s]])[%s][%s]", typed(ints), typed(ints), oneOf(g, "1", "2"), oneOf(g, "1", "2", "3"))
		case 6:
			return f("%s(ARRAY[ARRAY[1, %s], ARRAY[2, 3]], %s)", oneOf(g, "array_length", "array_upper", "array_lower"), typed(ints), oneOf(g, "1", "2", "3", "0"))
		case 7:
			return f("extract(julian FROM %s)::BIGINT", e(days))
		}
		return f("(%s OPERATOR(pg_catalog.%s) %s)", e(ints), oneOf(g, "+", "-", "*"), oneOf(g, "2", "7"))
	case doubles:
		return f("round(%s::NUMERIC, 9)::DOUBLE PRECISION", oneOf(g, "asinh("+g.leaf(doubles)+")", "acosh(abs("+g.leaf(doubles)+") + 1)", "atanh(0.5 / (1 + abs("+g.leaf(doubles)+")))"))
	case strs:
		switch g.IntN(10) {
		case 0:
			return f("pg_size_pretty(%s * %s)", typed(ints), oneOf(g, "1", "1000", "123456789", "-4096"))
		case 1:
			return f("quote_nullable(%s)", e(strs))
		case 2:
			return f("(%s COLLATE %s)", e(strs), oneOf(g, `"C"`, `pg_catalog."C"`, `"POSIX"`))
		case 3:
			return oneOf(g, "$$it's$$", "$a$b$$c$a$", "$$$$") + "::TEXT"
		case 4:
			return f("to_char(%s, '%s')", typed(spans), oneOf(g, "HH24:MI:SS", "DD HH12", "FMMM YYYY", "MS"))
		case 5:
			return f("array_to_string(%s || %s, '%s', '*')", oneOf(g, "ARRAY["+e(strs)+"]", "string_to_array("+e(strs)+", ',')"), oneOf(g, "ARRAY["+typed(strs)+"]", typed(strs)), oneOf(g, ",", "-"))
		case 6:
			return f("array_to_string(ARRAY[ARRAY[%s], ARRAY[%s]], ',')", e(strs), e(strs))
		case 7:
			return f("unistr('%s')", oneOf(g, `d\0061ta`, `\+0000e4`, `a\\\\b`))
		case 8:
			return f("coalesce(encode(sha512(convert_to(%s, 'UTF8')), 'hex'), '')", oneOf(g, "'a'", "'xyz'"))
		}
		return f("(to_jsonb(%s) ->> '%s')", g.row(), oneOf(g, "t", "i", "b"))
	case decimals:
		return f("trim_scale(%s)", typed(decimals))
	case days:
		return f("(CURRENT_DATE + %s - %s)", g.small(), oneOf(g, "DATE 'today'", "'today'::DATE", "(DATE 'tomorrow' - 1)")) + oneOf(g, " + DATE '2000-01-01'", " + DATE 'epoch'")
	case times:
		return f("date_trunc('%s', %s)", oneOf(g, "decade", "century", "millennium"), e(times))
	case spans:
		switch g.IntN(4) {
		case 0:
			return f("date_trunc('%s', %s)", oneOf(g, "second", "minute", "hour", "day", "month", "quarter", "year", "decade"), e(spans))
		case 1:
			return f("make_interval(%s)", oneOf(g, "secs => 1.5", "days => 3, hours => -2", "1, 2, 3, 4, 5, 6, 7.25", "mins => 90", "years => -1, secs => 0.000001"))
		}
		return f("make_interval(days => %s, secs => %s)", g.small(), oneOf(g, "0.25", "-3", "61.5"))
	case jsons:
		switch g.IntN(4) {
		case 0:
			return f("jsonb_insert('{\"a\": [1, 2]}', '{%s}', to_jsonb(%s)%s)", oneOf(g, "a,0", "a,1", "a,-1", "b", "a,9"), typed(ints), oneOf(g, "", ", true"))
		case 1:
			return f("to_jsonb(ROW(%s, %s))", typed(ints), typed(strs))
		case 2:
			return f("jsonb_build_object('r', %s)", g.row())
		}
		return f("(to_jsonb(%s) - 'r' - 'at' - 'iv')", g.row())
	}
	row := func() string { return f("(%s, %s)", typed(ints), typed(strs)) }
	switch g.IntN(14) {
	case 0:
		return f("(%s %sSIMILAR TO '%s')", e(strs), oneOf(g, "", "NOT "), oneOf(g, "(a|b)%", "_+", "%[0-9]{1,2}", "A?b*", "%", "a.c"))
	case 1:
		k := oneOf(g, ints, strs, days, decimals)
		return f("(%s %sBETWEEN SYMMETRIC %s AND %s)", e(k), oneOf(g, "", "NOT "), e(k), e(k))
	case 2:
		return f("(%s %s %s)", e(strs), oneOf(g, "~~", "!~~", "~~*", "!~~*"), oneOf(g, "'a%'", "'%b'", "'_'"))
	case 3:
		return f("(%s IS %sNULL)", oneOf(g, "ROW", "")+row(), oneOf(g, "", "NOT "))
	case 4:
		return f("(%s %sIN (%s, %s))", row(), oneOf(g, "", "NOT "), row(), "ROW"+row())
	case 5:
		return f("(ROW%s %s %s)", row(), oneOf(g, "=", "<>", "<", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"), row())
	case 6:
		return f("(%s %sBETWEEN %s AND %s)", row(), oneOf(g, "", "NOT "), row(), row())
	case 7:
		return f("(%s IS %sNULL)", g.row(), oneOf(g, "", "NOT "))
	case 8:
		return f("arrayoverlap(ARRAY[%s, 7], ARRAY[%s, 1])", typed(ints), typed(ints))
	case 9:
		return f("(%s %s (ARRAY[ARRAY[%s, 2], ARRAY[3, %s]]))", typed(ints), oneOf(g, "= ANY", "<> ALL", "> ANY", "<= ALL"), typed(ints), typed(ints))
	case 10:
		return f("(ARRAY[%s, 3] %s ARRAY[ARRAY[1, %s]])", typed(ints), oneOf(g, "@>", "<@"), typed(ints))
	case 11:
		return f("(%s COLLATE \"C\" %s %s)", e(strs), oneOf(g, "<", ">=", "="), e(strs))
	case 12:
		return f("(%s OPERATOR(pg_catalog.%s) %s)", e(strs), oneOf(g, "=", "<", "~~"), typed(strs))
	}
	return f("(%s IN (SELECT w.id, w.t FROM %s AS w))", row(), oneOf(g, "wa", "wb"))
}

// row is the row of a table in scope, by its name; of values where there is no table.
func (g *writer) row() string {
	for range 10 {
		if len(g.scope) == 0 {
			break
		}
		table, column, _ := strings.Cut(oneOf(g, g.scope...).name, ".")
		if column != "n" && column != "s" && strings.HasPrefix(table, "q") { // the name of a function of one column means that
			return table
		}
	}
	return "ROW(1, 'a'::TEXT, NULL::BIGINT)"
}

// sideBySide is a table of FROM of several functions, and its columns.
func (g *writer) sideBySide(alias string) (string, []variable) {
	n := []variable{{"n", ints}, {"s", strs}}
	switch g.IntN(3) {
	case 0:
		return fmt.Sprintf("ROWS FROM (generate_series(%s::BIGINT, 3), string_to_table('a,b,c,d', ',')) AS %s(n, s)", oneOf(g, "0", "1", "4"), alias), n
	case 1:
		return fmt.Sprintf("unnest(ARRAY[%s, 2]::BIGINT[], ARRAY['x', 'y', 'z']::TEXT[]) AS %s(n, s)", oneOf(g, "1", "NULL"), alias), n
	}
	return fmt.Sprintf("ROWS FROM (unnest(ARRAY['p', 'q']), generate_series(1::BIGINT, %s)) WITH ORDINALITY AS %s(s, n, place)", oneOf(g, "0", "3"), alias), append(n, variable{"place", ints})
}

// changeBeside is a statement that changes rows by those of another table, each by one at most.
func (g *writer) changeBeside() string {
	g.names, g.nested, g.around, g.scope = 1, 0, nil, nil
	tables := []string{"wa", "wb", "wc"}
	g.Shuffle(len(tables), func(i, j int) { tables[i], tables[j] = tables[j], tables[i] })
	for _, c := range wideColumns {
		g.scope = append(g.scope, variable{"q0." + c.name, c.kind}, variable{"q1." + c.name, c.kind})
	}
	where := "q1.id = q0.id AND " + g.condition(1)
	if g.one(2) {
		return fmt.Sprintf("DELETE FROM %s AS q0 USING %s AS q1 WHERE %s RETURNING q0.id, q1.t, %s", tables[0], tables[1], where, g.typed(oneOf(g, ints, strs, bools), 1))
	}
	return fmt.Sprintf("UPDATE %s AS q0 SET t = %s FROM %s AS q1 WHERE %s RETURNING q0.id, q0.t, q1.t, %s", tables[0], g.typed(strs, 1), tables[1], where, g.typed(oneOf(g, ints, bools), 0))
}
