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
	return sess.startMany(ctx, s.stmt, bound)
}

func (s *session) startMany(ctx context.Context, st *query.Stmt, args []query.Args) (_ []*Rows, err error) {
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
	for range args {
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
	results, err := s.qs.RunMany(run, st, args, s.hooks(ctx))
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
