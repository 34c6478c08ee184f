package query

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/storage/value"
)

var errNotYet = errors.New("not built yet")

// run runs a statement other than BEGIN, COMMIT and ROLLBACK.
func (s *Session) run(ctx context.Context, stmt *Stmt, args Args, hooks Hooks) (*Result, error) {
	return nil, errNotYet
}

// RunMany runs a SELECT once for each list of arguments, on one snapshot and,
// where it is a search, in one pass over the vectors. The i-th Result answers
// the i-th list; the caller closes all. The answers are those that Run would give.
func (s *Session) RunMany(ctx context.Context, stmt *Stmt, args []Args, hooks Hooks) ([]*Result, error) {
	return nil, errNotYet
}

// Columns returns the columns of the statement's rows as the tables are now. A
// type of kind Null means that it depends on the arguments.
func (s *Session) Columns(ctx context.Context, stmt *Stmt) ([]Column, error) {
	return nil, errNotYet
}

// Append inserts a batch into the named columns of a table (all, in their order,
// if none are named), as INSERT would: values are converted, texts for a column
// with an encoder are encoded, and so are pictures given as BLOB. Outside of a
// transaction it is committed. It returns the number of rows.
func (s *Session) Append(ctx context.Context, table string, columns []string, b *value.Batch, hooks Hooks) (int64, error) {
	return 0, errNotYet
}
