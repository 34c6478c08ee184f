package shell

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

const maxPixels = 100 << 20

// decodePicture decodes a file for a thumbnail, refusing what would need
// gigabytes.
func decodePicture(data []byte) (image.Image, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if c.Width*c.Height > maxPixels {
		return nil, fmt.Errorf("%d x %d pixels are too many for a thumbnail", c.Width, c.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	return img, err
}
