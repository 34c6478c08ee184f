package vector_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/lupadb/lupa/storage/vector"
)

var metrics = vector.Metrics()

func randomVector(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// Every way of asking for a score gives the same bits, and they are those of
// exact arithmetic but for a rounding error.
func TestScore(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 2, 3, 7, 15, 16, 17, 31, 33, 100, 128, 512, 768, 1000, 1536, 8191, 8192} {
		const rows = 3
		x := randomVector(rng, rows*dim)
		q := randomVector(rng, dim)
		// an odd offset: stored pages have no alignment
		page := vector.AppendBytes([]byte{0}, x)[1:]
		for _, m := range metrics {
			query, err := vector.NewQuery(m, q)
			if err != nil {
				t.Fatal(err)
			}
			var batch, fromPage [rows]float64
			query.ScoreBatch(x, batch[:])
			query.ScorePage(page, fromPage[:])
			for i := range rows {
				v := x[i*dim : (i+1)*dim]
				want := query.Score(v)
				for name, got := range map[string]float64{
					"batch": batch[i], "page": fromPage[i], "bytes": query.ScoreBytes(page[4*i*dim : 4*(i+1)*dim]),
					"pair": vector.Score(m, q, v), "pair swapped": vector.Score(m, v, q),
				} {
					if math.Float64bits(got) != math.Float64bits(want) {
						t.Errorf("%v, dim %d: %s gives %v, Score %v", m, dim, name, got, want)
					}
				}
				if exact := exactScore(m, q, v); math.Abs(want-exact) > 1e-13*(1+math.Abs(exact)) {
					t.Errorf("%v, dim %d: %v, exactly %v", m, dim, want, exact)
				}
			}
		}
	}
}

// exactScore computes with 2,000 bits.
func exactScore(m vector.Metric, a, b []float32) float64 {
	num := func(x float64) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(x) }
	dot, aa, bb, l2, l1 := num(0), num(0), num(0), num(0), num(0)
	for i := range a {
		x, y := num(float64(a[i])), num(float64(b[i]))
		d := num(0).Sub(x, y)
		dot.Add(dot, num(0).Mul(x, y))
		aa.Add(aa, num(0).Mul(x, x))
		bb.Add(bb, num(0).Mul(y, y))
		l2.Add(l2, num(0).Mul(d, d))
		l1.Add(l1, d.Abs(d))
	}
	switch m {
	case vector.Cosine:
		aa.Mul(aa, bb)
		dot.Quo(dot, aa.Sqrt(aa))
	case vector.L2:
		dot.Sqrt(l2)
	case vector.InnerProduct:
	case vector.L1:
		dot = l1
	default:
		panic("no exact score of " + m.String())
	}
	f, _ := dot.Float64()
	return f
}

func TestScoreExtremes(t *testing.T) {
	const huge, tiny = math.MaxFloat32, math.SmallestNonzeroFloat32
	for _, v := range [][]float32{{huge, huge, huge}, {tiny, 0, 0}, {tiny, huge, -huge}, {3, 4}, {-1}} {
		if got := vector.Score(vector.Cosine, v, v); got != 1 {
			t.Errorf("similarity of %v with itself is %v", v, got)
		}
		if got := vector.Score(vector.L2, v, v); got != 0 {
			t.Errorf("distance of %v from itself is %v", v, got)
		}
		for _, m := range metrics {
			if got := vector.Score(m, v, v); got-got != 0 {
				t.Errorf("%v of %v with itself is %v", m, v, got)
			}
		}
		zero := make([]float32, len(v))
		if got := vector.Score(vector.Cosine, v, zero); got == got {
			t.Errorf("similarity of %v with a zero vector is %v, want NaN", v, got)
		}
	}
	if got := vector.Norm([]float32{3, 4}); got != 5 {
		t.Errorf("norm of (3, 4) is %v", got)
	}
	for _, bad := range [][]float32{nil, {1, float32(math.NaN())}, {float32(math.Inf(-1))}} {
		if _, err := vector.NewQuery(vector.Cosine, bad); err == nil {
			t.Errorf("%v was accepted as a query", bad)
		}
	}
}
