//go:build unix

package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lupadb/lupa/db"
)

// The statements of TestRandomStatements are one text for both languages. Where those differ on purpose,
// the generator keeps away: round() of a double (halves to even there), casts of doubles to
// integers, booleans as texts, an order of JSON, and which of several equal intervals is shown.

// kind is the type of an expression.
type kind int

const (
	ints kind = iota
	doubles
	strs
	bools
	decimals
	days
	times
	spans
	jsons
)

// sorts are the types whose equal values are written alike, so that any of them may be shown.
var sorts = []kind{ints, ints, doubles, strs, strs, bools, decimals, days, times}

type variable struct {
	name string
	kind kind
}

var wideColumns = []variable{{"id", ints}, {"i", ints}, {"r", doubles}, {"t", strs}, {"b", bools}, {"m", decimals}, {"d", days}, {"at", times}, {"iv", spans}, {"j", jsons}}

const wideTable = "id BIGINT PRIMARY KEY, i BIGINT, r DOUBLE PRECISION, t TEXT, b BOOLEAN, m NUMERIC(10,2), d DATE, at TIMESTAMP, iv INTERVAL, j JSONB"

// writer makes random statements for both languages.
type writer struct {
	*rand.Rand
	scope  []variable // columns of the query being made
	around []variable // those of the queries around it
	names  int        // aliases given so far
	nested int
}

func (g *writer) one(n int) bool { return g.IntN(n) == 0 }

func oneOf[T any](g *writer, of ...T) T { return of[g.IntN(len(of))] }

// literal is a value of a type, with its type.
func (g *writer) literal(k kind) string {
	if g.one(15) {
		return "NULL::" + typeName[k]
	}
	switch k {
	case ints:
		return oneOf(g, "0", "1", "2", "3", "7", "(-1)", "(-4)", "100", "5::BIGINT")
	case doubles:
		return "'" + oneOf(g, "0", "0.25", "-1.75", "3.3", "100.1", "1e6", "-0.001", "2") + "'::DOUBLE PRECISION"
	case strs:
		return "'" + oneOf(g, "", "a", "b", "ab", "Abc", "a_b", "a%", "ä", "Grey Wolf", "  x ", "10", "it''s", "日本", "a,b,,c", "2024-05-31") + "'::TEXT"
	case bools:
		return oneOf(g, "TRUE", "FALSE")
	case decimals:
		return "'" + oneOf(g, "0", "1", "1.5", "-2.25", "99999.99", "0.01", "12345678901234567890", "-7") + "'::NUMERIC"
	case days:
		return "DATE '" + oneOf(g, "2024-02-29", "2024-01-31", "2023-12-31", "1999-05-01", "1970-01-01", "2000-03-01") + "'"
	case times:
		return "TIMESTAMP '" + oneOf(g, "2024-02-29 12:34:56.789", "2024-01-31", "1969-12-31 23:59:59.5", "2000-06-15 06:00:00", "2023-10-29 01:30:00") + "'"
	case spans:
		return "INTERVAL '" + oneOf(g, "1 day", "-1 mon", "2 hours 30 minutes", "1 year 2 days 03:04:05.6", "0", "40 days", "-00:00:01") + "'"
	}
	return "'" + oneOf(g, "1", "null", `"a"`, `{"a": 1, "b": [1, 2, {"c": "x"}]}`, `[]`, `[3, "x", null]`, `{"a": null, "bb": true}`, `{"a": {"b": {"c": 2.50}}}`) + "'::JSONB"
}

var typeName = map[kind]string{ints: "BIGINT", doubles: "DOUBLE PRECISION", strs: "TEXT", bools: "BOOLEAN", decimals: "NUMERIC", days: "DATE", times: "TIMESTAMP", spans: "INTERVAL", jsons: "JSONB"}

// leaf is a column or a literal.
func (g *writer) leaf(k kind) string {
	from := g.scope
	if len(g.around) > 0 && g.one(5) {
		from = g.around
	}
	var fit []string
	for _, v := range from {
		if v.kind == k {
			fit = append(fit, v.name)
		}
	}
	if len(fit) == 0 || g.one(5) {
		return g.literal(k)
	}
	return oneOf(g, fit...)
}

// small is an integer near zero, of the type that functions take as a count.
func (g *writer) small() string {
	if g.one(3) {
		return "(" + g.leaf(ints) + " % 5)::INT"
	}
	return oneOf(g, "0", "1", "2", "3", "(-1)", "(-2)")
}

