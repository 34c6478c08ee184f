package value

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

// String returns the value's text form: what CAST(v AS TEXT) gives, what csv
// files hold and what the shell prints. NULL is "NULL" here.
func (v Value) String() string {
	if v.kind == Text || v.kind == JSON {
		return v.str
	}
	return string(v.AppendText(nil))
}

// AppendText appends the text form to dst: booleans as true and false, reals as
// the shortest decimal that reads back to the same bits, timestamps as
// "2006-01-02 15:04:05[.999999]" (UTC), blobs as \x and hex digits, vectors as
// [1,0.5].
func (v Value) AppendText(dst []byte) []byte {
	switch v.kind {
	case Null:
		return append(dst, "NULL"...)
	case Boolean:
		return strconv.AppendBool(dst, v.Bool())
	case Integer:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Real:
		return AppendReal(dst, v.Float())
	case Timestamp:
		return AppendTimestamp(dst, v.Int())
	case Date:
		return AppendDate(dst, v.Int())
	case Interval:
		return AppendSpan(dst, v.Span())
	case Numeric:
		return AppendDecimal(dst, v.str)
	case Blob:
		dst = append(dst, `\x`...)
		return hex.AppendEncode(dst, []byte(v.str))
	case Vector:
		return AppendVector(dst, v.vec)
	default:
		return append(dst, v.str...)
	}
}

// AppendReal appends the shortest decimal that reads back to f, in the
// notation of PostgreSQL: 0.1, 100, 1e+20, NaN, Infinity, -Infinity.
func AppendReal(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// AppendTimestamp appends microseconds since 1970 as "2006-01-02 15:04:05",
// with a fraction where there is one.
func AppendTimestamp(dst []byte, us int64) []byte {
	return time.UnixMicro(us).UTC().AppendFormat(dst, "2006-01-02 15:04:05.999999")
}

// AppendVector appends v as [1,0.5], each element the shortest decimal that
// reads back to the same float32.
func AppendVector(dst []byte, v []float32) []byte {
	dst = append(dst, '[')
	for i, x := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(x), 'g', -1, 32)
	}
	return append(dst, ']')
}
