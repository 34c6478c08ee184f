package jpeg

import (
	"bytes"
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
	passes *passing // nil = not made yet
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

// passing is the tables for passing over coefficients.
type passing struct {
	// An entry of some has how many bits the symbols take, with the bits of their values, that
	// are whole among the next passBits, in its lowest 5 bits; how many coefficients they make
	// from bit 5 on; and passEnd if the last of them ends the block. It is 0 where there is no
	// whole one.
	some [1 << passBits]int16

	// An entry of one has, for the next 16 bits, how many bits the first symbol takes, with
	// those of its value, and how many coefficients it makes, as above; passValue if the last
	// of these is not zero; and passEnd if it ends the block, and others if bits that follow
	// say so, as many as are in the place of coefficients. It is 0 if there is no symbol.
	one [1 << 16]int16
}

const (
	passEnd   = -1 << 15 // the sign
	passValue = 1 << 10
)

// makePasses makes the tables for passing over coefficients.
func (h *huffman) makePasses() *passing {
	p := new(passing)
	h.passes = p
	low := 0
	for n := 1; n <= 16; n++ {
		for ; low < int(h.limit[n]); low += 1 << (16 - n) {
			sym := int(h.syms[(low>>(16-n)+int(h.offset[n]))&255])
			size, zeros := sym&15, sym>>4
			e := int16(n+size) | int16(zeros+1)<<5
			switch {
			case size > 0:
				e |= passValue
			case zeros < 15:
				e = int16(n) | int16(zeros)<<5 | passEnd
			}
			run := p.one[low : low+1<<(16-n)]
			for i := range run {
				run[i] = e
			}
		}
	}
	for v := range p.some {
		used, coefficients, end := 0, 0, int16(0)
		for end == 0 {
			e := p.one[v<<(16-passBits+used)&(1<<16-1)]
			length, made := int(e&31), int(e>>5)&31
			if e == 0 || used+length > passBits || coefficients+made > 63 {
				break
			}
			if e < 0 {
				if made == 0 {
					used, end = used+length, passEnd
				}
				break
			}
			used, coefficients = used+length, coefficients+made
		}
		p.some[v] = int16(used) | int16(coefficients)<<5 | end
	}
	return p
}

// bits reads the bits of a scan, up to the next marker. The next ones are the highest of
// acc, of which n are there; beyond the end come zeros, which over counts.
type bits struct {
	acc  uint64
	n    int
	over int

	data []byte // bytes of the scan, some at a time, without those that are stuffed in
	pos  int    // of the next one

	file []byte // where they are from
	next int    // what follows them there
	end  bool   // that is a marker, or nothing
}

// piece is how many bytes of a scan are copied at once.
const piece = 16 << 10

// begin begins to read at a place of the file.
func (b *bits) begin(file []byte, at int) {
	*b = bits{data: b.data[:0], file: file, next: at}
}

// more puts further bytes of the scan behind those that were not read yet.
func (b *bits) more() {
	if b.data == nil {
		b.data = make([]byte, 0, piece+64)
	}
	b.data = append(b.data[:0], b.data[b.pos:]...)
	b.pos = 0
	for !b.end && len(b.data) < piece {
		rest := b.file[b.next:]
		rest = rest[:min(len(rest), piece+8-len(b.data))]
		if len(rest) == 0 {
			b.end = true
			break
		}
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 {
			i = len(rest)
		}
		b.data = append(b.data, rest[:i]...)
		b.next += i
		if i == len(rest) {
			continue
		}
		if b.next+1 >= len(b.file) || b.file[b.next+1] != 0 {
			b.end = true
			break
		}
		b.data = append(b.data, 0xff)
		b.next += 2
	}
}

// fill makes at least 56 bits available. Below them acc may have the beginning of
// what comes next.
func (b *bits) fill() {
	if b.pos+8 > len(b.data) && !b.end {
		b.more()
	}
	if b.pos+8 <= len(b.data) {
		b.acc |= binary.BigEndian.Uint64(b.data[b.pos:]) >> (uint(b.n) & 63)
		k := (63 - b.n) >> 3
		b.pos += k
		b.n += k << 3
		return
	}
	for b.n <= 56 {
		if b.pos < len(b.data) {
			b.acc |= uint64(b.data[b.pos]) << (56 - b.n)
			b.pos++
		} else {
			b.over += 8
		}
		b.n += 8
	}
}

// fillFrom is fill for a state that is kept in variables.
func (b *bits) fillFrom(acc uint64, n, pos int) (uint64, int, int) {
	b.acc, b.n, b.pos = acc, n, pos
	b.fill()
	return b.acc, b.n, b.pos
}

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

// next returns the symbol that comes next, of which fast says e without a value, and takes its
// code from the bits; -1 is no code of the table.
func (h *huffman) next(e int32, acc uint64, n int) (uint64, int, int) {
	if e == 0 {
		b := bits{acc: acc, n: n}
		sym := h.long(&b)
		return b.acc, b.n, sym
	}
	return acc << (e & 31), n - int(e&31), int(e>>8) & 255
}

// marker gives up the bits that are left, and returns the place of the marker behind them.
func (b *bits) marker() int {
	for !b.end {
		b.pos = len(b.data)
		b.more()
	}
	return b.next
}
