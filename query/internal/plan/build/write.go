package build

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
)

// ConflictUpdate builds ON CONFLICT DO UPDATE.
func (b *Builder) ConflictUpdate(u *logical.ConflictUpdate) (*exec.ConflictUpdate, error) {
	if u == nil {
		return nil, nil
	}
	lay := compile.NewLayout(u.From)
	out := &exec.ConflictUpdate{Ctx: &b.Fnctx, Cols: u.Cols}
	var err error
	if out.Exprs, err = b.CompileAll(lay, u.Items); err != nil {
		return nil, err
	}
	if u.Where != nil {
		out.Where, err = b.Compile(lay, u.Where)
	}
	return out, err
}

// Writes builds the root of a statement that writes: op gives the numbers of the
// rows written, which RETURNING reads, with the columns of r.From.
func (b *Builder) Writes(op exec.Operator, table *storage.Table, r *logical.Returned) (exec.Operator, error) {
	op = b.Analyzed(op)
	if r == nil {
		return op, nil
	}
	need := tableColumns(r.Rel.Node.(*logical.Scan), logical.ColumnsOf(r.Items...))
	f := exec.NewFetch(op, b.Table(table), ordsOf(need))
	f.Written = &b.Env
	out, err := b.project(rel{op: b.Analyzed(f), lay: compile.NewLayout(slices.Concat(r.From, need))}, r.Items, r.Outs)
	return out.op, err
}
