package exec

import (
	"context"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// WordsQuery is a query of a full-text index, prepared when it is first needed.
type WordsQuery struct {
	Table   *storage.Table
	Index   *storage.IndexDef
	Columns []int
	X       fn.Expr           // the query's text
	At      func(error) error // gives an error its place
	Marks   bool              // filters may name any column: the words are for marking, not for finding rows
	Like    *LikeText         // X is the pattern of a LIKE, which an index of trigrams serves

	run  uint64
	text string
	q    *storage.TextQuery
}

// Prepare returns the query, where it is the same for all rows; nil where it is NULL.
func (w *WordsQuery) Prepare(ctx context.Context, c *fn.Ctx) (*storage.TextQuery, error) {
	a, err := w.X.Eval(c, oneRow, nil)
	if err != nil {
		return nil, err
	}
	if a.Type.Kind == value.Null || a.IsNull(0) {
		return nil, nil
	}
	return w.of(ctx, c, a.At(0).Str())
}

// LikeText is a LIKE, or an ILIKE if Fold is set.
type LikeText struct {
	Fold   bool
	Escape fn.Expr // nil: a backslash
}

// like returns a query for texts of which some match a LIKE; usable is false where the pattern
// says too little, or is wrong. It is nil for NULL.
func (w *WordsQuery) like(ctx context.Context, c *fn.Ctx) (q *storage.TextQuery, usable bool, err error) {
	pat, ok := valueOf(c, w.X)
	escape := `\`
	if w.Like.Escape != nil {
		e, known := valueOf(c, w.Like.Escape)
		if !known || e.Kind() != value.Text {
			return nil, false, nil
		}
		escape = e.Str()
	}
	if !ok || !pat.IsNull() && pat.Kind() != value.Text {
		return nil, false, nil
	}
	if pat.IsNull() {
		return nil, true, nil
	}
	var all text.And
	for _, s := range fn.LikeTexts(pat.Str(), escape, w.Like.Fold) {
		if t := text.Containing(s); t != nil {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return nil, false, nil
	}
	q, err = w.Table.TextQuery(ctx, w.Index, w.Columns, all)
	return q, true, err
}

// of returns the query of a text.
func (w *WordsQuery) of(ctx context.Context, c *fn.Ctx, s string) (*storage.TextQuery, error) {
	if w.q != nil && w.run == c.Run && w.text == s {
		return w.q, nil
	}
	query, err := text.ParseQuery(s, w.columns())
	if err != nil {
		return nil, w.At(err)
	}
	if w.q, err = w.Table.TextQuery(ctx, w.Index, w.Columns, query); err != nil {
		return nil, w.At(err)
	}
	w.run, w.text = c.Run, strings.Clone(s)
	return w.q, nil
}

// columns are the names that a filter in the query may have.
func (w *WordsQuery) columns() (names []string) {
	def := w.Table.Def()
	for i := range def.Columns {
		if c := &def.Columns[i]; w.Marks && c.Type.Kind == value.Text || slices.Contains(w.Columns, i) {
			names = append(names, c.Name)
		}
	}
	return names
}

func (w *WordsQuery) clone() *WordsQuery {
	return &WordsQuery{Table: w.Table, Index: w.Index, Columns: w.Columns, X: w.X.Clone(), At: w.At, Marks: w.Marks}
}

// words is a function of a full-text index, computed from texts of rows.
type words struct {
	name string
	typ  value.Type
	q    *WordsQuery
	cols []fn.Expr
	more []fn.Expr
	out  value.Column
}

// NewWords returns match, bm25, highlight or snippet over texts, for a query that is the same
// for all rows or not. A text that is NULL has no words; a query that is NULL gives NULL.
func NewWords(name string, typ value.Type, q *WordsQuery, cols, more []fn.Expr) fn.Expr {
	return &words{name: name, typ: typ, q: q, cols: cols, more: more}
}

func (w *words) Type() value.Type { return w.typ }

func (w *words) Clone() fn.Expr {
	c := &words{name: w.name, typ: w.typ, q: w.q.clone()}
	for _, x := range w.cols {
		c.cols = append(c.cols, x.Clone())
	}
	for _, x := range w.more {
		c.more = append(c.more, x.Clone())
	}
	return c
}

func (w *words) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	var args []fn.Arg
	for _, x := range append(append([]fn.Expr{w.q.X}, w.cols...), w.more...) {
		a, err := x.Eval(c, b, sel)
		if err != nil {
			return fn.Arg{}, err
		}
		args = append(args, a)
	}
	query, cols, more := args[0], args[1:1+len(w.cols)], args[1+len(w.cols):]
	w.out.Reset(w.typ)
	texts, strs := make([]*string, len(cols)), make([]string, len(cols))
	next := 0
	row := func(i int) error {
		for ; next < i; next++ { // rows that nobody asks for
			w.out.Append(next, value.Value{})
		}
		next++
		if query.Type.Kind == value.Null || query.IsNull(i) {
			w.out.Append(i, value.Value{})
			return nil
		}
		q, err := w.q.of(c, c, query.At(i).Str())
		if err != nil {
			return err
		}
		for k, a := range cols {
			if texts[k] = nil; a.Type.Kind != value.Null && !a.IsNull(i) {
				strs[k] = a.At(i).Str()
				texts[k] = &strs[k]
			}
		}
		switch w.name {
		case "match":
			w.out.Append(i, value.Bool(q.Matches(texts)))
		case "bm25":
			w.out.Append(i, value.Float(q.Score(texts)))
		default:
			if texts[0] == nil {
				w.out.Append(i, value.Value{})
				return nil
			}
			w.out.Append(i, value.Str(w.mark(q, strs[0], more, i)))
		}
		return nil
	}
	if sel == nil {
		for i := range b.Len {
			if err := row(i); err != nil {
				return fn.Arg{}, err
			}
		}
	} else {
		for _, i := range sel {
			if err := row(int(i)); err != nil {
				return fn.Arg{}, err
			}
		}
	}
	for ; next < b.Len; next++ {
		w.out.Append(next, value.Value{})
	}
	return fn.Arg{Column: &w.out}, nil
}

// mark marks what a text has of the query's words.
func (w *words) mark(q *storage.TextQuery, s string, more []fn.Arg, i int) string {
	limit, from, to := 16, "<b>", "</b>"
	if w.name == "snippet" && len(more) > 0 {
		if !more[0].IsNull(i) {
			limit = int(max(1, min(more[0].At(i).Int(), 1<<20)))
		}
		more = more[1:]
	} else if w.name == "highlight" {
		limit = 0
	}
	if len(more) > 0 && !more[0].IsNull(i) {
		from = more[0].At(i).Str()
	}
	if len(more) > 1 && !more[1].IsNull(i) {
		to = more[1].At(i).Str()
	}
	return q.Mark(s, limit, from, to)
}
