package code

import (
	"math"
	"math/bits"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// inputSlack bounds |<q, x> - <q, mu> - <q, v>| for a unit vector q: v is
// computed from x with three roundings of single precision, of numbers whose
// vectors have norms of at most 1, 1 and 2. And float64 rounding, far below.
const inputSlack = 5*0x1p-24 + 1e-10

// Query is a direction prepared for being bounded against coded rows. It is
// immutable and safe for concurrent use.
type Query struct {
	t     *Transform
	base  float64 // <q, mu> + slack
	slack float64 // of base
	rho   float64 // |rho|
	arho  float64 // |A rho|, for rows outside the span; 0 if there are none
	plane [2]planeQuery
}

type planeQuery struct {
	tiles *simd.Tiles // of plane 1
	rows  *simd.Rows  // of plane 2
	scale float64
	shift float64          // the sums of p*low and of the rounding of w: times the stretch, as scale
	size  [groups2]float64 // |p| of each group, the coefficients of the residuals
	most  float64          // largest |scale * sum|
	width float64          // how far the rounding of w may take the sum down, times the stretch
}

// NewQuery prepares a unit vector q.
func (t *Transform) NewQuery(q []float64) *Query {
	wide := make([]float64, simd.Pad(t.Dim))
	copy(wide, q)
	p := make([]float64, simd.Pad(t.Rank))
	multiply(p[:t.Rank], t.inv, wide, t.Dim)
	rho := t.rest(q, p)
	// inv has the precision of float32: one step of refinement gives p that of float64.
	copy(wide, rho)
	dp := make([]float64, t.Rank)
	multiply(dp, t.inv, wide, t.Dim)
	better := make([]float64, len(p))
	for i, d := range dp {
		better[i] = p[i] + d
	}
	if r := t.rest(q, better); norm(r) <= norm(rho) {
		p, rho = better, r
	}
	n := &Query{t: t, base: inputSlack, rho: float64((norm(rho) + float64(1e-14*(1+float64(norm(p)*t.normA)))) * slack)}
	for j, m := range t.mean {
		n.base += float64(q[j] * float64(m))
	}
	outside := 0.0
	if !t.full() {
		copy(wide, rho)
		ar := make([]float64, t.Rank)
		multiply(ar, t.a, wide, t.Dim)
		n.arho = float64((norm(ar) + float64(1e-14*t.normA)) * slack)
		outside = n.rho
		n.rho = 0
	}
	rounding := float64(1e-13 * norm(p) * t.normA) // of the sums below, times the largest stretch
	n.base += rounding
	n.slack = inputSlack + rounding
	for k := range n.plane {
		n.plane[k] = t.planeQuery(k, p[:t.Rank], outside)
	}
	return n
}

// rest returns q - A'p.
func (t *Transform) rest(q, p []float64) []float64 {
	out := make([]float64, t.Dim)
	multiply(out, t.at, p, t.Rank)
	for j := range out {
		out[j] = q[j] - out[j]
	}
	return out
}

func norm(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x * x)
	}
	return float64(math.Sqrt(sum) * slack)
}

func (t *Transform) planeQuery(k int, p []float64, outside float64) planeQuery {
	var n planeQuery
	from := 0
	for g, to := range t.split[k] {
		n.size[g] = norm(p[from:to])
		from = to
	}
	last := &n.size[len(t.split[k])-1]
	*last = float64(math.Sqrt(float64(*last**last)+float64(outside*outside)) * slack)
	slots := t.slots[k]
	weight := func(i int) float64 { return float64(p[slots[i].Dim] * float64(slots[i].Step)) }
	nibble := func(i int) bool { return k == 0 && t.layout.Nibble(i) }
	own := func(i int) bool { return !nibble(i) || i%2 == 1 } // the weight of a nibble is that of its second slot
	for i, s := range slots {
		n.shift += float64(p[s.Dim] * float64(s.Low))
		if own(i) {
			n.scale = max(n.scale, math.Abs(weight(i))/simd.MaxWeight)
		}
	}
	weights := make([]int32, len(slots))
	// use takes slot i, whose weight is g * times, into account.
	use := func(i int, g, times int32) {
		d := weight(i) - float64(n.scale*float64(g*times))
		n.shift += float64(1.5 * (d + math.Abs(d)) * slack)
		n.width += float64(3 * math.Abs(d) * slack)
		n.most += float64(3 * n.scale * math.Abs(float64(g*times)))
	}
	unit := int32(1)
	for i := range slots {
		if k == 0 && i%simd.GroupSlots == 0 && n.scale > 0 {
			// A few groups have weights much larger than those of the others, for which one
			// digit does: that rounds them to three decimals, and halves the products.
			most := 0.0
			for j := i; j < i+simd.GroupSlots; j++ {
				if own(j) {
					most = max(most, math.Abs(weight(j))/n.scale)
				}
			}
			unit = simd.Unit(most)
		}
		if !own(i) {
			continue
		}
		if n.scale > 0 {
			weights[i] = int32(math.RoundToEven(weight(i)/n.scale/float64(unit))) * unit
			weights[i] = max(-simd.MaxWeight, min(simd.MaxWeight, weights[i]))
		}
		use(i, weights[i], 1)
		if nibble(i) {
			use(i-1, weights[i], 4)
		}
	}
	if k == 0 {
		n.tiles = simd.NewTiles(weights, t.layout)
	} else {
		n.rows = simd.NewRows(weights)
	}
	return n
}

