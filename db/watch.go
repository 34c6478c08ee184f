package db

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/lupadb/lupa/storage"
)

// Watched is a row that a watch tells: one that meets its condition since a commit, and did
// not before.
type Watched struct {
	// Place is where the row stands in the order in which the watch tells: by commits, and in
	// a commit by rows, as in watched('name') of the language. Those of a watch are different.
	Place string
	// Columns and Values are the primary key or, of a table without one, all columns but
	// vectors and blobs, as they were when the row was committed. The row may have changed, or
	// be gone, since.
	Columns []string
	Values  []Value

	at storage.Place
}

// Key is the primary key, NULL of a table without one.
func (w *Watched) Key() Value {
	if len(w.Values) == 1 {
		return w.Values[0]
	}
	return Value{}
}

// Watcher follows a watch, made by CREATE WATCH: it gives the rows that the watch tells, those
// first that were not acknowledged so far, then others as they are committed, by this DB or,
// while the store is closed here, by others. A row is told at least once: what was committed
// is told also after a crash, and what was told is told again unless it was acknowledged.
// What was rolled back is never told.
//
// A Watcher is for one goroutine at a time. Several of one watch tell the same rows.
type Watcher struct {
	db     *DB
	ctx    context.Context
	cancel context.CancelFunc
	name   string
	at     storage.Place // told so far
	ready  []Watched
	done   storage.Place // to be acknowledged
	kept   storage.Place // acknowledged in the store
	ended  error
}

// watchedAtOnce is how many rows are read ahead, and acknowledged in one commit.
const watchedAtOnce = 256

// Watch follows the watch of this name; an error is a *NoWatchError where there is none. ctx
// bounds the Watcher's whole life. The caller closes it.
func (db *DB) Watch(ctx context.Context, name string) (*Watcher, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	v, err := db.store.Snapshot()
	if err != nil {
		return nil, err
	}
	_, _, err = v.Watch(name)
	if err := errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	w := &Watcher{db: db, name: name}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w, db.register(w)
}

// Next waits for the next row. The error is that of the context of Watch when that ends,
// ErrClosed after DB.Close, and a *NoWatchError when the watch was dropped.
func (w *Watcher) Next() (Watched, error) {
	for len(w.ready) == 0 {
		noted := w.db.store.Noted() // before looking, so that nothing is missed
		if err := w.read(); err != nil {
			return Watched{}, err
		}
		if len(w.ready) > 0 {
			break
		}
		if err := w.keep(); err != nil { // while there is time
			return Watched{}, err
		}
		select {
		case <-noted:
		case <-w.ctx.Done():
			return Watched{}, w.reason(w.ctx.Err())
		}
	}
	m := w.ready[0]
	w.ready = w.ready[1:]
	return m, nil
}

// Waiting reports whether Next has a row at hand, and does not wait.
func (w *Watcher) Waiting() (bool, error) {
	if len(w.ready) > 0 {
		return true, nil
	}
	err := w.read()
	return len(w.ready) > 0, err
}

// read reads the next rows.
func (w *Watcher) read() error {
	if w.ended != nil {
		return w.ended
	}
	if err := w.ctx.Err(); err != nil {
		return w.reason(err)
	}
	if err := w.db.enter(); err != nil {
		return err
	}
	defer w.db.leave()
	v, err := w.db.store.Snapshot()
	if err != nil {
		return err
	}
	notes, err := v.Notes(w.ctx, w.name, w.at, watchedAtOnce)
	if err := errors.Join(err, v.Close()); err != nil {
		return w.reason(err)
	}
	for _, n := range notes {
		w.ready = append(w.ready, Watched{Place: n.Place.String(), Columns: n.Columns, Values: n.Values, at: n.Place})
		w.at = n.Place
	}
	return nil
}

// Ack acknowledges a row and all that were told before it: when it returns nil they are not
// told again. It is a commit, which costs a sync; it waits for the writer before it.
func (w *Watcher) Ack(m Watched) error {
	w.done = m.at
	return w.keep()
}

// keep writes what is acknowledged.
func (w *Watcher) keep() error {
	if w.done == w.kept {
		return nil
	}
	if w.ended != nil {
		return w.ended
	}
	if w.db.opts.ReadOnly {
		return ErrReadOnly
	}
	if err := w.db.mayWait(); err != nil {
		return err
	}
	if err := w.db.enter(); err != nil {
		return err
	}
	defer w.db.leave()
	// Not the Watcher's context: what was done is acknowledged when that ends, too.
	ctx := context.Background()
	tx, err := w.db.store.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.Acknowledge(ctx, w.name, w.done); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("acknowledge %s: %w", w.name, err)
	}
	w.kept = w.done
	return nil
}

// All gives the rows in a loop, for ever. A row is acknowledged when the loop asks for the
// next one: in the store once there is none at hand, or after some hundred, and by Close. One
// during which the loop is left is not, and will be told again. The last pair has the error
// of Next.
func (w *Watcher) All() iter.Seq2[Watched, error] {
	return func(yield func(Watched, error) bool) {
		for n := 1; ; n++ {
			m, err := w.Next()
			if !yield(m, err) || err != nil {
				return
			}
			w.done = m.at
			if n%watchedAtOnce == 0 {
				if err := w.keep(); err != nil {
					yield(Watched{}, err)
					return
				}
			}
		}
	}
}

// Close ends the Watcher; what All has acknowledged is kept.
func (w *Watcher) Close() error {
	if w.ended != nil {
		return nil
	}
	err := w.keep()
	w.ended = ErrClosed
	w.cancel()
	w.db.unregister(w)
	return err
}

// reason is err, or ErrClosed where the DB was closed.
func (w *Watcher) reason(err error) error { return w.db.reason(err) }

func (w *Watcher) interrupt()  { w.cancel() }
func (w *Watcher) abort(error) {}
