package db

import (
	"context"
)

// DB is an open store. It is safe for concurrent use.
type DB struct{}

// Open opens the store in the folder dir, and makes one if there is none. The
// folder ":memory:" is a store in memory. opts may be nil.
//
// The errors to expect: ErrLocked when another process holds the folder,
// ErrNotStore when it holds something else, ErrFormat when a newer Lupa wrote
// it, ErrCorrupt.
func Open(dir string, opts *Options) (*DB, error) { return nil, errNotYet }

// Close waits for running statements, commits nothing, and closes the store.
// Transactions still open are rolled back. Later calls give ErrClosed; closing
// twice is harmless.
func (db *DB) Close() error { return errNotYet }

// Query runs one statement and returns its rows. The rows must be closed, or
// read to the end. A statement other than SELECT may be run so too: without
// rows, or with those of RETURNING; it has taken effect when Query returns.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return nil, errNotYet
}

// QueryRow runs a query of which only the first row is wanted. Errors wait for
// Row.Scan.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) *Row { return &Row{err: errNotYet} }

// Exec runs a statement, or several separated by semicolons, and drops rows
// they return. Several statements are not a transaction unless they say BEGIN
// and COMMIT; the first that fails ends Exec. Arguments are given to every
// statement that has parameters.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return Result{}, errNotYet
}

// Prepare parses and checks one statement. The Stmt is safe for concurrent use
// and remains valid when tables change.
func (db *DB) Prepare(ctx context.Context, sql string) (*Stmt, error) { return nil, errNotYet }

// Conn returns a session of its own, in which BEGIN, COMMIT and ROLLBACK are
// statements. Close it.
func (db *DB) Conn(ctx context.Context) (*Conn, error) { return nil, errNotYet }

// Result says what a statement did.
type Result struct {
	RowsAffected int64  // inserted, updated or deleted
	Tag          string // "INSERT", "CREATE TABLE", ...: the last statement's
}
