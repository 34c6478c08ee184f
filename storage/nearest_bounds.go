package storage

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/vector"
)

// ScoreBounds are proven bounds of the cosine similarity of every row with a query, for sums
// of scores: a row is left out by what all its scores can be together.
type ScoreBounds struct {
	// Lower and Upper are by row number, right within 1e-10. Upper is -Inf for rows that are
	// deleted, not asked for or without a score.
	Lower, Upper []float32

	t     *Table
	opts  NearestOptions
	Coded int // rows whose bounds are those of codes; the others have their score
}

// codedPass is a pass of one search that works with codes, if there are any.
func (t *Table) codedPass(opts *NearestOptions) (*pass, error) {
	if opts.Query.Metric() != vector.Cosine || opts.Worst {
		return nil, errors.New("bounds are those of cosine similarities")
	}
	o := *opts
	o.K, o.Min, o.Max, o.Recall = 1, nil, nil, 0
	return t.newPass([]NearestOptions{o})
}

// ScoreBounds bounds the scores of all rows, or of those of opts.Filter, by the first plane of
// codes. Rows that have none are scored.
func (t *Table) ScoreBounds(ctx context.Context, opts NearestOptions) (b *ScoreBounds, err error) {
	p, err := t.codedPass(&opts)
	if err != nil {
		return nil, err
	}
	rows := int(t.Blocks()) * BlockRows
	b = &ScoreBounds{Lower: make([]float32, rows), Upper: make([]float32, rows), t: t, opts: opts}
	none := func(n uint32) {
		inf, at := float32(math.Inf(-1)), int(n)*BlockRows
		for i := at; i < at+BlockRows; i++ {
			b.Lower[i], b.Upper[i] = inf, inf
		}
	}
	s := p.searches[0]
	uncoded := new(RowSet)
	coded := func(ctx context.Context, w *worker) error {
		return p.take(ctx, func(from, to uint32) error {
			for n := from; n < to; n++ {
				set, count := p.wanted(s, n)
				if count == 0 {
					none(n)
					continue
				}
				ok := false
				if s.coded != nil {
					var err error
					if ok, err = w.plane(0, n); err != nil {
						return err
					}
				}
				p.mu.Lock()
				if ok {
					b.Coded += count
				} else {
					for i := range set.All() {
						uncoded.Add(uint64(n)*BlockRows + uint64(i))
					}
				}
				p.mu.Unlock()
				if ok {
					at := int(n) * BlockRows
					w.bounds1(s, &set, b.Lower[at:at+BlockRows], b.Upper[at:at+BlockRows])
				} else {
					none(n)
				}
			}
			return nil
		})
	}
	defer func() { err = firstError(err, p.closeCrew()) }()
	if err := p.each(ctx, coded); err != nil {
		return nil, err
	}
	if n := p.sealed; n < t.Blocks() {
		none(n)
		set, _ := p.wanted(s, n)
		for i := range set.All() {
			uncoded.Add(uint64(n)*BlockRows + uint64(i))
		}
	}
	if uncoded.Len() == 0 {
		return b, nil
	}
	opts.Filter, opts.K, opts.Min, opts.Max, opts.Recall = uncoded, -1, nil, nil, 0
	found, _, err := t.Nearest(ctx, opts)
	if err != nil {
		return nil, err
	}
	for _, n := range found {
		b.Lower[n.Row], b.Upper[n.Row] = below(n.Score), above(n.Score)
	}
	return b, nil
}

// bounds1 bounds the rows of a block whose plane 1 is current.
func (w *worker) bounds1(s *search, set *BlockSet, lower, upper []float32) {
	plane := &w.planes[0]
	s.coded.query.Bounds1(plane, (*[BlockRows / 64]uint64)(set), &w.scratch, lower, upper)
	_, _, zeros := plane.NormRange()
	inf := float32(math.Inf(-1))
	for i := range upper {
		if !set.Has(i) {
			lower[i], upper[i] = inf, inf
		} else if zeros {
			if _, high := plane.Norms(i); high == 0 { // a zero vector, or NULL
				lower[i], upper[i] = inf, inf
			}
		}
	}
}

func below(x float64) float32 { return -above(-x) }

func above(x float64) float32 {
	f := float32(x)
	if float64(f) < x {
		f = math.Nextafter32(f, float32(math.Inf(1)))
	}
	return f
}

// Refine narrows the bounds of some rows, in ascending order, by the second plane of codes.
func (b *ScoreBounds) Refine(ctx context.Context, rows []uint64) error {
	return b.t.refine(ctx, b.opts, rows, func(w *worker, q *code.Query, k, i int) {
		if row := rows[i]; !math.IsInf(float64(b.Upper[row]), 0) {
			lower := below(q.Lower2(&w.planes[0], &w.planes[1], &w.scratch, k))
			b.Lower[row], b.Upper[row] = max(b.Lower[row], lower), min(b.Upper[row], above(w.scratch.Upper2[k]))
		}
	})
}

// RefinedUpper bounds the scores of some rows, in ascending order and of which each has a vector
// other than zero, from above by both planes of codes. Rows without codes get +Inf. The column is
// that of opts, of which Query and Workers count besides.
func (t *Table) RefinedUpper(ctx context.Context, opts NearestOptions, rows []uint64) ([]float32, error) {
	out := make([]float32, len(rows))
	for i := range out {
		out[i] = float32(math.Inf(1))
	}
	opts.Filter = nil
	err := t.refine(ctx, opts, rows, func(w *worker, _ *code.Query, k, i int) { out[i] = above(w.scratch.Upper2[k]) })
	return out, err
}

// refine calls f for those of rows, which ascend, that have codes, with the position i of the
// row and its place k in the worker's scratch, where its bounds by both planes are; by several
// goroutines, but once for each row.
func (t *Table) refine(ctx context.Context, opts NearestOptions, rows []uint64, f func(w *worker, q *code.Query, k, i int)) (err error) {
	p, err := t.codedPass(&opts)
	if err != nil || p.transform == nil || p.searches[0].coded == nil {
		return err
	}
	defer func() { err = firstError(err, p.closeCrew()) }()
	query := p.searches[0].coded.query
	return p.each(ctx, func(ctx context.Context, w *worker) error {
		return p.take(ctx, func(from, to uint32) error {
			at, _ := slices.BinarySearch(rows, uint64(from)*BlockRows)
			for at < len(rows) && rows[at]/BlockRows < uint64(to) {
				n := uint32(rows[at] / BlockRows)
				var set BlockSet
				w.scratch.Rows = w.scratch.Rows[:0]
				first := at
				for ; at < len(rows) && rows[at]/BlockRows == uint64(n); at++ {
					i := uint16(rows[at] % BlockRows)
					set[i/64] |= 1 << (i % 64)
					w.scratch.Rows = append(w.scratch.Rows, i)
				}
				for k := range 2 {
					ok, err := w.plane(k, n)
					if err != nil {
						return err
					}
					w.have[k] = ok
				}
				if !w.have[0] || !w.have[1] {
					continue
				}
				query.Scan1(&w.planes[0], (*[BlockRows / 64]uint64)(&set), math.Inf(-1), &w.scratch)
				query.Scan2(&w.planes[0], &w.planes[1], &w.scratch)
				for k := range w.scratch.Rows {
					f(w, query, k, first+k)
				}
			}
			return nil
		})
	})
}
