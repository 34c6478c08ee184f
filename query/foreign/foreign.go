package foreign

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Opener opens databases of one kind. It is safe for concurrent use.
type Opener interface {
	// Schemes are how addresses begin that it opens: "postgres" for postgres://....
	Schemes() []string
	// Open connects to a database. The error says nothing secret of the address.
	Open(ctx context.Context, address string) (Database, error)
}

// Database is an attached database. It is safe for concurrent use.
type Database interface {
	// String names it without a password.
	String() string
	// Tables are the names of its tables, in order.
	Tables(ctx context.Context) ([]string, error)
	// Table describes a table. The error is a *NoTableError where there is none.
	Table(ctx context.Context, name string) (*Table, error)
	// Renders reports whether the database computes e, over columns of ts, and gives what
	// Lupa would.
	Renders(ts []*Table, e *Expr) bool
	// Orders reports whether it can sort by e, which it renders, as Lupa does.
	Orders(ts []*Table, e *Expr) bool
	// Text is the statement that Query sends.
	Text(q *Query) string
	// Query asks for rows. args are the values of the parameters.
	Query(ctx context.Context, q *Query, args []value.Value) (Rows, error)
	// Exact reports whether the database answers q without an approximate index; the
	// name of the index it would take otherwise is "" if so.
	Exact(ctx context.Context, q *Query, args []value.Value) (index string, err error)

	// Create makes a table.
	Create(ctx context.Context, t *Table) error
	// Drop drops a table.
	Drop(ctx context.Context, t *Table) error
	// Insert begins an insertion.
	Insert(ctx context.Context, t *Table, opts Insert) (Writer, error)
	// Delete deletes the rows for which all conditions hold, which it renders.
	Delete(ctx context.Context, t *Table, where []*Expr, args []value.Value) (int64, error)
	// Update sets columns, where all conditions hold, to expressions that it renders.
	Update(ctx context.Context, t *Table, set []Assignment, where []*Expr, args []value.Value) (int64, error)

	// Close ends all connections.
	Close() error
}

// Table describes a table. It is immutable.
type Table struct {
	Schema, Name string
	Columns      []Column
	Key          []int   // positions of the primary key's columns; empty: it has none
	Rows         float64 // estimated
}

// Column is a column of a table.
type Column struct {
	Name    string
	Type    value.Type // how its values come here
	Foreign string     // its type there
	// Opaque columns have a type that the language lacks. They are read as TEXT, and neither
	// compared there nor written.
	Opaque  bool
	NotNull bool
	Default bool // the database fills it in where it is left out
	Encoder string
	Model   encoder.Model
}

// Op is the kind of an expression.
type Op uint8

// The kinds.
const (
	OpColumn   Op = iota // Column of the Table-th table
	OpParam              // the Param-th argument, counted from 0
	OpCall               // the function or operator Func over Args
	OpAnd                // Args[0] AND Args[1]
	OpOr                 // Args[0] OR Args[1]
	OpCase               // Args: condition, result, ..., else
	OpCoalesce           // Args
	OpIn                 // Args[0] IN the others; Not
	OpScore              // Metric between Args[0] and Args[1], as Negate and FromOne say
	OpAgg                // the aggregate Func of Args, or of rows without any
)

// Expr is an expression of the language over the columns of tables.
type Expr struct {
	Op              Op
	Type            value.Type
	Table           int
	Column          int
	Param           int
	Func            string // as package fn has it: "=", "is null", "lower"
	Args            []*Expr
	Not             bool
	Distinct        bool // OpAgg
	Filter          *Expr
	Metric          vector.Metric
	Negate, FromOne bool // minus the metric, one minus the metric
}

// Order is one key of an order.
type Order struct {
	Expr       *Expr
	Desc       bool
	NullsFirst bool
}

// Join is how a table is joined with those before it.
type Join struct {
	Outer bool    // left outer: rows without a partner are given with NULLs
	On    []*Expr // which rows of the table are partners
}

// Query is what is asked of a table, or of several: of their combinations for which the
// conditions hold. It is immutable.
type Query struct {
	Tables []*Table
	Joins  []Join // of Tables but the first; nil: all combinations
	Out    []*Expr
	Where  []*Expr
	Group  []*Expr // of aggregates in Out; nil and Grouped: one group
	// Grouped says that Out has aggregates or Group is not empty.
	Grouped bool
	Order   []Order
	Limit   int64 // -1: all
	Offset  int64
	Recall  float64 // part of the nearest rows that an approximate index is to find; 0: all
	Search  bool    // the first key of Order is a score
	// Bulk says that all rows are going to be read, in any order.
	Bulk bool

	once sync.Once
	text string
}

// Text is what render gives for the query, for which it is asked once.
func (q *Query) Text(render func(*Query) string) string {
	q.once.Do(func() { q.text = render(q) })
	return q.text
}

// Rows are the answer to a query. They belong to one goroutine.
type Rows interface {
	// Next fills cols, one column for each expression, with at most value.BatchSize rows,
	// and returns their number, 0 at the end.
	Next(ctx context.Context, cols []*value.Column) (int, error)
	// Bytes is how much has come over the connection, in answer to so many Requests.
	Bytes() int64
	Requests() int
	Close() error
}

// Insert says how rows go into a table.
type Insert struct {
	Columns []int // the columns that rows have
	// Conflict, if not empty, are the columns of a unique key: rows whose key is there are
	// left out, or with Update take its columns from the new row.
	Conflict []int
	Skip     bool  // rows that are there already, by whatever key, are left out
	Update   []int // columns
}

// Writer takes rows of an insertion. All become visible at Finish, or none.
type Writer interface {
	Write(ctx context.Context, b *value.Batch) error
	// Finish returns the number of rows written.
	Finish(ctx context.Context) (int64, error)
	// Abort drops what was written; after Finish it does nothing.
	Abort()
}

// Assignment is one column = value of an UPDATE.
type Assignment struct {
	Column int
	Expr   *Expr
}

// NoTableError says that an attached database has no such table.
type NoTableError struct{ Database, Table string }

func (e *NoTableError) Error() string {
	return fmt.Sprintf("no table %q in %s", e.Table, e.Database)
}

// ErrChanged is wrapped by the errors that mean that a table is no longer as Table has
// described it: the statement can be planned anew.
var ErrChanged = errors.New("the table has been changed there")
