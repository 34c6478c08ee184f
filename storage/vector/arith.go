package vector

// The arithmetic of vector expressions, in float32 and element by element, so
// that it is the same to the last bit on every machine. All slices of a call
// have the same length, and dst does not overlap the others.

// Add sets dst to a + b.
func Add(dst, a, b []float32) { add(dst, a, b) }

// Sub sets dst to a - b.
func Sub(dst, a, b []float32) { sub(dst, a, b) }

// AddScaled adds weight * x to sum. scratch is overwritten.
func AddScaled(sum, x []float32, weight float32, scratch []float32) {
	if weight == 1 {
		addTo(sum, x)
		return
	}
	scale(scratch, x, weight)
	addTo(sum, scratch)
}

// Normalize sets dst to v scaled to unit length; a zero vector stays zero. dst may
// be v. The division is done in float64, which no finite vector overflows.
func Normalize(dst, v []float32) {
	norm := Norm(v)
	if norm == 0 {
		norm = 1
	}
	for i, x := range v {
		dst[i] = float32(float64(x) / norm)
	}
}
