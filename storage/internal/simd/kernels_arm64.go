package simd

import "golang.org/x/sys/cpu"

// The sets of kernels, each with all before it.
const (
	neon    = portable + 1 + iota // Advanced SIMD, which every arm64 processor has
	dotprod                       // and its dot product extension
)

var levelNames = []string{"portable Go", "NEON", "NEON with dot product"}

// levelWishes are what LUPA_SIMD can ask for.
var levelWishes = map[string]int{"off": portable, "neon": neon}

// detect asks package cpu, which has it from the kernel's auxiliary vector or identification
// registers on Linux and the BSDs, and from sysctl on Darwin.
func detect() int {
	if cpu.ARM64.HasASIMDDP {
		return dotprod
	}
	return neon
}

// scanKernel scans n tiles, unless the level is portable. The plan is worth it wherever the
// tiles come from: products take longer than memory, and it fetches ahead.
func (t *Tiles) scanKernel(tiles []byte, stride, n int, out []int32, near bool) {
	l := &t.layout
	switch {
	case level >= dotprod && n%2 == 0:
		planDOT(&tiles[0], stride, n/2, &t.plan[0], &t.digits[0], &out[0])
	case level >= dotprod:
		scanDOT(&tiles[0], 4*l.Crumbs, 4*l.Nibbles, n, &t.table[0], &out[0])
	default:
		scanNEON(&tiles[0], l.Crumbs, l.Nibbles, n, &t.table[0], &out[0])
	}
}

func (t *Rows) rowsKernel(plane []byte, rows []uint16, out []int32) {
	if level >= dotprod {
		rowsDOT(&plane[0], t.width, &rows[0], len(rows), &t.table[0], &out[0])
	} else {
		rowsNEON(&plane[0], t.width, &rows[0], len(rows), &t.table[0], &out[0])
	}
}

func dotKernel(q *float64, x *byte, chunks int, tail *byte) float64 {
	return dotNEON(q, x, chunks, tail)
}
func dotWideKernel(q *float64, x *byte, chunks int, tail *byte) float64 {
	return dotWideNEON(q, x, chunks, tail)
}
func dotNormKernel(q *float64, x *byte, chunks int, tail *byte) (dot, norm float64) {
	return dotNormNEON(q, x, chunks, tail)
}
func l2Kernel(q *float64, x *byte, chunks int, tail *byte) float64 { return l2NEON(q, x, chunks, tail) }
func l1Kernel(q *float64, x *byte, chunks int, tail *byte) float64 { return l1NEON(q, x, chunks, tail) }
func boundsKernel(dots *int32, stretch, ra, rb *byte, words int, p, ub *float32, mask *uint64) {
	boundsNEON(dots, stretch, ra, rb, words, p, ub, mask)
}
func multiplyKernel(a, x *float32, n int, y *float32)            { multiplyNEON(a, x, n, y) }
func quantizeKernel(y *float32, slots *byte, n int, out *uint32) { quantizeNEON(y, slots, n, out) }
func sumSquaresKernel(y *float32, n int, out *float32)           { sumSquaresNEON(y, n, out) }
func halvesKernel(x *byte, n int, y *float32)                    { halvesNEON(x, n, y) }
func scaleRowsKernel(y *float32, n int, f *float32)              { scaleRowsNEON(y, n, f) }
