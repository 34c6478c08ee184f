package shell

import (
	"image"

	"github.com/lupadb/lupa/encoder/clip"
)

// decodePicture decodes a file with the decoder the encoders use, at a reduced
// size of at least width x height, so that a thumbnail shows what was encoded:
// upright, the first frame.
func decodePicture(data []byte, width, height int) (image.Image, error) {
	return clip.Thumbnail(data, width, height)
}
