package query

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// ErrAborted is returned by every statement but COMMIT and ROLLBACK once a
// statement of a transaction has failed.
var ErrAborted error = aborted{}

// aborted is ErrRolledBack for errors.Is: one error to look for, whoever tells.
type aborted struct{}

func (aborted) Error() string {
	return "the transaction has failed and waits for ROLLBACK; nothing of it will be kept"
}
func (aborted) Is(target error) bool { return target == ErrRolledBack }

// ErrRolledBack is returned by Session.Commit when the transaction had failed,
// so that it was rolled back instead. The statement COMMIT says so by its tag.
var ErrRolledBack = errors.New("the transaction had failed: rolled back, nothing of it was kept")

// ErrNoTransaction is returned by COMMIT and ROLLBACK outside of a transaction,
// ErrInTransaction by BEGIN within one.
var (
	ErrNoTransaction = errors.New("no transaction was begun")
	ErrInTransaction = errors.New("a transaction is open already; COMMIT or ROLLBACK comes first")
)

// Session runs statements one after another, each on its own (autocommit) or
// between BEGIN and COMMIT in one transaction. Other than an Env it is for one
// goroutine at a time.
type Session struct {
	env    *Env
	tx     *storage.Tx   // the writing transaction, or nil
	view   *storage.View // the snapshot of a read-only transaction, or nil
	failed bool
	points []savepoint
	temp   *temps // temporary tables, nil if none was made yet
}

// savepoint is a place in the open transaction.
type savepoint struct {
	name parse.Ident
	at   storage.Savepoint
	temp *storage.Savepoint // in the temporary tables, if the transaction had changed any
}

// NewSession returns a session outside of any transaction. It holds nothing
// until BEGIN; Close rolls back what is open.
func NewSession(env *Env) *Session { return &Session{env: env} }

// Init makes s what NewSession returns.
func (s *Session) Init(env *Env) { *s = Session{env: env} }

// InTransaction reports whether a transaction is open, failed or not.
func (s *Session) InTransaction() bool { return s.tx != nil || s.view != nil }

// Failed reports whether a statement of the open transaction has failed.
func (s *Session) Failed() bool { return s.failed }

// Begin opens a transaction, waiting for the store's one writer unless it is
// read-only. It is what the statement BEGIN does.
func (s *Session) Begin(ctx context.Context, readOnly bool) error {
	if s.InTransaction() {
		return ErrInTransaction
	}
	if readOnly {
		view, err := s.env.Store.Snapshot()
		if err != nil {
			return err
		}
		s.view = view
		return nil
	}
	tx, err := s.env.Store.Begin(ctx)
	if err != nil {
		return err
	}
	s.tx = tx
	return nil
}

// Commit makes the transaction's changes permanent. If a statement of it had
// failed, it rolls back and returns ErrRolledBack.
func (s *Session) Commit(ctx context.Context) error {
	switch {
	case !s.InTransaction():
		return ErrNoTransaction
	case s.failed:
		if err := s.Rollback(); err != nil {
			return err
		}
		return ErrRolledBack
	}
	tx, view := s.tx, s.view
	s.tx, s.view, s.points = nil, nil, nil
	var err error
	if view != nil {
		err = view.Close()
	} else {
		err = tx.Commit(ctx)
	}
	return firstError(err, s.temp.end(ctx, err == nil))
}

// Rollback ends the transaction and drops its changes.
func (s *Session) Rollback() error {
	if !s.InTransaction() {
		return ErrNoTransaction
	}
	tx, view := s.tx, s.view
	s.tx, s.view, s.failed, s.points = nil, nil, false, nil
	err := s.temp.end(context.Background(), false)
	if view != nil {
		return firstError(view.Close(), err)
	}
	return firstError(tx.Rollback(), err)
}

// Close rolls back an open transaction and drops the session's temporary tables. The session may not be used after it.
func (s *Session) Close() error {
	var err error
	if s.InTransaction() {
		err = s.Rollback()
	}
	return firstError(err, s.DropTemp())
}

// Run runs a prepared statement. Within a transaction an error makes the
// transaction fail; outside, a statement that fails leaves nothing behind. The
// caller reads the Result and closes it before the session's next statement.
func (s *Session) Run(ctx context.Context, stmt *Stmt, args Args, hooks Hooks) (*Result, error) {
	r := new(Result)
	if err := s.RunTo(ctx, r, stmt, args, hooks); err != nil {
		return nil, err
	}
	return r, nil
}

// RunTo is Run in the memory of r, which is new.
func (s *Session) RunTo(ctx context.Context, r *Result, stmt *Stmt, args Args, hooks Hooks) error {
	if err := stmt.check(args); err != nil {
		return s.fail(err)
	}
	switch t := stmt.tree.(type) {
	case *parse.Begin:
		r.tag = "BEGIN"
		return s.Begin(ctx, t.ReadOnly)
	case *parse.Commit:
		r.tag = "COMMIT"
		err := s.Commit(ctx)
		if err == ErrRolledBack {
			r.tag, err = "ROLLBACK", nil
		}
		return err
	case *parse.Rollback:
		r.tag = "ROLLBACK"
		return s.Rollback()
	case *parse.Savepoint:
		r.tag = stmt.tag
		return s.savepoint(t)
	}
	if s.failed {
		return ErrAborted
	}
	if err := s.run(ctx, stmt, args, hooks, r); err != nil {
		return s.fail(err)
	}
	return nil
}

// savepoint sets, forgets or goes back to a place in the open transaction.
func (s *Session) savepoint(t *parse.Savepoint) error {
	switch {
	case !s.InTransaction():
		return ErrNoTransaction
	case s.failed && t.What != parse.RollbackTo:
		return ErrAborted
	}
	if t.What == parse.SetSavepoint {
		p := savepoint{name: t.Name}
		if s.tx != nil {
			p.at = s.tx.Savepoint()
		}
		if s.temp != nil && s.temp.tx != nil {
			at := s.temp.tx.Savepoint()
			p.temp = &at
		}
		s.points = append(s.points, p)
		return nil
	}
	at := -1
	for i, p := range s.points {
		if t.Name.Means(p.name.Name) || p.name.Means(t.Name.Name) {
			at = i
		}
	}
	if at < 0 {
		return s.fail(parse.Errorf(t.Name.Pos, "there is no savepoint %q", t.Name.Name))
	}
	if t.What == parse.Release {
		s.points = s.points[:at]
		return nil
	}
	s.points = s.points[:at+1]
	if s.tx != nil {
		if err := s.tx.RollbackTo(s.points[at].at); err != nil {
			return s.fail(err)
		}
	}
	if t := s.temp; t != nil && t.tx != nil {
		if p := s.points[at].temp; p != nil {
			if err := t.tx.RollbackTo(*p); err != nil {
				return s.fail(err)
			}
		} else if err := t.end(context.Background(), false); err != nil {
			return s.fail(err)
		}
	}
	s.failed = false
	return nil
}

// fail marks an open transaction as failed, if err is an error.
func (s *Session) fail(err error) error {
	if err != nil && s.InTransaction() {
		s.failed = true
	}
	return err
}

// Query prepares and runs sql.
func (s *Session) Query(ctx context.Context, sql string, args Args, hooks Hooks) (*Result, error) {
	stmt, err := Prepare(s.env, sql)
	if err != nil {
		return nil, s.fail(err)
	}
	return s.Run(ctx, stmt, args, hooks)
}
