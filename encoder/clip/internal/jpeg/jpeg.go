package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Component is one plane of a decoded picture.
type Component struct {
	// Pix has Height rows of Width samples, each row Stride after the one before.
	// A picture is as wide as its widest plane, or up to a step less.
	Pix           []byte
	Stride        int
	Width, Height int

	// A sample stands for StepX x StepY pixels of the picture.
	StepX, StepY int

	id             byte
	h, v           int // sampling factors
	quant          byte
	size           int      // of a block after the transform: 8, 4, 2 or 1
	across, down   int      // blocks, those that fill up the last MCU included
	wide, high     int      // blocks that have pixels of the picture
	from, to       int      // columns of blocks that are transformed
	keep           int      // the last coefficient, in zigzag order, that shows
	place          [64]byte // of a coefficient, in zigzag order, among those of its block in coef; hidden if it does not show
	coef           []int16  // size x size a block
	set            []uint64 // of each block, the coefficients that are not zero, in zigzag order
	dc             int32
	dcTable, acTab byte
	rough          int    // bits that coefficients other than means lack
	exact          uint64 // coefficients of a progressive file whose last bit has come
}

// Header is what a file says of itself before its pixels.
type Header struct {
	Width, Height int
	Components    int // 1 (gray), 3 (YCbCr or RGB) or 4 (CMYK or YCCK)
	Progressive   bool

	// Adobe tells that the file has Adobe's marker, and Transform its value: 0 for
	// components as they are, 1 for YCbCr, 2 for YCCK. Files of that kind store
	// CMYK inverted.
	Adobe     bool
	Transform byte

	jfif bool
	ids  [3]byte
}

// RGB reports whether three components are red, green and blue, and not YCbCr.
func (h *Header) RGB() bool {
	switch {
	case h.jfif:
		return false
	case h.Adobe:
		return h.Transform == 0
	}
	return h.ids == [3]byte{'R', 'G', 'B'}
}

// Image is a decoded picture.
type Image struct {
	Header
	Planes []Component
}

// Options of Decode.
type Options struct {
	// Scale is 1, 2, 4 or 8: the picture has a Scale-th of its width and height,
	// rounded up.
	Scale int

	// From and To bound the columns of the (reduced) picture that are wanted, To
	// being the first that is not. The samples of others are not defined. 0 and 0
	// mean all.
	From, To int

	// Planes, if not nil, gives memory, of any content, for a plane.
	Planes func(size int) []byte
}

var errShort = errors.New("the file ends too early")

// ReadHeader reads the header of a file's beginning.
func ReadHeader(data []byte) (Header, error) {
	d := &decoder{data: data}
	for d.frame == 0 {
		if err := d.segment(); err != nil {
			return Header{}, err
		}
	}
	return d.head, nil
}

// decoder is a file being decoded.
type decoder struct {
	data []byte
	pos  int
	opts Options

	head     Header
	frame    byte // marker of the frame header, 0 before it
	done     bool // the end marker has come
	comps    []Component
	maxH     int
	maxV     int
	mcusX    int
	mcusY    int
	quant    [4][64]uint16 // in zigzag order
	hasQuant [4]bool
	tables   [2][4]*huffman // DC, AC
	interval int            // MCUs between restart markers
	bits     bits
	eobs     int  // blocks of a progressive scan that end at once
	seen     int  // components that have come in a scan, a bit each
	planes   bool // planes are set aside
}

// Decode decodes a file.
func Decode(data []byte, o Options) (*Image, error) {
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Scale != 1 && o.Scale != 2 && o.Scale != 4 && o.Scale != 8 {
		return nil, fmt.Errorf("a scale of 1/%d is not possible", o.Scale)
	}
	return (&decoder{data: data, opts: o}).rest()
}

