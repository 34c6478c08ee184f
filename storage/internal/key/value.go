package key

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// A value in a key is a marker, then the value itself: numbers with their sign
// turned so that bytes compare as numbers do, texts and blobs with 0x00 written
// as 0x00 0xFF and ended by 0x00 0x01, so that a prefix sorts first; of decimal numbers
// without the zeros at their end.
const (
	notNull = 0x01
	isNull  = 0x02 // after every value
)

// ErrMalformed is returned for bytes that no encoder wrote.
var ErrMalformed = errors.New("malformed key")

// Indexable reports whether values of a kind have an order that keys keep.
func Indexable(k value.Kind) bool {
	switch k {
	case value.Boolean, value.Integer, value.Real, value.Text, value.Timestamp, value.Date, value.Blob, value.Numeric:
		return true
	}
	return false
}

// Append appends v, of an indexable kind or NULL. Zero and minus zero are the
// same key, and so are all NaN, which come after the other numbers.
func Append(dst []byte, v value.Value) []byte {
	if v.IsNull() {
		return append(dst, isNull)
	}
	dst = append(dst, notNull)
	switch v.Kind() {
	case value.Boolean:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case value.Integer, value.Timestamp, value.Date:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())^1<<63)
	case value.Real:
		return binary.BigEndian.AppendUint64(dst, orderedBits(v.Float()))
	case value.Numeric:
		return append(dst, value.NumericKey(v.Str())...)
	default:
		return append(AppendPrefix(dst, v.Str()), 0x00, 0x01)
	}
}

// AppendTextPrefix appends the beginning that the keys of all texts with this
// prefix share.
func AppendTextPrefix(dst []byte, s string) []byte { return AppendPrefix(append(dst, notNull), s) }

// AppendPrefix appends the bytes of s as they stand within a key.
func AppendPrefix(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			dst = append(dst, 0x00, 0xff)
		} else {
			dst = append(dst, s[i])
		}
	}
	return dst
}

func orderedBits(f float64) uint64 {
	switch {
	case f == 0:
		f = 0
	case f != f:
		return math.MaxUint64
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// Decode reads a value of kind k from the start of src and returns what follows.
func Decode(src []byte, k value.Kind) (value.Value, []byte, error) {
	if len(src) == 0 {
		return value.Value{}, nil, ErrMalformed
	}
	marker := src[0]
	src = src[1:]
	if marker == isNull {
		return value.Value{}, src, nil
	}
	if marker != notNull {
		return value.Value{}, nil, ErrMalformed
	}
	switch k {
	case value.Boolean:
		if len(src) < 1 || src[0] > 1 {
			return value.Value{}, nil, ErrMalformed
		}
		return value.Bool(src[0] == 1), src[1:], nil
	case value.Integer, value.Timestamp, value.Date, value.Real:
		if len(src) < 8 {
			return value.Value{}, nil, ErrMalformed
		}
		n := binary.BigEndian.Uint64(src)
		src = src[8:]
		switch k {
		case value.Integer:
			return value.Int(int64(n ^ 1<<63)), src, nil
		case value.Timestamp:
			return value.Micros(int64(n ^ 1<<63)), src, nil
		case value.Date:
			return value.Days(int64(n ^ 1<<63)), src, nil
		}
		if n == math.MaxUint64 {
			return value.Float(math.NaN()), src, nil
		}
		if n>>63 != 0 {
			return value.Float(math.Float64frombits(n &^ (1 << 63))), src, nil
		}
		return value.Float(math.Float64frombits(^n)), src, nil
	case value.Numeric:
		n := value.NumericKeyLen(src)
		if n < 0 {
			return value.Value{}, nil, ErrMalformed
		}
		return value.NumericOfKey(string(src[:n])), src[n:], nil
	case value.Text, value.Blob:
		var out []byte
		for i := 0; i < len(src); i++ {
			if src[i] != 0 {
				out = append(out, src[i])
				continue
			}
			i++
			if i == len(src) {
				break
			}
			switch src[i] {
			case 0xff:
				out = append(out, 0)
			case 0x01:
				if k == value.Text {
					return value.Str(string(out)), src[i+1:], nil
				}
				return value.Bytes(out), src[i+1:], nil
			default:
				return value.Value{}, nil, ErrMalformed
			}
		}
	}
	return value.Value{}, nil, ErrMalformed
}
