//go:build !amd64 && !arm64

package simd

var levelNames, levelWishes = []string{"portable Go"}, map[string]int{}

func detect() int { return portable }

// These are never called: the level stays portable.

func (t *Tiles) scanKernel(tiles []byte, stride, n int, out []int32, near bool) { panic("no kernels") }
func (t *Rows) rowsKernel(plane []byte, rows []uint16, out []int32)             { panic("no kernels") }

func dotKernel(q *float64, x *byte, chunks int, tail *byte) float64     { panic("no kernels") }
func dotWideKernel(q *float64, x *byte, chunks int, tail *byte) float64 { panic("no kernels") }
func dotNormKernel(q *float64, x *byte, chunks int, tail *byte) (dot, norm float64) {
	panic("no kernels")
}
func l2Kernel(q *float64, x *byte, chunks int, tail *byte) float64 { panic("no kernels") }
func l1Kernel(q *float64, x *byte, chunks int, tail *byte) float64 { panic("no kernels") }
func boundsKernel(dots *int32, stretch, ra, rb *byte, words int, p, ub *float32, mask *uint64) {
	panic("no kernels")
}
func multiplyKernel(a, x *float32, n int, y *float32)            { panic("no kernels") }
func quantizeKernel(y *float32, slots *byte, n int, out *uint32) { panic("no kernels") }
func sumSquaresKernel(y *float32, n int, out *float32)           { panic("no kernels") }
func halvesKernel(x *byte, n int, y *float32)                    { panic("no kernels") }
func scaleRowsKernel(y *float32, n int, f *float32)              { panic("no kernels") }