// rest decodes what follows of a file.
func (d *decoder) rest() (*Image, error) {
	for !d.done {
		if err := d.segment(); err != nil {
			// A file may lack its end marker where nothing else is missing.
			if errors.Is(err, errShort) && d.complete() {
				break
			}
			return nil, err
		}
		// What follows the only scan of a baseline file is nobody's business.
		if !d.head.Progressive && d.complete() {
			break
		}
	}
	if d.frame == 0 || d.seen != 1<<len(d.comps)-1 {
		return nil, errShort
	}
	for i := range d.comps {
		if c := &d.comps[i]; c.coef != nil {
			if err := d.transform(c); err != nil {
				return nil, err
			}
			c.coef, c.set = nil, nil
		}
	}
	return &Image{d.head, d.comps}, nil
}

// complete reports whether all bits of all coefficients have come.
func (d *decoder) complete() bool {
	if d.frame == 0 || d.seen != 1<<len(d.comps)-1 {
		return false
	}
	for i := range d.comps {
		if d.head.Progressive && d.comps[i].exact != ^uint64(0) {
			return false
		}
	}
	return true
}

// segment reads the next marker and what belongs to it.
func (d *decoder) segment() error {
	if d.pos == 0 {
		if len(d.data) < 2 || d.data[0] != 0xff || d.data[1] != 0xd8 {
			return errors.New("no JPEG file")
		}
		d.pos = 2
	}
	// Bytes that belong to nothing are passed over, as by other decoders.
	for d.pos < len(d.data) && d.data[d.pos] != 0xff {
		d.pos++
	}
	for d.pos < len(d.data) && d.data[d.pos] == 0xff {
		d.pos++
	}
	if d.pos >= len(d.data) {
		return errShort
	}
	marker := d.data[d.pos]
	d.pos++
	switch {
	case marker == 0, marker >= 0xd0 && marker <= 0xd8, marker == 0x01: // without a body
		return nil
	case marker == 0xd9:
		d.done = true
		return nil
	}
	if d.pos+2 > len(d.data) {
		return errShort
	}
	n := int(binary.BigEndian.Uint16(d.data[d.pos:]))
	if n < 2 {
		return errors.New("a segment of no length")
	}
	if d.pos+n > len(d.data) {
		return errShort
	}
	body := d.data[d.pos+2 : d.pos+n]
	d.pos += n
	switch marker {
	case 0xc0, 0xc1, 0xc2:
		return d.frameHeader(marker, body)
	case 0xc4:
		return d.huffmanTables(body)
	case 0xdb:
		return d.quantTables(body)
	case 0xdd:
		if len(body) < 2 {
			return errors.New("a restart interval of no length")
		}
		d.interval = int(binary.BigEndian.Uint16(body))
	case 0xda:
		return d.scan(body)
	case 0xe0:
		d.head.jfif = d.head.jfif || len(body) >= 5 && string(body[:5]) == "JFIF\x00"
	case 0xee:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			d.head.Adobe, d.head.Transform = true, body[11]
		}
	case 0xc3, 0xc5, 0xc6, 0xc7, 0xcb, 0xcd, 0xce, 0xcf:
		return errors.New("unsupported feature: lossless or hierarchical coding")
	case 0xc9, 0xca:
		return errors.New("unsupported feature: arithmetic coding")
	case 0xdc:
		return errors.New("unsupported feature: a number of lines given after the pixels")
	}
	return nil
}

func (d *decoder) frameHeader(marker byte, b []byte) error {
	if d.frame != 0 {
		return errors.New("unsupported feature: more than one frame")
	}
	if len(b) < 6 {
		return errors.New("a frame header that is too short")
	}
	if b[0] != 8 {
		return fmt.Errorf("unsupported feature: %d bits a sample", b[0])
	}
	h, w, n := int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:])), int(b[5])
	if w == 0 || h == 0 {
		return fmt.Errorf("%d x %d pixels", w, h)
	}
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("unsupported feature: %d components", n)
	}
	if len(b) < 6+3*n {
		return errors.New("a frame header that is too short")
	}
	d.comps = make([]Component, n)
	for i := range d.comps {
		c := &d.comps[i]
		c.id, c.h, c.v, c.quant = b[6+3*i], int(b[7+3*i]>>4), int(b[7+3*i]&15), b[8+3*i]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return errors.New("a component with impossible values")
		}
		if n == 1 { // its factors mean nothing
			c.h, c.v = 1, 1
		}
		for _, other := range d.comps[:i] {
			if other.id == c.id {
				return errors.New("two components of one name")
			}
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
	}
	for i := range d.comps {
		c := &d.comps[i]
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
			return fmt.Errorf("unsupported feature: sampling factors %d x %d of %d x %d", c.h, c.v, d.maxH, d.maxV)
		}
	}
	d.mcusX, d.mcusY = ceilDiv(w, 8*d.maxH), ceilDiv(h, 8*d.maxV)
	d.head.Width, d.head.Height, d.head.Components, d.head.Progressive = w, h, n, marker == 0xc2
	for i := range min(n, 3) {
		d.head.ids[i] = d.comps[i].id
	}
	d.frame = marker
	return nil
}

// hidden is the place of coefficients that don't show.
const hidden = 255

// layout sets aside the planes. It is done when the first scan begins, so that a
// header alone costs nothing.
func (d *decoder) layout() {
	if d.planes {
		return
	}
	d.planes = true
	s := max(d.opts.Scale, 1)
	w, h := ceilDiv(d.head.Width, s), ceilDiv(d.head.Height, s)
	to := d.opts.To
	if to <= 0 || to > w {
		to = w
	}
	from := max(0, min(d.opts.From, to))
	for i := range d.comps {
		c := &d.comps[i]
		c.StepX, c.StepY, c.size = d.maxH/c.h, d.maxV/c.v, 8/s
		// At reduced size a plane with fewer samples is reduced less.
		for c.size < 8 && c.StepX%2 == 0 && c.StepY%2 == 0 {
			c.StepX, c.StepY, c.size = c.StepX/2, c.StepY/2, c.size*2
		}
		// Reduced pictures have at least twice the size that is wanted: the highest of the
		// frequencies that would show at the reduced size don't, after that.
		c.keep = map[int]int{1: 0, 2: 2, 4: 8, 8: 63}[c.size]
		for i, at := range zigzag {
			c.place[i] = hidden
			if y, x := int(at)/8, int(at)%8; y < c.size && x < c.size {
				c.place[i] = byte(y*c.size + x)
			}
		}
		c.across, c.down = d.mcusX*c.h, d.mcusY*c.v
		c.wide, c.high = ceilDiv(d.head.Width*c.h, 8*d.maxH), ceilDiv(d.head.Height*c.v, 8*d.maxV)
		c.Width, c.Height = ceilDiv(w, c.StepX), ceilDiv(h, c.StepY)
		c.Stride = c.across * c.size
		// Neighbours are needed to interpolate.
		c.from = max(0, from/c.StepX-2) / c.size
		c.to = min(c.across, ceilDiv(ceilDiv(to, c.StepX)+2, c.size))
		n := c.Stride * c.down * c.size
		if d.opts.Planes != nil {
			c.Pix = d.opts.Planes(n)[:n]
		} else {
			c.Pix = make([]byte, n)
		}
	}
	d.head.Width, d.head.Height = w, h
}

func (d *decoder) quantTables(b []byte) error {
	for len(b) > 0 {
		wide, id := b[0]>>4, b[0]&15
		b = b[1:]
		n := 64 * (1 + int(wide))
		if wide > 1 || id > 3 || len(b) < n {
			return errors.New("a bad table of quantisation")
		}
		for i := range d.quant[id] {
			if wide == 0 {
				d.quant[id][i] = uint16(b[i])
			} else {
				d.quant[id][i] = binary.BigEndian.Uint16(b[2*i:])
			}
		}
		d.hasQuant[id] = true
		b = b[n:]
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// zigzag is the place in a block, row by row, of the coefficients as they come.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}
