package vector_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lupadb/lupa/storage/vector"
)

// Arithmetic is that of float32, one element at a time, whatever the length.
func TestArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for dim := 1; dim < 70; dim++ {
		a, b := randomVector(rng, dim), randomVector(rng, dim)
		w := rng.Float32() * 3
		sum, diff, scaled, unit := make([]float32, dim), make([]float32, dim), make([]float32, dim), make([]float32, dim)
		vector.Add(sum, a, b)
		vector.Sub(diff, a, b)
		copy(scaled, a)
		vector.AddScaled(scaled, b, w, make([]float32, dim))
		vector.Normalize(unit, a)
		for i := range a {
			product := float32(w * b[i])
			if sum[i] != a[i]+b[i] || diff[i] != a[i]-b[i] || scaled[i] != a[i]+product {
				t.Fatalf("element %d of %d: %v and %v give %v, %v, %v", i, dim, a[i], b[i], sum[i], diff[i], scaled[i])
			}
		}
		if n := vector.Norm(unit); math.Abs(n-1) > 1e-6 {
			t.Fatalf("%d dimensions normalised have length %v", dim, n)
		}
	}
	zero := make([]float32, 5)
	vector.Normalize(zero, zero)
	if vector.Norm(zero) != 0 {
		t.Fatalf("a zero vector became %v", zero)
	}
}
