package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// rule is one improvement of a logical plan. apply gets a node whose inputs are
// improved already and returns what takes its place.
type rule struct {
	name  string
	apply func(b *binder, n node) (node, error)
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
	{"count from metadata", countFromMetadata},
}

// optimize applies flatten and the rules to a plan.
func (b *binder) optimize(n node) (node, error) {
	cols := n.columns()
	n, m := flatten(n)
	if len(m) > 0 {
		// The plan's columns have to remain.
		p := &projectNode{in: n, outs: cols}
		for _, c := range cols {
			p.items = append(p.items, substitute(columnExpr(c, parse.Pos{}), m))
		}
		n = p
	}
	for _, r := range rules {
		var err error
		if n, err = b.applyRule(r, n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (b *binder) applyRule(r rule, n node) (node, error) {
	if err := mapInputs(n, func(in node) (node, error) { return b.applyRule(r, in) }); err != nil {
		return nil, err
	}
	return r.apply(b, n)
}
