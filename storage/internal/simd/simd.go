package simd

import "os"

//go:generate sh -c "cd gen && go run . -out ../simd_amd64.s -stubs ../simd_amd64.go -pkg simd"

// portable is the level without assembly. The others, which depend on the processor, have
// all kernels of those before them.
const portable = 0

// level is the set of kernels in use, chosen once at start. LUPA_SIMD=off in the environment
// forces portable Go, LUPA_SIMD=avx2 leaves AVX-512 alone, and LUPA_SIMD=neon the dot product
// extension.
var level = choose(os.Getenv("LUPA_SIMD"), detect())

func choose(wish string, best int) int {
	if l, ok := levelWishes[wish]; ok {
		return min(l, best)
	}
	return best
}

// Level names the kernels in use, "AVX-512 VNNI".
func Level() string { return levelNames[level] }

// EachLevel runs f once with each set of kernels that this machine has. It is
// for tests, and not to be called while anything else uses this package.
func EachLevel(f func(name string)) {
	defer func(l int) { level = l }(level)
	for l := detect(); l >= portable; l-- {
		level = l
		f(Level())
	}
}
