package plan

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
)

// Many plans a query once for each input. The texts of all are encoded in one
// batch, and where all are the same search with other vectors, it is done for
// all in one pass.
func Many(ctx context.Context, ins []*Input, s *parse.Select) ([]*Plan, error) {
	binders := make([]*binder, len(ins))
	rels := make([]*relation, len(ins))
	var pending []*expr
	for i, in := range ins {
		binders[i] = newBinder(ctx, in)
		if i > 0 {
			binders[i].encoders = binders[0].encoders
		}
		var err error
		if rels[i], err = binders[i].query(s, nil, nil); err != nil {
			return nil, err
		}
		pending = append(pending, binders[i].pending...)
	}
	if len(ins) > 0 {
		if err := binders[0].encodeTexts(pending); err != nil {
			return nil, err
		}
	}
	plans := make([]*Plan, len(ins))
	var searches []*exec.Nearest
	for i, b := range binders {
		if err := b.resolve(); err != nil {
			return nil, err
		}
		op, err := b.physical(rels[i].node, rels[i].cols)
		if err != nil {
			return nil, err
		}
		plans[i] = &Plan{Columns: columnsOfPlan(rels[i].cols), Root: op}
		if n := onlySearch(op); n != nil {
			searches = append(searches, n)
		}
	}
	if len(searches) == len(plans) && len(plans) > 1 && sameSearch(searches) {
		return plans, exec.NearestMany(ctx, searches)
	}
	return plans, nil
}

// onlySearch returns the search at the bottom of a plan of single inputs.
func onlySearch(op exec.Operator) *exec.Nearest {
	for {
		if n, ok := op.(*exec.Nearest); ok {
			return n
		}
		ins := op.Inputs()
		if len(ins) != 1 {
			return nil
		}
		op = ins[0]
	}
}

// sameSearch reports whether searches differ in their vectors only. Conditions
// may depend on arguments, so a search with one is run on its own.
func sameSearch(ns []*exec.Nearest) bool {
	for _, n := range ns {
		if n.Filter != nil || n.Column != ns[0].Column || n.Table.Def().ID != ns[0].Table.Def().ID || n.Query == nil {
			return false
		}
	}
	return true
}
