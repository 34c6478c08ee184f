package render

import (
	"encoding/base64"
	"fmt"
	"image"
)

// drawITerm uses iTerm2's inline images, which WezTerm, mintty and VS Code
// share: https://iterm2.com/documentation-images.html.
func drawITerm(img image.Image, cols, rows int, _ Cell) string {
	data := pngOf(img)
	return fmt.Sprintf("\x1b]1337;File=inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=1;doNotMoveCursor=1:%s\a",
		len(data), cols, rows, base64.StdEncoding.EncodeToString(data))
}
