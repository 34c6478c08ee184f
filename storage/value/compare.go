package value

import (
	"cmp"
	"strings"
)

// Compare orders two values: -1, 0 or +1. It is total and the same everywhere
// (ORDER BY, min and max, indexes): NULL after everything else, integers and
// reals by number, NaN after all other numbers and equal to itself, -0 equal to
// 0, false before true, texts and blobs by their bytes, vectors element by
// element and the shorter first. Values of kinds that can't be compared in the
// language are ordered by kind.
func Compare(a, b Value) int {
	if a.kind != b.kind {
		switch {
		case a.kind == Null:
			return 1
		case b.kind == Null:
			return -1
		case a.kind == Integer && b.kind == Real:
			return CompareReals(float64(a.Int()), b.Float())
		case a.kind == Real && b.kind == Integer:
			return CompareReals(a.Float(), float64(b.Int()))
		}
		if a.kind == Numeric || b.kind == Numeric {
			return compareMixed(a, b)
		}
		return cmp.Compare(a.kind, b.kind)
	}
	switch a.kind {
	case Null:
		return 0
	case Boolean:
		return cmp.Compare(a.num, b.num)
	case Integer, Timestamp, Date:
		return cmp.Compare(int64(a.num), int64(b.num))
	case Real:
		return CompareReals(a.Float(), b.Float())
	case Vector:
		return CompareVectors(a.vec, b.vec)
	case Interval:
		return a.Span().Compare(b.Span())
	case Numeric:
		return strings.Compare(NumericKey(a.str), NumericKey(b.str))
	}
	return strings.Compare(a.str, b.str)
}

// CompareReals is Compare for two reals: NaN is the greatest.
func CompareReals(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a == a:
		return -1 // b is NaN
	case b == b:
		return 1
	}
	return 0
}

// CompareVectors is Compare for two vectors.
func CompareVectors(a, b []float32) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return cmp.Compare(len(a), len(b))
}
