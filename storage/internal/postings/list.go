package postings

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// List is what a term has in a chunk: the postings of its first record, and what came later,
// which counts before them.
type List struct {
	Base   Segment
	Late   Segment  // postings of later records
	Masked *Slots   // slots whose posting in Base does not count; nil = none
	N      int      // postings that count
	late   []change // by slot
	inline []byte   // positions of Base, if they are with it
	apart  bool     // they are elsewhere
}

// change is what a later record says of a slot.
type change struct {
	slot      uint16
	freq      uint32 // 0: removed
	positions []byte
}

// Slots is a set of slots.
type Slots [ChunkRows / 64]uint64

func (s *Slots) Has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s *Slots) set(i int)      { s[i>>6] |= 1 << (i & 63) }

// Parse reads the records of a term in a chunk. The list refers to b.
func (l *List) Parse(b []byte, length func(slot uint16) uint32) error {
	*l = List{Base: Segment{Impacts: l.Base.Impacts, few: l.Base.few}, Late: Segment{Impacts: l.Late.Impacts, few: l.Late.few}, late: l.late[:0]}
	if err := l.Base.parse([]byte{0}); err != nil {
		return err
	}
	first, sorted := true, true
	for ; len(b) > 0; first = false {
		kind, payload, rest, err := nextRecord(b)
		if err != nil {
			return err
		}
		b = rest
		if kind == kindRemovals {
			if err := readSlots(payload, func(s uint16) { l.late = append(l.late, change{slot: s}) }); err != nil {
				return err
			}
			sorted = false
			continue
		}
		var positions []byte
		switch kind {
		case kindSegment:
			if !first {
				return fmt.Errorf("%w: postings without positions after others", ErrMalformed)
			}
			l.apart = true
		case kindInline:
			n, w := binary.Uvarint(payload)
			if w <= 0 || n > uint64(len(payload)-w) {
				return fmt.Errorf("%w: positions are missing", ErrMalformed)
			}
			payload, positions = payload[w:w+int(n)], payload[w+int(n):]
		default:
			return fmt.Errorf("%w: record of kind %d", ErrMalformed, kind)
		}
		if first {
			if err := l.Base.parse(payload); err != nil {
				return err
			}
			l.inline = positions
			continue
		}
		var s Segment
		if err := s.parse(payload); err != nil {
			return err
		}
		err = s.All(func(p Posting) error {
			after, err := skipPositions(positions, p.Freq)
			l.late = append(l.late, change{p.Slot, p.Freq, positions[:len(positions)-len(after)]})
			positions = after
			return err
		})
		if err != nil {
			return err
		}
		sorted = false
	}
	l.N = l.Base.N
	if sorted {
		return nil
	}
	// The last record about a slot counts.
	bySlot := func(a, b change) int { return int(a.slot) - int(b.slot) }
	if !slices.IsSortedFunc(l.late, bySlot) {
		slices.SortStableFunc(l.late, bySlot)
	}
	n := 0
	for i := range l.late {
		if i+1 == len(l.late) || l.late[i+1].slot != l.late[i].slot {
			l.late[n] = l.late[i]
			n++
		}
	}
	l.late = l.late[:n]
	var c Cursor
	if err := c.Reset(&l.Base); err != nil {
		return err
	}
	var ps []Posting
	for _, x := range l.late {
		at, err := c.Seek(int(x.slot))
		if err != nil {
			return err
		}
		if at == int(x.slot) {
			if l.Masked == nil {
				l.Masked = new(Slots)
			}
			l.Masked.set(at)
			l.N--
		}
		if x.freq > 0 {
			ps = append(ps, Posting{x.slot, x.freq})
			l.N++
		}
	}
	return l.Late.parse(appendPostings(nil, ps, length))
}

// Virtual makes l the postings of what is no term of the index: of a phrase, or a prefix.
func (l *List) Virtual(ps []Posting, length func(slot uint16) uint32) error {
	*l = List{N: len(ps)}
	if err := l.Late.parse([]byte{0}); err != nil {
		return err
	}
	return l.Base.parse(appendPostings(nil, ps, length))
}

func skipPositions(b []byte, n uint32) ([]byte, error) {
	i := 0
	for ; n > 0; i++ {
		if i == len(b) {
			return nil, fmt.Errorf("%w: positions are cut off", ErrMalformed)
		}
		if b[i] < 0x80 {
			n--
		}
	}
	return b[i:], nil
}

