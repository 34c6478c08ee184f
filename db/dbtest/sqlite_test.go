package dbtest_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
)

// The differential test: random tables and random statements, run by this
// engine and by SQLite, have to give the same. Where the two languages differ,
// the generator writes each statement in both (see pair), and leaves out what
// has no counterpart. Where they differ on purpose:
//
//   - NULLs: PostgreSQL's order is last in ASC, first in DESC; SQLite's the other
//     way round. SQLite gets NULLS FIRST or LAST spelt out.
//   - Division by zero is an error here and NULL in SQLite: divisors are literals.
//   - Integer overflow is an error here and a REAL in SQLite: numbers are small.
//   - LIKE heeds the case of letters (SQLite: PRAGMA case_sensitive_like), ILIKE does
//     not (SQLite: LIKE of lower()), backslash escapes (none is used).
//   - Booleans are a type here, 0 and 1 in SQLite.
//   - A scalar subquery of several rows is an error here; SQLite takes the first.
//   - CAST of REAL to INTEGER rounds here and truncates in SQLite; to TEXT, 2.0 is
//     '2' here and '2.0' there. Casts of INTEGER are compared.
//   - GROUP BY a name means a column of that name, if there is one, before an
//     alias; in SQLite the alias. No alias has the name of a column.
//   - SQLite compares values of any types with each other; here that is an error.
var (
	diffQueries = flag.Int("diff.queries", 1500, "how many random queries are compared with SQLite")
	diffRules   = flag.Int("diff.rules", 25, "of how many queries one is run with each rule of the planner switched off")
	diffSeed    = flag.Uint64("diff.seed", 1, "seed of the random tables and statements")
)

func TestSQLite(t *testing.T) {
	const perSchema = 150
	sizes := []int{0, 1, 7, 40, 40, 90, 1500}
	failures, asked := 0, 0
	for i := 0; i*perSchema < *diffQueries; i++ {
		seed := *diffSeed + uint64(i)
		g := &generator{rand: rand.New(rand.NewPCG(seed, 42))}
		size := sizes[seed%uint64(len(sizes))]
		g.large = size > 100
		d := newDiffer(t, g, size)
		for range perSchema {
			if failures >= 15 {
				t.Fatal("too many differences")
			}
			q := g.query()
			if !d.same(t, q) {
				t.Logf("seed %d", seed)
				failures++
			}
			if asked++; asked%*diffRules == 0 && !d.withoutRules(t, q) {
				t.Logf("seed %d", seed)
				failures++
			}
			if g.oneIn(4) && !d.change(t, g.change()) {
				t.Logf("seed %d", seed)
				failures++
				break // the tables are not the same any more
			}
		}
		d.close(t)
	}
}

// pair is a piece of a statement in both languages.
type pair struct{ ours, theirs string }

// both formats a piece; arguments that are pairs give each language its own.
func both(format string, args ...any) pair {
	ours, theirs := make([]any, len(args)), make([]any, len(args))
	for i, a := range args {
		if p, ok := a.(pair); ok {
			ours[i], theirs[i] = p.ours, p.theirs
		} else {
			ours[i], theirs[i] = a, a
		}
	}
	return pair{fmt.Sprintf(format, ours...), fmt.Sprintf(format, theirs...)}
}

// join joins pieces with a separator.
func join(ps []pair, sep string) pair {
	var ours, theirs []string
	for _, p := range ps {
		ours, theirs = append(ours, p.ours), append(theirs, p.theirs)
	}
	return pair{strings.Join(ours, sep), strings.Join(theirs, sep)}
}

// typ is the type of an expression the generator makes.
type typ int

const (
	integers typ = iota
	reals
	texts
	booleans
)

// column is a column that is in scope.
type column struct {
	name string
	typ  typ
}

// generator makes random statements over the tables t, u and v.
type generator struct {
	rand  *rand.Rand
	scope []column
	outer []column // columns of the queries around the one being made
	inner int      // the number of these queries
	depth int      // of its expressions
	large bool     // t has many rows: joins take it once
	alone bool     // subqueries use no columns of the queries around them
}

var tableColumns = []column{{"id", integers}, {"a", integers}, {"b", integers}, {"x", reals}, {"s", texts}, {"f", booleans}}

