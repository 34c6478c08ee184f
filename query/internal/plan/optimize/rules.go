package optimize

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// rule is one improvement of a logical plan. apply gets a node whose inputs are
// improved already and returns what takes its place.
type rule struct {
	name  string
	apply func(f *Facts, n logical.Node) (logical.Node, error)
	whole bool // apply gets the whole plan, once
}

// rules are applied in this order, each to the whole plan from the bottom up,
// after flatten has removed projections in between.
var rules = []rule{
	{name: "outer joins that conditions make inner", apply: innerJoins, whole: true},
	{name: "order by similarity in place of relevance", apply: orderOfRelevance},
	{name: "push filters down", apply: pushFilters},
	{name: "push join conditions down", apply: pushJoinConditions},
	{name: "ask the attached database", apply: askRemote},
	{name: "carry conditions across equalities", apply: carryConditions, whole: true},
	{name: "order joins", apply: orderJoins, whole: true},
	{name: "find join keys", apply: joinKeys},
	{name: "look up by key or index", apply: lookups},
	{name: "order by index", apply: orderByIndex},
	{name: "top-k search", apply: topKSearch},
	{name: "fusion of scores", apply: fusion},
	{name: "the best of each group", apply: topOfGroups},
	{name: "range search", apply: rangeSearch},
	{name: "search among the rows that conditions keep", apply: searchAmong},
	{name: "count what is not NULL", apply: countNulls},
	{name: "join by similarity", apply: pairJoin},
	{name: "count from metadata", apply: countFromMetadata},
}

// Rules are the names of the rules.
func Rules() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

// switchedOff is the name of a rule that is not applied.
var switchedOff atomic.Pointer[string]

// SwitchOff lets plans that are made from now on do without a rule, "" for none, everywhere in
// the process. It is for tests: answers have to be the same.
func SwitchOff(rule string) { switchedOff.Store(&rule) }

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
	known   estimates
	asked   sync.Mutex // Expected
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
	f.expectWorking(n)
	cols := n.Columns()
	n, m := flatten(n)
	n = keepColumns(n, cols, m)
	for _, r := range rules {
		if off := switchedOff.Load(); off != nil && *off == r.name {
			continue
		}
		f.known.changed()
		apply, err := f.applyRule, error(nil)
		if r.whole {
			apply = func(r rule, n logical.Node) (logical.Node, error) { return r.apply(f, n) }
		}
		if n, err = apply(r, n); err != nil {
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
