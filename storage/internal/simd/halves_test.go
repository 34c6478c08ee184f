package simd

import (
	"encoding/binary"
	"math"
	"testing"
)

// Every finite float16 comes out exactly, at every level, length and alignment.
func TestHalves(t *testing.T) {
	var all []byte
	var want []float32
	for h := range 1 << 16 {
		exponent, fraction := h>>10&31, float64(h&0x3ff)
		f := math.Ldexp(fraction, -24)
		switch {
		case exponent == 31:
			continue
		case exponent > 0:
			f = math.Ldexp(1024+fraction, exponent-25)
		}
		all = binary.LittleEndian.AppendUint16(all, uint16(h))
		want = append(want, float32(math.Copysign(f, 1-float64(h>>15)*2)))
	}
	EachLevel(func(name string) {
		y := make([]float32, len(want)+1)
		for _, n := range []int{0, 1, 3, 15, 16, 17, 31, 32, 33, 100, len(want)} {
			for offset := range 2 {
				from := (n * 7919) % (len(want) - n + 1)
				x := append(make([]byte, offset), all[2*from:2*(from+n)]...)
				y[n] = 7
				Halves(y[:n], x[offset:])
				for i := range n {
					if math.Float32bits(y[i]) != math.Float32bits(want[from+i]) {
						t.Fatalf("%s, %d numbers: %#x is %v, want %v", name, n, binary.LittleEndian.Uint16(x[offset+2*i:]), y[i], want[from+i])
					}
				}
				if y[n] != 7 {
					t.Fatalf("%s, %d numbers: one too many", name, n)
				}
			}
		}
	})
}

func BenchmarkHalves(b *testing.B) {
	x, y := make([]byte, 1024), make([]float32, 512)
	b.SetBytes(1024)
	for b.Loop() {
		Halves(y, x)
	}
}
