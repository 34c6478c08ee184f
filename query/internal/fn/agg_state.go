package fn

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/lupadb/lupa/storage/value"
)

func newCount(arg value.Type) (Aggregator, error) {
	return &countAgg{star: arg.Kind == value.Null}, nil
}

type countAgg struct {
	star   bool
	counts []int64
}

func (a *countAgg) Type() value.Type { return value.Type{Kind: value.Integer} }
func (a *countAgg) Resize(n int)     { a.counts = extend(a.counts, n) }
func (a *countAgg) Bytes() int64     { return int64(8 * cap(a.counts)) }

// extend lengthens s to n elements, keeping those it has.
func extend[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		return s[:n]
	}
	t := make([]T, n, max(n, 2*cap(s)))
	copy(t, s)
	return t
}

func (a *countAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if a.star || arg.Const && !arg.Null(0) || !arg.Const && arg.Nulls == nil && arg.Type.Kind != value.Null {
		switch {
		case groups == nil && sel == nil:
			a.counts[0] += int64(n)
		case groups == nil:
			a.counts[0] += int64(len(sel))
		case sel == nil:
			for _, g := range groups[:n] {
				a.counts[g]++
			}
		default:
			for _, i := range sel {
				a.counts[groups[i]]++
			}
		}
		return nil
	}
	eachValue(arg, groups, n, sel, func(i, g int) { a.counts[g]++ })
	return nil
}

// eachValue calls f with the slot and group of every selected row that is not NULL.
func eachValue(arg Arg, groups []int32, n int, sel []int32, f func(i, g int)) {
	if arg.Type.Kind == value.Null || arg.Const && arg.Null(0) {
		return
	}
	step := arg.step()
	nulls := arg.Nulls
	if arg.Const {
		nulls = nil
	}
	each(n, sel, func(i int) {
		if nulls.Get(i) {
			return
		}
		g := 0
		if groups != nil {
			g = int(groups[i])
		}
		f(i*step, g)
	})
}

// target returns the group here of group g of another aggregator.
func target(to []int32, g int) int {
	if to == nil {
		return g
	}
	return int(to[g])
}

func (a *countAgg) Merge(other Aggregator, to []int32) error {
	for g, n := range other.(*countAgg).counts {
		a.counts[target(to, g)] += n
	}
	return nil
}

func (a *countAgg) Result(from, upto int, out *value.Column) error {
	resize(out, a.Type(), upto-from)
	copy(out.Ints, a.counts[from:upto])
	return nil
}

func newSum(arg value.Type) (Aggregator, error) {
	switch arg.Kind {
	case value.Integer:
		return &sumIntAgg{}, nil
	case value.Real:
		return &sumRealAgg{}, nil
	case value.Numeric:
		return &sumNumericAgg{}, nil
	case value.Vector:
		return &sumVecAgg{t: arg}, nil
	case value.Interval:
		return &sumSpanAgg{}, nil
	}
	return nil, fmt.Errorf("no sum of %v", arg)
}

func newAvg(arg value.Type) (Aggregator, error) {
	switch arg.Kind {
	case value.Integer:
		return &sumIntAgg{avg: true}, nil
	case value.Real:
		return &sumRealAgg{avg: true}, nil
	case value.Numeric:
		return &sumNumericAgg{avg: true}, nil
	case value.Vector:
		return &sumVecAgg{t: arg, avg: true}, nil
	case value.Interval:
		return &sumSpanAgg{avg: true}, nil
	}
	return nil, fmt.Errorf("no avg of %v", arg)
}

// sumIntAgg sums integers in 128 bits, so that neither the order nor a
// temporary excess matters; only a result out of range is an error.
type sumIntAgg struct {
	avg  bool
	sums []intSum
}

type intSum struct {
	n  int64
	lo uint64
	hi int64
}

func (s *intSum) add(x int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(x), 0)
	s.hi += x>>63 + int64(carry)
	s.n++
}

func (a *sumIntAgg) Type() value.Type {
	if a.avg {
		return value.Type{Kind: value.Real}
	}
	return value.Type{Kind: value.Integer}
}
func (a *sumIntAgg) Resize(n int) { a.sums = extend(a.sums, n) }
func (a *sumIntAgg) Bytes() int64 { return int64(24 * cap(a.sums)) }

