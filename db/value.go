package db

import (
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
)

// Value is one value of the language: immutable, its zero value NULL. Kind tells
// which of Bool, Int, Float, Str (the bytes of a BLOB as well), Time and Vec has
// it, IsNull whether there is none; String is how the language prints it, and how a NUMERIC
// or an INTERVAL is read. GoValue
// and ToValue convert from and to Go's types.
type Value = value.Value

// Type is the type of a column: a Kind and, for a vector, its dimension Dim. Its
// String is how CREATE TABLE has it.
type Type = value.Type

// Kind is the type of a value, without the dimension of a vector.
type Kind = value.Kind

// The kinds of values.
const (
	Null      = value.Null
	Boolean   = value.Boolean
	Integer   = value.Integer
	Real      = value.Real
	Text      = value.Text
	Timestamp = value.Timestamp
	Blob      = value.Blob
	JSON      = value.JSON
	Date      = value.Date
	Interval  = value.Interval
	Numeric   = value.Numeric
	Vector    = value.Vector
)

// Image is a picture as an argument: the bytes of a file (jpg, png, webp, ...) in
// Data, or pixels in Decoded.
type Image = encoder.Image

// Named returns the argument of the parameter :name. It is sql.Named.
func Named(name string, v any) sql.NamedArg { return sql.Named(name, v) }

// Floats is a []float32 that is a sql.Scanner, for structs shared with
// other database/sql drivers. Plain []float32 works everywhere in this package
// and its driver.
type Floats []float32

// Value returns the vector's text form, NULL for nil: libraries that take slices for lists
// of values leave a driver.Valuer alone. Lupa itself takes the floats as they are.
func (v Floats) Value() (driver.Value, error) {
	if v == nil {
		return nil, nil
	}
	return value.Vec(v).String(), nil
}

// Scan stores a vector, the bytes of one (little endian), or NULL as nil.
func (v *Floats) Scan(src any) error {
	switch x := src.(type) {
	case nil:
		*v = nil
	case []float32:
		*v = append((*v)[:0:0], x...)
	case Floats:
		*v = append((*v)[:0:0], x...)
	case []byte:
		out, err := vectorFromBytes(x)
		if err != nil {
			return fmt.Errorf("scan into Floats: %w", err)
		}
		*v = out
	default:
		return fmt.Errorf("scan into Floats: the value is a %T, not a vector", src)
	}
	return nil
}
