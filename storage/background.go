package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// A background is what a vector column looks like to those who look for nothing in particular:
// some of its rows, and some phrases, or other queries, most of which have nothing to do with
// most rows. What a similarity is worth is told by comparing it with those between them. It is
// kept when the codes of a column are trained, and so what a similarity is worth stays as it is
// while rows come and go, until codes are trained anew.
type background struct {
	dim     int
	rows    []float32 // row after row, of unit length
	queries []float32 // likewise; there may be none

	once      sync.Once
	byQueries level // of similarities of rows with queries
	byRows    level // of similarities of rows with each other
	toQueries *vector.Query
	toRows    *vector.Query
}

const (
	backgroundRows    = 1024 // at most
	backgroundQueries = 192
	backgroundVersion = 1
	backgroundHeader  = 1 + 3*4
)

// newBackground makes a background of vectors, row after row, of which those that are zero
// count for nothing. Those that there are too many of are left out evenly.
func newBackground(dim int, rows, queries []float32) *background {
	return &background{dim: dim, rows: someUnits(dim, rows, backgroundRows), queries: someUnits(dim, queries, backgroundQueries)}
}

// someUnits returns at most n of the vectors, of unit length in float16, as they are kept.
func someUnits(dim int, vecs []float32, n int) []float32 {
	var at []int
	for i := 0; i+dim <= len(vecs); i += dim {
		if slices.ContainsFunc(vecs[i:i+dim], func(x float32) bool { return x != 0 }) {
			at = append(at, i)
		}
	}
	count := min(n, len(at))
	out := make([]float32, count*dim)
	for k := range count {
		i := at[k*len(at)/count]
		vector.Normalize(out[k*dim:(k+1)*dim], vecs[i:i+dim])
	}
	half := value.Type{Kind: value.Vector, Half: true}
	block.Numbers(out, block.AppendNumbers(nil, out, half), half)
	return out
}

func (b *background) encode() []byte {
	out := []byte{backgroundVersion}
	for _, n := range []int{b.dim, len(b.rows) / b.dim, len(b.queries) / b.dim} {
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	half := value.Type{Kind: value.Vector, Half: true}
	return block.AppendNumbers(block.AppendNumbers(out, b.rows, half), b.queries, half)
}

func decodeBackground(raw []byte, dim int) (*background, error) {
	if len(raw) < backgroundHeader || raw[0] != backgroundVersion {
		return nil, fmt.Errorf("%w: a background of %d bytes", block.ErrMalformed, len(raw))
	}
	var n [3]int
	for i := range n {
		n[i] = int(binary.LittleEndian.Uint32(raw[1+4*i:]))
	}
	raw = raw[backgroundHeader:]
	if n[0] != dim || n[1] > backgroundRows || n[2] > backgroundQueries || len(raw) != 2*dim*(n[1]+n[2]) {
		return nil, fmt.Errorf("%w: a background of %d rows and %d queries in %d bytes", block.ErrMalformed, n[1], n[2], len(raw))
	}
	all := make([]float32, dim*(n[1]+n[2]))
	block.Numbers(all, raw, value.Type{Kind: value.Vector, Half: true})
	if !finite(all) {
		return nil, fmt.Errorf("%w: a number is not finite", block.ErrMalformed)
	}
	return &background{dim: dim, rows: all[:dim*n[1]], queries: all[dim*n[1]:]}, nil
}

// backgroundKey is the key of the background that belongs to the codes with this base.
func backgroundKey(table, column uint32, base byte) []byte {
	return append(key.Of(nil, table, key.Background, column), base)
}

// putBackground keeps the background of a column whose codes are trained with a sample of its
// rows, row after row, and with queries.
func putBackground(put func(k, v []byte) error, table, column uint32, base byte, dim int, sample []float32, queries [][]float32) error {
	b := newBackground(dim, sample, slices.Concat(queries...))
	if len(b.rows) == 0 {
		return nil
	}
	return put(backgroundKey(table, column, base), b.encode())
}

// keptBackground returns the one that is kept with codes, nil if there is none.
func (t *Table) keptBackground(column int, tr *transform) (b *background, err error) {
	def := &t.def.Columns[column]
	_, err = t.view.get(backgroundKey(t.def.ID, def.ID, tr.base), func(raw []byte) (err error) {
		b, err = decodeBackground(raw, def.Type.Dim)
		return err
	})
	return b, corrupt(t.def.Name, def.Name, "background", err)
}

// renewedBackground returns that of codes which take the place of others: of rows of today, and of
// the queries that were kept where none are given.
func (t *Table) renewedBackground(column int, was *transform, sample []float32, queries [][]float32) (*background, error) {
	b := newBackground(t.def.Columns[column].Type.Dim, sample, slices.Concat(queries...))
	if len(b.rows) == 0 {
		return nil, nil
	}
	if len(b.queries) == 0 && was != nil {
		old, err := t.keptBackground(column, was)
		if err != nil {
			return nil, err
		}
		if old != nil {
			b.queries = old.queries
		}
	}
	return b, nil
}

// copyBackground copies what is kept of a column to a new table that takes over its codes.
func (t *Table) copyBackground(column int, to *sstWriter, table, id uint32) error {
	tr, err := t.transform(column)
	if err != nil || tr == nil {
		return err
	}
	b, err := t.keptBackground(column, tr)
	if err != nil || b == nil {
		return err
	}
	k := backgroundKey(table, id, 0)
	return to.put(k, k, b.encode())
}

// backgrounds are those in use.
type backgrounds struct {
	mu  sync.Mutex
	has map[backgroundID]*background
}

// backgroundID tells backgrounds apart: kept ones by the transform that they belong to, others
// by the commit after which they were made.
type backgroundID struct {
	column    columnOf
	model     string // its hash
	encoder   bool   // there is one that gives queries
	transform transformID
	commit    uint64
}

const maxBackgrounds = 16

func (c *backgrounds) get(id backgroundID) *background {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.has[id]
}

func (c *backgrounds) put(id backgroundID, b *background) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has == nil || len(c.has) >= maxBackgrounds {
		c.has = map[backgroundID]*background{}
	}
	c.has[id] = b
}

