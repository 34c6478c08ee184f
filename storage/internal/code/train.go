package code

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"

	"github.com/lupadb/lupa/storage/internal/simd"
)

const (
	// SampleRows is how many rows Train makes use of.
	SampleRows = 16384
	// partRank is the rank of the transform above FullDim dimensions.
	partRank = 512
	// slotRows is how many rows determine the steps of the slots.
	slotRows = 8192
	// widthRows is how many of them are looked at for how far few levels reach.
	widthRows = 2048
)

// Train makes a transform from a sample of a column's rows, row after row, and
// of the queries it is to serve (those of another length are left out; without any, queries are
// taken to be like rows). It returns nil where codes don't pay: below MinDim
// dimensions, or without a row that is not zero. It takes about a second for 512
// dimensions, and some seconds at most.
func Train(dim int, sample []float32, queries [][]float32) *Transform {
	if dim < MinDim {
		return nil
	}
	rows := unitRows(dim, len(sample)/dim, func(i int) []float32 { return sample[i*dim : (i+1)*dim] }, min(SampleRows, 1<<24/dim))
	if len(rows) == 0 {
		return nil
	}
	var asked []float32
	{
		var fit [][]float32
		for _, q := range queries {
			if len(q) == dim {
				fit = append(fit, q)
			}
		}
		asked = unitRows(dim, len(fit), func(i int) []float32 { return fit[i] }, 4096)
	}
	t := &Transform{Dim: dim, Width: widths(dim), mean: make([]float32, dim)}
	n := len(rows) / dim
	sums := make([]float64, dim)
	for r := range n {
		for j, x := range rows[r*dim : (r+1)*dim] {
			sums[j] += float64(x)
		}
	}
	for j, s := range sums {
		t.mean[j] = float32(s / float64(n))
	}
	centred := make([]float32, len(rows))
	for r := range n {
		c := centred[r*dim : (r+1)*dim]
		for j, x := range rows[r*dim : (r+1)*dim] {
			c[j] = x - t.mean[j]
		}
	}
	if dim <= FullDim {
		t.sphere(centred, asked)
	}
	if len(asked) == 0 {
		asked = rows[:min(n, 4096)*dim]
	}
	if dim > FullDim {
		t.span(centred, asked)
	}
	t.derive1()
	t.makeSlots(centred, asked)
	// What is used is what is stored.
	t, err := Unmarshal(t.Marshal())
	if err != nil {
		return nil // the sample has led to a matrix that is not finite
	}
	return t
}

// derive1 prepares for transforming the sample.
func (t *Transform) derive1() { t.matrix = simd.NewMatrix(t.Rank, t.Dim, t.a) }

// unitRows returns up to limit of n vectors, evenly spaced, divided by their
// norms, without those that are zero.
func unitRows(dim, n int, row func(int) []float32, limit int) []float32 {
	take := min(n, limit)
	out := make([]float32, 0, take*dim)
	zero := make([]float64, simd.Pad(dim))
	for i := range take {
		x := row(i * n / take)
		_, sq := simd.DotNorm(zero, x)
		if sq == 0 || math.IsInf(sq, 0) || sq != sq {
			continue
		}
		inv := 1 / math.Sqrt(sq)
		for _, v := range x {
			out = append(out, float32(float64(v)*inv))
		}
	}
	return out
}

// moment returns the sum of the outer products of n rows with themselves, over n.
func moment(rows []float32, dim int) *mat.SymDense {
	n := len(rows) / dim
	const part = 2048 // rows at a time
	tiles := (dim + simd.TileRows - 1) / simd.TileRows
	sums := make([]float64, dim*dim) // above the diagonal
	panel := make([]float32, tiles*simd.TileRows*part)
	for from := 0; from < n; from += part {
		m := min(part, n-from)
		x := rows[from*dim : (from+m)*dim]
		a := simd.NewTransposed(dim, m, x)
		parallel(tiles, func(tile int) {
			first := tile * simd.TileRows
			wide := min(simd.TileRows, dim-first)
			own := panel[tile*simd.TileRows*m : (tile+1)*simd.TileRows*m]
			for i := range m {
				copy(own[i*simd.TileRows:(i+1)*simd.TileRows], x[i*dim+first:i*dim+first+wide])
			}
			above := a.First(first + wide)
			y := make([]float32, above.PaddedRows()*simd.TileRows)
			above.Multiply(own, y, 1)
			for r := range wide {
				j := first + r
				for i := range j + 1 {
					sums[i*dim+j] += float64(y[i*simd.TileRows+r]) / float64(n)
				}
			}
		})
	}
	return mat.NewSymDense(dim, sums)
}

