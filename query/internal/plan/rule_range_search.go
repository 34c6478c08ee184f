package plan

import (
	"github.com/lupadb/lupa/storage/value"
)

// rangeSearch gives a condition like score > 0.25 to the search, so that not
// every row is scored from its floats.
func rangeSearch(f *facts, n node) (node, error) {
	scan, ok := n.(*scanNode)
	if !ok {
		return n, nil
	}
	if scan.search != nil {
		for _, f := range scan.filters {
			if bound, ok := threshold(f, scan.search.score.key()); ok {
				scan.search.within = append(scan.search.within, bound)
			}
		}
		return scan, nil
	}
	if scan.lookup != nil {
		return scan, nil
	}
	for _, f := range scan.filters {
		if _, ok := threshold(f, ""); !ok {
			continue
		}
		e := f.args[0]
		if e.op != opScore {
			e = f.args[1]
		}
		if searchable(scan, e) {
			scan.search = &search{score: e, count: -1, text: f.text}
			for _, g := range scan.filters {
				if bound, ok := threshold(g, e.key()); ok {
					scan.search.within = append(scan.search.within, bound)
				}
			}
			break
		}
	}
	return scan, nil
}

// threshold returns the fixed bound that a condition sets to the score of the
// given key, on the side of the better scores.
func threshold(c *expr, key string) (bound *expr, ok bool) {
	if c.op != opCall || len(c.args) != 2 {
		return nil, false
	}
	x, y, name := c.args[0], c.args[1], c.call.Func.Name
	if fixed(x) {
		x, y = y, x
		name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[name]
	}
	if x.op != opScore || !fixed(y) || isConst(y) && y.val.IsNull() || key != "" && x.key() != key {
		return nil, false
	}
	if better := x.measure.HigherIsBetter(); better && (name == ">" || name == ">=") || !better && (name == "<" || name == "<=") {
		if y.typ.Kind == value.Integer || y.typ.Kind == value.Real {
			return y, true
		}
	}
	return nil, false
}
