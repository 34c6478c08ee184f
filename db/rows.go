package db

import "iter"

// Rows are the answer to a query, read once from first to last:
//
//	for rows.Next() {
//		var id string
//		if err := rows.Scan(&id); err != nil { ... }
//	}
//	if err := rows.Err(); err != nil { ... }
//
// They hold a snapshot of the store until they are closed or read to the end.
type Rows struct{}

// Columns returns the names of the columns.
func (r *Rows) Columns() []string { return nil }

// Types returns the types of the columns.
func (r *Rows) Types() []Type { return nil }

// Next moves to the next row, and tells whether there is one. After the last,
// and after an error, which Err tells, the rows are closed.
func (r *Rows) Next() bool { return false }

// Scan copies the current row into the variables that dest points at, one a
// column: *string, *[]byte, *bool, all integers and floats, *time.Time,
// *[]float32, *[]float64, *json.RawMessage, *Value, *any, pointers to those
// (nil for NULL), sql.Scanner, and types of these kinds. A nil dest skips the
// column. NULL into a plain variable is an error, except slices and *any,
// which become nil. Numbers are converted where nothing is lost; TEXT,
// JSON and numbers go into *string.
func (r *Rows) Scan(dest ...any) error { return errNotYet }

// Values returns the current row, one Value a column, in a new slice.
func (r *Rows) Values() []Value { return nil }

// Err returns the error that ended the rows before their end, or nil.
func (r *Rows) Err() error { return nil }

// Close releases what the rows hold. It is harmless to close twice.
func (r *Rows) Close() error { return nil }

// Result says what the statement did; for a SELECT only its Tag is set.
func (r *Rows) Result() Result { return Result{} }

// All iterates over the rows that are left and closes them:
//
//	for row, err := range rows.All() { ... }
//
// An error comes last, with a nil row. Each row is a new slice.
func (r *Rows) All() iter.Seq2[[]Value, error] { return nil }

// Row is the first row of a query.
type Row struct{ err error }

// Scan copies the row, as Rows.Scan does. Without a row the error is ErrNoRows.
func (r *Row) Scan(dest ...any) error { return r.err }

// Err returns the query's error without scanning.
func (r *Row) Err() error { return r.err }
