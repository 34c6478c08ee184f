package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
)

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
	what          string // what vectors are compared with, once the statement is written; "" where they aren't
}

// searchNeighbours is how many of the best rows are put in another order when one is asked for.
const searchNeighbours = 500

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
	q.what = strings.Join(terms, " ")
	score := "similarity(" + db.Quote(q.vector) + ", " + q.what + ")"
	if db.Quote(q.vector) == q.vector {
		score = q.vector + "_sim(" + q.what + ")"
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
