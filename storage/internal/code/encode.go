package code

import (
	"math"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// tilesAtOnce is how many tiles are transformed together: their vectors (128 KiB
// at 512 dimensions) fit the L2 cache beside a part of the matrix.
const tilesAtOnce = 4

// Encoder codes blocks. It belongs to one goroutine; its memory is reused.
type Encoder struct {
	t       *Transform
	x, y    []float32 // tiles in, tiles out
	zero    []float64
	words   []uint32
	codes   [2][]byte
	stretch []byte         // codes
	res     [2][][]float64 // by plane and group
	norms   []float64      // of the rows
	norms32 []float32
}

// NewEncoder returns an encoder for t.
func (t *Transform) NewEncoder() *Encoder {
	e := &Encoder{
		t:     t,
		x:     make([]float32, tilesAtOnce*simd.TileRows*t.Dim),
		y:     make([]float32, tilesAtOnce*simd.TileRows*t.matrix.PaddedRows()),
		zero:  make([]float64, simd.Pad(t.Dim)),
		words: make([]uint32, max(t.Width[0], t.Width[1])/4*simd.TileRows),
		norms: make([]float64, BlockRows), norms32: make([]float32, BlockRows), stretch: make([]byte, BlockRows),
	}
	for p := range e.codes {
		e.codes[p] = make([]byte, t.Width[p]*BlockRows)
		for range t.split[p] {
			e.res[p] = append(e.res[p], make([]float64, BlockRows))
		}
	}
	return e
}

// Block codes BlockRows finite vectors and appends the two planes to their
// destinations.
//
// The residual norms include the errors of single precision. Let v be the float32
// vector that is computed for x - mu; its distance from x - mu is part of the slack of
// Query. y = Av is computed with an error of at most
// MultiplyError * |A| |v|, |A| being the norm of A's absolute values. Dividing by
// the stretch, as a multiplication by its reciprocal, errs by 2^-23 of an element. A slot
// computes d = y - low, t = step*c and d - t with relative errors of 2^-24, where
// |d| and |d - t| are at most |y| plus the sum of |low| + 3 step over the slots of the
// dimension; this is where quantError and quantSize come from.
func (e *Encoder) Block(vecs []float32, plane1, plane2 []byte) ([]byte, []byte) {
	t := e.t
	var maxV, maxY float64
	e.tiles(vecs, func(tile int, y []float32, v2 []float64) bool {
		e.tile(tile, y, v2, &maxV, &maxY)
		return true
	})
	skip := func(i int) bool { return e.norms[i] == 0 }
	minNorm, maxNorm := math.Inf(1), 0.0
	zeros := false
	for i, n := range e.norms {
		e.norms32[i] = float32(n)
		if n == 0 {
			zeros = true
			continue
		}
		minNorm, maxNorm = min(minNorm, n), max(maxNorm, n)
	}
	if maxNorm == 0 {
		minNorm = 0
	}
	var norms []float32
	if zeros || maxNorm > minNorm*(1+1e-6) {
		norms = e.norms32
	}
	plane1 = t.appendPlane(plane1, 1, maxV, maxY, minNorm, maxNorm, e.res[0], skip, zeros, e.stretch, norms, e.codes[0])
	plane2 = t.appendPlane(plane2, 2, maxV, maxY, minNorm, maxNorm, e.res[1], skip, zeros, nil, nil, e.codes[1])
	return plane1, plane2
}

// tiles transforms a block and calls f with every tile, its transform and the squares
// of |v|, until it returns false.
func (e *Encoder) tiles(vecs []float32, f func(tile int, y []float32, v2 []float64) bool) {
	t := e.t
	for tile := 0; tile < BlockRows/simd.TileRows; tile += tilesAtOnce {
		var v2 [tilesAtOnce * simd.TileRows]float64
		for i := range v2 {
			row := tile*simd.TileRows + i
			v2[i] = e.center(vecs[row*t.Dim:(row+1)*t.Dim], row, i)
		}
		t.matrix.Multiply(e.x, e.y, tilesAtOnce)
		for k := range tilesAtOnce {
			y := e.y[k*t.matrix.PaddedRows()*simd.TileRows:][:t.Rank*simd.TileRows]
			if !f(tile+k, y, v2[k*simd.TileRows:]) {
				return
			}
		}
	}
}

// center writes v = x/|x| - mu into the i-th column of the tiles and returns |v|^2.
func (e *Encoder) center(x []float32, row, i int) float64 {
	t := e.t
	_, sq := simd.DotNorm(e.zero, x)
	norm := math.Sqrt(sq)
	e.norms[row] = norm
	inv := 0.0
	if norm > 0 {
		inv = 1 / norm
	}
	dst := e.x[i/simd.TileRows*simd.TileRows*t.Dim+i%simd.TileRows:]
	sum := 0.0
	for j, f := range x {
		v := float32(float64(f)*inv) - t.mean[j]
		dst[j*simd.TileRows] = v
		sum += float64(float64(v) * float64(v))
	}
	return float64(sum * slack)
}

// sizes is what is known of the rows of a tile before they are quantized.
type sizes struct {
	v, y     [simd.TileRows]float64 // |v|, |y|, rounded up; 0 for a zero vector
	rounding [simd.TileRows]float64 // of y
	outside  [simd.TileRows]float64 // square of the part of v outside the span of A's rows
}

// measure computes the sizes of a tile's rows from their transform y and the squares of |v|.
func (e *Encoder) measure(tile int, y []float32, v2 []float64) (m sizes) {
	t := e.t
	single := e.single()
	var sums [simd.TileRows]float32
	simd.SumSquares(y, &sums)
	for r := range sums {
		if e.norms[tile*simd.TileRows+r] == 0 {
			continue
		}
		m.v[r] = math.Sqrt(v2[r])
		m.rounding[r] = float64(simd.MultiplyError(t.Dim)*t.normA*m.v[r]) + underflow
		m.y[r] = math.Sqrt(float64(sums[r])*(1+float64(2*single))) + m.rounding[r]
		if !t.full() {
			// |v - A'y|^2 = |v|^2 - 2|y|^2 + |A'y|^2.
			low := max(0, math.Sqrt(float64(sums[r])*(1-float64(2*single)))-m.rounding[r])
			m.outside[r] = max(0, v2[r]-float64((1-t.eta)*low*low))
		}
	}
	return m
}

// single is the relative error of simd.SumSquares.
func (e *Encoder) single() float64 { return float64(float64(e.t.Rank+2) * 0x1p-24) }

// slotError bounds the rounding errors of quantizing a row with |y|, times the stretch.
func (t *Transform) slotError(normY, stretch float64) float64 {
	return float64(0x1p-22*normY) + float64(t.quantError*(float64(normY*(1+0x1p-22))+float64(stretch*t.quantSize)))
}

// tile codes 16 rows, of which y has the transform and v2 the squares of |v|.
func (e *Encoder) tile(tile int, y []float32, v2 []float64, maxV, maxY *float64) {
	t := e.t
	m := e.measure(tile, y, v2)
	var err, stretch [simd.TileRows]float64
	var tail, shrink, sums [simd.TileRows]float32
	simd.SumSquares(y[t.head*simd.TileRows:], &tail)
	for r := range err {
		row := tile*simd.TileRows + r
		e.stretch[row] = 0
		if e.norms[row] == 0 {
			continue
		}
		*maxV, *maxY = max(*maxV, m.v[r]), max(*maxY, m.y[r])
		e.stretch[row] = simd.StretchCode(math.Sqrt(float64(tail[r])) / float64(t.unit))
		s := simd.Stretch(e.stretch[row])
		stretch[r], shrink[r] = float64(s), 1/s
		err[r] = float64((m.rounding[r] + t.slotError(m.y[r], stretch[r])) * slack)
	}
	simd.ScaleRows(y, &shrink)
	for p := range t.slots {
		simd.Quantize(y, t.slots[p], e.words)
		words := e.words[:t.Width[p]/4*simd.TileRows]
		if p == 0 {
			putTile(e.codes[p], tile, words, t.Width[p])
		} else {
			putRows(e.codes[p], tile, words, t.Width[p])
		}
		from := 0
		for g, to := range t.split[p] {
			simd.SumSquares(y[from*simd.TileRows:to*simd.TileRows], &sums)
			from = to
			for r := range err {
				a := float64(stretch[r]*math.Sqrt(float64(sums[r])*(1+float64(2*e.single())))) + err[r]
				if g == len(t.split[p])-1 {
					a = math.Sqrt(float64(a*a) + m.outside[r])
				}
				e.res[p][g][tile*simd.TileRows+r] = float64(a * slack)
			}
		}
	}
}

// underflow is more than what is lost in sums of squares and products of single
// precision because they fall below the smallest numbers: 2^-149 each.
const underflow = 1e-18

// Coordinates transforms vectors, 16 at a time, which are padded with zeros, and calls f with
// every tile: the first rank coordinates A(x/|x| - mu) in lanes, as the input of simd.Matrix has
// them, and the norms |x|. They are f's to read until it returns. Queries weigh all coordinates
// alike, on average, and rows differ most in the first.
func (e *Encoder) Coordinates(vecs []float32, rank int, f func(tile int, y []float32, norms []float64)) {
	t := e.t
	matrix := t.matrix.First(rank)
	n := len(vecs) / t.Dim
	for row := 0; row < n; row += simd.TileRows {
		for i := range simd.TileRows {
			if row+i < n {
				e.center(vecs[(row+i)*t.Dim:(row+i+1)*t.Dim], i, i)
			} else {
				e.norms[i] = 0
			}
		}
		matrix.Multiply(e.x[:simd.TileRows*t.Dim], e.y, 1)
		f(row/simd.TileRows, e.y[:rank*simd.TileRows], e.norms[:simd.TileRows])
	}
}

// Weights returns how a unit vector q weighs the coordinates of rows: <q, x/|x|> is <q, mu> plus
// the sum of weight and coordinate, up to rounding, where the transform has full rank.
func (t *Transform) Weights(q []float64) []float64 {
	wide := make([]float64, simd.Pad(t.Dim))
	copy(wide, q)
	p := make([]float64, t.Rank)
	multiply(p, t.inv, wide, t.Dim)
	return p
}
