package web

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"

	"github.com/lupadb/lupa/query/gallery"
)

// htmlPage is an answer that is kept as a file.
type htmlPage []byte

// maxGallery bounds the rows of a page: each has its picture in it.
const maxGallery = 300

// gallery answers with the page that COPY ... TO (FORMAT gallery) writes, of the rows of a search: all, or
// those that are named.
func (h *Handler) gallery(r *http.Request) (any, error) {
	q, form, err := h.asked(r)
	if err != nil {
		return nil, err
	}
	keys := form["key"]
	text, args, err := q.statement()
	if err != nil {
		return nil, err
	}
	if len(keys) > maxGallery || len(keys) == 0 && q.limit > maxGallery {
		return nil, badf("a page has the pictures of %d rows at most; choose some", maxGallery)
	}
	rows, err := h.store.Query(r.Context(), text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := rows.Columns()
	key := slices.Index(names, q.table.PrimaryKey)
	var b bytes.Buffer
	page := gallery.New(&b, names, rows.Types(), gallery.Options{
		Title: cmp.Or(q.q, q.table.Name), Image: h.o.Image, Link: h.o.Link, Credit: h.o.Credit,
		Resolve: func(path string) (string, error) {
			file, _, err := h.file(path)
			if err != nil {
				return "", errNoPicture
			}
			return file, nil
		},
	})
	for rows.Next() {
		vals := rows.Values()
		if len(keys) > 0 && (key < 0 || !slices.Contains(keys, vals[key].String())) {
			continue
		}
		if err := page.Row(vals); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := page.Close(); err != nil {
		return nil, err
	}
	return htmlPage(b.Bytes()), nil
}

// reveal shows a picture's file in a file manager.
func (h *Handler) reveal(r *http.Request) (any, error) {
	if h.o.Reveal == nil {
		return nil, badf("this server shows no directories")
	}
	var asked struct {
		P string `json:"p"` // as in the address of its thumbnail
	}
	if err := decode(r.Body, &asked); err != nil {
		return nil, err
	}
	path, _, err := h.open(asked.P)
	if err != nil {
		return nil, err
	}
	return struct{}{}, h.o.Reveal(path)
}
