package db

import (
	"context"
	"iter"
)

// Querier is what runs queries: *DB, *Tx and *Conn.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (*Rows, error)
}

// Select runs a query and returns its rows as values of T. If T is a struct
// (and neither a sql.Scanner nor time.Time), columns go into the exported
// fields whose tag `lupa:"name"`, or else whose name in any case, matches; a
// column without field is an error. Otherwise the query has one column, and it
// goes into T.
func Select[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	return nil, errNotYet
}

// Each is Select one row at a time.
func Each[T any](ctx context.Context, q Querier, sql string, args ...any) iter.Seq2[T, error] {
	return nil
}

// Get is Select for a single row; without one the error is ErrNoRows.
func Get[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	var t T
	return t, errNotYet
}
