package block

import (
	"encoding/binary"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// A row of the tail is a sequence of fields: column id (uvarint), kind, and the
// value. Columns that are NULL may be left out. A single value, such as what an
// added column has in the rows before it, is written as a field without id.

// AppendField appends a column's value to a row.
func AppendField(dst []byte, column uint32, v value.Value) []byte {
	return AppendValue(binary.AppendUvarint(dst, uint64(column)), v)
}

// AppendValue appends a value with its kind.
func AppendValue(dst []byte, v value.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case value.Null:
	case value.Boolean, value.Integer, value.Timestamp:
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

// NextField reads the next field of a row. rest is empty after the last one.
func NextField(src []byte) (column uint32, v value.Value, rest []byte, err error) {
	id, n := binary.Uvarint(src)
	if n <= 0 || id > math.MaxUint32 {
		return 0, v, nil, malformed("row: column id")
	}
	v, rest, err = ReadValue(src[n:])
	return uint32(id), v, rest, err
}

// ReadValue reads what AppendValue wrote. The value is a copy.
func ReadValue(src []byte) (v value.Value, rest []byte, err error) {
	if len(src) == 0 {
		return v, nil, malformed("row: no kind")
	}
	k := value.Kind(src[0])
	src = src[1:]
	switch k {
	case value.Null:
		return v, src, nil
	case value.Boolean, value.Integer, value.Timestamp:
		i, n := binary.Varint(src)
		if n <= 0 {
			return v, nil, malformed("row: integer")
		}
		switch k {
		case value.Boolean:
			v = value.Bool(i != 0)
		case value.Integer:
			v = value.Int(i)
		default:
			v = value.Micros(i)
		}
		return v, src[n:], nil
	case value.Real:
		if len(src) < 8 {
			return v, nil, malformed("row: real")
		}
		return value.Float(math.Float64frombits(binary.LittleEndian.Uint64(src))), src[8:], nil
	case value.Vector:
		dim, n := binary.Uvarint(src)
		if n <= 0 || dim > value.MaxDim || len(src)-n < 4*int(dim) {
			return v, nil, malformed("row: vector")
		}
		src = src[n:]
		vec := make([]float32, dim)
		Floats(vec, src)
		return value.Vec(vec), src[4*dim:], nil
	case value.Text, value.JSON, value.Blob:
		l, n := binary.Uvarint(src)
		if n <= 0 || l > uint64(len(src)-n) {
			return v, nil, malformed("row: text")
		}
		s := string(src[n : n+int(l)])
		switch k {
		case value.Text:
			v = value.Str(s)
		case value.JSON:
			v = value.RawJSON(s)
		default:
			v = value.BlobOf(s)
		}
		return v, src[n+int(l):], nil
	}
	return v, nil, malformed("row: kind %d", k)
}
