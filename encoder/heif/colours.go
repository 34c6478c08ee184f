package heif

import (
	"image"

	"github.com/lupadb/lupa/encoder/clip"
)

// weights are those of red and blue in the luma of each kind of matrix coefficients of
// ITU-T H.273; the others are taken for BT.601's, which JPEG files and telephones have.
var weights = map[int][2]float64{
	1: {0.2126, 0.0722},                       // BT.709
	4: {0.30, 0.11},                           // FCC
	7: {0.212, 0.087},                         // SMPTE 240M
	9: {0.2627, 0.0593}, 10: {0.2627, 0.0593}, // BT.2020
}

// asJPEG returns a picture whose luma and chroma mean what they do in JPEG files: m itself
// where they do already.
func asJPEG(m *image.YCbCr, c clip.Colours) image.Image {
	w, other := weights[c.Matrix]
	if c.Matrix == 0 {
		return identity(m)
	}
	if !other && !c.Limited {
		return m
	}
	if !other {
		w = [2]float64{0.299, 0.114}
	}
	// Levels as numbers from 0 to 255, chroma around 0.
	lumaScale, lumaFrom, chromaScale := 1.0, 0.0, 1.0
	if c.Limited {
		lumaScale, lumaFrom, chromaScale = 255.0/219, 16, 255.0/224
	}
	kr, kb := w[0], w[1]
	kg := 1 - kr - kb
	red, blue := float64(float64(2*(1-kr))*chromaScale), float64(float64(2*(1-kb))*chromaScale)
	greenR, greenB := float64(float64(kr/kg)*red), float64(float64(kb/kg)*blue)
	out := image.NewNRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		row := out.Pix[y*out.Stride:]
		for x := range m.Rect.Dx() {
			at := m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
			l := float64((float64(m.Y[y*m.YStride+x]) - lumaFrom) * lumaScale)
			cb, cr := float64(m.Cb[at])-128, float64(m.Cr[at])-128
			row[4*x] = level(l + float64(red*cr))
			row[4*x+1] = level(l - float64(greenR*cr) - float64(greenB*cb))
			row[4*x+2] = level(l + float64(blue*cb))
			row[4*x+3] = 255
		}
	}
	return out
}

// identity is matrix 0: the planes are green, blue and red.
func identity(m *image.YCbCr) image.Image {
	out := image.NewNRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		row := out.Pix[y*out.Stride:]
		for x := range m.Rect.Dx() {
			at := m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = m.Cr[at], m.Y[y*m.YStride+x], m.Cb[at], 255
		}
	}
	return out
}

func level(v float64) byte { return byte(max(0, min(255, v+0.5))) }
