package vector

import (
	"fmt"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// Query is one vector prepared for being compared with many. It is immutable
// and safe for concurrent use.
type Query struct {
	metric Metric
	vec    []float32
	wide   []float64 // vec in float64, zero-padded to a multiple of simd.Lanes
	sq     float64   // <vec, vec>
}

// NewQuery prepares q for comparisons under m. It copies q, and returns an
// error if q is empty or has a NaN or an infinity.
func NewQuery(m Metric, q []float32) (*Query, error) {
	if int(m) >= len(metricNames) {
		return nil, fmt.Errorf("unknown measure %v", m)
	}
	if err := Check(q); err != nil {
		return nil, err
	}
	p := &Query{metric: m, vec: slices.Clone(q), wide: make([]float64, simd.Pad(len(q)))}
	for i, x := range q {
		p.wide[i] = float64(x)
	}
	p.sq = simd.Dot(p.wide, p.vec)
	return p, nil
}

// Check returns an error that names the first element of v that is not finite,
// and an error if v is empty.
func Check(v []float32) error {
	if len(v) == 0 {
		return fmt.Errorf("a vector needs at least one dimension")
	}
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("element %d of the vector is %v; only finite numbers are allowed", i+1, x)
		}
	}
	return nil
}

// Metric returns the measure the query was made for.
func (q *Query) Metric() Metric { return q.metric }

// Dim returns the length of the query and of all it can be compared with.
func (q *Query) Dim() int { return len(q.vec) }

// Vector returns the query's vector, which must not be changed.
func (q *Query) Vector() []float32 { return q.vec }

// Zero reports whether the vector is zero, so that Cosine is NaN throughout.
func (q *Query) Zero() bool { return q.sq == 0 }

// SquaredNorm returns <q, q> in float64.
func (q *Query) SquaredNorm() float64 { return q.sq }

// Score returns the measure between the query and x, which has Dim elements:
// the value of the SQL function, see Metric.
func (q *Query) Score(x []float32) float64 {
	switch q.metric {
	case Cosine:
		dot, sq := simd.DotNorm(q.wide, x)
		return cosine(dot, q.sq, sq)
	case InnerProduct:
		return simd.Dot(q.wide, x)
	case L2:
		return math.Sqrt(simd.L2(q.wide, x))
	case L1:
		return simd.L1(q.wide, x)
	}
	panic("vector: no score of " + q.metric.String())
}

// ScoreBatch sets out[i] to the Score of the i-th of len(out) vectors, which lie
// one after the other in x.
func (q *Query) ScoreBatch(x []float32, out []float64) {
	d := len(q.vec)
	for i := range out {
		out[i] = q.Score(x[i*d : (i+1)*d])
	}
}

// ScoreBytes is Score of a vector in its stored form: 4*Dim bytes,
// little-endian float32, at any alignment.
func (q *Query) ScoreBytes(x []byte) float64 {
	switch q.metric {
	case Cosine:
		dot, sq := simd.DotNormBytes(q.wide, x)
		return cosine(dot, q.sq, sq)
	case InnerProduct:
		return simd.DotBytes(q.wide, x)
	case L2:
		return math.Sqrt(simd.L2Bytes(q.wide, x))
	case L1:
		return simd.L1Bytes(q.wide, x)
	}
	panic("vector: no score of " + q.metric.String())
}

// ScorePage is ScoreBatch of len(out) vectors in their stored form.
func (q *Query) ScorePage(x []byte, out []float64) {
	d := 4 * len(q.vec)
	for i := range out {
		out[i] = q.ScoreBytes(x[i*d : (i+1)*d])
	}
}

// cosine needs no guard against overflow: squared norms of finite float32
// vectors lie between 2^-298 and 2^269. The root of the product, rather than the
// product of the roots, makes a vector's similarity with itself exactly 1.
func cosine(dot, a, b float64) float64 {
	if a == 0 || b == 0 {
		return math.NaN()
	}
	return max(-1, min(1, dot/math.Sqrt(a*b)))
}

// Score returns the measure between a and b, which have the same length, equal
// in every bit to that of a Query made of either.
func Score(m Metric, a, b []float32) float64 {
	var buf [1024]float64
	wide := buf[:0]
	if n := simd.Pad(len(a)); n > len(buf) {
		wide = make([]float64, n)
	} else {
		wide = buf[:n]
	}
	for i, x := range a {
		wide[i] = float64(x)
	}
	q := Query{metric: m, vec: a, wide: wide}
	if m == Cosine {
		q.sq = simd.Dot(wide, a)
	}
	return q.Score(b)
}

// Norm returns the Euclidean norm of v.
func Norm(v []float32) float64 { return Score(L2, v, make([]float32, len(v))) }