func (g *generator) oneIn(n int) bool { return g.rand.IntN(n) == 0 }

func pick[T any](g *generator, from ...T) T { return from[g.rand.IntN(len(from))] }

// literal returns a constant of a type; NULL is rare.
func (g *generator) literal(t typ) pair {
	if g.oneIn(12) {
		switch t {
		case integers:
			return both("CAST(NULL AS INTEGER)")
		case reals:
			return both("CAST(NULL AS REAL)")
		case texts:
			return both("CAST(NULL AS TEXT)")
		}
		return both("(1 = NULL)")
	}
	switch t {
	case integers:
		return both("%d", g.rand.IntN(9)-3)
	case reals:
		return both("%s", pick(g, "0.5", "-1.5", "2.0", "0.0", "3.25", "-0.25"))
	case texts:
		return both("'%s'", pick(g, "", "a", "A", "b", "ab", "abc", "Ba", "x_y", "50%", "it''s"))
	}
	return both("%s", pick(g, "TRUE", "FALSE"))
}

// leaf returns a column in scope, or a literal.
func (g *generator) leaf(t typ) pair {
	var fits []column
	for _, c := range g.scope {
		if c.typ == t {
			fits = append(fits, c)
		}
	}
	if g.oneIn(4) {
		for _, c := range g.outer {
			if c.typ == t && g.oneIn(2) {
				return both("%s", c.name)
			}
		}
	}
	if len(fits) == 0 || g.oneIn(5) {
		return g.literal(t)
	}
	return both("%s", pick(g, fits...).name)
}

func (g *generator) anyType() typ { return pick(g, integers, integers, reals, texts, booleans) }

// comparable returns a type whose values have an order worth comparing.
func (g *generator) comparableType() typ { return pick(g, integers, integers, reals, texts) }

// expr returns an expression of a type.
func (g *generator) expr(t typ, depth int) pair {
	if depth <= 0 || g.oneIn(4) {
		return g.leaf(t)
	}
	sub := func(t typ) pair { return g.expr(t, depth-1) }
	switch g.rand.IntN(10) {
	case 0:
		return both("coalesce(%s, %s)", sub(t), sub(t))
	case 1:
		return both("(CASE WHEN %s THEN %s WHEN %s THEN %s ELSE %s END)", sub(booleans), sub(t), sub(booleans), sub(t), sub(t))
	case 2:
		c := g.comparableType()
		return both("(CASE %s WHEN %s THEN %s END)", sub(c), sub(c), sub(t))
	case 3:
		return both("nullif(%s, %s)", sub(t), sub(t))
	case 4:
		if t != booleans && g.inner < 2 && g.oneIn(2) {
			return g.scalar(t)
		}
	}
	switch t {
	case integers:
		switch g.rand.IntN(8) {
		case 0:
			return both("(%s / %d)", sub(t), pick(g, -3, 2, 3, 5))
		case 1:
			return both("(%s %% %d)", sub(t), pick(g, -3, 2, 3, 5))
		case 2:
			return both("(- %s)", sub(t))
		case 3:
			return both("abs(%s)", sub(t))
		case 4:
			if g.oneIn(3) {
				x := sub(texts)
				return pair{fmt.Sprintf("position('b' IN %s)", x.ours), fmt.Sprintf("instr(%s, 'b')", x.theirs)}
			}
			return both("length(%s)", sub(texts))
		case 5:
			return both("(%s * %d)", sub(t), g.rand.IntN(5)-2)
		}
		return both("(%s %s %s)", sub(t), pick(g, "+", "-"), sub(t))
	case reals:
		switch g.rand.IntN(7) {
		case 0:
			return both("(%s / %s)", sub(t), pick(g, "2.0", "-4.0", "0.5"))
		case 1:
			return both("(- %s)", sub(t))
		case 2:
			return both("abs(%s)", sub(t))
		case 3:
			return both("CAST(%s AS REAL)", sub(integers))
		case 4:
			return both("(%s * %s)", sub(t), pick(g, "2.0", "-0.5", "4"))
		case 5:
			return both("%s(%s)", pick(g, "round", "floor", "ceil", "trunc"), sub(t))
		}
		return both("(%s %s %s)", sub(t), pick(g, "+", "-"), sub(pick(g, reals, integers)))
	case texts:
		switch g.rand.IntN(11) {
		case 7:
			return both("%s(%s, %s%d)", pair{"left", "substr"}, sub(t), pair{"", "1, "}, g.rand.IntN(3))
		case 8:
			x, n := sub(t), 1+g.rand.IntN(3)
			return pair{fmt.Sprintf("right(%s, %d)", x.ours, n), fmt.Sprintf("substr(%s, max(1, length(%s) - %d))", x.theirs, x.theirs, n-1)}
		case 9:
			return both("concat_ws('%s', %s, %s)", pick(g, "-", ""), sub(t), sub(t))
		case 10:
			x, from := sub(t), pick(g, "", "l", "r")
			return pair{fmt.Sprintf("trim(%s 'a' FROM %s)", map[string]string{"": "BOTH", "l": "LEADING", "r": "TRAILING"}[from], x.ours), fmt.Sprintf("%strim(%s, 'a')", from, x.theirs)}
		case 0:
			return both("%s(%s)", pick(g, "lower", "upper", "trim"), sub(t))
		case 1:
			return both("substr(%s, %d)", sub(t), 1+g.rand.IntN(3))
		case 2:
			return both("substr(%s, %d, %d)", sub(t), 1+g.rand.IntN(3), g.rand.IntN(3))
		case 3:
			return both("replace(%s, '%s', '%s')", sub(t), pick(g, "a", "b", "ab"), pick(g, "", "a", "zz"))
		case 4:
			return both("CAST(%s AS TEXT)", sub(integers))
		}
		return both("(%s || %s)", sub(t), sub(t))
	}
	return g.condition(depth)
}

