package exec

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

var realType = value.Type{Kind: value.Real}

// score is the measure between a vector expression and a constant vector.
type score struct {
	x, to           fn.Expr
	metric          vector.Metric
	negate, fromOne bool
	at              func(error) error
	q               *vector.Query // nil where the vector is NULL
	run             uint64        // of which q is
	out             value.Column
}

// NewScore returns the measure between x and the vector to, which is the same for all
// rows, negated or taken from one if so said. It is NULL where a vector is, and where a
// zero vector has no cosine.
func NewScore(x, to fn.Expr, m vector.Metric, negate, fromOne bool, at func(error) error) fn.Expr {
	return &score{x: x, to: to, metric: m, negate: negate, fromOne: fromOne, at: at}
}

func (s *score) Type() value.Type { return realType }
func (s *score) Clone() fn.Expr {
	return &score{x: s.x.Clone(), to: s.to.Clone(), metric: s.metric, negate: s.negate, fromOne: s.fromOne, at: s.at}
}

func (s *score) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	x, err := s.x.Eval(c, b, sel)
	if err != nil {
		return fn.Arg{}, err
	}
	n := b.Len
	if x.Const {
		n, sel = 1, nil
	}
	prepareReal(&s.out, n)
	if s.q == nil || s.run != c.Run {
		to, err := s.to.Eval(c, b, sel)
		if err != nil {
			return fn.Arg{}, err
		}
		if s.q, s.run = nil, c.Run; to.Type.Kind != value.Null && !to.IsNull(0) {
			if s.q, err = vector.NewQuery(s.metric, to.Vec(0)); err != nil {
				return fn.Arg{}, s.at(err)
			}
		}
	}
	if x.Type.Kind == value.Null || s.q == nil {
		return fn.Arg{Column: nullReal(), Const: true}, nil
	}
	if x.Type.Dim != s.q.Dim() && n > 0 {
		return fn.Arg{}, s.at(fmt.Errorf("vectors have %d and %d dimensions", x.Type.Dim, s.q.Dim()))
	}
	each(n, sel, func(i int) {
		if x.Null(i) {
			setNull(&s.out, i, n)
			return
		}
		put(&s.out, i, n, s.q.Score(x.Vec(i)), s.negate, s.fromOne)
	})
	return fn.Arg{Column: &s.out, Const: x.Const}, nil
}

// pairScore is the measure between two vector expressions.
type pairScore struct {
	x, y            fn.Expr
	metric          vector.Metric
	negate, fromOne bool
	wrap            func(error) error
	out             value.Column
}

// NewPairScore returns the measure between x and y, row by row.
func NewPairScore(x, y fn.Expr, m vector.Metric, negate, fromOne bool, wrap func(error) error) fn.Expr {
	return &pairScore{x: x, y: y, metric: m, negate: negate, fromOne: fromOne, wrap: wrap}
}

func (s *pairScore) Type() value.Type { return realType }
func (s *pairScore) Clone() fn.Expr {
	c := *s
	c.x, c.y, c.out = s.x.Clone(), s.y.Clone(), value.Column{}
	return &c
}

func (s *pairScore) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	x, err := s.x.Eval(c, b, sel)
	if err != nil {
		return fn.Arg{}, err
	}
	y, err := s.y.Eval(c, b, sel)
	if err != nil {
		return fn.Arg{}, err
	}
	if x.Type.Kind == value.Null || y.Type.Kind == value.Null {
		return fn.Arg{Column: nullReal(), Const: true}, nil
	}
	n := b.Len
	if x.Type.Dim != y.Type.Dim && n > 0 {
		return fn.Arg{}, s.wrap(fmt.Errorf("vectors have %d and %d dimensions", x.Type.Dim, y.Type.Dim))
	}
	prepareReal(&s.out, n)
	each(n, sel, func(i int) {
		if x.IsNull(i) || y.IsNull(i) {
			setNull(&s.out, i, n)
			return
		}
		put(&s.out, i, n, vector.Score(s.metric, vecAt(x, i), vecAt(y, i)), s.negate, s.fromOne)
	})
	return fn.Arg{Column: &s.out}, nil
}

func vecAt(a fn.Arg, i int) []float32 {
	if a.Const {
		i = 0
	}
	return a.Vec(i)
}

func nullReal() *value.Column {
	c := newColumn(realType)
	appendNulls(c, 0, 1)
	return c
}

func prepareReal(c *value.Column, n int) {
	c.Type, c.Nulls = realType, nil
	if cap(c.Reals) < n {
		c.Reals = make([]float64, max(n, value.BatchSize))
	}
	c.Reals = c.Reals[:n]
}

