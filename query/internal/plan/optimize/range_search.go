package optimize

import (
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// rangeSearch gives a condition like score > 0.25 to the search, so that not
// every row is scored from its floats.
func rangeSearch(f *Facts, n logical.Node) (logical.Node, error) {
	scan, ok := n.(*logical.Scan)
	if !ok {
		return n, nil
	}
	if scan.Search != nil {
		for _, f := range scan.Filters {
			if bound, ok := threshold(f, scan.Search.Score.Key()); ok {
				scan.Search.Within = append(scan.Search.Within, bound)
			}
		}
		return scan, nil
	}
	if scan.Lookup != nil {
		return scan, nil
	}
	for _, f := range scan.Filters {
		if _, ok := threshold(f, ""); !ok {
			continue
		}
		e := f.Args[0]
		if e.Op != logical.OpScore {
			e = f.Args[1]
		}
		if logical.Searchable(scan, e) {
			scan.Search = &logical.Search{Score: e, Count: -1, Text: f.Text}
			for _, g := range scan.Filters {
				if bound, ok := threshold(g, e.Key()); ok {
					scan.Search.Within = append(scan.Search.Within, bound)
				}
			}
			break
		}
	}
	return scan, nil
}

// threshold returns the fixed bound that a condition sets to the score of the
// given key, on the side of the better scores.
func threshold(c *logical.Expr, key string) (bound *logical.Expr, ok bool) {
	if c.Op != logical.OpCall || len(c.Args) != 2 {
		return nil, false
	}
	x, y, name := c.Args[0], c.Args[1], c.Call.Func.Name
	if logical.Fixed(x) {
		x, y = y, x
		name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[name]
	}
	if x.Op != logical.OpScore || !logical.Fixed(y) || logical.IsConst(y) && y.Value.IsNull() || key != "" && x.Key() != key {
		return nil, false
	}
	if better := x.Measure.HigherIsBetter(); better && (name == ">" || name == ">=") || !better && (name == "<" || name == "<=") {
		if y.Type.Kind == value.Integer || y.Type.Kind == value.Real {
			return y, true
		}
	}
	return nil, false
}