// condition returns a boolean expression with an operator.
func (g *generator) condition(depth int) pair {
	sub := func(t typ) pair { return g.expr(t, depth-1) }
	c := g.comparableType()
	not := pick(g, "", "", "NOT ")
	switch g.rand.IntN(14) {
	case 0, 1:
		return both("(%s AND %s)", sub(booleans), sub(booleans))
	case 2, 3:
		return both("(%s OR %s)", sub(booleans), sub(booleans))
	case 4:
		return both("(NOT %s)", sub(booleans))
	case 5:
		return both("(%s IS %sNULL)", sub(g.anyType()), not)
	case 6:
		return both("(%s %sBETWEEN %s AND %s)", sub(c), not, sub(c), sub(c))
	case 7:
		var list []pair
		for range 1 + g.rand.IntN(4) {
			list = append(list, g.literal(c))
		}
		if g.oneIn(3) {
			list = append(list, both("NULL"))
		}
		if g.oneIn(3) {
			x, word := sub(c), pick(g, [2]string{"=", "ANY"}, [2]string{"<>", "ALL"})
			not = map[string]string{"ALL": "NOT "}[word[1]]
			return pair{fmt.Sprintf("(%s %s %s (ARRAY[%s]))", x.ours, word[0], word[1], join(list, ", ").ours), fmt.Sprintf("(%s %sIN (%s))", x.theirs, not, join(list, ", ").theirs)}
		}
		return both("(%s %sIN (%s))", sub(c), not, join(list, ", "))
	case 8:
		pattern := pick(g, "'a%'", "'%b'", "'%a%'", "'_'", "'a_c'", "'%'", "''", "'A%'")
		if g.oneIn(3) {
			x := sub(texts)
			return pair{fmt.Sprintf("(%s %sILIKE %s)", x.ours, not, pattern), fmt.Sprintf("(lower(%s) %sLIKE %s)", x.theirs, not, strings.ToLower(pattern))}
		}
		if g.oneIn(4) {
			return both("(%s %sLIKE '%%!%%' ESCAPE '!')", sub(texts), not)
		}
		return both("(%s %sLIKE %s)", sub(texts), not, pattern)
	case 9:
		return both("(%s IS %sDISTINCT FROM %s)", sub(c), not, sub(c))
	case 10:
		return both("(%s IS %s%s)", sub(booleans), not, pick(g, "TRUE", "FALSE"))
	case 11:
		if g.inner < 2 {
			return g.subqueryCondition(c, not, depth)
		}
	}
	if c != texts && g.oneIn(3) { // numbers of both types
		return both("(%s %s %s)", sub(integers), pick(g, "=", "<>", "<", "<=", ">", ">="), sub(reals))
	}
	return both("(%s %s %s)", sub(c), pick(g, "=", "<>", "<", "<=", ">", ">="), sub(c))
}

