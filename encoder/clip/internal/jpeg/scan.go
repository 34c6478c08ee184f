package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	bits64 "math/bits"
)

var errCode = errors.New("a bad Huffman code")

// scan reads a scan header and the scan.
func (d *decoder) scan(b []byte) error {
	if d.frame == 0 {
		return errors.New("a scan without a frame header")
	}
	if len(b) < 1 || int(b[0]) < 1 || int(b[0]) > len(d.comps) || len(b) < 4+2*int(b[0]) {
		return errors.New("a bad scan header")
	}
	n := int(b[0])
	var comps []*Component
	which := 0
	for i := range n {
		at := -1
		for k := range d.comps {
			if d.comps[k].id == b[1+2*i] {
				at = k
			}
		}
		if at < 0 || which&(1<<at) != 0 {
			return errors.New("a scan of a component that is not there")
		}
		which |= 1 << at
		c := &d.comps[at]
		c.dcTable, c.acTab = b[2+2*i]>>4, b[2+2*i]&15
		if c.dcTable > 3 || c.acTab > 3 {
			return errors.New("a bad scan header")
		}
		c.dc = 0
		comps = append(comps, c)
	}
	start, end, high, low := int(b[1+2*n]), int(b[2+2*n]), int(b[3+2*n]>>4), int(b[3+2*n]&15)
	progressive := d.head.Progressive
	if !progressive {
		start, end, high, low = 0, 63, 0, 0
	}
	if start > end || end > 63 || start == 0 && end != 0 && progressive || start > 0 && n > 1 || low > 13 || high > 0 && high != low+1 {
		return errors.New("a bad scan header")
	}
	d.layout()
	for _, c := range comps {
		if (start == 0 && high == 0 && d.tables[0][c.dcTable] == nil) || (end > 0 && d.tables[1][c.acTab] == nil) {
			return errors.New("a scan without its Huffman table")
		}
		if !progressive && !d.hasQuant[c.quant] {
			return errors.New("a scan without its table of quantisation")
		}
		if progressive && c.coef == nil {
			c.coef, c.set = make([]int16, c.size*c.size*c.across*c.down), make([]uint64, c.across*c.down)
		}
	}
	if progressive && start > 0 && d.dispensable(comps[0], start, high) {
		if err := d.pass(); err != nil {
			return err
		}
		d.finished(comps, which, start, end, low)
		return nil
	}
	d.bits = bits{data: d.data, pos: d.pos}
	d.eobs = 0
	s := &scan{decoder: d, comps: comps, start: start, end: end, high: high, low: low}
	if err := s.run(); err != nil {
		return err
	}
	d.pos = d.bits.pos
	d.finished(comps, which, start, end, low)
	return nil
}

// finished notes what a scan has brought.
func (d *decoder) finished(comps []*Component, which, start, end, low int) {
	d.seen |= which
	for _, c := range comps {
		for i := start; i <= end && low == 0; i++ {
			c.exact |= 1 << i
		}
	}
}

// dispensable reports whether a scan of a progressive file need not be decoded at the
// reduced size: it holds higher frequencies than that shows, or at a quarter of the size or
// less, further bits of coefficients other than means.
func (d *decoder) dispensable(c *Component, start, high int) bool {
	switch {
	case d.opts.Scale < 2 || c.size == 8:
		return false
	case start > c.keep:
		return true
	case high > 0 && d.opts.Scale >= 4:
		c.rough = max(c.rough, high)
		return true
	}
	return false
}

// pass goes past the data of a scan, to the marker that ends it.
func (d *decoder) pass() error {
	for {
		i := bytes.IndexByte(d.data[d.pos:], 0xff)
		if i < 0 || d.pos+i+1 >= len(d.data) {
			return errShort
		}
		d.pos += i
		if m := d.data[d.pos+1]; m != 0 && m != 0xff && (m < 0xd0 || m > 0xd7) {
			return nil
		}
		d.pos++
	}
}

// scan is a scan being read.
type scan struct {
	*decoder
	comps                 []*Component
	start, end, high, low int
	block                 block
	left                  int // MCUs until a restart marker
	restarts              int
}

