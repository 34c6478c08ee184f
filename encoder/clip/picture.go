package clip

import (
	"image"
	"image/color"
)

// Picture is a decoded picture: upright, 8 bits a channel, RGB, alpha dropped
// without compositing. It converts the decoder's output row by row as asked,
// so that a large picture is never in memory twice. A Picture is not safe for
// concurrent use.
type Picture struct {
	Width, Height int

	// row writes columns lo to hi of row y to dst, 3 bytes each: R, G, B.
	row func(y, lo, hi int, dst []byte)

	// split, where there is one, writes what row does to a slice for each channel.
	split func(y, lo, hi int, dst *[3][]byte)

	// stored is, or nil, what has to be turned by orientation to be this picture.
	stored      *Picture
	orientation int
}

// planes writes columns lo to hi of row y to a slice for each channel; room is for as many
// pixels of 3 bytes.
func (p *Picture) planes(y, lo, hi int, dst *[3][]byte, room []byte) {
	if p.split != nil {
		p.split(y, lo, hi, dst)
		return
	}
	n := hi - lo
	room = room[:3*n]
	p.row(y, lo, hi, room)
	r, g, b := dst[0][:n], dst[1][:n], dst[2][:n]
	for i := range r {
		s := room[3*i : 3*i+3 : 3*i+3]
		r[i], g[i], b[i] = s[0], s[1], s[2]
	}
}

// cutRow makes a row function of one that writes whole rows of w pixels.
func cutRow(w int, whole func(y int, dst []byte)) func(y, lo, hi int, dst []byte) {
	var buf []byte
	return func(y, lo, hi int, dst []byte) {
		if lo == 0 && hi == w {
			whole(y, dst)
			return
		}
		if buf == nil {
			buf = make([]byte, 3*w)
		}
		whole(y, buf)
		copy(dst, buf[3*lo:3*hi])
	}
}

// RGB returns all pixels, 3 bytes each, row after row.
func (p *Picture) RGB() []byte {
	out := make([]byte, 3*p.Width*p.Height)
	for y := range p.Height {
		p.row(y, 0, p.Width, out[3*p.Width*y:3*p.Width*(y+1)])
	}
	return out
}

// fromRGB is a Picture of pixels in memory.
func fromRGB(w, h int, pix []byte) *Picture {
	return &Picture{Width: w, Height: h, row: func(y, lo, hi int, dst []byte) { copy(dst, pix[3*(w*y+lo):3*(w*y+hi)]) }}
}

