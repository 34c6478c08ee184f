// Package watch computes the conditions of the watches of a table for rows that are written.
//
// The conditions are bound and compiled once for each definition of the table. Those with a
// least similarity to a vector, which most have, are computed only for the rows that pass a
// bound: one product of matrices for all watches of a column.
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
	relative bool
	words    bool // a condition looks for words, in the way of an index
	bounds   []*bounds
	by       []*bounds // that of each watch, nil without one
	place    []int     // and its place in it
	batch    value.Batch
}

// bounds are those of the watches that have a least similarity with a vector column.
type bounds struct {
	column int
	b      *storage.SimilarityBounds
	count  int
	out    [][]int32
	known  bool // out is of the rows at hand
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
	s := &Set{def: t.Def(), relative: relative(conds)}
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
	s.bound(exprs)
	return s, vectors, nil
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

// Relative reports whether the set is out of date once there are other rows.
func (s *Set) Relative() bool { return s.relative }

// bound collects the least similarities.
func (s *Set) bound(exprs []*logical.Expr) {
	type least struct {
		vectors [][]float32
		least   []float64
	}
	byColumn := map[int]*least{}
	s.by, s.place = make([]*bounds, len(exprs)), make([]int, len(exprs))
	found := map[int]*bounds{}
	for i, x := range exprs {
		for _, c := range logical.Conjuncts(x, nil) {
			e, to, ok := optimize.Threshold(c)
			if !ok || e.Measure.Metric != vector.Cosine || e.Measure.Negate || e.Args[0].Op != logical.OpColumn {
				continue
			}
			q, err := s.run.FixedValue(e.Args[1])
			if err != nil || q.IsNull() || q.Kind() != value.Vector {
				continue // computed for all rows, which gives the same answer
			}
			n, err := s.value(to)
			if err != nil || n.IsNull() {
				continue
			}
			at := 0.0
			switch n.Kind() {
			case value.Integer:
				at = float64(n.Int())
			case value.Real:
				at = n.Float()
			default:
				continue
			}
			if e.Measure.FromOne {
				at = 1 - at
			}
			at -= 1e-9 // of rounding 1 - x, and the like
			if norm := vector.Norm(q.Vec()); !(norm > 1e-12 && norm < 1e12) {
				continue
			}
			ord := e.Args[0].Column.Ord
			if byColumn[ord] == nil {
				byColumn[ord], found[ord] = &least{}, &bounds{column: ord}
				s.bounds = append(s.bounds, found[ord])
			}
			l := byColumn[ord]
			s.by[i], s.place[i] = found[ord], len(l.least)
			l.vectors, l.least = append(l.vectors, q.Vec()), append(l.least, at)
			break
		}
	}
	for ord, l := range byColumn {
		b := found[ord]
		b.count = len(l.least)
		b.b = storage.NewSimilarityBounds(s.def.Columns[ord].Type.Dim, l.vectors, l.least)
		b.out = make([][]int32, b.count)
	}
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
	if s.words {
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
				b.b.Above(cols[b.column], pos, b.out)
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
