package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func floats(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func widen(v []float32) []float64 {
	w := make([]float64, Pad(len(v)))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// Every set of kernels gives the bits of portable Go.
func TestFloats(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 1; n < 200; n++ {
		compareFloats(t, floats(rng, n), floats(rng, n), n%7)
	}
	for _, n := range []int{511, 512, 513, 1536, 8191, 8192} {
		compareFloats(t, floats(rng, n), floats(rng, n), n%5)
	}
}

func compareFloats(t *testing.T, a, b []float32, offset int) {
	t.Helper()
	q := widen(a)
	bytes := make([]byte, offset, offset+4*len(b))
	for _, x := range b {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(x))
	}
	bytes = bytes[offset:]
	dot, norm := dotNormGo(q, b)
	want := []float64{dotGo(q, b), dot, norm, l2Go(q, b), l1Go(q, b)}
	EachLevel(func(name string) {
		d1, n1 := DotNorm(q, b)
		d2, n2 := DotNormBytes(q, bytes)
		for _, got := range [][]float64{
			{Dot(q, b), d1, n1, L2(q, b), L1(q, b)},
			{DotBytes(q, bytes), d2, n2, L2Bytes(q, bytes), L1Bytes(q, bytes)},
		} {
			for i := range want {
				if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
					t.Fatalf("%s, %d elements, sum %d: %v, want %v", name, len(a), i, got[i], want[i])
				}
			}
		}
	})
}

// The products of DotWide are rounded, whatever the set of kernels.
func TestDotWide(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for _, n := range []int{1, 15, 16, 17, 100, 512, 513} {
		x, q := floats(rng, n), make([]float64, Pad(n))
		for i := range x {
			q[i] = rng.NormFloat64()
		}
		var a lanes
		for i, v := range x {
			a[i%Lanes] += float64(q[i] * float64(v))
		}
		want := a.reduce()
		EachLevel(func(name string) {
			if got := DotWide(q, x); got != want {
				t.Fatalf("%s, %d elements: %v, want %v", name, n, got, want)
			}
		})
	}
}

func FuzzFloats(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 1, 0, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, offset uint8) {
		var a, b []float32
		for ; len(data) >= 8; data = data[8:] {
			x := math.Float32frombits(binary.LittleEndian.Uint32(data))
			y := math.Float32frombits(binary.LittleEndian.Uint32(data[4:]))
			if x-x != 0 || y-y != 0 {
				return
			}
			a, b = append(a, x), append(b, y)
		}
		if len(a) > 0 {
			compareFloats(t, a, b, int(offset%8))
		}
	})
}

func TestCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, width := range slices.Repeat([]int{32, 64, 96, 128, 512}, 6) {
		codes := make([]byte, 128*width+1)[1:] // off alignment
		for i := range codes {
			codes[i] = byte(rng.Uint32())
		}
		compareCodes(t, rng, width, codes)
		for i := range codes {
			codes[i] = 255 // the largest sums
		}
		compareCodes(t, rng, width, codes)
	}
}

