package optimize

import (
	"context"

	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// rule is one improvement of a logical plan. apply gets a node whose inputs are
// improved already and returns what takes its place.
type rule struct {
	name  string
	apply func(f *Facts, n logical.Node) (logical.Node, error)
}

// rules are applied in this order, each to the whole plan from the bottom up,
// after flatten has removed projections in between.
var rules = []rule{
	{"push filters down", pushFilters},
	{"push join conditions down", pushJoinConditions},
	{"ask the attached database", askRemote},
	{"find join keys", joinKeys},
	{"look up by key or index", lookups},
	{"order by index", orderByIndex},
	{"top-k search", topKSearch},
	{"fusion of scores", fusion},
	{"the best of each group", topOfGroups},
	{"range search", rangeSearch},
	{"search among the rows that conditions keep", searchAmong},
	{"count what is not NULL", countNulls},
	{"join by similarity", pairJoin},
	{"count from metadata", countFromMetadata},
}

// Use is what becomes of the rows of a query.
type Use uint8

// The uses. Of a query without an order rows are given as they come, but in that of the table
// where they act on each other.
const (
	InOrder Use = iota // the first of several may count more
	Shown              // they are read until somebody has enough
	Kept               // all are read
)

// Facts are what the rules may know beside the plan, the catalog and statistics.
type Facts struct {
	Ctx     context.Context
	Explain bool // the plan is for these arguments only
	Use     Use
	// Peek returns what a fixed expression is for the arguments at hand, for estimates.
	Peek func(e *logical.Expr) (*logical.Expr, bool, error)
}

// Optimize improves the plan of a query, those of the subqueries in it, and those of the
// queries that are run once for many uses.
func (f *Facts) Optimize(r *logical.Relation, subs []*logical.Subquery, shared []*logical.SharedQuery) (*logical.Relation, error) {
	for _, q := range shared {
		n, err := f.improve(q.Rel.Node)
		if err != nil {
			return nil, err
		}
		q.Rel = &logical.Relation{Node: n, Cols: q.Rel.Cols}
	}
	for _, q := range subs {
		if err := f.subquery(q); err != nil {
			return nil, err
		}
	}
	n, err := f.improve(r.Node)
	if err == nil {
		rowOrder(n, f.Use != InOrder, f.Use == Kept)
	}
	return &logical.Relation{Node: n, Cols: r.Cols}, err
}

func (f *Facts) subquery(q *logical.Subquery) (err error) {
	if q.Corr != nil && !q.Lateral {
		decorrelate(q)
	}
	if c := q.Corr; c != nil && c.Keyed != nil {
		if c.Keyed.Node, err = f.improve(c.Keyed.Node); err != nil {
			return err
		}
		if c.Keyed.Aggregated {
			if c.None, err = f.improve(c.None); err != nil {
				return err
			}
		}
		if any := q.Op == logical.OpInQuery || q.Op == logical.OpExists; any || c.Keyed.Aggregated {
			rowOrder(c.Keyed.Node, true, true)
		}
	}
	if q.Rel.Node, err = f.improve(q.Rel.Node); err == nil && q.Op != logical.OpSubquery && !q.Lateral {
		rowOrder(q.Rel.Node, true, q.Op == logical.OpInQuery && q.Corr == nil)
	}
	return err
}

// improve applies flatten and the rules to a plan.
func (f *Facts) improve(n logical.Node) (logical.Node, error) {
	cols := n.Columns()
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

func (f *Facts) applyRule(r rule, n logical.Node) (logical.Node, error) {
	if err := logical.MapInputs(n, func(in logical.Node) (logical.Node, error) { return f.applyRule(r, in) }); err != nil {
		return nil, err
	}
	return r.apply(f, n)
}
