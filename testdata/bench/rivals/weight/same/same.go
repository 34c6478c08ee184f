// Package same holds what the programs of the weight comparison have in common:
// the vectors they store, the one they search for, and how they print the answer.
package same

import (
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
)

const (
	Rows = 1000
	Dim  = 64
	K    = 10
)

// Vectors returns Rows vectors of unit length, the same in every program, so that
// similarity, inner product and distance order them alike.
func Vectors() [][]float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]float32, Rows)
	for i := range out {
		v := make([]float32, Dim)
		var sum float64
		for j := range v {
			v[j] = float32(rng.NormFloat64())
			sum += float64(v[j]) * float64(v[j])
		}
		for j := range v {
			v[j] /= float32(math.Sqrt(sum))
		}
		out[i] = v
	}
	return out
}

// Run calls search with an empty directory for its data and prints the numbers of the
// vectors it returns, best first, on one line.
func Run(search func(dir string, vectors [][]float32, query []float32) ([]int, error)) {
	dir, err := os.MkdirTemp("", "weight")
	if err != nil {
		log.Fatal(err)
	}
	vectors := Vectors()
	found, err := search(dir, vectors, vectors[7])
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found)
}

// IdleEnv makes Idle print.
const IdleEnv = "WEIGHT_IDLE"

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// Idle is called after the search, while the store is open: it prints the goroutines,
// the bytes on Go's heap and those of the process in memory (Linux), if IdleEnv is set.
func Idle(store any) {
	if os.Getenv(IdleEnv) == "" {
		return
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	kb := "0"
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if found := resident.FindSubmatch(status); found != nil {
			kb = string(found[1])
		}
	}
	fmt.Fprintf(os.Stderr, "idle %d %d %s\n", runtime.NumGoroutine(), m.HeapAlloc, kb)
	runtime.KeepAlive(store)
}
