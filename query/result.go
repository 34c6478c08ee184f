package query

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan"
	"github.com/lupadb/lupa/storage/value"
)

// Column is a column of a result.
type Column = plan.Column

// Result is the outcome of one statement. A statement without rows has done
// its work when Run returns it; rows are computed as Next asks for them.
type Result struct {
	tag      string
	columns  []Column
	affected int64
	lastKey  value.Value
	unit     unit
	run      *plan.Run    // gives the rows, as long as it is not closed
	kept     *exec.Values // rows of a statement that has been run
	first    *value.Batch // the first rows, which have been read already if
	read     bool         // this is set; nil: there are none
	partial  *Partial     // once the run is closed
	release  func() error // one of several results on one snapshot; else nil
	done     bool
}

// Tag returns what was done: "SELECT", "INSERT", "ROLLBACK" for the COMMIT of
// a failed transaction.
func (r *Result) Tag() string { return r.tag }

// Columns returns the columns of the rows; none for a statement without rows.
func (r *Result) Columns() []Column { return r.columns }

// RowsAffected returns how many rows INSERT, UPDATE, DELETE or COPY wrote.
func (r *Result) RowsAffected() int64 { return r.affected }

// LastKey returns the primary key of the last row that INSERT has written, if it is an
// INTEGER, else NULL.
func (r *Result) LastKey() value.Value { return r.lastKey }

// Partial says how far the search of a query with WITHIN has come.
type Partial = exec.Partial

// Partial returns how far the search has come, nil in a query without WITHIN and before the first
// rows were asked for.
func (r *Result) Partial() *Partial {
	if r.run != nil {
		return r.run.Env.Partial
	}
	return r.partial
}

// Next returns the next rows, or nil after the last. The batch has no
// selection; it is valid until the next call of Next or Close. An error ends
// the result. ctx bounds this call.
func (r *Result) Next(ctx context.Context) (b *value.Batch, err error) {
	switch {
	case r.done:
		return nil, nil
	case r.read:
		b, r.first, r.read = r.first, nil, false
	case r.run != nil:
		b, err = r.run.Root.Next(ctx)
	case r.kept != nil:
		b, err = r.kept.Next(ctx)
	}
	if err != nil || b == nil {
		if e := r.end(err != nil); err == nil {
			err = e
		}
		return nil, err
	}
	return exec.Dense(b), nil
}

// Close releases what the result holds; reading to the end does so too.
func (r *Result) Close() error { return r.end(false) }

func (r *Result) end(failed bool) error {
	if r.done {
		return nil
	}
	r.done = true
	if r.run == nil {
		return nil
	}
	r.partial = r.run.Env.Partial
	err := r.run.Close()
	r.run = nil
	var e error
	switch s := r.unit.s; {
	case r.release != nil:
		if failed && s.tx != nil {
			s.failed = true
		}
		e = r.release()
	default:
		e = r.unit.end(context.Background(), failed)
	}
	if err == nil {
		err = e
	}
	return err
}
