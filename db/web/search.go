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
	"strconv"
	"strings"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
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
}

func (h *Handler) tables(r *http.Request) (any, error) {
	t, err := h.Tables(r.Context())
	return tablesAnswer{t, h.o.Statements}, err
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
	More      bool     `json:"more"` // there are rows after these
	Millis    float64  `json:"ms"`   // that the statement took
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

// request is what a search asks for.
type request struct {
	table         db.Table
	vector        string // the column searched
	words         string // a full-text index; "" = none
	by            string // meaning, words or both; "" = by meaning, or by words where there are no vectors
	q             string
	plus, minus   []string
	like, unlike  []string // primary keys
	where         []string
	sort          string // a column; "" is by relevance, or by the primary key
	descending    bool
	limit, offset int
	picture       []byte
	score         string // the name the score gets
}

// searchNeighbours is how many of the best rows are put in another order when one is asked for.
const searchNeighbours = 500

func (h *Handler) search(r *http.Request) (any, error) {
	var picture []byte
	if r.Method == http.MethodPost {
		if err := r.ParseMultipartForm(maxUpload); err != nil {
			return nil, badRequest{err}
		}
		defer r.MultipartForm.RemoveAll()
		if sent := r.MultipartForm.File["picture"]; len(sent) > 0 {
			f, err := sent[0].Open()
			if err != nil {
				return nil, err
			}
			defer f.Close()
			if picture, err = io.ReadAll(f); err != nil {
				return nil, err
			}
		}
	} else if err := r.ParseForm(); err != nil {
		return nil, badRequest{err}
	}
	return h.Search(r.Context(), r.Form, picture)
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
	return h.run(ctx, &q.table, q.limit, text, args...)
}

func (h *Handler) request(ctx context.Context, form url.Values) (*request, error) {
	q := &request{limit: 60, q: form.Get("q"), plus: form["plus"], minus: form["minus"],
		like: form["like"], unlike: form["unlike"]}
	var err error
	if q.table, err = h.table(ctx, form.Get("table")); err != nil {
		return nil, err
	}
	for _, n := range []struct {
		name string
		to   *int
		most int
	}{{"k", &q.limit, maxRows}, {"offset", &q.offset, maxOffset}} {
		if s := form.Get(n.name); s != "" {
			if *n.to, err = strconv.Atoi(s); err != nil || *n.to < 0 || *n.to > n.most {
				return nil, badf("%s is a number from 0 to %d", n.name, n.most)
			}
		}
	}
	if q.vector, err = vectorColumn(&q.table, form.Get("column")); err != nil {
		return nil, err
	}
	for _, x := range q.table.Indexes {
		if x.Kind == "fulltext" && q.words == "" {
			q.words = x.Name
		}
	}
	switch q.by = form.Get("by"); q.by {
	case "", "meaning":
	case "words", "both":
		if q.words == "" {
			return nil, badf("%s has no full-text index to search by words", q.table.Name)
		}
	default:
		return nil, badf("by is meaning, words or both, not %q", q.by)
	}
	if q.where, err = conditions(&q.table, form); err != nil {
		return nil, err
	}
	if s := form.Get("sort"); s != "" && s != "relevance" {
		q.sort, q.descending = strings.CutPrefix(s, "-")
		if column(&q.table, q.sort) == nil {
			return nil, badf("%s has no column %q", q.table.Name, q.sort)
		}
	}
	return q, nil
}

// table returns the table of a name; "" is the first one that can be searched by phrases,
// or else the first.
func (h *Handler) table(ctx context.Context, name string) (db.Table, error) {
	if name != "" {
		return h.store.Table(ctx, name)
	}
	all, err := h.store.Tables(ctx)
	if err != nil {
		return db.Table{}, err
	}
	for _, t := range all {
		if slices.ContainsFunc(t.Columns, func(c db.Column) bool { return c.Encoder != "" }) {
			return t, nil
		}
	}
	if len(all) == 0 {
		return db.Table{}, badf("the store has no table")
	}
	return all[0], nil
}

func column(t *db.Table, name string) *db.Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// vectorColumn returns the column to search: that of the name, or the first, one with an encoder
// before others; "" where the table has none.
func vectorColumn(t *db.Table, name string) (string, error) {
	first := ""
	for _, c := range t.Columns {
		if c.Type.Kind != value.Vector {
			continue
		}
		if name == c.Name || name == "" && c.Encoder != "" {
			return c.Name, nil
		}
		if first == "" {
			first = c.Name
		}
	}
	if name != "" {
		return "", badf("%s has no vector column %q", t.Name, name)
	}
	return first, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// literal is a value of a column, given as text, as a statement has it.
func literal(c *db.Column, s string) (string, error) {
	v, err := value.Parse(c.Type, s)
	if err != nil {
		return "", badf("%s: %w", c.Name, err)
	}
	switch c.Type.Kind {
	case value.Integer, value.Real, value.Numeric, value.Boolean:
		return v.String(), nil
	case value.Text, value.Timestamp, value.Date, value.Interval:
		return quote(v.String()), nil
	}
	return "", badf("a %s such as %s can't be compared here", c.Type, c.Name)
}

// conditions are those of the parameters eq.COLUMN, min.COLUMN, max.COLUMN and null.COLUMN.
func conditions(t *db.Table, form url.Values) ([]string, error) {
	var out []string
	names := make([]string, 0, len(form))
	for p := range form {
		names = append(names, p)
	}
	slices.Sort(names)
	for _, p := range names {
		op, col, ok := strings.Cut(p, ".")
		if !ok {
			continue
		}
		c := column(t, col)
		if c == nil {
			return nil, badf("%s has no column %q", t.Name, col)
		}
		if op == "null" {
			out = append(out, db.Quote(col)+" IS NULL")
			continue
		}
		var all []string
		for _, s := range form[p] {
			l, err := literal(c, s)
			if err != nil {
				return nil, err
			}
			all = append(all, l)
		}
		switch {
		case op == "eq" && len(all) == 1:
			out = append(out, db.Quote(col)+" = "+all[0])
		case op == "eq":
			out = append(out, db.Quote(col)+" IN ("+strings.Join(all, ", ")+")")
		case op == "min":
			out = append(out, db.Quote(col)+" >= "+all[0])
		case op == "max":
			out = append(out, db.Quote(col)+" <= "+all[0])
		default:
			return nil, badf("want eq.%s, min.%s, max.%s or null.%s, not %s", col, col, col, col, p)
		}
	}
	return out, nil
}

// statement writes the search as a person would.
func (q *request) statement() (string, []any, error) {
	t := &q.table
	score, args, err := q.relevance()
	if err != nil {
		return "", nil, err
	}
	var cols []string
	for _, c := range t.Columns {
		if c.Type.Kind != value.Vector && c.Type.Kind != value.Blob {
			cols = append(cols, db.Quote(c.Name))
		}
	}
	var order string
	if score != "" {
		cols = append(cols, score+" AS "+q.score)
		order = q.score
	} else if t.PrimaryKey != "" {
		order = db.Quote(t.PrimaryKey)
	}
	if len(cols) == 0 {
		return "", nil, badf("%s has vectors only", t.Name)
	}
	by := ""
	if q.sort != "" {
		by = db.Quote(q.sort)
		if q.descending {
			by += " DESC NULLS LAST"
		}
	}
	text := "SELECT " + strings.Join(cols, ", ") + " FROM " + db.Quote(t.Name)
	if len(q.where) > 0 {
		text += " WHERE " + strings.Join(q.where, " AND ")
	}
	switch {
	case by != "" && score != "":
		text = fmt.Sprintf("SELECT * FROM (%s ORDER BY %s LIMIT %d) AS best ORDER BY %s", text, q.score, searchNeighbours, by)
	case by != "":
		text += " ORDER BY " + by
	case order != "":
		text += " ORDER BY " + order
	}
	text += fmt.Sprintf(" LIMIT %d", q.limit)
	if q.offset > 0 {
		text += fmt.Sprintf(" OFFSET %d", q.offset)
	}
	return text, args, nil
}

// relevance is the score that the search is by; "" where nothing was asked for.
func (q *request) relevance() (string, []any, error) {
	t := &q.table
	var terms []string
	var args []any
	add := func(sign, term string) {
		switch {
		case len(terms) == 0 && sign == "-":
			terms = append(terms, "-1 * "+term)
		case len(terms) == 0:
			terms = append(terms, term)
		default:
			terms = append(terms, sign+" "+term)
		}
	}
	row := func(key string) (string, error) {
		c := column(t, t.PrimaryKey)
		if c == nil {
			return "", badf("%s has no primary key, so no row can be named", t.Name)
		}
		l, err := literal(c, key)
		return fmt.Sprintf("(SELECT %s FROM %s WHERE %s = %s)", db.Quote(q.vector), db.Quote(t.Name), db.Quote(c.Name), l), err
	}
	several := len(q.plus)+len(q.minus)+len(q.like)+len(q.unlike) > 0
	if strings.TrimSpace(q.q) != "" {
		add("+", quote(q.q))
	}
	if q.picture != nil {
		add("+", "$1")
		args = append(args, encoder.Image{Data: q.picture, Fast: true})
	}
	for _, s := range q.plus {
		add("+", quote(s))
	}
	var named []string
	for i, keys := range [][]string{q.like, q.unlike} {
		for _, k := range keys {
			term, err := row(k)
			if err != nil {
				return "", nil, err
			}
			if several && (len(q.like)+len(q.unlike) > 1 || len(terms) > 0 || len(q.minus) > 0 || i == 1) {
				term = "l2_normalize(" + term + ")"
			}
			add([]string{"+", "-"}[i], term)
			l, _ := literal(column(t, t.PrimaryKey), k)
			named = append(named, l)
		}
	}
	for _, s := range q.minus {
		add("-", quote(s))
	}
	if len(terms) == 0 {
		return "", nil, nil
	}
	// What somebody types is never wrong: websearch makes a query of it.
	words := ""
	if strings.TrimSpace(q.q) != "" && q.words != "" {
		typed := "websearch(" + quote(q.q) + ")"
		words = "bm25(" + db.Quote(q.words) + ", " + typed + ")"
		if q.by == "words" || q.by == "" && q.vector == "" && len(terms) == 1 {
			q.where = append(q.where, "match("+db.Quote(q.words)+", "+typed+")")
			q.nameScore()
			return words, nil, nil
		}
	}
	if q.vector == "" {
		return "", nil, badf("%s has no column of vectors to search", t.Name)
	}
	if len(named) == 1 {
		q.where = append(q.where, db.Quote(t.PrimaryKey)+" <> "+named[0])
	} else if len(named) > 1 {
		q.where = append(q.where, db.Quote(t.PrimaryKey)+" NOT IN ("+strings.Join(named, ", ")+")")
	}
	q.nameScore()
	what := strings.Join(terms, " ")
	score := "similarity(" + db.Quote(q.vector) + ", " + what + ")"
	if db.Quote(q.vector) == q.vector {
		score = q.vector + "_sim(" + what + ")"
	}
	if q.by == "both" && words != "" {
		score = "rrf(" + score + ", " + words + ")"
	}
	return score, args, nil
}

// nameScore gives the score a name that no column has.
func (q *request) nameScore() {
	for q.score = "score"; column(&q.table, q.score) != nil; {
		q.score += "_"
	}
}

// run runs a statement that reads, and gives at most limit of its rows. Pictures are those of the
// rows of a table.
func (h *Handler) run(ctx context.Context, t *db.Table, limit int, text string, args ...any) (*Answer, error) {
	begun := time.Now()
	tx, err := h.store.Begin(ctx, &db.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	rows, err := tx.Query(ctx, text, args...)
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
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var asked struct {
		SQL   string `json:"sql"`
		Table string `json:"table"` // whose pictures the rows may show
		Limit int    `json:"limit"`
	}
	if err := decode(body, &asked); err != nil {
		return nil, badRequest{err}
	}
	return h.Query(r.Context(), asked.SQL, asked.Table, asked.Limit)
}

// Query runs one statement in a read-only transaction, and gives at most limit of its rows, or
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
	return h.run(ctx, t, limit, strings.TrimRight(sql, "; \t\r\n"))
}
