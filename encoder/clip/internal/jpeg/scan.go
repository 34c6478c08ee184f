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
			return errors.New("a scan of a component that does not exist")
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
	if progressive && start > 0 && d.dispensable(comps[0], start, high, low) {
		if err := d.pass(); err != nil {
			return err
		}
		d.finished(comps, which, start, end, low)
		return nil
	}
	d.bits.begin(d.data, d.pos)
	d.eobs = 0
	s := &scan{decoder: d, comps: comps, start: start, end: end, high: high, low: low}
	if err := s.run(); err != nil {
		return err
	}
	d.pos = d.bits.marker()
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
// less, further bits of coefficients other than means. At half of the size these are read, for
// which it has to be known which coefficients are not zero, hidden ones too, as long as bits
// of them may follow.
func (d *decoder) dispensable(c *Component, start, high, low int) bool {
	rough := d.opts.Scale >= 4 // further bits are not read
	switch {
	case d.opts.Scale < 2 || c.size == 8:
		return false
	case start > c.keep && (low == 0 || rough):
		return true
	case high > 0 && rough:
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

// unit is a block of each MCU: that of the component whose place is dx, dy among h x v.
type unit struct {
	c            *Component
	h, v, dx, dy int
}

func (s *scan) run() error {
	s.left = s.interval
	mx, my := s.mcusX, s.mcusY
	var units []unit
	if len(s.comps) == 1 { // a component alone has no blocks that only fill up an MCU
		c := s.comps[0]
		mx, my = c.wide, c.high
		units = append(units, unit{c: c, h: 1, v: 1})
	} else {
		for _, c := range s.comps {
			for i := range c.h * c.v {
				units = append(units, unit{c, c.h, c.v, i % c.h, i / c.h})
			}
		}
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
			for i := range units {
				u := &units[i]
				if err := s.one(u.c, x*u.h+u.dx, y*u.v+u.dy); err != nil {
					return err
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
	at := s.bits.marker()
	for at < len(s.data) && s.data[at] == 0xff {
		at++
	}
	if at >= len(s.data) {
		return errShort
	}
	if want := byte(0xd0 + s.restarts&7); s.data[at] != want {
		return fmt.Errorf("a marker 0x%02x where 0x%02x is expected", s.data[at], want)
	}
	s.bits.begin(s.data, at+1)
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
	switch {
	case last > 4 || last > 0 && c.size == 8: // of which the transform leaves something everywhere
		*k = block{}
	case last > 0:
		k[1], k[8], k[16], k[9] = 0, 0, 0, 0
	}
	return nil
}

// baseline decodes a block of a sequential file, times the quantisation, into
// k, which is all zero; the coefficients after keep, in order of coming, are passed over. It
// returns the place of the last coefficient that is not zero.
func (s *scan) baseline(c *Component, k *block, keep int) (last int, err error) {
	b := &s.bits
	q := &s.quant[c.quant]
	dcs, acs := s.tables[0][c.dcTable], s.tables[1][c.acTab]
	// The state of b is in variables here, which is where the time goes.
	acc, n, pos, data := b.acc, b.n, b.pos, b.data
	if n < 32 {
		if pos+8 <= len(data) {
			acc |= binary.BigEndian.Uint64(data[pos:]) >> (uint(n) & 63)
			k := (63 - n) >> 3
			pos += k
			n += k << 3
		} else {
			acc, n, pos = b.fillFrom(acc, n, pos)
			data = b.data
		}
	}
	e := dcs.fast[acc>>(64-lookup)&(1<<lookup-1)]
	if e&hasValue != 0 {
		acc <<= e & 31
		n -= int(e & 31)
		c.dc += e >> 16
	} else {
		var size int
		if acc, n, size = dcs.next(e, acc, n); size < 0 || size > 15 {
			return 0, errCode
		}
		c.dc += extend(int32(acc>>1>>(63-uint(size)&63)), size)
		acc <<= uint(size) & 63
		n -= size
	}
	k[0] = c.dc * int32(q[0])
	i := 1
	for ; i <= keep; i++ {
		if n < 32 {
			if pos+8 <= len(data) {
				acc |= binary.BigEndian.Uint64(data[pos:]) >> (uint(n) & 63)
				k := (63 - n) >> 3
				pos += k
				n += k << 3
			} else {
				acc, n, pos = b.fillFrom(acc, n, pos)
				data = b.data
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
		var sym int
		if acc, n, sym = acs.next(e, acc, n); sym < 0 {
			return 0, errCode
		}
		size := sym & 15
		if size == 0 {
			if sym != 0xf0 {
				b.acc, b.n, b.pos = acc, n, pos
				return last, nil
			}
			i += 15
			continue
		}
		i += sym >> 4
		if i > 63 {
			return 0, errCode
		}
		// With those of the code, no more bits than there are.
		k[zigzag[i]&63] = extend(int32(acc>>1>>(63-uint(size)&63)), size) * int32(q[i])
		acc <<= uint(size) & 63
		n -= size
		last = i
	}
	if i < 64 {
		var run int
		if acc, n, pos, run = s.skip(acs, acc, n, pos, i, 63); run < 0 {
			return 0, errCode
		}
	}
	b.acc, b.n, b.pos = acc, n, pos
	return last, nil
}

// skip goes past the coefficients from i to end of a block, or to what ends the block or, in
// a progressive file, blocks: then it returns how many more bits say how many these are; -1 is
// a bad code. It takes the state of the bits and returns it.
func (s *scan) skip(acs *huffman, acc uint64, n, pos, i, end int) (_ uint64, _, _, run int) {
	passes := acs.passes
	if passes == nil {
		passes = acs.makePasses()
	}
	data := s.bits.data
	for i <= end {
		if pos+8 <= len(data) {
			acc |= binary.BigEndian.Uint64(data[pos:]) >> (uint(n) & 63)
			k := (63 - n) >> 3
			pos += k
			n += k << 3
		} else {
			acc, n, pos = s.bits.fillFrom(acc, n, pos)
			data = s.bits.data
		}
		// 56 bits are there now: enough to look up a few times.
		for n >= passBits && i <= end {
			// Several symbols at once, if all of them are of this block.
			e := passes.some[acc>>(64-passBits)]
			if next := i + int(e>>5&63); e > 0 && next <= end+1 {
				acc <<= e & 31
				n -= int(e & 31)
				i = next
				continue
			} else if e < 0 && next <= end {
				return acc << (e & 31), n - int(e&31), pos, 0
			}
			if n < 32 {
				break
			}
			e = passes.one[acc>>48]
			if e == 0 {
				return acc, n, pos, -1
			}
			acc <<= e & 31
			n -= int(e & 31)
			made := int(e >> 5 & 31)
			if e < 0 {
				return acc, n, pos, made
			}
			if i += made; i > end+1 && e&passValue != 0 {
				return acc, n, pos, -1
			}
		}
	}
	return acc, n, pos, 0
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
			var run int
			b.acc, b.n, b.pos, run = s.skip(acs, b.acc, b.n, b.pos, i, s.end)
			if run < 0 {
				return errCode
			}
			if run > 0 {
				s.eobs = 1<<run - 1 + int(b.take(run))
			}
			return nil
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
