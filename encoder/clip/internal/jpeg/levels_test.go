package jpeg

import (
	"math/rand/v2"
	"testing"

	"github.com/lupadb/lupa/encoder/clip/internal/simd"
)

// The transform in assembly is that in Go, for coefficients that no picture has as well.
func TestLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	simd.EachLevel(func(name string) {
		for range 20_000 {
			var k block
			shift := rng.IntN(31) // some are beyond what int32 holds once multiplied
			for i := range k {
				if rng.IntN(3) == 0 {
					k[i] = int32(rng.Uint32()) >> shift
				}
			}
			other := k
			const stride = 11
			var got, want [8 * stride]byte
			k.put(got[:], stride, 8, 63)
			other.transform8(want[:], stride)
			if got != want {
				t.Fatalf("%s: %v, want %v", name, got, want)
			}
		}
	})
}
