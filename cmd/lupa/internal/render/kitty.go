package render

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strings"
)

// drawKitty uses the graphics protocol of Kitty, which Ghostty, WezTerm and
// Konsole share: https://sw.kovidgoyal.net/kitty/graphics-protocol/. The
// picture travels as png in chunks of 4,096 bytes; C=1 leaves the cursor, q=2
// asks for no answer.
func drawKitty(img image.Image, cols, rows int, _ Cell) string {
	data := base64.StdEncoding.EncodeToString(pngOf(img))
	var b strings.Builder
	head := fmt.Sprintf("a=T,f=100,C=1,q=2,c=%d,r=%d,", cols, rows)
	for {
		chunk := data[:min(4096, len(data))]
		data = data[len(chunk):]
		more := 0
		if len(data) > 0 {
			more = 1
		}
		fmt.Fprintf(&b, "\x1b_G%sm=%d;%s\x1b\\", head, more, chunk)
		if more == 0 {
			return b.String()
		}
		head = "q=2,"
	}
}

func pngOf(img image.Image) []byte {
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&b, img); err != nil {
		return nil // only an empty image fails, and fitted makes none
	}
	return b.Bytes()
}
