package fn

import (
	"fmt"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// mathEntries are the functions of numbers beyond those of arithmetic.
func mathEntries() []*Func {
	one := func(name, syntax, doc, example, gives string, f func(float64) (float64, error)) *Func {
		return &Func{Name: name, Syntax: syntax, Doc: doc, Example: example, Gives: gives, partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(f), false}}}
	}
	plain := func(f func(float64) float64) func(float64) (float64, error) {
		return func(x float64) (float64, error) {
			if math.IsInf(x, 0) {
				return 0, fmt.Errorf("%v is not an angle", x)
			}
			r := f(x)
			if r-r != 0 && x-x == 0 {
				return 0, errRealRange
			}
			return r, nil
		}
	}
	unit := func(name string, f func(float64) float64) func(float64) (float64, error) {
		return func(x float64) (float64, error) {
			if x < -1 || x > 1 {
				return 0, fmt.Errorf("%s takes a number from -1 to 1, not %v", name, x)
			}
			return f(x), nil
		}
	}
	any := func(f func(float64) float64) func(float64) (float64, error) {
		return func(x float64) (float64, error) {
			r := f(x)
			if r-r != 0 && x-x == 0 {
				return 0, errRealRange
			}
			return r, nil
		}
	}
	return []*Func{
		{Name: "log", Syntax: "log([base,] x)", Doc: "logarithm to base 10, or to another one", Example: "log(2, 8)", Gives: "3", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(log10Real), false}, {kinds{realKind, realKind}, realKind, real2(logBase), false}}},
		one("log10", "log10(x)", "logarithm to base 10", "log10(1000)", "3", log10Real),
		one("cbrt", "cbrt(x)", "cube root", "cbrt(27)", "3", any(math.Cbrt)),
		{Name: "div", Syntax: "div(a, b)", Doc: "quotient without the fraction", Example: "div(-7, 2)", Gives: "-3", partial: true,
			sigs: []sig{{kinds{integer, integer}, integer, divKernel(false), false}, {kinds{realKind, realKind}, realKind, real2(divWhole), false}, {kinds{numeric, numeric}, numeric, numeric2(divWholeNumeric), false}}},
		{Name: "gcd", Syntax: "gcd(a, b)", Doc: "greatest common divisor", Example: "gcd(12, 18)", Gives: "6", partial: true,
			sigs: []sig{{kinds{integer, integer}, integer, int2(gcdInts), false}}},
		{Name: "lcm", Syntax: "lcm(a, b)", Doc: "least common multiple", Example: "lcm(4, 6)", Gives: "12", partial: true,
			sigs: []sig{{kinds{integer, integer}, integer, int2(lcmInts), false}}},
		{Name: "factorial", Syntax: "factorial(n)", Doc: "product of the numbers up to n, at most 20", Example: "factorial(5)", Gives: "120", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(factorial), false}}},
		{Name: "width_bucket", Syntax: "width_bucket(x, low, high, n)", Doc: "number of the one of n equal parts from low to high that x lies in; 0 below, n + 1 above", Example: "width_bucket(5.3, 0, 10, 5)", Gives: "3", partial: true,
			sigs: []sig{{kinds{realKind, realKind, realKind, integer}, integer, widthBucket, false}}},
		{Name: "pi", Syntax: "pi()", Doc: "the number pi", Example: "pi() > 3.14", Gives: "true",
			sigs: []sig{{nil, realKind, func(_ *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
				each(n, sel, func(i int) { out.Reals[i] = math.Pi })
				return nil
			}, false}}},
		one("degrees", "degrees(x)", "an angle in degrees", "degrees(pi())", "180", any(func(x float64) float64 { return x / (math.Pi / 180) })),
		one("radians", "radians(x)", "an angle of degrees", "radians(180) = pi()", "true", any(func(x float64) float64 { return float64(x * (math.Pi / 180)) })),
		one("sin", "sin(x)", "sine of an angle", "sin(0)", "0", plain(math.Sin)),
		one("cos", "cos(x)", "cosine of an angle", "cos(0)", "1", plain(math.Cos)),
		one("tan", "tan(x)", "tangent of an angle", "tan(0)", "0", plain(math.Tan)),
		one("cot", "cot(x)", "cotangent of an angle", "round(cot(1), 3)", "0.642", plain(func(x float64) float64 { return 1 / math.Tan(x) })),
		one("asin", "asin(x)", "angle of a sine", "asin(0)", "0", unit("asin", math.Asin)),
		one("acos", "acos(x)", "angle of a cosine", "acos(1)", "0", unit("acos", math.Acos)),
		one("atan", "atan(x)", "angle of a tangent", "atan(0)", "0", any(math.Atan)),
		{Name: "atan2", Syntax: "atan2(y, x)", Doc: "angle of the point x, y", Example: "atan2(0, 1)", Gives: "0", partial: true,
			sigs: []sig{{kinds{realKind, realKind}, realKind, real2(func(y, x float64) (float64, error) { return math.Atan2(y, x), nil }), false}}},
		one("sinh", "sinh(x)", "hyperbolic sine", "sinh(0)", "0", any(math.Sinh)),
		one("cosh", "cosh(x)", "hyperbolic cosine", "cosh(0)", "1", any(math.Cosh)),
		one("tanh", "tanh(x)", "hyperbolic tangent", "tanh(0)", "0", any(math.Tanh)),
	}
}

