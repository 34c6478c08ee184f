package simd

import (
	"encoding/binary"
	"math"
)

// Lanes is the number of partial sums.
const Lanes = 16

// Pad rounds n up to a multiple of Lanes.
func Pad(n int) int { return (n + Lanes - 1) &^ (Lanes - 1) }

type lanes [Lanes]float64

func (a *lanes) reduce() float64 {
	for step := Lanes / 2; step > 0; step /= 2 {
		for j := 0; j < step; j++ {
			a[j] += a[j+step]
		}
	}
	return a[0]
}

// The sums of eight lanes fit the registers of most processors, of 16 they don't: so the
// methods below take two passes over the chunks, and then the elements after the last.

func (a *lanes) dot(q []float64, x []float32) {
	for half := 0; half < Lanes; half += Lanes / 2 {
		s := (*[Lanes / 2]float64)(a[half:])
		a0, a1, a2, a3, a4, a5, a6, a7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		for q, x := q, x; len(x) >= Lanes && len(q) >= Lanes; q, x = q[Lanes:], x[Lanes:] {
			q, x := (*[Lanes / 2]float64)(q[half:]), (*[Lanes / 2]float32)(x[half:])
			a0 += float64(q[0] * float64(x[0]))
			a1 += float64(q[1] * float64(x[1]))
			a2 += float64(q[2] * float64(x[2]))
			a3 += float64(q[3] * float64(x[3]))
			a4 += float64(q[4] * float64(x[4]))
			a5 += float64(q[5] * float64(x[5]))
			a6 += float64(q[6] * float64(x[6]))
			a7 += float64(q[7] * float64(x[7]))
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a0, a1, a2, a3, a4, a5, a6, a7
	}
	done := len(x) &^ (Lanes - 1)
	q, x = q[done:], x[done:]
	for j, v := range x {
		a[j] += float64(q[j] * float64(v))
	}
}

func (a *lanes) norm(x []float32) {
	for half := 0; half < Lanes; half += Lanes / 2 {
		s := (*[Lanes / 2]float64)(a[half:])
		a0, a1, a2, a3, a4, a5, a6, a7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		for x := x; len(x) >= Lanes; x = x[Lanes:] {
			x := (*[Lanes / 2]float32)(x[half:])
			a0 += float64(float64(x[0]) * float64(x[0]))
			a1 += float64(float64(x[1]) * float64(x[1]))
			a2 += float64(float64(x[2]) * float64(x[2]))
			a3 += float64(float64(x[3]) * float64(x[3]))
			a4 += float64(float64(x[4]) * float64(x[4]))
			a5 += float64(float64(x[5]) * float64(x[5]))
			a6 += float64(float64(x[6]) * float64(x[6]))
			a7 += float64(float64(x[7]) * float64(x[7]))
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a0, a1, a2, a3, a4, a5, a6, a7
	}
	for j, v := range x[len(x)&^(Lanes-1):] {
		a[j] += float64(float64(v) * float64(v))
	}
}

func (a *lanes) l2(q []float64, x []float32) {
	for half := 0; half < Lanes; half += Lanes / 2 {
		s := (*[Lanes / 2]float64)(a[half:])
		a0, a1, a2, a3, a4, a5, a6, a7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		for q, x := q, x; len(x) >= Lanes && len(q) >= Lanes; q, x = q[Lanes:], x[Lanes:] {
			q, x := (*[Lanes / 2]float64)(q[half:]), (*[Lanes / 2]float32)(x[half:])
			a0 += square(q[0] - float64(x[0]))
			a1 += square(q[1] - float64(x[1]))
			a2 += square(q[2] - float64(x[2]))
			a3 += square(q[3] - float64(x[3]))
			a4 += square(q[4] - float64(x[4]))
			a5 += square(q[5] - float64(x[5]))
			a6 += square(q[6] - float64(x[6]))
			a7 += square(q[7] - float64(x[7]))
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a0, a1, a2, a3, a4, a5, a6, a7
	}
	done := len(x) &^ (Lanes - 1)
	q, x = q[done:], x[done:]
	for j, v := range x {
		a[j] += square(q[j] - float64(v))
	}
}

// square is rounded before anything is added to it.
func square(d float64) float64 { return float64(d * d) }

func (a *lanes) l1(q []float64, x []float32) {
	for half := 0; half < Lanes; half += Lanes / 2 {
		s := (*[Lanes / 2]float64)(a[half:])
		a0, a1, a2, a3, a4, a5, a6, a7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		for q, x := q, x; len(x) >= Lanes && len(q) >= Lanes; q, x = q[Lanes:], x[Lanes:] {
			q, x := (*[Lanes / 2]float64)(q[half:]), (*[Lanes / 2]float32)(x[half:])
			a0 += math.Abs(q[0] - float64(x[0]))
			a1 += math.Abs(q[1] - float64(x[1]))
			a2 += math.Abs(q[2] - float64(x[2]))
			a3 += math.Abs(q[3] - float64(x[3]))
			a4 += math.Abs(q[4] - float64(x[4]))
			a5 += math.Abs(q[5] - float64(x[5]))
			a6 += math.Abs(q[6] - float64(x[6]))
			a7 += math.Abs(q[7] - float64(x[7]))
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a0, a1, a2, a3, a4, a5, a6, a7
	}
	done := len(x) &^ (Lanes - 1)
	q, x = q[done:], x[done:]
	for j, v := range x {
		a[j] += math.Abs(q[j] - float64(v))
	}
}

func dotGo(q []float64, x []float32) float64 {
	var a lanes
	a.dot(q, x)
	return a.reduce()
}

func dotNormGo(q []float64, x []float32) (dot, norm float64) {
	var a, b lanes
	a.dot(q, x)
	b.norm(x)
	return a.reduce(), b.reduce()
}

func l2Go(q []float64, x []float32) float64 {
	var a lanes
	a.l2(q, x)
	return a.reduce()
}

func l1Go(q []float64, x []float32) float64 {
	var a lanes
	a.l1(q, x)
	return a.reduce()
}

// chunks decodes x piecewise, in multiples of Lanes elements, and calls f with
// each piece and the part of q that belongs to it.
func chunks(q []float64, x []byte, f func(q []float64, x []float32)) {
	var buf [256]float32
	for len(x) > 0 {
		n := min(len(buf), len(x)/4)
		b := x[:4*n]
		for i := range buf[:n] {
			if len(b) < 4 {
				break // tells the compiler what is true
			}
			buf[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			b = b[4:]
		}
		f(q, buf[:n])
		if len(q) > n {
			q = q[n:]
		}
		x = x[4*n:]
	}
}

func dotBytesGo(q []float64, x []byte) float64 {
	var a lanes
	chunks(q, x, a.dot)
	return a.reduce()
}

func dotNormBytesGo(q []float64, x []byte) (dot, norm float64) {
	var a, b lanes
	chunks(q, x, func(q []float64, x []float32) {
		a.dot(q, x)
		b.norm(x)
	})
	return a.reduce(), b.reduce()
}

func l2BytesGo(q []float64, x []byte) float64 {
	var a lanes
	chunks(q, x, a.l2)
	return a.reduce()
}

func l1BytesGo(q []float64, x []byte) float64 {
	var a lanes
	chunks(q, x, a.l1)
	return a.reduce()
}
