package gallery

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/storage/value"
)

// Options of a page. In Image, Link and Credit every {column} is replaced by
// the row's value, escaped where it becomes part of a URL.
type Options struct {
	Title string // of the page; "" is "Lupa"

	// Image is where a row's picture is: a URL such as
	// https://unsplash.com/photos/{id}/download?w=320, or the path of a local
	// file. "" takes the first column whose value is either.
	Image string

	Link   string // where a click leads, an address or a file; "" is the picture itself
	Credit string // who made the picture, under it; "" leaves it out

	// Resolve gives the file to read for the path of a local picture, or says why none may be
	// read; nil reads them as they are.
	Resolve func(path string) (string, error)

	// ThumbSize is the longest side, in pixels, of embedded pictures; 0 means 360.
	ThumbSize int
}

// Writer writes a page. It is for one goroutine.
type Writer struct {
	w     *bufio.Writer
	o     Options
	cols  []string
	types []value.Type
	begun bool
	n     int

	// Cards are held back until the best score, which is what bars are measured
	// by, is known: all of a page of a sensible size.
	held     []*card
	heldSize int
	best     float64

	score, caption int // columns with a place of their own, or -1
}

// New returns a writer of rows with the given columns.
func New(w io.Writer, cols []string, types []value.Type, o Options) *Writer {
	if o.Title == "" {
		o.Title = "Lupa"
	}
	if o.ThumbSize <= 0 {
		o.ThumbSize = 360
	}
	g := &Writer{w: bufio.NewWriterSize(w, 64<<10), o: o, cols: cols, types: types, score: -1, caption: -1}
	for i := len(cols) - 1; i >= 0; i-- {
		name := strings.ToLower(cols[i])
		switch {
		case types[i].Kind == value.Real && (name == "score" || name == "similarity" || strings.HasSuffix(name, "_sim")):
			g.score = i
		case types[i].Kind == value.Text && (name == "caption" || name == "title" || name == "description"):
			g.caption = i
		}
	}
	return g
}

// Check returns an error for a template that names no column of the rows.
func (g *Writer) Check() error {
	for _, t := range []string{g.o.Image, g.o.Link, g.o.Credit} {
		for rest := t; ; {
			_, after, ok := strings.Cut(rest, "{")
			if !ok {
				break
			}
			name, after, ok := strings.Cut(after, "}")
			if !ok {
				return fmt.Errorf("%q: a { is not closed", t)
			}
			if columnOf(g.cols, name) < 0 {
				return fmt.Errorf("%q: no column %q (there are %s)", t, name, strings.Join(g.cols, ", "))
			}
			rest = after
		}
	}
	return nil
}

// card is one picture of the page.
type card struct {
	Rank          int
	Src           string // "" where there is no picture
	Link          string
	Width, Height int    // of an embedded picture
	Name          string // of the picture's file
	Missing       string
	Caption, Alt  string
	Score         string
	score         float64
	Fields        []field
	Credit        string
}

type field struct{ Name, Text string }

// Row adds a row. A picture that can't be read leaves a note in its place.
func (g *Writer) Row(vals []value.Value) error {
	if err := g.begin(); err != nil {
		return err
	}
	g.n++
	c := card{Rank: g.n}
	used := g.picture(&c, vals)
	if g.score >= 0 && !vals[g.score].IsNull() {
		f := vals[g.score].Float()
		c.Score, c.score = fmt.Sprintf("%.4f", f), f
		g.best = max(g.best, f)
	}
	if g.caption >= 0 {
		c.Caption = vals[g.caption].Str()
	}
	for i, v := range vals {
		k := v.Kind()
		if i == g.score || i == g.caption || i == used || v.IsNull() || k == value.Vector || k == value.Blob {
			continue
		}
		c.Fields = append(c.Fields, field{g.cols[i], cut(v.String(), 300)})
	}
	for i, v := range vals {
		if c.Name == "" && v.Kind() == value.Text && i != g.caption { // rather than a number
			c.Alt = cut(v.Str(), 300)
			break
		}
	}
	c.Alt = cmp.Or(c.Caption, c.Name, c.Alt, fmt.Sprintf("picture %d", c.Rank))
	if g.o.Credit != "" {
		c.Credit = Fill(g.cols, g.o.Credit, vals)
	}
	if g.o.Link != "" {
		c.Link = g.link(vals)
	}
	g.held = append(g.held, &c)
	if g.heldSize += len(c.Src) + 1000; g.heldSize > maxHeld {
		return g.writeHeld()
	}
	return nil
}

