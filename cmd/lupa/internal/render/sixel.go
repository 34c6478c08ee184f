package render

import (
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"strings"
)

// drawSixel writes DEC sixels, which xterm, foot, mlterm and Windows Terminal
// show: bands of six pixel rows; in each, for every colour the columns that
// have it. Colours are dithered to a fixed palette of 256.
func drawSixel(img image.Image, _, _ int, _ Cell) string {
	r := img.Bounds()
	p := image.NewPaletted(r, palette.Plan9)
	draw.FloydSteinberg.Draw(p, r, img, r.Min)
	var b strings.Builder
	fmt.Fprintf(&b, "\x1bPq\"1;1;%d;%d", r.Dx(), r.Dy())
	var defined [256]bool
	for top := 0; top < r.Dy(); top += 6 {
		var used [256]bool
		bits := map[uint8][]byte{} // colour -> six pixels of each column
		for y := top; y < min(top+6, r.Dy()); y++ {
			row := p.Pix[y*p.Stride : y*p.Stride+r.Dx()]
			for x, c := range row {
				if !used[c] {
					used[c] = true
					bits[c] = make([]byte, r.Dx())
				}
				bits[c][x] |= 1 << (y - top)
			}
		}
		for c := range used {
			if !used[c] {
				continue
			}
			if !defined[c] {
				defined[c] = true
				cr, cg, cb, _ := p.Palette[c].RGBA()
				fmt.Fprintf(&b, "#%d;2;%d;%d;%d", c, cr*100/0xffff, cg*100/0xffff, cb*100/0xffff)
			}
			fmt.Fprintf(&b, "#%d", c)
			writeSixels(&b, bits[uint8(c)])
			b.WriteByte('$')
		}
		b.WriteByte('-')
	}
	b.WriteString("\x1b\\")
	return b.String()
}

// writeSixels writes one band of one colour, runs shortened.
func writeSixels(b *strings.Builder, bits []byte) {
	for i := 0; i < len(bits); {
		j := i
		for j < len(bits) && bits[j] == bits[i] {
			j++
		}
		ch := string(rune('?' + bits[i]))
		if n := j - i; n > 3 {
			fmt.Fprintf(b, "!%d%s", n, ch)
		} else {
			b.WriteString(strings.Repeat(ch, n))
		}
		i = j
	}
}