// Scratch is the working memory of a scan. It belongs to one goroutine.
type Scratch struct {
	Dots   [BlockRows]int32
	Upper  [BlockRows]float32
	Mask   [BlockRows / 64]uint64 // rows that survive
	Rows   []uint16
	dots2  [BlockRows]int32
	Upper2 [BlockRows]float64
	allow  float64 // how far Upper may be below what it bounds, by rounding
}

// bound combines the terms that are the same for all rows of a plane, and
// returns the coefficients of the residuals' codes.
func (q *Query) bound(p *Plane, k int) (base float64, step [groups2]float64) {
	n := &q.plane[k]
	base = q.base + float64(q.rho*p.maxV) + float64(q.arho*p.maxY)
	for g, size := range n.size {
		base += float64(size * p.low[g])
		step[g] = float64(size * p.step[g])
	}
	return base, step
}

// Scan1 bounds the rows of plane 1 whose tiles hold a row of wanted, and sets
// s.Mask to the wanted rows whose bound is not below cut. Planes that several queries scan
// go faster from the second on.
func (q *Query) Scan1(p *Plane, wanted *[BlockRows / 64]uint64, cut float64, s *Scratch) {
	n := &q.plane[0]
	base, step := q.bound(p, 0)
	a, b := step[0], step[1]
	// The kernel works in float32. On its way a term meets at most ten roundings, with
	// that of its parameter, which err by 2^-24 each, relative to the sum of magnitudes.
	largest := float64(simd.Stretch(p.largest))
	size := math.Abs(base) + float64(largest*(n.most+math.Abs(n.shift))) + float64(255*(a+b))
	low := cut - float64(size*0x1p-20)
	bound := simd.Bound{
		Base: float32(base), Scale: float32(n.scale), Offset: float32(n.shift), A: float32(a), B: float32(b), Cut: roundDown(low),
	}
	if s.allow = float64(size * 0x1p-20); beyondFloat32(size, n.scale) {
		copy(s.Mask[:], wanted[:]) // beyond float32: no bound
		s.allow = math.Inf(1)
		return
	}
	const words = 4 // tiles come in fours: 64 rows are a word of the mask
	tileBytes := simd.TileRows * q.t.Width[0]
	for w := 0; w < len(wanted); {
		if wanted[w] == 0 {
			s.Mask[w] = 0
			w++
			continue
		}
		to := w
		for to < len(wanted) && wanted[to] != 0 {
			to++
		}
		n.tiles.Scan(p.codes[w*words*tileBytes:to*words*tileBytes], s.Dots[64*w:64*to], p.near)
		bound.Apply(s.Dots[64*w:64*to], p.stretch[64*w:64*to], p.residuals[0][64*w:64*to], p.residuals[1][64*w:64*to], s.Upper[64*w:64*to], s.Mask[w:to])
		for ; w < to; w++ {
			s.Mask[w] &= wanted[w]
		}
	}
	p.near = true
}

// Thin1 takes the rows out of s.Mask whose bound by Scan1 and what plus has for the row are below
// cut together.
func (s *Scratch) Thin1(plus *[BlockRows]float64, cut float64) {
	cut -= s.allow
	for w, word := range s.Mask {
		for left := word; left != 0; left &= left - 1 {
			i := 64*w + bits.TrailingZeros64(left)
			if float64(s.Upper[i])+plus[i] < cut {
				word &^= left & -left
			}
		}
		s.Mask[w] = word
	}
}

