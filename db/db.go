package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage"
)

// DB is an open store, made by Open. It is safe for concurrent use.
type DB struct {
	dir      string
	opts     Options
	store    *storage.Store
	env      *query.Env
	encoders encoders
	counts   counts
	updating atomic.Uint64 // the goroutine that runs the function of an Update, or 0

	mu     sync.Mutex
	closed bool
	open   map[handle]struct{} // rows, sessions and the like that Close ends
	calls  sync.WaitGroup      // calls running right now
	done   chan struct{}       // closed when Close has finished
	err    error               // what Close returned
}

// handle is something that holds a part of the store until it is closed.
type handle interface {
	interrupt()         // cancels what it is running
	abort(reason error) // closes it
}

type counts struct {
	statements, failed, running, rows atomic.Int64
	latencies
}

// Open opens the store in the directory dir, and makes one if there is none. The
// directory ":memory:" is a store in memory. opts may be nil.
//
// The errors to expect: ErrLocked when the directory is open already, ErrNotStore
// when it holds something else, ErrFormat when a newer Lupa wrote it, ErrCorrupt.
func Open(dir string, opts *Options) (*DB, error) {
	return OpenContext(context.Background(), dir, opts)
}

// OpenContext is Open, which gives up when ctx ends: opening verifies the store's
// files, and after a crash reads its log. The context has no meaning for the DB
// afterwards.
func OpenContext(ctx context.Context, dir string, opts *Options) (*DB, error) {
	db := &DB{dir: dir, open: map[handle]struct{}{}, done: make(chan struct{})}
	if opts != nil {
		db.opts = *opts
	}
	o := &db.opts
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	if dir == ":memory:" {
		o.InMemory = true
	}
	switch {
	case o.InMemory:
	case dir == "":
		return nil, errors.New(`open store: no directory given; ":memory:" is a store in memory`)
	case o.MustExist || o.ReadOnly || o.AsFound:
		if _, err := os.Stat(dir); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("open store %s: %w", dir, fs.ErrNotExist)
			}
			return nil, fmt.Errorf("open store %s: %w", dir, err)
		}
	}
	if o.InMemory {
		dir = ""
	} else if abs, err := filepath.Abs(dir); err == nil {
		db.dir = abs // survives a chdir of the host program
	}
	if err := db.encoders.init(o); err != nil {
		return nil, err
	}
	o.ReadOnly = o.ReadOnly || o.AsFound
	store, err := storage.OpenContext(ctx, dir, &storage.Options{
		ReadOnly:      o.ReadOnly,
		AsFound:       o.AsFound,
		InMemory:      o.InMemory,
		CacheSize:     o.CacheSize,
		NoSync:        o.NoSync,
		NoMerging:     o.NoMerging,
		NoRetraining:  o.NoRetraining,
		WriterTimeout: o.WriterTimeout,
	})
	if err != nil {
		return nil, err
	}
	db.store = store
	db.env = &query.Env{
		Attached:     foreign.Set{Openers: o.Attach},
		Store:        store,
		Encoder:      db.encoders.get,
		MemoryBudget: o.MemoryBudget,
		Workers:      o.Workers,
		NoFiles:      o.NoFiles,
		AllowURLs:    o.AllowURLs,
		PromptCache:  o.PromptCache,
	}
	store.SetWatcher(db.env.Watcher)
	return db, nil
}

// Dir returns the directory of the store as an absolute path, or ":memory:".
func (db *DB) Dir() string {
	if db.opts.InMemory {
		return ":memory:"
	}
	return db.dir
}

// ReadOnly reports whether the store was opened for reading only.
func (db *DB) ReadOnly() bool { return db.opts.ReadOnly }

// Close closes the store: running statements are cancelled, transactions still
// open are rolled back, and rows not read to their end give ErrClosed, as does
// every later call. What was committed is kept. Closing twice is harmless.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		<-db.done
		return db.err
	}
	db.closed = true
	open := make([]handle, 0, len(db.open))
	for h := range db.open {
		open = append(open, h)
	}
	db.mu.Unlock()
	for _, h := range open {
		h.interrupt()
	}
	for _, h := range open {
		h.abort(ErrClosed)
	}
	db.calls.Wait()
	db.err = errors.Join(db.encoders.close(), db.env.Attached.Close(), db.store.Close())
	close(db.done)
	return db.err
}

// enter marks the beginning of a call that uses the store; leave its end.
func (db *DB) enter() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	db.calls.Add(1)
	return nil
}

func (db *DB) leave() { db.calls.Done() }

// call is enter for what takes long: the context it returns is cancelled by
// Close too. done is to be called at the end.
func (db *DB) call(ctx context.Context) (_ context.Context, done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := db.enter(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &running{cancel}
	if err := db.register(c); err != nil {
		cancel()
		db.leave()
		return nil, nil, err
	}
	return ctx, func() {
		cancel()
		db.unregister(c)
		db.leave()
	}, nil
}

// running is a call that Close cancels and waits for.
type running struct{ cancel context.CancelFunc }

func (r *running) interrupt()  { r.cancel() }
func (r *running) abort(error) {}

// register makes Close end h; unregister is called when h has ended by itself.
func (db *DB) register(h handle) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	db.open[h] = struct{}{}
	return nil
}

func (db *DB) unregister(h handle) {
	db.mu.Lock()
	delete(db.open, h)
	db.mu.Unlock()
}

// Query runs one statement and returns its rows. The rows must be closed, or
// read to the end. A statement other than SELECT may be run so too: without
// rows, or with those of RETURNING; it has taken effect when Query returns.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return db.session().query(ctx, sql, args)
}

// QueryRow runs a query of which only the first row is wanted. Errors wait for
// Row.Scan.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) *Row {
	return firstRow(db.Query(ctx, sql, args...))
}

// Exec runs a statement, or several separated by semicolons, and drops rows
// they return. Several statements are not a transaction unless they say BEGIN
// and COMMIT; the first that fails ends Exec, and nothing runs if one of them does
// not parse. Of several statements, ? counts on through all of them, while $1, $2 are
// places in the whole list of arguments (or are counted on too, where the number of
// arguments says so). Named arguments go to every statement that has such parameters.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	if err := db.enter(); err != nil {
		return Result{}, err
	}
	defer db.leave()
	s := db.session()
	s.control = nil
	res, err := s.exec(ctx, sql, args)
	if s.qs.InTransaction() {
		err = errors.Join(err, s.qs.Rollback())
		if err == nil {
			err = errNeedsSession
		}
	}
	return res, err
}

// Prepare parses one statement; names of tables and columns are looked up when
// it runs, so that it remains valid when tables change. The Stmt is safe for
// concurrent use.
func (db *DB) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := query.Prepare(db.env, sql)
	if err != nil {
		return nil, err
	}
	return &Stmt{db: db, stmt: st}, nil
}

// Result says what a statement did.
type Result struct {
	RowsAffected int64  // inserted, updated or deleted
	Tag          string // "INSERT", "CREATE TABLE", ...: the last statement's
	LastKey      Value  // the primary key of the last row that INSERT has written, if it is an INTEGER, else NULL
}

// Ping returns ErrClosed after Close, the context's error if it has ended, and
// otherwise nil.
func (db *DB) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	db.leave()
	return nil
}
