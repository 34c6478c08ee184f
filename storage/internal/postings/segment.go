package postings

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// ErrMalformed is wrapped by the errors of reading.
var ErrMalformed = errors.New("malformed postings")

// ChunkRows is the number of rows in a chunk.
const ChunkRows = 1 << 16

// BlockPostings is the number of postings in a block of a segment.
const BlockPostings = 128

// packedFrom is the number of postings from which on they are packed and have impacts; fewer
// are written one by one, and are scored as fast as bounded.
const packedFrom = 16

// maxImpacts is the number of impacts of a block at most.
const maxImpacts = 6

// Posting is that a term is in a row.
type Posting struct {
	Slot uint16
	Freq uint32
}

// Impact stands for postings that have at most its frequency, in texts that are at least as
// long: as a score grows with the frequency and falls with the length, theirs are at most its.
type Impact struct{ Freq, Length uint32 }

// impactsOf appends the impacts of postings: those of them that no other is better than in both.
func impactsOf(dst []Impact, ps []Posting, length func(slot uint16) uint32) []Impact {
	from := len(dst)
	for _, p := range ps {
		dst = addImpact(dst, from, Impact{p.Freq, length(p.Slot)})
	}
	return trimImpacts(dst, from)
}

// addImpact adds one to those of dst from a position on, which are in order of frequency, and
// of length as well.
func addImpact(dst []Impact, from int, x Impact) []Impact {
	at := from
	for at < len(dst) && dst[at].Freq < x.Freq {
		at++
	}
	if at < len(dst) && dst[at].Length <= x.Length {
		return dst // one of a higher frequency is as short
	}
	keep := at
	for keep > from && dst[keep-1].Length >= x.Length {
		keep--
	}
	if at < len(dst) && dst[at].Freq == x.Freq {
		at++
	}
	return slices.Replace(dst, keep, at, x)
}

// trimImpacts leaves at most maxImpacts: of two neighbors it makes one that stands for both.
func trimImpacts(dst []Impact, from int) []Impact {
	for len(dst)-from > maxImpacts {
		at, least := from, ^uint32(0)
		for i := from; i+1 < len(dst); i++ {
			if d := dst[i+1].Length - dst[i].Length; d < least {
				at, least = i, d
			}
		}
		dst[at+1].Length = dst[at].Length
		dst = slices.Delete(dst, at, at+1)
	}
	return dst
}

func appendImpacts(dst []byte, impacts []Impact) []byte {
	dst = append(dst, byte(len(impacts)))
	last := Impact{}
	for _, x := range impacts {
		dst = binary.AppendUvarint(dst, uint64(x.Freq-last.Freq))
		dst = binary.AppendUvarint(dst, uint64(x.Length-last.Length))
		last = x
	}
	return dst
}

// Kinds of records.
const (
	kindSegment  = 1 // postings, whose positions are elsewhere
	kindInline   = 2 // postings with their positions
	kindRemovals = 3
)

func appendRecord(dst []byte, kind byte, payload []byte) []byte {
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

// nextRecord takes the first record off.
func nextRecord(b []byte) (kind byte, payload, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, fmt.Errorf("%w: a record of %d bytes", ErrMalformed, len(b))
	}
	n, w := binary.Uvarint(b[1:])
	if w <= 0 || n > uint64(len(b)-1-w) {
		return 0, nil, nil, fmt.Errorf("%w: a record is cut off", ErrMalformed)
	}
	at := 1 + w
	return b[0], b[at : at+int(n)], b[at+int(n):], nil
}

// AppendSegment appends a record of postings, which ascend. positions are those of each posting
// in turn, as AppendPositions encodes them; inline says that they are kept with the postings.
func AppendSegment(dst []byte, ps []Posting, positions []byte, inline bool, length func(slot uint16) uint32) []byte {
	payload := appendPostings(nil, ps, length)
	kind := byte(kindSegment)
	if inline {
		kind = kindInline
		payload = append(binary.AppendUvarint(nil, uint64(len(payload))), payload...)
		payload = append(payload, positions...)
	}
	return appendRecord(dst, kind, payload)
}

// Split takes a record of postings with their positions apart: value is a record of them without,
// if they are at least from, else record itself. ok is false for another record.
func Split(record []byte, from int) (value, positions []byte, ok bool, err error) {
	kind, payload, rest, err := nextRecord(record)
	if err != nil || kind != kindInline || len(rest) > 0 {
		return nil, nil, false, err
	}
	n, w := binary.Uvarint(payload)
	if w <= 0 || n > uint64(len(payload)-w) {
		return nil, nil, false, fmt.Errorf("%w: positions are missing", ErrMalformed)
	}
	ps := payload[w : w+int(n)]
	if count, _ := binary.Uvarint(ps); count < uint64(from) {
		return record, nil, true, nil
	}
	return appendRecord(nil, kindSegment, ps), payload[w+int(n):], true, nil
}

// AppendRemovals appends a record that removes slots, which ascend.
func AppendRemovals(dst []byte, slots []uint16) []byte {
	return appendRecord(dst, kindRemovals, appendSlots(nil, slots))
}

func appendSlots(dst []byte, slots []uint16) []byte {
	last := -1
	for _, s := range slots {
		dst = binary.AppendUvarint(dst, uint64(int(s)-last-1))
		last = int(s)
	}
	return dst
}

