package render

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/query/gallery"
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
	// Decode decodes a file to about as many pixels as are to be shown, or more.
	Decode func(data []byte, width, height int) (image.Image, error)

	Names    []string // of the columns
	Template string   // where rows have their picture, {column} standing for a value; "" = in a column
	// Fetch gets a picture from an address; nil where that is not allowed.
	Fetch func(ctx context.Context, address string) ([]byte, error)

	rows int
	pics []pic
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

// Row looks for a row's picture: where the template says, or else a local file or
// an address that a column holds.
func (t *Thumbnails) Row(vals []value.Value) {
	if t == nil {
		return
	}
	t.rows++
	// Where none of the first rows has a picture, none is looked for in millions.
	if len(t.pics) == maxThumbs || len(t.pics) == 0 && t.rows > maxThumbs {
		return
	}
	vals = localPaths(vals)
	path, col, ok := gallery.Find(t.Names, t.Template, vals)
	if !ok || len(path) > 4096 {
		return
	}
	if !gallery.IsRemote(path) && !pictureFile(path) {
		return
	}
	label := path
	if col < 0 { // the template's column says more than what it makes of it
		label = vals[0].String()
	}
	label = filepath.Base(label)
	for _, v := range vals { // a score says more than a name
		if v.Kind() == value.Real {
			label = shortReal(v.Float()) + "  " + label
			break
		}
	}
	t.pics = append(t.pics, pic{row: t.rows, path: path, label: Visible(label)})
}

// localPaths returns the values with file:// taken off addresses.
func localPaths(vals []value.Value) []value.Value {
	out := vals
	for i, v := range vals {
		if v.Kind() != value.Text || !strings.HasPrefix(v.Str(), "file://") {
			continue
		}
		if u, err := url.Parse(v.Str()); err == nil {
			if &out[0] == &vals[0] {
				out = slices.Clone(vals)
			}
			out[i] = value.Str(u.Path)
		}
	}
	return out
}

// note stands in the place of a picture that can't be shown.
func (p *pic) note() string {
	if gallery.IsRemote(p.path) {
		return "(can't be fetched)"
	}
	return "(unreadable)"
}

// pictureFile reports whether a local file is there and of a reasonable size.
func pictureFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Size() <= maxFileSize
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
	b := bufio.NewWriter(w)
	if left := t.allowed(); left > 0 {
		fmt.Fprintf(b, "(%d pictures are at addresses and not fetched; start lupa with --urls to see them)\n", left)
	}
	t.load()
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

// allowed drops the pictures that would have to be fetched if that is not
// allowed, and returns how many those are.
func (t *Thumbnails) allowed() (dropped int) {
	if t.Fetch != nil {
		return 0
	}
	before := len(t.pics)
	t.pics = slices.DeleteFunc(t.pics, func(p pic) bool { return gallery.IsRemote(p.path) })
	return before - len(t.pics)
}

// fetchTime is how long a result waits for the pictures of its rows.
const fetchTime = 10 * time.Second

// load decodes the pictures, some at a time, to the size they are shown in.
func (t *Thumbnails) load() {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	cell := t.Cell
	if t.Protocol == "blocks" || cell.Width == 0 || cell.Height == 0 {
		cell = Cell{10, 20}
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, 4)
	for i := range t.pics {
		wg.Add(1)
		room <- struct{}{}
		go func() {
			defer func() { <-room; wg.Done() }()
			x := &t.pics[i]
			var data []byte
			if gallery.IsRemote(x.path) {
				data, x.err = t.Fetch(ctx, x.path)
			} else {
				data, x.err = os.ReadFile(x.path)
			}
			if x.err != nil {
				return
			}
			w, h := thumbCols*cell.Width, thumbRows*cell.Height
			var full image.Image
			if full, x.err = t.Decode(data, w, h); x.err == nil {
				x.img = fitted(full, w, h)
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
	height := 1
	for _, x := range strip {
		if x.img != nil {
			_, rows := cells(x.img, t.Cell)
			height = max(height, rows)
		}
	}
	b.WriteString(strings.Repeat("\n", height))
	fmt.Fprintf(b, "\x1b[%dA", height)
	for i, x := range strip {
		b.WriteString("\r")
		if i > 0 {
			fmt.Fprintf(b, "\x1b[%dC", i*(thumbCols+thumbGap))
		}
		if x.img == nil {
			b.WriteString(x.note())
			continue
		}
		cols, rows := cells(x.img, t.Cell)
		b.WriteString("\x1b7" + p.draw(x.img, cols, rows, t.Cell) + "\x1b8")
	}
	fmt.Fprintf(b, "\r\x1b[%dB", height)
}
