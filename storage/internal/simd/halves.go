package simd

import (
	"encoding/binary"
	"math"
)

// Halves widens little-endian float16, finite ones, to float32. x has 2*len(y) bytes at any
// alignment.
func Halves(y []float32, x []byte) {
	x = x[:2*len(y)]
	n := 0
	if level != portable && len(y) >= Lanes {
		n = len(y) / Lanes
		halvesKernel(&x[0], n, &y[0])
	}
	halvesGo(y[n*Lanes:], x[2*n*Lanes:])
}

// halvesGo moves exponent and fraction to a float32's place, where they are 2^-112 of the
// number, subnormal ones included.
func halvesGo(y []float32, x []byte) {
	for i := range y {
		h := uint32(binary.LittleEndian.Uint16(x[2*i:]))
		f := float32(math.Float32frombits(h&0x7fff<<13) * 0x1p112)
		y[i] = math.Float32frombits(math.Float32bits(f) | h&0x8000<<16)
	}
}