// bitEntries are the operators of bits, of INTEGERs.
func bitEntries() []*Func {
	op := func(name, doc, example, gives string, f func(x, y int64) (int64, error)) *Func {
		return &Func{Name: name, Category: Operator, Syntax: "a " + name + " b", Doc: doc, Example: example, Gives: gives, partial: true,
			sigs: []sig{{kinds{integer, integer}, integer, int2(f), false}}}
	}
	return []*Func{
		op("&", "bits of both", "5 & 3", "1", func(x, y int64) (int64, error) { return x & y, nil }),
		op("|", "bits of either", "5 | 3", "7", func(x, y int64) (int64, error) { return x | y, nil }),
		op("#", "bits of one of them", "5 # 3", "6", func(x, y int64) (int64, error) { return x ^ y, nil }),
		op("<<", "bits moved to the left", "1 << 4", "16", func(x, y int64) (int64, error) { return x << (uint64(y) & 63), nil }),
		op(">>", "bits moved to the right", "-16 >> 2", "-4", func(x, y int64) (int64, error) { return x >> (uint64(y) & 63), nil }),
		{Name: "bitnot", Category: Operator, Syntax: "~ a", Doc: "bits turned", Example: "~5", Gives: "-6",
			sigs: []sig{{kinds{integer}, integer, int1(func(x int64) (int64, error) { return ^x, nil }), false}}},
	}
}

func log10Real(x float64) (float64, error) {
	if x <= 0 {
		return 0, fmt.Errorf("log of %v: only positive numbers have a logarithm", x)
	}
	return math.Log10(x), nil
}

func logBase(base, x float64) (float64, error) {
	switch {
	case base <= 0 || x <= 0:
		return 0, fmt.Errorf("log of %v to base %v: only positive numbers have a logarithm", x, base)
	case base == 1:
		return 0, errDivision
	case base == 2:
		return math.Log2(x), nil
	case base == 10:
		return math.Log10(x), nil
	}
	return math.Log(x) / math.Log(base), nil
}

func divWhole(x, y float64) (float64, error) {
	r, err := divReals(x, y)
	return math.Trunc(r), err
}

func divWholeNumeric(out, a, b *decimal) error {
	var rest decimal
	if err := modNumeric(&rest, a, b); err != nil {
		return err
	}
	if err := subNumeric(&rest, a, &rest); err != nil {
		return err
	}
	divideTo(out, &rest, b, 0)
	return nil
}

func gcdInts(x, y int64) (int64, error) {
	for y != 0 {
		if y == -1 {
			x, y = 1, 0
			break
		}
		x, y = y, x%y
	}
	return absInt(x)
}

func lcmInts(x, y int64) (int64, error) {
	g, err := gcdInts(x, y)
	if err != nil || g == 0 {
		return 0, err
	}
	x /= g
	r := x * y
	if y != 0 && (r/y != x || x == -1 && y == math.MinInt64 || y == -1 && x == math.MinInt64) {
		return 0, overflow("lcm")
	}
	return absInt(r)
}

func factorial(n int64) (int64, error) {
	if n < 0 {
		return 0, fmt.Errorf("factorial of a negative number (%d)", n)
	}
	if n > 20 {
		return 0, overflow(fmt.Sprintf("factorial(%d)", n))
	}
	r := int64(1)
	for i := int64(2); i <= n; i++ {
		r *= i
	}
	return r, nil
}

