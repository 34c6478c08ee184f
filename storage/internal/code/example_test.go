package code_test

import (
	"fmt"
	"math"
)

// Example computes the bounds of the four-dimensional example in the package's comment.
func Example() {
	x := []float64{0.8, 0.4, 0.4, 0.2}
	mu := []float64{0.5, 0.3, 0.3, 0.3}
	q := []float64{0.7, 0.5, 0.5, -0.1} // A is the identity, so p is q and rho is 0

	// The values that the codes of a dimension can stand for: one slot has 4, two have 16.
	grids := [2][4][]float64{
		{grid(16, 0.06), grid(4, 0.1), grid(4, 0.1), {0}},  // plane 1
		{{0}, grid(4, 0.03), grid(4, 0.03), grid(4, 0.08)}, // plane 2
	}
	y := make([]float64, 4)
	for i := range y {
		y[i] = x[i] - mu[i]
	}
	coded, left := make([]float64, 4), append([]float64{}, y...)
	for plane, g := range grids {
		for i := range left {
			c := nearest(g[i], left[i])
			coded[i] += c
			left[i] -= c
		}
		base := dot(q, mu) + dot(q, coded)
		a, b := norm(q[:2])*norm(left[:2]), norm(q[2:])*norm(left[2:])
		fmt.Printf("plane %d: coded %.4f residual %.4f\n", plane+1, coded, left)
		fmt.Printf("  %.3f + %.3f + %.3f + %.3f = %.3f\n", dot(q, mu), dot(q, coded), a, b, base+a+b)
	}
	fmt.Printf("score   %.3f\n", dot(q, x))
	// Output:
	// plane 1: coded [0.2700 0.0500 0.0500 0.0000] residual [0.0300 0.0500 0.0500 -0.1000]
	//   0.620 + 0.239 + 0.050 + 0.057 = 0.966
	// plane 2: coded [0.2700 0.0950 0.0950 -0.1200] residual [0.0300 0.0050 0.0050 0.0200]
	//   0.620 + 0.296 + 0.026 + 0.011 = 0.953
	// score   0.940
}

// grid returns n values around 0, step apart.
func grid(n int, step float64) []float64 {
	g := make([]float64, n)
	for i := range g {
		g[i] = step * (float64(i) - float64(n-1)/2)
	}
	return g
}

// nearest returns the value of g next to y, the lower one of two.
func nearest(g []float64, y float64) float64 {
	best := g[0]
	for _, v := range g {
		if math.Abs(v-y) < math.Abs(best-y)-1e-9 {
			best = v
		}
	}
	return best
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i] * b[i])
	}
	return sum
}

func norm(a []float64) float64 { return math.Sqrt(dot(a, a)) }