// nested runs f for a query within the one being made. Within an expression it
// sees the columns of the queries around it, in FROM not those beside it.
func (g *generator) nested(inExpression bool, f func() pair) pair {
	scope, outer := g.scope, g.outer
	if inExpression && !g.alone {
		g.outer = append(slices.Clone(scope), outer...)
	}
	g.inner++
	p := f()
	g.inner--
	g.scope, g.outer = scope, outer
	return p
}

// without runs f where no column of a query around is in sight: an aggregate of
// those only would be one of that query, which is an error here.
func (g *generator) without(f func() pair) pair {
	outer := g.outer
	g.outer = nil
	p := f()
	g.outer = outer
	return p
}

// scalar returns a subquery with one row at most.
func (g *generator) scalar(t typ) pair {
	return g.nested(true, func() pair {
		from := g.from(1)
		where := g.where(1)
		arg := g.without(func() pair { return g.expr(t, 1) })
		if g.oneIn(6) { // the row of a key
			g.scope = nil
			q := both("SELECT %s FROM %s AS k WHERE k.id = %s", both("k.%s", tableColumns[map[typ]int{integers: 1, reals: 3, texts: 4}[t]].name), pick(g, "t", "u", "v"), g.expr(integers, 1))
			return both("(%s)", q)
		}
		if g.oneIn(5) && len(g.outer) > 0 { // the first by an order
			return both("(SELECT %s FROM %s%s ORDER BY %s LIMIT 1)", arg, from, where, g.key())
		}
		if g.oneIn(3) && t == integers {
			return both("(SELECT count(*) FROM %s%s)", from, where)
		}
		return both("(SELECT %s(%s) FROM %s%s)", pick(g, "min", "max"), arg, from, where)
	})
}

func (g *generator) subqueryCondition(c typ, not string, depth int) pair {
	if g.oneIn(3) {
		return g.nested(true, func() pair {
			return both("(%sEXISTS (SELECT 1 FROM %s%s))", not, g.from(1), g.where(2))
		})
	}
	x := g.expr(c, depth-1)
	q := g.nested(true, func() pair {
		from := g.from(1)
		return both("SELECT %s FROM %s%s", g.expr(c, 1), from, g.where(2))
	})
	return both("(%s %sIN (%s))", x, not, q)
}

func (g *generator) where(depth int) pair {
	if len(g.outer) > 0 && g.oneIn(2) {
		t := pick(g, integers, integers, integers, texts, reals)
		on := both("%s = %s", columnOf(g, g.scope, t), columnOf(g, g.outer, t))
		switch g.rand.IntN(4) {
		case 0:
			on = both("%s AND %s", on, g.expr(booleans, depth-1))
		case 1:
			c := g.comparableType()
			on = both("%s AND %s %s %s", on, columnOf(g, g.scope, c), pick(g, "<", ">=", "<>"), columnOf(g, g.outer, c))
		}
		return both(" WHERE %s", on)
	}
	if g.oneIn(3) {
		return pair{}
	}
	return both(" WHERE %s", g.expr(booleans, depth))
}

// from returns what a query reads, and puts its columns into scope.
func (g *generator) from(most int) pair {
	g.scope = nil
	n := 0
	table := func() pair {
		n++
		alias := fmt.Sprintf("q%d%d", g.inner, n)
		columns := tableColumns
		name := pick(g, "t", "u", "v")
		if g.large && n > 1 {
			name = pick(g, "u", "v")
		}
		p := both("%s AS %s", name, alias)
		if g.inner < 2 && g.oneIn(6) && !(g.large && n > 1) {
			outer := g.scope
			q, cols := g.derived()
			g.scope = outer
			p, columns = both("(%s) AS %s", q, alias), cols
		}
		for _, c := range columns {
			g.scope = append(g.scope, column{alias + "." + c.name, c.typ})
		}
		return p
	}
	p := table()
	for n < most && g.oneIn(2) {
		left := slices.Clone(g.scope)
		right := table()
		added := g.scope[len(left):]
		switch kind := g.rand.IntN(5); kind {
		case 0:
			p = both("%s CROSS JOIN %s", p, right)
		default:
			on := both("%s = %s", columnOf(g, left, integers), columnOf(g, added, integers))
			if g.oneIn(3) {
				on = both("%s AND %s", on, g.expr(booleans, 1))
			}
			p = both("%s %s %s ON %s", p, pick(g, "JOIN", "LEFT JOIN"), right, on)
		}
	}
	return p
}

