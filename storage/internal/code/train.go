package code

import (
	"container/heap"
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

// demand is a heap of dimensions by what their next slot takes off the expected error.
type demand []want

type want struct {
	gain float64
	dim  int
}

func (d demand) Len() int { return len(d) }
func (d demand) Less(i, j int) bool {
	return d[i].gain > d[j].gain || d[i].gain == d[j].gain && d[i].dim < d[j].dim
}
func (d demand) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *demand) Push(x any)   { *d = append(*d, x.(want)) }
func (d *demand) Pop() any {
	x := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return x
}

// left is the share of a dimension's variance that n slots leave, about: that of the
// best uniform quantizers of 4^n levels for a normal distribution (J. Max, Quantizing
// for minimum distortion, 1960).
var left = [maxSlots + 1]float64{1, 0.1188, 0.01154, 0.00104, 0.000087, 7.1e-6, 5.7e-7}

// maxSlots is how many slots of a plane a dimension can have.
const maxSlots = 6

// allot returns how many of n slots each dimension gets. Some may be left over.
func allot(variances []float64, n int) []int {
	have := make([]int, len(variances))
	h := make(demand, len(variances))
	for i, v := range variances {
		h[i] = want{float64(v * (left[0] - left[1])), i}
	}
	heap.Init(&h)
	for range min(n, maxSlots*len(variances)) {
		w := &h[0]
		have[w.dim]++
		if k := have[w.dim]; k < maxSlots {
			w.gain = float64(variances[w.dim] * (left[k] - left[k+1]))
		} else {
			w.gain = -1
		}
		heap.Fix(&h, 0)
	}
	return have
}