func (s *scan) run() error {
	s.left = s.interval
	single := len(s.comps) == 1
	mx, my := s.mcusX, s.mcusY
	if single { // a component alone has no blocks that only fill up an MCU
		mx, my = s.comps[0].wide, s.comps[0].high
	}
	for y := range my {
		for x := range mx {
			if s.interval > 0 {
				if s.left == 0 {
					if err := s.restart(); err != nil {
						return err
					}
				}
				s.left--
			}
			for _, c := range s.comps {
				if single {
					if err := s.one(c, x, y); err != nil {
						return err
					}
					continue
				}
				for v := range c.v {
					for h := range c.h {
						if err := s.one(c, x*c.h+h, y*c.v+v); err != nil {
							return err
						}
					}
				}
			}
			if s.bits.n < s.bits.over {
				return errShort
			}
		}
	}
	return nil
}

// restart takes a restart marker.
func (s *scan) restart() error {
	b := &s.bits
	b.rewind()
	for b.pos < len(b.data) && b.data[b.pos] == 0xff {
		b.pos++
	}
	if b.pos >= len(b.data) {
		return errShort
	}
	if want := byte(0xd0 + s.restarts&7); b.data[b.pos] != want {
		return fmt.Errorf("a marker 0x%02x where 0x%02x is expected", b.data[b.pos], want)
	}
	b.pos++
	s.restarts++
	s.left, s.eobs = s.interval, 0
	for _, c := range s.comps {
		c.dc = 0
	}
	return nil
}

// manyMCUs are enough to make the tables for passing over coefficients worth while.
const manyMCUs = 4096

// one decodes a block.
func (s *scan) one(c *Component, x, y int) error {
	if s.head.Progressive {
		at, n := y*c.across+x, c.size*c.size
		b := c.coef[n*at:][:n]
		switch {
		case s.start == 0 && s.high == 0:
			return s.dcFirst(c, b)
		case s.start == 0:
			if s.bits.take(1) != 0 {
				b[0] |= 1 << s.low
			}
			return nil
		case s.high == 0:
			return s.acFirst(c, b, &c.set[at])
		}
		return s.acRefine(c, b, &c.set[at])
	}
	k := &s.block
	shown := x >= c.from && x < c.to
	keep := c.keep
	if !shown && s.mcusX*s.mcusY >= manyMCUs {
		keep = 0
	}
	last, err := s.baseline(c, k, keep)
	if err != nil {
		return err
	}
	if shown {
		k.put(c.Pix[(y*c.size)*c.Stride+x*c.size:], c.Stride, c.size, last)
	}
	if last > 0 {
		*k = block{}
	}
	return nil
}

// baseline decodes a block of a sequential file, times the quantisation, into
// k, which is all zero; the coefficients after keep, in order of coming, are passed over. It
// returns the place of the last coefficient that is not zero.
func (s *scan) baseline(c *Component, k *block, keep int) (last int, err error) {
	b := &s.bits
	if b.n < 32 {
		b.fill()
	}
	q := &s.quant[c.quant]
	dcs := s.tables[0][c.dcTable]
	if e := dcs.fast[b.acc>>(64-lookup)]; e&hasValue != 0 {
		b.acc <<= e & 31
		b.n -= int(e & 31)
		c.dc += e >> 16
	} else {
		size := dcs.symbol(b)
		if size < 0 || size > 15 {
			return 0, errCode
		}
		c.dc += extend(b.take(size), size)
	}
	k[0] = c.dc * int32(q[0])
	acs := s.tables[1][c.acTab]
	// The state of b is in variables here, which is where the time goes.
	acc, n, pos, data := b.acc, b.n, b.pos, b.data
	i := 1
	for ; i <= keep; i++ {
		if n < 32 {
			var x uint64
			if pos+8 <= len(data) {
				x = binary.BigEndian.Uint64(data[pos:])
			} else {
				x = ^uint64(0)
			}
			if plain(x) {
				acc |= x >> (uint(n) & 63)
				k := (63 - n) >> 3
				pos += k
				n += k << 3
			} else {
				b.acc, b.n, b.pos = acc, n, pos
				b.fill()
				acc, n, pos = b.acc, b.n, b.pos
			}
		}
		e := acs.fast[acc>>(64-lookup)&(1<<lookup-1)]
		if e&hasValue != 0 {
			acc <<= e & 31
			n -= int(e & 31)
			i += int(e>>12) & 15
			if i > 63 {
				return 0, errCode
			}
			k[zigzag[i]&63] = e >> 16 * int32(q[i])
			last = i
			continue
		}
		b.acc, b.n, b.pos = acc, n, pos
		sym := acs.symbol(b)
		if sym < 0 {
			return 0, errCode
		}
		size := sym & 15
		if size == 0 {
			acc, n = b.acc, b.n
			if sym != 0xf0 {
				return last, nil
			}
			i += 15
			continue
		}
		i += sym >> 4
		if i > 63 {
			return 0, errCode
		}
		v := extend(b.take(size), size)
		acc, n, pos = b.acc, b.n, b.pos
		k[zigzag[i]&63] = v * int32(q[i])
		last = i
	}
	b.acc, b.n, b.pos = acc, n, pos
	if i < 64 {
		_, err = s.skip(acs, i, 63)
	}
	return last, err
}

