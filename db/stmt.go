package db

import "context"

// Stmt is a prepared statement: parsed once, planned again only when the tables
// it uses have changed.
type Stmt struct{}

// Columns returns the names of the result's columns, empty without a result.
func (s *Stmt) Columns() []string { return nil }

// Types returns the types of the result's columns; a kind of Null means that
// it depends on the arguments.
func (s *Stmt) Types() []Type { return nil }

// NumParams returns how many positional arguments the statement takes.
func (s *Stmt) NumParams() int { return 0 }

// Params returns the names of the parameters, "" for positional ones.
func (s *Stmt) Params() []string { return nil }

// Query runs the statement and returns its rows.
func (s *Stmt) Query(ctx context.Context, args ...any) (*Rows, error) { return nil, errNotYet }

// QueryRow runs the statement and keeps the first row.
func (s *Stmt) QueryRow(ctx context.Context, args ...any) *Row { return &Row{err: errNotYet} }

// Exec runs the statement and drops its rows.
func (s *Stmt) Exec(ctx context.Context, args ...any) (Result, error) { return Result{}, errNotYet }

// QueryMany runs the statement once for each list of arguments, on one
// snapshot and, where it is a search, in one pass over the vectors. The i-th
// Rows answer the i-th list; all are to be closed. The answers are those that
// Query would give one by one.
func (s *Stmt) QueryMany(ctx context.Context, args [][]any) ([]*Rows, error) { return nil, errNotYet }

// Close releases the statement.
func (s *Stmt) Close() error { return nil }
