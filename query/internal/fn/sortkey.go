package fn

import (
	"encoding/binary"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// SortOrder is the direction of one ORDER BY term.
type SortOrder struct {
	Desc       bool
	NullsFirst bool
}

// AppendSortKey appends row i of a as bytes whose order (bytes.Compare) is that
// of Compare under the given direction; keys of several columns may be
// appended one after the other.
func AppendSortKey(b []byte, a Arg, i int, order SortOrder) []byte {
	if a.Const {
		i = 0
	}
	if a.Null(i) {
		if order.NullsFirst {
			return append(b, 0)
		}
		return append(b, 2)
	}
	b = append(b, 1)
	start := len(b)
	switch a.Type.Kind {
	case value.Boolean:
		if a.Bools[i] {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	case value.Integer, value.Timestamp, value.Date:
		b = binary.BigEndian.AppendUint64(b, uint64(a.Ints[i])^1<<63)
	case value.Real:
		u := realBits(a.Reals[i])
		if u>>63 != 0 && a.Reals[i] == a.Reals[i] {
			u = ^u
		} else {
			u |= 1 << 63 // NaN, all exponent bits set, comes last
		}
		b = binary.BigEndian.AppendUint64(b, u)
	case value.Vector:
		for _, x := range a.Vec(i) {
			u := math.Float32bits(x + 0)
			if u>>31 != 0 {
				u = ^u
			} else {
				u |= 1 << 31
			}
			b = binary.BigEndian.AppendUint32(append(b, 1), u)
		}
		b = append(b, 0)
	case value.Interval:
		b = value.SpanOf(a.Strs[i]).AppendKey(b)
	case value.Numeric:
		b = append(b, value.NumericKey(a.Strs[i])...)
	case value.JSON:
		b = appendJSONKey(b, a.Strs[i])
	default:
		b = appendOrderedText(b, a.Strs[i])
	}
	if order.Desc {
		for k := start; k < len(b); k++ {
			b[k] = ^b[k]
		}
	}
	return b
}

// CompareRows compares row i of a with row j of b, of the same type, under the
// given direction: what sorting by AppendSortKey amounts to.
func CompareRows(a Arg, i int, b Arg, j int, order SortOrder) int {
	an, bn := a.IsNull(i), b.IsNull(j)
	if an || bn {
		switch {
		case an && bn:
			return 0
		case an == order.NullsFirst:
			return -1
		default:
			return 1
		}
	}
	c := Compare(a.At(i), b.At(j))
	if order.Desc {
		return -c
	}
	return c
}
