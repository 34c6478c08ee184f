package ivf

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// rounds is how often k-means moves the centres: later rounds hardly change what searches find.
const rounds = 10

// Centers are the centres of clusters. They are immutable and safe for concurrent use.
type Centers struct {
	Rank   int       // coordinates of a point
	Points []float32 // the centres, one after the other

	matrix *simd.Matrix
	half   []float32 // half of the squared norms
}

// NewCenters makes centres of points of rank coordinates.
func NewCenters(rank int, points []float32) *Centers {
	c := &Centers{Rank: rank, Points: points}
	n := c.Len()
	c.matrix = simd.NewMatrix(n, rank, points)
	c.half = make([]float32, n)
	for i := range n {
		sum := 0.0
		for _, x := range points[i*rank : (i+1)*rank] {
			sum += float64(float64(x) * float64(x))
		}
		c.half[i] = float32(sum / 2)
	}
	return c
}

// Len is the number of centres.
func (c *Centers) Len() int { return len(c.Points) / c.Rank }

// Assigner finds the nearest centres. It belongs to one goroutine.
type Assigner struct {
	c *Centers
	y []float32
}

// NewAssigner returns one for c.
func (c *Centers) NewAssigner() *Assigner {
	return &Assigner{c, make([]float32, c.matrix.PaddedRows()*simd.TileRows)}
}

// Tile sets out to the nearest centres of 16 points in lanes: x holds 16 numbers a coordinate,
// and may have more coordinates than count.
func (a *Assigner) Tile(x []float32, out *[simd.TileRows]uint32) {
	a.c.matrix.Multiply(x, a.y, 1)
	var best [simd.TileRows]float32
	for r := range best {
		best[r] = float32(math.Inf(-1))
		out[r] = 0
	}
	for i, half := range a.c.half {
		y := (*[simd.TileRows]float32)(a.y[i*simd.TileRows:])
		for r, v := range y {
			if v -= half; v > best[r] {
				best[r], out[r] = v, uint32(i)
			}
		}
	}
}

// Train finds n centres for points, which lie in tiles of 16: 16 numbers a coordinate. The
// answer depends on nothing but what is given. There are fewer centres when there are few points.
func Train(rank, n int, tiles []float32) *Centers {
	per := rank * simd.TileRows
	count := len(tiles) / per * simd.TileRows
	n = max(1, min(n, count))
	rng := rand.New(rand.NewPCG(uint64(count), uint64(n)))
	at := func(i, j int) float32 { return tiles[i/simd.TileRows*per+j*simd.TileRows+i%simd.TileRows] }
	points := make([]float32, n*rank)
	for i, p := range rng.Perm(count)[:n] {
		for j := range rank {
			points[i*rank+j] = at(p, j)
		}
	}
	own := make([]uint32, count)
	for range rounds {
		c := NewCenters(rank, points)
		parallel(len(tiles)/per, func() func(int) {
			a := c.NewAssigner()
			return func(t int) { a.Tile(tiles[t*per:(t+1)*per], (*[simd.TileRows]uint32)(own[t*simd.TileRows:])) }
		})
		sums, sizes := make([]float64, n*rank), make([]int, n)
		for i, k := range own {
			sizes[k]++
			sum := sums[int(k)*rank : (int(k)+1)*rank]
			for j := range sum {
				sum[j] += float64(at(i, j))
			}
		}
		points = make([]float32, n*rank)
		largest := 0
		for k, size := range sizes {
			if size > sizes[largest] {
				largest = k
			}
		}
		for k, size := range sizes {
			if size == 0 { // it gets a point of the largest one
				for {
					if p := rng.IntN(count); int(own[p]) == largest || sizes[largest] < 2 {
						for j := range rank {
							points[k*rank+j] = at(p, j)
						}
						break
					}
				}
				continue
			}
			for j := range rank {
				points[k*rank+j] = float32(sums[k*rank+j] / float64(size))
			}
		}
	}
	return NewCenters(rank, points)
}

// parallel calls functions that begin makes, one for each goroutine, with 0 to n - 1.
func parallel(n int, begin func() func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			f := begin()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wait.Wait()
}
