package postings

import (
	"encoding/binary"
	"fmt"
)

// Segment is postings as they are encoded.
type Segment struct {
	N       int
	Impacts []Impact // of all; nil for few postings

	few       []Posting // all of them, if they are few
	directory []byte
	blocks    []byte
}

// parse makes s the postings in b.
func (s *Segment) parse(b []byte) error {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > ChunkRows {
		return fmt.Errorf("%w: %d postings", ErrMalformed, n)
	}
	b = b[w:]
	*s = Segment{N: int(n), Impacts: s.Impacts[:0], few: s.few[:0]}
	if n < packedFrom {
		next := uint64(0)
		for range n {
			d, w := binary.Uvarint(b)
			if w <= 0 || d>>1 >= ChunkRows || next+d>>1 >= ChunkRows {
				return fmt.Errorf("%w: a posting", ErrMalformed)
			}
			b = b[w:]
			p := Posting{uint16(next + d>>1), 1}
			if d&1 == 1 {
				f, w := binary.Uvarint(b)
				if w <= 0 || f > 1<<31 {
					return fmt.Errorf("%w: a frequency", ErrMalformed)
				}
				p.Freq, b = uint32(f)+2, b[w:]
			}
			s.few = append(s.few, p)
			next += d>>1 + 1
		}
		if len(b) > 0 {
			return fmt.Errorf("%w: %d bytes too many", ErrMalformed, len(b))
		}
		return nil
	}
	var err error
	if s.Impacts, b, err = readImpacts(s.Impacts, b); err != nil {
		return err
	}
	if n > BlockPostings {
		size := s.nblocks() * 6
		if len(b) < size {
			return fmt.Errorf("%w: a directory of %d bytes", ErrMalformed, len(b))
		}
		s.directory, b = b[:size], b[size:]
		if int(binary.LittleEndian.Uint32(s.directory[size-4:])) != len(b) {
			return fmt.Errorf("%w: blocks of %d bytes", ErrMalformed, len(b))
		}
	}
	s.blocks = b
	return nil
}

func readImpacts(dst []Impact, b []byte) ([]Impact, []byte, error) {
	if len(b) == 0 {
		return dst, nil, fmt.Errorf("%w: no impacts", ErrMalformed)
	}
	n := int(b[0])
	b = b[1:]
	var last Impact
	for range n {
		f, w := binary.Uvarint(b)
		l, v := binary.Uvarint(b[max(w, 0):])
		if w <= 0 || v <= 0 || f > 1<<31 || l > 1<<31 {
			return dst, nil, fmt.Errorf("%w: impacts", ErrMalformed)
		}
		last = Impact{last.Freq + uint32(f), last.Length + uint32(l)}
		dst, b = append(dst, last), b[w+v:]
	}
	return dst, b, nil
}

func (s *Segment) nblocks() int { return (s.N + BlockPostings - 1) / BlockPostings }

// lastSlot returns the last slot of block i; that of the only one is not known.
func (s *Segment) lastSlot(i int) int {
	if s.directory == nil {
		return ChunkRows - 1
	}
	return int(binary.LittleEndian.Uint16(s.directory[6*i:]))
}

func (s *Segment) block(i int) ([]byte, error) {
	if s.directory == nil {
		return s.blocks, nil
	}
	from, to := uint32(0), binary.LittleEndian.Uint32(s.directory[6*i+2:])
	if i > 0 {
		from = binary.LittleEndian.Uint32(s.directory[6*i-4:])
	}
	if from > to || int(to) > len(s.blocks) {
		return nil, fmt.Errorf("%w: block %d at %d to %d", ErrMalformed, i, from, to)
	}
	return s.blocks[from:to], nil
}

// Cursor goes through the postings of a segment in order. The zero Cursor is ready for Reset.
type Cursor struct {
	seg     *Segment
	at      int // block
	i, n    int // posting in the block, and how many it has
	decoded bool
	slots   [BlockPostings]uint16
	freqs   [BlockPostings]uint32
	Decoded int // blocks that were decoded
	body    []byte
	impacts []Impact
}

// Reset puts the cursor before the first posting of s.
func (c *Cursor) Reset(s *Segment) error {
	c.seg, c.at, c.i, c.n, c.decoded = s, 0, 0, 0, false
	if len(s.few) > 0 {
		for i, p := range s.few {
			c.slots[i], c.freqs[i] = p.Slot, p.Freq
		}
		c.n, c.decoded = len(s.few), true
	}
	return c.enter()
}

