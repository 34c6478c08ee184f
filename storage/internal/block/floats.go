package block

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/lupadb/lupa/storage/internal/simd"
	"github.com/lupadb/lupa/storage/value"
)

var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// Floats decodes little endian floats into dst; src has at least 4*len(dst) bytes
// and may be unaligned.
func Floats(dst []float32, src []byte) {
	if len(dst) == 0 {
		return
	}
	src = src[:4*len(dst)]
	if littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(src)), src)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// AppendFloats appends the little endian bytes of v.
func AppendFloats(dst []byte, v []float32) []byte {
	if len(v) == 0 {
		return dst
	}
	if littleEndian {
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))...)
	}
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

// NumberBytes returns what a number of a vector of this type takes on the disk.
func NumberBytes(t value.Type) int {
	if t.Half {
		return 2
	}
	return 4
}

// Numbers decodes the stored numbers of vectors of this type into dst; src has at least
// NumberBytes for each and may be unaligned.
func Numbers(dst []float32, src []byte, t value.Type) {
	if t.Half {
		simd.Halves(dst, src)
		return
	}
	Floats(dst, src)
}

// AppendNumbers appends the stored numbers of vectors of this type.
func AppendNumbers(dst []byte, v []float32, t value.Type) []byte {
	if t.Half {
		return value.AppendHalves(dst, v)
	}
	return AppendFloats(dst, v)
}

// PageBytes is the largest size of a new page that holds more than one row. An exact
// search ends with some thousand rows here and there, each of which brings in its
// page, so a small page is read sooner; stepping to the next page takes about half a
// microsecond, so a scan of all of them prefers large ones.
const PageBytes = 64 << 10

// MaxPageBytes is the same for pages of any age.
const MaxPageBytes = 256 << 10

// RowsPerPage returns how many vectors of a type share a page of a size: a power
// of two, so that a page belongs to one block of 1,024 rows.
func RowsPerPage(t value.Type, bytes int) int {
	n := 1024
	for n > 1 && n*t.Dim*NumberBytes(t) > bytes {
		n /= 2
	}
	return n
}