// eigen returns eigenvalues, descending and not negative, and eigenvectors in
// columns. ok is false if the iteration did not converge.
func eigen(m *mat.SymDense) (values []float64, vectors *mat.Dense, ok bool) {
	n := m.SymmetricDim()
	// A stride that is no power of two keeps the columns, which the iteration
	// runs along, out of each other's way in the cache.
	a := blas64.Symmetric{N: n, Stride: n + 8, Uplo: blas.Upper, Data: make([]float64, n*(n+8))}
	for i := range n {
		for j := i; j < n; j++ {
			a.Data[i*a.Stride+j] = m.At(i, j)
		}
	}
	values = make([]float64, n)
	work := make([]float64, 1)
	lapack64.Syev(lapack.EVCompute, a, values, work, -1) // asks how much it wants
	work = make([]float64, int(work[0]))
	if !lapack64.Syev(lapack.EVCompute, a, values, work, len(work)) {
		return nil, nil, false
	}
	vectors = mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			vectors.Set(i, j, a.Data[i*a.Stride+n-1-j])
		}
	}
	slices.Reverse(values)
	for i, v := range values {
		values[i] = max(v, 0)
	}
	return values, vectors, true
}

// sphere sets a and inv for up to FullDim dimensions. Without queries, those to come are
// taken to be like rows.
func (t *Transform) sphere(centred, asked []float32) {
	d := t.Dim
	t.Rank = d
	t.a, t.inv = make([]float32, d*d), make([]float32, d*d)
	cov := moment(centred, d)
	m, share := mat.NewSymDense(d, nil), 0.0 // of queries
	if len(asked) > 0 {
		m, share = moment(asked, d), 0.95
	}
	for i := range d {
		for j := i; j < d; j++ {
			// The moment of the rows is the covariance and that of their mean.
			rows := cov.At(i, j) + float64(float64(t.mean[i])*float64(t.mean[j]))
			v := float64(share*m.At(i, j)) + float64((1-share)*rows)
			if i == j {
				v += 0.5 / float64(d) // queries may point anywhere, a little
			}
			m.SetSym(i, j, v)
		}
	}
	// Any root L of M = LL' gives the same A: this one is the quickest to have.
	var root mat.Cholesky
	if !root.Factorize(m) {
		t.plain()
		return
	}
	var lower, inverse mat.TriDense
	root.LTo(&lower)
	if err := inverse.InverseTri(&lower); err != nil {
		t.plain()
		return
	}
	l, back := mat.DenseCopyOf(&lower), mat.DenseCopyOf(&inverse) // products of these are quicker
	var c, scaled mat.Dense
	c.Mul(cov, l)
	scaled.Mul(l.T(), &c)
	sym := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sym.SetSym(i, j, (scaled.At(i, j)+scaled.At(j, i))/2)
		}
	}
	_, v, ok := eigen(sym)
	if !ok {
		t.plain()
		return
	}
	var a, inv mat.Dense
	a.Mul(v.T(), l.T())
	inv.Mul(v.T(), back)
	for i := range d {
		for j := range d {
			t.a[i*d+j], t.inv[i*d+j] = float32(a.At(i, j)), float32(inv.At(i, j))
		}
	}
}

// plain makes the identity the transform.
func (t *Transform) plain() {
	for i := range t.Dim {
		t.a[i*t.Dim+i], t.inv[i*t.Dim+i] = 1, 1
	}
}

