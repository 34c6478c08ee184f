package statement

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
)

// update plans UPDATE t SET ... [FROM ...] [WHERE ...].
func (b *planner) update(s *parse.Update) (*run.Plan, error) {
	if s.Table.Database != "" {
		if parse.Changes(s) {
			return nil, errChangesElsewhere(s.Table)
		}
		n, err := b.RemoteUpdate(s)
		return b.remoteChange(n, err, "Update")
	}
	return b.written(b.boundUpdate(s))
}

func (b *planner) boundUpdate(s *parse.Update) (*written, error) {
	n, err := b.Binder.Update(s)
	if err != nil {
		return nil, err
	}
	return &written{n.Rows, optimize.InOrder, n.Returning.Columns(), func(b *build.Builder, out *logical.Relation) (exec.Operator, func() int64, error) {
		child, err := b.Root(out.Node, out.Cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewUpdate(child, &b.Env, n.Table.Def(), n.Cols)
		op.Stream = s.From == nil && n.Returning == nil
		root, err := b.Writes(op, n.Table, n.Returning)
		return root, func() int64 { return op.Affected }, err
	}}, nil
}

// delete plans DELETE FROM t [WHERE ...].
func (b *planner) delete(s *parse.Delete) (*run.Plan, error) {
	if s.Table.Database != "" {
		if parse.Changes(s) {
			return nil, errChangesElsewhere(s.Table)
		}
		n, err := b.RemoteDelete(s)
		return b.remoteChange(n, err, "Delete")
	}
	return b.written(b.boundDelete(s))
}

func (b *planner) boundDelete(s *parse.Delete) (*written, error) {
	n, err := b.Binder.Delete(s)
	if err != nil {
		return nil, err
	}
	return &written{n.Rows, optimize.InOrder, n.Returning.Columns(), func(b *build.Builder, out *logical.Relation) (exec.Operator, func() int64, error) {
		child, err := b.Root(out.Node, out.Cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewDelete(child, &b.Env, n.Table.Def())
		return b.Analyzed(op), func() int64 { return op.Affected }, nil
	}}, nil
}
