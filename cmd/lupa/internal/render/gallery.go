package render

import (
	"bufio"

	"github.com/lupadb/lupa/query/gallery"
	"github.com/lupadb/lupa/storage/value"
)

// galleryPage writes the page that COPY ... TO (FORMAT gallery) writes.
type galleryPage struct {
	w *bufio.Writer
	o *Options
	g *gallery.Writer
}

func newGallery(w *bufio.Writer, o *Options) Renderer { return &galleryPage{w: w, o: o} }

func (p *galleryPage) Begin(cols []Column) error {
	names := make([]string, len(cols))
	types := make([]value.Type, len(cols))
	for i, c := range cols {
		names[i], types[i] = c.Name, c.Type
	}
	o := p.o.Gallery
	p.g = gallery.New(p.w, names, types, gallery.Options{Title: o.Title, Image: o.Image, Link: o.Link, Credit: o.Credit})
	return p.g.Check()
}

func (p *galleryPage) Row(vals []value.Value) error { return p.g.Row(vals) }
func (p *galleryPage) End() error                   { return p.g.Close() }
