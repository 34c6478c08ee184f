package render

import (
	"bufio"
	"fmt"
	"image"
	"strings"
)

// blocks draws a strip as text: every cell is an upper half block whose colour
// is one pixel and whose background is the one below it. It works on every
// terminal that has colours.
func (t *Thumbnails) blocks(b *bufio.Writer, strip []pic) {
	var lines [thumbRows]strings.Builder
	height := 1
	for i, x := range strip {
		used := 0
		if x.img == nil {
			note := x.note()
			lines[0].WriteString(note)
			used = len(note)
			for y := 1; y < thumbRows; y++ {
				lines[y].WriteString(pad(used))
			}
		} else {
			// One pixel a column, two a row: cells are twice as high as wide.
			img := fitted(x.img, thumbCols, 2*thumbRows)
			used = img.Bounds().Dx()
			rows := (img.Bounds().Dy() + 1) / 2
			height = max(height, rows)
			for y := range lines {
				if y < rows {
					lines[y].WriteString(blockLine(img, 2*y, t.Deep))
				} else {
					lines[y].WriteString(pad(used))
				}
			}
		}
		if i < len(strip)-1 {
			for y := range lines {
				lines[y].WriteString(pad(thumbCols - used + thumbGap))
			}
		}
	}
	for y := 0; y < height; y++ {
		b.WriteString(strings.TrimRight(lines[y].String(), " "))
		b.WriteByte('\n')
	}
}

func blockLine(img *image.RGBA, y int, deep bool) string {
	var b strings.Builder
	last := ""
	for x := 0; x < img.Bounds().Dx(); x++ {
		sgr := colour(img, x, y, 38, deep)
		if y+1 < img.Bounds().Dy() {
			sgr += ";" + colour(img, x, y+1, 48, deep)
		} else {
			sgr += ";49"
		}
		if sgr != last {
			b.WriteString("\x1b[" + sgr + "m")
			last = sgr
		}
		b.WriteString("▀")
	}
	b.WriteString("\x1b[0m")
	return b.String()
}

// colour is the SGR parameter for a pixel: 24 bits, or the nearest of the 6x6x6
// cube that terminals of 256 colours share.
func colour(img *image.RGBA, x, y, ground int, deep bool) string {
	p := img.RGBAAt(x, y)
	if deep {
		return fmt.Sprintf("%d;2;%d;%d;%d", ground, p.R, p.G, p.B)
	}
	level := func(v uint8) int {
		switch {
		case v < 48:
			return 0
		case v < 115:
			return 1
		default:
			return (int(v) - 35) / 40
		}
	}
	return fmt.Sprintf("%d;5;%d", ground, 16+36*level(p.R)+6*level(p.G)+level(p.B))
}
