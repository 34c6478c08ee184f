package storage

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// RelevanceOptions say for what the relevance of rows is asked.
type RelevanceOptions struct {
	Column int
	Query  []float32 // of the column's dimension, finite and not zero
	// Prompts gives vectors of phrases of all kinds, as an encoder makes them. It is called where
	// none were kept when the codes of the column were trained; nil = there is no encoder.
	Prompts func(context.Context) ([][]float32, error)
	// Head is that of a model that was trained to tell whether a text fits a picture, nil for others.
	Head *RelevanceHead
}

// RelevanceHead is the end of a model such as SigLIP: a text fits a picture with the probability
// 1 / (1 + exp(-(Scale * cosine + Bias))).
type RelevanceHead struct{ Scale, Bias float64 }

const (
	// A row that fits is about this many deviations more similar than is typical.
	fitsFrom = 2.75
	// likeRowsFrom is fitsFrom of queries that lie among the rows, as pictures do among pictures.
	likeRowsFrom = 2
	// A query that is more similar to all rows than others are needs more, by this part of the difference.
	typicalShare = 0.15
	// steepness is how fast relevance rises, in one over deviations.
	steepness = 2.5
)

// Relevance finds what similarities with a query are worth. It reads a sample of the rows and
// phrases that were kept when the codes of the column were trained, or failing that of the rows
// that there are. ok is false as long as there are no rows to compare with.
//
// Queries that lie nearer to the phrases than to the rows are taken for phrases: the cut is then
// about where the most similar row is for phrases that no row fits, a little higher for phrases
// that are similar to all rows. Others, pictures among pictures say, are compared with how similar
// rows are to each other. Where there are no phrases, a query is compared with what is typical
// for it alone.
func (t *Table) Relevance(ctx context.Context, o RelevanceOptions) (r vector.Curve, ok bool, err error) {
	def := &t.def.Columns[o.Column]
	if def.Type.Kind != value.Vector {
		return r, false, &TypeError{t.def.Name, def.Name, value.Type{Kind: value.Vector}, def.Type}
	}
	if len(o.Query) != def.Type.Dim {
		return r, false, &DimensionError{t.def.Name, def.Name, len(o.Query), def.Type.Dim}
	}
	b, err := t.background(ctx, o.Column, o.Prompts)
	if err != nil {
		return r, false, err
	}
	b.prepare()
	if o.Head != nil && b.phrase(o.Query) {
		return vector.Curve{Middle: -o.Head.Bias / o.Head.Scale, Slope: o.Head.Scale}, o.Head.Scale > 0, nil
	}
	r, ok = b.relevance(o.Query)
	return r, ok, nil
}

// RelevanceBasis is what the relevance of rows of a column is relative to: what is kept with the
// codes, or failing that rows that there are.
type RelevanceBasis struct {
	kept transformID
	rows uint64
}

// RelevanceBasis returns that of now.
func (t *Table) RelevanceBasis(column int) (b RelevanceBasis, err error) {
	tr, err := t.transform(column)
	if err != nil || tr == nil {
		return RelevanceBasis{rows: t.Rows()}, err
	}
	def := &t.def.Columns[column]
	kept, err := t.view.get(backgroundKey(t.def.ID, def.ID, tr.base), func([]byte) error { return nil })
	if !kept {
		b.rows = t.Rows()
	} else {
		b.kept = transformID{tr.ID, tr.base}
	}
	return b, err
}

// Serves reports whether what was found on a basis may go on to be used on another, where that is
// not found anew each time: it is the same, or rows of which not a third has come or gone.
func (b RelevanceBasis) Serves(now RelevanceBasis) bool {
	more, fewer := max(b.rows, now.rows), min(b.rows, now.rows)
	return b.kept == now.kept && more-fewer <= b.rows/3
}

// phrase reports whether a query is nearer to the background's queries than to its rows.
func (b *background) phrase(query []float32) bool {
	return b.toQueries == nil || b.toRows == nil || b.toQueries.Score(query) >= b.toRows.Score(query)
}

func (b *background) relevance(query []float32) (r vector.Curve, ok bool) {
	median, deviation, _, ok := b.spreadOf(query, false)
	if !ok {
		return r, false
	}
	l, spread := b.byQueries, b.byQueries.spread
	switch phrase := b.phrase(query); {
	case phrase && l.queries > 0:
		far := l.typical + float64(fitsFrom*l.spread)
		r.Middle = float64(0.5*l.idle) + float64(0.5*far) + float64(typicalShare*(median-l.typical))
	case phrase:
		r.Middle, spread = median+float64(fitsFrom*deviation), deviation
	default:
		l, spread = b.byRows, b.byRows.spread
		far := l.typical + float64(likeRowsFrom*l.spread)
		r.Middle = float64(0.5*l.idle) + float64(0.5*far) + (median - l.typical)
	}
	// Where all are alike, any difference tells.
	r.Slope = steepness / max(spread, 1e-6)
	return r, true
}
