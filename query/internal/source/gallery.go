package source

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/gallery"
	"github.com/lupadb/lupa/storage/value"
)

// galleryWriter writes a page of pictures.
type galleryWriter struct {
	*Output
	page *gallery.Writer
	row  []value.Value
}

func createGallery(path string, cols []Column, o Options) (Writer, error) {
	names, types := make([]string, len(cols)), make([]value.Type, len(cols))
	for i, c := range cols {
		names[i], types[i] = c.Name, c.Type
	}
	title := o.Title
	if title == "" {
		title = baseName(path)
	}
	out, err := CreateOutput(path)
	if err != nil {
		return nil, err
	}
	page := gallery.New(out, names, types, gallery.Options{Title: title, Image: o.Image, Link: o.Link,
		Credit: o.Credit, ThumbSize: o.Thumbnail})
	if err := page.Check(); err != nil {
		out.Abort()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &galleryWriter{Output: out, page: page, row: make([]value.Value, len(cols))}, nil
}

func (w *galleryWriter) Write(ctx context.Context, b *value.Batch) (err error) {
	EachRow(b, func(i int) bool {
		if err = ctx.Err(); err != nil {
			return false
		}
		for k, c := range b.Cols {
			w.row[k] = c.Value(i)
		}
		err = w.page.Row(w.row)
		return err == nil
	})
	return err
}

func (w *galleryWriter) Close() error {
	if err := w.page.Close(); err != nil {
		w.Abort()
		return err
	}
	return w.Finish()
}
