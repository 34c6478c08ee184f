package render

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/lupadb/lupa/storage/value"
	"golang.org/x/image/draw"
)

// protocol is a way to show a picture in a terminal.
type protocol struct {
	name string
	// draw returns the text that shows img at the cursor, cols by rows cells of
	// c pixels; nil for blocks, which are lines of text.
	draw func(img image.Image, cols, rows int, c Cell) string
}

// protocols are the ones of .images, besides auto and off.
func protocols() []protocol {
	return []protocol{
		{"kitty", drawKitty},
		{"iterm", drawITerm},
		{"sixel", drawSixel},
		{"blocks", nil},
	}
}

// Protocols returns the names .images takes.
func Protocols() []string {
	names := []string{"auto"}
	for _, p := range protocols() {
		names = append(names, p.name)
	}
	return append(names, "off")
}

// CheckProtocol returns an error for a name that isn't among them.
func CheckProtocol(name string) error {
	for _, n := range Protocols() {
		if strings.EqualFold(n, name) {
			return nil
		}
	}
	return fmt.Errorf("no way %q to show pictures (there are %s)", name, strings.Join(Protocols(), ", "))
}

// Cell is the size of a character of the terminal in pixels.
type Cell struct{ Width, Height int }

// Thumbnails collects the pictures that a result's rows name and draws them in
// rows, numbered as the result's rows. A nil *Thumbnails does nothing.
type Thumbnails struct {
	Protocol string // kitty, iterm, sixel or blocks
	Columns  int    // of the terminal
	Cell     Cell
	Deep     bool // for blocks: 24-bit colours
	Decode   func(data []byte) (image.Image, error)

	rows  int
	named bool // a column with pictures has been found
	col   int
	pics  []pic
}

// pic is a row's picture.
type pic struct {
	row   int
	path  string
	label string
	img   image.Image
	err   error
}

const (
	maxThumbs   = 12 // the first rows are the ones that matter
	thumbCols   = 22 // cells of one thumbnail
	thumbRows   = 9
	thumbGap    = 2
	maxFileSize = 64 << 20
)

// Row looks for a picture in a row: in the first column of text whose value
// names a local picture file. Rows before the first such value count, too.
func (t *Thumbnails) Row(vals []value.Value) {
	if t == nil {
		return
	}
	t.rows++
	if len(t.pics) == maxThumbs {
		return
	}
	if !t.named {
		if t.rows > maxThumbs {
			return
		}
		for i, v := range vals {
			if _, ok := picturePath(v); ok {
				t.named, t.col = true, i
				break
			}
		}
		if !t.named {
			return
		}
	}
	path, ok := picturePath(vals[t.col])
	if !ok {
		return
	}
	label := filepath.Base(path)
	for _, v := range vals { // a score says more than a name
		if v.Kind() == value.Real {
			label = shortReal(v.Float()) + "  " + label
			break
		}
	}
	t.pics = append(t.pics, pic{row: t.rows, path: path, label: Visible(label)})
}

// picturePath returns the local picture file that a value names.
func picturePath(v value.Value) (string, bool) {
	if v.Kind() != value.Text || len(v.Str()) > 4096 {
		return "", false
	}
	s := v.Str()
	if strings.HasPrefix(s, "file://") {
		u, err := url.Parse(s)
		if err != nil {
			return "", false
		}
		s = u.Path
	}
	switch strings.ToLower(filepath.Ext(s)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff":
	default:
		return "", false
	}
	st, err := os.Stat(s)
	return s, err == nil && st.Mode().IsRegular() && st.Size() <= maxFileSize
}

// Write draws what has been collected.
func (t *Thumbnails) Write(w io.Writer) error {
	if t == nil || len(t.pics) == 0 {
		return nil
	}
	var p protocol
	for _, x := range protocols() {
		if x.name == t.Protocol {
			p = x
		}
	}
	t.load()
	b := bufio.NewWriter(w)
	per := max(1, (t.Columns+thumbGap)/(thumbCols+thumbGap))
	for from := 0; from < len(t.pics); from += per {
		strip := t.pics[from:min(from+per, len(t.pics))]
		if p.draw == nil {
			t.blocks(b, strip)
		} else {
			t.graphics(b, strip, p)
		}
		for i, x := range strip {
			label := Shorten(fmt.Sprintf("%d  %s", x.row, x.label), thumbCols)
			gap := thumbCols - Width(label) + thumbGap
			if i == len(strip)-1 {
				gap = 0
			}
			b.WriteString(label + pad(gap))
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

// load decodes the pictures, two at a time, to the size they are shown in.
func (t *Thumbnails) load() {
	cell := t.Cell
	if t.Protocol == "blocks" || cell.Width == 0 || cell.Height == 0 {
		cell = Cell{10, 20}
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, 2)
	for i := range t.pics {
		wg.Add(1)
		room <- struct{}{}
		go func() {
			defer func() { <-room; wg.Done() }()
			x := &t.pics[i]
			var data []byte
			if data, x.err = os.ReadFile(x.path); x.err != nil {
				return
			}
			var full image.Image
			if full, x.err = t.Decode(data); x.err == nil {
				x.img = fitted(full, thumbCols*cell.Width, thumbRows*cell.Height)
			}
		}()
	}
	wg.Wait()
	t.Cell = cell
}

// fitted scales img to lie within w by h pixels. Small pictures grow, too, so
// that a row of them is even.
func fitted(img image.Image, w, h int) *image.RGBA {
	b := img.Bounds()
	if b.Dx() == 0 || b.Dy() == 0 {
		return image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	f := min(float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy()))
	to := image.Rect(0, 0, max(1, int(f*float64(b.Dx()))), max(1, int(f*float64(b.Dy()))))
	out := image.NewRGBA(to)
	draw.ApproxBiLinear.Scale(out, to, img, b, draw.Src, nil)
	return out
}

// cells is how many cells an image of this size covers.
func cells(img image.Image, c Cell) (cols, rows int) {
	b := img.Bounds()
	return min(thumbCols, (b.Dx()+c.Width-1)/c.Width), min(thumbRows, (b.Dy()+c.Height-1)/c.Height)
}

// graphics makes room for a strip, then draws each picture from the strip's top
// line: where a protocol leaves the cursor differs between terminals.
func (t *Thumbnails) graphics(b *bufio.Writer, strip []pic, p protocol) {
	b.WriteString(strings.Repeat("\n", thumbRows))
	fmt.Fprintf(b, "\x1b[%dA", thumbRows)
	for i, x := range strip {
		b.WriteString("\r")
		if i > 0 {
			fmt.Fprintf(b, "\x1b[%dC", i*(thumbCols+thumbGap))
		}
		if x.img == nil {
			b.WriteString("(unreadable)")
			continue
		}
		cols, rows := cells(x.img, t.Cell)
		b.WriteString("\x1b7" + p.draw(x.img, cols, rows, t.Cell) + "\x1b8")
	}
	fmt.Fprintf(b, "\r\x1b[%dB", thumbRows)
}
