package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
)

// update plans UPDATE t SET ... [FROM ...] [WHERE ...].
func (b *planner) update(s *parse.Update) (*Plan, error) {
	n, err := b.binder.update(s)
	if err != nil {
		return nil, err
	}
	out, err := b.improved(n.rows)
	if err != nil {
		return nil, err
	}
	return b.planned(n.returning.columns(), func(b *builder) (exec.Operator, func() int64, error) {
		child, err := b.root(out.node, out.cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewUpdate(child, &b.env, n.table.Def(), n.cols)
		op.Stream = s.From == nil && n.returning == nil
		root, err := b.writes(op, n.table, n.returning)
		return root, func() int64 { return op.Affected }, err
	}), nil
}

// delete plans DELETE FROM t [WHERE ...].
func (b *planner) delete(s *parse.Delete) (*Plan, error) {
	n, err := b.binder.delete(s)
	if err != nil {
		return nil, err
	}
	out, err := b.improved(n.rows)
	if err != nil {
		return nil, err
	}
	return b.planned(n.returning.columns(), func(b *builder) (exec.Operator, func() int64, error) {
		child, err := b.root(out.node, out.cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewDelete(child, &b.env, n.table.Def())
		return b.measured(op), func() int64 { return op.Affected }, nil
	}), nil
}
