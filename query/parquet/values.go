package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go/format"
)

// values are values of one physical type, in the slice of that type: ints of BOOLEAN,
// INT32 and INT64; bins of the other types, INT96 included.
// Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/
type values struct {
	ints []int64
	f32  []float32
	f64  []float64
	bins [][]byte
	own  []byte // bytes of bins that are not in a page as they are
}

func (v *values) reset() {
	v.ints, v.f32, v.f64, v.bins = v.ints[:0], v.f32[:0], v.f64[:0], v.bins[:0]
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// decode reads n values that are not indexes into a dictionary.
func (v *values) decode(l *leafDef, e format.Encoding, b []byte, n int) error {
	switch e {
	case format.Plain:
		return v.plain(l, b, n)
	case format.RLE:
		if l.physical != format.Boolean || len(b) < 4 {
			break
		}
		v.reset()
		v.ints = grow(v.ints, n)
		return decodeHybrid(v.ints, b[4:], 1)
	case format.DeltaBinaryPacked:
		if l.physical != format.Int32 && l.physical != format.Int64 {
			break
		}
		v.reset()
		var err error
		v.ints, _, err = decodeDelta(v.ints, b, n)
		if l.physical == format.Int32 {
			for i, x := range v.ints {
				v.ints[i] = int64(int32(x)) // differences wrap around
			}
		}
		return err
	case format.DeltaLengthByteArray:
		if l.physical == format.ByteArray {
			return v.deltaLength(b, n)
		}
	case format.DeltaByteArray:
		if l.physical == format.ByteArray || l.physical == format.FixedLenByteArray {
			return v.deltaBytes(l, b, n)
		}
	case format.ByteStreamSplit:
		return v.split(l, b, n)
	}
	return fmt.Errorf("values of type %v encoded as %v can't be read", l.physical, e)
}

// plain reads n values as they are.
func (v *values) plain(l *leafDef, b []byte, n int) error {
	v.reset()
	size := map[format.Type]int{format.Int32: 4, format.Int64: 8, format.Int96: 12, format.Float: 4, format.Double: 8, format.FixedLenByteArray: l.length}[l.physical]
	if size > 0 && len(b)/size < n || l.physical == format.Boolean && len(b) < (n+7)/8 {
		return io.ErrUnexpectedEOF
	}
	switch l.physical {
	case format.Boolean:
		v.ints = grow(v.ints, n)
		for i := range v.ints {
			v.ints[i] = int64(b[i>>3] >> (i & 7) & 1)
		}
	case format.Int32:
		v.ints = grow(v.ints, n)
		for i := range v.ints {
			v.ints[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case format.Int64:
		v.ints = grow(v.ints, n)
		for i := range v.ints {
			v.ints[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	case format.Float:
		v.f32 = grow(v.f32, n)
		for i := range v.f32 {
			v.f32[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case format.Double:
		v.f64 = grow(v.f64, n)
		for i := range v.f64 {
			v.f64[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	case format.Int96, format.FixedLenByteArray:
		if size == 0 {
			return errors.New("bytes of length 0")
		}
		v.bins = grow(v.bins, n)
		for i := range v.bins {
			v.bins[i] = b[i*size : (i+1)*size]
		}
	case format.ByteArray:
		if len(b)/4 < n { // each takes its length at least
			return io.ErrUnexpectedEOF
		}
		v.bins = grow(v.bins, n)
		for i := range v.bins {
			if len(b) < 4 {
				return io.ErrUnexpectedEOF
			}
			k := int64(binary.LittleEndian.Uint32(b))
			if k > int64(len(b)-4) {
				return io.ErrUnexpectedEOF
			}
			v.bins[i] = b[4 : 4+k]
			b = b[4+k:]
		}
	default:
		return fmt.Errorf("values of type %v can't be read", l.physical)
	}
	return nil
}

// pick takes values from a dictionary.
func (v *values) pick(dict *values, indexes []int32) error {
	v.reset()
	size := max(len(dict.ints), len(dict.f32), len(dict.f64), len(dict.bins))
	for _, i := range indexes {
		if uint32(i) >= uint32(size) {
			return fmt.Errorf("there is no entry %d in a dictionary of %d", uint32(i), size)
		}
	}
	n := len(indexes)
	switch {
	case len(dict.ints) > 0:
		v.ints = grow(v.ints, n)
		for k, i := range indexes {
			v.ints[k] = dict.ints[i]
		}
	case len(dict.f32) > 0:
		v.f32 = grow(v.f32, n)
		for k, i := range indexes {
			v.f32[k] = dict.f32[i]
		}
	case len(dict.f64) > 0:
		v.f64 = grow(v.f64, n)
		for k, i := range indexes {
			v.f64[k] = dict.f64[i]
		}
	default:
		v.bins = grow(v.bins, n)
		for k, i := range indexes {
			v.bins[k] = dict.bins[i]
		}
	}
	return nil
}

// deltaLength reads lengths, then the bytes of all.
func (v *values) deltaLength(b []byte, n int) error {
	v.reset()
	var err error
	var used int
	if v.ints, used, err = decodeDelta(v.ints, b, n); err != nil {
		return err
	}
	b = b[used:]
	v.bins = grow(v.bins, n)
	for i, k := range v.ints {
		if k = int64(int32(k)); k < 0 || k > int64(len(b)) {
			return io.ErrUnexpectedEOF
		}
		v.bins[i] = b[:k]
		b = b[k:]
	}
	v.ints = v.ints[:0]
	return nil
}

// deltaBytes reads what each value shares with the one before it, and the rest.
func (v *values) deltaBytes(l *leafDef, b []byte, n int) error {
	prefixes, used, err := decodeDelta(nil, b, n)
	if err != nil {
		return err
	}
	var rest values
	if err := rest.deltaLength(b[used:], n); err != nil {
		return err
	}
	v.reset()
	total := 0
	for i, k := range prefixes {
		before := 0
		if i > 0 {
			before = int(int32(prefixes[i-1])) + len(rest.bins[i-1])
		}
		if k = int64(int32(k)); k < 0 || k > int64(before) {
			return errors.New("a prefix longer than the value before")
		}
		size := int(k) + len(rest.bins[i])
		if l.physical == format.FixedLenByteArray && size != l.length {
			return fmt.Errorf("%d bytes where each value has %d", size, l.length)
		}
		if total += size; total > maxPage {
			return errPageHeader
		}
	}
	v.own = grow(v.own, total)
	v.bins = grow(v.bins, n)
	at := 0
	for i, k := range prefixes {
		from := at
		if i > 0 {
			at += copy(v.own[at:], v.bins[i-1][:int32(k)])
		}
		at += copy(v.own[at:], rest.bins[i])
		v.bins[i] = v.own[from:at:at]
	}
	return nil
}

// split reads values whose first bytes come first, then all second bytes and so on.
func (v *values) split(l *leafDef, b []byte, n int) error {
	size := map[format.Type]int{format.Int32: 4, format.Int64: 8, format.Float: 4, format.Double: 8, format.FixedLenByteArray: l.length}[l.physical]
	if size == 0 {
		return fmt.Errorf("values of type %v encoded as BYTE_STREAM_SPLIT can't be read", l.physical)
	}
	if len(b)/size < n {
		return io.ErrUnexpectedEOF
	}
	out := make([]byte, n*size)
	stride := len(b) / size
	for k := range size {
		for i, x := range b[k*stride : k*stride+n] {
			out[i*size+k] = x
		}
	}
	return v.plain(l, out, n)
}

func bitWidth(most int) int { return bits.Len(uint(most)) }

// decodeHybrid fills dst with numbers of width bits, in runs of one number and in runs of
// packed ones.
func decodeHybrid[T uint8 | int32 | int64](dst []T, b []byte, width int) error {
	size := (width + 7) / 8
	for len(dst) > 0 {
		h, k := binary.Uvarint(b)
		if k <= 0 || h>>1 == 0 && h&1 == 1 {
			return io.ErrUnexpectedEOF
		}
		b = b[k:]
		if h&1 == 0 {
			if len(b) < size {
				return io.ErrUnexpectedEOF
			}
			var x uint64
			for i := range size {
				x |= uint64(b[i]) << (8 * i)
			}
			b = b[size:]
			run := dst[:min(h>>1, uint64(len(dst)))]
			for i := range run {
				run[i] = T(x)
			}
			dst = dst[len(run):]
			continue
		}
		count := int(min(h>>1, 1<<28)) * 8
		there := count
		if width > 0 {
			there = len(b) * 8 / width // the last run may be cut short
		}
		run := dst[:min(count, len(dst))]
		if there < len(run) {
			return io.ErrUnexpectedEOF
		}
		unpack(run, b, width)
		b = b[min(len(b), count/8*width):]
		dst = dst[len(run):]
	}
	return nil
}

// unpack reads numbers of width bits, at most 32, the lowest bits first.
func unpack[T uint8 | int32 | int64](dst []T, b []byte, width int) {
	var acc uint64
	have := 0
	mask := uint64(1)<<width - 1
	for i := range dst {
		for have < width {
			acc |= uint64(b[0]) << have
			b = b[1:]
			have += 8
		}
		dst[i] = T(acc & mask)
		acc >>= width
		have -= width
	}
}

// unpackFromTop reads levels as BIT_PACKED has them, the highest bits first.
func unpackFromTop(dst []uint8, b []byte, width, n int) []uint8 {
	dst = grow(dst, n)
	for i := range dst {
		x := 0
		for k := i * width; k < (i+1)*width; k++ {
			x = x<<1 | int(b[k>>3]>>(7-k&7)&1)
		}
		dst[i] = uint8(x)
	}
	return dst
}

var errDelta = errors.New("numbers encoded as differences are damaged")

// decodeDelta reads n numbers written as differences, and tells how many bytes they take.
func decodeDelta(dst []int64, b []byte, n int) ([]int64, int, error) {
	size := len(b)
	number := func() uint64 {
		x, k := binary.Uvarint(b)
		if k <= 0 {
			b = nil
			return math.MaxUint64
		}
		b = b[k:]
		return x
	}
	zigzag := func() int64 {
		x := number()
		return int64(x>>1) ^ -int64(x&1)
	}
	block, minis, count := number(), number(), number()
	last := zigzag()
	switch {
	case count < uint64(n):
		return dst, 0, io.ErrUnexpectedEOF
	case block == 0 || block > 1<<24 || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 || b == nil:
		return dst, 0, errDelta
	}
	per := int(block / minis)
	total := int(min(count, maxPageValues)) // all are passed over, n are wanted
	dst = grow(dst, n)
	set := func(i int) {
		if i < n {
			dst[i] = last
		}
	}
	if total > 0 {
		set(0)
	}
	for i := 1; i < total; {
		least := zigzag()
		if len(b) < int(minis) {
			return dst, 0, io.ErrUnexpectedEOF
		}
		widths := b[:minis]
		b = b[minis:]
		for _, w := range widths {
			if i >= total {
				break
			}
			if w > 64 {
				return dst, 0, errDelta
			}
			bytes := per / 8 * int(w)
			if len(b) < bytes {
				return dst, 0, io.ErrUnexpectedEOF
			}
			mini := b[:bytes]
			b = b[bytes:]
			for k := 0; k < per && i < total; k++ {
				last += least + int64(bitsAt(mini, k*int(w), int(w)))
				set(i)
				i++
			}
		}
	}
	return dst, size - len(b), nil
}

// bitsAt returns width bits, at most 64, from bit at on, the lowest first.
func bitsAt(b []byte, at, width int) uint64 {
	if width == 0 {
		return 0
	}
	first, shift := at>>3, at&7
	var x uint64
	if first+8 <= len(b) {
		x = binary.LittleEndian.Uint64(b[first:]) >> shift
	} else {
		for i, c := range b[first:] {
			x |= uint64(c) << (8 * i)
		}
		x >>= shift
	}
	if have := 64 - shift; have < width && first+8 < len(b) {
		x |= uint64(b[first+8]) << have
	}
	if width < 64 {
		x &= 1<<width - 1
	}
	return x
}
