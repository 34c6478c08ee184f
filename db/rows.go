package db

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

// Rows are the answer to a query, read once from first to last:
//
//	defer rows.Close()
//	for rows.Next() {
//		var id string
//		if err := rows.Scan(&id); err != nil { ... }
//	}
//	if err := rows.Err(); err != nil { ... }
//
// They hold a snapshot of the store until they are closed, read to the end, or
// the context of the query ends.
type Rows struct {
	s     *session
	watch watch
	ctx   context.Context
	quit  context.CancelFunc // of ctx; nil: ctx is brief
	brief statementContext
	stop  func() bool  // takes back the watch over the query's context
	args  [4]Value     // memory for few arguments
	mem   query.Result // memory for res

	res     *query.Result
	columns []query.Column
	result  Result

	// Below: guarded by s.mu, because a context or DB.Close may end the rows.
	batch *value.Batch
	pos   int       // current row in batch
	kept  [][]Value // rows read ahead by buffer, the current one first
	on    bool      // there is a current row
	n     int64
	err   error
	done  bool
}

// spareRows are Rows that were given back with Free.
var spareRows = sync.Pool{New: func() any { return new(Rows) }}

func newRows(s *session) *Rows {
	r := spareRows.Get().(*Rows)
	r.s = s
	return r
}

// Free closes the rows, like Close, and gives their memory to those of a later query: r must
// not be used any more, by anybody. It spares a program of many small queries the largest piece
// of memory that each of them takes; to Close is enough.
func (r *Rows) Free() error {
	r.s.mu.Lock()
	err := r.closeLocked(nil)
	r.s.mu.Unlock()
	// A goroutine that waits for the end of the statement's context may have the rows still.
	if r.quit == nil && r.brief.done.Load() == nil {
		*r = Rows{}
		spareRows.Put(r)
	}
	return err
}

// beginRows makes rows that DB.Close can cancel already. s.mu is held.
func (s *session) beginRows(r *Rows) error {
	if ctx := r.watch.ctx; s.life == nil && ctx.Done() == nil {
		r.brief.Context = ctx
		r.ctx = &r.brief
	} else {
		r.ctx, r.quit = s.within(ctx)
	}
	return s.addRows(r)
}

// cancel stops what the statement is doing.
func (r *Rows) cancel() {
	if r.quit != nil {
		r.quit()
	} else {
		r.brief.cancel()
	}
}

func (s *session) addRows(r *Rows) error {
	if err := s.db.register(r); err != nil {
		r.cancel()
		return err
	}
	return nil
}

// drop undoes beginRows.
func (r *Rows) drop() {
	r.done = true
	r.cancel()
	r.s.db.unregister(r)
}

// open attaches the result of the statement. s.mu is held.
func (r *Rows) open(res *query.Result) {
	r.res = res
	r.columns = res.Columns()
	r.result = Result{RowsAffected: res.RowsAffected(), Tag: res.Tag(), LastKey: res.LastKey()}
	if len(r.columns) == 0 {
		r.closeLocked(nil)
		return
	}
	r.s.rows = append(r.s.rows, r)
	if ctx := r.watch.ctx; ctx.Done() != nil {
		r.stop = context.AfterFunc(ctx, func() { r.abort(ctx.Err()) })
	}
}

func (r *Rows) interrupt() { r.cancel() }

// abort ends the rows from another goroutine.
func (r *Rows) abort(reason error) {
	r.cancel()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.res != nil {
		r.closeLocked(reason)
	}
}

// closeLocked releases everything; err is what Err returns from now on.
func (r *Rows) closeLocked(err error) error {
	if r.done {
		return nil
	}
	r.done = true
	r.on = false
	r.batch, r.kept = nil, nil
	if r.stop != nil {
		r.stop()
	}
	closed := r.res.Close()
	if err == nil {
		err = closed
	}
	r.err = err
	r.cancel()
	if i := slices.Index(r.s.rows, r); i >= 0 {
		r.s.rows = slices.Delete(r.s.rows, i, i+1)
	}
	r.s.db.unregister(r)
	if err == ErrTxDone {
		err = nil // the statement has not failed
	}
	r.watch.end(r.n, r.result.RowsAffected, err)
	return closed
}

// Columns returns the names of the columns; none if the statement returns no rows.
func (r *Rows) Columns() []string {
	if len(r.columns) == 0 {
		return nil
	}
	return r.AppendColumns(make([]string, 0, len(r.columns)))
}

// AppendColumns appends the names of the columns to dst.
func (r *Rows) AppendColumns(dst []string) []string {
	for _, c := range r.columns {
		dst = append(dst, c.Name)
	}
	return dst
}

// Types returns the types of the columns. A kind of Null is that of a column
// that holds nothing but NULL.
func (r *Rows) Types() []Type {
	if len(r.columns) == 0 {
		return nil
	}
	out := make([]Type, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.Type
	}
	return out
}

// Next moves to the next row, and tells whether there is one. After the last,
// and after an error, which Err tells, the rows are closed.
func (r *Rows) Next() bool {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.next()
}

func (r *Rows) next() bool {
	if r.done {
		return false
	}
	switch {
	case r.kept != nil:
		if r.on {
			r.kept = r.kept[1:]
		}
		r.on = len(r.kept) > 0
	case r.batch != nil && r.pos+1 < r.batch.Len:
		r.pos++
		r.on = true
	default:
		r.on = r.fetch()
	}
	if !r.on {
		r.closeLocked(nil)
		return false
	}
	r.n++
	return true
}

// fetch gets the next batch that has rows. On an error it closes r.
func (r *Rows) fetch() bool {
	for {
		b, err := r.res.Next(r.ctx)
		if err != nil {
			r.closeLocked(r.s.reason(err))
			return false
		}
		if b == nil {
			return false
		}
		if b.Len > 0 {
			r.batch, r.pos = b, 0
			return true
		}
	}
}

