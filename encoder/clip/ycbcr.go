package clip

import "image"

// jpegPicture converts as libjpeg does: chroma that was halved is interpolated
// between samples with weights 3/4 and 1/4 ("fancy upsampling"), and the colours
// follow from the full-range BT.601 matrix in 16-bit fixed point.
func jpegPicture(m *image.YCbCr) *Picture {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	up := &jpegChroma{m: m, cw: w, ch: h}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		up.cw = (w + 1) / 2
	case image.YCbCrSubsampleRatio420:
		up.cw, up.ch = (w+1)/2, (h+1)/2
	case image.YCbCrSubsampleRatio440:
		up.ch = (h + 1) / 2
	}
	up.sum = make([]int32, up.cw)
	cb, cr := make([]byte, w+1), make([]byte, w+1)
	return &Picture{w, h, func(y int, dst []byte) {
		up.row(cb, m.Cb, y)
		up.row(cr, m.Cr, y)
		luma := m.Y[y*m.YStride:][:w]
		dst = dst[:3*w]
		cb, cr := cb[:w], cr[:w]
		for x, l := range luma {
			r, g, b := fullRangeRGB(l, cb[x], cr[x])
			d := dst[3*x : 3*x+3 : 3*x+3]
			d[0], d[1], d[2] = clamp(r), clamp(g), clamp(b)
		}
	}}
}

// fullRangeRGB is JPEG's colour matrix: 1.402, 0.34414, 0.71414 and 1.772 times
// 2^16. What it returns may lie outside of a byte.
func fullRangeRGB(y, cb, cr byte) (r, g, b int32) {
	l, u, v := int32(y)<<16+1<<15, int32(cb)-128, int32(cr)-128
	return (l + 91881*v) >> 16, (l - 22554*u - 46802*v) >> 16, (l + 116130*u) >> 16
}

func clamp(v int32) byte {
	if uint32(v) <= 255 {
		return byte(v)
	}
	return byte(^(v >> 31)) // 0 below, 255 above
}

// jpegChroma brings rows of a chroma plane to full width.
type jpegChroma struct {
	m      *image.YCbCr
	cw, ch int // samples that belong to the picture; the planes may be padded
	sum    []int32
}

// row writes at least as many samples to dst as the picture is wide; dst holds
// one more.
func (c *jpegChroma) row(dst, plane []byte, y int) {
	at := func(i int) []byte {
		return plane[min(max(i, 0), c.ch-1)*c.m.CStride:][:c.cw]
	}
	// libjpeg does not interpolate planes of one or two samples a row.
	wide := c.cw > 2
	switch c.m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
		copy(dst, at(y))
	case image.YCbCrSubsampleRatio422:
		s := at(y)
		if !wide {
			repeat(dst, s)
			return
		}
		last := len(s) - 1
		dst[0], dst[1] = s[0], byte((3*int32(s[0])+int32(s[1])+2)>>2)
		for i := 1; i < last; i++ {
			v := 3 * int32(s[i])
			dst[2*i] = byte((v + int32(s[i-1]) + 1) >> 2)
			dst[2*i+1] = byte((v + int32(s[i+1]) + 2) >> 2)
		}
		set(dst, 2*last, byte((3*int32(s[last])+int32(s[last-1])+1)>>2))
		set(dst, 2*last+1, s[last])
	case image.YCbCrSubsampleRatio420:
		near, far := at(y/2), at(y/2-1+y&1*2)
		if !wide {
			repeat(dst, near)
			return
		}
		s := c.sum
		for i := range s {
			s[i] = 3*int32(near[i]) + int32(far[i])
		}
		last := len(s) - 1
		dst[0], dst[1] = byte((4*s[0]+8)>>4), byte((3*s[0]+s[1]+7)>>4)
		for i := 1; i < last; i++ {
			v := 3 * s[i]
			dst[2*i] = byte((v + s[i-1] + 8) >> 4)
			dst[2*i+1] = byte((v + s[i+1] + 7) >> 4)
		}
		set(dst, 2*last, byte((3*s[last]+s[last-1]+8)>>4))
		set(dst, 2*last+1, byte((4*s[last]+7)>>4))
	case image.YCbCrSubsampleRatio440:
		near, far := at(y/2), at(y/2-1+y&1*2)
		bias := int32(1 + y&1)
		for i := range near {
			dst[i] = byte((3*int32(near[i]) + int32(far[i]) + bias) >> 2)
		}
	default: // 4:1:1 and 4:1:0 are replicated
		for x := range c.m.Rect.Dx() {
			dst[x] = plane[c.m.COffset(x, y)]
		}
	}
}

func repeat(dst, s []byte) {
	for i, v := range s {
		dst[2*i] = v
		set(dst, 2*i+1, v)
	}
}

// set is dst[i] = v where i may be the one place beyond an odd width.
func set(dst []byte, i int, v byte) {
	if i < len(dst) {
		dst[i] = v
	}
}

// webpPicture converts as libwebp does: limited-range BT.601 and chroma
// interpolated with weights 9/16, 3/16, 3/16 and 1/16, rounded in two steps.
// (Go's own conversion would take the values for full range, golang/go#40173.)
func webpPicture(m *image.YCbCr) *Picture {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	cb, cr := make([]byte, w+1), make([]byte, w+1)
	return &Picture{w, h, func(y int, dst []byte) {
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
	}}
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
