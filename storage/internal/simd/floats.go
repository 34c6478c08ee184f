package simd

import "unsafe"

// Dot returns the sum of q[i]*x[i]. In this and the functions below q holds
// float32 numbers widened to float64, padded with zeros to Pad(len(x)), and x is
// not empty.
func Dot(q []float64, x []float32) float64 {
	_ = q[Pad(len(x))-1]
	if level == portable {
		return dotGo(q, x)
	}
	var rest [Lanes]float32
	return dotKernel(&q[0], floatBytes(x), len(x)/Lanes, tail(x, &rest))
}

// DotWide is Dot for any q of float64, whose products are rounded before they are added.
func DotWide(q []float64, x []float32) float64 {
	_ = q[Pad(len(x))-1]
	if level == portable {
		return dotGo(q, x)
	}
	var rest [Lanes]float32
	return dotWideKernel(&q[0], floatBytes(x), len(x)/Lanes, tail(x, &rest))
}

// DotNorm returns the sums of q[i]*x[i] and of x[i]*x[i].
func DotNorm(q []float64, x []float32) (dot, norm float64) {
	_ = q[Pad(len(x))-1]
	if level == portable {
		return dotNormGo(q, x)
	}
	var rest [Lanes]float32
	return dotNormKernel(&q[0], floatBytes(x), len(x)/Lanes, tail(x, &rest))
}

// L2 returns the sum of (q[i]-x[i])^2.
func L2(q []float64, x []float32) float64 {
	_ = q[Pad(len(x))-1]
	if level == portable {
		return l2Go(q, x)
	}
	var rest [Lanes]float32
	return l2Kernel(&q[0], floatBytes(x), len(x)/Lanes, tail(x, &rest))
}

// L1 returns the sum of |q[i]-x[i]|.
func L1(q []float64, x []float32) float64 {
	_ = q[Pad(len(x))-1]
	if level == portable {
		return l1Go(q, x)
	}
	var rest [Lanes]float32
	return l1Kernel(&q[0], floatBytes(x), len(x)/Lanes, tail(x, &rest))
}

// DotBytes is Dot for little-endian float32 at any alignment, as are the
// functions below for theirs.
func DotBytes(q []float64, x []byte) float64 {
	_ = q[Pad(len(x)/4)-1]
	if level == portable {
		return dotBytesGo(q, x)
	}
	var rest [4 * Lanes]byte
	return dotKernel(&q[0], &x[0], len(x)/(4*Lanes), tailBytes(x, &rest))
}

func DotNormBytes(q []float64, x []byte) (dot, norm float64) {
	_ = q[Pad(len(x)/4)-1]
	if level == portable {
		return dotNormBytesGo(q, x)
	}
	var rest [4 * Lanes]byte
	return dotNormKernel(&q[0], &x[0], len(x)/(4*Lanes), tailBytes(x, &rest))
}

func L2Bytes(q []float64, x []byte) float64 {
	_ = q[Pad(len(x)/4)-1]
	if level == portable {
		return l2BytesGo(q, x)
	}
	var rest [4 * Lanes]byte
	return l2Kernel(&q[0], &x[0], len(x)/(4*Lanes), tailBytes(x, &rest))
}

func L1Bytes(q []float64, x []byte) float64 {
	_ = q[Pad(len(x)/4)-1]
	if level == portable {
		return l1BytesGo(q, x)
	}
	var rest [4 * Lanes]byte
	return l1Kernel(&q[0], &x[0], len(x)/(4*Lanes), tailBytes(x, &rest))
}

// tail copies the elements after the last whole chunk to rest, which is zero, and returns
// its first byte, or nil if there are none.
func tail(x []float32, rest *[Lanes]float32) *byte {
	if len(x)%Lanes == 0 {
		return nil
	}
	copy(rest[:], x[len(x)&^(Lanes-1):])
	return floatBytes(rest[:])
}

func tailBytes(x []byte, rest *[4 * Lanes]byte) *byte {
	n := len(x) % (4 * Lanes)
	if n == 0 {
		return nil
	}
	copy(rest[:], x[len(x)-n:])
	return &rest[0]
}

// floatBytes is the first byte of x: every float32 is aligned for bytes, and the processors
// that have kernels store them as files have them, little-endian.
func floatBytes(x []float32) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }
