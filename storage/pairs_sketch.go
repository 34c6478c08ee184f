package storage

import (
	"math"
	"math/rand/v2"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// sketches bound the cosine similarity of pairs of rows by products of short vectors. With unit
// vectors x and z, a centre c and an orthonormal basis P of some directions,
//
//	<x, z> = 1 - |x-c|²/2 - |z-c|²/2 + <x-c, z-c>, and
//	<x-c, z-c> <= <P(x-c), P(z-c)> + r(x) r(z),
//
// where r is the length of what P leaves out. So the bound is a product itself: of
// (P(x-c), r(x), h(x), 1) and (P(z-c), r(z), 1, h(z)) with h(x) = (1 - |x-c|²)/2. A first few
// directions serve for products of blocks of rows; more of them for the pairs that are left.
type sketches struct {
	dim          int
	coarse, fine int // directions
	centre       []float32
	matrix       *simd.Matrix // coarse + fine rows
	slack        float64      // how far a bound may be too low
	rounding     float64      // how far the length of P(x-c) may be off
}

const (
	sketchFine   = 96
	sketchSample = 1024 // rows that the basis is made from
	sketchRounds = 3    // of the iteration that finds it
	sketchExtra  = 3    // numbers behind P(x-c): r, h and 1
)

// newSketches makes sketches of vectors like those of a sample, of unit length, row after row.
// Coarse is the number of its first directions, of which it takes no more than there are.
func newSketches(sample []float32, dim, coarse int) *sketches {
	s := &sketches{dim: dim, coarse: min(coarse, dim), centre: make([]float32, dim)}
	s.fine = min(sketchFine, dim-s.coarse)
	n := len(sample) / dim
	mean := make([]float64, dim)
	for i, x := range sample {
		mean[i%dim] += float64(x) / float64(n)
	}
	for j, v := range mean {
		s.centre[j] = float32(v)
	}
	cov := make([]float64, dim*dim)
	wide := make([]float64, dim)
	for i := range n {
		for j := range wide {
			wide[j] = float64(sample[i*dim+j]) - mean[j]
		}
		for j, v := range wide {
			addTimes(cov[j*dim:j*dim+j+1], wide, v)
		}
	}
	for j := range dim {
		for k := range j {
			cov[k*dim+j] = cov[j*dim+k]
		}
	}
	// The directions in which rows differ most, by repeated multiplication with the covariance.
	m := s.coarse + s.fine
	r := rand.New(rand.NewPCG(1, uint64(dim)))
	basis, next := make([]float64, m*dim), make([]float64, m*dim)
	for i := range basis {
		basis[i] = r.NormFloat64()
	}
	orthonormal(basis, m, dim)
	for range sketchRounds {
		clear(next)
		for k := range m {
			for j := range dim {
				addTimes(next[k*dim:(k+1)*dim], cov[j*dim:(j+1)*dim], basis[k*dim+j])
			}
		}
		copy(basis, next)
		orthonormal(basis, m, dim)
	}
	narrow := make([]float32, len(basis))
	for i, v := range basis {
		narrow[i] = float32(v)
	}
	s.matrix = simd.NewMatrix(m, dim, narrow)
	// |x-c| is below 2.1. The elements of P(x-c) are off by the rounding of the product, of its
	// factors, and of P, whose rows are orthonormal to about 1e-13.
	each := float64(2.1 * (simd.MultiplyError(dim) + 4*0x1p-24))
	s.rounding = float64(each*math.Sqrt(float64(m))) + 1e-9
	// The sums of squares of two sketches are below 10, and so is their product; its numbers are
	// rounded, and its sum of at most so many of them is.
	terms := float64(m + sketchExtra + 16)
	s.slack = float64(5*s.rounding) + float64(10*(float64(float64(terms*0x1p-24)*1.01)+0x1p-21)) + 1e-9
	return s
}

func addTimes(dst, x []float64, by float64) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += float64(by * x[i])
	}
}

// orthonormal makes m rows of dim numbers so, twice for precision; rows that are nothing but a
// sum of those before become zero, which only makes bounds wider.
func orthonormal(rows []float64, m, dim int) {
	for range 2 {
		for i := range m {
			v := rows[i*dim : (i+1)*dim]
			before := math.Sqrt(dot(v, v))
			for k := range i {
				u := rows[k*dim : (k+1)*dim]
				addTimes(v, u, -dot(u, v))
			}
			n := math.Sqrt(dot(v, v))
			if !(n > before*1e-6) || n-n != 0 {
				clear(v)
				continue
			}
			for j := range v {
				v[j] /= n
			}
		}
	}
}

