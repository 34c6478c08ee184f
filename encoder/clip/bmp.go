package clip

import (
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"math/bits"
)

// oldBMP is a BMP file of a kind that x/image does not read: run lengths, 16 bits a pixel,
// masks, OS/2's header.
type oldBMP struct {
	width, height int
	down          bool // rows from top to bottom
	depth         int
	compression   uint32
	masks         [3]uint32
	palette       color.Palette
	at            int // where the pixels begin
}

// Compressions of BMP files.
const (
	bmpPlain = 0
	bmpRLE8  = 1
	bmpRLE4  = 2
	bmpMasks = 3
)

var errBMP = errors.New("the header makes no sense")

// readBMP reads the header and palette, all of which head has.
func readBMP(head []byte) (b oldBMP, err error) {
	if len(head) < 26 {
		return b, errors.New("EOF")
	}
	le := binary.LittleEndian
	b.at = int(le.Uint32(head[10:]))
	size := int(le.Uint32(head[14:]))
	colours, entry := 0, 4
	switch {
	case size == 12:
		b.width, b.height, b.depth = int(le.Uint16(head[18:])), int(le.Uint16(head[20:])), int(le.Uint16(head[24:]))
		entry = 3
	case size >= 16 && size <= 256 && len(head) >= 14+size:
		b.width, b.height, b.depth = int(int32(le.Uint32(head[18:]))), int(int32(le.Uint32(head[22:]))), int(le.Uint16(head[28:]))
		if size >= 20 {
			b.compression = le.Uint32(head[30:])
		}
		if size >= 36 {
			colours = int(le.Uint32(head[46:]))
		}
		if b.height < 0 {
			b.height, b.down = -b.height, true
		}
	default:
		return b, errBMP
	}
	if b.width <= 0 || b.height <= 0 || b.width > 1<<20 || b.height > 1<<20 {
		return b, errBMP
	}
	after := 14 + size
	switch b.depth {
	case 16:
		b.masks = [3]uint32{0x7c00, 0x3e0, 0x1f}
	case 24, 32:
		b.masks = [3]uint32{0xff0000, 0xff00, 0xff}
	case 1, 2, 4, 8:
		if colours <= 0 || colours > 1<<b.depth {
			colours = 1 << b.depth
		}
		for i := range colours {
			p := after + entry*i
			if p+3 > len(head) || b.at > after && p+entry > b.at {
				break
			}
			b.palette = append(b.palette, color.NRGBA{head[p+2], head[p+1], head[p], 255})
		}
		for len(b.palette) < 1<<b.depth {
			b.palette = append(b.palette, color.NRGBA{A: 255})
		}
	default:
		return b, errBMP
	}
	switch {
	case b.compression == bmpMasks && b.depth >= 16:
		if len(head) < 66 { // the masks are part of newer headers, or stand after the old one
			return b, errors.New("EOF")
		}
		for i := range b.masks {
			b.masks[i] = le.Uint32(head[54+4*i:])
			if b.masks[i] == 0 {
				return b, errBMP
			}
		}
	case b.compression == bmpRLE8 && b.depth == 8, b.compression == bmpRLE4 && b.depth == 4, b.compression == bmpPlain:
	default:
		return b, errors.New("unsupported: its compression")
	}
	return b, nil
}

// bmpHead is how much of a file readBMP needs: header, and 256 colours.
const bmpHead = 14 + 256 + 4*256

func decodeOldBMP(data []byte) (*Picture, error) {
	b, err := readBMP(data[:min(len(data), bmpHead)])
	if err != nil {
		return nil, err
	}
	if b.at < 0 || b.at > len(data) {
		return nil, errors.New("EOF")
	}
	pix := data[b.at:]
	row := func(y int) int {
		if b.down {
			return y
		}
		return b.height - 1 - y
	}
	if b.compression == bmpRLE8 || b.compression == bmpRLE4 {
		m := image.NewPaletted(image.Rect(0, 0, b.width, b.height), b.palette)
		b.runs(pix, func(x, y int, v byte) { m.Pix[row(y)*m.Stride+x] = v })
		return FromImage(m), nil
	}
	stride := (b.width*b.depth + 31) / 32 * 4
	if len(pix) < stride*(b.height-1)+(b.width*b.depth+7)/8 {
		return nil, errors.New("EOF")
	}
	if b.depth <= 8 {
		m := image.NewPaletted(image.Rect(0, 0, b.width, b.height), b.palette)
		for y := range b.height {
			for x := range b.width {
				v := pix[y*stride+x*b.depth/8] >> (8 - b.depth - x*b.depth%8) & (1<<b.depth - 1)
				m.Pix[row(y)*m.Stride+x] = v
			}
		}
		return FromImage(m), nil
	}
	out := make([]byte, 3*b.width*b.height)
	for y := range b.height {
		to := out[3*b.width*row(y):]
		for x := range b.width {
			v := uint32(0)
			for k := range b.depth / 8 {
				v |= uint32(pix[y*stride+x*b.depth/8+k]) << (8 * k)
			}
			for c, mask := range b.masks {
				shift, n := bits.TrailingZeros32(mask), bits.OnesCount32(mask)
				level := uint64(v&mask) >> shift
				to[3*x+c] = byte(level * 255 / (1<<n - 1))
			}
		}
	}
	return fromRGB(b.width, b.height, out), nil
}

// runs reads run lengths, rows from the bottom up; what they leave out is colour 0.
func (b *oldBMP) runs(in []byte, set func(x, y int, v byte)) {
	x, y := 0, 0
	put := func(v byte) {
		if x < b.width && y < b.height {
			set(x, y, v)
		}
		x++
	}
	half := b.compression == bmpRLE4
	for len(in) >= 2 && y < b.height {
		n, v := int(in[0]), in[1]
		in = in[2:]
		switch {
		case n > 0:
			for k := range n {
				switch {
				case !half:
					put(v)
				case k%2 == 0:
					put(v >> 4)
				default:
					put(v & 15)
				}
			}
		case v == 0:
			x, y = 0, y+1
		case v == 1:
			return
		case v == 2:
			if len(in) < 2 {
				return
			}
			x, y, in = x+int(in[0]), y+int(in[1]), in[2:]
		default:
			size := int(v)
			if half {
				size = (size + 1) / 2
			}
			if len(in) < size {
				return
			}
			for k := range int(v) {
				switch {
				case !half:
					put(in[k])
				case k%2 == 0:
					put(in[k/2] >> 4)
				default:
					put(in[k/2] & 15)
				}
			}
			in = in[min(len(in), size+size%2):]
		}
	}
}
