package db

import "context"

// TxOptions say what kind of transaction Begin starts.
type TxOptions struct {
	ReadOnly bool // a view of the store as it is now; never waits, never blocks others
}

// Tx is a transaction. A writing one is the store's only writer until Commit or
// Rollback; it sees what it has written itself, others see nothing of it
// before Commit. Rows it returned must be closed before it ends. It is for one
// goroutine at a time.
type Tx struct{}

// Begin starts a transaction, waiting for the writer before it if ctx allows.
// When ctx ends before Commit, the transaction is rolled back at its next use.
func (db *DB) Begin(ctx context.Context, opts *TxOptions) (*Tx, error) { return nil, errNotYet }

// View calls fn with a read-only transaction: all its queries see one state.
func (db *DB) View(ctx context.Context, fn func(tx *Tx) error) error { return errNotYet }

// Update calls fn with a writing transaction and commits it if fn returns nil,
// else rolls it back and returns fn's error. A panic of fn rolls it back too.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error { return errNotYet }

// Query runs one statement in the transaction: see DB.Query.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return nil, errNotYet
}

// QueryRow keeps the first row of a query in the transaction.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) *Row {
	return &Row{err: errNotYet}
}

// Exec runs statements in the transaction: see DB.Exec.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return Result{}, errNotYet
}

// Prepare prepares a statement for use within the transaction.
func (tx *Tx) Prepare(ctx context.Context, sql string) (*Stmt, error) { return nil, errNotYet }

// Commit makes the transaction's writes durable and visible, all of them or, when
// it returns an error, none.
func (tx *Tx) Commit() error { return errNotYet }

// Rollback drops the transaction's writes. After Commit it does nothing but
// return ErrTxDone, so that it can be deferred.
func (tx *Tx) Rollback() error { return errNotYet }
