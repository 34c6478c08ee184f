package build

import (
	"context"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
)

// Compile makes e executable over batches of the layout.
func (b *Builder) Compile(l compile.Layout, e *logical.Expr) (fn.Expr, error) {
	return compile.CompileExpr(l, l.Reduce(e), func(e *logical.Expr, args []fn.Expr) (fn.Expr, error) {
		switch e.Op {
		case logical.OpText:
			return &exec.EncodeText{X: args[0], Open: b.opener(e.Encoding), Texts: b.In.Texts, Dim: e.Encoding.Dim, Vectors: e.Vectors, Document: e.Document}, nil
		case logical.OpImage:
			return &exec.EncodeImage{X: args[0], Open: b.opener(e.Encoding), Dim: e.Encoding.Dim, Read: b.In.ReadFile}, nil
		case logical.OpCurve:
			return b.curve(e, args[0]), nil
		case logical.OpWords:
			return b.words(e, args)
		case logical.OpSubquery, logical.OpExists, logical.OpInQuery:
			return b.compileCorrelated(l, e, args)
		}
		return nil, parse.Errorf(e.Pos, "internal error: expression %d can't be computed here", e.Op)
	})
}

// curve makes what finds the curve of relevance.
func (b *Builder) curve(e *logical.Expr, x fn.Expr) *exec.Curve {
	c := &exec.Curve{X: x, Table: b.Table(e.Stored.Table), Column: e.Stored.Ord, At: logical.At(e.Pos)}
	if e.Encoding != nil {
		open := b.opener(e.Encoding)
		c.Prompts = func(ctx context.Context) ([][]float32, error) {
			enc, err := open(ctx)
			if err != nil {
				return nil, err
			}
			return exec.SampleVectors(ctx, enc, b.In.Texts)
		}
		c.Head = func(ctx context.Context) (*storage.RelevanceHead, error) {
			enc, err := open(ctx)
			if err != nil {
				return nil, err
			}
			if s, ok := enc.(encoder.Sigmoid); ok {
				if scale, bias, ok := s.Sigmoid(); ok {
					return &storage.RelevanceHead{Scale: scale, Bias: bias}, nil
				}
			}
			return nil, nil
		}
	}
	return c
}

// CompileAll is Compile for several.
func (b *Builder) CompileAll(l compile.Layout, es []*logical.Expr) ([]fn.Expr, error) {
	out := make([]fn.Expr, len(es))
	for i, e := range es {
		c, err := b.Compile(l, e)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}
