package db

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

// AppenderOptions tune an Appender. nil means the default.
type AppenderOptions struct {
	// Atomic makes all rows visible together at Close, or none. They are loaded as
	// COPY loads a file: past the write-ahead log, published by one step, in bounded
	// memory however many they are, and several times faster than by default. The
	// appender is the store's writer from its first full batch until it is closed,
	// and a repeated key may show as late as at Close. By default rows are committed
	// in batches as they fill up.
	Atomic bool
	// BatchRows is how many rows a commit takes, or with Atomic, are handed over
	// at once; 0 means 4,096.
	BatchRows int
}

// Appender adds many rows from Go values, faster than INSERT. Append hands
// over full batches to a writer and blocks while it lags, so that memory stays
// bounded however fast rows come: at most three batches are held. It is for
// one goroutine at a time.
type Appender struct {
	db      *DB
	s       *session
	table   string
	columns []string
	types   []Type
	opts    AppenderOptions
	ctx     context.Context
	cancel  context.CancelFunc
	tx      *session // of the transaction it appends within, or nil: there is no writer then
	remote  bool     // the table is one of an attached database

	row   []Value // the row at hand
	rows  int     // in pending
	batch []*value.Batch
	load  *query.Load // with Atomic, from the first group on; the writer's
	work  chan group
	ended chan struct{} // closed when the writer is gone

	mu      sync.Mutex
	written int64
	err     error
	closed  bool
}

// group is what a commit takes.
type group struct {
	batches []*value.Batch
	done    chan struct{} // closed when written, if not nil
}

// Appender returns an appender for the columns of the table, all of them in
// their order if none are named. Columns left out get their default. ctx bounds
// the appender's whole life: when it ends, Append and Close fail.
func (db *DB) Appender(ctx context.Context, table string, columns []string, opts *AppenderOptions) (*Appender, error) {
	if err := db.mayWait(); err != nil {
		return nil, err
	}
	a, err := newAppender(ctx, db, db, table, columns, opts)
	if err != nil {
		return nil, err
	}
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.s = db.session()
	a.work = make(chan group, 1)
	a.ended = make(chan struct{})
	if err := db.register(a); err != nil {
		a.cancel()
		return nil, err
	}
	go a.write()
	return a, nil
}

// Appender returns an appender within the transaction, for use by its goroutine: rows
// are there for its statements after Flush or Close, and for others after Commit. Its
// Atomic makes no difference, and it keeps what it has handed over when it is aborted;
// Rollback is for that.
func (tx *Tx) Appender(ctx context.Context, table string, columns []string, opts *AppenderOptions) (*Appender, error) {
	a, err := newAppender(ctx, tx.s.db, tx, table, columns, opts)
	if err != nil {
		return nil, err
	}
	a.tx = tx.s
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a, nil
}

// newAppender looks the columns up.
func newAppender(ctx context.Context, db *DB, in Writer, table string, columns []string, opts *AppenderOptions) (*Appender, error) {
	def, err := in.Table(ctx, table)
	if err != nil {
		return nil, err
	}
	a := &Appender{db: db, table: table, remote: def.elsewhere, columns: append([]string(nil), columns...)}
	if opts != nil {
		a.opts = *opts
	}
	if a.opts.BatchRows <= 0 {
		a.opts.BatchRows = 4 * value.BatchSize
	}
	if db.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	if len(a.columns) == 0 {
		for _, c := range def.Columns {
			a.columns = append(a.columns, c.Name)
		}
	}
	for _, name := range a.columns {
		t, ok := def.column(name)
		if !ok {
			return nil, &NoColumnError{Table: table, Column: name}
		}
		a.types = append(a.types, t.Type)
	}
	return a, nil
}

func (t *Table) column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Append adds a row, one argument a column, of the types that Query takes as
// arguments. They are converted to the columns' types; texts and pictures for
// a vector column are encoded, in batches. The error may be that of an earlier
// row; after one, only Close and Abort are left.
func (a *Appender) Append(values ...any) error {
	if err := a.failed(); err != nil {
		return err
	}
	if len(values) != len(a.columns) {
		return a.fail(fmt.Errorf("append to %s: %d values for %d columns", a.table, len(values), len(a.columns)))
	}
	row := a.row[:0]
	for i, v := range values {
		x, err := a.convert(i, v)
		if err != nil {
			return a.fail(fmt.Errorf("append to %s.%s: %w", a.table, a.columns[i], err))
		}
		row = append(row, x)
	}
	a.row = row
	b := a.room(row)
	for i, c := range b.Cols {
		c.Append(b.Len, row[i])
	}
	b.Len++
	a.rows++
	if a.rows >= a.opts.BatchRows {
		return a.send(nil)
	}
	return nil
}

