package build

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

func (b *Builder) why(n *logical.Why) (rel, error) {
	x, err := b.CompileAll(compile.NewLayout(nil), n.Exprs())
	if err != nil {
		return rel{}, err
	}
	op := &exec.Why{Env: &b.Env, Ctx: &b.Fnctx, Table: b.Table(n.Table), Column: n.Column, Phrase: x[0], Key: x[1],
		Open: b.opener(n.Encoding), Texts: b.In.Texts, AtPhrase: logical.At(n.Phrase.Pos), AtKey: logical.At(n.Key.Pos), Text: n.Text}
	return rel{op: b.Analyzed(op), lay: compile.NewLayout(n.Outs)}, nil
}