// maxHeld bounds the memory of cards that are held back. Of a larger page the bars
// are measured by the best score so far.
const maxHeld = 64 << 20

func (g *Writer) writeHeld() error {
	for _, c := range g.held {
		if err := g.writeCard(c); err != nil {
			return err
		}
	}
	g.held, g.heldSize = g.held[:0], 0
	return nil
}

// bar is a score in percent of the best one.
func (g *Writer) bar(c *card) int {
	if g.best <= 0 {
		return 0
	}
	return int(float64(100*min(1, max(0, c.score/g.best))) + 0.5)
}

// link is where the template leads: an address, or a file that is there.
func (g *Writer) link(vals []value.Value) string {
	where, _, ok := Find(g.cols, g.o.Link, vals)
	if !ok || IsRemote(where) {
		if !IsRemote(where) {
			return ""
		}
		return where
	}
	if st, err := os.Stat(where); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	return fileURL(where)
}

// fileURL is the address of a file, whatever directory the page is opened from.
func fileURL(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") { // C:/...
		abs = "/" + abs
	}
	return (&url.URL{Scheme: "file", Path: abs}).String()
}

// Close ends the page and writes what is buffered; it does not close the
// underlying writer.
func (g *Writer) Close() error {
	if err := g.begin(); err != nil {
		return err
	}
	if err := g.writeHeld(); err != nil {
		return err
	}
	if err := g.writeEnd(); err != nil {
		return err
	}
	return g.w.Flush()
}

func (g *Writer) begin() error {
	if g.begun {
		return nil
	}
	g.begun = true
	return g.writeHead()
}

// picture finds the row's picture and returns the column it was taken from, or
// -1.
func (g *Writer) picture(c *card, vals []value.Value) (used int) {
	where, used, ok := Find(g.cols, g.o.Image, vals)
	switch {
	case !ok && where != "":
		c.Missing = "not a picture's name"
	case !ok:
		c.Missing = "no picture"
	case IsRemote(where):
		c.Src, c.Link = where, where
		if u, err := url.Parse(where); err == nil && pictureExt(u.Path) {
			c.Name = path.Base(u.Path)
		}
	default:
		g.local(c, where)
	}
	return used
}

// local embeds a picture, scaled down.
func (g *Writer) local(c *card, path string) {
	c.Name = filepath.Base(path)
	file := path
	var err error
	if g.o.Resolve != nil {
		file, err = g.o.Resolve(path)
	}
	var img *image.RGBA
	if err == nil {
		img, err = thumbnail(file, g.o.ThumbSize)
	}
	if err != nil {
		c.Missing = err.Error()
		return
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 82}); err != nil {
		c.Missing = err.Error()
		return
	}
	c.Src = "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
	c.Width, c.Height = img.Bounds().Dx(), img.Bounds().Dy()
	c.Link = fileURL(path)
}

const maxFileSize = 256 << 20

func thumbnail(path string, size int) (*image.RGBA, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s is not there", filepath.Base(path))
	}
	if !st.Mode().IsRegular() || st.Size() > maxFileSize {
		return nil, fmt.Errorf("%s is not a picture file", filepath.Base(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return clip.Thumbnail(data, size, size)
}

// cut shortens a long text at a character.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}
