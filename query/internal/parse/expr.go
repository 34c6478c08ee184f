package parse

import "github.com/lupadb/lupa/storage/value"

// Expr is an expression.
type Expr interface {
	Node
	expr()
}

// Literal is a constant: NULL, TRUE, 12 and -12, 1.5, 'text', X'00ff' or a vector
// [0.1, 2]. Its value's kind is Null, Boolean, Integer, Numeric, Real, Text, Blob or Vector.
type Literal struct {
	Pos
	Value  value.Value
	Digits string // of a REAL: as it is written, which a float64 may not hold exactly
}

// ColumnRef is a column, or an alias of the select list: name or table.name.
type ColumnRef struct {
	Pos
	Table Ident // zero: none given
	Name  Ident
}

// Param is a parameter: ? and $1 have an Index from 1 up (the n-th ? of a
// statement is the same as $n), :name has a Name.
type Param struct {
	Pos
	Index int
	Name  string
}

// Op is an operator as written in the language, keywords in upper case.
type Op string

// The operators of Unary and Binary.
const (
	OpNot Op = "NOT" // Unary
	OpNeg Op = "-"   // Unary; also OpSub
	OpPos Op = "+"   // Unary; also OpAdd

	OpOr             Op = "OR"
	OpAnd            Op = "AND"
	OpEq             Op = "="
	OpNe             Op = "<>"
	OpLt             Op = "<"
	OpLe             Op = "<="
	OpGt             Op = ">"
	OpGe             Op = ">="
	OpDistinct       Op = "IS DISTINCT FROM"
	OpNotDistinct    Op = "IS NOT DISTINCT FROM"
	OpL2             Op = "<->" // Euclidean distance
	OpNegInner       Op = "<#>" // negative inner product
	OpCosineDistance Op = "<=>"
	OpL1             Op = "<+>" // taxicab distance
	OpAdd            Op = "+"
	OpSub            Op = "-"
	OpConcat         Op = "||"
	OpMul            Op = "*"
	OpDiv            Op = "/"
	OpMod            Op = "%"
	OpJSON           Op = "->"
	OpJSONText       Op = "->>"
)

// Unary is NOT x, -x or +x. A minus before a number literal is part of the literal.
type Unary struct {
	Pos
	Op Op
	X  Expr
}

// Binary is X Op Y. Its position is that of the operator, so that an error
// points between the operands; Start finds the beginning.
type Binary struct {
	Pos
	Op   Op
	X, Y Expr
}

// Like is X [NOT] LIKE | ILIKE Pattern [ESCAPE Escape].
type Like struct {
	Pos
	X       Expr
	Not     bool
	Fold    bool // ILIKE
	Pattern Expr
	Escape  Expr // nil: backslash
}

// InList is X [NOT] IN (a, b, ...). List is not empty.
type InList struct {
	Pos
	X    Expr
	Not  bool
	List []Expr
}

// InQuery is X [NOT] IN (SELECT ...).
type InQuery struct {
	Pos
	X     Expr
	Not   bool
	Query *Select
}

// Between is X [NOT] BETWEEN Low AND High.
type Between struct {
	Pos
	X         Expr
	Not       bool
	Low, High Expr
}

// IsNull is X IS [NOT] NULL (also ISNULL, NOTNULL and IS [NOT] UNKNOWN, which is
// the same for a boolean).
type IsNull struct {
	Pos
	X   Expr
	Not bool
}

// IsBool is X IS [NOT] TRUE | FALSE.
type IsBool struct {
	Pos
	X     Expr
	Not   bool
	Value bool
}

// Case is CASE [Operand] WHEN ... THEN ... [ELSE ...] END.
type Case struct {
	Pos
	Operand Expr // nil: none
	Whens   []When
	Else    Expr // nil: NULL
}

// When is one branch of a Case.
type When struct {
	Pos
	Cond, Then Expr
}

// Cast is CAST(X AS Type), X::Type or Type 'text'.
type Cast struct {
	Pos
	X    Expr
	Type Type
}

// Call is a function call or an aggregate. extract(year FROM t) is
// extract('year', t), substring(s FROM a FOR n) is substr(s, a, n),
// CURRENT_TIMESTAMP is now().
type Call struct {
	Pos
	Of       Ident // t.clip_sim(x): the table of the column; zero: none given
	Func     Ident // as written; functions are found in any case
	Distinct bool  // count(DISTINCT x)
	Star     bool  // count(*)
	Args     []Expr
	OrderBy  []OrderItem // string_agg(x, ',' ORDER BY y)
	Within   bool        // OrderBy stands in WITHIN GROUP (ORDER BY ...)
	Filter   Expr        // FILTER (WHERE ...); nil: none
	Over     *Window     // OVER ...: a window function; nil: none
}

// Array is ARRAY[a, b, ...].
type Array struct {
	Pos
	List []Expr
}

// Subscript is X[At], or with Slice X[At:To], of which At and To may be nil.
type Subscript struct {
	Pos
	X, At, To Expr
	Slice     bool
}

// Quantified is X Op ANY (Y), or with All X Op ALL (Y): Y is an array. Op may be LIKE
// or ILIKE, with Not the negation.
type Quantified struct {
	Pos
	X   Expr
	Op  Op
	Not bool
	All bool
	Y   Expr
}

// Exists is EXISTS (SELECT ...).
type Exists struct {
	Pos
	Query *Select
}

// Subquery is (SELECT ...) as a value.
type Subquery struct {
	Pos
	Query *Select
}

// Default is the word DEFAULT in the place of a value: only in a row of INSERT
// VALUES and at the right of an assignment.
type Default struct{ Pos }

func (*Literal) expr()    {}
func (*ColumnRef) expr()  {}
func (*Param) expr()      {}
func (*Unary) expr()      {}
func (*Binary) expr()     {}
func (*Like) expr()       {}
func (*InList) expr()     {}
func (*InQuery) expr()    {}
func (*Between) expr()    {}
func (*IsNull) expr()     {}
func (*IsBool) expr()     {}
func (*Case) expr()       {}
func (*Cast) expr()       {}
func (*Call) expr()       {}
func (*Array) expr()      {}
func (*Subscript) expr()  {}
func (*Quantified) expr() {}
func (*Exists) expr()     {}
func (*Subquery) expr()   {}
func (*Default) expr()    {}

// Start returns where an expression's text begins, which for operators is
// before their own position.
func Start(e Expr) Pos {
	for {
		switch x := e.(type) {
		case *Binary:
			e = x.X
		case *Like:
			e = x.X
		case *InList:
			e = x.X
		case *InQuery:
			e = x.X
		case *Between:
			e = x.X
		case *IsNull:
			e = x.X
		case *IsBool:
			e = x.X
		default:
			return e.Position()
		}
	}
}
