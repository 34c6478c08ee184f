package driver

import (
	"database/sql"
	"database/sql/driver"
	"io"
	"math"
	"reflect"
	"slices"

	"github.com/lupadb/lupa/db"
)

// rows hands the rows of a query to database/sql.
//
// A connection has rows at hand for its next query: database/sql does not use those that it
// has closed.
type rows struct {
	conn  *Conn
	r     *db.Rows  // nil: they are closed
	types []db.Type // once they are asked for
	buf   [4]db.Value
}

func (r *rows) typ(i int) db.Type {
	if r.types == nil {
		r.types = r.r.Types()
	}
	return r.types[i]
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

func (c *Conn) rows(r *db.Rows) *rows {
	out := c.spare
	if out == nil {
		out = new(rows)
	}
	c.spare = nil
	out.conn, out.r = c, r
	return out
}

// Columns returns the names that the query before had, if they are the same.
func (r *rows) Columns() []string {
	if r.r == nil {
		return nil
	}
	var buf [16]string
	if names := r.r.AppendColumns(buf[:0]); !slices.Equal(names, r.conn.names) {
		r.conn.names = slices.Clone(names)
	}
	return r.conn.names
}

func (r *rows) Close() error {
	if r.r == nil {
		return nil
	}
	err, conn := r.r.Free(), r.conn
	*r = rows{}
	conn.spare = r
	return err
}

func (r *rows) Next(dest []driver.Value) error {
	if r.r == nil {
		return io.EOF
	}
	if !r.r.Next() {
		if err := r.r.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	for i, v := range r.r.AppendValues(r.buf[:0]) {
		dest[i] = driverValue(v)
	}
	return nil
}

// driverValue is the value in the form that database/sql converts best: JSON as
// bytes, because those go into json.RawMessage as well as into strings.
func driverValue(v db.Value) driver.Value {
	switch v.Kind() {
	case db.JSON:
		return []byte(v.Str())
	case db.Vector:
		return v.Vec() // Rows.Values made a copy
	}
	return db.GoValue(v)
}

// ColumnTypeDatabaseTypeName returns "TEXT", "INTEGER", ..., "VECTOR", "HALFVEC".
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.typ(i).Name() }

// ColumnTypeLength returns the dimension of a vector; texts and blobs are
// unlimited.
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	switch t := r.typ(i); t.Kind {
	case db.Vector:
		return int64(t.Dim), t.Dim > 0
	case db.Text, db.Blob, db.JSON:
		return math.MaxInt64, true
	}
	return 0, false
}

// ColumnTypeNullable doesn't know: an expression may be NULL whatever its
// columns are.
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) { return true, false }

// ColumnTypePrecisionScale does not know: what is computed of a NUMERIC has other digits.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return 0, 0, false
}

// ColumnTypeScanType returns a Go type that takes every value of the column, NULL
// too, since any expression may be NULL: sql.NullInt64 for an INTEGER, and so on.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	switch r.typ(i).Kind {
	case db.Boolean:
		return reflect.TypeFor[sql.NullBool]()
	case db.Integer:
		return reflect.TypeFor[sql.NullInt64]()
	case db.Real:
		return reflect.TypeFor[sql.NullFloat64]()
	case db.Text, db.Interval, db.Numeric:
		return reflect.TypeFor[sql.NullString]()
	case db.Timestamp, db.Date:
		return reflect.TypeFor[sql.NullTime]()
	case db.Blob, db.JSON:
		return reflect.TypeFor[[]byte]()
	case db.Vector:
		return reflect.TypeFor[db.Floats]()
	}
	return reflect.TypeFor[any]()
}
