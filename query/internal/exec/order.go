package exec

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Order says how one key of a sort is ordered.
type Order struct {
	Desc       bool
	NullsFirst bool
}

// comparer returns a function that compares rows of one column by o: negative
// when row a comes first.
func comparer(c *value.Column, o Order) func(a, b int32) int {
	if c == nil || c.Type.Kind == value.Null {
		return func(a, b int32) int { return 0 }
	}
	var f func(a, b int32) int
	switch c.Type.Kind {
	case value.Boolean:
		f = func(a, b int32) int { return compareBool(c.Bools[a], c.Bools[b]) }
	case value.Integer, value.Timestamp, value.Date:
		f = func(a, b int32) int { return cmp.Compare(c.Ints[a], c.Ints[b]) }
	case value.Real:
		f = func(a, b int32) int { return compareReal(c.Reals[a], c.Reals[b]) }
	case value.Vector:
		f = func(a, b int32) int { return slices.Compare(c.Vec(int(a)), c.Vec(int(b))) }
	case value.Interval:
		f = func(a, b int32) int { return value.SpanOf(c.Strs[a]).Compare(value.SpanOf(c.Strs[b])) }
	case value.Numeric:
		f = func(a, b int32) int { return strings.Compare(value.NumericKey(c.Strs[a]), value.NumericKey(c.Strs[b])) }
	case value.JSON:
		f = compareJSON(c)
	default:
		f = func(a, b int32) int { return strings.Compare(c.Strs[a], c.Strs[b]) }
	}
	if o.Desc {
		up := f
		f = func(a, b int32) int { return up(b, a) }
	}
	if c.Nulls == nil {
		return f
	}
	first := 1
	if o.NullsFirst {
		first = -1
	}
	return func(a, b int32) int {
		na, nb := c.Nulls.Get(int(a)), c.Nulls.Get(int(b))
		switch {
		case na && nb:
			return 0
		case na:
			return first
		case nb:
			return -first
		}
		return f(a, b)
	}
}

// compareJSON compares rows by keys, each of which is made once.
func compareJSON(c *value.Column) func(a, b int32) int {
	keys := make(map[string][]byte)
	key := func(i int32) []byte {
		k, ok := keys[c.Strs[i]]
		if !ok {
			k = fn.AppendSortKey(nil, fn.Arg{Column: c}, int(i), fn.SortOrder{})
			keys[strings.Clone(c.Strs[i])] = k
		}
		return k
	}
	return func(a, b int32) int { return bytes.Compare(key(a), key(b)) }
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareReal orders NaN after every number, as PostgreSQL does.
func compareReal(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a == a:
		return -1
	case b == b:
		return 1
	}
	return 0
}

// compareBy joins the comparers of several keys.
func compareBy(cols []*value.Column, orders []Order) func(a, b int32) int {
	fs := make([]func(a, b int32) int, len(cols))
	for i, c := range cols {
		fs[i] = comparer(c, orders[i])
	}
	if len(fs) == 1 {
		return fs[0]
	}
	return func(a, b int32) int {
		for _, f := range fs {
			if c := f(a, b); c != 0 {
				return c
			}
		}
		return 0
	}
}