func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i] * b[i])
		s1 += float64(a[i+1] * b[i+1])
		s2 += float64(a[i+2] * b[i+2])
		s3 += float64(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// sketched are rows in tiles of simd.TileRows, of which the last ones may be missing. Zero vectors
// and NULLs are none.
type sketched struct {
	*sketches
	rows  []uint64  // noRow = noRowH
	tiles []float32 // tile by tile, simd.TileRows rows interleaved: coarse directions, r, 1, h
	fine  []float32 // row after row: fine directions, r of all directions, r of the coarse ones
}

const (
	noRow  = math.MaxUint64
	noRowH = -100 // h of a row that is missing: no bound with it is a similarity
	// leastCut is below every similarity, and not infinite: bounds stay numbers.
	leastCut = -4
)

// sketchBytes is how much memory the sketch of a row takes.
func sketchBytes(dim, coarse int) int64 {
	coarse = min(coarse, dim)
	return int64(8 + 4*(coarse+sketchExtra+min(sketchFine, dim-coarse)+2))
}

func (s *sketched) len() int       { return len(s.rows) }
func (s *sketched) width() int     { return s.coarse + sketchExtra }
func (s *sketched) fineLen() int   { return s.sketches.fine + 2 }
func (s *sketched) tileLen() int   { return s.width() * simd.TileRows }
func (s *sketched) tileCount() int { return len(s.rows) / simd.TileRows }

// present is the number of rows that are not missing.
func (s *sketched) present() (n int) {
	for _, r := range s.rows {
		if r != noRow {
			n++
		}
	}
	return n
}

// tileOf returns the memory of tile t.
func (s *sketched) tileOf(t int) []float32 { return s.tiles[t*s.tileLen() : (t+1)*s.tileLen()] }

// left returns some rows as the left side of products, so that these are bounds less cut(row).
func (s *sketched) left(first, rows int, cut func(i int) float64) *simd.Matrix {
	w := s.width()
	m := make([]float32, rows*w)
	for i := range rows {
		out, in := m[i*w:(i+1)*w], s.tileOf((first + i) / simd.TileRows)[(first+i)%simd.TileRows:]
		for k := range s.coarse + 1 {
			out[k] = in[k*simd.TileRows]
		}
		out[w-2] = float32(float64(in[(w-1)*simd.TileRows]) - cut(first+i))
		out[w-1] = 1
	}
	return simd.NewMatrix(rows, w, m)
}

// sketcher adds rows to a sketched, some at a time.
type sketcher struct {
	*sketched
	x, y []float32 // interleaved
	rows []uint64  // that wait
	half [simd.TileRows]float64
	sq   [simd.TileRows]float64
}

func (s *sketched) sketcher() *sketcher {
	return &sketcher{sketched: s, x: make([]float32, simd.TileRows*s.dim), y: make([]float32, simd.TileRows*s.matrix.PaddedRows())}
}

// add sketches a row that is not zero.
func (s *sketcher) add(row uint64, x []float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	n := 1 / math.Sqrt(sum)
	at := len(s.rows)
	square := 0.0
	for j, v := range x {
		d := float64(float64(v)*n) - float64(s.centre[j])
		square += float64(d * d)
		s.x[j*simd.TileRows+at] = float32(d)
	}
	s.sq[at], s.half[at] = square, (1-square)/2
	if s.rows = append(s.rows, row); len(s.rows) == simd.TileRows {
		s.flush()
	}
}

// flush adds the rows that wait, as a tile.
func (s *sketcher) flush() {
	if len(s.rows) == 0 {
		return
	}
	s.matrix.Multiply(s.x, s.y, 1)
	from := len(s.tiles)
	s.tiles = append(s.tiles, make([]float32, s.tileLen())...)
	tile := s.tiles[from:]
	for i := range simd.TileRows {
		out := tile[i:]
		out[(s.width()-2)*simd.TileRows] = 1
		if i >= len(s.rows) {
			out[(s.width()-1)*simd.TileRows] = noRowH
			s.sketched.rows = append(s.sketched.rows, noRow)
			s.fine = append(s.fine, make([]float32, s.fineLen())...)
			continue
		}
		rest := s.sq[i]
		left := func() float32 { // of the square, at most, as a length
			return float32(math.Sqrt(max(0, rest) + float64(5*s.rounding)))
		}
		for k := range s.coarse {
			p := s.y[k*simd.TileRows+i]
			rest -= float64(float64(p) * float64(p))
			out[k*simd.TileRows] = p
		}
		coarse := left()
		out[s.coarse*simd.TileRows] = coarse
		out[(s.width()-1)*simd.TileRows] = float32(s.half[i])
		for k := s.coarse; k < s.coarse+s.sketches.fine; k++ {
			p := s.y[k*simd.TileRows+i]
			rest -= float64(float64(p) * float64(p))
			s.fine = append(s.fine, p)
		}
		s.fine = append(s.fine, left(), coarse)
		s.sketched.rows = append(s.sketched.rows, s.rows[i])
	}
	s.rows = s.rows[:0]
}

// narrower returns the bound of row i with row k of another side by all directions, less what
// bound, that by the coarse ones, is less.
func (s *sketched) narrower(bound float32, i int, o *sketched, k int) float64 {
	n := s.fineLen()
	a, b := s.fine[i*n:(i+1)*n], o.fine[k*n:(k+1)*n]
	return float64(bound) - float64(float64(a[n-1])*float64(b[n-1])) + float64(dotNarrow(a[:n-1], b[:n-1]))
}

func dotNarrow(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := (*[4]float32)(a[i:]), (*[4]float32)(b[i:])
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
	}
	for ; i < len(a); i++ {
		s0 += float32(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// bytes is the memory that the sketches take.
func (s *sketched) bytes() int64 { return int64(4*(len(s.tiles)+len(s.fine)) + 8*len(s.rows)) }
