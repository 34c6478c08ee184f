package block

import (
	"encoding/binary"

	"github.com/lupadb/lupa/storage/value"
)

// widthOf returns the bytes that hold every number up to max, 8 when only a raw
// encoding does.
func widthOf(max uint64) int {
	switch {
	case max == 0:
		return 0
	case max < 1<<8:
		return 1
	case max < 1<<16:
		return 2
	case max < 1<<32:
		return 4
	}
	return 8
}

// appendInts picks the smallest encoding. A NULL takes the value before it, so
// that it widens nothing.
func appendInts(dst []byte, col *value.Column, n int) ([]byte, byte) {
	at := func(i int, prev int64) int64 {
		if col.Null(i) {
			return prev
		}
		return col.Ints[i]
	}
	var first int64
	for i := range n {
		if !col.Null(i) {
			first = col.Ints[i]
			break
		}
	}
	lo, hi := first, first
	var dlo, dhi int64
	steady := n > 1
	prev := first
	for i := range n {
		v := at(i, prev)
		lo, hi = min(lo, v), max(hi, v)
		if i > 0 {
			d := v - prev
			if (v < prev) != (d < 0) { // the difference overflows
				steady = false
			}
			if i == 1 {
				dlo, dhi = d, d
			}
			dlo, dhi = min(dlo, d), max(dhi, d)
		}
		prev = v
	}
	wf := widthOf(uint64(hi) - uint64(lo))
	wd := 8
	if steady {
		wd = widthOf(uint64(dhi) - uint64(dlo))
	}
	switch {
	case wd < wf && 17+(n-1)*wd < 9+n*wf:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(first))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(dlo))
		dst = append(dst, byte(wd))
		prev = first
		for i := range n {
			v := at(i, prev)
			if i > 0 {
				dst = appendWidth(dst, uint64(v-prev)-uint64(dlo), wd)
			}
			prev = v
		}
		return dst, delta
	case wf < 8:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(lo))
		dst = append(dst, byte(wf))
		prev = first
		for i := range n {
			prev = at(i, prev)
			dst = appendWidth(dst, uint64(prev)-uint64(lo), wf)
		}
		return dst, frame
	}
	prev = first
	for i := range n {
		prev = at(i, prev)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(prev))
	}
	return dst, raw
}

func appendWidth(dst []byte, v uint64, width int) []byte {
	switch width {
	case 1:
		return append(dst, byte(v))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return dst
}

func readWidth(src []byte, i, width int) uint64 {
	switch width {
	case 1:
		return uint64(src[i])
	case 2:
		return uint64(binary.LittleEndian.Uint16(src[2*i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(src[4*i:]))
	}
	return 0
}

func (p *parsed) ints(out []int64) {
	switch p.enc {
	case frame:
		lo, w, offs := binary.LittleEndian.Uint64(p.body), int(p.body[8]), p.body[9:]
		addOffsets(out, lo, offs, w)
	case delta:
		v := binary.LittleEndian.Uint64(p.body)
		dlo, w, offs := binary.LittleEndian.Uint64(p.body[8:]), int(p.body[16]), p.body[17:]
		if len(out) == 0 {
			return
		}
		out[0] = int64(v)
		addOffsets(out[1:], dlo, offs, w)
		for i := range out[1:] {
			v += uint64(out[i+1])
			out[i+1] = int64(v)
		}
	default:
		for i := range out {
			out[i] = int64(binary.LittleEndian.Uint64(p.body[8*i:]))
		}
	}
}

// addOffsets sets out[i] to base and offset i, of w bytes. It takes 8 bytes of
// offsets at a time.
func addOffsets(out []int64, base uint64, offs []byte, w int) {
	i := 0
	switch w {
	case 0:
		for i := range out {
			out[i] = int64(base)
		}
		return
	case 1:
		for ; i+8 <= len(out); i += 8 {
			x, o := binary.LittleEndian.Uint64(offs[i:]), out[i:i+8:i+8]
			o[0], o[1] = int64(base+x&0xff), int64(base+x>>8&0xff)
			o[2], o[3] = int64(base+x>>16&0xff), int64(base+x>>24&0xff)
			o[4], o[5] = int64(base+x>>32&0xff), int64(base+x>>40&0xff)
			o[6], o[7] = int64(base+x>>48&0xff), int64(base+x>>56)
		}
	case 2:
		for ; i+4 <= len(out); i += 4 {
			x, o := binary.LittleEndian.Uint64(offs[2*i:]), out[i:i+4:i+4]
			o[0], o[1] = int64(base+x&0xffff), int64(base+x>>16&0xffff)
			o[2], o[3] = int64(base+x>>32&0xffff), int64(base+x>>48)
		}
	case 4:
		for ; i+2 <= len(out); i += 2 {
			x, o := binary.LittleEndian.Uint64(offs[4*i:]), out[i:i+2:i+2]
			o[0], o[1] = int64(base+x&0xffffffff), int64(base+x>>32)
		}
	}
	for ; i < len(out); i++ {
		out[i] = int64(base + readWidth(offs, i, w))
	}
}

// sumOffsets adds up the offsets in src, of w bytes. A look-up of one row pays for those of
// all rows before it, so it takes 8 bytes at a time: sums of every second offset in lanes
// of twice their width, which hold those of a whole block.
func sumOffsets(src []byte, w int) (sum uint64) {
	const even8, even16, even32 = 0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff
	var lanes uint64
	switch w {
	case 1:
		for len(src) >= 8 {
			part := src[:min(len(src)&^7, 8*128)] // 128 words: 2 * 255 * 128 < 1<<16
			src = src[len(part):]
			for lanes = 0; len(part) >= 8; part = part[8:] {
				x := binary.LittleEndian.Uint64(part)
				lanes += x&even8 + x>>8&even8
			}
			lanes = lanes&even16 + lanes>>16&even16
			sum += lanes&even32 + lanes>>32
		}
	case 2:
		for ; len(src) >= 8; src = src[8:] {
			x := binary.LittleEndian.Uint64(src)
			lanes += x&even16 + x>>16&even16
		}
		sum = lanes&even32 + lanes>>32
	case 4:
		for ; len(src) >= 8; src = src[8:] {
			x := binary.LittleEndian.Uint64(src)
			sum += x&even32 + x>>32
		}
	}
	for i := range len(src) / max(w, 1) {
		sum += readWidth(src, i, w)
	}
	return sum
}
