package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/query"
)

// session runs statements for a DB (one call each), a Tx or a Conn. Its lock
// lets DB.Close end it while its owner uses it.
type session struct {
	db *DB
	qs *query.Session

	control error // for BEGIN, COMMIT and ROLLBACK where they are no statements

	mu     sync.Mutex
	life   context.Context // of a Tx: cancels what it is running; or nil
	rows   []*Rows         // begun and not read to the end
	brief  bool            // it is for one statement
	closed error           // why it can't be used any more

	own   query.Session // qs
	first [1]*Rows      // memory for rows
}

// session returns a new session for one call.
func (db *DB) session() *session {
	s := &session{db: db, control: errNeedsSession, brief: true}
	s.own.Init(db.env)
	s.qs, s.rows = &s.own, s.first[:0]
	return s
}

// hooks returns the callbacks of a run under ctx.
func (s *session) hooks(ctx context.Context) query.Hooks {
	h := query.Hooks{Progress: s.db.opts.Progress, Warn: s.db.opts.Warn, Notice: s.db.opts.Notice}
	if fn, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		h.Progress = fn
	}
	if fn, ok := ctx.Value(warnKey{}).(func(string)); ok {
		h.Warn = fn
	}
	if fn, ok := ctx.Value(noticeKey{}).(func(string)); ok {
		h.Notice = fn
	}
	if within, ok := ctx.Value(withinKey{}).(*time.Duration); ok {
		h.Within = within
	}
	h.NoFiles = ctx.Value(noFilesKey{}) != nil
	return h
}

// query prepares and runs one statement.
func (s *session) query(ctx context.Context, sql string, args []any) (*Rows, error) {
	st, err := query.Prepare(s.db.env, sql)
	if err != nil {
		return nil, s.refused(ctx, sql, err)
	}
	return s.run(ctx, st, args)
}

// refused reports a statement that didn't parse to the tracer and the counters.
func (s *session) refused(ctx context.Context, sql string, err error) error {
	var w watch
	w.begin(s.db, ctx, sql, "")
	w.end(0, 0, err)
	return err
}

// run runs a prepared statement and returns its rows.
func (s *session) run(ctx context.Context, st *query.Stmt, args []any) (*Rows, error) {
	r := newRows(s)
	r.watch.begin(s.db, ctx, st.Text(), st.Tag())
	bound, err := bindArgs(args, r.args[:0])
	if err == nil {
		err = s.start(r, st, bound)
	}
	if err != nil {
		r.watch.end(0, 0, err)
		return nil, err
	}
	return r, nil
}

func (s *session) start(r *Rows, st *query.Stmt, args query.Args) error {
	if s.control != nil && (st.Tag() == "BEGIN" || st.Tag() == "COMMIT" || st.Tag() == "ROLLBACK") {
		return s.control
	}
	if s.brief && st.MakesTemp() {
		return errTempNeedsSession
	}
	if err := s.db.enter(); err != nil {
		return err
	}
	defer s.db.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	if err := r.watch.ctx.Err(); err != nil {
		return err
	}
	if !st.ReadOnly() && !s.qs.InTransaction() && !st.BeginsReading() && !s.qs.ToTemp(st) {
		if err := s.db.mayWait(); err != nil {
			return err
		}
	}
	if !st.ReadOnly() {
		if err := s.detachRows(); err != nil {
			return err
		}
	}
	if err := s.beginRows(r); err != nil {
		return err
	}
	if err := s.qs.RunTo(r.ctx, &r.mem, st, args, s.hooks(r.watch.ctx)); err != nil {
		r.drop()
		return s.reason(err)
	}
	r.open(&r.mem)
	return nil
}

// over returns why the session can't be used any more, or nil. s.mu is held.
func (s *session) over() error {
	if s.closed == nil && s.life != nil {
		return s.life.Err() // it is about to be closed
	}
	return s.closed
}

// within returns a context for a statement that ctx and the end of the session's
// life cancel. s.mu is held.
func (s *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if s.life == nil {
		return ctx, cancel
	}
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// reason is err, or why a statement was cancelled that its own context did not
// cancel. s.mu is held.
func (s *session) reason(err error) error {
	if errors.Is(err, context.Canceled) && s.life != nil && s.life.Err() != nil {
		return s.life.Err()
	}
	return s.db.reason(err)
}

// reason is err, or ErrClosed if that is why a context was cancelled.
func (db *DB) reason(err error) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	return err
}

// exec runs the statements of src one after another.
func (s *session) exec(ctx context.Context, src string, args []any) (Result, error) {
	pieces := query.Split(src)
	if len(pieces) <= 1 {
		r, err := s.query(ctx, src, args)
		if err != nil {
			return Result{}, err
		}
		return r.drain()
	}
	stmts, share, err := s.shares(ctx, pieces, args)
	if err != nil {
		return Result{}, err
	}
	if s.brief {
		s.brief = false
		defer s.qs.DropTemp()
	}
	var last Result
	var affected int64
	for i, p := range pieces {
		r, err := s.run(ctx, stmts[i], share[i])
		if err == nil {
			last, err = r.drain()
		}
		if err != nil {
			return last, query.Move(err, p)
		}
		affected += last.RowsAffected
	}
	last.RowsAffected = affected
	return last, nil
}