// fail makes err the appender's end.
func (a *Appender) fail(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
	return err
}

// convert makes v of the kind of column i where that is simple; the rest, such
// as encoding, is done by the writer, batch by batch.
func (a *Appender) convert(i int, v any) (Value, error) {
	val, err := ToValue(v)
	if err != nil {
		return Value{}, err
	}
	switch want := a.types[i]; {
	case val.Kind() == value.Integer && want.Kind == value.Real:
		return value.Float(float64(val.Int())), nil
	case val.Kind() == value.Vector && want.Kind == value.Vector && want.Dim > 0 && len(val.Vec()) != want.Dim:
		return Value{}, &DimensionError{Table: a.table, Column: a.columns[i], Got: len(val.Vec()), Want: want.Dim}
	}
	return val, nil
}

// room returns a batch that row fits into: not full, and with each column of the
// row's kind.
func (a *Appender) room(row []Value) *value.Batch {
	if n := len(a.batch); n > 0 && a.batch[n-1].Len < value.BatchSize {
		b := a.batch[n-1]
		fits := true
		for i, c := range b.Cols {
			t := row[i].Type()
			switch {
			case t.Kind == value.Null || t == c.Type:
			case c.Type.Kind == value.Null: // nothing but NULLs so far
				nulls := c
				c = &value.Column{}
				c.Reset(t)
				for k := range b.Len {
					c.Append(k, Value{})
				}
				*nulls = *c
			default:
				fits = false
			}
		}
		if fits {
			return b
		}
	}
	b := &value.Batch{}
	for i := range row {
		c := &value.Column{}
		c.Reset(row[i].Type())
		if len(a.batch) > 0 { // the one before is full, and so may be this
			switch c.Type.Kind {
			case value.Integer, value.Timestamp, value.Date:
				c.Ints = make([]int64, 0, value.BatchSize)
			case value.Real:
				c.Reals = make([]float64, 0, value.BatchSize)
			case value.Text, value.JSON, value.Blob:
				c.Strs = make([]string, 0, value.BatchSize)
			}
		}
		b.Cols = append(b.Cols, c)
	}
	a.batch = append(a.batch, b)
	return b
}

// send hands what was appended to the writer; done, if not nil, is closed when
// it is written.
func (a *Appender) send(done chan struct{}) error {
	g := group{a.batch, done}
	a.batch, a.rows = nil, 0
	if a.tx != nil {
		if err := a.inTx(g.batches); err != nil {
			return a.fail(err)
		}
		if done != nil {
			close(done)
		}
		return nil
	}
	select {
	case a.work <- g:
		return nil
	case <-a.ended:
		return a.failed()
	}
}

// inTx adds batches to the transaction.
func (a *Appender) inTx(batches []*value.Batch) error {
	if err := a.db.enter(); err != nil {
		return err
	}
	defer a.db.leave()
	s := a.tx
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	if err := a.ctx.Err(); err != nil {
		return err
	}
	if err := s.detachRows(); err != nil {
		return err
	}
	ctx, done := s.within(a.ctx)
	defer done()
	for _, b := range batches {
		n, err := s.qs.Append(ctx, a.table, a.columns, b, s.hooks(a.ctx))
		if err != nil {
			return s.reason(err)
		}
		a.mu.Lock()
		a.written += n
		a.mu.Unlock()
	}
	return nil
}

// failed returns why there is no point in going on.
func (a *Appender) failed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.err != nil:
		return a.err
	case a.closed:
		return fmt.Errorf("appender: %w", ErrClosed)
	}
	return nil
}

// write is the writer: it takes groups until the channel is closed or the
// context ends.
func (a *Appender) write() {
	defer close(a.ended)
	err := a.writeAll()
	if a.s.qs.InTransaction() {
		err = errors.Join(err, a.s.qs.Rollback())
	}
	if a.load != nil {
		err = errors.Join(err, a.load.Abort()) // nothing, if it was finished
	}
	a.mu.Lock()
	if a.err == nil {
		a.err = a.db.reason(err) // not that Close has cancelled it, but that it is closed
	}
	a.mu.Unlock()
}

