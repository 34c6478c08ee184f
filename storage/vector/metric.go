package vector

import (
	"fmt"
	"math"
)

// Metric is a measure between two vectors of equal length, the same whichever comes first.
type Metric uint8

const (
	// Cosine is <a, b> / (|a| |b|), within [-1, 1]; NaN (NULL in the language)
	// if either vector is zero. Higher is more alike.
	Cosine Metric = iota
	// InnerProduct is <a, b>. Higher is more alike.
	InnerProduct
	// L2 is the Euclidean distance |a - b|.
	L2
	// L1 is the taxicab distance, the sum of |a_i - b_i|.
	L1
)

var metricNames = [...]string{"cosine similarity", "inner product", "L2 distance", "L1 distance"}

// Metrics returns all there are.
func Metrics() []Metric {
	all := make([]Metric, len(metricNames))
	for i := range all {
		all[i] = Metric(i)
	}
	return all
}

// String names the measure in plain words, "cosine similarity".
func (m Metric) String() string {
	if int(m) < len(metricNames) {
		return metricNames[m]
	}
	return fmt.Sprintf("Metric(%d)", uint8(m))
}

// Range returns the scores there can be at all, but for rounding.
func (m Metric) Range() (low, high float64) {
	switch m {
	case Cosine:
		return -1, 1
	case InnerProduct:
		return math.Inf(-1), math.Inf(1)
	}
	return 0, math.Inf(1) // distances
}

// HigherIsBetter reports whether the nearest vectors have the highest scores
// (Cosine, InnerProduct) rather than the lowest.
func (m Metric) HigherIsBetter() bool { return m <= InnerProduct }