// buffer reads what is left into memory, so that the transaction may write.
func (r *Rows) buffer() error {
	if r.done || r.kept != nil {
		return nil
	}
	kept := [][]Value{}
	if r.on {
		kept = append(kept, r.values())
	}
	if r.batch == nil {
		r.pos = -1
	}
	for {
		if r.batch == nil || r.pos+1 >= r.batch.Len {
			if !r.fetch() {
				break
			}
		} else {
			r.pos++
		}
		kept = append(kept, r.values())
	}
	if r.err != nil {
		return r.err
	}
	r.kept, r.batch = kept, nil
	return nil
}

// values returns the current row. Texts are immutable and shared; vectors are
// copied.
func (r *Rows) values() []Value { return r.appendTo(make([]Value, 0, len(r.columns))) }

func (r *Rows) appendTo(dst []Value) []Value {
	if r.kept != nil {
		return append(dst, r.kept[0]...)
	}
	for _, c := range r.batch.Cols {
		dst = append(dst, cloneValue(c.Value(r.pos)))
	}
	return dst
}

// Scan copies the current row into the variables that dest points at, one a
// column: *string, *[]byte, *bool, all integers and floats, *time.Time,
// *[]float32, *[]float64, *json.RawMessage, *Value, *any, pointers to those
// (nil for NULL), sql.Scanner, and types of these kinds. JSON goes into structs,
// maps and slices too. A nil dest skips the column. NULL into a plain variable
// is an error, except slices, maps and *any, which become nil. Numbers are
// converted where nothing is lost; everything but a vector goes into *string.
func (r *Rows) Scan(dest ...any) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if !r.on {
		if r.err != nil {
			return r.err
		}
		return fmt.Errorf("scan: no current row; call Next first")
	}
	if len(dest) != len(r.columns) {
		return fmt.Errorf("scan: %d columns into %d variables", len(r.columns), len(dest))
	}
	for i, d := range dest {
		var v Value
		if r.kept != nil {
			v = r.kept[0][i]
		} else {
			v = r.batch.Cols[i].Value(r.pos)
		}
		if err := scanInto(d, v); err != nil {
			return fmt.Errorf("scan column %d (%q): %w", i+1, r.columns[i].Name, err)
		}
	}
	return nil
}

// Values returns the current row, one Value a column, in a new slice; nil
// without a current row.
func (r *Rows) Values() []Value {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if !r.on {
		return nil
	}
	return r.values()
}

// AppendValues appends the current row to dst, as Values returns it, so that a loop may use
// memory again. Without a current row it returns dst as it is.
func (r *Rows) AppendValues(dst []Value) []Value {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if !r.on {
		return dst
	}
	return r.appendTo(dst)
}

// Err returns the error that ended the rows before their end: that of the
// context, ErrClosed after DB.Close, ErrTxDone when the transaction they read
// from was ended. It is nil after the last row, and after Close.
func (r *Rows) Err() error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.err
}

// Close releases what the rows hold. It is harmless to close twice, and after
// the last row.
func (r *Rows) Close() error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.closeLocked(nil)
}

// Result says what the statement did; for a SELECT only its Tag is set.
func (r *Rows) Result() Result { return r.result }

// Partial says how far a query with WITHIN has come, such as ... LIMIT 10 WITHIN 5 ms.
type Partial struct {
	// Complete says that the rows are those of the exact answer.
	Complete bool
	// Proven is how many rows, from the first on, are those of the exact answer at these places.
	Proven int
	// Unseen is the best value of the ORDER BY that a row can have which is not in the answer,
	// infinite where nothing is known. It is proven, too, and has no meaning if Complete.
	Unseen float64
}

// Partial returns how far the search of a query with WITHIN has come. It is known after the
// first call of Next, and when the rows are closed; ok is false before, and for other queries.
func (r *Rows) Partial() (p Partial, ok bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.res == nil {
		return p, false
	}
	if x := r.res.Partial(); x != nil {
		return Partial(*x), true
	}
	return p, false
}

// All iterates over the rows that are left and closes them:
//
//	for row, err := range rows.All() { ... }
//
// An error comes last, with a nil row. Each row is a new slice.
func (r *Rows) All() iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		defer r.Close()
		for r.Next() {
			if !yield(r.Values(), nil) {
				return
			}
		}
		if err := r.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// drain reads to the end without looking.
func (r *Rows) drain() (Result, error) {
	for r.Next() {
	}
	result, err := r.result, r.Err()
	r.Free()
	return result, err
}

// Row is the first row of a query.
type Row struct {
	columns []query.Column
	values  []Value
	few     [4]Value // memory for few values
	err     error
}

// firstRow reads the first row and closes the rows.
func firstRow(rows *Rows, err error) *Row {
	if err != nil {
		return &Row{err: err}
	}
	defer rows.Free()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return &Row{err: err}
		}
		return &Row{err: ErrNoRows}
	}
	row := &Row{columns: rows.columns}
	row.values = rows.AppendValues(row.few[:0])
	return row
}

// Scan copies the row, as Rows.Scan does. Without a row the error is ErrNoRows.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if len(dest) != len(r.values) {
		return fmt.Errorf("scan: %d columns into %d variables", len(r.values), len(dest))
	}
	for i, d := range dest {
		if err := scanInto(d, r.values[i]); err != nil {
			return fmt.Errorf("scan column %d (%q): %w", i+1, r.columns[i].Name, err)
		}
	}
	return nil
}

// Err returns the query's error without scanning; ErrNoRows without a row.
func (r *Row) Err() error { return r.err }
