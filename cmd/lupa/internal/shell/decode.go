package shell

import (
	"image"

	"github.com/lupadb/lupa/encoder/clip"
)

// maxPixels is what a picture may have to be shown as a thumbnail: a few dozen
// of them are decoded for one result.
const maxPixels = 100 << 20

// decodePicture decodes a file with the decoder the encoders use, so that a
// thumbnail shows what was encoded: upright, the first frame.
func decodePicture(data []byte) (image.Image, error) {
	p, err := clip.Decode(data, maxPixels)
	if err != nil {
		return nil, err
	}
	rgb := p.RGB()
	out := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := 0; i < p.Width*p.Height; i++ {
		copy(out.Pix[4*i:4*i+3], rgb[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out, nil
}