func (a *Appender) writeAll() error {
	if a.remote && a.opts.Atomic {
		_, err := a.copyAll(&groups{a: a, work: a.work})
		return err
	}
	for {
		select {
		case <-a.ctx.Done():
			return a.ctx.Err()
		case g, more := <-a.work:
			if !more {
				if a.load != nil {
					_, err := a.load.Finish(a.ctx)
					return err
				}
				return nil
			}
			if err := a.writeGroup(g); err != nil {
				return err
			}
			if g.done != nil {
				close(g.done)
			}
		}
	}
}

// copyAll adds rows to a table of an attached database, all or none.
func (a *Appender) copyAll(src query.Batches) (int64, error) {
	if err := a.db.enter(); err != nil {
		return 0, err
	}
	defer a.db.leave()
	return a.s.qs.CopyFrom(a.ctx, a.table, a.columns, a.types, src, a.s.hooks(a.ctx))
}

// groups gives the batches of groups, one after the other, as far as they come.
type groups struct {
	a    *Appender
	work chan group // nil: of the group at hand only
	now  group
}

func (s *groups) Next(ctx context.Context) (*value.Batch, error) {
	for len(s.now.batches) == 0 {
		if s.now.done != nil {
			close(s.now.done)
		}
		s.now = group{}
		if s.work == nil {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case g, more := <-s.work:
			if !more {
				return nil, nil
			}
			s.now = g
		}
	}
	b := s.now.batches[0]
	s.now.batches = s.now.batches[1:]
	s.a.mu.Lock()
	s.a.written += int64(b.Len)
	s.a.mu.Unlock()
	return b, nil
}

func (a *Appender) writeGroup(g group) error {
	if len(g.batches) == 0 {
		return nil
	}
	if a.remote {
		_, err := a.copyAll(&groups{a: a, now: group{batches: g.batches}})
		return err
	}
	if err := a.db.enter(); err != nil {
		return err
	}
	defer a.db.leave()
	n, err := a.add(g.batches)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.written += n
	a.mu.Unlock()
	return nil
}

// add commits the batches or, with Atomic, adds them to the load.
func (a *Appender) add(batches []*value.Batch) (n int64, err error) {
	hooks := a.s.hooks(a.ctx)
	for _, b := range batches {
		n += int64(b.Len)
	}
	if a.opts.Atomic {
		if a.load == nil {
			if a.load, err = a.s.qs.Load(a.ctx, a.table, a.columns, int(n), hooks); err != nil {
				return 0, err
			}
		}
		for _, b := range batches {
			if err := a.load.Append(a.ctx, b); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
	if err := a.s.qs.Begin(a.ctx, false); err != nil {
		return 0, err
	}
	for _, b := range batches {
		if _, err := a.s.qs.Append(a.ctx, a.table, a.columns, b, hooks); err != nil {
			return 0, err
		}
	}
	return n, a.s.qs.Commit(a.ctx)
}

// Flush writes what has been appended and waits for it; unless Atomic, it is
// then durable and visible.
func (a *Appender) Flush() error {
	if err := a.failed(); err != nil {
		return err
	}
	done := make(chan struct{})
	if err := a.send(done); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-a.ended:
		return a.failed()
	}
}

// Rows returns how many rows have been written; with Atomic they are there
// only after Close.
func (a *Appender) Rows() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.written
}

// Close flushes and commits. When it returns an error, nothing of the batch that
// failed (with Atomic: nothing at all) has been added.
func (a *Appender) Close() error {
	if err := a.failed(); err != nil {
		a.Abort()
		return err
	}
	var err error
	if a.rows > 0 {
		err = a.send(nil)
	}
	if a.tx != nil {
		a.stop(fmt.Errorf("appender: %w", ErrClosed))
		return err
	}
	close(a.work)
	<-a.ended
	a.mu.Lock()
	a.closed = true
	if err == nil {
		err = a.err
	}
	a.mu.Unlock()
	a.release()
	return err
}

// Abort drops what has not been committed. After Close it does nothing, so
// that it can be deferred.
func (a *Appender) Abort() {
	a.stop(fmt.Errorf("appender: %w", ErrClosed))
}

// stop ends the writer for the reason given, if it has not ended.
func (a *Appender) stop(reason error) {
	a.mu.Lock()
	if a.err == nil && !a.closed {
		a.err = reason
	}
	a.mu.Unlock()
	a.cancel()
	if a.tx != nil {
		return
	}
	<-a.ended
	a.release()
}

func (a *Appender) release() {
	a.cancel()
	a.db.unregister(a)
}

func (a *Appender) interrupt()         { a.cancel() }
func (a *Appender) abort(reason error) { a.stop(reason) }
