package clip

import (
	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
)

// decodeJPEG decodes a JPEG file at 1/scale of its size; see jpeg.Options.
func decodeJPEG(data []byte, o jpeg.Options) (*Picture, error) {
	m, err := jpeg.Decode(data, o)
	if err != nil {
		return nil, err
	}
	planes := planesOf(m)
	w, h := m.Width, m.Height
	switch {
	case len(m.Planes) == 1:
		return &Picture{Width: w, Height: h, row: func(y, lo, hi int, dst []byte) {
			for x, v := range planes[0].row(y, lo, hi) {
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}}, nil
	case len(m.Planes) == 3 && m.RGB():
		return &Picture{Width: w, Height: h, row: func(y, lo, hi int, dst []byte) {
			for c := range 3 {
				for x, v := range planes[c].row(y, lo, hi) {
					dst[3*x+c] = v
				}
			}
		}}, nil
	case len(m.Planes) == 3:
		return ycbcrPicture(w, h, (*[3]plane)(planes[:3])), nil
	}
	// Four inks are stored inverted, as Photoshop began to: few files, and none
	// with a mark of it, are otherwise. YCCK has them in the colours of YCbCr.
	if m.Transform != 2 {
		return &Picture{Width: w, Height: h, row: func(y, lo, hi int, dst []byte) {
			c, m, ye, k := planes[0].row(y, lo, hi), planes[1].row(y, lo, hi), planes[2].row(y, lo, hi), planes[3].row(y, lo, hi)
			m, ye, k = m[:len(c)], ye[:len(c)], k[:len(c)]
			for x := range c {
				if d := dst[3*x : 3*x+3]; k[x] == 255 { // no black
					d[0], d[1], d[2] = c[x], m[x], ye[x]
					continue
				}
				inks(dst[3*x:3*x+3], 255-c[x], 255-m[x], 255-ye[x], 255-k[x])
			}
		}}, nil
	}
	rgb := ycbcrPicture(w, h, (*[3]plane)(planes[:3]))
	return &Picture{Width: w, Height: h, row: func(y, lo, hi int, dst []byte) {
		rgb.row(y, lo, hi, dst)
		for x, k := range planes[3].row(y, lo, hi) {
			d := dst[3*x : 3*x+3]
			inks(d, d[0], d[1], d[2], 255-k)
		}
	}}, nil
}

func planesOf(m *jpeg.Image) (planes [4]plane) {
	for i := range m.Planes {
		c := &m.Planes[i]
		planes[i] = plane{pix: c.Pix, stride: c.Stride, w: c.Width, h: c.Height, stepX: c.StepX, stepY: c.StepY}
	}
	return planes
}