// compareCodes checks all kernels against the definition: the sum of weight times
// code.
func compareCodes(t *testing.T, rng *rand.Rand, width int, codes []byte) {
	t.Helper()
	const rows = 128
	kind := rng.IntN(3)
	layout := Layout{Crumbs: rng.IntN(width/16 + 1)}
	layout.Nibbles = width/16 - layout.Crumbs
	weights := make([]int32, 4*width)
	for i := range weights {
		weights[i] = rng.Int32N(2*MaxWeight+1) - MaxWeight
		if kind == 0 {
			weights[i] = MaxWeight * (1 - 2*int32(rng.IntN(2)&rng.IntN(2)))
		}
	}
	if kind == 1 { // one digit is enough for most
		for g := 0; g < len(weights); g += GroupSlots {
			if most := rng.IntN(1200); rng.IntN(5) > 0 {
				unit := Unit(float64(most))
				for i := range weights[g : g+GroupSlots] {
					weights[g+i] = int32(rng.IntN(2*most+1)-most) / unit * unit
				}
			}
		}
	}
	tiles, single := NewTiles(weights, layout), NewRows(weights)
	tiled, plain := make([]int32, rows), make([]int32, rows)
	var list []uint16
	for r := range rows {
		for s, w := range weights {
			plain[r] += w * int32(codes[r*width+s/4]>>(2*(s%4))&3)
			if layout.Nibble(s) { // the first slot counts four times the second
				w = weights[s|1] << (2 * (1 - s%2))
			}
			at := layout.Position(s)
			tiled[r] += w * int32(codes[r/16*16*width+at/16*64+r%16*4+at/4%4]>>(2*(at%4))&3)
		}
		list = append(list, uint16(rows-1-r))
	}
	ra, rb, stretch := codes[:rows], codes[rows:2*rows], codes[2*rows:3*rows]
	b := Bound{Base: -0.3, Scale: 1e-8, A: 0.001, B: 0.002, Cut: 0.3, Offset: 0.01}
	EachLevel(func(name string) {
		out := make([]int32, rows)
		tiles.Scan(codes, out, false)
		for _, n := range []int{rows, rows - TileRows} {
			near := make([]int32, n)
			if tiles.Scan(codes, near, true); !slices.Equal(near, out[:n]) {
				t.Fatalf("%s, width %d, %+v: other sums of %d rows nearby", name, width, layout, n)
			}
		}
		for r := range out {
			if out[r] != tiled[r] {
				t.Fatalf("%s, width %d, %+v: tiled row %d is %d, want %d", name, width, layout, r, out[r], tiled[r])
			}
		}
		ub, mask := make([]float32, rows), make([]uint64, rows/64)
		b.Apply(out, stretch, ra, rb, ub, mask)
		for r := range ub {
			if want := b.At(out[r], stretch[r], ra[r], rb[r]); ub[r] != want || mask[r/64]>>(r%64)&1 == 1 != (want >= b.Cut) {
				t.Fatalf("%s: bound of row %d is %v, want %v", name, r, ub[r], want)
			}
		}
		single.Sums(codes, list, out)
		for i, r := range list {
			if out[i] != plain[r] {
				t.Fatalf("%s, width %d: row %d is %d, want %d", name, width, r, out[i], plain[r])
			}
		}
	})
}

// FuzzCodes compares the kernels on codes and weights of any value.
func FuzzCodes(f *testing.F) {
	f.Add(uint64(1), uint8(1), []byte{255, 0, 3})
	f.Fuzz(func(t *testing.T, seed uint64, width uint8, data []byte) {
		w := (int(width)%8 + 1) * WidthStep
		codes := make([]byte, 128*w)
		for i := range codes {
			if len(data) > 0 {
				codes[i] = data[i%len(data)]
			}
		}
		compareCodes(t, rand.New(rand.NewPCG(seed, 1)), w, codes)
	})
}

func TestMultiply(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, dim := range [][2]int{{1, 1}, {6, 16}, {13, 100}, {50, 300}} {
		rows, cols := dim[0], dim[1]
		const tiles = 2
		a, x := floats(rng, rows*cols), floats(rng, tiles*TileRows*cols)
		m := NewMatrix(rows, cols, a)
		var first []float32
		EachLevel(func(name string) {
			y := make([]float32, tiles*m.PaddedRows()*TileRows)
			m.Multiply(x, y, tiles)
			if first == nil {
				first = y
			} else if !slices.Equal(first, y) {
				t.Fatalf("%s, %d by %d: the product has other bits", name, rows, cols)
			}
			for tile := range tiles {
				for r := range TileRows {
					for i := range rows {
						var want, abs float64
						for j := range cols {
							p := float64(a[i*cols+j]) * float64(x[(tile*cols+j)*TileRows+r])
							want += p
							abs += math.Abs(p)
						}
						got := float64(y[(tile*m.PaddedRows()+i)*TileRows+r])
						if math.Abs(got-want) > abs*MultiplyError(cols) {
							t.Fatalf("%s: element %d of vector %d is %v, want %v", name, i, tile*TileRows+r, got, want)
						}
					}
				}
			}
		})
	}
}

