package clip

import (
	"image"

	"github.com/lupadb/lupa/encoder/clip/internal/simd"
)

// plane is a plane of samples, each of which stands for stepX x stepY pixels.
type plane struct {
	pix          []byte
	stride       int
	w, h         int // samples that belong to the picture; there may be more
	stepX, stepY int
	sum          []uint16 // scratch
	out          []byte
}

// row returns the values of columns lo to hi of row y of the picture, valid until
// the next call. They are those of libjpeg: samples of half the width or height are
// interpolated with weights 3/4 and 1/4 ("fancy upsampling"), others repeated.
func (p *plane) row(y, lo, hi int) []byte {
	at := func(i int) []byte { return p.pix[min(max(i, 0), p.h-1)*p.stride:][:p.w] }
	// libjpeg does not interpolate rows of one or two samples.
	wide := p.w > 2
	switch {
	case p.stepX == 1 && p.stepY == 1:
		return at(y)[lo:hi]
	case p.stepX == 1 && p.stepY == 2:
		near, far := at(y / 2)[lo:hi], at(y/2 - 1 + y&1*2)[lo:hi]
		dst := p.room(hi - lo)
		bias := int32(1 + y&1)
		for i, v := range near {
			dst[i] = byte((3*int32(v) + int32(far[i]) + bias) >> 2)
		}
		return dst
	case p.stepX == 2 && p.stepY <= 2 && wide:
		from, to := lo/2, (hi+1)/2
		dst := p.room(2 * (to - from))
		// The samples, or the sums of two rows, with a neighbour on either side.
		if cap(p.sum) < p.w+2 {
			p.sum = make([]uint16, p.w+2)
		}
		s := p.sum[:to-from+2]
		a, b := max(from-1, 0), min(to+1, p.w)
		inner := s[a-from+1:][:b-a]
		near := at(y / p.stepY)[a:b]
		even, odd, shift := 1, 2, 2
		if p.stepY == 2 {
			far := at(y/2 - 1 + y&1*2)[a:b]
			for i := simd.Sums(inner, near, far); i < len(inner); i++ {
				inner[i] = 3*uint16(near[i]) + uint16(far[i])
			}
			even, odd, shift = 8, 7, 4
		} else {
			for i, v := range near {
				inner[i] = uint16(v)
			}
		}
		if from == 0 {
			s[0] = s[1]
		}
		if to == p.w {
			s[len(s)-1] = s[len(s)-2]
		}
		done := simd.Spread(dst, s, even, odd, shift)
		before, v := int(s[done]), int(s[done+1])
		for i, after := range s[done+2:] {
			d := dst[2*(done+i):][:2]
			d[0], d[1] = byte((3*v+before+even)>>(shift&7)), byte((3*v+int(after)+odd)>>(shift&7))
			before, v = v, int(after)
		}
		return dst[lo-2*from:][:hi-lo]
	}
	dst := p.room(hi - lo)
	s := at(y / p.stepY)
	for i := range dst {
		dst[i] = s[(lo+i)/p.stepX]
	}
	return dst
}

func (p *plane) room(n int) []byte {
	if cap(p.out) < n {
		p.out = make([]byte, n)
	}
	return p.out[:n]
}

// ycbcrPicture converts as libjpeg does.
func ycbcrPicture(w, h int, planes *[3]plane) *Picture {
	y, cb, cr := &planes[0], &planes[1], &planes[2]
	return &Picture{
		Width: w, Height: h,
		row: func(at, lo, hi int, dst []byte) {
			toRGB(dst, y.row(at, lo, hi), cb.row(at, lo, hi), cr.row(at, lo, hi))
		},
		split: func(at, lo, hi int, dst *[3][]byte) {
			toPlanes(dst, y.row(at, lo, hi), cb.row(at, lo, hi), cr.row(at, lo, hi))
		},
	}
}

// toPlanes is toRGB with a slice for each channel.
func toPlanes(dst *[3][]byte, y, cb, cr []byte) {
	r, g, b := dst[0][:len(y)], dst[1][:len(y)], dst[2][:len(y)]
	for x := simd.ToRGB(r, g, b, y, cb, cr); x < len(y); x++ {
		var d [3]byte
		toRGB(d[:], y[x:x+1], cb[x:x+1], cr[x:x+1])
		r[x], g[x], b[x] = d[0], d[1], d[2]
	}
}