// enter reads the head of the block at hand.
func (c *Cursor) enter() error {
	if c.decoded || c.at >= c.seg.nblocks() {
		return nil
	}
	b, err := c.seg.block(c.at)
	if err != nil {
		return err
	}
	c.n, c.i = min(BlockPostings, c.seg.N-c.at*BlockPostings), 0
	if c.seg.directory != nil {
		if c.impacts, b, err = readImpacts(c.impacts[:0], b); err != nil {
			return err
		}
	} else {
		c.impacts = c.seg.Impacts
	}
	c.body = b
	return nil
}

func (c *Cursor) decode() error {
	b := c.body
	if len(b) < 2 {
		return fmt.Errorf("%w: a block of %d bytes", ErrMalformed, len(b))
	}
	db, fb := int(b[0]), int(b[1])
	var packed [BlockPostings]uint32
	b, err := unpack(&packed, b[2:], c.n, db)
	if err != nil {
		return err
	}
	at := -1
	if c.at > 0 {
		at = c.seg.lastSlot(c.at - 1)
	}
	for i := range c.n {
		at += int(packed[i]) + 1
		c.slots[i] = uint16(at)
	}
	if at >= ChunkRows || at < 0 || c.seg.directory != nil && at != c.seg.lastSlot(c.at) {
		return fmt.Errorf("%w: slot %d", ErrMalformed, at)
	}
	if b, err = unpack(&c.freqs, b, c.n, fb); err != nil {
		return err
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: %d bytes after a block", ErrMalformed, len(b))
	}
	for i := range c.n {
		c.freqs[i]++
	}
	c.decoded = true
	c.Decoded++
	return nil
}

// Done reports whether the cursor is behind the last posting.
func (c *Cursor) Done() bool {
	if len(c.seg.few) > 0 || c.seg.N == 0 {
		return c.i >= c.n
	}
	return c.at >= c.seg.nblocks()
}

// Shallow goes on to the block that may hold a slot or a later one, without decoding it. It
// returns the last slot for which Impacts hold; they are nil where the postings are few.
func (c *Cursor) Shallow(slot int) (last int, err error) {
	if len(c.seg.few) > 0 || c.seg.N == 0 {
		return ChunkRows - 1, nil
	}
	moved := false
	for c.at < c.seg.nblocks() && c.seg.lastSlot(c.at) < slot {
		c.at++
		moved = true
	}
	if moved {
		c.decoded = false
		if err := c.enter(); err != nil {
			return 0, err
		}
	}
	if c.Done() {
		return ChunkRows - 1, nil
	}
	return c.seg.lastSlot(c.at), nil
}

// Impacts bound the postings of the block at hand; nil: there are few, which are at hand.
func (c *Cursor) Impacts() []Impact {
	if len(c.seg.few) > 0 {
		return nil
	}
	return c.impacts
}

// Seek goes on to the first posting at a slot or after it, and returns its slot, ChunkRows
// when there is none. It never goes back.
func (c *Cursor) Seek(slot int) (int, error) {
	if _, err := c.Shallow(slot); err != nil {
		return 0, err
	}
	for !c.Done() {
		if !c.decoded {
			if err := c.decode(); err != nil {
				return 0, err
			}
		}
		for ; c.i < c.n; c.i++ {
			if s := int(c.slots[c.i]); s >= slot {
				return s, nil
			}
		}
		if len(c.seg.few) > 0 {
			break
		}
		c.at++
		c.decoded = false
		if err := c.enter(); err != nil {
			return 0, err
		}
	}
	return ChunkRows, nil
}

// Freq is the frequency of the posting that Seek found.
func (c *Cursor) Freq() uint32 { return c.freqs[c.i] }

// All calls f with all postings.
func (s *Segment) All(f func(Posting) error) error {
	return s.blocksOf(func(slots []uint16, freqs []uint32) error {
		for i, slot := range slots {
			if err := f(Posting{slot, freqs[i]}); err != nil {
				return err
			}
		}
		return nil
	})
}

// blocksOf calls f with the postings of each block.
func (s *Segment) blocksOf(f func(slots []uint16, freqs []uint32) error) error {
	var c Cursor
	if err := c.Reset(s); err != nil || s.N == 0 {
		return err
	}
	if len(s.few) > 0 {
		return f(c.slots[:c.n], c.freqs[:c.n])
	}
	for ; c.at < s.nblocks(); c.at++ {
		c.decoded = false
		if err := c.enter(); err != nil {
			return err
		}
		if err := c.decode(); err != nil {
			return err
		}
		if err := f(c.slots[:c.n], c.freqs[:c.n]); err != nil {
			return err
		}
	}
	return nil
}

// addSlots sets the slots of all postings.
func (s *Segment) addSlots(dst *Slots) error {
	return s.blocksOf(func(slots []uint16, _ []uint32) error {
		for _, x := range slots {
			dst[x>>6] |= 1 << (x & 63)
		}
		return nil
	})
}
