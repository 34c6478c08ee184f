package simd

import "os"

//go:generate sh -c "cd gen && go run . -out ../simd_amd64.s -stubs ../simd_amd64.go -pkg simd"

// The sets of kernels, each with all before it.
const (
	portable = iota
	avx2     // AVX2 and FMA
	vnni     // AVX-512 F, BW, VL and VNNI
)

// level is the set in use, chosen once at start. LUPA_SIMD=off in the environment
// forces portable Go, LUPA_SIMD=avx2 leaves AVX-512 alone.
var level = choose(os.Getenv("LUPA_SIMD"), detect())

func choose(wish string, best int) int {
	switch wish {
	case "off":
		return portable
	case "avx2":
		return min(avx2, best)
	}
	return best
}

// Level names the kernels in use, "AVX-512 VNNI".
func Level() string { return [...]string{"portable Go", "AVX2", "AVX-512 VNNI"}[level] }

// EachLevel runs f once with each set of kernels that this machine has. It is
// for tests, and not to be called while anything else uses this package.
func EachLevel(f func(name string)) {
	defer func(l int) { level = l }(level)
	for l := detect(); l >= portable; l-- {
		level = l
		f(Level())
	}
}