// expr is an expression of a type, depth deep at most.
func (g *writer) expr(k kind, depth int) string {
	if depth <= 0 || g.one(5) {
		return g.leaf(k)
	}
	e := func(k kind) string { return g.expr(k, depth-1) }
	f := fmt.Sprintf
	switch g.IntN(16) {
	case 14:
		return g.newer(k, e)
	case 15:
		return g.rowExpr(k, e)
	case 0:
		return f("coalesce(%s, %s)", e(k), e(k))
	case 1:
		return f("CASE WHEN %s THEN %s WHEN %s THEN %s ELSE %s END", e(bools), e(k), e(bools), e(k), e(k))
	case 2:
		if k != jsons {
			return f("nullif(%s, %s)", e(k), e(k))
		}
	case 3:
		if slices.Contains(sorts, k) && k != bools {
			return f("%s(%s, %s, %s)", oneOf(g, "greatest", "least"), e(k), e(k), e(k))
		}
	case 4:
		if g.nested < 2 && slices.Contains(sorts, k) && k != bools {
			return g.scalar(k)
		}
	}
	switch k {
	case ints:
		return g.intExpr(e)
	case doubles:
		switch g.IntN(16) {
		case 0:
			return f("(%s %s %s)", e(k), oneOf(g, "+", "-"), e(k))
		case 1:
			return f("(%s * %s)", g.leaf(k), g.literal(k))
		case 2:
			return f("(%s / nullif(%s, 0))", e(k), g.leaf(k))
		case 3:
			return f("%s(%s)", oneOf(g, "floor", "ceil", "trunc", "abs", "sign"), e(k))
		case 14: // the last digits of these are those of a library
			return f("round(%s(%s)::NUMERIC, 6)::DOUBLE PRECISION", oneOf(g, "cbrt", "sin", "cos", "atan", "degrees", "radians", "tanh"), e(k))
		case 4:
			return f("round(%s(abs(%s) + 1)::NUMERIC, 6)::DOUBLE PRECISION", oneOf(g, "sqrt", "ln", "log", "log10"), e(k))
		case 5:
			return f("round(%s(%s / 1000000)::NUMERIC, 6)::DOUBLE PRECISION", oneOf(g, "exp", "sinh", "cosh", "tan"), g.leaf(k))
		case 6:
			return f("power(%s, %s)", g.leaf(k), oneOf(g, "0", "1", "2", "3"))
		case 7:
			return f("round(%s(%s / 1e9)::NUMERIC, 6)::DOUBLE PRECISION", oneOf(g, "asin", "acos"), g.leaf(k))
		case 8:
			return f("round(atan2(%s, %s)::NUMERIC, 6)::DOUBLE PRECISION", e(k), e(k))
		case 9:
			return f("(%s)::DOUBLE PRECISION", e(oneOf(g, ints, decimals)))
		case 10:
			return f("extract(epoch FROM %s)::DOUBLE PRECISION", e(oneOf(g, days, times, spans)))
		case 11:
			return f("(%s + %s)", e(k), e(oneOf(g, ints, decimals)))
		case 12:
			return f("(- %s)", e(k))
		case 13:
			return f("round(log(%s::NUMERIC, %s), 6)::DOUBLE PRECISION", oneOf(g, "2", "10", "3.5"), oneOf(g, "8", "1.5", "100"))
		}
		return f("(%s %s %s)", e(k), oneOf(g, "+", "-"), g.literal(k))
	case strs:
		return g.textExpr(e)
	case bools:
		return g.condition(depth)
	case decimals:
		switch g.IntN(10) {
		case 0, 1:
			return f("(%s %s %s)", e(k), oneOf(g, "+", "-"), e(k))
		case 2:
			return f("(%s * %s)", g.leaf(k), oneOf(g, "2", "0.5::NUMERIC", "-1.25::NUMERIC"))
		case 3:
			return f("(%s / %s)", g.leaf(k), oneOf(g, "3", "7::NUMERIC", "0.25::NUMERIC", "-8"))
		case 4:
			return f("%s(%s)", oneOf(g, "abs", "sign", "floor", "ceil", "round", "trunc"), e(k))
		case 5:
			return f("%s(%s, %s)", oneOf(g, "round", "trunc"), e(k), oneOf(g, "0", "1", "2", "-1", "3"))
		case 6:
			return f("(%s)::NUMERIC", e(ints))
		case 7:
			return f("(%s %% %s)", e(k), oneOf(g, "3", "0.7::NUMERIC", "-2"))
		case 8:
			return f("(- %s)", e(k))
		}
		return f("(%s + %s)", e(k), e(ints))
	case days:
		switch g.IntN(7) {
		case 0, 1:
			return f("(%s %s %s)", e(k), oneOf(g, "+", "-"), g.small())
		case 2:
			return f("(%s)::DATE", e(times))
		case 3:
			return f("make_date(2000 + %s, 1 + abs(%s), 1 + abs(%s))", g.small(), g.small(), g.small())
		case 4:
			return f("date_trunc('%s', %s)::DATE", oneOf(g, "month", "year", "quarter", "week"), e(k))
		case 5:
			return f("(%s + %s)::DATE", e(k), g.literal(spans))
		}
		return g.leaf(k)
	case times:
		switch g.IntN(7) {
		case 0, 1:
			return f("(%s %s %s)", e(k), oneOf(g, "+", "-"), g.leaf(spans))
		case 2:
			return f("date_trunc('%s', %s)", oneOf(g, "second", "minute", "hour", "day", "week", "month", "quarter", "year"), e(k))
		case 3:
			return f("(%s)::TIMESTAMP", e(days))
		case 4:
			return f("(%s %s %s)", e(days), oneOf(g, "+", "-"), g.leaf(spans))
		case 5:
			return f("date_bin('%s', %s, TIMESTAMP '2001-01-01')", oneOf(g, "15 minutes", "1 day", "7 days"), e(k))
		}
		return f("(%s + %s)", e(k), g.literal(spans))
	case spans:
		switch g.IntN(7) {
		case 0:
			return f("(%s %s %s)", e(k), oneOf(g, "+", "-"), e(k))
		case 1:
			return f("(%s - %s)", e(times), e(times))
		case 2:
			return f("age(%s, %s)", g.leaf(times), g.leaf(times))
		case 3:
			return f("justify_%s(%s)", oneOf(g, "interval"), e(k))
		case 4:
			return f("(%s * %s)", g.leaf(k), oneOf(g, "2", "3", "(-1)", "0.5"))
		case 5:
			return f("(- %s)", e(k))
		}
		return f("(%s / %s)", g.literal(k), oneOf(g, "2", "4"))
	}
	switch g.IntN(9) {
	case 0:
		return f("(%s -> '%s')", e(k), oneOf(g, "a", "b", "bb"))
	case 1:
		return f("(jsonb_build_array(%s, %s) -> %s)", e(k), e(ints), oneOf(g, "0", "1", "-1", "2", "-3"))
	case 2:
		return f("(%s #> '{%s}')", e(k), oneOf(g, "a", "b,2,c", "a,b", "0"))
	case 3:
		return f("jsonb_build_object('k', %s, 'a', %s)", e(oneOf(g, ints, strs, bools, jsons, decimals)), e(ints))
	case 4:
		return f("jsonb_build_array(%s, %s)", e(oneOf(g, ints, strs, bools)), e(k))
	case 5:
		return f("to_jsonb(%s)", e(oneOf(g, ints, strs, bools, decimals)))
	case 6:
		return f("jsonb_strip_nulls(%s)", e(k))
	case 7:
		return f("jsonb_set('{\"a\": {\"b\": 1}, \"c\": [1, 2]}'::JSONB, '{%s}', to_jsonb(%s)%s)", oneOf(g, "a", "a,b", "c,0", "c,5", "x", "a,z"), e(ints), oneOf(g, "", ", false"))
	}
	return g.literal(k)
}