// key returns keys that put the rows of what is in scope into a certain order, as
// far as their values tell.
func (g *generator) key() pair {
	var ours, theirs []string
	for _, c := range g.scope {
		ours, theirs = append(ours, c.name), append(theirs, c.name+" NULLS LAST")
	}
	return pair{strings.Join(ours, ", "), strings.Join(theirs, ", ")}
}

// columnOf returns a column of a type, or a literal.
func columnOf(g *generator, scope []column, t typ) pair {
	all := g.scope
	g.scope = scope
	defer func() { g.scope = all }()
	for range 5 {
		if c := pick(g, scope...); c.typ == t {
			return both("%s", c.name)
		}
	}
	return g.leaf(t)
}

// derived returns a query for FROM and its columns.
func (g *generator) derived() (pair, []column) {
	var columns []column
	q := g.nested(false, func() pair {
		from := g.from(2)
		var items []pair
		for i := range 2 + g.rand.IntN(3) {
			t := g.anyType()
			if i == 0 {
				t = integers
			}
			columns = append(columns, column{fmt.Sprintf("d%d", i+1), t})
			items = append(items, both("%s AS d%d", g.expr(t, min(g.depth, 2)), i+1))
		}
		return both("SELECT %s%s FROM %s%s", pick(g, "", "", "DISTINCT "), join(items, ", "), from, g.where(min(g.depth, 2)))
	})
	return q, columns
}

// statement is a query with what is known of its answer.
type statement struct {
	pair
	ordered bool // the rows come in a certain order
}

// query returns a random query.
func (g *generator) query() statement {
	g.scope, g.inner, g.depth = nil, 0, g.rand.IntN(4)
	var with pair
	var s statement
	if g.oneIn(8) {
		q, columns := g.derived()
		with = both("WITH w AS (%s) ", q)
		g.scope = nil
		for _, c := range columns {
			g.scope = append(g.scope, column{"w." + c.name, c.typ})
		}
		s = g.core(both("w"))
	} else {
		from := g.from(3)
		s = g.core(from)
	}
	s.pair = both("%s%s", with, s.pair)
	return s
}

// core returns a query over what is in scope.
func (g *generator) core(from pair) statement {
	where := g.where(g.depth)
	if g.oneIn(4) {
		return g.windows(from, where)
	}
	if g.oneIn(2) {
		return g.grouped(from, where)
	}
	n := 1 + g.rand.IntN(4)
	var items, types = []pair{}, []typ{}
	for i := range n {
		types = append(types, g.anyType())
		items = append(items, both("%s AS c%d", g.expr(types[i], g.depth), i+1))
	}
	q := both("SELECT %s%s FROM %s%s", pick(g, "", "", "", "DISTINCT "), join(items, ", "), from, where)
	if g.oneIn(6) {
		items = nil
		for i, t := range types {
			items = append(items, both("%s AS c%d", g.expr(t, 1), i+1))
		}
		q = both("%s %s SELECT %s FROM %s", q, pick(g, "UNION ALL", "UNION ALL", "UNION"), join(items, ", "), from)
	}
	return g.order(q, n)
}

// grouped returns a query with aggregates.
func (g *generator) grouped(from, where pair) statement {
	var keys, items []pair
	for range g.rand.IntN(3) {
		k := g.expr(g.anyType(), pick(g, 0, 0, 1, 2))
		if !strings.Contains(k.ours, "SELECT") && (strings.Contains(k.ours, "q0") || strings.Contains(k.ours, "w.")) { // not a constant
			keys = append(keys, k)
			items = append(items, both("%s AS c%d", k, len(items)+1))
		}
	}
	for range 1 + g.rand.IntN(3) {
		items = append(items, both("%s AS c%d", g.aggregate(), len(items)+1))
	}
	q := both("SELECT %s FROM %s%s", join(items, ", "), from, where)
	if len(keys) > 0 {
		by := join(keys, ", ")
		if g.oneIn(3) { // by alias
			var names []string
			for i := range keys {
				names = append(names, fmt.Sprintf("c%d", i+1))
			}
			by = both("%s", strings.Join(names, ", "))
		}
		q = both("%s GROUP BY %s", q, by)
	}
	if g.oneIn(3) {
		q = both("%s HAVING %s %s %d", q, pick(g, both("count(*)"), both("sum(%s)", g.leaf(integers)), both("max(%s)", g.leaf(integers))), pick(g, ">", "<", "<>"), g.rand.IntN(4))
	}
	return g.order(q, len(items))
}