func put(c *value.Column, i, n int, v float64, negate, fromOne bool) {
	switch {
	case math.IsNaN(v):
		setNull(c, i, n)
		return
	case negate:
		v = -v
	case fromOne:
		v = 1 - v
	}
	c.Reals[i] = v
}

func setNull(c *value.Column, i, n int) {
	if c.Nulls == nil {
		c.Nulls = value.NewBitmap(n)
	}
	c.Nulls.Set(i)
}

// each calls f for every selected row.
func each(n int, sel []int32, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	for _, i := range sel {
		f(int(i))
	}
}

// vectorSum is a weighted sum of vectors.
type vectorSum struct {
	args    []fn.Expr
	weights []float32
	unit    bool
	mean    bool // see standIns
	dim     int
	wrap    func(error) error
	out     value.Column
	scratch []float32
}

// NewVectorSum returns the sum of the arguments times their weights, scaled to
// unit length if unit. It is NULL where an argument is. A sum of zero stays
// zero.
func NewVectorSum(args []fn.Expr, weights []float32, unit, mean bool, dim int, wrap func(error) error) fn.Expr {
	return &vectorSum{args: args, weights: weights, unit: unit, mean: mean, dim: dim, wrap: wrap}
}

func (s *vectorSum) Type() value.Type { return value.Type{Kind: value.Vector, Dim: s.dim} }
func (s *vectorSum) Clone() fn.Expr {
	c := *s
	c.args, c.out, c.scratch = nil, value.Column{}, nil
	for _, a := range s.args {
		c.args = append(c.args, a.Clone())
	}
	return &c
}

func (s *vectorSum) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	args := make([]fn.Arg, len(s.args))
	constant := true
	dim := 0
	for i, e := range s.args {
		var err error
		if args[i], err = e.Eval(c, b, sel); err != nil {
			return fn.Arg{}, err
		}
		constant = constant && args[i].Const
		if d := args[i].Type.Dim; d > 0 {
			if dim > 0 && d != dim {
				return fn.Arg{}, s.wrap(fmt.Errorf("vectors of %d and of %d dimensions can't be added", dim, d))
			}
			dim = d
		}
	}
	n := b.Len
	if constant {
		n, sel = 1, nil
	}
	s.out.Type, s.out.Nulls = value.Type{Kind: value.Vector, Dim: dim}, nil
	if cap(s.out.Vecs) < n*dim {
		s.out.Vecs = make([]float32, n*dim)
	}
	s.out.Vecs = s.out.Vecs[:n*dim]
	if len(s.scratch) != dim {
		s.scratch = make([]float32, dim)
	}
	each(n, sel, func(i int) {
		v := s.out.Vec(i)
		clear(v)
		more, ok := s.standIns(args, i)
		if !ok {
			setNull(&s.out, i, n)
			return
		}
		for k, a := range args {
			if a.Type.Kind == value.Null || a.IsNull(i) {
				continue
			}
			w := s.weights[k]
			if by := more[sideOf(w)]; by != 1 {
				w = float32(float64(w) * by)
			}
			vector.AddScaled(v, vecAt(a, i), w, s.scratch)
		}
		if s.unit {
			vector.Normalize(v, v)
		}
	})
	var err error
	each(n, sel, func(i int) {
		if err == nil && !s.out.Null(i) && dim > 0 {
			err = vector.Check(s.out.Vec(i))
		}
	})
	if err != nil {
		return fn.Arg{}, s.wrap(err)
	}
	return fn.Arg{Column: &s.out, Const: constant}, nil
}

// standIns returns by what the weights above and below zero are multiplied, so that what is there
// of a mean stands in for what is NULL. ok is false where the sum is NULL.
func (s *vectorSum) standIns(args []fn.Arg, i int) (more [2]float64, ok bool) {
	var all, there [2]float64
	lacks := false
	for k, a := range args {
		side := sideOf(s.weights[k])
		all[side] += float64(s.weights[k])
		if a.Type.Kind == value.Null || a.IsNull(i) {
			lacks = true
		} else {
			there[side] += float64(s.weights[k])
		}
	}
	if !lacks {
		return [2]float64{1, 1}, true
	}
	for side := range more {
		if more[side] = 1; there[side] != 0 {
			more[side] = all[side] / there[side]
		}
	}
	return more, s.mean && there[0] != 0
}

// sideOf is 0 for weights above zero, 1 for those below.
func sideOf(w float32) int {
	if w < 0 {
		return 1
	}
	return 0
}