// skip goes past the coefficients from i to end of a block, or to what ends the block or, in
// a progressive file, blocks: then it returns how many more bits say how many these are.
func (s *scan) skip(acs *huffman, i, end int) (run int, err error) {
	b := &s.bits
	passes := acs.passes
	if passes == nil {
		passes = acs.makePasses()
	}
	acc, n, pos, data := b.acc, b.n, b.pos, b.data
	for i <= end {
		if n < 16 {
			var x uint64
			if pos+8 <= len(data) {
				x = binary.BigEndian.Uint64(data[pos:])
			} else {
				x = ^uint64(0)
			}
			if plain(x) {
				acc |= x >> (uint(n) & 63)
				k := (63 - n) >> 3
				pos += k
				n += k << 3
			} else {
				b.acc, b.n, b.pos = acc, n, pos
				b.fill()
				acc, n, pos = b.acc, b.n, b.pos
			}
		}
		// Several symbols at once, if all of them are of this block.
		if e := passes[acc>>(64-passBits)]; e != 0 {
			if next := i + int(e>>5&63); next <= end {
				acc <<= e & 31
				n -= int(e & 31)
				i = next
				if e&passEnd != 0 {
					break
				}
				continue
			}
		}
		b.acc, b.n, b.pos = acc, n, pos
		sym := acs.symbol(b)
		if sym < 0 {
			return 0, errCode
		}
		size := sym & 15
		if size > 0 {
			if i += sym >> 4; i > end {
				return 0, errCode
			}
			b.take(size)
			i++
		} else if sym == 0xf0 {
			i += 16
		} else {
			return sym >> 4, nil
		}
		acc, n, pos = b.acc, b.n, b.pos
	}
	b.acc, b.n, b.pos = acc, n, pos
	return 0, nil
}

func (s *scan) dcFirst(c *Component, k []int16) error {
	b := &s.bits
	if b.n < 32 {
		b.fill()
	}
	size := s.tables[0][c.dcTable].symbol(b)
	if size < 0 || size > 15 {
		return errCode
	}
	c.dc += extend(b.take(size), size)
	k[0] = int16(c.dc << s.low)
	return nil
}

func (s *scan) acFirst(c *Component, k []int16, set *uint64) error {
	if s.eobs > 0 {
		s.eobs--
		return nil
	}
	b := &s.bits
	acs := s.tables[1][c.acTab]
	// Where no further bits of the others will be read, it is enough to know those that show.
	skip := s.opts.Scale >= 4 && c.size < 8
	for i := s.start; i <= s.end; i++ {
		if skip && i > c.keep {
			run, err := s.skip(acs, i, s.end)
			if run > 0 {
				s.eobs = 1<<run - 1 + int(b.take(run))
			}
			return err
		}
		if b.n < 32 {
			b.fill()
		}
		if e := acs.fast[b.acc>>(64-lookup)]; e&hasValue != 0 {
			b.skip(int(e & 31))
			if i += int(e>>12) & 15; i > s.end {
				return errCode
			}
			if p := c.place[i&63]; p != hidden {
				k[p] = int16(e >> 16 << s.low)
			}
			*set |= 1 << i
			continue
		}
		sym := acs.symbol(b)
		if sym < 0 {
			return errCode
		}
		run, size := sym>>4, sym&15
		if size == 0 {
			if run == 15 {
				i += 15
				continue
			}
			s.eobs = 1<<run - 1
			if run > 0 {
				s.eobs += int(b.take(run))
			}
			return nil
		}
		if i += run; i > s.end {
			return errCode
		}
		v := int16(extend(b.take(size), size) << s.low)
		if p := c.place[i&63]; p != hidden {
			k[p] = v
		}
		*set |= 1 << i
	}
	return nil
}