// aggregate returns a call of an aggregate.
func (g *generator) aggregate() pair {
	return g.without(g.aggregateCall)
}

func (g *generator) aggregateCall() pair {
	t := g.comparableType()
	number := pick(g, integers, reals)
	var p pair
	switch g.rand.IntN(12) {
	case 8:
		x := g.expr(booleans, 1)
		p = pair{fmt.Sprintf("bool_and(%s)", x.ours), fmt.Sprintf("min(%s)", x.theirs)}
		if g.oneIn(2) {
			p = pair{fmt.Sprintf("bool_or(%s)", x.ours), fmt.Sprintf("max(%s)", x.theirs)}
		}
	case 9:
		x := g.expr(texts, 1)
		down := pick(g, "", " DESC")
		p = pair{fmt.Sprintf("string_agg(%s, '-' ORDER BY %s%s)", x.ours, x.ours, down), fmt.Sprintf("group_concat(%s, '-' ORDER BY %s%s)", x.theirs, x.theirs, down)}
	case 10:
		x := g.expr(integers, 1)
		p = pair{fmt.Sprintf("jsonb_array_length(array_agg(%s))", x.ours), fmt.Sprintf("count(*) + 0 * coalesce(max(%s), 0)", x.theirs)}
		return pair{fmt.Sprintf("coalesce(%s, 0)", p.ours), p.theirs}
	case 11: // of small whole numbers: their squares are exact
		x := both("(%s %% 50)", g.expr(integers, 1))
		return pair{fmt.Sprintf("var_pop(%s)", x.ours), fmt.Sprintf("(avg(1.0 * %s * %s) - avg(%s) * avg(%s))", x.theirs, x.theirs, x.theirs, x.theirs)}
	case 0:
		p = both("count(*)")
	case 1:
		p = both("count(%s)", g.expr(g.anyType(), 1))
	case 2:
		return both("count(DISTINCT %s)", g.expr(t, 1))
	case 3:
		p = both("sum(%s)", g.expr(number, 1))
	case 4:
		p = both("avg(%s)", g.expr(number, 1))
	case 5:
		return both("sum(DISTINCT %s)", g.leaf(number))
	case 6:
		return both("(%s(%s) %s 2)", pick(g, "min", "max", "sum"), g.expr(integers, 1), pick(g, "+", "*"))
	default:
		p = both("%s(%s)", pick(g, "min", "max"), g.expr(t, 2))
	}
	if g.oneIn(6) {
		p = both("%s FILTER (WHERE %s)", p, g.expr(booleans, 1))
	}
	return p
}

// order adds ORDER BY over all n columns, so that the order is certain, and
// perhaps LIMIT and OFFSET; or nothing.
func (g *generator) order(q pair, n int) statement {
	if g.oneIn(3) {
		return statement{q, false}
	}
	columns := g.rand.Perm(n)
	var by []pair
	for _, c := range columns {
		name := fmt.Sprintf("c%d", c+1)
		if g.oneIn(5) {
			name = fmt.Sprint(c + 1)
		}
		ours, theirs := name, name+" ASC NULLS LAST"
		switch g.rand.IntN(5) {
		case 0:
			ours = name + " ASC"
		case 1:
			ours, theirs = name+" DESC", name+" DESC NULLS FIRST"
		case 2:
			ours = name + pick(g, " DESC", " ASC") + pick(g, " NULLS FIRST", " NULLS LAST")
			theirs = ours
		}
		by = append(by, pair{ours, theirs})
	}
	q = both("%s ORDER BY %s", q, join(by, ", "))
	if g.oneIn(2) {
		q = both("%s LIMIT %d", q, pick(g, 0, 1, 3, 10, 2000))
		if g.oneIn(2) {
			q = both("%s OFFSET %d", q, pick(g, 0, 1, 2, 7))
		}
	}
	return statement{q, true}
}

