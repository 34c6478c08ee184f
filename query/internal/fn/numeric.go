package fn

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/lupadb/lupa/storage/value"
)

// decimal is what the kernels below compute with: a coefficient of any length, and an exponent
// that is minus the number of decimal places. Places are chosen as PostgreSQL chooses them, and
// halves are rounded away from zero.
type decimal = apd.Decimal

var exactly = &apd.BaseContext

// numeric2 is a kernel of two NUMERICs.
func numeric2(f func(out, a, b *decimal) error) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		sa, sb := a.step(), b.step()
		var x, y, r decimal
		var buf []byte
		for _, i := range fullSel(n, sel) {
			value.ReadNumeric(a.Strs[int(i)*sa], &x)
			value.ReadNumeric(b.Strs[int(i)*sb], &y)
			if err := f(&r, &x, &y); err != nil {
				return err
			}
			var err error
			if buf, err = value.AppendNumeric(buf[:0], &r); err != nil {
				return err
			}
			out.Strs[i] = string(buf)
		}
		return nil
	}
}

// numeric1 is a kernel of one NUMERIC.
func numeric1(f func(out, a *decimal) error) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var x, r decimal
		return try1(args[0].Strs, args[0].step(), out.Strs, n, sel, func(s string) (string, error) {
			value.ReadNumeric(s, &x)
			if err := f(&r, &x); err != nil {
				return "", err
			}
			b, err := value.AppendNumeric(nil, &r)
			return string(b), err
		})
	}
}

// numericDigits is a kernel of a NUMERIC and of how many decimal places it is to have.
func numericDigits(round bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var x decimal
		for _, i := range fullSel(n, sel) {
			value.ReadNumeric(args[0].Strs[int(i)*args[0].step()], &x)
			digits := max(-value.MaxDigits-1, min(args[1].Ints[int(i)*args[1].step()], value.MaxDigits))
			rescale(&x, int(digits), round)
			if digits < 0 {
				rescale(&x, 0, false)
			}
			b, err := value.AppendNumeric(nil, &x)
			if err != nil {
				return err
			}
			out.Strs[i] = string(b)
		}
		return nil
	}
}

func addNumeric(out, a, b *decimal) error {
	_, err := exactly.Add(out, a, b)
	return err
}

func subNumeric(out, a, b *decimal) error {
	_, err := exactly.Sub(out, a, b)
	return err
}

func mulNumeric(out, a, b *decimal) error {
	_, err := exactly.Mul(out, a, b)
	return err
}

// divNumeric gives at least 16 significant digits, and as many decimal places as the operands.
func divNumeric(out, a, b *decimal) error {
	if b.IsZero() {
		return errDivision
	}
	divideTo(out, a, b, max(quotientPlaces(a, b), int(-a.Exponent), int(-b.Exponent)))
	return nil
}

// quotientPlaces is select_div_scale of PostgreSQL, which keeps four decimal digits in one of its.
func quotientPlaces(a, b *decimal) int {
	wa, fa := leadingGroup(a)
	wb, fb := leadingGroup(b)
	q := wa - wb
	if fa <= fb {
		q--
	}
	return max(0, min(16-4*q, value.MaxDigits))
}

// leadingGroup returns the first group of four digits, counted from the point, that is not
// zero, and its place, 0 for the one before the point.
func leadingGroup(d *decimal) (place, group int) {
	if d.IsZero() {
		return 0, 0
	}
	var buf [64]byte
	digits := d.Coeff.Append(buf[:0], 10)
	whole := len(digits) + int(d.Exponent) // digits before the point
	if place = (whole - 1) / 4; whole <= 0 {
		place = -((-whole)/4 + 1)
	}
	for i := range whole - 4*place {
		group *= 10
		if i < len(digits) {
			group += int(digits[i] - '0')
		}
	}
	return place, group
}

// divideTo sets out to a / b with so many decimal places.
func divideTo(out, a, b *decimal, places int) {
	var n, d apd.BigInt
	n.Abs(&a.Coeff)
	d.Abs(&b.Coeff)
	if shift := places - int(-a.Exponent) + int(-b.Exponent); shift >= 0 {
		n.Mul(&n, power10(shift))
	} else {
		d.Mul(&d, power10(-shift))
	}
	roundQuo(&n, &n, &d)
	out.Form, out.Negative, out.Exponent = apd.Finite, a.Negative != b.Negative && n.Sign() != 0, int32(-places)
	out.Coeff.Set(&n)
}

// roundQuo sets q to n / d, both positive, halves upwards.
func roundQuo(q, n, d *apd.BigInt) {
	var quo, rest apd.BigInt
	quo.QuoRem(n, d, &rest)
	if rest.Lsh(&rest, 1).Cmp(d) >= 0 {
		quo.Add(&quo, apd.NewBigInt(1))
	}
	q.Set(&quo)
}

func power10(n int) *apd.BigInt {
	var p apd.BigInt
	if n <= 18 {
		x := int64(1)
		for range n {
			x *= 10
		}
		return p.SetInt64(x)
	}
	return p.Exp(apd.NewBigInt(10), apd.NewBigInt(int64(n)), nil)
}

func modNumeric(out, a, b *decimal) error {
	if b.IsZero() {
		return errDivision
	}
	x, y := *a, *b
	places := max(-a.Exponent, -b.Exponent)
	var n, d apd.BigInt
	n.Mul(n.Abs(&x.Coeff), power10(int(places+a.Exponent)))
	d.Mul(d.Abs(&y.Coeff), power10(int(places+b.Exponent)))
	n.Rem(&n, &d)
	out.Form, out.Negative, out.Exponent = apd.Finite, a.Negative && n.Sign() != 0, -places
	out.Coeff.Set(&n)
	return nil
}

