package vector

import "math"

// A Curve turns cosine similarities with one query into numbers between 0 and 1 that can be
// compared between queries, the relevance of rows: that of a similarity s is
// 1 / (1 + exp(-Slope * (s - Middle))).
type Curve struct {
	Middle float64 // the similarity at which it is 0.5
	Slope  float64 // above zero
}

// At returns the relevance of a similarity, in [0, 1]: the same number on every machine.
func (c Curve) At(s float64) float64 {
	x := float64(c.Slope * (s - c.Middle))
	if x < 0 {
		e := exponential(x)
		return e / (1 + e)
	}
	return 1 / (1 + exponential(-x))
}

// Below returns a similarity below which the relevance is less than p: a little lower than need
// be, for what is rounded.
func (c Curve) Below(p float64) float64 {
	p -= float64(1e-14 * math.Abs(p))
	switch {
	case p <= 0:
		return math.Inf(-1)
	case p > 1:
		return math.Inf(1)
	}
	s := c.Middle + math.Log(p/max(1-p, 1e-17))/c.Slope
	return s - float64(1e-9*(1+math.Abs(s)))
}

// exponential is e^x for x up to 0. That of package math is in assembly on some machines, and
// may differ in the last bit.
func exponential(x float64) float64 {
	if x < -700 {
		return 0
	}
	// x = k ln 2 + f with |f| <= ln 2 / 2, and ln 2 in two parts, of which the first times k is exact.
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	k := math.Floor(float64(x/math.Ln2) + 0.5)
	f := (x - float64(k*high)) - float64(k*low)
	term, sum := 1.0, 1.0
	for i := 1; i <= 14; i++ {
		term = float64(term*f) / float64(i)
		sum += term
	}
	return math.Ldexp(sum, int(k))
}
