package value

import (
	"fmt"
	"math"
	"time"
)

// Kind is the type of a value, without the dimension of a vector.
type Kind uint8

// The kinds of LANGUAGE: the zero Kind is that of NULL.
const (
	Null Kind = iota
	Boolean
	Integer   // int64
	Real      // float64
	Text      // UTF-8
	Timestamp // microseconds since 1970-01-01 UTC
	Blob
	JSON // validated text
	Vector
	_        // block.halfVector on the disk
	Date     // days since 1970-01-01
	Interval // a Span
	Numeric  // a decimal number: see AppendNumeric
)

var kindNames = [...]string{"NULL", "BOOLEAN", "INTEGER", "REAL", "TEXT", "TIMESTAMP", "BLOB", "JSON", "VECTOR", "", "DATE", "INTERVAL", "NUMERIC"}

// String returns the kind's name in the language, "INTEGER".
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Type is a kind and, for a vector, its dimension (0 where it is not known), and whether
// its numbers are float16: HALFVEC. Those are float32 in memory as well, rounded to what a
// float16 holds; only on the disk they take two bytes.
type Type struct {
	Kind Kind
	Dim  int
	Half bool
}

// String returns the type as CREATE TABLE has it, "VECTOR(512)".
func (t Type) String() string {
	if t.Kind == Vector && t.Dim > 0 {
		return fmt.Sprintf("%s(%d)", t.Name(), t.Dim)
	}
	return t.Name()
}

// Name returns the type's name without a dimension, "VECTOR" or "HALFVEC".
func (t Type) Name() string {
	if t.Half {
		return "HALFVEC"
	}
	return t.Kind.String()
}

// Fits reports whether every value of type t is one of type to, as it is. A dimension that
// is not known fits in place of to's only if there is none.
func (t Type) Fits(to Type) bool {
	return t.Kind == to.Kind && (to.Dim == 0 || t.Dim == to.Dim) && (t.Half || !to.Half)
}

// Widened returns the type without Half.
func (t Type) Widened() Type {
	t.Half = false
	return t
}

// MaxDim is the largest dimension of a vector column.
const MaxDim = 8192

// Value is one value of any kind. The zero Value is NULL. A Value is
// immutable; a vector it holds must not be changed by anyone.
type Value struct {
	kind Kind
	num  uint64 // Boolean, Integer, Timestamp, Date; the bits of a Real
	str  string // Text, JSON, Blob; the body of a Span or of a decimal number
	vec  []float32
}

// Constructors. Vec keeps v without copying it.
func Bool(b bool) Value {
	var n uint64
	if b {
		n = 1
	}
	return Value{kind: Boolean, num: n}
}
func Int(i int64) Value      { return Value{kind: Integer, num: uint64(i)} }
func Float(f float64) Value  { return Value{kind: Real, num: math.Float64bits(f)} }
func Str(s string) Value     { return Value{kind: Text, str: s} }
func Bytes(b []byte) Value   { return Value{kind: Blob, str: string(b)} }
func RawJSON(s string) Value { return Value{kind: JSON, str: s} }
func Micros(us int64) Value  { return Value{kind: Timestamp, num: uint64(us)} }
func Time(t time.Time) Value { return Micros(t.UnixMicro()) }
func Days(n int64) Value     { return Value{kind: Date, num: uint64(n)} }
func Vec(v []float32) Value  { return Value{kind: Vector, vec: v} }
func BlobOf(s string) Value  { return Value{kind: Blob, str: s} } // bytes held in a string, not copied

// Accessors. Each is meaningful only for its own kind.
func (v Value) Kind() Kind     { return v.kind }
func (v Value) IsNull() bool   { return v.kind == Null }
func (v Value) Bool() bool     { return v.num != 0 }
func (v Value) Int() int64     { return int64(v.num) } // also the microseconds of a Timestamp, the days of a Date
func (v Value) Float() float64 { return math.Float64frombits(v.num) }
func (v Value) Str() string    { return v.str } // Text, JSON, and the bytes of a Blob
func (v Value) Vec() []float32 { return v.vec }

// Time returns a Timestamp, or the midnight that a Date begins with, in UTC.
func (v Value) Time() time.Time {
	if v.kind == Date {
		return time.Unix(int64(v.num)*86400, 0).UTC()
	}
	return time.UnixMicro(int64(v.num)).UTC()
}

// WithBody returns a value of a kind that a column keeps as a string: Text, JSON, Blob,
// Interval or Numeric.
func WithBody(k Kind, body string) Value { return Value{kind: k, str: body} }

// Type returns the kind and, for a vector, its dimension.
func (v Value) Type() Type { return Type{Kind: v.kind, Dim: len(v.vec)} }
