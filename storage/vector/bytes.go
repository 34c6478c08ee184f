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