// span sets a and inv, with equal, orthonormal rows, for more than FullDim
// dimensions.
func (t *Transform) span(centred, asked []float32) {
	d := t.Dim
	var z []float32 // up to partRank rows and as many queries
	for _, s := range [][]float32{centred, asked} {
		n := len(s) / d
		take := min(n, partRank)
		for i := range take {
			at := i * n / take
			z = append(z, s[at*d:(at+1)*d]...)
		}
	}
	n := len(z) / d
	gram := mat.NewSymDense(n, nil)
	wide := make([]float64, simd.Pad(d))
	for i := range n {
		for j, x := range z[i*d : (i+1)*d] {
			wide[j] = float64(x)
		}
		for k := i; k < n; k++ {
			gram.SetSym(i, k, simd.Dot(wide, z[k*d:(k+1)*d]))
		}
	}
	values, u, ok := eigen(gram)
	var basis [][]float64
	add := func(v []float64) {
		for range 2 { // twice is enough
			for _, b := range basis {
				dot := 0.0
				for j, x := range b {
					dot += float64(x * v[j])
				}
				for j, x := range b {
					v[j] -= float64(dot * x)
				}
			}
		}
		sum := 0.0
		for _, x := range v {
			sum += float64(x * x)
		}
		if sum < 1e-8 {
			return
		}
		inv := 1 / math.Sqrt(sum)
		for j := range v {
			v[j] = float64(v[j] * inv)
		}
		basis = append(basis, v)
	}
	for k := 0; ok && k < min(partRank, n) && values[k] > 1e-6*values[0]; k++ {
		v := make([]float64, d)
		for i := range n {
			c := u.At(i, k) / math.Sqrt(values[k])
			for j, x := range z[i*d : (i+1)*d] {
				v[j] += float64(c * float64(x))
			}
		}
		add(v)
	}
	for j := 0; len(basis) < min(partRank, 64); j++ { // rows without variance leave it open
		v := make([]float64, d)
		v[j] = 1
		add(v)
	}
	t.Rank = len(basis)
	p := make([]float32, t.Rank*d)
	for i, b := range basis {
		for j, x := range b {
			p[i*d+j] = float32(x)
		}
	}
	// Inside the span, the axes of the rows' variance.
	t.a = p
	t.derive1()
	y := t.transformed(centred, min(len(centred)/d, 4096))
	_, v, ok := eigen(moment(y, t.Rank))
	t.a = make([]float32, t.Rank*d)
	for i := range t.Rank {
		sum := make([]float64, d)
		for k := range t.Rank {
			c := 0.0
			if ok {
				c = v.At(k, i)
			} else if i == k {
				c = 1
			}
			for j, x := range basis[k] {
				sum[j] += float64(c * x)
			}
		}
		for j, x := range sum {
			t.a[i*d+j] = float32(x)
		}
	}
	t.inv = t.a
}

// transformed returns the transforms of the first n rows, row after row.
func (t *Transform) transformed(rows []float32, n int) []float32 {
	out := make([]float32, n*t.Rank)
	const part = 512 // rows at a time
	parallel((n+part-1)/part, func(p int) {
		x := make([]float32, simd.TileRows*t.Dim)
		y := make([]float32, simd.TileRows*t.matrix.PaddedRows())
		end := min(n, (p+1)*part)
		for from := p * part; from < end; from += simd.TileRows {
			m := min(simd.TileRows, end-from)
			for r := range m {
				for j, v := range rows[(from+r)*t.Dim : (from+r+1)*t.Dim] {
					x[j*simd.TileRows+r] = v
				}
			}
			t.matrix.Multiply(x, y, 1)
			for r := range m {
				for i := range t.Rank {
					out[(from+r)*t.Rank+i] = y[i*simd.TileRows+r]
				}
			}
		}
	})
	return out
}

// parallel calls f with 0 to n-1 from all CPUs.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}

// every returns each n-th value.
func every(values []float32, n int) []float32 {
	if n <= 1 {
		return values
	}
	out := make([]float32, 0, len(values)/n+1)
	for i := 0; i < len(values); i += n {
		out = append(out, values[i])
	}
	return out
}

func residual(s *simd.Slot, v float32) float32 {
	d := v - s.Low
	c := min(max(float32(math.RoundToEven(float64(d*s.Inv))), 0), 3)
	return d - float32(c*s.Step)
}

// querySizes returns the squares of the elements of p for some queries.
func (t *Transform) querySizes(asked []float32) [][]float64 {
	n := len(asked) / t.Dim
	var out [][]float64
	wide := make([]float64, simd.Pad(t.Dim))
	for i := range min(n, 32) {
		for j, x := range asked[i*t.Dim : (i+1)*t.Dim] {
			wide[j] = float64(x)
		}
		p := make([]float64, t.Rank)
		multiply(p, t.inv, wide, t.Dim)
		for k := range p {
			p[k] = float64(p[k] * p[k])
		}
		out = append(out, p)
	}
	return out
}
