package code

import (
	"container/heap"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage/internal/simd"
)

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

func (d *demand) Push(x any) { *d = append(*d, x.(want)) }

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
