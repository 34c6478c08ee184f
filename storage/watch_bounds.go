package storage

import (
	"math"
	"slices"

	"github.com/lupadb/lupa/storage/internal/simd"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// SimilarityBounds find, of rows that come in, those whose cosine similarity with some vectors
// can be above a number for each. It is a product of matrices in single precision, whose
// rounding is known: who may be above is left to who computes exactly.
type SimilarityBounds struct {
	dim   int
	least []float32 // by vector, less the rounding
	m     *simd.Matrix
	x, y  []float32
}

// usual lengths are those whose squares are neither too large nor too small for products in
// single precision; a row of another length is left to exact computation.
const (
	usualLeast = 1e-12
	usualMost  = 1e12
)

// NewSimilarityBounds takes vectors of dim elements, none of them zero, and the similarity
// with each that a row has to have at least.
func NewSimilarityBounds(dim int, vectors [][]float32, least []float64) *SimilarityBounds {
	b := &SimilarityBounds{dim: dim}
	rows := make([]float32, 0, len(vectors)*dim)
	for _, v := range vectors {
		unit := make([]float32, dim)
		vector.Normalize(unit, v)
		rows = append(rows, unit...)
	}
	b.m = simd.NewMatrix(len(vectors), dim, rows)
	// The vectors are rounded when they get unit length, rows that are scaled, and the products.
	slack := float64(simd.MultiplyError(dim)*1.01) + 8*0x1p-24
	for _, l := range least {
		b.least = append(b.least, float32(l-slack)-0x1p-22)
	}
	b.x = make([]float32, dim*simd.TileRows)
	b.y = make([]float32, b.m.PaddedRows()*simd.TileRows)
	return b
}

// Above appends to out[i] those of the rows pos of c that may be similar enough to the i-th
// vector. Rows that are NULL or zero are similar to none.
func (b *SimilarityBounds) Above(c *value.Column, pos []int32, out [][]int32) {
	var rows [simd.TileRows]int32
	n := 0
	flush := func() {
		if n == 0 {
			return
		}
		for r := n; r < simd.TileRows; r++ {
			for j := range b.dim {
				b.x[j*simd.TileRows+r] = 0
			}
		}
		b.m.Multiply(b.x, b.y, 1)
		for i, least := range b.least {
			y := (*[simd.TileRows]float32)(b.y[i*simd.TileRows:])
			for r := range n {
				if y[r] >= least {
					out[i] = append(out[i], rows[r])
				}
			}
		}
		n = 0
	}
	for _, p := range pos {
		if c.Null(int(p)) {
			continue
		}
		v := c.Vec(int(p))
		norm := vector.Norm(v)
		if norm == 0 {
			continue
		}
		if norm < usualLeast || norm > usualMost || math.IsNaN(norm) {
			flush()
			for i := range b.least {
				out[i] = append(out[i], p)
			}
			continue
		}
		by := float32(1 / norm)
		for j, e := range v {
			b.x[j*simd.TileRows+n] = float32(e * by)
		}
		rows[n] = p
		if n++; n == simd.TileRows {
			flush()
		}
	}
	flush()
	for i := range out {
		if !slices.IsSorted(out[i]) {
			slices.Sort(out[i])
		}
	}
}
