package plan

import "context"

// rule is one improvement of a logical plan. apply gets a node whose inputs are
// improved already and returns what takes its place.
type rule struct {
	name  string
	apply func(f *facts, n node) (node, error)
}

// rules are applied in this order, each to the whole plan from the bottom up,
// after flatten has removed projections in between.
var rules = []rule{
	{"push filters down", pushFilters},
	{"push join conditions down", pushJoinConditions},
	{"find join keys", joinKeys},
	{"look up by key or index", lookups},
	{"order by index", orderByIndex},
	{"top-k search", topKSearch},
	{"range search", rangeSearch},
	{"search among the rows that conditions keep", searchAmong},
	{"count from metadata", countFromMetadata},
}

// facts are what the rules may know beside the plan, the catalog and statistics.
type facts struct {
	ctx     context.Context
	explain bool // the plan is for these arguments only
	// peek returns what a fixed expression is for the arguments at hand, for estimates.
	peek func(e *expr) (*expr, bool, error)
}

// optimize improves the plan of a query, those of the subqueries in it, and those of the
// queries that are run once for many uses.
func (f *facts) optimize(r *relation, subs []*subquery, shared []*sharedQuery) (*relation, error) {
	for _, q := range shared {
		n, err := f.improve(q.rel.node)
		if err != nil {
			return nil, err
		}
		q.rel = &relation{n, q.rel.cols}
	}
	for _, q := range subs {
		if err := f.subquery(q); err != nil {
			return nil, err
		}
	}
	n, err := f.improve(r.node)
	return &relation{n, r.cols}, err
}

func (f *facts) subquery(q *subquery) (err error) {
	if q.corr != nil {
		decorrelate(q)
	}
	if c := q.corr; c != nil && c.keyed != nil {
		if c.keyed.node, err = f.improve(c.keyed.node); err != nil {
			return err
		}
		if c.keyed.aggregated {
			if c.none, err = f.improve(c.none); err != nil {
				return err
			}
		}
	}
	q.rel.node, err = f.improve(q.rel.node)
	return err
}

// improve applies flatten and the rules to a plan.
func (f *facts) improve(n node) (node, error) {
	cols := n.columns()
	n, m := flatten(n)
	n = keepColumns(n, cols, m)
	for _, r := range rules {
		var err error
		if n, err = f.applyRule(r, n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (f *facts) applyRule(r rule, n node) (node, error) {
	if err := mapInputs(n, func(in node) (node, error) { return f.applyRule(r, in) }); err != nil {
		return nil, err
	}
	return r.apply(f, n)
}
