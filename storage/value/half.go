package value

import (
	"encoding/binary"
	"fmt"
	"math"
)

// MaxHalf is the largest number a float16 (IEEE 754 binary16) holds. Larger ones that
// round to it are below 65,520.
const MaxHalf = 65504

// HalfToFloat converts a float16 exactly: its exponent and fraction, moved to a float32's
// place, are 2^-112 of the value, subnormals included.
func HalfToFloat(h uint16) float32 {
	const infinity = 0x7c00
	abs := uint32(h & 0x7fff)
	f := float32(math.Float32frombits(abs<<13) * 0x1p112)
	if abs >= infinity {
		f = math.Float32frombits(abs<<13 | 0x7f800000)
	}
	return math.Float32frombits(math.Float32bits(f) | uint32(h&0x8000)<<16)
}

// FloatToHalf rounds to the nearest float16, of two equally near ones to the even one, as
// processors do. What is too large becomes an infinity; a NaN stays one.
func FloatToHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	sign, abs := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00
	case abs >= 0x477ff000: // 65,520
		return sign | 0x7c00
	case abs < 0x38800000: // less than 2^-14: the last place of 0.5 is that of a subnormal
		return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-0x3f000000)
	}
	return sign | uint16((abs+0xfff+abs>>13&1-0x38000000)>>13)
}

// RoundHalf sets dst[i] to the float16 nearest to src[i], as float32. dst may be src. It
// returns the first position whose number is too large for a float16, -1 if there is none.
func RoundHalf(dst, src []float32) int {
	bad := -1
	for i := len(src) - 1; i >= 0; i-- {
		x := src[i]
		abs := math.Float32bits(x) & 0x7fffffff
		switch {
		case abs >= 0x477ff000:
			bad = i
		case abs >= 0x38800000:
			x = math.Float32frombits((math.Float32bits(x) + 0xfff + math.Float32bits(x)>>13&1) &^ 0x1fff)
		default:
			x = math.Float32frombits(math.Float32bits(math.Float32frombits(abs)+0.5-0.5) | math.Float32bits(x)&0x80000000)
		}
		dst[i] = x
	}
	return bad
}

// AppendHalves appends v as float16, little endian, each number rounded to the nearest.
func AppendHalves(dst []byte, v []float32) []byte {
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint16(dst, FloatToHalf(x))
	}
	return dst
}

// CheckHalf returns why v can't be a vector of float16, or nil.
func CheckHalf(v []float32) error {
	for i, x := range v {
		if math.Float32bits(x)&0x7fffffff >= 0x477ff000 {
			return HalfRangeError(x, i)
		}
	}
	return nil
}

// HalfRangeError is the error for element i of a vector, x, which float16 can't hold.
func HalfRangeError(x float32, i int) error {
	return fmt.Errorf("%s at position %d of the vector is out of range for HALFVEC, whose numbers go up to %d; VECTOR has room for it", AppendReal(nil, float64(x)), i, MaxHalf)
}
