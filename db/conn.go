package db

import "context"

// Conn is a session: statements run one after the other, and BEGIN, COMMIT and
// ROLLBACK among them have their meaning. It is for one goroutine at a time.
type Conn struct{ s *session }

// Conn returns a session of its own. It costs next to nothing. Close it.
func (db *DB) Conn(ctx context.Context) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &Conn{s: db.session()}
	c.s.control, c.s.brief = nil, false
	if err := db.register(c); err != nil {
		return nil, err
	}
	return c, nil
}

// Query runs one statement in the session: see DB.Query.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return c.s.query(ctx, sql, args)
}

// QueryRow keeps the first row of a query.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) *Row {
	return firstRow(c.Query(ctx, sql, args...))
}

// Exec runs statements in the session: see DB.Exec. A transaction may stay open.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return c.s.exec(ctx, sql, args)
}

// Prepare prepares a statement for use in the session.
func (c *Conn) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	return c.s.prepare(ctx, sql)
}

// Begin is the statement BEGIN; within a transaction it gives ErrInTransaction.
func (c *Conn) Begin(ctx context.Context, opts *TxOptions) error {
	return c.s.begin(ctx, opts != nil && opts.ReadOnly)
}

// Commit is the statement COMMIT, except that it returns ErrTxFailed, having
// rolled back, if a statement of the transaction had failed.
func (c *Conn) Commit(ctx context.Context) error {
	return c.s.endTx(func() error { return c.s.qs.Commit(ctx) })
}

// Rollback is the statement ROLLBACK.
func (c *Conn) Rollback() error { return c.s.endTx(c.s.qs.Rollback) }

// InTransaction tells whether a transaction is open.
func (c *Conn) InTransaction() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.qs.InTransaction()
}

// Failed tells whether a statement of the open transaction has failed, so that
// only ROLLBACK is left.
func (c *Conn) Failed() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.qs.Failed()
}

// Ping returns ErrClosed after Close of the session or the DB, the context's error
// if it has ended, and otherwise nil.
func (c *Conn) Ping(ctx context.Context) error {
	if err := c.s.db.Ping(ctx); err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.closed
}

// Close rolls back an open transaction and ends the session.
func (c *Conn) Close() error {
	err := c.s.finish(ErrClosed, c.s.qs.Close)
	c.s.db.unregister(c)
	if err == ErrClosed {
		return nil
	}
	return err
}

// abort ends the session from another goroutine.
func (c *Conn) abort(reason error) {
	c.s.finish(reason, c.s.qs.Close)
	c.s.db.unregister(c)
}

func (c *Conn) interrupt() {} // its statements are handles of their own

// endTx ends the open transaction and the rows that read from it.
func (s *session) endTx(end func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return s.closed
	}
	s.closeRows(ErrTxDone)
	return end()
}