// rescale gives d so many decimal places; fewer than none leave zeros before the point.
func rescale(d *decimal, places int, round bool) {
	if d.Exponent > 0 {
		d.Coeff.Mul(&d.Coeff, power10(int(d.Exponent)))
		d.Exponent = 0
	}
	switch have := int(-d.Exponent); {
	case places >= have:
		d.Coeff.Mul(&d.Coeff, power10(places-have))
	case round:
		roundQuo(&d.Coeff, &d.Coeff, power10(have-places))
	default:
		d.Coeff.Quo(&d.Coeff, power10(have-places))
	}
	d.Exponent = int32(-places)
	if places < 0 {
		d.Coeff.Mul(&d.Coeff, power10(-places))
		d.Exponent = 0
	}
	d.Negative = d.Negative && d.Coeff.Sign() != 0
}

func negNumeric(out, a *decimal) error {
	out.Set(a)
	out.Negative = !a.Negative && !a.IsZero()
	return nil
}

func absNumeric(out, a *decimal) error {
	out.Set(a)
	out.Negative = false
	return nil
}

func signNumeric(out, a *decimal) error {
	out.SetInt64(int64(a.Sign()))
	return nil
}

// wholeNumeric is round, trunc, floor (-1) or ceil (1).
func wholeNumeric(round bool, toward int) func(out, a *decimal) error {
	return func(out, a *decimal) error {
		out.Set(a)
		rescale(out, 0, round)
		if toward != 0 && out.Cmp(a) == -toward {
			_, err := exactly.Add(out, out, apd.New(int64(toward), 0))
			return err
		}
		return nil
	}
}

// fitNumeric is what NUMERIC(precision, scale) makes of a number.
func fitNumeric(precision, scale int, name string) func(string) (string, error) {
	return func(s string) (string, error) {
		var d decimal
		value.ReadNumeric(s, &d)
		rescale(&d, scale, true)
		if digits := d.Coeff.Append(nil, 10); !d.IsZero() && len(digits) > precision {
			return "", fmt.Errorf("%s has %d digits before the point, too many for %s", value.AppendDecimal(nil, s), len(digits)-scale, name)
		}
		b, err := value.AppendNumeric(nil, &d)
		return string(b), err
	}
}

func castIntNumeric(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Ints, args[0].step(), out.Strs, n, sel, func(i int64) string { return value.NumericOfInt(i).Str() })
	return nil
}

func castRealNumeric(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return try1(args[0].Reals, args[0].step(), out.Strs, n, sel, func(f float64) (string, error) {
		v, err := value.NumericOfReal(f)
		return v.Str(), err
	})
}

func castNumericReal(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return try1(args[0].Strs, args[0].step(), out.Reals, n, sel, func(s string) (float64, error) {
		f := value.NumericReal(s)
		if f-f != 0 {
			return 0, errRealRange
		}
		return f, nil
	})
}

func castNumericInt(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var d decimal
	return try1(args[0].Strs, args[0].step(), out.Ints, n, sel, func(s string) (int64, error) {
		value.ReadNumeric(s, &d)
		rescale(&d, 0, true)
		c := &d.Coeff
		if d.Negative {
			c = new(apd.BigInt).Neg(c)
		}
		if !c.IsInt64() {
			return 0, fmt.Errorf("%s is out of range for INTEGER (64 bit)", value.AppendDecimal(nil, s))
		}
		return c.Int64(), nil
	})
}

// sumNumericAgg is sum and avg of NUMERICs: exact sums, and means of as many places as a
// quotient has.
type sumNumericAgg struct {
	avg  bool
	sums []numericSum
}

type numericSum struct {
	n   int64
	sum decimal
}

func (a *sumNumericAgg) Type() value.Type { return value.Type{Kind: value.Numeric} }
func (a *sumNumericAgg) Bytes() int64     { return int64(72 * cap(a.sums)) }

// Resize keeps the numbers' memory with them: a decimal may point into itself.
func (a *sumNumericAgg) Resize(n int) {
	if n <= cap(a.sums) {
		a.sums = a.sums[:max(n, len(a.sums))]
		return
	}
	old := a.sums
	a.sums = make([]numericSum, n, max(n, 2*cap(old)))
	for i := range old {
		a.sums[i].n = old[i].n
		a.sums[i].sum.Set(&old[i].sum)
	}
}

func (a *sumNumericAgg) Add(arg Arg, groups []int32, n int, sel []int32) (err error) {
	var x decimal
	eachValue(arg, groups, n, sel, func(i, g int) {
		value.ReadNumeric(arg.Strs[i], &x)
		s := &a.sums[g]
		if _, e := exactly.Add(&s.sum, &s.sum, &x); e != nil {
			err = e
		}
		s.n++
	})
	return err
}

func (a *sumNumericAgg) Merge(other Aggregator, to []int32) error {
	o := other.(*sumNumericAgg).sums
	for g := range o {
		s := &a.sums[target(to, g)]
		if _, err := exactly.Add(&s.sum, &s.sum, &o[g].sum); err != nil {
			return err
		}
		s.n += o[g].n
	}
	return nil
}

func (a *sumNumericAgg) Result(from, upto int, out *value.Column) error {
	n := upto - from
	resize(out, a.Type(), n)
	for i := range n {
		s := &a.sums[from+i]
		if s.n == 0 {
			setNull(out, i, n)
			continue
		}
		d := &s.sum
		if a.avg {
			d = new(decimal)
			if err := divNumeric(d, &s.sum, apd.New(s.n, 0)); err != nil {
				return err
			}
		}
		b, err := value.AppendNumeric(nil, d)
		if err != nil {
			return err
		}
		out.Strs[i] = string(b)
	}
	return nil
}
