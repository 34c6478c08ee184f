package fn

import (
	"slices"

	"github.com/lupadb/lupa/storage/vector"
)

// Measure is a distance or similarity of the language. Its value is the metric's, or with
// Negate its negative, or with FromOne one minus it.
type Measure struct {
	Name            string // as it is called: an operator or a function
	Metric          vector.Metric
	Negate, FromOne bool
}

// measures are all there are; searches are made of them. Those that are called have an entry
// in the table of functions, too.
var measures = []Measure{
	{Name: "<->", Metric: vector.L2},
	{Name: "<#>", Metric: vector.InnerProduct, Negate: true},
	{Name: "<=>", Metric: vector.Cosine, FromOne: true},
	{Name: "<+>", Metric: vector.L1},
	{Name: "l2_distance", Metric: vector.L2},
	{Name: "inner_product", Metric: vector.InnerProduct},
	{Name: "cosine_distance", Metric: vector.Cosine, FromOne: true},
	{Name: "l1_distance", Metric: vector.L1},
	{Name: "similarity", Metric: vector.Cosine},
	{Name: "cosine_similarity", Metric: vector.Cosine},
}

// MeasureOf returns the measure of a name, in lower case, or of an operator.
func MeasureOf(name string) (Measure, bool) {
	i := slices.IndexFunc(measures, func(m Measure) bool { return m.Name == name })
	if i < 0 {
		return Measure{}, false
	}
	return measures[i], true
}

// HigherIsBetter tells whether the nearest rows have the highest values.
func (m Measure) HigherIsBetter() bool { return m.Metric.HigherIsBetter() && !m.Negate && !m.FromOne }

// Value returns the measure's value where the metric's is s.
func (m Measure) Value(s float64) float64 {
	switch {
	case m.Negate:
		return -s
	case m.FromOne:
		return 1 - s
	}
	return s
}

// measureKernel is the measure of this name between two vectors.
func measureKernel(name string) kernel {
	m, _ := MeasureOf(name)
	if !m.Negate && !m.FromOne {
		return scoreKernel(m.Metric, nil)
	}
	return scoreKernel(m.Metric, m.Value)
}
