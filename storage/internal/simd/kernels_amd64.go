package simd

import "golang.org/x/sys/cpu"

// The sets of kernels, each with all before it.
const (
	avx2 = portable + 1 + iota // AVX2 and FMA
	vnni                       // AVX-512 F, BW, VL and VNNI
)

var levelNames = []string{"portable Go", "AVX2", "AVX-512 VNNI"}

// levelWishes are what LUPA_SIMD can ask for.
var levelWishes = map[string]int{"off": portable, "avx2": avx2}

func detect() int {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return portable
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512VNNI:
		return vnni
	}
	return avx2
}

// scanKernel scans n tiles, unless the level is portable.
func (t *Tiles) scanKernel(tiles []byte, stride, n int, out []int32, near bool) {
	l := &t.layout
	switch {
	case level >= vnni && near && n%2 == 0:
		planVNNI(&tiles[0], stride, n/2, &t.plan[0], &t.digits[0], &out[0])
	case level >= vnni:
		scanVNNI(&tiles[0], 4*l.Crumbs, 4*l.Nibbles, n, &t.table[0], &out[0])
	case near && n%2 == 0:
		planAVX2(&tiles[0], stride, n/2, &t.plan[0], &t.digits[0], &out[0])
	default:
		scanAVX2(&tiles[0], l.Crumbs, l.Nibbles, n, &t.table[0], &out[0])
	}
}

func (t *Rows) rowsKernel(plane []byte, rows []uint16, out []int32) {
	if level >= vnni {
		rowsVNNI(&plane[0], t.width, &rows[0], len(rows), &t.table[0], &out[0])
	} else {
		rowsAVX2(&plane[0], t.width, &rows[0], len(rows), &t.table[0], &out[0])
	}
}

func dotKernel(q *float64, x *byte, chunks int, tail *byte) float64 {
	return dotAVX2(q, x, chunks, tail)
}
func dotWideKernel(q *float64, x *byte, chunks int, tail *byte) float64 {
	return dotWideAVX2(q, x, chunks, tail)
}
func dotNormKernel(q *float64, x *byte, chunks int, tail *byte) (dot, norm float64) {
	return dotNormAVX2(q, x, chunks, tail)
}
func l2Kernel(q *float64, x *byte, chunks int, tail *byte) float64 { return l2AVX2(q, x, chunks, tail) }
func l1Kernel(q *float64, x *byte, chunks int, tail *byte) float64 { return l1AVX2(q, x, chunks, tail) }
func boundsKernel(dots *int32, stretch, ra, rb *byte, words int, p, ub *float32, mask *uint64) {
	boundsAVX2(dots, stretch, ra, rb, words, p, ub, mask)
}
func multiplyKernel(a, x *float32, n int, y *float32)            { multiplyAVX2(a, x, n, y) }
func quantizeKernel(y *float32, slots *byte, n int, out *uint32) { quantizeAVX2(y, slots, n, out) }
func sumSquaresKernel(y *float32, n int, out *float32)           { sumSquaresAVX2(y, n, out) }
func halvesKernel(x *byte, n int, y *float32)                    { halvesAVX2(x, n, y) }
func scaleRowsKernel(y *float32, n int, f *float32)              { scaleRowsAVX2(y, n, f) }
