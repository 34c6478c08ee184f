package plan

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
)

// Many plans a query, or EXPLAIN of one, once for each input. The texts of all
// are encoded in one batch, and where all are the same search with other vectors,
// it is done for all in one pass.
func Many(ctx context.Context, ins []*Input, s parse.Statement) ([]*Plan, error) {
	ex, _ := s.(*parse.Explain)
	if ex != nil {
		s = ex.Statement
	}
	sel := s.(*parse.Select)
	binders := make([]*binder, len(ins))
	rels := make([]*relation, len(ins))
	var pending []*expr
	for i, in := range ins {
		in.Now = ins[0].Now
		b := newBinder(ctx, in)
		binders[i] = b
		if ex != nil {
			b.explain, b.measure, b.spell = b.explain || !ex.Analyze, ex.Analyze, true
		}
		if i > 0 {
			b.encoders = binders[0].encoders
		}
		var err error
		if rels[i], err = b.query(sel, nil, nil); err != nil {
			return nil, err
		}
		pending = append(pending, b.pending...)
	}
	if len(ins) > 0 && !binders[0].explain {
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
	if len(searches) == len(plans) && len(plans) > 1 && sameSearch(searches, binders[0].explain) {
		for _, n := range searches {
			n.Shared = len(searches)
		}
		if !binders[0].explain {
			if err := exec.NearestMany(ctx, searches); err != nil {
				return nil, err
			}
		}
	}
	if ex != nil {
		for i, b := range binders {
			var err error
			if plans[i], err = b.explained(ex, plans[i]); err != nil {
				return nil, err
			}
		}
	}
	return plans, nil
}

// onlySearch returns the search at the bottom of a plan of single inputs.
func onlySearch(op exec.Operator) *exec.Nearest {
	for {
		if m, ok := op.(*exec.Measured); ok {
			op = m.Operator
		}
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

// sameSearch reports whether searches differ in their vectors, and bounds, only.
// Only EXPLAIN has searches without a vector.
func sameSearch(ns []*exec.Nearest, explain bool) bool {
	for _, n := range ns {
		if n.Ties || n.Column != ns[0].Column || n.Table.Def().ID != ns[0].Table.Def().ID || n.Query == nil && !explain {
			return false
		}
		if n.Filter != nil && n.Among == "" || n.Among != ns[0].Among {
			return false
		}
	}
	return true
}
