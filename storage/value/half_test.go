package value

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Every float16 is converted exactly and comes back; NaNs stay NaNs.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		f := HalfToFloat(uint16(h))
		sign, exponent, fraction := 1.0, h>>10&31, float64(h&0x3ff)
		if h>>15 == 1 {
			sign = -1
		}
		want := 0.0
		switch exponent {
		case 0:
			want = math.Ldexp(sign*fraction, -24)
		case 31:
			want = math.Inf(int(sign))
			if fraction != 0 {
				want = math.NaN()
			}
		default:
			want = math.Ldexp(sign*(1024+fraction), exponent-25)
		}
		if want != want {
			if f == f || HalfToFloat(FloatToHalf(f)) == HalfToFloat(FloatToHalf(f)) {
				t.Errorf("%#x: %v is not NaN", h, f)
			}
			continue
		}
		if float64(f) != want || math.Signbit(float64(f)) != math.Signbit(want) && h&0x7fff == 0 && h>>15 == 0 {
			t.Fatalf("%#x: %v, want %v", h, f, want)
		}
		if back := FloatToHalf(f); back != uint16(h) {
			t.Fatalf("%#x: %v became %#x", h, f, back)
		}
	}
}

// Rounding is to the nearest, the even one of two: the oracle looks at both neighbours
// with exact numbers.
func TestRoundHalf(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	exact := func(f float32) *big.Rat {
		r, _ := new(big.Rat).SetString(big.NewFloat(float64(f)).Text('f', 200))
		return r
	}
	check := func(f float32) {
		t.Helper()
		h := FloatToHalf(f)
		got := HalfToFloat(h)
		one := []float32{f}
		bad := RoundHalf(one, one)
		if math.Abs(float64(f)) >= 65520 {
			if bad != 0 || h&0x7fff != 0x7c00 || CheckHalf([]float32{f}) == nil {
				t.Fatalf("%v: %#x, %d", f, h, bad)
			}
			return
		}
		if bad != -1 || math.Float32bits(one[0]) != math.Float32bits(got) || CheckHalf([]float32{f}) != nil {
			t.Fatalf("%v: %v and %v, %d", f, got, one[0], bad)
		}
		distance := func(x float32) *big.Rat {
			d := new(big.Rat).Sub(exact(x), exact(f))
			return d.Abs(d)
		}
		for _, other := range []uint16{h - 1, h + 1} {
			if other&0x7fff >= 0x7c00 || h&0x7fff == 0 && other&0x7fff == 0x7fff {
				continue
			}
			c := distance(HalfToFloat(other)).Cmp(distance(got))
			if c < 0 || c == 0 && h&1 == 1 {
				t.Fatalf("%v: %v, but %v is as near", f, got, HalfToFloat(other))
			}
		}
	}
	for range 20_000 {
		check(math.Float32frombits(rng.Uint32()&0x80000000 | uint32(90+rng.IntN(54))<<23 | rng.Uint32()&0x7fffff))
		h := uint16(rng.UintN(0x7c00))
		if next := HalfToFloat(h + 1); next-next == 0 {
			check(HalfToFloat(h) + (next-HalfToFloat(h))/2)
		}
	}
	for _, f := range []float32{0, float32(math.Copysign(0, -1)), 65504, 65519.996, 65520, -65520, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-26, 0x1p-14, math.MaxFloat32, math.SmallestNonzeroFloat32} {
		check(f)
	}
	many := []float32{1, 7e4, 2, 7e5}
	if bad := RoundHalf(many, many); bad != 1 {
		t.Errorf("first one out of range: %d", bad)
	}
}