// FromImage makes a Picture of a decoded image, upright as it is. YCbCr is
// taken to be as in JPEG files. The image is read while the Picture is used.
func FromImage(m image.Image) *Picture {
	b := m.Bounds()
	p := &Picture{Width: b.Dx(), Height: b.Dy()}
	w := p.Width
	switch m := m.(type) {
	case *image.YCbCr:
		if b.Min == (image.Point{}) { // a part of a picture may begin between two chroma samples
			return ycbcrPicture(w, p.Height, imagePlanes(m))
		}
		p.row = func(y, lo, hi int, dst []byte) {
			for x := lo; x < hi; x++ {
				i, c := m.YOffset(b.Min.X+x, b.Min.Y+y), m.COffset(b.Min.X+x, b.Min.Y+y)
				toRGB(dst[3*(x-lo):], m.Y[i:i+1], m.Cb[c:c+1], m.Cr[c:c+1])
			}
		}
	case *image.NRGBA:
		p.row = func(y, lo, hi int, dst []byte) { dropAlpha(dst, m.Pix[y*m.Stride+4*lo:], hi-lo) }
	case *image.RGBA:
		if m.Opaque() {
			p.row = func(y, lo, hi int, dst []byte) { dropAlpha(dst, m.Pix[y*m.Stride+4*lo:], hi-lo) }
		}
	case *image.NRGBA64:
		p.row = func(y, lo, hi int, dst []byte) { dropAlpha16(dst, m.Pix[y*m.Stride+8*lo:], hi-lo) }
	case *image.RGBA64:
		if m.Opaque() {
			p.row = func(y, lo, hi int, dst []byte) { dropAlpha16(dst, m.Pix[y*m.Stride+8*lo:], hi-lo) }
		}
	case *image.Gray:
		p.row = func(y, lo, hi int, dst []byte) {
			for x, v := range m.Pix[y*m.Stride:][lo:hi] {
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case *image.Gray16:
		// Pillow clips to 255. That is right for 8-bit levels stored wide, and makes
		// everything else white: only the former is followed.
		high := 0
		for y := 0; y < p.Height && high == 0; y++ {
			for x := range w {
				high |= int(m.Pix[y*m.Stride+2*x])
			}
		}
		at := 0
		if high == 0 {
			at = 1
		}
		p.row = func(y, lo, hi int, dst []byte) {
			s := m.Pix[y*m.Stride:][2*lo : 2*hi]
			for x := range hi - lo {
				v := s[2*x+at]
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case *image.Paletted:
		var palette [256][3]byte
		for i, c := range m.Palette {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			palette[i&255] = [3]byte{n.R, n.G, n.B}
		}
		p.row = func(y, lo, hi int, dst []byte) {
			for x, v := range m.Pix[y*m.Stride:][lo:hi] {
				copy(dst[3*x:3*x+3], palette[v][:])
			}
		}
	case *image.CMYK:
		p.row = func(y, lo, hi int, dst []byte) {
			s := m.Pix[y*m.Stride:][4*lo : 4*hi]
			for x := range hi - lo {
				inks(dst[3*x:3*x+3], s[4*x], s[4*x+1], s[4*x+2], s[4*x+3])
			}
		}
	}
	if p.row == nil {
		p.row = func(y, lo, hi int, dst []byte) {
			for x := lo; x < hi; x++ {
				n := color.NRGBA64Model.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA64)
				d := dst[3*(x-lo):]
				d[0], d[1], d[2] = byte(n.R>>8), byte(n.G>>8), byte(n.B>>8)
			}
		}
	}
	return p
}

func dropAlpha(dst, rgba []byte, w int) {
	rgba = rgba[:4*w]
	dst = dst[:3*w]
	for len(dst) > 0 {
		dst[0], dst[1], dst[2] = rgba[0], rgba[1], rgba[2]
		dst, rgba = dst[3:], rgba[4:]
	}
}

func dropAlpha16(dst, rgba []byte, w int) {
	for x := range w {
		s := rgba[8*x : 8*x+8]
		dst[3*x], dst[3*x+1], dst[3*x+2] = s[0], s[2], s[4]
	}
}

// inks writes the colour of four inks, as Pillow has it.
func inks(dst []byte, c, m, y, k byte) {
	white := 255 - int(k)
	for i, v := range [3]byte{c, m, y} {
		dst[i] = byte(max(0, white-mulDiv255(int(v), white)))
	}
}

// mulDiv255 is a*b/255, rounded, as Pillow does it.
func mulDiv255(a, b int) int {
	t := a*b + 128
	return (t>>8 + t) >> 8
}

// orient turns a picture upright by its EXIF orientation, 1 to 8, when its rows are asked for.
func orient(p *Picture, o int) *Picture {
	if o < 2 || o > 8 {
		return p
	}
	w, h := p.Width, p.Height
	if o >= 5 {
		w, h = h, w
	}
	var upright *Picture
	return &Picture{
		Width: w, Height: h, stored: p, orientation: o,
		row: func(y, lo, hi int, dst []byte) {
			if upright == nil {
				upright = turn(p, o)
			}
			upright.row(y, lo, hi, dst)
		},
	}
}

// turn turns a picture by an orientation of 2 to 8.
func turn(p *Picture, o int) *Picture {
	w, h := p.Width, p.Height
	dw, dh := w, h
	if o >= 5 {
		dw, dh = h, w
	}
	// Where pixel (x, y) goes: start + x*right + y*down.
	var start, right, down int
	switch o {
	case 2: // mirrored
		start, right, down = w-1, -1, dw
	case 3: // upside down
		start, right, down = dw*h-1, -1, -dw
	case 4: // mirrored and upside down
		start, right, down = dw*(h-1), 1, -dw
	case 5: // transposed
		start, right, down = 0, dw, 1
	case 6: // a quarter turn clockwise is needed
		start, right, down = dw-1, dw, -1
	case 7: // transposed along the other diagonal
		start, right, down = dw*dh-1, -dw, -1
	case 8: // a quarter turn counter-clockwise is needed
		start, right, down = dw*(dh-1), -dw, 1
	}
	out := make([]byte, 3*w*h)
	// Some rows at a time: those of a column then lie side by side where they go.
	const band = 16
	rows := make([]byte, band*3*w)
	for y := 0; y < h; y += band {
		n := min(band, h-y)
		for i := range n {
			p.row(y+i, 0, w, rows[3*w*i:3*w*(i+1)])
		}
		for x := range w {
			at := 3 * (start + x*right + y*down)
			for i := 3 * x; i < 3*w*n; i += 3 * w {
				d, s := out[at:at+3:at+3], rows[i:i+3:i+3]
				d[0], d[1], d[2] = s[0], s[1], s[2]
				at += 3 * down
			}
		}
	}
	return fromRGB(dw, dh, out)
}
