package vector_test

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/vector"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// TestGolden compares scores and arithmetic with those of other machines, to the last bit.
func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, dim := range []int{1, 3, 16, 31, 100, 512, 1000, 8192} {
		rng := rand.New(rand.NewPCG(uint64(dim), 7))
		number := func(scale int) float32 { // integers and powers of two are alike everywhere
			return float32(math.Ldexp(float64(rng.IntN(1<<24)-1<<23), rng.IntN(20)-40+scale))
		}
		for _, scale := range []int{0, 100, -100} {
			a, b := make([]float32, dim), make([]float32, dim)
			for i := range a {
				a[i], b[i] = number(scale), number(scale/2)
			}
			fmt.Fprintf(&out, "%d %d:", dim, scale)
			for _, m := range metrics {
				fmt.Fprintf(&out, " %016x", math.Float64bits(vector.Score(m, a, b)))
			}
			sum, unit, scratch := make([]float32, dim), make([]float32, dim), make([]float32, dim)
			vector.Sub(sum, a, b)
			vector.AddScaled(sum, b, 0.7, scratch)
			vector.AddScaled(sum, a, 1, scratch)
			vector.Normalize(unit, sum)
			fmt.Fprintf(&out, " %016x %08x\n", math.Float64bits(vector.Score(vector.InnerProduct, sum, a)), math.Float32bits(unit[dim/2]))
		}
	}
	if *update {
		if err := os.WriteFile("testdata/golden.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(want)))
	for _, got := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		lines.Scan()
		if got != lines.Text() {
			t.Errorf("got  %s\nwant %s\n(-update writes testdata/golden.txt)", got, lines.Text())
		}
	}
}
