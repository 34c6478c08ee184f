package db

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/query"
)

// TxOptions say what kind of transaction Begin starts.
type TxOptions struct {
	ReadOnly bool // a view of the store as it is now; never waits, never blocks others
}

// Tx is a transaction. A writing one is the store's only writer until Commit or
// Rollback; it sees what it has written itself, others see nothing of it
// before Commit. When a statement fails, only Rollback is left, and everything
// else gives ErrTxFailed; one that does not even parse has not run, and changes
// nothing. Rows still open are closed by Commit and Rollback, and their Err is
// ErrTxDone; a statement that writes first reads what is left of them into
// memory. A Tx is for one goroutine at a time.
type Tx struct {
	s    *session
	stop func() bool // takes back the watch over Begin's context; guarded by s.mu
}

var errTxControl = errors.New("in a Tx, BEGIN, COMMIT and ROLLBACK are methods, not statements")

// Begin starts a transaction; a nil opts is one that writes. It waits for the
// writer before it as long as ctx allows. When ctx ends before Commit, what the
// transaction is running is cancelled and the transaction rolled back; Commit
// then returns the error of ctx.
func (db *DB) Begin(ctx context.Context, opts *TxOptions) (*Tx, error) {
	if opts == nil {
		opts = &TxOptions{}
	}
	s := db.session()
	if err := s.begin(ctx, opts.ReadOnly); err != nil {
		return nil, err
	}
	s.control, s.brief = errTxControl, false
	tx := &Tx{s: s}
	if err := db.register(tx); err != nil {
		s.qs.Rollback()
		return nil, err
	}
	if ctx.Done() != nil {
		s.mu.Lock() // ctx or DB.Close may end the transaction right now
		s.life = ctx
		tx.stop = context.AfterFunc(ctx, func() { tx.abort(ctx.Err()) })
		s.mu.Unlock()
	}
	return tx, nil
}

// begin opens a transaction of the session.
func (s *session) begin(ctx context.Context, readOnly bool) error {
	ctx, done, err := s.db.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return s.closed
	}
	if !readOnly && s.db.opts.ReadOnly {
		return ErrReadOnly
	}
	if !readOnly && !s.qs.InTransaction() {
		if err := s.db.mayWait(); err != nil {
			return err
		}
	}
	return s.db.reason(s.qs.Begin(ctx, readOnly))
}

// View calls fn with a read-only transaction: all its queries see one state.
func (db *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	tx, err := db.Begin(ctx, &TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return fn(tx)
}

// Update calls fn with a writing transaction and commits it if fn returns nil,
// else rolls it back and returns fn's error. A panic of fn rolls it back too. Within
// fn, what writes goes through tx: a write of the DB gives ErrInUpdate on fn's own
// goroutine, and waits on another one.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	tx, err := db.Begin(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	db.updating.Store(goroutine())
	defer db.updating.Store(0)
	if err := fn(tx); err != nil {
		return err
	}
	db.updating.Store(0)
	return tx.Commit()
}

// mayWait returns ErrInUpdate on the goroutine that runs the function of an Update: to
// wait for the writer there would be for ever.
func (db *DB) mayWait() error {
	if g := db.updating.Load(); g != 0 && g == goroutine() {
		return ErrInUpdate
	}
	return nil
}

// goroutine returns the number of the goroutine it is called on, from the first line
// of its stack: there is no other way to it, and the number is only compared.
func goroutine() uint64 {
	var buf [40]byte
	s := strings.TrimPrefix(string(buf[:runtime.Stack(buf[:], false)]), "goroutine ")
	n, _ := strconv.ParseUint(s[:max(0, strings.IndexByte(s, ' '))], 10, 64)
	return n
}

// Stmt returns a statement of the DB for use within the transaction, without parsing it
// again. It is closed on its own.
func (tx *Tx) Stmt(st *Stmt) *Stmt {
	in := &Stmt{db: tx.s.db, in: tx.s, stmt: st.stmt}
	if st.db != tx.s.db {
		in.err = errors.New("the statement is of another DB than the transaction")
	}
	return in
}

// Query runs one statement in the transaction: see DB.Query.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return tx.s.query(ctx, sql, args)
}

// QueryRow keeps the first row of a query in the transaction.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) *Row {
	return firstRow(tx.Query(ctx, sql, args...))
}

// Exec runs statements in the transaction: see DB.Exec.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return tx.s.exec(ctx, sql, args)
}

// Prepare prepares a statement for use within the transaction.
func (tx *Tx) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	return tx.s.prepare(ctx, sql)
}

func (s *session) prepare(ctx context.Context, sql string) (*Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := query.Prepare(s.db.env, sql)
	if err != nil {
		return nil, err
	}
	return &Stmt{db: s.db, in: s, stmt: st}, nil
}

// Commit makes the transaction's writes durable and visible: all of them or, when
// it returns an error, none.
func (tx *Tx) Commit() error {
	tx.s.mu.Lock()
	life := tx.s.life
	tx.s.mu.Unlock()
	if life != nil && life.Err() != nil {
		tx.abort(life.Err()) // which is on its way already
	}
	// Not the context of Begin: once asked to, a commit goes through.
	return tx.finish(ErrTxDone, func() error { return tx.s.qs.Commit(context.Background()) })
}

// Rollback drops the transaction's writes. After Commit it does nothing but
// return ErrTxDone, so that it can be deferred.
func (tx *Tx) Rollback() error { return tx.finish(ErrTxDone, tx.s.qs.Rollback) }

func (tx *Tx) finish(reason error, last func() error) error {
	tx.s.mu.Lock()
	stop := tx.stop
	tx.s.mu.Unlock()
	if stop != nil {
		stop()
	}
	err := tx.s.finish(reason, last)
	tx.s.db.unregister(tx)
	return err
}

// abort rolls back from another goroutine.
func (tx *Tx) abort(reason error) { tx.finish(reason, tx.s.qs.Rollback) }

func (tx *Tx) interrupt() {} // its statements are handles of their own
