package main

import (
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/viterin/vek/vek32"
)

// diskSpeed writes so many bytes to a file in the directory, syncs it, and returns MB/s.
func diskSpeed(dir string, size float64) (float64, error) {
	buf := make([]byte, 4<<20)
	rng := rand.NewChaCha8([32]byte{})
	rng.Read(buf)
	f, err := os.CreateTemp(dir, "disk-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	start := time.Now()
	for n := 0; n < int(size); n += len(buf) {
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return size / time.Since(start).Seconds() / 1e6, nil
}

func dot(a, b []float32) float32 { return vek32.Dot(a, b[:len(a)]) }

// vekScan is the simplest fast brute force there is: the inner product of every
// row in single precision, keeping the best of each goroutine.
func vekScan(x, q []float32) (ms float64) {
	start := time.Now()
	n, dim := runtime.GOMAXPROCS(0), len(q)
	rows := len(x) / dim
	var wait sync.WaitGroup
	for w := range n {
		wait.Go(func() {
			best := float32(math.Inf(-1))
			for i := w * rows / n; i < (w+1)*rows/n; i++ {
				best = max(best, vek32.Dot(x[i*dim:(i+1)*dim], q))
			}
			if best != best {
				panic("no number")
			}
		})
	}
	wait.Wait()
	return time.Since(start).Seconds() * 1e3
}

// memorySpeed sums a gigabyte on all CPUs and returns GB/s.
func memorySpeed(x []float32) float64 {
	x = x[:min(len(x), 1<<28)]
	start := time.Now()
	n := runtime.GOMAXPROCS(0)
	var wait sync.WaitGroup
	sums := make([]float32, n)
	for w := range n {
		wait.Go(func() { sums[w] = vek32.Sum(x[w*len(x)/n : (w+1)*len(x)/n]) })
	}
	wait.Wait()
	return float64(4*len(x)) / time.Since(start).Seconds() / 1e9
}

// cpu returns the processor time used so far, which other programs on the
// machine disturb less than the clock.
func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
