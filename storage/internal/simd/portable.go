// Package simd holds the inner loops of vector search, in assembly for amd64
// and in portable Go for the rest, with equal results to the last bit.
//
// # Summation order
//
// Sums over a vector are carried in Lanes accumulators of float64: element i
// goes to accumulator i mod Lanes, in order of i. At the end accumulator j is
// added to j+8, then the sums j to j+4, j+2 and j+1 (see reduce). The product
// of two float32 has 48 significant bits and is exact in float64, so it does not
// matter whether a fused multiply-add is used in a dot product. The squares of
// differences in L2 are not exact: they are rounded before they are added,
// in assembly too.
//
// An accumulator starts as +0 and x + (-x) = +0, so none ever becomes -0, and
// padding with zeros changes no bit.
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

func (a *lanes) dot(q []float64, x []float32) {
	for len(x) >= Lanes {
		q0, x0 := q[:Lanes:Lanes], x[:Lanes:Lanes]
		for j := range a {
			a[j] += float64(q0[j] * float64(x0[j]))
		}
		q, x = q[Lanes:], x[Lanes:]
	}
	for j, v := range x {
		a[j] += float64(q[j] * float64(v))
	}
}

func (a *lanes) norm(x []float32) {
	for len(x) >= Lanes {
		x0 := x[:Lanes:Lanes]
		for j := range a {
			a[j] += float64(float64(x0[j]) * float64(x0[j]))
		}
		x = x[Lanes:]
	}
	for j, v := range x {
		a[j] += float64(float64(v) * float64(v))
	}
}

func (a *lanes) l2(q []float64, x []float32) {
	for len(x) > 0 {
		n := min(Lanes, len(x))
		for j, v := range x[:n] {
			d := q[j] - float64(v)
			a[j] += float64(d * d) // the conversion forbids fusing
		}
		q, x = q[n:], x[n:]
	}
}

func (a *lanes) l1(q []float64, x []float32) {
	for len(x) > 0 {
		n := min(Lanes, len(x))
		for j, v := range x[:n] {
			a[j] += math.Abs(q[j] - float64(v))
		}
		q, x = q[n:], x[n:]
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
		for i := range buf[:n] {
			buf[i] = math.Float32frombits(binary.LittleEndian.Uint32(x[4*i:]))
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
