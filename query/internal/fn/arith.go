package fn

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/lupadb/lupa/storage/value"
)

var errDivision = errors.New("division by zero")

func overflow(what string) error {
	return fmt.Errorf("%s is out of range for INTEGER (64 bit)", what)
}

// int2 is a kernel of two integers that can fail.
func int2(f func(x, y int64) (int64, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
		a, b := args[0], args[1]
		sa, sb := a.step(), b.step()
		if sel == nil {
			for i := range n {
				if out.Ints[i], err = f(a.Ints[i*sa], b.Ints[i*sb]); err != nil {
					return err
				}
			}
			return nil
		}
		for _, i := range sel {
			if out.Ints[i], err = f(a.Ints[int(i)*sa], b.Ints[int(i)*sb]); err != nil {
				return err
			}
		}
		return nil
	}
}

// mulKernel is * of integers.
func mulKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	a, b := args[0], args[1]
	sa, sb := a.step(), b.step()
	for _, i := range fullSel(n, sel) {
		x, y := a.Ints[int(i)*sa], b.Ints[int(i)*sb]
		hi, lo := bits.Mul64(uint64(x), uint64(y))
		if int64(hi)-x>>63&y-y>>63&x != int64(lo)>>63 {
			return overflow(fmt.Sprintf("%d * %d", x, y))
		}
		out.Ints[i] = int64(lo)
	}
	return nil
}

// divKernel is / and, with rest, % of integers.
func divKernel(rest bool) kernel {
	slow := int2(divInts)
	if rest {
		slow = int2(modInts)
	}
	return func(c *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		if !b.Const || b.Ints[0] == 0 || b.Ints[0] == -1 {
			return slow(c, args, n, sel, out)
		}
		sa, y := a.step(), b.Ints[0]
		for _, i := range fullSel(n, sel) {
			x := a.Ints[int(i)*sa]
			var r int64
			if (x|y)>>32 == 0 { // several times as fast
				q := uint32(x) / uint32(y)
				if r = int64(q); rest {
					r = int64(uint32(x) - q*uint32(y))
				}
			} else if rest {
				r = x % y
			} else {
				r = x / y
			}
			out.Ints[i] = r
		}
		return nil
	}
}

// sumKernel is + or -: overflow is gathered over all rows and looked for
// afterwards, which keeps the loop free of branches.
func sumKernel(minus bool) kernel {
	f := addInts
	if minus {
		f = subInts
	}
	slow := int2(f)
	return func(c *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		if sel != nil {
			return slow(c, args, n, sel, out)
		}
		a, b := args[0], args[1]
		sa, sb := a.step(), b.step()
		var over int64
		if minus {
			for i := range n {
				x, y := a.Ints[i*sa], b.Ints[i*sb]
				s := x - y
				over |= (x ^ y) & (x ^ s)
				out.Ints[i] = s
			}
		} else {
			for i := range n {
				x, y := a.Ints[i*sa], b.Ints[i*sb]
				s := x + y
				over |= (x ^ s) & (y ^ s)
				out.Ints[i] = s
			}
		}
		if over < 0 {
			return slow(c, args, n, sel, out)
		}
		return nil
	}
}

func addInts(x, y int64) (int64, error) {
	s := x + y
	if (x^s)&(y^s) < 0 {
		return 0, overflow(fmt.Sprintf("%d + %d", x, y))
	}
	return s, nil
}

func subInts(x, y int64) (int64, error) {
	s := x - y
	if (x^y)&(x^s) < 0 {
		return 0, overflow(fmt.Sprintf("%d - %d", x, y))
	}
	return s, nil
}

func divInts(x, y int64) (int64, error) {
	switch {
	case y == 0:
		return 0, errDivision
	case y == -1 && x == math.MinInt64:
		return 0, overflow(fmt.Sprintf("%d / %d", x, y))
	}
	return x / y, nil
}

func modInts(x, y int64) (int64, error) {
	switch y {
	case 0:
		return 0, errDivision
	case -1:
		return 0, nil
	}
	return x % y, nil
}

func negInt(x int64) (int64, error) {
	if x == math.MinInt64 {
		return 0, overflow(fmt.Sprintf("-(%d)", x))
	}
	return -x, nil
}

