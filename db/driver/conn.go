package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"unicode/utf8"

	"github.com/lupadb/lupa/db"
)

// Conn is one connection of a pool. Programs reach it through sql.Conn.Raw, to
// use what database/sql lacks:
//
//	conn.Raw(func(c any) error {
//		matches, err = c.(*driver.Conn).DB().Nearest(ctx, "photos", "clip", "a wolf", 5, nil)
//		return err
//	})
type Conn struct {
	store   *db.DB
	session *db.Conn

	spare *rows    // for the next query, or nil
	names []string // of the last query's columns; nobody changes them
}

var (
	_ driver.Conn               = (*Conn)(nil)
	_ driver.ConnPrepareContext = (*Conn)(nil)
	_ driver.ExecerContext      = (*Conn)(nil)
	_ driver.QueryerContext     = (*Conn)(nil)
	_ driver.ConnBeginTx        = (*Conn)(nil)
	_ driver.Pinger             = (*Conn)(nil)
	_ driver.SessionResetter    = (*Conn)(nil)
	_ driver.Validator          = (*Conn)(nil)
	_ driver.NamedValueChecker  = (*Conn)(nil)
)

// DB returns the store of the pool.
func (c *Conn) DB() *db.DB { return c.store }

// Session returns the connection's session, with its transaction.
func (c *Conn) Session() *db.Conn { return c.session }

// Close ends the session.
func (c *Conn) Close() error { return c.session.Close() }

// Ping tells whether the store is open, and gives up a connection whose session is
// not.
func (c *Conn) Ping(ctx context.Context) error {
	if err := c.store.Ping(ctx); err != nil {
		return err
	}
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return nil
}

// ResetSession prepares the connection for its next user: a transaction that
// was left open, by a BEGIN that was sent as a statement, is rolled back.
func (c *Conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	if c.session.InTransaction() {
		if err := c.session.Rollback(); err != nil {
			return driver.ErrBadConn
		}
	}
	return nil
}

// IsValid tells whether the connection may go back into the pool.
func (c *Conn) IsValid() bool { return c.session.Ping(context.Background()) == nil }

// CheckNamedValue turns an argument into a db.Value.
func (c *Conn) CheckNamedValue(nv *driver.NamedValue) error {
	if _, ok := nv.Value.(sql.Out); ok {
		return errorf("there are no output parameters; use RETURNING")
	}
	switch x := nv.Value.(type) {
	case int64, float64, bool, nil:
		return nil // as it is
	case string:
		if utf8.ValidString(x) {
			return nil
		}
	}
	v, err := db.ToValue(nv.Value)
	if err != nil {
		return err
	}
	nv.Value = v
	return nil
}

// goArgs turns what CheckNamedValue made into arguments of package db, in the memory of
// buf, if that is enough.
func goArgs(args []driver.NamedValue, buf []any) []any {
	out := buf[:0]
	for _, a := range args {
		if a.Name != "" {
			out = append(out, db.Named(a.Name, a.Value))
		} else {
			out = append(out, a.Value)
		}
	}
	return out
}

// ExecContext runs statements separated by semicolons.
func (c *Conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.session.Exec(ctx, query, goArgs(args, nil)...)
	if err != nil {
		return nil, err
	}
	return result{r}, nil
}

// QueryContext runs one statement.
func (c *Conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.session.Query(ctx, query, goArgs(args, nil)...)
	if err != nil {
		return nil, err
	}
	return c.rows(r), nil
}

// Prepare prepares a statement.
func (c *Conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement.
func (c *Conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.session.Prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return &stmt{conn: c, s: s}, nil
}

// Begin starts a writing transaction.
func (c *Conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx starts a transaction.
func (c *Conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if level := sql.IsolationLevel(opts.Isolation); level > sql.LevelSerializable {
		return nil, errorf("isolation level %s is not supported; transactions are serializable", level)
	}
	if err := c.session.Begin(ctx, &db.TxOptions{ReadOnly: opts.ReadOnly}); err != nil {
		return nil, err
	}
	return tx{c.session}, nil
}

type tx struct{ session *db.Conn }

func (t tx) Commit() error   { return t.session.Commit(context.Background()) }
func (t tx) Rollback() error { return t.session.Rollback() }

type result struct{ r db.Result }

// LastInsertId is the INTEGER primary key of the last row that INSERT has written.
func (r result) LastInsertId() (int64, error) {
	if r.r.LastKey.Kind() == db.Integer {
		return r.r.LastKey.Int(), nil
	}
	return 0, errors.New("lupa: there is no LastInsertId: no row was inserted, or its primary key is not an INTEGER; use INSERT ... RETURNING")
}

func (r result) RowsAffected() (int64, error) { return r.r.RowsAffected, nil }

// stmt is for one goroutine at a time, as database/sql uses it.
type stmt struct {
	conn *Conn
	s    *db.Stmt
	args []any // memory for arguments
}

// goArgs are the arguments of a run; they are gone when it has begun.
func (s *stmt) goArgs(args []driver.NamedValue) []any {
	s.args = goArgs(args, s.args)
	return s.args
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) Close() error { return s.s.Close() }

// NumInput lets database/sql count positional arguments; names are checked by
// the engine.
func (s *stmt) NumInput() int {
	if len(s.s.ParamNames()) > 0 {
		return -1
	}
	return s.s.NumParams()
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.s.Exec(ctx, s.goArgs(args)...)
	if err != nil {
		return nil, err
	}
	return result{r}, nil
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.s.Query(ctx, s.goArgs(args)...)
	if err != nil {
		return nil, err
	}
	return s.conn.rows(r), nil
}

// Exec and Query are what database/sql no longer calls.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}
