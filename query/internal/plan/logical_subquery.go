package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// subquery is a query that is a part of an expression. If it uses nothing of the
// query around it, it is run once, before that.
type subquery struct {
	op   op         // opSubquery, opInQuery, opExists
	typ  value.Type // opInQuery: of what is looked for
	pos  parse.Pos
	rel  *relation
	corr *correlation // not nil: it uses columns of the query around it
}

// what tells which kind of subquery it is.
func (q *subquery) what() string {
	switch q.op {
	case opInQuery:
		return "IN"
	case opExists:
		return "EXISTS"
	}
	return "value"
}

// correlation is what makes a subquery depend on the row around it: its block has the
// slots of the outer columns, which get their values before it is run.
type correlation struct {
	block *block
	outer []*column // arguments of the expression, in this order
	slots []*slot   // of those

	keyed *keyed // how its rows are found by key, if they can be
	none  node   // what an aggregate without groups gives where no row passes its conditions
}

// keyed is a correlated subquery taken apart: its rows without the conditions
// that compare them with the outer row, those of equality as keys to find them
// by, and the other conditions on a pair of rows.
type keyed struct {
	node   node
	cols   []*column // of node: the keys, what the other conditions use, the value
	inner  []*expr   // the keys
	outer  []*expr   // what they are equal to, over outer columns
	rest   []*expr
	value  int // position of the subquery's item in cols
	kind   exec.KeyedKind
	test   *expr   // IN: whether the row's item is what is looked for,
	looked *column // which is this

	aggregated bool // the node groups by the keys: one row a key
	alone      int  // values of the outer columns for which it is run alone, at first
	texts      []string
}

// correlated reports whether e is a subquery that depends on the row.
func (e *expr) correlated() bool { return e.query != nil && e.query.corr != nil }

// costly reports whether e has a part that runs a query for its rows.
func (e *expr) costly() bool {
	found := false
	e.walk(func(x *expr) bool {
		found = found || x.correlated()
		return !found
	})
	return found
}