// change returns a random INSERT, UPDATE or DELETE.
func (g *generator) change() pair {
	g.inner, g.depth = 0, 2
	// SQLite computes the new values of a row when it has changed others already.
	g.alone = true
	defer func() { g.alone = false }()
	table := pick(g, "t", "u", "v")
	g.scope = nil
	for _, c := range tableColumns {
		g.scope = append(g.scope, column{c.name, c.typ})
	}
	rows := func(n int) pair {
		g.scope = nil
		var rows []pair
		ids := g.rand.Perm(60)
		for i := range n {
			rows = append(rows, both("(%d, %s, %s, %s, %s, %s)", ids[i], g.literal(integers), g.literal(integers), g.literal(reals), g.literal(texts), g.literal(booleans)))
		}
		return join(rows, ", ")
	}
	switch g.rand.IntN(6) {
	case 0:
		return both("DELETE FROM %s WHERE %s", table, both("%s AND id %% 3 = %d", g.expr(booleans, 2), g.rand.IntN(3)))
	case 1:
		return both("UPDATE %s SET a = %s, s = %s WHERE %s", table, g.expr(integers, 2), g.expr(texts, 1), g.expr(booleans, 2))
	case 2:
		return both("UPDATE %s SET x = m.x, b = m.a FROM u AS m WHERE m.id = %s.id AND m.a IS NOT NULL", table, table)
	case 3:
		return both("INSERT INTO %s (id, a, b, x, s, f) VALUES %s ON CONFLICT (id) DO NOTHING", table, rows(1+g.rand.IntN(3)))
	case 4:
		return both("INSERT INTO %s (id, a, b, x, s, f) VALUES %s ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = %s.b + 1, s = excluded.s || 'u'", table, rows(1+g.rand.IntN(3)), table)
	}
	return both("INSERT INTO %s SELECT id + %d, b, a, x, s, f FROM %s WHERE %s ORDER BY id LIMIT 5", table, 1000+g.rand.IntN(1_000_000)*100, table, g.expr(booleans, 1))
}

// differ holds the same tables in both engines.
type differ struct {
	ours   *db.DB
	theirs *sql.DB
}

func newDiffer(t *testing.T, g *generator, size int) *differ {
	t.Helper()
	ours, err := db.Open("", &db.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	theirs.SetMaxOpenConns(1)
	d := &differ{ours, theirs}
	d.run(t, both("%s", pair{"SHOW TABLES", "PRAGMA case_sensitive_like = ON"}))
	for _, table := range []string{"t", "u", "v"} {
		d.run(t, both("CREATE TABLE %s (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, x REAL, s TEXT, f %s)", table, pair{"BOOLEAN", "INTEGER"}))
		if table != "t" && g.oneIn(2) {
			d.run(t, both("CREATE INDEX %s_%s ON %s (a)", table, "a", table))
		}
		var rows []pair
		n := size
		if table == "v" || table == "u" && g.large {
			n = min(n, 12)
		}
		for id := range n {
			rows = append(rows, both("(%d, %s, %s, %s, %s, %s)", id, g.maybeNull(integers), g.maybeNull(integers), g.maybeNull(reals), g.maybeNull(texts), g.maybeNull(booleans)))
		}
		if n > 0 {
			d.run(t, both("INSERT INTO %s VALUES %s", table, join(rows, ", ")))
		}
	}
	return d
}

func (g *generator) maybeNull(t typ) pair {
	if g.oneIn(6) {
		return both("NULL")
	}
	return g.literal(t)
}

func (d *differ) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(d.ours.Close(), d.theirs.Close()); err != nil {
		t.Error(err)
	}
}

// run runs a statement that has to work in both.
func (d *differ) run(t *testing.T, s pair) {
	t.Helper()
	if _, err := d.ours.Exec(context.Background(), s.ours); err != nil {
		t.Fatalf("%s\n  %v", s.ours, err)
	}
	if _, err := d.theirs.Exec(s.theirs); err != nil {
		t.Fatalf("SQLite: %s\n  %v", s.theirs, err)
	}
}

