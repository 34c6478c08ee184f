package storage

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/storage/value"
)

var errNotBuilt = errors.New("not built yet")

// ColumnStats describe the values of a column. Null and Distinct may count
// deleted rows, and Min and Max may be wider than the live values, until VACUUM.
type ColumnStats struct {
	Rows     uint64      // rows looked at
	Nulls    uint64      // of them NULL
	Min, Max value.Value // NULL when there is no value or no order
	Distinct uint64      // estimate, within some percent
}

// Stats returns the statistics of a column; it reads no vector.
func (t *Table) Stats(ctx context.Context, col int) (ColumnStats, error) {
	return ColumnStats{}, errNotBuilt
}

// Problem is something Check found.
type Problem struct {
	Table, Column string
	Where         string // "block 12", "row 40", "index by_name"
	Msg           string
}

func (p Problem) String() string {
	s := p.Table
	if p.Column != "" {
		s += "." + p.Column
	}
	if p.Where != "" {
		if s != "" {
			s += ", "
		}
		s += p.Where
	}
	return s + ": " + p.Msg
}

// Check verifies every invariant of the store and reports what it finds. The
// error is for what stops the check itself.
func (s *Store) Check(ctx context.Context, report func(Problem)) error { return errNotBuilt }

// Salvage reads every row of a table that can be read, whatever the damage, and
// hands them to emit in batches (all columns; what can't be read is NULL). It
// reports what it could not read.
func (s *Store) Salvage(ctx context.Context, table string, emit func(*value.Batch) error, report func(Problem)) error {
	return errNotBuilt
}