func (g *writer) intExpr(e func(kind) string) string {
	f := fmt.Sprintf
	switch g.IntN(22) {
	case 0, 1:
		return f("(%s %s %s)", e(ints), oneOf(g, "+", "-"), e(ints))
	case 2:
		return f("(%s * %s)", g.leaf(ints), oneOf(g, "2", "-3", "10"))
	case 3:
		return f("(%s %s %s)", e(ints), oneOf(g, "/", "%"), oneOf(g, "2", "3", "-5", "nullif(1, 1)"))
	case 4:
		return f("(%s %s %s)", e(ints), oneOf(g, "&", "|", "#"), e(ints))
	case 5:
		return f("((%s %% 1000) %s %s)", e(ints), oneOf(g, "<<", ">>"), oneOf(g, "0", "1", "5"))
	case 6:
		return f("(~ %s)", e(ints))
	case 7:
		return f("%s(%s)", oneOf(g, "length", "octet_length", "bit_length", "ascii"), e(strs))
	case 8:
		return f("strpos(%s, %s)", e(strs), g.literal(strs))
	case 9:
		return f("position(%s IN %s)", g.literal(strs), e(strs))
	case 10:
		return f("%s(%s, %s)", oneOf(g, "gcd", "lcm", "mod"), g.leaf(ints), oneOf(g, "4", "6", "-3"))
	case 11:
		return f("extract(%s FROM %s)::BIGINT", oneOf(g, "year", "month", "day", "dow", "doy", "week", "quarter", "isodow", "century", "decade", "isoyear"), e(oneOf(g, days, times)))
	case 12:
		return f("extract(%s FROM %s)::BIGINT", oneOf(g, "hour", "minute"), e(oneOf(g, times, spans)))
	case 13:
		return f("(%s - %s)", e(days), e(days))
	case 14:
		return f("jsonb_array_length(CASE jsonb_typeof(%[1]s) WHEN 'array' THEN %[1]s END)", g.leaf(jsons))
	case 15:
		return f("width_bucket(%s, 0, 100, %s)", e(doubles), oneOf(g, "5", "10"))
	case 16:
		return f("%s(%s, %s, %s)", oneOf(g, "num_nulls", "num_nonnulls"), e(ints), e(strs), e(days))
	case 17:
		return f("array_length(string_to_array(%s, ','), 1)", e(strs))
	case 18:
		return f("cardinality(string_to_array(%s, %s))", e(strs), oneOf(g, "','", "'a'"))
	case 19:
		return f("array_position(ARRAY[1, 2, %s], %s)", oneOf(g, "3", "7"), oneOf(g, "1", "2", "3"))
	case 20:
		return f("abs(%s)", e(ints))
	}
	return f("(- %s)", e(ints))
}