func absInt(x int64) (int64, error) {
	if x < 0 {
		return negInt(x)
	}
	return x, nil
}

// real2 is a kernel of two reals; a result that is not finite though both
// operands are is an error.
func real2(f func(x, y float64) (float64, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		sa, sb := a.step(), b.step()
		one := func(i int) error {
			x, y := a.Reals[i*sa], b.Reals[i*sb]
			r, err := f(x, y)
			if err != nil {
				return err
			}
			if r-r != 0 && x-x == 0 && y-y == 0 {
				return errRealRange
			}
			out.Reals[i] = r
			return nil
		}
		if sel == nil {
			for i := range n {
				if err := one(i); err != nil {
					return err
				}
			}
			return nil
		}
		for _, i := range sel {
			if err := one(int(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

var errRealRange = errors.New("the result is out of range for REAL (64 bit)")

func addReals(x, y float64) (float64, error) { return x + y, nil }
func subReals(x, y float64) (float64, error) { return x - y, nil }
func mulReals(x, y float64) (float64, error) { return float64(x * y), nil }

func divReals(x, y float64) (float64, error) {
	if y == 0 {
		return 0, errDivision
	}
	return x / y, nil
}

func modReals(x, y float64) (float64, error) {
	if y == 0 {
		return 0, errDivision
	}
	return math.Mod(x, y), nil
}

func powReals(x, y float64) (float64, error) {
	switch {
	case x == 0 && y < 0:
		return 0, errDivision
	case x < 0 && x-x == 0 && y-y == 0 && y != math.Trunc(y):
		return 0, fmt.Errorf("power: a negative number to a fraction has no real result")
	}
	return math.Pow(x, y), nil
}

// real1 is a kernel of one real.
func real1(f func(float64) (float64, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		return try1(args[0].Reals, args[0].step(), out.Reals, n, sel, f)
	}
}

func int1(f func(int64) (int64, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		return try1(args[0].Ints, args[0].step(), out.Ints, n, sel, f)
	}
}

func same[T any](x T) (T, error)           { return x, nil }
func negReal(x float64) (float64, error)   { return -x, nil }
func absReal(x float64) (float64, error)   { return math.Abs(x), nil }
func floorReal(x float64) (float64, error) { return math.Floor(x), nil }
func ceilReal(x float64) (float64, error)  { return math.Ceil(x), nil }
func roundReal(x float64) (float64, error) { return math.Round(x), nil }

func sqrtReal(x float64) (float64, error) {
	if x < 0 {
		return 0, fmt.Errorf("sqrt of a negative number (%v)", x)
	}
	return math.Sqrt(x), nil
}

func expReal(x float64) (float64, error) {
	r := math.Exp(x)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) {
		return 0, errRealRange
	}
	return r, nil
}

func lnReal(x float64) (float64, error) {
	if x <= 0 {
		return 0, fmt.Errorf("ln of %v: only positive numbers have a logarithm", x)
	}
	return math.Log(x), nil
}

func signReal(x float64) (float64, error) {
	switch {
	case x > 0:
		return 1, nil
	case x < 0:
		return -1, nil
	}
	return x, nil
}

func signInt(x int64) (int64, error) {
	switch {
	case x > 0:
		return 1, nil
	case x < 0:
		return -1, nil
	}
	return 0, nil
}

// toDigits is a kernel that applies f to a number and to how many decimals it is to have.
func toDigits(f func(x float64, digits int64) float64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			out.Reals[i] = f(args[0].Reals[int(i)*args[0].step()], args[1].Ints[int(i)*args[1].step()])
		}
		return nil
	}
}

// roundTo rounds half away from zero to so many decimals; negative ones round before the
// point.
func roundTo(x float64, digits int64) float64 {
	if x-x != 0 || digits > 300 {
		return x
	}
	if digits < -308 {
		return 0
	}
	if digits < 0 {
		p := math.Pow10(int(-digits))
		return float64(math.Round(x/p) * p)
	}
	p := math.Pow10(int(digits))
	r := math.Round(x * p)
	if r-r != 0 || math.Abs(r) >= 1<<53 {
		return x // already as exact as a real gets
	}
	return r / p
}