// background returns that of a column: the one that is kept with its codes, or failing that one
// made of the rows that there are. Queries, called where none are kept, may be nil.
func (t *Table) background(ctx context.Context, column int, queries func(context.Context) ([][]float32, error)) (*background, error) {
	def := &t.def.Columns[column]
	id := backgroundID{column: columnOf{t.def.ID, def.ID}, model: def.Model.Hash, encoder: queries != nil}
	tr, err := t.transform(column)
	if err != nil {
		return nil, err
	}
	known := &t.view.store.backgrounds
	var b *background
	if tr != nil {
		id.transform = transformID{tr.ID, tr.base}
		if b = known.get(id); b != nil {
			return b, nil
		}
		if b, err = t.keptBackground(column, tr); err != nil {
			return nil, err
		}
	}
	if b == nil {
		id.transform = transformID{}
		keep := t.view.picture != nil
		if keep {
			made, err := get(t.view.reader, key.Commits)
			if keep = err == nil && len(made) == 8; keep {
				id.commit = binary.BigEndian.Uint64(made)
			}
		}
		if !keep {
			known.mu.Lock()
			if t.own == nil {
				t.own = new(backgrounds)
			}
			known.mu.Unlock()
			known = t.own // a transaction changes rows without a commit
		}
		if b = known.get(id); b != nil {
			return b, nil
		}
		side := PairSide{Table: t, Column: column}
		rows, err := side.sample(ctx, def.Type.Dim)
		if err != nil {
			return nil, err
		}
		b = newBackground(def.Type.Dim, rows, nil)
	}
	if len(b.queries) == 0 {
		var vecs [][]float32
		if queries != nil {
			vecs, err = queries(ctx)
		} else {
			vecs, err = t.asked(column)
		}
		if err != nil {
			return nil, err
		}
		b.queries = someUnits(def.Type.Dim, slices.Concat(vecs...), backgroundQueries)
	}
	known.put(id, b)
	return b, nil
}

// levels are computed at the first use.
func (b *background) prepare() {
	b.once.Do(func() {
		b.byQueries = b.levelOf(b.queries, false)
		n := len(b.rows) / b.dim
		var some []float32
		for k := range min(n, backgroundQueries) {
			i := k * n / min(n, backgroundQueries)
			some = append(some, b.rows[i*b.dim:(i+1)*b.dim]...)
		}
		b.byRows = b.levelOf(some, true)
		b.toQueries, b.toRows = b.centre(b.queries), b.centre(b.rows)
	})
}

// centre returns the mean direction of vectors, nil where there is none.
func (b *background) centre(vecs []float32) *vector.Query {
	sum := make([]float64, b.dim)
	for i, x := range vecs {
		sum[i%b.dim] += float64(x)
	}
	most := 0.0
	for _, x := range sum {
		most = max(most, math.Abs(x))
	}
	if most == 0 {
		return nil
	}
	mean := make([]float32, b.dim)
	for i, x := range sum {
		mean[i] = float32(x / most)
	}
	q, err := vector.NewQuery(vector.Cosine, mean)
	if err != nil || q.Zero() {
		return nil
	}
	return q
}

// A level is what is known of similarities of rows with queries that mostly have nothing to do
// with them.
type level struct {
	queries int
	typical float64 // mean over queries of the median over rows
	spread  float64 // mean over queries of what a standard deviation is
	idle    float64 // what the most similar row has for a query to which hardly any fits
}

func (b *background) levelOf(queries []float32, own bool) (l level) {
	var tops []float64
	for i := 0; i < len(queries); i += b.dim {
		m, s, top, ok := b.spreadOf(queries[i:i+b.dim], own)
		if !ok {
			continue
		}
		l.queries++
		l.typical += m
		l.spread += s
		tops = append(tops, top)
	}
	if l.queries == 0 {
		return l
	}
	l.typical /= float64(l.queries)
	l.spread /= float64(l.queries)
	slices.Sort(tops)
	l.idle = quantile(tops, idleQueries)
	return l
}

// idleQueries is the part of background queries which are taken for such that hardly any row fits.
const idleQueries = 0.25

// belowMedian is the part of a normal distribution that is a standard deviation below its mean.
const belowMedian = 0.1587

// spreadOf returns the median of the similarities of the background's rows with a query, how far
// they are below it at a standard deviation, and the greatest. Rows that a query fits are few
// mostly, and above the median; so they hardly count. With own the query is one of the rows,
// which is left out.
func (b *background) spreadOf(query []float32, own bool) (median, deviation, top float64, ok bool) {
	q, err := vector.NewQuery(vector.Cosine, query)
	if err != nil || q.Zero() {
		return 0, 0, 0, false
	}
	scores := make([]float64, len(b.rows)/b.dim)
	q.ScoreBatch(b.rows, scores)
	slices.Sort(scores)
	if own && len(scores) > 0 {
		scores = scores[:len(scores)-1]
	}
	if len(scores) == 0 {
		return 0, 0, 0, false
	}
	median = quantile(scores, 0.5)
	return median, median - quantile(scores, belowMedian), scores[len(scores)-1], true
}

// quantile returns that of numbers that ascend.
func quantile(x []float64, p float64) float64 {
	at := float64(p * float64(len(x)-1))
	i := int(at)
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	part := at - float64(i)
	return float64(x[i]*(1-part)) + float64(x[i+1]*part)
}