func (g *writer) textExpr(e func(kind) string) string {
	f := fmt.Sprintf
	switch g.IntN(30) {
	case 0, 1:
		return f("(%s || %s)", e(strs), e(strs))
	case 2:
		return f("%s(%s)", oneOf(g, "lower", "upper", "initcap", "reverse", "md5", "quote_ident", "quote_literal", "trim", "ltrim", "rtrim"), e(strs))
	case 3:
		return f("substr(%s, %s)", e(strs), g.small())
	case 4:
		return f("substring(%s FROM %s FOR abs(%s))", e(strs), g.small(), g.small())
	case 5:
		return f("%s(%s, %s)", oneOf(g, "left", "right", "repeat"), e(strs), g.small())
	case 6:
		return f("%s(%s, %s, %s)", oneOf(g, "lpad", "rpad"), e(strs), oneOf(g, "0", "3", "6", "(-1)"), oneOf(g, "'.'", "'ab'", "''", "'ä'"))
	case 7:
		return f("replace(%s, %s, %s)", e(strs), g.literal(strs), g.literal(strs))
	case 8:
		return f("split_part(%s, %s, %s)", e(strs), oneOf(g, "','", "'a'", "''"), oneOf(g, "1", "2", "-1", "9"))
	case 9:
		return f("translate(%s, %s, %s)", e(strs), g.literal(strs), g.literal(strs))
	case 10:
		return f("overlay(%s PLACING %s FROM %s%s)", e(strs), g.literal(strs), oneOf(g, "1", "2", "5"), oneOf(g, "", " FOR 1", " FOR 0", " FOR 9"))
	case 11:
		return f("concat_ws(%s, %s, %s, %s)", oneOf(g, "'-'", "''", "NULL"), e(strs), e(ints), e(strs))
	case 12:
		return f("concat(%s, %s, %s)", e(strs), e(ints), e(days))
	case 13:
		return f("format('%s', %s, %s)", oneOf(g, "%s-%s", "%L/%s", "%I %L", "%%%s%s", "%2$s %1$s"), g.named(e), e(strs))
	case 14:
		return f("(%s)::TEXT", e(oneOf(g, ints, decimals, days, times, spans, jsons)))
	case 15:
		return f("to_char(%s, '%s')", e(oneOf(g, days, times)), oneOf(g, "YYYY-MM-DD", "DD.MM.YY", "Mon DD", "FMMonth", "Day", "Dy HH24:MI:SS", "HH12 AM", "Q WW IW IYYY", "DDD J", "MS US", "FMDD FMMM", "YYYYMMDD\"T\"HH24MI", "month MONTH", "D ID"))
	case 16:
		return f("to_char(%s, '%s')", e(oneOf(g, ints, decimals)), oneOf(g, "999999", "000.00", "FM999,999.00", "S9999", "9999MI", "FM0009", "99.9", "999999.99", "99D99"))
	case 17:
		return f("regexp_replace(%s, '%s', '%s'%s)", e(strs), oneOf(g, "[a-c]", "a.", "^.", "(a)(b)", "\\\\s+", "[^a-z]"), oneOf(g, "", "#", "<\\\\1>", "\\\\&\\\\&"), oneOf(g, "", ", 'g'", ", 'i'", ", 'gi'"))
	case 18:
		return f("(%s ->> '%s')", e(jsons), oneOf(g, "a", "b", "bb"))
	case 19:
		return f("(%s #>> '{%s}')", e(jsons), oneOf(g, "a", "b,2,c", "0", "1"))
	case 20:
		return f("jsonb_typeof(%s)", e(jsons))
	case 21:
		return f("to_hex(%s)", g.leaf(ints)+"::BIGINT")
	case 22:
		return f("chr(97 + abs(%s))", g.small())
	case 23:
		return f("array_to_string(string_to_array(%s, %s), %s%s)", e(strs), oneOf(g, "','", "'a'", "NULL"), oneOf(g, "'-'", "''"), oneOf(g, "", ", '*'"))
	case 24:
		return f("encode(sha256(%s::BYTEA), '%s')", oneOf(g, "'a'", "''", "'xyz'"), oneOf(g, "hex", "base64"))
	case 25:
		return f("btrim(%s, %s)", e(strs), oneOf(g, "'a'", "' x'", "''"))
	case 26:
		return f("trim(%s %s FROM %s)", oneOf(g, "BOTH", "LEADING", "TRAILING"), oneOf(g, "'a'", "' '", "'bc'"), e(strs))
	case 27:
		return f("coalesce(substring(%s FROM '%s'), 'none')", e(strs), oneOf(g, "[a-c]+", "(.)b", "^x", "a(.*)"))
	}
	return f("%s(%s)", oneOf(g, "lower", "upper"), e(strs))
}

// named is a text that is none of NULL and nothing, for %I.
func (g *writer) named(e func(kind) string) string { return "('x' || coalesce(" + e(strs) + ", ''))" }

