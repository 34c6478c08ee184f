package optimize

import (
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// fusion finds, below a Sort with a limit by a sum of scores, the rows that can get in by
// bounds of its parts. The Sort computes the sum for those.
func fusion(f *Facts, n logical.Node) (logical.Node, error) {
	s, ok := n.(*logical.Sort)
	if !ok || s.Count < 0 || s.Count+s.Offset > fusionMost || s.Count+s.Offset == 0 || len(s.On) > 0 || len(s.Keys) == 0 || !s.Keys[0].Order.Desc || s.Keys[0].Order.NullsFirst {
		return n, nil
	}
	scan, ok := s.In.(*logical.Scan)
	if !ok || scan.Search != nil || scan.Lookup != nil || len(scan.Filters) > 0 {
		return n, nil
	}
	x := &logical.Fusion{Sum: s.Keys[0].Expr, Count: s.Count + s.Offset}
	if !fusionTerm(x, scan, x.Sum, 1) || len(x.Sims) == 0 || len(x.Sims)+len(x.Words) < 2 {
		return n, nil
	}
	scan.Lookup = &logical.Lookup{Fusion: x, Text: s.Keys[0].Text}
	scan.Rows = min(scan.Rows, float64(4*x.Count))
	return s, nil
}

// fusionMost is the number of rows beyond which all are scored.
const fusionMost = 10000

// fusionTerm adds a term, times by, to a fusion; false where it is none that can be bounded.
func fusionTerm(x *logical.Fusion, scan *logical.Scan, e *logical.Expr, by float64) bool {
	switch e.Op {
	case logical.OpConst:
		c, ok := numberOf(e)
		x.Rest += float64(by * c)
		return ok
	case logical.OpScore:
		if e.Measure.Metric != vector.Cosine || e.Measure.FromOne || e.Measure.Negate || !logical.Searchable(scan, e) {
			return false
		}
		x.Sims, x.SimBy = append(x.Sims, e), append(x.SimBy, by)
		return true
	case logical.OpWords:
		x.Words, x.WordsBy = append(x.Words, e), append(x.WordsBy, by)
		return logical.WordsOf(scan, e, "bm25")
	case logical.OpCast:
		return e.Type.Kind == value.Real && fusionTerm(x, scan, e.Args[0], by)
	case logical.OpCall:
		if len(e.Args) != 2 {
			return false
		}
		a, b := e.Args[0], e.Args[1]
		switch e.Call.Func.Name {
		case "+":
			return fusionTerm(x, scan, a, by) && fusionTerm(x, scan, b, by)
		case "*":
			if c, ok := numberOf(a); ok && c > 0 {
				return fusionTerm(x, scan, b, float64(by*c))
			}
			if c, ok := numberOf(b); ok && c > 0 {
				return fusionTerm(x, scan, a, float64(by*c))
			}
		case "/":
			if c, ok := numberOf(b); ok && c > 0 {
				return fusionTerm(x, scan, a, by/c)
			}
		}
	}
	return false
}

func numberOf(e *logical.Expr) (float64, bool) {
	if e.Op == logical.OpCast && e.Type.Kind == value.Real {
		return numberOf(e.Args[0])
	}
	if e.Op != logical.OpConst {
		return 0, false
	}
	switch e.Value.Kind() {
	case value.Integer:
		return float64(e.Value.Int()), true
	case value.Real:
		return e.Value.Float(), true
	}
	return 0, false
}
