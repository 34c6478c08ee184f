package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
)

// maxShown bounds how many rows are named in a request about rows that are shown.
const maxShown = 5000

// alike is the least cosine similarity of rows that are shown as one where nothing else is asked for.
const alike = 0.95

// literals are primary keys as a statement has them.
func literals(t *db.Table, keys []string) ([]string, error) {
	c := column(t, t.PrimaryKey)
	switch {
	case c == nil:
		return nil, badf("%s has no primary key, so no row can be named", t.Name)
	case len(keys) > maxShown:
		return nil, badf("at most %d rows can be named", maxShown)
	}
	out := make([]string, len(keys))
	for i, k := range keys {
		l, err := literal(c, k)
		if err != nil {
			return nil, err
		}
		out[i] = l
	}
	return out, nil
}

// relevanceAnswer has a relevance for each row that was named: how likely it is that it is what is
// looked for. It is null for rows that have none.
type relevanceAnswer struct {
	Relevance []*float64 `json:"relevance"`
}

// relevanceOf answers with how relevant rows are to a search by meaning; with none for other searches.
func (h *Handler) relevanceOf(r *http.Request) (any, error) {
	q, form, err := h.asked(r)
	if err != nil {
		return nil, err
	}
	keys := form["key"]
	_, args, err := q.statement()
	if err != nil {
		return nil, err
	}
	named, err := literals(&q.table, keys)
	if err != nil {
		return nil, err
	}
	a := relevanceAnswer{make([]*float64, len(keys))}
	if q.what == "" || len(keys) == 0 {
		return a, nil
	}
	pk := db.Quote(q.table.PrimaryKey)
	text := fmt.Sprintf("SELECT %s, relevance(%s, %s) FROM %s WHERE %s IN (%s)", pk, db.Quote(q.vector), q.what, db.Quote(q.table.Name), pk, strings.Join(named, ", "))
	of := map[string]*float64{}
	err = h.each(r.Context(), text, args, func(v []db.Value) {
		if !v[1].IsNull() {
			f := v[1].Float()
			of[v[0].String()] = &f
		}
	})
	for i, k := range keys {
		a.Relevance[i] = of[k]
	}
	return a, err
}

// stacksAnswer says for each row that was named the key of the one that stands for it: another one that was
// named before it and is nearly the same, or its own.
type stacksAnswer struct {
	Stacks []string `json:"stacks"`
}

// stacks puts rows that are nearly the same on one another. Rows come in their order: each lies on the first
// that is alike and lies on none itself, so that further rows change nothing about those before.
func (h *Handler) stacks(r *http.Request) (any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, badRequest{err}
	}
	t, err := h.table(r.Context(), r.Form.Get("table"))
	if err != nil {
		return nil, err
	}
	vector, err := vectorColumn(&t, r.Form.Get("column"))
	if err != nil {
		return nil, err
	}
	least := alike
	if s := r.Form.Get("least"); s != "" {
		if least, err = strconv.ParseFloat(s, 64); err != nil || !(least > 0 && least <= 1) {
			return nil, badf("least is a cosine similarity above 0, at most 1")
		}
	}
	heads, keys := r.Form["head"], r.Form["key"]
	all := append(append([]string{}, heads...), keys...)
	named, err := literals(&t, all)
	if err != nil {
		return nil, err
	}
	a := stacksAnswer{keys}
	if vector == "" || len(keys) == 0 {
		return a, nil
	}
	pk, name, v := db.Quote(t.PrimaryKey), db.Quote(t.Name), db.Quote(vector)
	text := fmt.Sprintf("SELECT a.%s, b.%s FROM %s AS a JOIN %s AS b ON similarity(a.%s, b.%s) >= %v WHERE a.%s IN (%s) AND b.%s IN (%s)",
		pk, pk, name, name, v, v, least, pk, strings.Join(named, ", "), pk, strings.Join(named[len(heads):], ", "))
	near := map[string]map[string]bool{}
	err = h.each(r.Context(), text, nil, func(v []db.Value) {
		of := v[1].String()
		if near[of] == nil {
			near[of] = map[string]bool{}
		}
		near[of][v[0].String()] = true
	})
	if err != nil {
		return nil, err
	}
	a.Stacks = make([]string, len(keys))
	for i, k := range keys {
		a.Stacks[i] = k
		for _, head := range heads {
			if head != k && near[k][head] {
				a.Stacks[i] = head
				break
			}
		}
		if a.Stacks[i] == k {
			heads = append(heads, k)
		}
	}
	return a, nil
}

// each calls fn for each row of a statement that reads.
func (h *Handler) each(ctx context.Context, text string, args []any, fn func([]db.Value)) error {
	rows, err := h.store.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		fn(rows.Values())
	}
	return rows.Err()
}
