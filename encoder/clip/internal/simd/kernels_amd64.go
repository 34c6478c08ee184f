package simd

import (
	"os"

	"golang.org/x/sys/cpu"
)

// available is whether there is assembly for this processor; LUPA_SIMD=off in the
// environment leaves it alone.
var available = cpu.X86.HasAVX2 && os.Getenv("LUPA_SIMD") != "off"

// Available reports whether Across and Down may be called.
func Available() bool { return available }

// Across resizes a row: pixel i of dst, 3 bytes each, is made of the samples of each plane
// from first[i] on times the weights w[i*taps] to w[i*taps+taps-1], which have 22 bits of
// fraction. taps is a multiple of 8 and not 0; planes reach taps beyond every first, and dst
// has a byte more, which is overwritten.
func Across(dst []byte, planes *[3][]byte, first, w []int32, taps int) {
	n := len(first)
	if n == 0 {
		return
	}
	_, _ = dst[3*n], w[n*taps-1]
	acrossAVX2(&dst[0], &planes[0][0], &planes[1][0], &planes[2][0], &first[0], &w[0], taps/8, n)
}

// Down adds up rows, each stride behind the one before, times their weights. dst and the last
// row have 31 bytes more than n; those of dst are overwritten.
func Down(dst, rows []byte, stride, n int, w []int32) {
	_, _ = dst[n+30], rows[stride*(len(w)-1)+n+30]
	downAVX2(&dst[0], &rows[0], stride, &w[0], len(w), (n+31)/32)
}

// Sums writes 3*near + far and returns for how many samples.
func Sums(dst []uint16, near, far []byte) int {
	n := len(dst) / 16 * 16
	if !available || n == 0 {
		return 0
	}
	_, _ = near[n-1], far[n-1]
	sumsAVX2(&dst[0], &near[0], &far[0], n/16)
	return n
}

// Spread writes two bytes for each value of s but the first and the last: three times it and
// the one before, and the one behind, with even and odd added, shifted to the right. It
// returns for how many values.
func Spread(dst []byte, s []uint16, even, odd, shift int) int {
	n := (len(s) - 2) / 16 * 16
	if !available || n <= 0 {
		return 0
	}
	_ = dst[2*n-1]
	spreadAVX2(&dst[0], &s[0], even, odd, shift, n/16)
	return n
}

// ToRGB converts pixels as JPEG files have them and returns how many.
func ToRGB(r, g, b, y, cb, cr []byte) int {
	n := len(y) / 16 * 16
	if !available || n == 0 {
		return 0
	}
	_, _, _, _, _ = r[n-1], g[n-1], b[n-1], cb[n-1], cr[n-1]
	toRGBAVX2(&r[0], &g[0], &b[0], &y[0], &cb[0], &cr[0], n/16)
	return n
}

// Inverse writes the 8 x 8 samples of a block of coefficients, unless there is no assembly.
func Inverse(k *[64]int32, dst []byte, stride int) bool {
	if available {
		_ = dst[7*stride+7]
		inverseAVX2(&k[0], &dst[0], stride)
	}
	return available
}

// EachLevel runs f with assembly, where there is some, and without. It is for tests, and not
// to be called while anything else uses this package.
func EachLevel(f func(name string)) {
	defer func(was bool) { available = was }(available)
	if available {
		f("AVX2")
	}
	available = false
	f("portable Go")
}