func (a *sumIntAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if sel == nil && groups != nil && arg.Nulls == nil && arg.Type.Kind == value.Integer && !arg.Const {
		groups := groups[:n]
		for i, x := range arg.Ints[:n] {
			a.sums[groups[i]].add(x)
		}
		return nil
	}
	if sel == nil && groups == nil && arg.Nulls == nil && arg.Type.Kind == value.Integer && !arg.Const {
		s := a.sums[0]
		for _, x := range arg.Ints[:n] {
			s.add(x)
		}
		a.sums[0] = s
		return nil
	}
	eachValue(arg, groups, n, sel, func(i, g int) { a.sums[g].add(arg.Ints[i]) })
	return nil
}

func (a *sumIntAgg) Merge(other Aggregator, to []int32) error {
	for g, o := range other.(*sumIntAgg).sums {
		s := &a.sums[target(to, g)]
		var carry uint64
		s.lo, carry = bits.Add64(s.lo, o.lo, 0)
		s.hi += o.hi + int64(carry)
		s.n += o.n
	}
	return nil
}

func (a *sumIntAgg) Result(from, upto int, out *value.Column) error {
	n := upto - from
	resize(out, a.Type(), n)
	for i := range n {
		s := a.sums[from+i]
		switch {
		case s.n == 0:
			setNull(out, i, n)
		case a.avg:
			out.Reals[i] = s.float() / float64(s.n)
		case s.hi != int64(s.lo)>>63:
			return fmt.Errorf("sum is out of range for INTEGER (64 bit); sum(CAST(... AS REAL)) has room for it")
		default:
			out.Ints[i] = int64(s.lo)
		}
	}
	return nil
}

func (s *intSum) float() float64 {
	if s.hi == int64(s.lo)>>63 {
		return float64(int64(s.lo))
	}
	return math.Ldexp(float64(s.hi), 64) + float64(s.lo)
}

type sumRealAgg struct {
	avg  bool
	sums []realSum
}

// realSum is a sum with its rounding errors carried along (Neumaier's variant of
// Kahan summation). Finite numbers whose sum is none go on in a smaller unit.
type realSum struct {
	n       int64
	sum, lo float64
	scaled  bool // sum and lo are in units of 1/small
}

// small is what numbers are multiplied with once their sum is too large: 2^64 of the
// largest ones fit into a float64 then.
const small = 0x1p-64

func (s *realSum) add(x float64) {
	if s.scaled {
		x = float64(x * small)
	}
	t := s.sum + x
	if t-t != 0 && x-x == 0 && s.sum-s.sum == 0 { // infinite, of finite numbers
		s.sum, s.lo, s.scaled = float64(s.sum*small), float64(s.lo*small), true
		x = float64(x * small)
		t = s.sum + x
	}
	if math.Abs(s.sum) >= math.Abs(x) {
		s.lo += (s.sum - t) + x
	} else {
		s.lo += (x - t) + s.sum
	}
	s.sum = t
	s.n++
}

// total returns the sum in units of 1/small if it is scaled.
func (s *realSum) total() float64 {
	if t := s.sum + s.lo; t == t {
		return t
	}
	return s.sum // infinities leave NaN in lo
}

// merge adds what another sum has.
func (s *realSum) merge(o realSum) {
	n := s.n + o.n
	if o.scaled != s.scaled {
		if o.scaled {
			s.sum, s.lo, s.scaled = float64(s.sum*small), float64(s.lo*small), true
		} else {
			o.sum, o.lo = float64(o.sum*small), float64(o.lo*small)
		}
	}
	if s.scaled { // what add is given is multiplied
		s.add(o.sum / small)
	} else {
		s.add(o.sum)
		if s.scaled {
			o.lo = float64(o.lo * small)
		}
	}
	s.lo += o.lo
	s.n = n
}

func (a *sumRealAgg) Type() value.Type { return value.Type{Kind: value.Real} }
func (a *sumRealAgg) Resize(n int)     { a.sums = extend(a.sums, n) }
func (a *sumRealAgg) Bytes() int64     { return int64(32 * cap(a.sums)) }

