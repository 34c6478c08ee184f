package parse

// Select is a whole query: a body with what may surround it.
type Select struct {
	Pos
	With      []CTE
	Recursive bool // WITH RECURSIVE: a query of With may use itself
	Body      Body
	OrderBy   []OrderItem
	Limit     Expr // nil: none (also for LIMIT ALL)
	Approx    bool // of the nearest rows some may be missing
	Target    Expr // with Approx: how many of a hundred are to be found, on average; nil: 95
	Within    *Within
	Offset    Expr // nil: none
	// Lock is FOR UPDATE or FOR SHARE, of the query or, in a statement's own query, of one in
	// its FROM or WITH: the rows are not to be changed by others.
	Lock bool
}

// Within is the time after which a search gives what it has found: a number of Unit, "ms" or "s", or
// an INTERVAL where that is empty.
type Within struct {
	Pos
	Time Expr
	Unit string
}

// With is WITH before INSERT, UPDATE and DELETE.
type With struct {
	With      []CTE
	Recursive bool // see Select
}

// CTE is name [(columns)] AS (query) of WITH.
type CTE struct {
	Pos
	Name    Ident
	Columns []Ident
	Query   *Select   // or nil:
	Change  Statement // *Insert, *Update or *Delete
}

// ChangedTable returns the table whose rows an INSERT, UPDATE or DELETE changes; ok is false for
// any other statement.
func ChangedTable(s Statement) (table Ident, ok bool) {
	switch s := s.(type) {
	case *Insert:
		return s.Table, true
	case *Update:
		return s.Table, true
	case *Delete:
		return s.Table, true
	}
	return Ident{}, false
}

// Changes reports whether a statement changes rows by what its WITH names.
func Changes(s Statement) bool {
	var with []CTE
	switch s := s.(type) {
	case *Explain:
		return Changes(s.Statement)
	case *Select:
		with = s.With
	case *Insert:
		with = s.With.With
	case *Update:
		with = s.With.With
	case *Delete:
		with = s.With.With
	}
	for i := range with {
		if with[i].Change != nil {
			return true
		}
	}
	return false
}

// Body is the body of a query: *Core, *Values, *Union, or *Select where it
// stands in parentheses.
type Body interface {
	Node
	body()
}

// Core is SELECT ... FROM ... WHERE ... GROUP BY ... HAVING ... WINDOW ... QUALIFY.
type Core struct {
	Pos
	Distinct   bool   // SELECT DISTINCT
	DistinctOn []Expr // SELECT DISTINCT ON (...); Distinct is false then
	Items      []SelectItem
	From       TableExpr // nil: none
	Where      Expr
	GroupBy    []Expr
	Having     Expr
	Windows    []NamedWindow
	Qualify    Expr // a condition on window functions; nil: none
}

// SelectItem is one item of a select list: *, t.*, or an expression.
type SelectItem struct {
	Pos
	Star  bool  // * or Table.*
	Table Ident // of Table.*; zero for *
	Expr  Expr  // nil for a star
	Alias Ident // zero: none
}

// SetOp is what a Union does with the rows of its sides.
type SetOp uint8

// The set operations. Without ALL none gives a row twice.
const (
	UnionOp SetOp = iota
	ExceptOp
	IntersectOp
)

// Union is Left UNION [ALL] Right, or EXCEPT or INTERSECT.
type Union struct {
	Pos
	Left, Right Body
	All         bool
	Op          SetOp
}

// Values is VALUES (...), (...). All rows have the same length.
type Values struct {
	Pos
	Rows [][]Expr // may hold *Default in an INSERT
}

// Nulls tells where an ORDER BY puts NULLs.
type Nulls uint8

// The orders of NULLs.
const (
	NullsDefault Nulls = iota
	NullsFirst
	NullsLast
)

// Direction is the direction of an ORDER BY item.
type Direction uint8

// The directions. DirectionDefault is best first for a score, otherwise ascending.
const (
	DirectionDefault Direction = iota
	Asc
	Desc
)

// OrderItem is one item of ORDER BY.
type OrderItem struct {
	Pos
	Expr      Expr
	Direction Direction
	Nulls     Nulls
}

// TableExpr is what FROM reads: *TableName, *TableFunc, *SubqueryTable or *Join.
type TableExpr interface {
	Node
	tableExpr()
}

// TableName is a table (or a query named by WITH).
type TableName struct {
	Pos
	Table   Ident
	Alias   Ident
	Columns []Ident // AS x (a, b): names for the columns
}

// TableFunc is a table function: read_csv('a.csv', header => true).
type TableFunc struct {
	Pos
	Func    Ident // as written
	Args    []Expr
	Options []Option // name => value, or name = value
	// Beside are the further functions of ROWS FROM (f(), g()): their rows stand beside those of the first.
	Beside []*TableFunc
	// Ordinality is WITH ORDINALITY: the rows are numbered in a column behind the others.
	Ordinality bool
	Alias      Ident
	Columns    []Ident
}

// SubqueryTable is (SELECT ...) AS x. PostgreSQL wants an alias; here it may lack.
type SubqueryTable struct {
	Pos
	Lateral bool // it may use the tables before it
	Query   *Select
	Alias   Ident
	Columns []Ident
	Row     bool // a row is looked for in it: it has to give as many columns as there are names
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. CrossJoin is CROSS JOIN or a comma: it has no condition.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	CrossJoin
	RightJoin
	FullJoin
)

// Join is Left JOIN Right ON cond, or USING (columns).
type Join struct {
	Pos
	Kind        JoinKind
	Left, Right TableExpr
	On          Expr    // nil with USING and for CrossJoin
	Using       []Ident // nil with ON
}

func (*Core) body() {}

func (*Values) body() {}

func (*Union) body() {}

func (*Select) body() {}

func (*TableName) tableExpr() {}

func (*TableFunc) tableExpr() {}

func (*SubqueryTable) tableExpr() {}

func (*Join) tableExpr() {}