func readSlots(b []byte, f func(slot uint16)) error {
	next := uint64(0)
	for len(b) > 0 {
		d, w := binary.Uvarint(b)
		if w <= 0 || next+d >= ChunkRows || d >= ChunkRows {
			return fmt.Errorf("%w: slots", ErrMalformed)
		}
		f(uint16(next + d))
		next += d + 1
		b = b[w:]
	}
	return nil
}

// appendPostings encodes: the number of postings; if there are few, each of them; else the
// impacts of all, and blocks. More than one block have a directory: of each the last slot (2
// bytes) and where it ends (4).
func appendPostings(dst []byte, ps []Posting, length func(slot uint16) uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ps)))
	if len(ps) < packedFrom {
		last := -1
		for _, p := range ps {
			d := uint64(int(p.Slot)-last-1) << 1
			if p.Freq == 1 {
				dst = binary.AppendUvarint(dst, d)
			} else {
				dst = binary.AppendUvarint(binary.AppendUvarint(dst, d|1), uint64(p.Freq-2))
			}
			last = int(p.Slot)
		}
		return dst
	}
	var impacts, all []Impact
	var blocks, directory []byte
	last := -1
	for i := 0; i < len(ps); i += BlockPostings {
		b := ps[i:min(i+BlockPostings, len(ps))]
		impacts = impactsOf(impacts[:0], b, length)
		for _, x := range impacts {
			all = addImpact(all, 0, x)
		}
		if len(ps) > BlockPostings {
			blocks = appendImpacts(blocks, impacts)
		}
		blocks = appendBlock(blocks, b, last)
		last = int(b[len(b)-1].Slot)
		directory = binary.LittleEndian.AppendUint16(directory, uint16(last))
		directory = binary.LittleEndian.AppendUint32(directory, uint32(len(blocks)))
	}
	dst = appendImpacts(dst, trimImpacts(all, 0))
	if len(ps) > BlockPostings {
		dst = append(dst, directory...)
	}
	return append(dst, blocks...)
}

// appendBlock encodes the width of the slots' distances and of the frequencies less one, and
// both packed.
func appendBlock(dst []byte, ps []Posting, last int) []byte {
	var d, f uint32
	at := last
	for _, p := range ps {
		d |= uint32(int(p.Slot) - at - 1)
		f |= p.Freq - 1
		at = int(p.Slot)
	}
	db, fb := bits.Len32(d), bits.Len32(f)
	dst = append(dst, byte(db), byte(fb))
	w := packer{dst: dst}
	for _, p := range ps {
		w.add(uint32(int(p.Slot)-last-1), db)
		last = int(p.Slot)
	}
	w.flush()
	for _, p := range ps {
		w.add(p.Freq-1, fb)
	}
	w.flush()
	return w.dst
}

type packer struct {
	dst []byte
	buf uint64
	n   int
}

func (p *packer) add(v uint32, width int) {
	p.buf |= uint64(v) << p.n
	for p.n += width; p.n >= 8; p.n -= 8 {
		p.dst = append(p.dst, byte(p.buf))
		p.buf >>= 8
	}
}

func (p *packer) flush() {
	if p.n > 0 {
		p.dst = append(p.dst, byte(p.buf))
	}
	p.buf, p.n = 0, 0
}

// unpack reads n numbers of a width from the start of b.
func unpack(dst *[BlockPostings]uint32, b []byte, n, width int) (rest []byte, err error) {
	size := (n*width + 7) / 8
	if len(b) < size || width > 32 {
		return nil, fmt.Errorf("%w: a block of %d bytes", ErrMalformed, len(b))
	}
	if width == 0 {
		clear(dst[:n])
		return b, nil
	}
	mask := uint64(1)<<width - 1
	i := 0
	if len(b) >= 8 {
		whole := min(n, (len(b)-8)*8/width)
		for bit := 0; i < whole; i++ {
			dst[i] = uint32(binary.LittleEndian.Uint64(b[bit>>3:]) >> (bit & 7) & mask)
			bit += width
		}
	}
	for bit := i * width; i < n; i++ {
		var x uint64
		for k := bit >> 3; k < size && k < bit>>3+8; k++ {
			x |= uint64(b[k]) << (8 * (k - bit>>3))
		}
		dst[i] = uint32(x >> (bit & 7) & mask)
		bit += width
	}
	return b[size:], nil
}

// AppendPositions encodes the ascending positions of a term in a text.
func AppendPositions(dst []byte, positions []uint32) []byte {
	last := uint32(0)
	for _, p := range positions {
		dst = binary.AppendUvarint(dst, uint64(p-last))
		last = p
	}
	return dst
}

// ReadPositions reads n positions and returns what follows them.
func ReadPositions(dst []uint32, b []byte, n uint32) ([]uint32, []byte, error) {
	at := uint32(0)
	for range n {
		d, w := binary.Uvarint(b)
		if w <= 0 || d > 1<<31 {
			return dst, nil, fmt.Errorf("%w: positions are cut off", ErrMalformed)
		}
		at += uint32(d)
		dst, b = append(dst, at), b[w:]
	}
	return dst, b, nil
}