// makeSlots allots slots to dimensions, and determines the stretch, the steps of the slots
// and the groups of the residual from the sample.
func (t *Transform) makeSlots(centred, asked []float32) {
	all := len(centred) / t.Dim
	n := min(all, slotRows)
	sample := make([]float32, 0, n*t.Dim)
	for i := range n { // from everywhere
		at := i * all / n
		sample = append(sample, centred[at*t.Dim:(at+1)*t.Dim]...)
	}
	y := t.transformed(sample, n)
	t.head = t.Rank / 16
	norms := make([]float64, n)
	sum := 0.0
	for r := range norms {
		for _, v := range y[r*t.Rank+t.head : (r+1)*t.Rank] {
			norms[r] += float64(float64(v) * float64(v))
		}
		sum += norms[r]
	}
	t.unit = float32(math.Sqrt(sum / float64(n)))
	if !(t.unit > 1e-30) {
		t.unit = 1
	}
	stretch := make([]float32, n)
	for r := range norms {
		stretch[r] = simd.Stretch(simd.StretchCode(math.Sqrt(norms[r]) / float64(t.unit)))
	}
	columns := make([][]float32, t.Rank)
	const wide = 16 // columns at a time: a cache line of y
	parallel((t.Rank+wide-1)/wide, func(part int) {
		own := columns[part*wide : min(t.Rank, (part+1)*wide)]
		for i := range own {
			own[i] = make([]float32, n)
		}
		for r := range n {
			for i, v := range y[r*t.Rank+part*wide:][:len(own)] {
				own[i][r] = v / stretch[r]
			}
		}
	})
	queries := t.querySizes(asked)
	variances := make([]float64, t.Rank)
	residuals := make([]float64, t.Rank)
	for p := range t.slots {
		parallel(t.Rank, func(i int) {
			_, dev := spread(columns[i])
			variances[i] = float64(dev * dev)
		})
		perDim := make([][]simd.Slot, t.Rank)
		counts := allot(variances, 4*t.Width[p])
		parallel(t.Rank, func(dim int) {
			perDim[dim] = fit(columns[dim], counts[dim])
			for i := range perDim[dim] {
				perDim[dim][i].Dim = uint32(dim)
			}
		})
		if p == 0 {
			t.slots[p], t.layout = arrange(perDim, 4*t.Width[p])
		} else {
			t.slots[p] = padded(slices.Concat(perDim...), 4*t.Width[p])
		}
		for i := range t.slots[p] {
			t.slots[p][i].Shift = t.shift(p, i)
		}
		parallel(t.Rank, func(i int) {
			residuals[i] = 0
			for r, v := range columns[i] {
				residuals[i] += float64(float64(v) * float64(v) * float64(stretch[r]) * float64(stretch[r]))
			}
		})
		t.split[p] = bestSplits(residuals, queries, []int{groups1, groups2}[p])
		if p == 0 {
			t.typical = typical(columns, stretch, t.split[p])
		}
	}
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

// typical returns the mean norms of the rows' residuals, by group of dimensions.
func typical(columns [][]float32, stretch []float32, split []int) (mean [groups1]float32) {
	parallel(len(split), func(g int) {
		from := 0
		if g > 0 {
			from = split[g-1]
		}
		sums := make([]float64, len(stretch))
		for _, c := range columns[from:split[g]] {
			for r, v := range c {
				sums[r] += float64(float64(v) * float64(v))
			}
		}
		for r, f := range stretch {
			mean[g] += float32(float64(f) * math.Sqrt(sums[r]) / float64(len(stretch)))
		}
	})
	return mean
}

// padded appends slots that do nothing until there are n.
func padded(slots []simd.Slot, n int) []simd.Slot {
	return append(slots, make([]simd.Slot, n-len(slots))...)
}

// arrange puts the slots of all dimensions, at most n, in an order that lets a scan take
// two for one where it can: as nibbles. The slots of a dimension stay in their order.
func arrange(perDim [][]simd.Slot, n int) ([]simd.Slot, simd.Layout) {
	var crumbs, nibbles []simd.Slot
	for _, slots := range perDim {
		if len(slots)%2 == 1 {
			crumbs, slots = append(crumbs, slots[0]), slots[1:]
		}
		nibbles = append(nibbles, slots...)
	}
	// Each kind fills whole quads.
	over := len(nibbles) % simd.QuadSlots
	crumbs, nibbles = append(crumbs, nibbles[:over]...), nibbles[over:]
	crumbs = padded(crumbs, n-len(nibbles))
	return slices.Concat(crumbs, nibbles), simd.Layout{Crumbs: len(crumbs) / simd.QuadSlots, Nibbles: len(nibbles) / simd.QuadSlots}
}

// spread returns the mean and the standard deviation of values.
func spread(values []float32) (mean, dev float64) {
	var sum, sq float64
	for _, v := range values {
		sum += float64(v)
	}
	mean = sum / float64(len(values))
	for _, v := range values {
		sq += float64((float64(v) - mean) * (float64(v) - mean))
	}
	return mean, math.Sqrt(sq / float64(len(values)))
}

// fit makes n slots that together quantize values uniformly to 4^n levels, and leaves
// the residuals of values in their place. The levels are as far apart as makes the
// residuals smallest.
func fit(values []float32, n int) []simd.Slot {
	if n == 0 {
		return nil
	}
	mean, dev := spread(values)
	slots := make([]simd.Slot, n)
	slots[0].Low = float32(mean)
	if dev > 1e-12 {
		levels := math.Pow(4, float64(n))
		best, width := math.Inf(1), 0.0
		// How far few levels reach is no matter of single values that lie far out.
		some := values
		if n <= 2 {
			some = every(values, len(values)/widthRows)
		}
		try := func(w float64) {
			if e := distortion(some, mean, w/levels, levels); e < best {
				best, width = e, w
			}
		}
		for _, f := range []float64{0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.45, 1.7, 2} {
			try(float64(f * dev * (4 + float64(1.35*float64(n-1))))) // 1 is the best for a normal distribution
		}
		for _, f := range []float64{0.96, 1.04} {
			try(float64(f * width))
		}
		for k := range slots {
			width /= 4
			s := &slots[k]
			s.Step = float32(width)
			s.Inv = 1 / s.Step
			s.Low += float32(-1.5 * s.Step)
		}
	}
	for k := range slots {
		for i, v := range values {
			values[i] = residual(&slots[k], v)
		}
	}
	return slots
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

// distortion is the sum of the squared errors of a uniform quantizer.
func distortion(values []float32, mean, step, levels float64) (sum float64) {
	low, inv := mean-step*(levels-1)/2, 1/step
	for _, v := range values {
		x := float64(v) - low
		r := x - float64(step*min(max(math.RoundToEven(x*inv), 0), levels-1))
		sum += float64(r * r)
	}
	return sum
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

// bestSplits returns the ends of n groups of dimensions that make the bound on the
// residuals, of whose dimensions the sums of squares are given, the sum over groups of the products of norms, smallest on average. It moves one
// end at a time.
func bestSplits(residuals []float64, queries [][]float64, n int) []int {
	rank := len(residuals)
	prefix := func(f func(i int) float64) []float64 {
		sums := make([]float64, rank+1)
		for i := range rank {
			sums[i+1] = sums[i] + f(i)
		}
		return sums
	}
	size := prefix(func(i int) float64 { return residuals[i] })
	var asked [][]float64
	for _, q := range queries {
		asked = append(asked, prefix(func(i int) float64 { return q[i] }))
	}
	ends := make([]int, n)
	for g := range ends {
		ends[g] = rank * (g + 1) / n
	}
	cost := func() (sum float64) {
		for _, q := range asked {
			from := 0
			for _, to := range ends {
				sum += math.Sqrt((q[to] - q[from]) * (size[to] - size[from]))
				from = to
			}
		}
		return sum
	}
	step := max(1, rank/64)
	for range 4 {
		for g := range n - 1 {
			best, at := math.Inf(1), ends[g]
			from := 0
			if g > 0 {
				from = ends[g-1]
			}
			for ends[g] = from; ends[g] <= ends[g+1]; ends[g] += step {
				if c := cost(); c < best {
					best, at = c, ends[g]
				}
			}
			ends[g] = at
		}
	}
	return ends
}