func widthBucket(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	at := func(k, i int) float64 { return args[k].Reals[i*args[k].step()] }
	for _, i := range fullSel(n, sel) {
		x, lo, hi := at(0, int(i)), at(1, int(i)), at(2, int(i))
		count := args[3].Ints[int(i)*args[3].step()]
		switch {
		case count <= 0 || count > math.MaxInt32:
			return fmt.Errorf("width_bucket takes 1 to %d parts, not %d", math.MaxInt32, count)
		case x != x || lo-lo != 0 || hi-hi != 0:
			return fmt.Errorf("width_bucket takes numbers with finite bounds")
		case lo == hi:
			return fmt.Errorf("width_bucket: the bounds are equal (%v)", lo)
		}
		down := lo > hi
		switch {
		case !down && x < lo || down && x > lo:
			out.Ints[i] = 0
		case !down && x >= hi || down && x <= hi:
			out.Ints[i] = count + 1
		default:
			out.Ints[i] = min(int64(float64((x-lo)/(hi-lo)*float64(count))), count-1) + 1
		}
	}
	return nil
}

// bitsAgg is bit_and, bit_or and bit_xor of INTEGERs.
type bitsAgg struct {
	f func(x, y int64) int64
	perGroup[int64]
}

func bitsOf(name string, f func(x, y int64) int64) func([]ArgType) ([]value.Type, func(*AggregateCall) Aggregator, error) {
	return fixedArgs(name, name+"(x)", kinds{integer}, func(*AggregateCall) Aggregator { return &bitsAgg{f: f} })
}

func (a *bitsAgg) Type() value.Type { return value.Type{Kind: value.Integer} }

func (a *bitsAgg) take(g int, x int64) {
	if a.some[g] {
		x = a.f(a.of[g], x)
	}
	a.some[g], a.of[g] = true, x
}

func (a *bitsAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	eachValue(arg, groups, n, sel, func(i, g int) { a.take(g, arg.Ints[i]) })
	return nil
}

func (a *bitsAgg) Merge(other Aggregator, to []int32) error {
	a.merge(&other.(*bitsAgg).perGroup, to, a.take)
	return nil
}

func (a *bitsAgg) Result(from, upto int, out *value.Column) error {
	resize(out, a.Type(), upto-from)
	a.result(from, upto, out, out.Ints)
	return nil
}

// aggregateEntries are aggregates of bits, and what is left of regression.
func aggregateEntries() []*Func {
	moment := func(name, doc string, f func(*moments) (float64, bool)) *Func {
		return &Func{Name: name, Category: Aggregate, Syntax: name + "(y, x)", Doc: doc, joint: momentsOf(name, f, true)}
	}
	return []*Func{
		{Name: "bit_and", Category: Aggregate, Syntax: "bit_and(x)", Doc: "bits that all have", joint: bitsOf("bit_and", func(x, y int64) int64 { return x & y })},
		{Name: "bit_or", Category: Aggregate, Syntax: "bit_or(x)", Doc: "bits that one has", joint: bitsOf("bit_or", func(x, y int64) int64 { return x | y })},
		{Name: "bit_xor", Category: Aggregate, Syntax: "bit_xor(x)", Doc: "bits that an odd number of them has", joint: bitsOf("bit_xor", func(x, y int64) int64 { return x ^ y })},
		moment("regr_count", "number of points", func(m *moments) (float64, bool) { return m.n, true }),
		moment("regr_avgx", "mean of x", func(m *moments) (float64, bool) { return m.sx / m.n, m.n > 0 }),
		moment("regr_avgy", "mean of y", func(m *moments) (float64, bool) { return m.sy / m.n, m.n > 0 }),
		moment("regr_sxx", "sum of the squares of x less its mean", func(m *moments) (float64, bool) { return m.sxx, m.n > 0 }),
		moment("regr_syy", "sum of the squares of y less its mean", func(m *moments) (float64, bool) { return m.syy, m.n > 0 }),
		moment("regr_sxy", "sum of the products of x and y less their means", func(m *moments) (float64, bool) { return m.sxy, m.n > 0 }),
		moment("regr_r2", "square of the correlation", func(m *moments) (float64, bool) {
			switch {
			case m.n < 1 || m.sxx == 0:
				return 0, false
			case m.syy == 0:
				return 1, true
			}
			return float64(m.sxy*m.sxy) / float64(m.sxx*m.syy), true
		}),
	}
}
