package storage

import (
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/internal/simd"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// SimilarityBounds find, of rows that come in, those whose cosine similarity with some vectors
// can be above a number for each. It is a product of matrices in single precision, whose
// rounding is known: who may be above is left to who computes exactly.
type SimilarityBounds struct {
	dim   int
	least []float32 // by vector, less the rounding
	x     []float32 // the vectors, TileRows at a time
	tiles int
	m     *simd.Matrix // of some rows
	unit  []float32
	y     []float32
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
	b := &SimilarityBounds{dim: dim, tiles: (len(vectors) + simd.TileRows - 1) / simd.TileRows}
	b.unit = make([]float32, dim)
	b.x = make([]float32, b.tiles*dim*simd.TileRows)
	for i, v := range vectors {
		vector.Normalize(b.unit, v)
		tile := b.x[i/simd.TileRows*dim*simd.TileRows+i%simd.TileRows:]
		for j, e := range b.unit {
			tile[j*simd.TileRows] = e
		}
	}
	// Rows come in few at a time mostly: they are the side of the product that is padded less.
	b.m = simd.NewMatrix(simd.MatrixRows, dim, make([]float32, simd.MatrixRows*dim))
	// The vectors are rounded when they get unit length, rows that are scaled, and the products.
	slack := float64(simd.MultiplyError(dim)*1.01) + 8*0x1p-24
	for _, l := range least {
		b.least = append(b.least, float32(l-slack)-0x1p-22)
	}
	b.y = make([]float32, b.tiles*simd.MatrixRows*simd.TileRows)
	return b
}

// Above appends to out[i] those of the rows pos of c that may be similar enough to the i-th
// vector. Rows that are NULL or zero are similar to none.
func (b *SimilarityBounds) Above(c *value.Column, pos []int32, out [][]int32) {
	var rows [simd.MatrixRows]int32
	n := 0
	flush := func() {
		if n == 0 {
			return
		}
		b.m.Multiply(b.x, b.y, b.tiles) // rows of the matrix that are left over have old numbers
		for i := 0; i < len(b.least); i += simd.TileRows {
			least := b.least[i:min(i+simd.TileRows, len(b.least))]
			y := b.y[i*simd.MatrixRows:]
			for r, p := range rows[:n] {
				of := (*[simd.TileRows]float32)(y[r*simd.TileRows:])
				for k, l := range least {
					if of[k&(simd.TileRows-1)] >= l {
						out[i+k] = append(out[i+k], p)
					}
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
			b.unit[j] = float32(e * by)
		}
		b.m.SetRow(n, b.unit)
		rows[n] = p
		if n++; n == simd.MatrixRows {
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

// WordBounds find, of rows that come in, those that can match queries of one full-text index:
// each row's texts are taken apart once for all queries. A row that can match has one of
// some terms of the query, or a term that begins with one; who may match is left to who looks
// for all of it.
type WordBounds struct {
	language string
	fields   []wordField
	seen     []int32 // by query, one more than the row that was found last
}

// wordField is a column of the index.
type wordField struct {
	column int              // of the table
	terms  map[string][]int // queries
	starts []wordStart
}

type wordStart struct {
	prefix string
	query  int
}

// NewWordBounds takes queries of one index.
func NewWordBounds(queries []*TextQuery) *WordBounds {
	b := &WordBounds{seen: make([]int32, len(queries))}
	at := map[int]int{}
	for i, q := range queries {
		b.language = q.x.options.language
		for _, l := range neededLeaves(q.root) {
			column := q.x.at[l.field]
			if _, ok := at[column]; !ok {
				at[column] = len(b.fields)
				b.fields = append(b.fields, wordField{column: column, terms: map[string][]int{}})
			}
			f := &b.fields[at[column]]
			// The longest term of a phrase is the rarest, mostly.
			t := l.terms[0]
			for _, x := range l.terms[1:] {
				if t.Prefix && !x.Prefix || t.Prefix == x.Prefix && len(x.Term) > len(t.Term) {
					t = x
				}
			}
			if t.Prefix {
				f.starts = append(f.starts, wordStart{t.Term, i})
			} else if !slices.Contains(f.terms[t.Term], i) {
				f.terms[t.Term] = append(f.terms[t.Term], i)
			}
		}
	}
	return b
}

// neededLeaves are words, prefixes and phrases of which every text that matches has one.
func neededLeaves(n textNode) (out []*textLeaf) {
	switch n := n.(type) {
	case *textLeaf:
		return []*textLeaf{n}
	case textOr:
		for _, x := range n {
			out = append(out, neededLeaves(x)...)
		}
	case textAnd:
		for i, x := range n {
			if l := neededLeaves(x); i == 0 || len(l) < len(out) {
				out = l
			}
		}
	case textNot:
		return neededLeaves(n.with)
	}
	return out
}

// MayMatch appends to out[i] those of the rows pos of cols, the columns of the table, that may match
// the i-th query.
func (b *WordBounds) MayMatch(cols []*value.Column, pos []int32, out [][]int32) {
	words := text.Borrow(b.language)
	defer words.Return()
	clear(b.seen)
	for _, p := range pos {
		found := func(i int) {
			if b.seen[i] != p+1 {
				b.seen[i] = p + 1
				out[i] = append(out[i], p)
			}
		}
		for i := range b.fields {
			f := &b.fields[i]
			c := cols[f.column]
			if c.Null(int(p)) {
				continue
			}
			words.Each(c.Strs[p], func(t text.Token) {
				for _, q := range f.terms[t.Term] {
					found(q)
				}
				for _, s := range f.starts {
					if strings.HasPrefix(t.Term, s.prefix) {
						found(s.query)
					}
				}
			})
		}
	}
}
