package run

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/storage/value"
)

// StartMany starts runs of a query, or of EXPLAIN of one: plans[i] is run with ins[i]. The
// texts of all are encoded in one batch, and where all are the same search with other
// vectors, it is done for all in one pass. ok is false where a plan no longer fits the
// tables.
func StartMany(ctx context.Context, plans []*Plan, ins []*bind.Input) (runs []*Run, ok bool, err error) {
	defer func() {
		if err != nil || !ok {
			for _, r := range runs {
				r.Close()
			}
			runs = nil
		}
	}()
	for i, p := range plans {
		ins[i].Now = ins[0].Now
		r, err := p.open(ctx, ins[i])
		if r == nil || err != nil {
			return runs, err != nil, err
		}
		runs = append(runs, r)
	}
	if err := findSlots(ctx, runs); err != nil {
		return runs, true, err
	}
	return runs, true, shareSearch(ctx, runs)
}

// shareSearch does the searches of runs in one pass, if each is one and they differ in
// their vectors, and bounds, only.
func shareSearch(ctx context.Context, runs []*Run) error {
	if len(runs) < 2 {
		return nil
	}
	var searches []*exec.Nearest
	for _, r := range runs {
		n := onlySearch(r.body)
		if n == nil || n.Ties || n.Time != nil || n.Top && n.Env.Within != nil || r.plan.Search != runs[0].plan.Search || r.plan.how != runs[0].plan.how || n.Filter != nil && n.Among == "" {
			return nil
		}
		for _, s := range n.Depends {
			a, err := r.slots[s].Value()
			b, err2 := runs[0].slots[s].Value()
			if err != nil || err2 != nil || !r.found(r.plan.slots[s]) || !same(a, b) {
				return nil
			}
		}
		searches = append(searches, n)
	}
	if runs[0].plan.how.Explain {
		for _, n := range searches {
			n.Shared = len(searches)
		}
		return nil
	}
	return exec.NearestMany(ctx, searches)
}

func same(a, b value.Value) bool { return a.Kind() == b.Kind() && value.Compare(a, b) == 0 }

// onlySearch returns the search at the bottom of a plan of single inputs.
func onlySearch(op exec.Operator) *exec.Nearest {
	for {
		if m, ok := op.(*exec.Analyzed); ok {
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