// change runs a statement that changes a table and compares the table after it.
func (d *differ) change(t *testing.T, s pair) bool {
	t.Helper()
	table := ""
	for _, w := range strings.Fields(s.ours) {
		if w == "t" || w == "u" || w == "v" {
			table = w
			break
		}
	}
	_, ours := d.ours.Exec(context.Background(), s.ours)
	_, theirs := d.theirs.Exec(s.theirs)
	if (ours == nil) != (theirs == nil) {
		t.Errorf("%s\nhere: %v\nSQLite: %v", s.ours, ours, theirs)
		return false
	}
	if !d.same(t, statement{both("SELECT * FROM %s", table), false}) {
		t.Logf("after %s", s.ours)
		return false
	}
	return true
}

// same runs a query in both and compares the answers.
func (d *differ) same(t *testing.T, s statement) bool {
	t.Helper()
	theirs, err := d.theirRows(s.theirs)
	if err != nil {
		t.Fatalf("SQLite: %s\n  %v", s.theirs, err) // the generator's fault
	}
	ours, err := d.ourRows(s.ours)
	if err != nil {
		t.Errorf("%s\n  %v", s.ours, err)
		return false
	}
	if !s.ordered || byMoments.MatchString(s.ours) {
		slices.Sort(ours)
		slices.Sort(theirs)
	}
	if !slices.Equal(ours, theirs) {
		t.Errorf("%s\nhere, %d rows:\n%s\nSQLite, %d rows:\n%s", s.ours, len(ours), few(ours, theirs), len(theirs), few(theirs, ours))
		return false
	}
	return true
}

// byMoments matches statements whose order may be that of a variance: its last bits depend on
// the order in which a join gives its rows.
var byMoments = regexp.MustCompile(`(var|stddev)_(pop|samp)\(.* ORDER BY `)

// withoutRules runs a query without each rule of the planner in turn.
func (d *differ) withoutRules(t *testing.T, s statement) bool {
	t.Helper()
	defer query.SwitchOff("")
	for i, rule := range query.Rules() {
		query.SwitchOff(rule)
		off := s
		off.ours = fmt.Sprintf("%s -- without rule %d", s.ours, i) // has a plan of its own
		if !d.same(t, off) {
			t.Logf("without the rule %q", rule)
			return false
		}
	}
	return true
}

// few returns the first rows of a from where it differs from b.
func few(a, b []string) string {
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		from++
	}
	return fmt.Sprintf("  (from row %d)\n  %s", from+1, strings.Join(a[from:min(from+5, len(a))], "\n  "))
}

func (d *differ) ourRows(query string) ([]string, error) {
	rows, err := d.ours.Query(context.Background(), query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var cells []string
		for _, v := range rows.Values() {
			switch v.Kind() {
			case db.Null:
				cells = append(cells, "NULL")
			case db.Boolean:
				cells = append(cells, number(map[bool]float64{true: 1}[v.Bool()]))
			case db.Integer:
				cells = append(cells, number(float64(v.Int())))
			case db.Real:
				cells = append(cells, number(v.Float()))
			default:
				cells = append(cells, fmt.Sprintf("%q", v.Str()))
			}
		}
		out = append(out, strings.Join(cells, " "))
	}
	return out, rows.Err()
}

func (d *differ) theirRows(query string) ([]string, error) {
	rows, err := d.theirs.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		var cells []string
		for _, v := range values {
			switch v := v.(type) {
			case nil:
				cells = append(cells, "NULL")
			case int64:
				cells = append(cells, number(float64(v)))
			case float64:
				cells = append(cells, number(v))
			case bool:
				cells = append(cells, number(map[bool]float64{true: 1}[v]))
			case []byte:
				cells = append(cells, fmt.Sprintf("%q", v))
			default:
				cells = append(cells, fmt.Sprintf("%q", fmt.Sprint(v)))
			}
		}
		out = append(out, strings.Join(cells, " "))
	}
	return out, rows.Err()
}

// number prints a number so that sums in another order and zeros of either
// sign print the same.
func number(f float64) string {
	f *= 1 + 1e-13 // of a half, the last bit of a sum would decide
	if f = math.Round(f*1e9) / 1e9; f == 0 {
		f = 0
	}
	return fmt.Sprint(f)
}
