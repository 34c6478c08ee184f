package postings

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Lengths are the lengths of the texts of a chunk, in terms. A slot without a text has none.
type Lengths struct {
	Texts  int
	Tokens uint64

	n     int // slots that the base has
	width int // bytes of each: 1, 2 or 4
	base  []byte
	late  map[uint16]uint32 // of later records: the length plus one, 0 without a text
	dense []uint32          // instead of base and late, where there are many
	some  []uint16          // of Only: the slots that are known, and
	of    []uint32          // their lengths, plus one
}

// denseFrom is from how many bytes of later records on all lengths are written out.
const denseFrom = 2048

// Kinds of records of lengths.
const (
	kindLengths    = 1
	kindNewLengths = 2
)

// AppendLengths appends a record of all lengths of a chunk: plus one, 0 for a slot without a
// text.
func AppendLengths(dst []byte, plusOne []uint32) []byte {
	var most uint32
	var texts, tokens uint64
	for _, l := range plusOne {
		most = max(most, l)
		if l > 0 {
			texts++
			tokens += uint64(l - 1)
		}
	}
	width := 1
	if most > 0xffff {
		width = 4
	} else if most > 0xff {
		width = 2
	}
	b := binary.AppendUvarint(nil, texts)
	b = binary.AppendUvarint(b, tokens)
	b = append(b, byte(width))
	for _, l := range plusOne {
		switch width {
		case 1:
			b = append(b, byte(l))
		case 2:
			b = binary.LittleEndian.AppendUint16(b, uint16(l))
		default:
			b = binary.LittleEndian.AppendUint32(b, l)
		}
	}
	return appendRecord(dst, kindLengths, b)
}

// AppendNewLengths appends a record of the lengths of some slots, which ascend.
func AppendNewLengths(dst []byte, slots []uint16, lengths []uint32) []byte {
	var b []byte
	last := -1
	for i, s := range slots {
		b = binary.AppendUvarint(b, uint64(int(s)-last-1))
		b = binary.AppendUvarint(b, uint64(lengths[i]))
		last = int(s)
	}
	return appendRecord(dst, kindNewLengths, b)
}

// Totals returns how many texts and terms a chunk has, without the lengths, where it has one
// record of AppendLengths; ok is false otherwise.
func Totals(b []byte) (texts int, tokens uint64, ok bool) {
	kind, payload, rest, err := nextRecord(b)
	if err != nil || kind != kindLengths || len(rest) > 0 {
		return 0, 0, false
	}
	n, v := binary.Uvarint(payload)
	tokens, w := binary.Uvarint(payload[max(v, 0):])
	return int(n), tokens, v > 0 && w > 0 && n <= ChunkRows
}

// OnlyNew reports whether records are one of AppendNewLengths.
func OnlyNew(b []byte) bool {
	kind, _, rest, err := nextRecord(b)
	return err == nil && kind == kindNewLengths && len(rest) == 0
}

// Parse reads the records of a chunk. l refers to b.
func (l *Lengths) Parse(b []byte) error {
	*l = Lengths{width: 1, late: l.late}
	clear(l.late)
	for first := true; len(b) > 0; first = false {
		if !first && l.dense == nil && len(b) >= denseFrom {
			l.widen()
		}
		kind, payload, rest, err := nextRecord(b)
		if err != nil {
			return err
		}
		b = rest
		switch kind {
		case kindLengths:
			texts, v := binary.Uvarint(payload)
			tokens, w := binary.Uvarint(payload[max(v, 0):])
			if !first || v <= 0 || w <= 0 || len(payload) <= v+w || texts > ChunkRows {
				return fmt.Errorf("%w: lengths", ErrMalformed)
			}
			l.width = int(payload[v+w])
			l.base = payload[v+w+1:]
			if l.width != 1 && l.width != 2 && l.width != 4 || len(l.base)%l.width != 0 || len(l.base)/l.width > ChunkRows {
				return fmt.Errorf("%w: lengths of %d bytes", ErrMalformed, l.width)
			}
			l.Texts, l.Tokens, l.n = int(texts), tokens, len(l.base)/l.width
		case kindNewLengths:
			next := uint64(0)
			for len(payload) > 0 {
				d, v := binary.Uvarint(payload)
				n, w := binary.Uvarint(payload[max(v, 0):])
				if v <= 0 || w <= 0 || d >= ChunkRows || next+d >= ChunkRows || n >= 1<<31 {
					return fmt.Errorf("%w: new lengths", ErrMalformed)
				}
				l.change(uint16(next+d), uint32(n)+1)
				next += d + 1
				payload = payload[v+w:]
			}
		case kindRemovals:
			if err := readSlots(payload, func(s uint16) { l.change(s, 0) }); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: record of kind %d", ErrMalformed, kind)
		}
	}
	return nil
}

func (l *Lengths) change(slot uint16, plusOne uint32) {
	if was := l.plusOne(slot); was > 0 {
		l.Texts--
		l.Tokens -= uint64(was - 1)
	}
	if plusOne > 0 {
		l.Texts++
		l.Tokens += uint64(plusOne - 1)
	}
	if l.dense != nil {
		l.dense[slot] = plusOne
		return
	}
	if l.late == nil {
		l.late = map[uint16]uint32{}
	}
	l.late[slot] = plusOne
}

// widen writes all lengths out.
func (l *Lengths) widen() {
	dense := make([]uint32, ChunkRows)
	for i := range l.n {
		dense[i] = l.plusOne(uint16(i))
	}
	for s, n := range l.late {
		dense[s] = n
	}
	l.dense = dense
}

// Only returns the lengths at some slots, which ascend. It does not refer to what l does.
func (l *Lengths) Only(slots []uint16) *Lengths {
	o := &Lengths{Texts: l.Texts, Tokens: l.Tokens, width: 1, some: slots, of: make([]uint32, len(slots))}
	for i, s := range slots {
		o.of[i] = l.plusOne(s)
	}
	return o
}

func (l *Lengths) plusOne(slot uint16) uint32 {
	if l.some != nil {
		if i, ok := slices.BinarySearch(l.some, slot); ok {
			return l.of[i]
		}
		return 0
	}
	if l.dense != nil {
		return l.dense[slot]
	}
	if len(l.late) > 0 {
		if n, ok := l.late[slot]; ok {
			return n
		}
	}
	if int(slot) >= l.n {
		return 0
	}
	switch l.width {
	case 1:
		return uint32(l.base[slot])
	case 2:
		return uint32(binary.LittleEndian.Uint16(l.base[2*int(slot):]))
	}
	return binary.LittleEndian.Uint32(l.base[4*int(slot):])
}

// Length returns the length of the text at a slot, 0 without one.
func (l *Lengths) Length(slot uint16) uint32 {
	if n := l.plusOne(slot); n > 0 {
		return n - 1
	}
	return 0
}

// Short returns the lengths of the first slots, plus one, where they are kept in a byte each; else
// none.
func (l *Lengths) Short() []byte {
	if l.width != 1 || len(l.late) > 0 || l.dense != nil || l.some != nil {
		return nil
	}
	return l.base[:l.n]
}

// Has reports whether there is a text at a slot.
func (l *Lengths) Has(slot uint16) bool { return l.plusOne(slot) > 0 }

// All returns all lengths as AppendLengths takes them.
func (l *Lengths) All() []uint32 {
	n := l.n
	for s := range l.late {
		n = max(n, int(s)+1)
	}
	for s, x := range l.dense {
		if x > 0 {
			n = max(n, s+1)
		}
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = l.plusOne(uint16(i))
	}
	return out
}
