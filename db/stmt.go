package db

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/query"
)

// Stmt is a prepared statement: parsed once, its names looked up at every run, so
// that it outlives changes of the tables.
type Stmt struct {
	db     *DB
	in     *session // nil for a statement of the DB
	stmt   *query.Stmt
	err    error // why it can't be run
	closed atomic.Bool
}

func (s *Stmt) session() (*session, error) {
	switch {
	case s.closed.Load():
		return nil, fmt.Errorf("statement: %w", ErrClosed)
	case s.err != nil:
		return nil, s.err
	case s.in != nil:
		return s.in, nil
	}
	return s.db.session(), nil
}

// SQL returns the statement's text.
func (s *Stmt) SQL() string { return s.stmt.Text() }

// NumParams returns how many positional arguments the statement takes.
func (s *Stmt) NumParams() int { return s.stmt.NumParams() }

// ParamNames returns the names of the :name parameters, in order of appearance.
func (s *Stmt) ParamNames() []string { return append([]string(nil), s.stmt.ParamNames()...) }

// Query runs the statement and returns its rows.
func (s *Stmt) Query(ctx context.Context, args ...any) (*Rows, error) {
	sess, err := s.session()
	if err != nil {
		return nil, err
	}
	return sess.run(ctx, s.stmt, args)
}

// QueryRow runs the statement and keeps the first row.
func (s *Stmt) QueryRow(ctx context.Context, args ...any) *Row {
	return firstRow(s.Query(ctx, args...))
}

// Exec runs the statement and drops its rows.
func (s *Stmt) Exec(ctx context.Context, args ...any) (Result, error) {
	rows, err := s.Query(ctx, args...)
	if err != nil {
		return Result{}, err
	}
	return rows.drain()
}

// QueryMany runs a SELECT once for each list of arguments, on one snapshot and,
// where it is a search, in one pass over the vectors. The i-th Rows answer the
// i-th list; all are to be closed. The answers are those that Query would give
// one by one.
func (s *Stmt) QueryMany(ctx context.Context, args [][]any) ([]*Rows, error) {
	sess, err := s.session()
	if err != nil {
		return nil, err
	}
	bound := make([]query.Args, len(args))
	for i, a := range args {
		if bound[i], err = bindArgs(a, nil); err != nil {
			return nil, fmt.Errorf("list %d: %w", i+1, err)
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	stmts := make([]*query.Stmt, len(args))
	for i := range stmts {
		stmts[i] = s.stmt
	}
	return sess.startMany(ctx, stmts, bound, false)
}

// QueryShared answers searches that follow on each other in one pass over the vectors: as
// many of the queries, from the first on, as are SELECTs without parameters that search one
// column among the same rows and differ in what they search for only. Rows answer the queries
// they stand for; all are to be closed. There are none where the first query shares with no
// other, whatever the reason: run it by itself, then.
func (c *Conn) QueryShared(ctx context.Context, queries []string) ([]*Rows, error) {
	var stmts []*query.Stmt
	for _, sql := range queries {
		st, err := query.Prepare(c.s.db.env, sql)
		if err != nil || st.Tag() != "SELECT" && st.Tag() != "EXPLAIN" {
			break
		}
		stmts = append(stmts, st)
	}
	if len(stmts) < 2 {
		return nil, nil
	}
	return c.s.startMany(ctx, stmts, make([]query.Args, len(stmts)), true)
}

// startMany starts the statements, or with shared those of them that one pass answers.
func (s *session) startMany(ctx context.Context, stmts []*query.Stmt, args []query.Args, shared bool) (_ []*Rows, err error) {
	if err := s.db.enter(); err != nil {
		return nil, err
	}
	defer s.db.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if shared {
		n := s.qs.Shared(ctx, stmts)
		if n < 2 {
			return nil, nil
		}
		stmts, args = stmts[:n], args[:n]
	}
	// The run is over when the last of its rows is closed.
	run, cancel := s.within(ctx)
	var left atomic.Int64
	left.Store(int64(len(args)))
	rows := make([]*Rows, 0, len(args))
	defer func() {
		if err != nil {
			cancel()
			for _, r := range rows {
				r.drop()
				r.watch.end(0, 0, err)
			}
		}
	}()
	for _, st := range stmts {
		r := &Rows{s: s}
		r.watch.begin(s.db, run, st.Text(), st.Tag())
		rctx, rcancel := context.WithCancel(r.watch.ctx)
		r.ctx, r.quit = rctx, sync.OnceFunc(func() {
			rcancel()
			if left.Add(-1) == 0 {
				cancel()
			}
		})
		rows = append(rows, r)
		if err := s.addRows(r); err != nil {
			return nil, err
		}
	}
	results, err := s.qs.RunMany(run, stmts, args, s.hooks(ctx))
	if err != nil {
		return nil, s.reason(err)
	}
	for i, r := range rows {
		r.open(results[i])
	}
	return rows, nil
}

// Close releases the statement. Rows it returned stay readable.
func (s *Stmt) Close() error {
	s.closed.Store(true)
	return nil
}