// Prompt is what a text begins with that an encoder is given: one that is stored, or
// else one that is searched for.
func Prompt(enc encoder.Encoder, document bool) string {
	query, doc := encoder.Prompts(enc)
	if document {
		return doc
	}
	return query
}

// EncodeTexts encodes texts, which differ, in one batch, taking from the cache what it
// has, and waiting for what somebody else is encoding right now.
func EncodeTexts(ctx context.Context, enc encoder.Encoder, cache *TextCache, texts []string) ([][]float32, error) {
	m := enc.Model()
	out := make([][]float32, len(texts))
	if cache == nil {
		return out, encodeAt(ctx, enc, texts, out, nil)
	}
	var missing []int
	for i, t := range texts {
		if out[i] = cache.Get(m, t); out[i] == nil {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	wanted := make([]string, len(missing))
	for k, i := range missing {
		wanted[k] = texts[i]
	}
	mine, flights := cache.lift(m, wanted)
	at := make([]int, len(mine))
	for k, n := range mine {
		at[k] = missing[n]
	}
	if err := func() error {
		defer func() { // also where the encoder panics
			for _, n := range mine {
				cache.land(m, wanted[n], flights[n], out[missing[n]])
			}
		}()
		return cache.encode(ctx, enc, texts, out, at)
	}(); err != nil {
		return nil, err
	}
	// What others encode; where they failed, or gave up, it is done here.
	var left []int
	for k, f := range flights {
		i := missing[k]
		if out[i] != nil {
			continue
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if out[i] = f.vec; f.vec == nil {
			left = append(left, i)
		}
	}
	if len(left) > 0 {
		return out, cache.encode(ctx, enc, texts, out, left)
	}
	return out, nil
}

// encode encodes the texts at positions at, taking from the store what it keeps.
func (c *TextCache) encode(ctx context.Context, enc encoder.Encoder, texts []string, out [][]float32, at []int) error {
	m := enc.Model()
	q, quick := enc.(encoder.Quick)
	quick = quick && q.Quick() // looking in the store takes longer
	wanted := make([]string, len(at))
	for k, i := range at {
		wanted[k] = texts[i]
	}
	if !quick {
		left := at[:0:0]
		for k, v := range c.kept(m, wanted) {
			if v == nil {
				left = append(left, at[k])
				continue
			}
			out[at[k]] = v
			c.Put(m, wanted[k], v)
		}
		at = left
	}
	if err := encodeAt(ctx, enc, texts, out, at); err != nil {
		return err
	}
	fresh, vecs := make([]string, len(at)), make([][]float32, len(at))
	for k, i := range at {
		fresh[k], vecs[k] = texts[i], out[i]
		c.Put(m, texts[i], out[i])
	}
	if !quick && len(at) > 0 {
		c.keep(m, fresh, vecs)
	}
	return nil
}

// encodeAt encodes the texts at positions at, nil for all.
func encodeAt(ctx context.Context, enc encoder.Encoder, texts []string, out [][]float32, at []int) error {
	wanted := texts
	if at != nil {
		wanted = make([]string, len(at))
		for k, i := range at {
			wanted[k] = texts[i]
		}
	}
	if len(wanted) == 0 || at != nil && len(at) == 0 {
		return nil
	}
	m := enc.Model()
	vecs, err := enc.EncodeTexts(ctx, wanted)
	if err != nil {
		return err
	}
	if len(vecs) != len(wanted) {
		return fmt.Errorf("encoder %s gave %d vectors for %d texts", m.Name, len(vecs), len(wanted))
	}
	for k, v := range vecs {
		if len(v) != m.Dim {
			return fmt.Errorf("encoder %s gave a vector of %d dimensions, not %d", m.Name, len(v), m.Dim)
		}
		if at != nil {
			k = at[k]
		}
		out[k] = v
	}
	return nil
}

// EncodeText is the vector of a text, for texts that differ from row to row.
type EncodeText struct {
	X     fn.Expr
	Open  func(context.Context) (encoder.Encoder, error)
	Texts *TextCache
	Dim   int
	// Vectors takes a text that is the text form of a vector of Dim dimensions
	// for that vector, as in a csv that COPY has written.
	Vectors bool
	// Document is set where texts are stored, and not where they are searched for.
	Document bool
	out      value.Column
}

func (e *EncodeText) Type() value.Type { return value.Type{Kind: value.Vector, Dim: e.Dim} }
func (e *EncodeText) Clone() fn.Expr {
	return &EncodeText{X: e.X.Clone(), Open: e.Open, Texts: e.Texts, Dim: e.Dim, Vectors: e.Vectors, Document: e.Document}
}

func (e *EncodeText) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	x, err := e.X.Eval(c, b, sel)
	if err != nil {
		return fn.Arg{}, err
	}
	n := b.Len
	if x.Const || x.Type.Kind == value.Null {
		n, sel = 1, nil
	}
	var texts []string
	at := map[string]int{}
	each(n, sel, func(i int) {
		if x.Type.Kind == value.Null || x.IsNull(i) {
			return
		}
		t := x.At(i).Str()
		if e.vector(t) != nil {
			return
		}
		if _, ok := at[t]; !ok {
			at[t] = len(texts)
			texts = append(texts, t)
		}
	})
	var vecs [][]float32
	if len(texts) > 0 {
		enc, err := e.Open(c)
		if err != nil {
			return fn.Arg{}, err
		}
		if prefix := Prompt(enc, e.Document); prefix != "" {
			for k, t := range texts {
				texts[k] = prefix + t
			}
		}
		if vecs, err = EncodeTexts(c, enc, e.Texts, texts); err != nil {
			return fn.Arg{}, err
		}
	}
	prepareVec(&e.out, n, e.Dim)
	each(n, sel, func(i int) {
		if x.Type.Kind == value.Null || x.IsNull(i) {
			setNull(&e.out, i, n)
			return
		}
		t := x.At(i).Str()
		if v := e.vector(t); v != nil {
			copy(e.out.Vec(i), v)
			return
		}
		copy(e.out.Vec(i), vecs[at[t]])
	})
	return fn.Arg{Column: &e.out, Const: x.Const || x.Type.Kind == value.Null}, nil
}

// vector returns the vector that a text is the text form of, or nil.
func (e *EncodeText) vector(t string) []float32 {
	if !e.Vectors || !strings.HasPrefix(t, "[") {
		return nil
	}
	v, err := value.Parse(value.Type{Kind: value.Vector, Dim: e.Dim}, t)
	if err != nil || len(v.Vec()) != e.Dim {
		return nil
	}
	return v.Vec()
}

func prepareVec(c *value.Column, n, dim int) {
	c.Type, c.Nulls = value.Type{Kind: value.Vector, Dim: dim}, nil
	if cap(c.Vecs) < n*dim {
		c.Vecs = make([]float32, n*dim)
	}
	c.Vecs = c.Vecs[:n*dim]
}

// EncodeImage is the vector of a picture, given by its path or its bytes. A
// picture that can't be read is an error.
type EncodeImage struct {
	X    fn.Expr
	Open func(context.Context) (encoder.Encoder, error)
	Read func(ctx context.Context, path string) ([]byte, error)
	Dim  int
	out  value.Column
}

func (e *EncodeImage) Type() value.Type { return value.Type{Kind: value.Vector, Dim: e.Dim} }
func (e *EncodeImage) Clone() fn.Expr {
	return &EncodeImage{X: e.X.Clone(), Open: e.Open, Read: e.Read, Dim: e.Dim}
}

func (e *EncodeImage) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	x, err := e.X.Eval(c, b, sel)
	if err != nil {
		return fn.Arg{}, err
	}
	n := b.Len
	if x.Const || x.Type.Kind == value.Null {
		n, sel = 1, nil
	}
	prepareVec(&e.out, n, e.Dim)
	var rows []int
	each(n, sel, func(i int) {
		if x.Type.Kind == value.Null || x.IsNull(i) {
			setNull(&e.out, i, n)
			return
		}
		rows = append(rows, i)
	})
	for len(rows) > 0 {
		part := rows[:min(len(rows), imageBatch)]
		rows = rows[len(part):]
		images := make([]encoder.Image, len(part))
		names := make([]string, len(part))
		for k, i := range part {
			v := x.At(i)
			names[k] = "the picture"
			if v.Kind() == value.Text {
				names[k] = v.Str()
				data, err := e.Read(c, v.Str())
				if err != nil {
					return fn.Arg{}, err
				}
				images[k].Data = data
			} else {
				images[k].Data = []byte(v.Str())
			}
		}
		enc, err := e.Open(c)
		if err != nil {
			return fn.Arg{}, err
		}
		results, err := enc.EncodeImages(c, images)
		if err != nil {
			return fn.Arg{}, err
		}
		for k, i := range part {
			if results[k].Err != nil {
				return fn.Arg{}, fmt.Errorf("%s: %w", names[k], results[k].Err)
			}
			copy(e.out.Vec(i), results[k].Vector)
		}
	}
	return fn.Arg{Column: &e.out, Const: x.Const || x.Type.Kind == value.Null}, nil
}
