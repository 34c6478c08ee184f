package optimize

import (
	"github.com/lupadb/lupa/query/internal/fn"
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
		e := scoreOf(f.Args[0])
		if e == nil {
			e = scoreOf(f.Args[1])
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

// scoreOf returns the score that e is, or is the relevance of by a curve that is fixed; nil if it
// is neither.
func scoreOf(e *logical.Expr) *logical.Expr {
	switch {
	case e.Op == logical.OpScore:
		return e
	case e.Op == logical.OpCall && e.Call.Func.Name == "relevance_at" && e.Args[0].Op == logical.OpScore && logical.Fixed(e.Args[1]):
		return e.Args[0]
	}
	return nil
}

// Threshold takes a condition that sets a fixed bound to a score, on the side of the better
// scores, apart. That of a relevance is the similarity from which on it is reached.
func Threshold(c *logical.Expr) (score, bound *logical.Expr, ok bool) {
	if bound, ok = threshold(c, ""); !ok {
		return nil, nil, false
	}
	if score = scoreOf(c.Args[0]); score == nil {
		score = scoreOf(c.Args[1])
	}
	return score, bound, true
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
	score := scoreOf(x)
	if score == nil || !logical.Fixed(y) || logical.IsConst(y) && y.Value.IsNull() || key != "" && score.Key() != key {
		return nil, false
	}
	if x != score { // a relevance: there is a similarity from which on it is reached
		if (name == ">" || name == ">=") && (y.Type.Kind == value.Integer || y.Type.Kind == value.Real) {
			y, err := logical.CastRows(y, logical.RealType, fn.Explicit)
			if err != nil {
				return nil, false
			}
			bound, err := logical.CallRows("similarity_at", c.Pos, y, x.Args[1])
			return bound, err == nil
		}
		return nil, false
	}
	if better := x.Measure.HigherIsBetter(); better && (name == ">" || name == ">=") || !better && (name == "<" || name == "<=") {
		if y.Type.Kind == value.Integer || y.Type.Kind == value.Real {
			return y, true
		}
	}
	return nil, false
}
