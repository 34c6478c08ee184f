package fn

import (
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

func newMin(arg value.Type) (Aggregator, error) { return newExtreme(arg, -1), nil }

func newMax(arg value.Type) (Aggregator, error) { return newExtreme(arg, +1), nil }

func newExtreme(arg value.Type, sign int) Aggregator {
	switch arg.Kind {
	case value.Integer, value.Timestamp, value.Date:
		return &extremeIntAgg{t: arg, max: sign > 0}
	case value.Real:
		return &extremeRealAgg{max: sign > 0}
	}
	return &extremeAgg{t: arg, sign: sign}
}

// perGroup is a number for each group that has had one.
type perGroup[T int64 | float64] struct {
	some []bool
	of   []T
}

func (p *perGroup[T]) Bytes() int64 { return int64(9 * cap(p.of)) }
func (p *perGroup[T]) Resize(n int) { p.some, p.of = extend(p.some, n), extend(p.of, n) }

// merge lets take have the numbers of another one, whose groups are called to here.
func (p *perGroup[T]) merge(other *perGroup[T], to []int32, take func(g int, x T)) {
	for g, x := range other.of {
		if other.some[g] {
			take(target(to, g), x)
		}
	}
}

// result puts the numbers of some groups into out, whose values are in, and NULL for those
// without one.
func (p *perGroup[T]) result(from, upto int, out *value.Column, in []T) {
	copy(in, p.of[from:upto])
	for i := range upto - from {
		if !p.some[from+i] {
			setNull(out, i, upto-from)
		}
	}
}

// extremeIntAgg is min or max of integers and timestamps.
type extremeIntAgg struct {
	t   value.Type
	max bool
	perGroup[int64]
}

func (a *extremeIntAgg) Type() value.Type { return a.t }

func (a *extremeIntAgg) take(g int, x int64) {
	if !a.some[g] || (x > a.of[g]) == a.max && x != a.of[g] {
		a.some[g], a.of[g] = true, x
	}
}

func (a *extremeIntAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if sel == nil && groups == nil && arg.Nulls == nil && arg.Type.Kind == a.t.Kind && !arg.Const && n > 0 {
		lo, hi := arg.Ints[0], arg.Ints[0]
		for _, x := range arg.Ints[:n] {
			lo, hi = min(lo, x), max(hi, x)
		}
		a.take(0, lo)
		a.take(0, hi)
		return nil
	}
	if sel == nil && groups != nil && arg.Nulls == nil && arg.Type.Kind == a.t.Kind && !arg.Const {
		groups := groups[:n]
		for i, x := range arg.Ints[:n] {
			if g := groups[i]; !a.some[g] || (x > a.of[g]) == a.max {
				a.some[g], a.of[g] = true, x
			}
		}
		return nil
	}
	eachValue(arg, groups, n, sel, func(i, g int) { a.take(g, arg.Ints[i]) })
	return nil
}

func (a *extremeIntAgg) Merge(other Aggregator, to []int32) error {
	a.merge(&other.(*extremeIntAgg).perGroup, to, a.take)
	return nil
}

func (a *extremeIntAgg) Result(from, upto int, out *value.Column) error {
	resize(out, a.Type(), upto-from)
	a.result(from, upto, out, out.Ints)
	return nil
}

// extremeRealAgg is min or max of reals; NaN is greater than all others.
type extremeRealAgg struct {
	max bool
	perGroup[float64]
}

func (a *extremeRealAgg) Type() value.Type { return value.Type{Kind: value.Real} }

func (a *extremeRealAgg) take(g int, x float64) {
	if a.some[g] {
		c := value.CompareReals(x, a.of[g])
		if c == 0 || (c > 0) != a.max {
			return
		}
	}
	a.some[g], a.of[g] = true, x
}

func (a *extremeRealAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if sel == nil && arg.Nulls == nil && arg.Type.Kind == value.Real && !arg.Const {
		for i, x := range arg.Reals[:n] {
			g := 0
			if groups != nil {
				g = int(groups[i])
			}
			// Most values change nothing; NaN, for which no comparison holds, goes on.
			if a.some[g] && (a.max && x <= a.of[g] || !a.max && x >= a.of[g]) {
				continue
			}
			a.take(g, x)
		}
		return nil
	}
	eachValue(arg, groups, n, sel, func(i, g int) { a.take(g, arg.Reals[i]) })
	return nil
}

func (a *extremeRealAgg) Merge(other Aggregator, to []int32) error {
	a.merge(&other.(*extremeRealAgg).perGroup, to, a.take)
	return nil
}

func (a *extremeRealAgg) Result(from, upto int, out *value.Column) error {
	resize(out, a.Type(), upto-from)
	a.result(from, upto, out, out.Reals)
	return nil
}

// extremeAgg is min or max of any other type.
type extremeAgg struct {
	t     value.Type
	sign  int
	best  []value.Value
	bytes int64
}

func (a *extremeAgg) Type() value.Type { return a.t }

func (a *extremeAgg) Bytes() int64 { return int64(64*cap(a.best)) + a.bytes }

func (a *extremeAgg) Resize(n int) { a.best = extend(a.best, n) }

func (a *extremeAgg) take(g int, v value.Value) {
	if !a.best[g].IsNull() && Compare(v, a.best[g])*a.sign <= 0 {
		return
	}
	switch v.Kind() {
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		a.bytes += int64(len(v.Str()) - len(a.best[g].Str()))
		v = value.WithBody(v.Kind(), strings.Clone(v.Str()))
	case value.Vector:
		a.bytes += int64(4 * (len(v.Vec()) - len(a.best[g].Vec())))
		v = cloneVec(v)
	}
	a.best[g] = v
}

func (a *extremeAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if arg.Type.Dim > 0 {
		a.t = arg.Type
	}
	eachValue(arg, groups, n, sel, func(i, g int) { a.take(g, arg.Value(i)) })
	return nil
}

func (a *extremeAgg) Merge(other Aggregator, to []int32) error {
	for g, v := range other.(*extremeAgg).best {
		if !v.IsNull() {
			a.take(target(to, g), v)
		}
	}
	return nil
}

func (a *extremeAgg) Result(from, upto int, out *value.Column) error {
	out.Reset(a.t)
	for i, v := range a.best[from:upto] {
		out.Append(i, v)
	}
	return nil
}
