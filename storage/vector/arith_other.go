//go:build !amd64

package vector

func add(dst, a, b []float32) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, x := range a {
		dst[i] = x + b[i]
	}
}

func sub(dst, a, b []float32) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, x := range a {
		dst[i] = x - b[i]
	}
}

func addTo(sum, x []float32) { add(sum, sum, x) }

func scale(dst, x []float32, factor float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = float32(v * factor)
	}
}