// Scan2 bounds the rows s.Rows, for which Scan1 has left sums in s.Dots, by both
// planes of a block, in s.Upper2.
func (q *Query) Scan2(p1, p *Plane, s *Scratch) {
	q.plane[1].rows.Sums(p.codes, s.Rows, s.dots2[:])
	base, step := q.bound(p, 1)
	s1, s2 := q.plane[0].scale, q.plane[1].scale
	shift := q.plane[0].shift + q.plane[1].shift
	base += float64(1e-12 * (math.Abs(base) + float64(float64(simd.Stretch(p1.largest))*(q.plane[0].most+q.plane[1].most+math.Abs(shift))) +
		float64(255*(step[0]+step[1]+step[2]+step[3]))))
	for i, r := range s.Rows {
		coded := shift + float64(s1*float64(s.Dots[r])) + float64(s2*float64(s.dots2[i]))
		s.Upper2[i] = base + float64(coded*float64(simd.Stretch(p1.stretch[r]))) + float64(step[0]*float64(p.residuals[0][r])) + float64(step[1]*float64(p.residuals[1][r])) +
			float64(step[2]*float64(p.residuals[2][r])) + float64(step[3]*float64(p.residuals[3][r]))
	}
}

// Bounds1 bounds the wanted rows of plane 1 from both sides: what bounds a sum from above
// bounds its opposite as well, so that the lower bound is the upper one less twice the
// allowances. The other rows may get bounds, too.
func (q *Query) Bounds1(p *Plane, wanted *[BlockRows / 64]uint64, s *Scratch, lower, upper []float32) {
	n := &q.plane[0]
	base, step := q.bound(p, 0)
	size := math.Abs(base) + float64(float64(simd.Stretch(p.largest))*(n.most+math.Abs(n.shift))) + float64(255*(step[0]+step[1]))
	if beyondFloat32(size, n.scale) {
		for i := range lower {
			lower[i], upper[i] = float32(math.Inf(-1)), float32(math.Inf(1))
		}
		return
	}
	q.Scan1(p, wanted, math.Inf(-1), s)
	rounding := float64(size * 0x1p-20)
	fixed := q.gap(p, 0) + float64(2*rounding)
	for w, word := range wanted {
		if word == 0 {
			continue
		}
		for i := 64 * w; i < 64*w+64; i++ {
			up := float64(s.Upper[i])
			residual := float64(step[0]*float64(p.residuals[0][i])) + float64(step[1]*float64(p.residuals[1][i]))
			upper[i] = roundUp(up + rounding)
			lower[i] = roundDown(up - fixed - float64(2*residual) - float64(n.width*float64(simd.Stretch(p.stretch[i]))))
		}
	}
}

// Lower2 is the lower bound of row s.Rows[i], of which Scan2 has found the upper one.
func (q *Query) Lower2(p1, p *Plane, s *Scratch, i int) float64 {
	_, step := q.bound(p, 1)
	r := s.Rows[i]
	residual := 0.0
	for g := range q.t.split[1] {
		residual += float64(step[g] * float64(p.residuals[g][r]))
	}
	width := float64((q.plane[0].width + q.plane[1].width) * float64(simd.Stretch(p1.stretch[r])))
	size := math.Abs(s.Upper2[i]) + residual + float64(float64(simd.Stretch(p1.largest))*(q.plane[0].most+q.plane[1].most))
	return s.Upper2[i] - q.gap(p, 1) - float64(2*residual) - width - float64(1e-11*(1+size))
}

// gap is the part of twice the allowances of plane k that is the same for all rows.
func (q *Query) gap(p *Plane, k int) float64 {
	sum := q.slack + float64(q.rho*p.maxV) + float64(q.arho*p.maxY)
	for g, size := range q.plane[k].size {
		sum += float64(size * p.low[g])
	}
	return float64(2 * sum)
}

func beyondFloat32(size, scale float64) bool {
	return math.Abs(size) > 1e30 || scale != 0 && scale < 1e-35
}

func roundUp(x float64) float32 { return -roundDown(-x) }

// Spread is the part of a row's bound by plane k and those before it (0 or 1) that is not
// estimate but allowance for the residual.
func (q *Query) Spread(p *Plane, k, row int) float64 {
	sum := 0.0
	for g := range q.t.split[k] {
		sum += float64(q.plane[k].size[g] * (p.low[g] + float64(p.step[g]*float64(p.residuals[g][row]))))
	}
	return sum
}

// TypicalSpread is what Spread by plane 1 was on average for the rows that the transform was
// trained on.
func (q *Query) TypicalSpread() float64 {
	sum := 0.0
	for g, r := range q.t.typical {
		sum += float64(q.plane[0].size[g] * float64(r))
	}
	return sum
}

// roundDown returns a float32 that is not above x.
func roundDown(x float64) float32 {
	f := float32(x)
	if float64(f) > x {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// Narrow returns the query with the allowances for the residuals taken for a part of what they
// are proven to be: then the bounds hold for most rows and not for all.
func (q *Query) Narrow(part float64) *Query {
	n := *q
	for k := range n.plane {
		for g := range n.plane[k].size {
			n.plane[k].size[g] = float64(n.plane[k].size[g] * part)
		}
	}
	return &n
}
