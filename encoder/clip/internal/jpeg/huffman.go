package jpeg

import (
	"encoding/binary"
	"errors"
)

// lookup is how many bits of the input are looked up at once.
const lookup = 10

// huffman is a table of codes. An entry of fast, for the next bits of the input,
// has how many bits the code takes in its lowest 5 bits (0: more than lookup),
// the symbol from bit 8 on, and, where the bits of the value that follows are
// among those looked up, bit 7, bits 0 to 4 counting those as well, and the value
// from bit 16 on.
type huffman struct {
	fast   [1 << lookup]int32
	limit  [18]int32 // the first code that is too large for n bits, as 16 bits
	offset [17]int32 // from a code of n bits to its place in symbols
	syms   [256]byte
	passes *[1 << passBits]uint16 // see makePasses; nil = not made yet
}

const hasValue = 1 << 7

func (d *decoder) huffmanTables(b []byte) error {
	for len(b) > 0 {
		class, id := b[0]>>4, b[0]&15
		if class > 1 || id > 3 || len(b) < 17 {
			return errors.New("a bad Huffman table")
		}
		h := &huffman{}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 || len(b) < 17+n {
			return errors.New("a bad Huffman table")
		}
		copy(h.syms[:], b[17:17+n])
		if err := h.build(b[1:17], class == 1); err != nil {
			return err
		}
		d.tables[class][id] = h
		b = b[17+n:]
	}
	return nil
}

func (h *huffman) build(counts []byte, ac bool) error {
	code, k := int32(0), int32(0)
	for n := 1; n <= 16; n++ {
		h.offset[n] = k - code
		for range counts[n-1] {
			if code >= 1<<n {
				return errors.New("a bad Huffman table")
			}
			if n <= lookup {
				h.enter(code, n, h.syms[k], ac)
			}
			code++
			k++
		}
		h.limit[n] = code << (16 - n)
		code <<= 1
	}
	h.limit[17] = 1 << 30
	return nil
}

// enter fills in the entries that begin with a code.
func (h *huffman) enter(code int32, n int, sym byte, ac bool) {
	rest := lookup - n
	size := int(sym)
	if ac {
		size = int(sym & 15)
	}
	for low := range int32(1) << rest {
		e := int32(n) | int32(sym)<<8
		if size > 0 && size <= rest && size < 12 {
			v := low >> (rest - size)
			if v < 1<<(size-1) {
				v -= 1<<size - 1
			}
			e = int32(n+size) | hasValue | int32(sym)<<8 | v<<16
		}
		h.fast[code<<rest|low] = e
	}
}

// passBits is how many bits of the input are looked up at once to pass over coefficients.
const passBits = 14

// passEnd marks what ends a block.
const passEnd = 1 << 15

// makePasses makes the table for passing over coefficients. An entry has how many bits the
// symbols take, with the bits of their values, that are whole among the next passBits, in its
// lowest 5 bits; how many coefficients they make from bit 5 on; and passEnd if the last of
// them ends the block. It is 0 where there is no whole one.
func (h *huffman) makePasses() *[1 << passBits]uint16 {
	h.passes = new([1 << passBits]uint16)
	for v := range h.passes {
		used, coefficients, end := 0, 0, uint16(0)
		for end == 0 {
			e := h.fast[v<<used>>(passBits-lookup)&(1<<lookup-1)]
			length, size, zeros := int(e&31), int(e>>8)&15, int(e>>12)&15
			if e&hasValue == 0 {
				length += size
			}
			next := coefficients + zeros + 1
			switch {
			case e == 0 || used+length > passBits || next > 63:
			case size > 0 || zeros == 15:
				used, coefficients = used+length, next
				continue
			case zeros == 0:
				used, end = used+length, passEnd
			}
			break
		}
		h.passes[v] = uint16(used) | uint16(coefficients)<<5 | end
	}
	return h.passes
}

// bits reads the bits of a scan. The next ones are the highest of acc, of which n
// are there; beyond the end of the data come zeros, which over counts.
type bits struct {
	data []byte
	pos  int
	acc  uint64
	n    int
	over int
}

// plain reports whether none of eight bytes is 0xff: then none is part of a marker
// or stuffed.
func plain(x uint64) bool {
	y := ^x
	return (y-0x0101010101010101)&^y&0x8080808080808080 == 0
}

// fill makes at least 48 bits available. Below them acc may have the beginning of
// what comes next.
func (b *bits) fill() {
	if b.pos+8 <= len(b.data) {
		if x := binary.BigEndian.Uint64(b.data[b.pos:]); plain(x) {
			b.acc |= x >> b.n
			k := (63 - b.n) >> 3
			b.pos += k
			b.n += k << 3
			return
		}
	}
	for b.n <= 56 {
		var v byte
		if b.pos < len(b.data) {
			v = b.data[b.pos]
			if v != 0xff {
				b.pos++
			} else if b.pos+1 < len(b.data) && b.data[b.pos+1] == 0 {
				b.pos += 2
			} else {
				v = 0
				b.over += 8
			}
		} else {
			b.over += 8
		}
		b.acc |= uint64(v) << (56 - b.n)
		b.n += 8
	}
}

// short reports whether more bits have been used than there were.
func (b *bits) short() bool { return b.n < b.over }

// drop forgets the bits up to the next marker, for which it then looks.
func (b *bits) drop() { b.acc, b.n, b.over = 0, 0, 0 }

func (b *bits) skip(n int) {
	b.acc <<= n
	b.n -= n
}

// take returns the next n bits, up to 16 of them.
func (b *bits) take(n int) int32 {
	if b.n < n {
		b.fill()
	}
	v := int32(b.acc >> 1 >> (63 - n))
	b.skip(n)
	return v
}

// extend is the value that size bits v stand for.
func extend(v int32, size int) int32 {
	if size > 0 && v < 1<<(size-1) {
		v -= 1<<size - 1
	}
	return v
}

// symbol decodes one; -1 is no code of the table. At least 16 bits are there.
func (h *huffman) symbol(b *bits) int {
	if e := h.fast[b.acc>>(64-lookup)]; e != 0 {
		if e&hasValue != 0 { // its value is read apart
			size := int(e>>8) & 15
			b.skip(int(e&31) - size)
		} else {
			b.skip(int(e & 31))
		}
		return int(e>>8) & 255
	}
	return h.long(b)
}

// long decodes a code of more than lookup bits.
func (h *huffman) long(b *bits) int {
	top := int32(b.acc >> 48)
	for n := lookup + 1; n <= 16; n++ {
		if top < h.limit[n] {
			b.skip(n)
			return int(h.syms[(top>>(16-n)+h.offset[n])&255])
		}
	}
	return -1
}

// rewind gives up the bits that are left of the last byte, and goes to the
// marker behind it.
func (b *bits) rewind() {
	// Whole bytes that have been taken ahead are none of a marker: fill stops at it.
	*b = bits{data: b.data, pos: b.pos}
	for b.pos+1 < len(b.data) && (b.data[b.pos] != 0xff || b.data[b.pos+1] == 0) {
		b.pos++
	}
}
