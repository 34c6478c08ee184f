package db

import "context"

// Conn is a session: statements run one after the other, and BEGIN, COMMIT and
// ROLLBACK among them have their meaning. It is for one goroutine at a time.
type Conn struct{}

// Query runs one statement in the session: see DB.Query.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return nil, errNotYet
}

// QueryRow keeps the first row of a query.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) *Row {
	return &Row{err: errNotYet}
}

// Exec runs statements in the session: see DB.Exec.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return Result{}, errNotYet
}

// Prepare prepares a statement for use in the session.
func (c *Conn) Prepare(ctx context.Context, sql string) (*Stmt, error) { return nil, errNotYet }

// Begin is the statement BEGIN; it fails inside a transaction.
func (c *Conn) Begin(ctx context.Context, opts *TxOptions) error { return errNotYet }

// Commit is the statement COMMIT.
func (c *Conn) Commit(ctx context.Context) error { return errNotYet }

// Rollback is the statement ROLLBACK.
func (c *Conn) Rollback() error { return errNotYet }

// InTransaction tells whether a transaction is open.
func (c *Conn) InTransaction() bool { return false }

// Close rolls back an open transaction and ends the session.
func (c *Conn) Close() error { return nil }
