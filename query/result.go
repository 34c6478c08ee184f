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
	next     func(context.Context) (*value.Batch, error)
	close    func(failed bool) error
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

// Next returns the next rows, or nil after the last. The batch has no
// selection; it is valid until the next call of Next or Close. An error ends
// the result. ctx bounds this call.
func (r *Result) Next(ctx context.Context) (*value.Batch, error) {
	if r.next == nil || r.done {
		return nil, nil
	}
	b, err := r.next(ctx)
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
	if r.close == nil {
		return nil
	}
	return r.close(failed)
}