func TestQuantize(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	const dims = 20
	y := floats(rng, dims*TileRows)
	slots := make([]Slot, 2*GroupSlots)
	for i := range slots {
		step := float32(1.2)
		if i >= dims {
			step = 0.3
		}
		if i == 7 {
			y[(i%dims)*TileRows+3], y[(i%dims)*TileRows+4] = 1e15, -1e15 // far out
			y[(i%dims)*TileRows+5], y[(i%dims)*TileRows+6] = 1e7, 0
		}
		slots[i] = Slot{Dim: uint32(i % dims), Shift: uint32(2 * (i % GroupSlots)), Low: -1.5 * step, Step: step, Inv: 1 / step}
	}
	want, code := append([]float32{}, y...), make([]uint32, 2*TileRows)
	quantizeGo(want, slots, code)
	EachLevel(func(name string) {
		got, out := append([]float32{}, y...), make([]uint32, 2*TileRows)
		Quantize(got, slots, out)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: residual %d is %v, want %v", name, i, got[i], want[i])
			}
		}
		for i := range out {
			if out[i] != code[i] {
				t.Fatalf("%s: word %d is %x, want %x", name, i, out[i], code[i])
			}
		}
		var factors, sums [TileRows]float32
		for r := range factors {
			factors[r] = float32(r) / 7
		}
		ScaleRows(got, &factors)
		for i, v := range got {
			if v != want[i]*factors[i%TileRows] {
				t.Fatalf("%s: element %d is scaled to %v", name, i, v)
			}
		}
		SumSquares(y, &sums)
		for r, s := range sums {
			var exact float64
			var rounded float32
			for i := r; i < len(y); i += TileRows {
				rounded += float32(y[i] * y[i])
			}
			if s != rounded {
				t.Fatalf("%s: sum %d is %v, rounded each time %v", name, r, s, rounded)
			}
			for i := r; i < len(y); i += TileRows {
				exact += float64(y[i]) * float64(y[i])
			}
			if math.Abs(float64(s)-exact) > exact*(dims+1)*0x1p-24 {
				t.Fatalf("%s: sum %d is %v, want %v", name, r, s, exact)
			}
		}
	})
}

// Codes of stretches ascend, and the nearest is found.
func TestStretch(t *testing.T) {
	for c := range 256 {
		x := float64(Stretch(byte(c)))
		if got := StretchCode(x); int(got) != c {
			t.Fatalf("code of %v is %d, want %d", x, got, c)
		}
		if c == 0 {
			continue
		}
		below := float64(Stretch(byte(c - 1)))
		if ratio := x / below; ratio <= 1 || ratio > 1+1.0/64 {
			t.Fatalf("%v after %v", x, below)
		}
		if got := StretchCode(below + 0.6*(x-below)); int(got) != c {
			t.Fatalf("code between %v and %v is %d", below, x, got)
		}
	}
	for x, want := range map[float64]byte{0: 0, 1e-300: 0, 1e300: 255, math.Inf(1): 255, math.NaN(): 0} {
		if got := StretchCode(x); got != want {
			t.Fatalf("code of %v is %d, want %d", x, got, want)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	const rows, width = 1024, 128
	codes := make([]byte, rows*width)
	weights := make([]int32, 4*width)
	out := make([]int32, rows)
	for name, layout := range map[string]Layout{"crumbs": {Crumbs: 8}, "nibbles": {Nibbles: 8}} {
		tiles := NewTiles(weights, layout)
		EachLevel(func(level string) {
			for _, near := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%s/near=%v", name, level, near), func(b *testing.B) {
					b.SetBytes(rows * width)
					for b.Loop() {
						tiles.Scan(codes, out, near)
					}
				})
			}
		})
	}
}

func BenchmarkDotNorm(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 1))
	q, x := widen(floats(rng, 512)), floats(rng, 512)
	EachLevel(func(name string) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(2048)
			for b.Loop() {
				DotNorm(q, x)
			}
		})
	})
}

func BenchmarkMultiply(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 1))
	m := NewMatrix(512, 512, floats(rng, 512*512))
	x, y := floats(rng, 4*16*512), make([]float32, 4*16*m.PaddedRows())
	b.SetBytes(64 * 512 * 512) // multiply-adds
	for b.Loop() {
		m.Multiply(x, y, 4)
	}
}
