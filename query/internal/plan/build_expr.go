package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// Compile makes e executable over batches of the layout.
func (b *Builder) Compile(l Layout, e *Expr) (fn.Expr, error) {
	return CompileExpr(l, l.Reduce(e), func(e *Expr, args []fn.Expr) (fn.Expr, error) {
		switch e.Op {
		case OpText:
			return &exec.EncodeText{X: args[0], Open: b.opener(e.Encoding), Texts: b.In.Texts, Dim: e.Encoding.Dim, Vectors: e.Vectors, Document: e.Document}, nil
		case OpImage:
			return &exec.EncodeImage{X: args[0], Open: b.opener(e.Encoding), Dim: e.Encoding.Dim, Read: b.In.ReadFile}, nil
		case OpSubquery, OpExists, OpInQuery:
			return b.compileCorrelated(l, e, args)
		}
		return nil, parse.Errorf(e.Pos, "internal error: expression %d can't be computed here", e.Op)
	})
}

func (b *Builder) compileAll(l Layout, es []*Expr) ([]fn.Expr, error) {
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
