//go:build !amd64

package simd

// Available and the others say that there is no assembly for this processor.
func Available() bool { return false }

func Across(dst []byte, planes *[3][]byte, first, w []int32, taps int) { panic("no assembly") }
func Down(dst, rows []byte, stride, n int, w []int32)                  { panic("no assembly") }
func Sums(dst []uint16, near, far []byte) int                          { return 0 }
func Spread(dst []byte, s []uint16, even, odd, shift int) int          { return 0 }
func ToRGB(r, g, b, y, cb, cr []byte) int                              { return 0 }
func Inverse(k *[64]int32, dst []byte, stride int) bool                { return false }

// EachLevel runs f once.
func EachLevel(f func(name string)) { f("portable Go") }