// shares parses several statements and deals the arguments out to several statements: numbers ($1) are places in the
// whole list, or each statement's parameters are counted on from those before. Named
// arguments go to all that have parameters.
func (s *session) shares(ctx context.Context, pieces []query.Piece, args []any) ([]*query.Stmt, [][]any, error) {
	var pos, named []any
	for _, a := range args {
		if _, ok := a.(sql.NamedArg); ok {
			named = append(named, a)
		} else {
			pos = append(pos, a)
		}
	}
	stmts := make([]*query.Stmt, len(pieces))
	most, sum, whole := 0, 0, true
	for i, p := range pieces {
		st, err := query.Prepare(s.db.env, p.Text)
		if err != nil { // nothing has run yet
			return nil, nil, s.refused(ctx, p.Text, query.Move(err, p))
		}
		stmts[i] = st
		n := st.NumParams()
		most, sum = max(most, n), sum+n
		whole = whole && (n == 0 || st.Numbered() || n == len(pos))
	}
	out := make([][]any, len(pieces))
	at := 0
	for i, st := range stmts {
		n := st.NumParams()
		switch {
		case whole && most == len(pos):
			out[i] = append(out[i], pos[:n]...)
		case sum == len(pos):
			out[i] = append(out[i], pos[at:at+n]...)
			at += n
		default:
			return nil, nil, fmt.Errorf("%d arguments for %d statements with %d parameters: give all their arguments one after the other, or number the parameters $1, $2 through all statements", len(pos), len(pieces), sum)
		}
		if len(st.ParamNames()) > 0 {
			out[i] = append(out[i], named...)
		}
	}
	return stmts, out, nil
}

// detachRows makes open rows independent of what the transaction writes next,
// by reading what is left of them into memory. s.mu is held.
func (s *session) detachRows() error {
	for _, r := range slices.Clone(s.rows) {
		if err := r.buffer(); err != nil {
			return err
		}
	}
	return nil
}

// finish closes the session's rows, runs last, and leaves the session closed for
// the reason given.
func (s *session) finish(reason error, last func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return s.closed
	}
	s.closed = reason
	s.closeRows(reason)
	err := last()
	if e := s.qs.DropTemp(); err == nil {
		err = e
	}
	return err
}

// closeRows ends what is being read.
func (s *session) closeRows(reason error) {
	for _, r := range slices.Clone(s.rows) {
		r.closeLocked(reason)
	}
}

type warnKey struct{}

// WithWarn returns a context under which statements warn fn instead of
// Options.Warn.
func WithWarn(ctx context.Context, fn func(message string)) context.Context {
	return context.WithValue(ctx, warnKey{}, fn)
}

type noticeKey struct{}

// WithNotice returns a context under which statements tell fn instead of
// Options.Notice.
func WithNotice(ctx context.Context, fn func(message string)) context.Context {
	return context.WithValue(ctx, noticeKey{}, fn)
}

type withinKey struct{}

// Within returns a context under which a query that is one search gives what it has found in the
// time d, as with the clause WITHIN; where it has that clause the clause counts. Other statements, and queries whose
// order is not one search, are not limited: Rows.Partial tells. The time is that of the search; a
// deadline of ctx, if any, ends the statement with an error as ever.
func Within(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, withinKey{}, &d)
}

type noFilesKey struct{}

// WithNoFiles returns a context under which statements may name no files, as with
// Options.NoFiles: for statements of strangers, in a program whose own statements may.
func WithNoFiles(ctx context.Context) context.Context {
	return context.WithValue(ctx, noFilesKey{}, true)
}

// watch follows one statement for the counters and the tracer.
type watch struct {
	db    *DB
	ctx   context.Context
	sql   string
	tag   string
	start time.Time
	ended atomic.Bool
}

func (w *watch) begin(db *DB, ctx context.Context, sql, tag string) {
	db.counts.statements.Add(1)
	db.counts.running.Add(1)
	w.db, w.ctx, w.sql, w.tag = db, ctx, sql, tag
	w.start = time.Now()
	if t := db.opts.Trace; t != nil {
		w.ctx = t.StatementStart(ctx, sql)
	}
}

func (w *watch) end(rows, affected int64, err error) {
	if w.ended.Swap(true) {
		return
	}
	c := &w.db.counts
	c.running.Add(-1)
	c.rows.Add(rows)
	took := time.Since(w.start)
	c.add(took)
	if err != nil {
		c.failed.Add(1)
	}
	if t := w.db.opts.Trace; t != nil {
		t.StatementEnd(w.ctx, StatementEvent{SQL: w.sql, Tag: w.tag, Duration: took,
			Rows: rows, RowsAffected: affected, Err: err})
	}
}
