package web

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query/gallery"
	"github.com/lupadb/lupa/storage/value"
)

// Table describes a table to the page.
type Table struct {
	Name       string   `json:"name"`
	Rows       int64    `json:"rows"`
	PrimaryKey string   `json:"primary_key,omitempty"`
	Columns    []Column `json:"columns"`
	Words      bool     `json:"words,omitempty"` // it can be searched by words, too
}

// Column describes a column of a table or of rows.
type Column struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Encoder string `json:"encoder,omitempty"` // turns phrases into vectors of this column
}

type tablesAnswer struct {
	Tables     []Table `json:"tables"`
	Statements bool    `json:"statements"` // POST /api/v1/query is answered
	Marks      bool    `json:"marks"`      // POST /api/v1/marks is answered
	Write      bool    `json:"write"`      // POST /api/v1/import is answered
	Reveal     bool    `json:"reveal"`     // POST /api/v1/reveal is answered

	Models []string `json:"models,omitempty"` // that a new table can be made with
}

func (h *Handler) tables(r *http.Request) (any, error) {
	t, err := h.Tables(r.Context())
	a := tablesAnswer{Tables: t, Statements: h.o.Statements, Marks: h.marks != nil, Write: h.o.Write, Reveal: h.o.Reveal != nil}
	if h.o.Write && h.o.Models != nil {
		a.Models = h.o.Models()
	}
	return a, err
}

// Tables describes the tables of the store.
func (h *Handler) Tables(ctx context.Context) ([]Table, error) {
	all, err := h.store.Tables(ctx)
	if err != nil {
		return nil, err
	}
	out := []Table{}
	for _, t := range all {
		info := Table{Name: t.Name, Rows: t.Rows, PrimaryKey: t.PrimaryKey}
		info.Words = slices.ContainsFunc(t.Indexes, func(x db.Index) bool { return x.Kind == "fulltext" })
		for _, c := range t.Columns {
			info.Columns = append(info.Columns, Column{c.Name, c.Type.String(), c.Encoder})
		}
		out = append(out, info)
	}
	return out, nil
}

// Answer are rows, and the statement that they answer.
type Answer struct {
	Statement string   `json:"statement"`
	Columns   []Column `json:"columns"`
	Rows      []Row    `json:"rows"`
	More      bool     `json:"more"`              // there are rows after these
	Millis    float64  `json:"ms"`                // that the statement took
	Changed   *int64   `json:"changed,omitempty"` // rows, by a statement that writes
	Partial   *Partial `json:"partial,omitempty"` // of a search WITHIN a time that has not come to its end
}

// Partial says how much of an answer is proven: see db.Partial.
type Partial struct {
	Proven int      `json:"proven"`           // rows, from the first on
	Unseen *float64 `json:"unseen,omitempty"` // the best score of a row that is not there, unless nothing is known of it
}

// Row is a row of an Answer.
type Row struct {
	Key     string   `json:"key,omitempty"` // the primary key, as text
	Score   *float64 `json:"score,omitempty"`
	Picture *Picture `json:"picture,omitempty"`
	Values  []any    `json:"values"`
}

// Picture says where to find a row's picture.
type Picture struct {
	Thumb  string `json:"thumb"` // an address; &size=N makes it N pixels wide or high at most
	Full   string `json:"full"`
	Link   string `json:"link,omitempty"`
	Credit string `json:"credit,omitempty"`
	Name   string `json:"name,omitempty"` // of the file
	Path   string `json:"path,omitempty"`
}

func (h *Handler) search(r *http.Request) (any, error) {
	form, picture, err := searched(r)
	if err != nil {
		return nil, err
	}
	return h.Search(r.Context(), form, picture)
}

// searched reads the parameters of a search, and the picture if one is sent.
func searched(r *http.Request) (form url.Values, picture []byte, err error) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		if err := r.ParseForm(); err != nil {
			return nil, nil, badRequest{err}
		}
		return r.Form, nil, nil
	}
	if err := r.ParseMultipartForm(maxUpload); err != nil {
		return nil, nil, badRequest{err}
	}
	defer r.MultipartForm.RemoveAll()
	if sent := r.MultipartForm.File["picture"]; len(sent) > 0 {
		f, err := sent[0].Open()
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		if picture, err = io.ReadAll(f); err != nil {
			return nil, nil, err
		}
	}
	return r.Form, picture, nil
}