// refine reads a bit for a coefficient that is not zero.
func (b *bits) refine(p *int16, delta int16) {
	if b.n < 1 {
		b.fill()
	}
	bit := b.acc >> 63
	b.acc <<= 1
	b.n--
	if v := *p; bit != 0 {
		if v > 0 && v&delta == 0 {
			*p = v + delta
		} else if v < 0 && -v&delta == 0 {
			*p = v - delta
		}
	}
}

// acRefine gives coefficients one bit more.
func (s *scan) acRefine(c *Component, k []int16, set *uint64) error {
	b := &s.bits
	delta := int16(1) << s.low
	i := s.start
	// Coefficients of the scan's band that are not zero, as the scan found them.
	band := *set & (^uint64(0) >> (63 - s.end))
	var out int16 // a coefficient that does not show
	at := func(i int) *int16 {
		if p := c.place[i&63]; p != hidden {
			return &k[p]
		}
		return &out
	}
	if s.eobs == 0 {
		acs := s.tables[1][c.acTab]
		for i <= s.end {
			if b.n < 32 {
				b.fill()
			}
			sym := acs.symbol(b)
			if sym < 0 {
				return errCode
			}
			run, size := sym>>4, sym&15
			value := int16(0)
			switch size {
			case 0:
				if run < 15 {
					s.eobs = 1 << run
					if run > 0 {
						s.eobs += int(b.take(run))
					}
				}
			case 1:
				if value = -delta; b.take(1) != 0 {
					value = delta
				}
			default:
				return errCode
			}
			if s.eobs > 0 {
				break
			}
			// Over run zeros to one more; what is not zero on the way is refined.
			for i <= s.end {
				zeros := min(bits64.TrailingZeros64(band>>i), s.end+1-i)
				if zeros > run {
					if i += run; value != 0 {
						*at(i) = value
						*set |= 1 << i
					}
					i++
					break
				}
				run -= zeros
				if i += zeros; i <= s.end {
					b.refine(at(i), delta)
					i++
				}
			}
		}
	}
	if s.eobs > 0 {
		for left := band >> i << i; left != 0; left &= left - 1 {
			b.refine(at(bits64.TrailingZeros64(left)), delta)
		}
		s.eobs--
	}
	return nil
}

// transform turns the coefficients of a component into samples.
func (d *decoder) transform(c *Component) error {
	if !d.hasQuant[c.quant] {
		return errors.New("a component without its table of quantisation")
	}
	q := &d.quant[c.quant]
	var natural [64]int32
	for i, v := range q {
		natural[zigzag[i]] = int32(v)
	}
	var k block
	for y := range c.high {
		for x := c.from; x < min(c.to, c.wide); x++ {
			coef := c.coef[c.size*c.size*(y*c.across+x):][:c.size*c.size]
			last := 0
			if k[0] = int32(coef[0]) * natural[0]; c.set[y*c.across+x] != 0 {
				last = 63
				for row := range c.size { // the others don't show
					for x, v := range coef[row*c.size : (row+1)*c.size] {
						i := 8*row + x
						if c.rough > 1 && i > 0 && v != 0 { // the middle of what its further bits may say
							half := int16(1) << (c.rough - 1)
							if v < 0 {
								half = -half
							}
							v += half
						}
						k[i] = int32(v) * natural[i]
					}
				}
			}
			k.put(c.Pix[(y*c.size)*c.Stride+x*c.size:], c.Stride, c.size, last)
		}
	}
	return nil
}