func (a *sumRealAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if sel == nil && groups != nil && arg.Nulls == nil && arg.Type.Kind == value.Real && !arg.Const {
		groups := groups[:n]
		for i, x := range arg.Reals[:n] {
			a.sums[groups[i]].add(x)
		}
		return nil
	}
	if sel == nil && groups == nil && arg.Nulls == nil && arg.Type.Kind == value.Real && !arg.Const {
		s := a.sums[0]
		for _, x := range arg.Reals[:n] {
			s.add(x)
		}
		a.sums[0] = s
		return nil
	}
	eachValue(arg, groups, n, sel, func(i, g int) { a.sums[g].add(arg.Reals[i]) })
	return nil
}

func (a *sumRealAgg) Merge(other Aggregator, to []int32) error {
	for g, o := range other.(*sumRealAgg).sums {
		if o.n == 0 {
			continue
		}
		a.sums[target(to, g)].merge(o)
	}
	return nil
}

func (a *sumRealAgg) Result(from, upto int, out *value.Column) error {
	n := upto - from
	resize(out, a.Type(), n)
	for i := range n {
		s := &a.sums[from+i]
		out.Reals[i] = s.total()
		if s.n == 0 {
			setNull(out, i, n)
		} else {
			if a.avg {
				out.Reals[i] /= float64(s.n)
			}
			if s.scaled {
				if out.Reals[i] /= small; math.IsInf(out.Reals[i], 0) {
					return errors.New("the sum is out of range for REAL (64 bit)")
				}
			}
		}
	}
	return nil
}

// sumVecAgg sums vectors element by element in float64.
type sumVecAgg struct {
	avg  bool
	t    value.Type
	n    []int64
	sums []float64
	size int
}

func (a *sumVecAgg) Type() value.Type { return a.t }
func (a *sumVecAgg) Bytes() int64     { return int64(8*cap(a.sums) + 8*cap(a.n)) }

func (a *sumVecAgg) Resize(n int) {
	a.size = max(a.size, n)
	a.n = extend(a.n, n)
	a.sums = extend(a.sums, n*a.t.Dim)
}

// dim fixes the dimension by the first vector seen.
func (a *sumVecAgg) dim(d int) error {
	if a.t.Dim == 0 {
		a.t.Dim = d
		a.Resize(a.size)
	}
	if d != a.t.Dim {
		return fmt.Errorf("vectors of %d and of %d dimensions can't be combined", a.t.Dim, d)
	}
	return nil
}

func (a *sumVecAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	if arg.Type.Kind == value.Null {
		return nil
	}
	d := arg.Type.Dim
	if err := a.dim(d); err != nil {
		return err
	}
	eachValue(arg, groups, n, sel, func(i, g int) {
		sum := a.sums[g*d : (g+1)*d]
		for k, x := range arg.Vec(i) {
			sum[k] += float64(x)
		}
		a.n[g]++
	})
	return nil
}

func (a *sumVecAgg) Merge(other Aggregator, to []int32) error {
	o := other.(*sumVecAgg)
	if o.t.Dim == 0 {
		return nil
	}
	if err := a.dim(o.t.Dim); err != nil {
		return err
	}
	d := o.t.Dim
	for g, n := range o.n {
		h := target(to, g)
		a.n[h] += n
		for k, x := range o.sums[g*d : (g+1)*d] {
			a.sums[h*d+k] += x
		}
	}
	return nil
}

func (a *sumVecAgg) Result(from, upto int, out *value.Column) error {
	n, d := upto-from, a.t.Dim
	resize(out, a.t, n)
	for i := range n {
		count := a.n[from+i]
		if count == 0 {
			setNull(out, i, n)
		}
		div := 1.0
		if a.avg && count > 0 {
			div = float64(count)
		}
		for k, x := range a.sums[(from+i)*d : (from+i+1)*d] {
			y := float32(x / div)
			if y-y != 0 {
				return fmt.Errorf("element %d of the sum of vectors is out of range", k+1)
			}
			out.Vecs[i*d+k] = y
		}
	}
	return nil
}