// Changes returns the number of slots that later records speak of.
func (l *List) Changes() int { return len(l.late) }

// All calls f with all postings that count, in order.
func (l *List) All(f func(Posting) error) error {
	if len(l.late) == 0 {
		return l.Base.All(f)
	}
	var base, late Cursor
	if err := firstError(base.Reset(&l.Base), late.Reset(&l.Late)); err != nil {
		return err
	}
	a, err := base.Seek(0)
	if err != nil {
		return err
	}
	b, err := late.Seek(0)
	if err != nil {
		return err
	}
	for a < ChunkRows || b < ChunkRows {
		if a < b {
			if l.Masked == nil || !l.Masked.Has(a) {
				if err := f(Posting{uint16(a), base.Freq()}); err != nil {
					return err
				}
			}
			a, err = base.Seek(a + 1)
		} else {
			if err := f(Posting{uint16(b), late.Freq()}); err != nil {
				return err
			}
			was := b
			if b, err = late.Seek(b + 1); err != nil {
				return err
			}
			if a == was { // masked
				a, err = base.Seek(a + 1)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Blocks calls f with all postings, a block at a time; those whose slots are masked do not
// count. The slices are reused.
func (l *List) Blocks(f func(slots []uint16, freqs []uint32, masked *Slots) error) error {
	err := l.Base.blocksOf(func(slots []uint16, freqs []uint32) error { return f(slots, freqs, l.Masked) })
	if err != nil {
		return err
	}
	return l.Late.blocksOf(func(slots []uint16, freqs []uint32) error { return f(slots, freqs, nil) })
}

// AddSlots sets the slots of all postings that count.
func (l *List) AddSlots(dst *Slots) error {
	if l.Masked == nil {
		return firstError(l.Base.addSlots(dst), l.Late.addSlots(dst))
	}
	var base Slots
	if err := l.Base.addSlots(&base); err != nil {
		return err
	}
	for i, w := range base {
		dst[i] |= w &^ l.Masked[i]
	}
	return l.Late.addSlots(dst)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Apart reports whether the positions of Base are under a key of their own.
func (l *List) Apart() bool { return l.apart }

// Positions calls f with all postings that count and are among some, nil for all, and their
// positions, encoded. apart are those of Base if they are under a key of their own.
func (l *List) Positions(apart []byte, among *Slots, f func(p Posting, positions []byte) error) error {
	base := l.inline
	if l.apart {
		base = apart
	}
	at := 0 // in late
	until := func(slot int) error {
		for ; at < len(l.late) && int(l.late[at].slot) <= slot; at++ {
			if x := l.late[at]; x.freq > 0 && (among == nil || among.Has(int(x.slot))) {
				if err := f(Posting{x.slot, x.freq}, x.positions); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := l.Base.All(func(p Posting) error {
		after, err := skipPositions(base, p.Freq)
		if err != nil {
			return err
		}
		positions := base[:len(base)-len(after)]
		base = after
		if among != nil && !among.Has(int(p.Slot)) {
			return nil
		}
		if err := until(int(p.Slot)); err != nil || l.Masked != nil && l.Masked.Has(int(p.Slot)) {
			return err
		}
		return f(p, positions)
	})
	if err == nil && len(base) > 0 {
		err = fmt.Errorf("%w: %d bytes after the positions", ErrMalformed, len(base))
	}
	if err != nil {
		return err
	}
	return until(ChunkRows)
}

// VerifyImpacts checks that the impacts of Base bound its postings that count.
func (l *List) VerifyImpacts(length func(slot uint16) uint32) error {
	var c Cursor
	if err := c.Reset(&l.Base); err != nil {
		return err
	}
	for slot := 0; ; slot++ {
		var err error
		if slot, err = c.Seek(slot); err != nil || slot == ChunkRows {
			return err
		}
		if l.Masked != nil && l.Masked.Has(slot) || len(l.Base.few) > 0 {
			continue
		}
		p := Impact{c.Freq(), length(uint16(slot))}
		if !bounded(c.Impacts(), p) || !bounded(l.Base.Impacts, p) {
			return fmt.Errorf("slot %d with frequency %d in a text of %d terms is above them", slot, p.Freq, p.Length)
		}
	}
}

func bounded(impacts []Impact, p Impact) bool {
	return slices.ContainsFunc(impacts, func(x Impact) bool { return x.Freq >= p.Freq && x.Length <= p.Length })
}