// toRGB converts by the full-range BT.601 matrix in 16-bit fixed point.
func toRGB(dst, y, cb, cr []byte) {
	cb, cr = cb[:len(y)], cr[:len(y)]
	dst = dst[:3*len(y)]
	for x, l := range y {
		u, v := &chroma[cb[x]], &chroma[cr[x]]
		d := dst[3*x : 3*x+3 : 3*x+3]
		at := int32(l) + 256
		d[0] = limited[uint32(at+v.red)&1023]
		d[1] = limited[uint32(at+(u.greenB+v.greenR)>>16)&1023]
		d[2] = limited[uint32(at+u.blue)&1023]
	}
}

// chroma holds what a level of Cb or Cr adds: as Cr to red, as Cb to blue, and to
// green times 2^16.
var chroma = func() (t [256]struct{ red, blue, greenB, greenR int32 }) {
	for i := range t {
		v := int32(i) - 128
		t[i].red, t[i].blue = (91881*v+1<<15)>>16, (116130*v+1<<15)>>16
		t[i].greenB, t[i].greenR = -22554*v, -46802*v+1<<15
	}
	return t
}()

// limited is a value, to which 256 was added, kept in a byte.
var limited = func() (t [1024]byte) {
	for i := range t {
		t[i] = clamp(int32(i) - 256)
	}
	return t
}()

func clamp(v int32) byte {
	if uint32(v) <= 255 {
		return byte(v)
	}
	return byte(^(v >> 31)) // 0 below, 255 above
}

// imagePlanes are the planes of a picture whose upper left corner is (0, 0).
func imagePlanes(m *image.YCbCr) *[3]plane {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	sx, sy := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		sx = 2
	case image.YCbCrSubsampleRatio420:
		sx, sy = 2, 2
	case image.YCbCrSubsampleRatio440:
		sy = 2
	case image.YCbCrSubsampleRatio411:
		sx = 4
	case image.YCbCrSubsampleRatio410:
		sx, sy = 4, 2
	}
	c := plane{stride: m.CStride, w: (w + sx - 1) / sx, h: (h + sy - 1) / sy, stepX: sx, stepY: sy}
	cb, cr := c, c
	cb.pix, cr.pix = m.Cb, m.Cr
	return &[3]plane{{pix: m.Y, stride: m.YStride, w: w, h: h, stepX: 1, stepY: 1}, cb, cr}
}

// webpPicture converts as libwebp does: limited-range BT.601 and chroma
// interpolated with weights 9/16, 3/16, 3/16 and 1/16, rounded in two steps.
// (Go's own conversion would take the values for full range, golang/go#40173.)
func webpPicture(m *image.YCbCr) *Picture {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	cb, cr := make([]byte, w+1), make([]byte, w+1)
	whole := func(y int, dst []byte) {
		near := y / 2
		far := near - 1 + y&1*2
		if far < 0 || far >= ch {
			far = near
		}
		webpChroma(cb, m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw], w)
		webpChroma(cr, m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw], w)
		luma := m.Y[y*m.YStride:][:w]
		dst = dst[:3*w]
		cb, cr := cb[:w], cr[:w]
		for x, l := range luma {
			// Factors are times 2^14; six bits of fraction are left until the end.
			l, u, v := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
			d := dst[3*x : 3*x+3 : 3*x+3]
			d[0] = clamp((l + v*26149>>8 - 14234) >> 6)
			d[1] = clamp((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
			d[2] = clamp((l + u*33050>>8 - 17685) >> 6)
		}
	}
	return &Picture{Width: w, Height: h, row: cutRow(w, whole)}
}

// webpChroma brings two rows of chroma samples to one row of w.
func webpChroma(dst, near, far []byte, w int) {
	last := len(near) - 1
	dst[0] = byte((3*int32(near[0]) + int32(far[0]) + 2) >> 2)
	a, c := int32(near[0]), int32(far[0])
	pairs := dst[1:]
	for i, v := range near[1:] {
		b, d := int32(v), int32(far[i+1])
		all := a + b + c + d + 8
		p := pairs[2*i : 2*i+2 : 2*i+2]
		p[0] = byte(((all+2*(b+c))>>3 + a) >> 1)
		p[1] = byte(((all+2*(a+d))>>3 + b) >> 1)
		a, c = b, d
	}
	if w&1 == 0 {
		dst[w-1] = byte((3*int32(near[last]) + int32(far[last]) + 2) >> 2)
	}
}
