package block

import (
	"math/rand/v2"
	"testing"
)

// Sums of offsets are those of adding them one by one, for every width and length, the
// greatest offsets and the longest block among them.
func TestSumOffsets(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, w := range []int{0, 1, 2, 4} {
		for _, full := range []bool{false, true} {
			for n := 0; n < 1<<16; n += 1 + n/7 {
				if n > 3000 && n+n/7 >= 1<<16 {
					n = 1<<16 - 1
				}
				src := make([]byte, n*w)
				for i := range src {
					src[i] = byte(r.Uint32())
					if full {
						src[i] = 0xff
					}
				}
				var want uint64
				for i := range n {
					want += readWidth(src, i, w)
				}
				if got := sumOffsets(src, w); got != want {
					t.Fatalf("%d offsets of %d bytes: sum %d, want %d", n, w, got, want)
				}
			}
		}
	}
}
