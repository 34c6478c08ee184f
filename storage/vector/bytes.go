package vector

import (
	"encoding/binary"
	"math"
)

// AppendBytes appends v in its stored form, little-endian float32.
func AppendBytes(dst []byte, v []float32) []byte {
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

// FromBytes decodes len(dst) elements from their stored form, at any alignment.
func FromBytes(dst []float32, b []byte) {
	b = b[:4*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}
