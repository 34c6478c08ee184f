package logical

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// Subquery is a query that is a part of an expression. If it uses nothing of the
// query around it, it is run once, before that.
type Subquery struct {
	Op   Op         // OpSubquery, OpInQuery, OpExists
	Type value.Type // OpInQuery: of what is looked for
	Pos  parse.Pos
	Rel  *Relation
	Corr *Correlation // not nil: it uses columns of the query around it
	// Lateral: its rows are joined with those around it, it is no part of an expression.
	Lateral bool
}

// What tells which kind of subquery it is.
func (q *Subquery) What() string {
	if q.Lateral {
		return "LATERAL"
	}
	switch q.Op {
	case OpInQuery:
		return "IN"
	case OpExists:
		return "EXISTS"
	}
	return "value"
}

// Correlation is what makes a subquery depend on the row around it: its block has the
// slots of the outer columns, which get their values before it is run.
type Correlation struct {
	Block *Block
	Outer []*Column // arguments of the expression, in this order
	Slots []*Slot   // of those

	Keyed *Keyed // how its rows are found by key, if they can be
	None  Node   // what an aggregate without groups gives where no row passes its conditions
}

// Keyed is a correlated subquery taken apart: its rows without the conditions
// that compare them with the outer row, those of equality as keys to find them
// by, and the other conditions on a pair of rows.
type Keyed struct {
	Node   Node
	Cols   []*Column // of node: the keys, what the other conditions use, the value
	Inner  []*Expr   // the keys
	Outer  []*Expr   // what they are equal to, over outer columns
	Rest   []*Expr
	Value  int // position of the subquery's item in cols
	Kind   exec.KeyedKind
	Test   *Expr   // IN: whether the row's item is what is looked for,
	Looked *Column // which is this

	Aggregated bool // the node groups by the keys: one row a key
	Alone      int  // values of the outer columns for which it is run alone, at first
	Texts      []string
}

// correlated reports whether e is a subquery that depends on the row.
func (e *Expr) correlated() bool { return e.Query != nil && e.Query.Corr != nil }

// Costly reports whether e has a part that runs a query for its rows.
func (e *Expr) Costly() bool {
	found := false
	e.Walk(func(x *Expr) bool {
		found = found || x.correlated()
		return !found
	})
	return found
}
