package block

import (
	"encoding/binary"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// A row of the tail is a sequence of fields: column id (uvarint), kind, and the
// value. Columns that are NULL may be left out. A single value, such as what an
// added column has in the rows before it, is written as a field without id.

// halfVector stands in place of a kind before a vector of float16.
const halfVector = value.Vector + 1

// AppendField appends the value of a column of type t to a row.
func AppendField(dst []byte, column uint32, v value.Value, t value.Type) []byte {
	dst = binary.AppendUvarint(dst, uint64(column))
	if !t.Half || v.IsNull() {
		return AppendValue(dst, v)
	}
	dst = binary.AppendUvarint(append(dst, byte(halfVector)), uint64(len(v.Vec())))
	return value.AppendHalves(dst, v.Vec())
}

// AppendValue appends a value with its kind.
func AppendValue(dst []byte, v value.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case value.Null:
	case value.Boolean, value.Integer, value.Timestamp, value.Date:
		dst = binary.AppendVarint(dst, v.Int())
	case value.Real:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case value.Vector:
		dst = binary.AppendUvarint(dst, uint64(len(v.Vec())))
		dst = AppendFloats(dst, v.Vec())
	default:
		dst = binary.AppendUvarint(dst, uint64(len(v.Str())))
		dst = append(dst, v.Str()...)
	}
	return dst
}

// NextField reads the next field of a row. value is its encoded form, for
// ReadValue or ReadVector; it aliases src. rest is empty after the last one.
func NextField(src []byte) (column uint32, value, rest []byte, err error) {
	id, n := binary.Uvarint(src)
	if n <= 0 || id > math.MaxUint32 {
		return 0, nil, nil, malformed("row: column id")
	}
	src = src[n:]
	size, err := valueSize(src)
	if err != nil {
		return 0, nil, nil, err
	}
	return uint32(id), src[:size], src[size:], nil
}

// valueSize returns how many bytes the value takes that src begins with.
func valueSize(src []byte) (int, error) {
	if len(src) == 0 {
		return 0, malformed("row: no kind")
	}
	switch k := value.Kind(src[0]); k {
	case value.Null:
		return 1, nil
	case value.Boolean, value.Integer, value.Timestamp, value.Date:
		if _, n := binary.Varint(src[1:]); n > 0 {
			return 1 + n, nil
		}
		return 0, malformed("row: integer")
	case value.Real:
		if len(src) < 9 {
			return 0, malformed("row: real")
		}
		return 9, nil
	case value.Vector, halfVector:
		size := NumberBytes(value.Type{Half: k == halfVector})
		dim, n := binary.Uvarint(src[1:])
		if n <= 0 || dim > value.MaxDim || len(src)-1-n < size*int(dim) {
			return 0, malformed("row: vector")
		}
		return 1 + n + size*int(dim), nil
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		l, n := binary.Uvarint(src[1:])
		if n <= 0 || l > uint64(len(src)-1-n) {
			return 0, malformed("row: text")
		}
		return 1 + n + int(l), nil
	default:
		return 0, malformed("row: kind %d", k)
	}
}

// ReadVector returns the stored numbers of an encoded vector of type t, nil for NULL. They
// alias src.
func ReadVector(src []byte, t value.Type) ([]byte, error) {
	kind := value.Vector
	if t.Half {
		kind = halfVector
	}
	size := NumberBytes(t) * t.Dim
	switch {
	case len(src) > 0 && value.Kind(src[0]) == value.Null:
		return nil, nil
	case len(src) < size+2 || value.Kind(src[0]) != kind:
		return nil, malformed("row: no %v", t)
	}
	if n, _ := binary.Uvarint(src[1:]); n != uint64(t.Dim) {
		return nil, malformed("row: a vector of %d dimensions, not %d", n, t.Dim)
	}
	return src[len(src)-size:], nil
}

// ReadValue reads what AppendValue wrote. The value is a copy.
func ReadValue(src []byte) (v value.Value, rest []byte, err error) {
	size, err := valueSize(src)
	if err != nil {
		return v, nil, err
	}
	k, rest := value.Kind(src[0]), src[size:]
	src = src[1:size]
	switch k {
	case value.Boolean, value.Integer, value.Timestamp, value.Date:
		i, _ := binary.Varint(src)
		switch k {
		case value.Boolean:
			v = value.Bool(i != 0)
		case value.Integer:
			v = value.Int(i)
		case value.Date:
			v = value.Days(i)
		default:
			v = value.Micros(i)
		}
	case value.Real:
		v = value.Float(math.Float64frombits(binary.LittleEndian.Uint64(src)))
	case value.Vector, halfVector:
		dim, n := binary.Uvarint(src)
		vec := make([]float32, dim)
		Numbers(vec, src[n:], value.Type{Half: k == halfVector})
		v = value.Vec(vec)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		_, n := binary.Uvarint(src)
		s := string(src[n:])
		v = value.WithBody(k, s)
	}
	return v, rest, nil
}
