//go:build !amd64

package simd

// These are never called: the level stays portable.

func detect() int { return portable }

func slotBytes(s []Slot) *byte     { panic("no kernels") }
func floatBytes(x []float32) *byte { panic("no kernels") }

func dotAVX2(q *float64, x *byte, chunks int, tail *byte) float64     { panic("no kernels") }
func dotWideAVX2(q *float64, x *byte, chunks int, tail *byte) float64 { panic("no kernels") }
func dotNormAVX2(q *float64, x *byte, chunks int, tail *byte) (dot, norm float64) {
	panic("no kernels")
}
func l2AVX2(q *float64, x *byte, chunks int, tail *byte) float64 { panic("no kernels") }
func l1AVX2(q *float64, x *byte, chunks int, tail *byte) float64 { panic("no kernels") }
func scanAVX2(codes *byte, crumbs, nibbles, tiles int, table *byte, out *int32) {
	panic("no kernels")
}
func scanVNNI(codes *byte, crumbs, nibbles, tiles int, table *byte, out *int32) {
	panic("no kernels")
}

func planVNNI(codes *byte, stride, pairs int, plan *int64, table *byte, out *int32) {
	panic("no kernels")
}
func rowsAVX2(plane *byte, width int, rows *uint16, n int, table *byte, out *int32) {
	panic("no kernels")
}
func rowsVNNI(plane *byte, width int, rows *uint16, n int, table *byte, out *int32) {
	panic("no kernels")
}
func boundsAVX2(dots *int32, stretch *byte, ra *byte, rb *byte, words int, p *float32, ub *float32, mask *uint64) {
	panic("no kernels")
}
func multiplyAVX2(a *float32, x *float32, n int, y *float32)   { panic("no kernels") }
func quantizeAVX2(y *float32, slots *byte, n int, out *uint32) { panic("no kernels") }
func sumSquaresAVX2(y *float32, n int, out *float32)           { panic("no kernels") }
func scaleRowsAVX2(y *float32, n int, f *float32)              { panic("no kernels") }
