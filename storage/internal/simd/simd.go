package simd

// Dot returns the sum of q[i]*x[i]. In this and the functions below q holds
// float32 numbers widened to float64, padded with zeros to Pad(len(x)).
func Dot(q []float64, x []float32) float64 { return dotGo(q, x) }

// DotNorm returns the sums of q[i]*x[i] and of x[i]*x[i].
func DotNorm(q []float64, x []float32) (dot, norm float64) { return dotNormGo(q, x) }

// L2 returns the sum of (q[i]-x[i])^2.
func L2(q []float64, x []float32) float64 { return l2Go(q, x) }

// L1 returns the sum of |q[i]-x[i]|.
func L1(q []float64, x []float32) float64 { return l1Go(q, x) }

// DotBytes is Dot for little-endian float32 at any alignment, as are the
// functions below for theirs.
func DotBytes(q []float64, x []byte) float64                 { return dotBytesGo(q, x) }
func DotNormBytes(q []float64, x []byte) (dot, norm float64) { return dotNormBytesGo(q, x) }
func L2Bytes(q []float64, x []byte) float64                  { return l2BytesGo(q, x) }
func L1Bytes(q []float64, x []byte) float64                  { return l1BytesGo(q, x) }