func (g *writer) condition(depth int) string {
	e := func(k kind) string { return g.expr(k, depth-1) }
	f := fmt.Sprintf
	k := oneOf(g, sorts...)
	op := oneOf(g, "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
	not := oneOf(g, "", "", "NOT ")
	switch g.IntN(24) {
	case 0, 1:
		return f("(%s AND %s)", e(bools), e(bools))
	case 2, 3:
		return f("(%s OR %s)", e(bools), e(bools))
	case 4:
		return f("(NOT %s)", e(bools))
	case 5:
		return f("(%s IS %sNULL)", e(oneOf(g, append(sorts, jsons, spans)...)), not)
	case 6:
		return f("(%s %sBETWEEN %s%s AND %s)", e(k), not, oneOf(g, "", "", ""), e(k), e(k))
	case 7:
		return f("(%s %sIN (%s, %s, %s))", e(k), not, g.literal(k), g.literal(k), e(k))
	case 8:
		return f("(%s %s (ARRAY[%s, %s]))", e(oneOf(g, ints)), oneOf(g, "= ANY", "<> ALL", "> ANY", "<= ALL"), g.literal(ints)+"::BIGINT", e(ints))
	case 9:
		return f("(%s %s%s %s)", e(strs), not, oneOf(g, "LIKE", "ILIKE"), oneOf(g, "'a%'", "'%b'", "'_'", "'%\\_%'", "''", "'%W%f'", "'Ä%'"))
	case 10:
		return f("(%s %s '%s')", e(strs), oneOf(g, "~", "!~", "~*", "!~*"), oneOf(g, "^a", "b$", "[0-9]+", "w.lf", "^$", "a|x"))
	case 11:
		return f("(%s %s %s)", e(oneOf(g, ints, doubles, decimals)), oneOf(g, "=", "<", ">="), e(oneOf(g, ints, doubles, decimals)))
	case 12:
		return f("(%s %s %s)", e(oneOf(g, days, times)), oneOf(g, "=", "<", ">="), e(oneOf(g, days, times)))
	case 13:
		return f("(%s %s %s)", e(spans), oneOf(g, "=", "<", ">="), e(spans))
	case 14:
		return f("(%s %s %s)", e(jsons), oneOf(g, "@>", "<@", "="), g.literal(jsons))
	case 15:
		return f("(%s ? '%s')", e(jsons), oneOf(g, "a", "b", "x"))
	case 16:
		return f("starts_with(%s, %s)", e(strs), g.literal(strs))
	case 17, 18:
		if g.nested < 2 {
			return g.subquery(k, not, e)
		}
	case 19:
		return f("(%s IS %s%s)", e(bools), not, oneOf(g, "TRUE", "FALSE", "UNKNOWN"))
	case 20:
		return f("((%s, %s) %s (%s, %s))", e(ints), e(strs), oneOf(g, "=", "<", ">=", "<>"), e(ints), e(strs))
	}
	return f("(%s %s %s)", e(k), op, e(k))
}

// within makes a query in the one being made. Beside FROM it sees the columns around it.
func (g *writer) within(sees bool, f func() string) string {
	scope, around := g.scope, g.around
	if sees {
		g.around = append(slices.Clone(scope), around...)
	} else {
		g.around = nil
	}
	g.nested++
	s := f()
	g.nested--
	g.scope, g.around = scope, around
	return s
}

func (g *writer) scalar(k kind) string {
	return g.within(true, func() string {
		from := g.from(1)
		where := g.where(1)
		around := g.around
		g.around = nil // an aggregate of columns around would be theirs
		arg := g.expr(k, 1)
		g.around = around
		switch g.IntN(4) {
		case 0:
			return fmt.Sprintf("(SELECT %s FROM %s%s ORDER BY %s LIMIT 1)", arg, from, where, g.every())
		case 1:
			if k == ints {
				return fmt.Sprintf("(SELECT count(%s) FROM %s%s)", arg, from, where)
			}
		}
		return fmt.Sprintf("(SELECT %s(%s) FROM %s%s)", oneOf(g, "min", "max"), arg, from, where)
	})
}

func (g *writer) subquery(k kind, not string, e func(kind) string) string {
	x := e(k)
	return g.within(true, func() string {
		from := g.from(1)
		switch g.IntN(4) {
		case 0, 1:
			return fmt.Sprintf("(%sEXISTS (SELECT 1 FROM %s%s))", not, from, g.where(2))
		case 2:
			return fmt.Sprintf("(%s %s (SELECT %s FROM %s%s))", x, oneOf(g, "= ANY", "<> ALL"), g.expr(k, 1), from, g.where(1))
		}
		return fmt.Sprintf("(%s %sIN (SELECT %s FROM %s%s))", x, not, g.expr(k, 1), from, g.where(1))
	})
}

func (g *writer) where(depth int) string {
	if g.one(4) {
		return ""
	}
	if len(g.around) > 0 && g.one(2) {
		k := oneOf(g, ints, strs, days)
		return fmt.Sprintf(" WHERE %s = %s AND %s", g.column(g.scope, k), g.column(g.around, k), g.condition(depth))
	}
	return " WHERE " + g.condition(depth)
}

// column is a column of a type, or a literal.
func (g *writer) column(of []variable, k kind) string {
	for range 20 {
		if v := oneOf(g, of...); v.kind == k {
			return v.name
		}
	}
	return g.literal(k)
}

// every is an order by all columns in scope that have one.
func (g *writer) every() string {
	var out []string
	for _, v := range g.scope {
		if slices.Contains(sorts, v.kind) {
			out = append(out, v.name)
		}
	}
	if len(out) == 0 {
		return "1"
	}
	return strings.Join(out, ", ")
}

// from is what a query reads; its columns come into scope.
func (g *writer) from(most int) string {
	g.scope = nil
	item := func(lateral bool) string {
		g.names++
		alias := fmt.Sprintf("q%d", g.names)
		columns := wideColumns
		var text string
		switch k := g.IntN(14); {
		case k == 0:
			text, columns = fmt.Sprintf("generate_series(%d, %d) AS %s(n)", g.IntN(3), 2+g.IntN(4), alias), []variable{{"n", ints}}
		case k == 1:
			text, columns = fmt.Sprintf("(VALUES (1::BIGINT, 'a'::TEXT), (2, 'b'), (NULL, 'c')) AS %s(n, s)", alias), []variable{{"n", ints}, {"s", strs}}
		case k == 2:
			text, columns = fmt.Sprintf("unnest(ARRAY[%s, %s, 7]) AS %s(n)", oneOf(g, "1", "2"), oneOf(g, "3", "NULL"), alias), []variable{{"n", ints}}
		case k == 13 && g.one(2):
			text, columns = g.sideBySide(alias)
		case k < 6 && g.nested < 2:
			scope := g.scope
			q, cs := g.derived(lateral)
			g.scope = scope
			text, columns = fmt.Sprintf("%s(%s) AS %s", map[bool]string{true: "LATERAL "}[lateral], q, alias), cs
		default:
			text = oneOf(g, "wa", "wb", "wc", "va", "ta") + oneOf(g, " AS ", " ") + alias
		}
		for _, c := range columns {
			g.scope = append(g.scope, variable{alias + "." + c.name, c.kind})
		}
		return text
	}
	s := item(false)
	for n := 1; n < most && g.one(2); n++ {
		left := slices.Clone(g.scope)
		switch g.IntN(6) {
		case 0:
			s += " CROSS JOIN " + item(true)
		case 1:
			s += " LEFT JOIN " + item(true) + " ON TRUE"
		case 2:
			s += " JOIN " + item(true)
			s += " ON " + g.condition(1)
		default:
			right := item(false)
			k := oneOf(g, ints, ints, ints, strs, days)
			on := g.column(left, k) + " = " + g.column(g.scope[len(left):], k)
			kind := oneOf(g, "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT OUTER JOIN", "INNER JOIN")
			if kind[0] != 'F' && g.one(3) {
				on += " AND " + g.condition(1)
			}
			if kind[0] == 'F' && (strings.Count(on, ".") != 2 || strings.Contains(on, "'")) {
				kind = "LEFT JOIN" // FULL JOIN there wants columns of both sides
			}
			s += " " + kind + " " + right + " ON " + on
		}
	}
	return s
}

// derived is a query for FROM and its columns.
func (g *writer) derived(lateral bool) (string, []variable) {
	var columns []variable
	q := g.within(lateral, func() string {
		from := g.from(2)
		var items []string
		for i := range 1 + g.IntN(3) {
			k := oneOf(g, sorts...)
			if i == 0 {
				k = ints
			}
			columns = append(columns, variable{fmt.Sprintf("e%d", i), k})
			items = append(items, fmt.Sprintf("%s AS e%d", g.typed(k, 2), i))
		}
		return "SELECT " + oneOf(g, "", "", "DISTINCT ") + strings.Join(items, ", ") + " FROM " + from + g.where(1)
	})
	return q, columns
}

// typed is an expression whose type is that of k in both languages, and no INT for a BIGINT.
func (g *writer) typed(k kind, depth int) string {
	return "(" + g.expr(k, depth) + ")::" + typeName[k]
}

// query is a random query and whether its rows come in a certain order.
func (g *writer) query() (string, bool) {
	g.names, g.nested, g.around = 0, 0, nil
	if g.one(8) {
		q, cs := g.derived(false)
		g.scope = nil
		for _, c := range cs {
			g.scope = append(g.scope, variable{"w." + c.name, c.kind})
		}
		s, ordered := g.core("w")
		return "WITH w AS (" + q + ") " + s, ordered
	}
	return g.core(g.from(3))
}

func (g *writer) core(from string) (string, bool) {
	depth := g.IntN(4)
	where := g.where(depth)
	switch g.IntN(7) {
	case 0, 1:
		return g.grouped(from, where)
	case 2:
		return g.windowed(from, where)
	case 3:
		return g.combined(from, where)
	case 4:
		k := g.column(g.scope, oneOf(g, sorts...))
		if strings.Contains(k, ".") && !strings.Contains(k, "'") {
			return fmt.Sprintf("SELECT DISTINCT ON (%s) %s, %s FROM %s%s ORDER BY %s%s, %s", k, k, g.every(), from, where, k, oneOf(g, "", " DESC", " NULLS FIRST"), g.every()), true
		}
	}
	var items []string
	plain := true
	for i := range 1 + g.IntN(4) {
		k := oneOf(g, sorts...)
		if g.one(5) {
			k, plain = oneOf(g, jsons, spans), false
		}
		items = append(items, fmt.Sprintf("%s AS c%d", g.expr(k, depth), i+1))
	}
	s := "SELECT " + map[bool]string{true: oneOf(g, "", "", "", "DISTINCT ")}[plain] + strings.Join(items, ", ") + " FROM " + from + where
	if !plain {
		return s, false
	}
	return g.order(s, len(items))
}

// combined is a query of several SELECTs.
func (g *writer) combined(from, where string) (string, bool) {
	n := 1 + g.IntN(3)
	kinds := make([]kind, n)
	for i := range kinds {
		kinds[i] = oneOf(g, sorts...)
	}
	list := func() string {
		var items []string
		for i, k := range kinds {
			items = append(items, fmt.Sprintf("%s AS c%d", g.typed(k, g.IntN(2)), i+1))
		}
		return strings.Join(items, ", ")
	}
	s := "SELECT " + list() + " FROM " + from + where
	for range 1 + g.IntN(2) {
		s += oneOf(g, " UNION ", " UNION ALL ", " EXCEPT ", " EXCEPT ALL ", " INTERSECT ", " INTERSECT ALL ")
		g.around = nil
		f := g.from(1)
		s += "SELECT " + list() + " FROM " + f + g.where(1)
	}
	return g.order(s, n)
}

func (g *writer) grouped(from, where string) (string, bool) {
	var items, keys []string
	for range g.IntN(3) {
		k := g.column(g.scope, oneOf(g, sorts...))
		if strings.Contains(k, "'") || !strings.Contains(k, ".") {
			continue
		}
		if g.one(3) && !slices.Contains(keys, k) {
			for _, v := range g.scope {
				if v.name == k && v.kind == times {
					k = "date_trunc('month', " + k + ")"
				} else if v.name == k && v.kind == strs {
					k = "lower(" + k + ")"
				}
			}
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
			items = append(items, fmt.Sprintf("%s AS c%d", k, len(items)+1))
		}
	}
	for range 1 + g.IntN(3) {
		items = append(items, fmt.Sprintf("%s AS c%d", g.aggregate(), len(items)+1))
	}
	s := "SELECT " + strings.Join(items, ", ") + " FROM " + from + where
	if len(keys) > 0 {
		by := slices.Clone(keys)
		for i := range by {
			if g.one(3) {
				by[i] = strconv.Itoa(i + 1)
			}
		}
		s += " GROUP BY " + strings.Join(by, ", ")
	}
	if g.one(4) {
		s += " HAVING " + oneOf(g, "count(*) > 1", "max("+g.leaf(ints)+") > 0", "bool_or("+g.condition(1)+")", "min("+g.leaf(strs)+") IS NOT NULL")
	}
	return g.order(s, len(items))
}

func (g *writer) aggregate() string {
	f := fmt.Sprintf
	x := func(k kind) string { return g.expr(k, 1) }
	k := oneOf(g, sorts...)
	for k == bools {
		k = oneOf(g, sorts...)
	}
	var s string
	switch g.IntN(19) {
	case 0:
		s = "count(*)"
	case 1:
		s = f("count(%s)", x(k))
	case 2:
		return f("count(DISTINCT %s)", x(k))
	case 3, 4:
		s = f("%s(%s)", oneOf(g, "min", "max"), x(k))
	case 5, 6:
		s = f("%s(%s)", oneOf(g, "sum", "avg"), x(oneOf(g, ints, decimals))) // the last digit of a sum of doubles, by which rows are ordered, hangs on their order
	case 7:
		return f("sum(DISTINCT %s)", x(oneOf(g, ints, decimals)))
	case 8:
		s = f("%s(%s)", oneOf(g, "bool_and", "bool_or", "every"), x(bools))
	case 9:
		v := x(strs)
		s = f("string_agg(%s, '%s' ORDER BY %s%s)", v, oneOf(g, ",", ""), v, oneOf(g, "", " DESC"))
	case 10:
		return f("string_agg(DISTINCT %s, '|')", x(strs))
	case 11:
		s = f("%s(%s)", oneOf(g, "stddev", "variance", "var_pop", "stddev_pop", "stddev_samp", "var_samp"), x(oneOf(g, ints, decimals)))
	case 12:
		return f("percentile_%s(%s) WITHIN GROUP (ORDER BY %s)", "cont", oneOf(g, "0.5", "0.25", "0", "1"), x(doubles))
	case 13:
		return f("percentile_disc(%s) WITHIN GROUP (ORDER BY %s)", oneOf(g, "0.5", "0.1", "1"), x(k))
	case 14:
		return f("mode() WITHIN GROUP (ORDER BY %s)", x(k))
	case 15:
		s = f("%s(%s)", oneOf(g, "bit_and", "bit_or"), x(ints))
	case 16:
		s = f("regr_count(%s, %s)", x(doubles), x(doubles))
	case 17:
		v := x(oneOf(g, ints, strs))
		s = f("jsonb_agg(%s ORDER BY %s)", v, v)
	default:
		s = f("sum(%s)", x(spans))
	}
	if g.one(5) {
		s += " FILTER (WHERE " + g.condition(1) + ")"
	}
	return s
}

func (g *writer) windowed(from, where string) (string, bool) {
	var items []string
	for i := range 1 + g.IntN(2) {
		over := "("
		if g.one(2) {
			over += "PARTITION BY " + g.column(g.scope, oneOf(g, sorts...)) + " "
		}
		certain := "ORDER BY " + g.every()
		if g.one(3) {
			certain = "ORDER BY " + g.column(g.scope, oneOf(g, sorts...)) + oneOf(g, " DESC", " NULLS FIRST", " ASC") + ", " + g.every()
		}
		var call string
		switch g.IntN(6) {
		case 0:
			call = oneOf(g, "rank()", "dense_rank()", "percent_rank()", "cume_dist()")
			over += "ORDER BY " + g.column(g.scope, oneOf(g, sorts...)) + oneOf(g, "", " DESC") + ")"
		case 1:
			call = fmt.Sprintf("%s(%s, %s)", oneOf(g, "lag", "lead"), g.expr(oneOf(g, sorts...), 1), oneOf(g, "1", "2", "0"))
			over += certain + ")"
		case 2:
			call = fmt.Sprintf("%s(%s)", oneOf(g, "first_value", "last_value"), g.expr(oneOf(g, sorts...), 1))
			over += certain + oneOf(g, "", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " GROUPS 1 PRECEDING") + ")"
		case 3:
			k := oneOf(g, ints)
			call = oneOf(g, "count(*)", "sum("+g.leaf(ints)+")", "max("+g.leaf(strs)+")")
			over += "ORDER BY " + g.column(g.scope, k) + oneOf(g, "", " DESC") + " RANGE BETWEEN " + map[kind]string{days: "INTERVAL '1 mon'", times: "INTERVAL '10 days'", decimals: "1.5::NUMERIC", ints: "2"}[k] + " PRECEDING AND " + oneOf(g, "CURRENT ROW", "UNBOUNDED FOLLOWING") + ")"
		default:
			call = oneOf(g, "sum("+g.leaf(ints)+")", "avg("+g.leaf(decimals)+")", "count("+g.leaf(strs)+")", "min("+g.leaf(days)+")", "max("+g.leaf(times)+")", "string_agg("+g.leaf(strs)+", ',')", "bool_and("+g.leaf(bools)+")")
			over += certain + oneOf(g, "", " ROWS 2 PRECEDING", " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING") + ")"
		}
		items = append(items, fmt.Sprintf("%s OVER %s AS c%d", call, over, i+1))
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM " + from + where, false
}

// order adds ORDER BY, by all columns so that it is certain, and what follows it.
func (g *writer) order(s string, n int) (string, bool) {
	if g.one(3) {
		return s, false
	}
	var by []string
	for _, c := range g.Perm(n) {
		by = append(by, oneOf(g, fmt.Sprintf("c%d", c+1), strconv.Itoa(c+1))+oneOf(g, "", "", " DESC", " ASC", " NULLS FIRST", " DESC NULLS LAST"))
	}
	s += " ORDER BY " + strings.Join(by, ", ")
	return s + oneOf(g, "", "", " LIMIT 3", " LIMIT 10 OFFSET 2", " OFFSET 1", " LIMIT 0", " FETCH FIRST 2 ROWS ONLY"), true
}

var (
	randomStatements = flag.Int("random.statements", 200, "how many random statements are compared with PostgreSQL")
	randomSeed       = flag.Uint64("random.seed", 1, "seed of the first of their tables")
)

// TestRandomStatements asks PostgreSQL itself and tables of the store the same random questions.
func TestRandomStatements(t *testing.T) {
	for name, s := range map[string]*server{"PGlite": &pglite, "PostgreSQL": &installed} {
		t.Run(name, func(t *testing.T) {
			d, c := open(t, s.at(t), nil)
			session, err := d.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			n, seed := *randomStatements, *randomSeed
			switch {
			case os.Getenv("LUPA_SOAK") != "":
				n, seed = 30000, 1000
			case name == "PGlite":
				n /= 8
			}
			failed, asked, refused := 0, 0, 0
			for ; n > 0 && failed < 10; seed++ {
				g := &writer{Rand: rand.New(rand.NewPCG(seed, 99))}
				g.tables(t, session, c)
				for range min(n, 200) {
					n--
					sql, ordered := "", false
					changes := false
					switch g.IntN(20) {
					case 0:
						sql = g.recursive()
					case 1, 2:
						sql = g.sets()
					case 3:
						sql = g.rowsOf()
					case 4, 5:
						sql, changes = g.change(), true
					case 6:
						sql, changes = g.changeBeside(), true
					default:
						sql, ordered = g.query()
					}
					asked++
					want, err1 := theirRows(c, sql)
					got, err2 := ourRows(session, sql)
					if err1 != nil && err2 != nil {
						refused++
						continue
					}
					for _, table := range []string{"wa", "wb", "wc", "ta"} {
						if !changes || err1 != nil || err2 != nil {
							break
						}
						all := "SELECT * FROM " + table
						a, _ := theirRows(c, all)
						b, _ := ourRows(session, all)
						for _, x := range a {
							want = append(want, append([]string{table}, x...))
						}
						for _, x := range b {
							got = append(got, append([]string{table}, x...))
						}
					}
					if !ordered {
						slices.SortFunc(want, slices.Compare)
						slices.SortFunc(got, slices.Compare)
					}
					if err1 == nil && err2 == nil && slices.EqualFunc(want, got, sameRow) {
						continue
					}
					t.Errorf("seed %d: %s\nhere: %v\nPostgreSQL: %v\n%s", seed, sql, err2, err1, firstDifference(got, want))
					if failed++; failed == 10 {
						break
					}
				}
			}
			t.Logf("%d statements, of which both refuse %d", asked, refused)
			if refused > asked/10 {
				t.Errorf("both refuse %d of %d statements", refused, asked)
			}
		})
	}
}

// tables makes the same tables here and there.
func (g *writer) tables(t *testing.T, d *db.Conn, c *pgx.Conn) {
	t.Helper()
	both := func(sql string) {
		t.Helper()
		if _, err := d.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if _, err := c.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	both("DROP VIEW IF EXISTS va")
	for _, name := range []string{"wa", "wb", "wc", "ta"} {
		sql := "DROP TABLE IF EXISTS " + name + "; CREATE " + map[bool]string{true: "TEMP "}[name == "ta"] + "TABLE " + name + " (" + wideTable + ")"
		if n := oneOf(g, 0, 1, 5, 12, 25); n > 0 {
			var rows []string
			for id := range n {
				row := strconv.Itoa(id + 1)
				for _, v := range wideColumns[1:] {
					x := g.literal(v.kind)
					for v.kind == decimals && len(x) > 24 {
						x = g.literal(v.kind)
					}
					row += ", " + x
				}
				rows = append(rows, "("+row+")")
			}
			sql += "; INSERT INTO " + name + " VALUES " + strings.Join(rows, ", ")
		}
		both(sql)
	}
	both("CREATE VIEW va AS SELECT * FROM " + oneOf(g, "wa", "wb") + " WHERE " + oneOf(g, "id > 2", "i IS NOT NULL", "b") + oneOf(g, "", " UNION ALL SELECT * FROM wc"))
}

// theirRows are PostgreSQL's rows as texts.
func theirRows(c *pgx.Conn, sql string) ([][]string, error) {
	rs, err := c.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, row := range rs[0].Rows {
		var line []string
		for i, v := range row {
			switch {
			case v == nil:
				line = append(line, "NULL")
			case rs[0].FieldDescriptions[i].DataTypeOID == 16: // BOOLEAN
				line = append(line, map[string]string{"t": "true", "f": "false"}[string(v)])
			default:
				line = append(line, string(v))
			}
		}
		out = append(out, line)
	}
	return out, nil
}

func ourRows(d interface {
	Query(context.Context, string, ...any) (*db.Rows, error)
}, sql string) (out [][]string, err error) {
	defer func() {
		if p := recover(); p != nil { // said with the statement
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	r, err := d.Query(context.Background(), sql)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		var line []string
		for _, v := range r.Values() {
			line = append(line, v.String())
		}
		out = append(out, line)
	}
	return out, r.Err()
}

// sameRow says whether rows are the same, numbers as far as sums in another order and other
// libraries of mathematics agree.
func sameRow(a, b []string) bool {
	return slices.EqualFunc(a, b, func(a, b string) bool {
		if a == b {
			return true
		}
		x, err1 := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		return err1 == nil && err2 == nil && (math.Abs(x-y) <= 1e-9*max(1, math.Abs(x)) || math.IsNaN(x) && math.IsNaN(y))
	})
}

func firstDifference(here, there [][]string) string {
	for i := range min(len(here), len(there)) {
		if !sameRow(here[i], there[i]) {
			return fmt.Sprintf("row %d\nhere  %q\nthere %q", i+1, here[i], there[i])
		}
	}
	return fmt.Sprintf("%d rows here, %d there", len(here), len(there))
}
