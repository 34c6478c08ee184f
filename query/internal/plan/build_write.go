package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage"
)

// conflictUpdate builds ON CONFLICT DO UPDATE.
func (b *builder) conflictUpdate(u *conflictUpdate) (*exec.ConflictUpdate, error) {
	if u == nil {
		return nil, nil
	}
	lay := newLayout(u.from)
	out := &exec.ConflictUpdate{Ctx: &b.fnctx, Cols: u.cols}
	var err error
	if out.Exprs, err = b.compileAll(lay, u.items); err != nil {
		return nil, err
	}
	if u.where != nil {
		out.Where, err = b.compile(lay, u.where)
	}
	return out, err
}

// writes builds the root of a statement that writes: op gives the numbers of the
// rows written, which RETURNING reads.
func (b *builder) writes(op exec.Operator, table *storage.Table, r *returned) (exec.Operator, error) {
	op = b.measured(op)
	if r == nil {
		return op, nil
	}
	need := tableColumns(r.rel.node.(*scanNode), columnsOf(r.items...))
	f := exec.NewFetch(op, b.table(table), ordsOf(need))
	f.Written = &b.env
	out, err := b.project(rel{op: b.measured(f), lay: newLayout(need)}, r.items, r.outs)
	return out.op, err
}