// asked reads a request that is about the rows of a search.
func (h *Handler) asked(r *http.Request) (*request, url.Values, error) {
	form, picture, err := searched(r)
	if err != nil {
		return nil, nil, err
	}
	q, err := h.request(r.Context(), form)
	if err != nil {
		return nil, nil, err
	}
	q.picture = picture
	return q, form, nil
}

// Search finds rows as GET /api/v1/search does, whose parameters are given, and like a picture
// where picture, an encoded file, is not nil.
func (h *Handler) Search(ctx context.Context, params url.Values, picture []byte) (*Answer, error) {
	q, err := h.request(ctx, params)
	if err != nil {
		return nil, err
	}
	q.picture = picture
	text, args, err := q.statement()
	if err != nil {
		return nil, err
	}
	// A search uses all processors. Many at once would all be late, and overtaken by the next key before
	// any of them is answered; one that is overtaken while it waits costs nothing.
	if err := h.searches.take(ctx); err != nil {
		return nil, err
	}
	defer h.searches.done()
	return h.run(ctx, &q.table, q.limit, text, args...)
}

// run runs a statement and gives at most limit of its rows. Pictures are those of the
// rows of a table.
func (h *Handler) run(ctx context.Context, t *db.Table, limit int, text string, args ...any) (*Answer, error) {
	begun := time.Now()
	tx, err := h.store.Begin(ctx, &db.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	rows, err := tx.Query(ctx, text, args...)
	wrote := err != nil && h.o.Write
	if wrote { // if it is no statement that writes either, it fails again, and says why
		if rows, err = h.store.Query(ctx, text, args...); err == nil {
			tx.Rollback()
			tx, err = h.store.Begin(ctx, &db.TxOptions{ReadOnly: true}) // pictures are those of now
		}
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	a := &Answer{Statement: text, Rows: []Row{}}
	names, types := rows.Columns(), rows.Types()
	key, score := -1, -1
	for i, n := range names {
		a.Columns = append(a.Columns, Column{Name: n, Type: types[i].String()})
		if t != nil && n == t.PrimaryKey {
			key = i
		}
		if l := strings.ToLower(n); types[i].Kind == value.Real && (strings.TrimRight(l, "_") == "score" || l == "similarity" || strings.HasSuffix(l, "_sim")) {
			score = i
		}
	}
	var kept [][]value.Value
	for rows.Next() {
		if len(kept) == limit {
			a.More = true
			break
		}
		vals := rows.Values()
		kept = append(kept, vals)
		out := Row{Values: make([]any, len(vals))}
		for i, v := range vals {
			out.Values[i] = jsonValue(v)
		}
		if key >= 0 && !vals[key].IsNull() {
			out.Key = vals[key].String()
		}
		if score >= 0 && !vals[score].IsNull() {
			if f := vals[score].Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
				out.Score = &f
			}
		}
		a.Rows = append(a.Rows, out)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	if p, ok := rows.Partial(); ok && !p.Complete {
		a.Partial = &Partial{Proven: min(p.Proven, len(a.Rows))}
		if !math.IsInf(p.Unseen, 0) {
			a.Partial.Unseen = &p.Unseen
		}
	}
	if wrote {
		n := rows.Result().RowsAffected
		a.Changed = &n
	}
	a.More = a.More || len(a.Rows) == limit && strings.Contains(text, " LIMIT ")
	a.Millis = float64(time.Since(begun).Microseconds()) / 1000
	if key >= 0 {
		if err := h.pictures(ctx, tx, t, a.Rows); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// pictures finds the pictures of rows of a table by their keys. It asks the table, whatever a statement has made
// of its columns: only files that are named there may be served.
func (h *Handler) pictures(ctx context.Context, tx *db.Tx, t *db.Table, rows []Row) error {
	pk := column(t, t.PrimaryKey)
	var keys []string
	at := map[string][]int{}
	for i := range rows {
		if rows[i].Key == "" {
			continue
		}
		if at[rows[i].Key] == nil {
			l, err := literal(pk, rows[i].Key)
			if err != nil {
				return nil // a key of another type: not the table's
			}
			keys = append(keys, l)
		}
		at[rows[i].Key] = append(at[rows[i].Key], i)
	}
	if len(keys) == 0 {
		return nil
	}
	var cols, quoted []string
	for _, c := range t.Columns {
		if k := c.Type.Kind; k != value.Vector && k != value.Blob {
			cols = append(cols, c.Name)
			quoted = append(quoted, db.Quote(c.Name))
		}
	}
	found, err := tx.Query(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s IN (%s)", strings.Join(quoted, ", "), db.Quote(t.Name), db.Quote(pk.Name), strings.Join(keys, ", ")))
	if err != nil {
		return err
	}
	defer found.Close()
	k := slices.Index(cols, pk.Name)
	for found.Next() {
		vals := found.Values()
		if p := h.pictureOf(cols, vals); p != nil {
			for _, i := range at[vals[k].String()] {
				rows[i].Picture = p
			}
		}
	}
	return found.Err()
}

func (h *Handler) pictureOf(cols []string, vals []value.Value) *Picture {
	where, _, ok := gallery.Find(cols, h.o.Image, vals)
	if !ok {
		return nil
	}
	p := &Picture{Link: h.template(cols, vals, h.o.Link), Credit: gallery.Fill(cols, h.o.Credit, vals)}
	if gallery.IsRemote(where) {
		p.Thumb, p.Full = where, where
		return p
	}
	sealed := h.thumb.seal(where)
	p.Thumb, p.Full, p.Path = "api/v1/thumb?p="+sealed, "api/v1/picture?p="+sealed, where
	p.Name = where[strings.LastIndexAny(where, `/\`)+1:]
	return p
}

// template is an address made of a row's values; "" where it is none.
func (h *Handler) template(cols []string, vals []value.Value, t string) string {
	if t == "" {
		return ""
	}
	if where, _, ok := gallery.Find(cols, t, vals); ok && gallery.IsRemote(where) {
		return where
	}
	return ""
}

// jsonValue is a value as the page shows it. Numbers that JavaScript would round are texts.
func jsonValue(v value.Value) any {
	switch v.Kind() {
	case value.Null:
		return nil
	case value.Boolean:
		return v.Bool()
	case value.Integer:
		if i := v.Int(); i > 1<<53 || i < -1<<53 {
			return v.String()
		}
		return v.Int()
	case value.Real:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return v.String()
		}
		return v.Float()
	case value.Vector:
		return fmt.Sprintf("%d numbers", len(v.Vec()))
	case value.Blob:
		return fmt.Sprintf("%d bytes", len(v.Str()))
	}
	return v.String()
}

// row answers with one row of a table, by its key.
func (h *Handler) row(r *http.Request) (any, error) {
	t, err := h.table(r.Context(), r.FormValue("table"))
	if err != nil {
		return nil, err
	}
	c := column(&t, t.PrimaryKey)
	if c == nil {
		return nil, badf("%s has no primary key", t.Name)
	}
	l, err := literal(c, r.FormValue("key"))
	if err != nil {
		return nil, err
	}
	a, err := h.run(r.Context(), &t, 1, fmt.Sprintf("SELECT * FROM %s WHERE %s = %s", db.Quote(t.Name), db.Quote(c.Name), l))
	if err == nil && len(a.Rows) == 0 {
		return nil, fmt.Errorf("%s has no row %q: %w", t.Name, r.FormValue("key"), fs.ErrNotExist)
	}
	return a, err
}

// query runs any statement that reads.
func (h *Handler) query(r *http.Request) (any, error) {
	if !h.o.Statements {
		return nil, badf("this server takes no statements")
	}
	var asked struct {
		SQL   string `json:"sql"`
		Table string `json:"table"` // whose pictures the rows may show
		Limit int    `json:"limit"`
	}
	if err := decode(r.Body, &asked); err != nil {
		return nil, err
	}
	return h.Query(r.Context(), asked.SQL, asked.Table, asked.Limit)
}

// Query runs one statement, which only reads unless Options.Write lets it write, and gives at most limit of its rows, or
// 1,000. Rows that have the primary key of a table show the pictures of its rows; table may be "".
func (h *Handler) Query(ctx context.Context, sql, table string, limit int) (*Answer, error) {
	if limit <= 0 || limit > maxRows {
		limit = maxRows
	}
	var t *db.Table
	if table != "" {
		found, err := h.store.Table(ctx, table)
		if err != nil {
			return nil, err
		}
		t = &found
	}
	return h.run(db.WithNoFiles(ctx), t, limit, strings.TrimRight(sql, "; \t\r\n"))
}
