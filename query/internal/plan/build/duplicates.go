package build

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

func (b *Builder) duplicates(n *logical.Duplicates) (rel, error) {
	least, err := b.Compile(compile.NewLayout(nil), n.Least)
	if err != nil {
		return rel{}, err
	}
	op := &exec.Duplicates{Env: &b.Env, Ctx: &b.Fnctx, Table: b.Table(n.Table), Column: n.Column, Least: least, At: logical.At(n.Least.Pos), Text: n.Text}
	return rel{op: b.Analyzed(op), lay: compile.NewLayout(n.Outs)}, nil
}
