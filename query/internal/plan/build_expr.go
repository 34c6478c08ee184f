package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// compile makes e executable over batches of the layout.
func (b *builder) compile(l layout, e *expr) (fn.Expr, error) {
	return compileExpr(l, l.reduce(e), func(e *expr, args []fn.Expr) (fn.Expr, error) {
		switch e.op {
		case opText:
			return &exec.EncodeText{X: args[0], Open: b.opener(e.enc), Texts: b.in.Texts, Dim: e.enc.dim, Vectors: e.vectors, Document: e.document}, nil
		case opImage:
			return &exec.EncodeImage{X: args[0], Open: b.opener(e.enc), Dim: e.enc.dim, Read: b.in.readFile}, nil
		case opSubquery, opExists, opInQuery:
			return b.compileCorrelated(l, e, args)
		}
		return nil, parse.Errorf(e.pos, "internal error: expression %d can't be computed here", e.op)
	})
}

func (b *builder) compileAll(l layout, es []*expr) ([]fn.Expr, error) {
	out := make([]fn.Expr, len(es))
	for i, e := range es {
		c, err := b.compile(l, e)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}
