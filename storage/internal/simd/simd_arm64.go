package simd

// The kernels of simd_arm64.s.

//go:noescape
func dotNEON(q *float64, x *byte, chunks int, tail *byte) float64

//go:noescape
func dotWideNEON(q *float64, x *byte, chunks int, tail *byte) float64

//go:noescape
func dotNormNEON(q *float64, x *byte, chunks int, tail *byte) (dot, norm float64)

//go:noescape
func l2NEON(q *float64, x *byte, chunks int, tail *byte) float64

//go:noescape
func l1NEON(q *float64, x *byte, chunks int, tail *byte) float64

//go:noescape
func scanNEON(codes *byte, crumbs, nibbles, tiles int, table *byte, out *int32)

//go:noescape
func scanDOT(codes *byte, crumbs, nibbles, tiles int, table *byte, out *int32)

//go:noescape
func planDOT(codes *byte, stride, pairs int, plan *int64, digits *byte, out *int32)

//go:noescape
func rowsNEON(plane *byte, width int, rows *uint16, n int, table *byte, out *int32)

//go:noescape
func rowsDOT(plane *byte, width int, rows *uint16, n int, table *byte, out *int32)

//go:noescape
func boundsNEON(dots *int32, stretch, ra, rb *byte, words int, p, ub *float32, mask *uint64)

//go:noescape
func multiplyNEON(a, x *float32, n int, y *float32)

//go:noescape
func quantizeNEON(y *float32, slots *byte, n int, out *uint32)

//go:noescape
func sumSquaresNEON(y *float32, n int, out *float32)

//go:noescape
func scaleRowsNEON(y *float32, n int, f *float32)

//go:noescape
func halvesNEON(x *byte, n int, y *float32)
