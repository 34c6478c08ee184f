package main

import (
	"bufio"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// generate writes n unit vectors as float16: rows of base plus 0.6 times gaussian
// noise with the covariance of base. Every thousand rows have a seed of their own,
// so that the set does not depend on the number of CPUs.
func generate(path string, base [][]float32, n int) error {
	dim := len(base[0])
	for _, x := range base {
		normalize(x)
	}
	mean := make([]float64, dim)
	for _, x := range base {
		for j, v := range x {
			mean[j] += float64(v) / float64(len(base))
		}
	}
	centred := mat.NewDense(len(base), dim, nil)
	for i, x := range base {
		for j, v := range x {
			centred.Set(i, j, float64(v)-mean[j])
		}
	}
	cov := mat.NewSymDense(dim, nil)
	cov.SymOuterK(1/float64(len(base)-1), centred.T())
	for j := range dim {
		cov.SetSym(j, j, cov.At(j, j)+1e-9)
	}
	var chol mat.Cholesky
	chol.Factorize(cov)
	var l mat.TriDense
	chol.LTo(&l)
	lower := make([][]float32, dim)
	for i := range lower {
		lower[i] = make([]float32, i+1)
		for j := range lower[i] {
			lower[i][j] = float32(l.At(i, j))
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	w.Write(npyHeader(n, dim))
	const part = 1000
	workers := runtime.GOMAXPROCS(0)
	for from := 0; from < n; from += part * workers {
		bufs := make([][]byte, workers)
		var wait sync.WaitGroup
		for k := range workers {
			first := from + k*part
			if first >= n {
				break
			}
			wait.Go(func() { bufs[k] = makeRows(base, lower, uint64(first), min(part, n-first)) })
		}
		wait.Wait()
		for _, b := range bufs {
			w.Write(b)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}

func makeRows(base, lower [][]float32, seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 20))
	dim := len(lower)
	z, x := make([]float32, dim), make([]float32, dim)
	var out []byte
	for range n {
		for j := range z {
			z[j] = float32(0.6 * rng.NormFloat64())
		}
		copy(x, base[rng.IntN(len(base))])
		for i, l := range lower {
			x[i] += dot(l, z)
		}
		normalize(x)
		for _, v := range x {
			out = binary.LittleEndian.AppendUint16(out, toHalf(v))
		}
	}
	return out
}

func normalize(x []float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	inv := 1 / math.Sqrt(sum)
	for j, v := range x {
		x[j] = float32(float64(v) * inv)
	}
}
