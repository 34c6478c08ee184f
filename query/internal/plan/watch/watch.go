// Package watch computes the conditions of the watches of a table for rows that are written.
//
// The conditions are bound and compiled once for each definition of the table. Those with a
// least similarity to a vector, or a least relevance, and those that look for words are computed
// only for the rows that pass a bound: one product of matrices for all watches of a column, and the
// words of a text once for all watches of an index.
package watch

import (
	"context"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Set are the watches of a table, compiled. It serves one call at a time.
type Set struct {
	def      *storage.TableDef
	run      *run.Run
	conds    []fn.Expr
	relative []relativeTo
	words    bool // a condition looks for words, in the way of an index
	bounds   []*bounds
	by       []*bounds // that of each watch, nil without one
	place    []int     // and its place in it
	batch    value.Batch
}

// relativeTo is what relevance in a column was found by.
type relativeTo struct {
	column int
	basis  storage.RelevanceBasis
}

// bounds tell of several watches which rows can meet their conditions.
type bounds struct {
	find  func(cols []*value.Column, pos []int32, out [][]int32)
	out   [][]int32
	known bool // out is of the rows at hand
}

// New compiles the watches of a table as the snapshot of in has it.
func New(ctx context.Context, in *bind.Input, t *storage.Table) (*Set, error) {
	conds := make([]condition, len(t.Def().Watches))
	kept := map[string]storage.WatchVector{}
	for i, w := range t.Def().Watches {
		conds[i] = condition{w.Name, w.Expr}
		for _, v := range w.Vectors {
			kept[v.Of] = v
		}
	}
	s, _, err := newSet(ctx, in, t, conds, kept)
	return s, err
}

// condition is that of a watch.
type condition struct{ name, text string }

// Vectors encodes what the condition of a new watch compares with, and tries that it can be
// computed.
func Vectors(ctx context.Context, in *bind.Input, t *storage.Table, name, text string) ([]storage.WatchVector, error) {
	_, vectors, err := newSet(ctx, in, t, []condition{{name, text}}, nil)
	return vectors, err
}

func newSet(ctx context.Context, in *bind.Input, t *storage.Table, conds []condition, kept map[string]storage.WatchVector) (*Set, []storage.WatchVector, error) {
	own := *in
	own.Pos, own.Named, own.Describe = nil, nil, false
	if len(kept) > 0 && !relative(conds) {
		own.Encoder = (&lazily{open: in.Encoder, def: t.Def()}).find
	}
	b := bind.NewBinder(ctx, &own)
	scope, cols := b.RowScope(t)
	s := &Set{def: t.Def()}
	if relative(conds) {
		for i, c := range t.Def().Columns {
			if c.Type.Kind != value.Vector {
				continue
			}
			basis, err := t.RelevanceBasis(i)
			if err != nil {
				return nil, nil, err
			}
			s.relative = append(s.relative, relativeTo{i, basis})
		}
	}
	var exprs []*logical.Expr
	for _, c := range conds {
		x, err := b.WatchCondition(scope, c.name, c.text)
		if err != nil {
			return nil, nil, err
		}
		exprs = append(exprs, x)
		s.words = s.words || x.Uses(logical.OpWords)
	}
	p := run.NewPlan(b, nil, func(*build.Builder) (exec.Operator, func() int64, error) { return &exec.Values{}, nil, nil })
	var vectors []storage.WatchVector
	of := func(x *logical.Slot) (string, string, bool) {
		if x.Of == nil || x.Type.Kind != value.Vector || x.Of.Op != logical.OpText && x.Of.Op != logical.OpImage {
			return "", "", false
		}
		what := "text"
		if x.Of.Op == logical.OpImage {
			what = "image"
		}
		e := x.Of.Encoding
		i := t.Def().Column(e.Col)
		if i < 0 {
			return "", "", false
		}
		c := &t.Def().Columns[i]
		return fmt.Sprintf("%d %s %s", c.ID, what, x.Of.Args[0]), c.Model.Hash, true
	}
	r, err := p.StartWith(ctx, &own, func(x *logical.Slot) (value.Value, bool) {
		name, model, ok := of(x)
		v, known := kept[name]
		if !ok || !known || v.Model != model {
			return value.Value{}, false
		}
		return value.Vec(v.Vec), true
	})
	if err != nil {
		return nil, nil, err
	}
	for _, x := range b.Slots {
		if name, model, ok := of(x); ok {
			v, err := r.SlotValue(x)
			if err != nil {
				return nil, nil, err
			}
			if !v.IsNull() {
				vectors = append(vectors, storage.WatchVector{Of: name, Model: model, Vec: v.Vec()})
			}
		}
	}
	s.run = r
	lay := compile.NewLayout(cols)
	for _, x := range exprs {
		c, err := r.Compile(lay, x)
		if err != nil {
			return nil, nil, err
		}
		s.conds = append(s.conds, c)
	}
	return s, vectors, s.bound(ctx, exprs)
}

// relative reports whether a condition may ask for relevance, which is relative to the rows and
// phrases that the store knows now, and to what the encoder is.
func relative(conds []condition) bool {
	for _, c := range conds {
		if strings.Contains(strings.ToLower(c.text), "relevance") {
			return true
		}
	}
	return false
}

// Serves reports whether the set is good for the rows that there are now. Without relevance it is
// good for any; what a similarity is worth is found anew when the basis has changed, not for each
// statement, which would take longer than to insert the rows.
func (s *Set) Serves(v *storage.View) (bool, error) {
	if len(s.relative) == 0 {
		return true, nil
	}
	t, err := v.Table(s.def.Name)
	if err != nil {
		return false, err
	}
	for _, r := range s.relative {
		if now, err := t.RelevanceBasis(r.column); err != nil || !r.basis.Serves(now) {
			return false, err
		}
	}
	return true, nil
}

// bound collects what rows have to have at least: a similarity with a vector, or words. What has to
// be computed for all rows, one by one, is left to the condition.
func (s *Set) bound(ctx context.Context, exprs []*logical.Expr) error {
	s.by, s.place = make([]*bounds, len(exprs)), make([]int, len(exprs))
	alike := map[int]*similar{}
	words := map[string]*worded{}
	for i, x := range exprs {
		all := logical.Conjuncts(x, nil)
		for _, c := range all {
			if ord, v, least, ok := s.leastSimilarity(c); ok {
				if alike[ord] == nil {
					alike[ord] = &similar{}
				}
				l := alike[ord]
				s.by[i], s.place[i] = &l.bounds, len(l.least)
				l.vectors, l.least = append(l.vectors, v), append(l.least, least)
				break
			}
		}
		for _, c := range all {
			if s.by[i] != nil || c.Op != logical.OpWords || c.Words.Func != "match" || c.WordsQuery().Varies() {
				continue
			}
			q, err := s.run.TextQuery(ctx, c)
			if err != nil {
				return err
			}
			if q == nil {
				continue
			}
			if words[c.Words.Index] == nil {
				words[c.Words.Index] = &worded{}
			}
			l := words[c.Words.Index]
			s.by[i], s.place[i] = &l.bounds, len(l.queries)
			l.queries = append(l.queries, q)
		}
	}
	for ord, l := range alike {
		b := storage.NewSimilarityBounds(s.def.Columns[ord].Type.Dim, l.vectors, l.least)
		l.find = func(cols []*value.Column, pos []int32, out [][]int32) { b.Above(cols[ord], pos, out) }
		s.add(&l.bounds, len(l.least))
	}
	for _, l := range words {
		l.find = storage.NewWordBounds(l.queries).MayMatch
		s.add(&l.bounds, len(l.queries))
	}
	return nil
}

func (s *Set) add(b *bounds, watches int) {
	b.out = make([][]int32, watches)
	s.bounds = append(s.bounds, b)
}

// similar are the bounds of a vector column, worded those of a full-text index.
type (
	similar struct {
		bounds
		vectors [][]float32
		least   []float64
	}
	worded struct {
		bounds
		queries []*storage.TextQuery
	}
)

// leastSimilarity returns the column, the vector and the least cosine similarity that a condition
// asks for, if it does.
func (s *Set) leastSimilarity(c *logical.Expr) (ord int, v []float32, least float64, ok bool) {
	e, to, ok := optimize.Threshold(c)
	if !ok || e.Measure.Metric != vector.Cosine || e.Measure.Negate || e.Args[0].Op != logical.OpColumn {
		return 0, nil, 0, false
	}
	q, err := s.run.FixedValue(e.Args[1])
	if err != nil || q.IsNull() || q.Kind() != value.Vector {
		return 0, nil, 0, false // computed for all rows, which gives the same answer
	}
	n, err := s.value(to)
	if err != nil {
		return 0, nil, 0, false
	}
	switch n.Kind() {
	case value.Integer:
		least = float64(n.Int())
	case value.Real:
		least = n.Float()
	default:
		return 0, nil, 0, false
	}
	if e.Measure.FromOne {
		least = 1 - least
	}
	least -= 1e-9 // of rounding 1 - x, and the like
	if norm := vector.Norm(q.Vec()); !(norm > 1e-12 && norm < 1e12) {
		return 0, nil, 0, false
	}
	return e.Args[0].Column.Ord, q.Vec(), least, true
}

// value computes what is the same for all rows.
func (s *Set) value(e *logical.Expr) (value.Value, error) {
	x, err := s.run.Compile(compile.NewLayout(nil), e)
	if err != nil {
		return value.Value{}, err
	}
	a, err := x.Eval(&s.run.Fnctx, run.OneRow, nil)
	if err != nil || a.Type.Kind == value.Null || a.IsNull(0) {
		return value.Value{}, err
	}
	return a.At(0), nil
}

// Matches is storage.Watcher for the table.
func (s *Set) Matches(ctx context.Context, v *storage.View, which []int, cols []*value.Column, pos []int32) ([][]int32, error) {
	n := 0
	for _, p := range pos {
		n = max(n, int(p)+1)
	}
	s.batch = value.Batch{Len: n, Cols: cols}
	s.run.Fnctx.Context = ctx
	if s.words || len(s.relative) > 0 {
		for _, t := range s.run.Tables {
			if _, err := v.Refresh(t); err != nil {
				return nil, err
			}
		}
	}
	for _, b := range s.bounds {
		b.known = false
	}
	out := make([][]int32, len(which))
	for i, w := range which {
		sel := pos
		if b := s.by[w]; b != nil {
			if !b.known {
				for k := range b.out {
					b.out[k] = b.out[k][:0]
				}
				b.find(cols, pos, b.out)
				b.known = true
			}
			sel = b.out[s.place[w]]
		}
		if len(sel) == 0 {
			continue
		}
		a, err := s.conds[w].Eval(&s.run.Fnctx, &s.batch, sel)
		if err != nil {
			return nil, bind.WatchError(s.def.Watches[w].Name, err)
		}
		for _, p := range sel {
			if a.Type.Kind != value.Null && !a.IsNull(int(p)) && a.At(int(p)).Bool() {
				out[i] = append(out[i], p)
			}
		}
	}
	return out, nil
}

// lazily are the encoders of a table that are opened when there is something to encode: what
// watches compare with is kept with them.
type lazily struct {
	open encoder.Opener
	def  *storage.TableDef
}

func (l *lazily) find(ctx context.Context, name string) (encoder.Encoder, error) {
	for i := range l.def.Columns {
		if c := &l.def.Columns[i]; c.Encoder == name && c.Model.Hash != "" {
			return &lazyEncoder{model: c.Model, name: name, open: l.open}, nil
		}
	}
	if l.open == nil {
		return nil, &encoder.NotFoundError{Name: name}
	}
	return l.open(ctx, name)
}

type lazyEncoder struct {
	model encoder.Model
	name  string
	open  encoder.Opener
}

func (l *lazyEncoder) Model() encoder.Model { return l.model }
func (l *lazyEncoder) Close() error         { return nil }

func (l *lazyEncoder) itself(ctx context.Context) (encoder.Encoder, error) {
	in := bind.Input{Encoder: l.open}
	return in.OpenEncoder(ctx, &logical.Encoding{Name: l.name, Model: l.model, Dim: l.model.Dim}, parse.Pos{})
}

func (l *lazyEncoder) Prompts() (query, document string) {
	enc, err := l.itself(context.Background())
	if err != nil {
		return "", "" // EncodeTexts says so
	}
	return encoder.Prompts(enc)
}

func (l *lazyEncoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	enc, err := l.itself(ctx)
	if err != nil {
		return nil, err
	}
	return enc.EncodeTexts(ctx, texts)
}

func (l *lazyEncoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	enc, err := l.itself(ctx)
	if err != nil {
		return nil, err
	}
	return enc.EncodeImages(ctx, images)
}
