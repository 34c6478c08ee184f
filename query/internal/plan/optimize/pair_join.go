package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// pairJoin lets a join of two tables whose rows have to be similar go through sketches, block
// against block, in place of comparing every pair.
func pairJoin(f *Facts, n logical.Node) (logical.Node, error) {
	j, ok := n.(*logical.Join)
	if !ok || j.Kind == parse.LeftJoin || len(j.LeftKeys) > 0 {
		return n, nil
	}
	l, ok1 := j.Left.(*logical.Scan)
	r, ok2 := j.Right.(*logical.Scan)
	if !ok1 || !ok2 {
		return n, nil
	}
	for _, c := range j.Rest {
		if j.Pairs = pairsOf(c, l, r); j.Pairs != nil {
			break
		}
	}
	if j.Pairs == nil {
		return n, nil
	}
	plain := func(s *logical.Scan) bool { return len(s.Filters) == 0 && s.Lookup == nil && s.Search == nil }
	key := l.Table.Def().PrimaryKey
	if l.Table == r.Table && j.Pairs.Left.Ord == j.Pairs.Right.Ord && plain(l) && plain(r) && key >= 0 {
		j.Pairs.Distinct = slices.ContainsFunc(j.Rest, func(c *logical.Expr) bool { return unlike(c, l.Cols[key], r.Cols[key]) })
	}
	return j, nil
}

// pairsOf returns the join by similarity that a condition is one of, or nil.
func pairsOf(c *logical.Expr, l, r *logical.Scan) *logical.Pairs {
	if c.Op != logical.OpCall || len(c.Args) != 2 {
		return nil
	}
	x, y, name := c.Args[0], c.Args[1], c.Call.Func.Name
	if logical.Fixed(x) {
		x, y = y, x
		name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[name]
	}
	if x.Op != logical.OpScore || !logical.Fixed(y) || x.Measure.Metric != vector.Cosine || x.Measure.Negate || y.Type.Kind != value.Integer && y.Type.Kind != value.Real {
		return nil
	}
	if x.Measure.FromOne && name != "<" && name != "<=" || !x.Measure.FromOne && name != ">" && name != ">=" {
		return nil
	}
	a, b := x.Args[0], x.Args[1]
	if a.Op != logical.OpColumn || b.Op != logical.OpColumn {
		return nil
	}
	if slices.Contains(r.Cols, a.Column) {
		a, b = b, a
	}
	if !slices.Contains(l.Cols, a.Column) || !slices.Contains(r.Cols, b.Column) || a.Type.Dim != b.Type.Dim {
		return nil
	}
	return &logical.Pairs{Score: x, Left: a.Column, Right: b.Column, Least: y, Open: name == "<" || name == ">"}
}

// unlike reports whether a condition leaves out pairs with equal keys.
func unlike(c *logical.Expr, x, y *logical.Column) bool {
	if c.Op != logical.OpCall || len(c.Args) != 2 || !slices.Contains([]string{"<", ">", "<>"}, c.Call.Func.Name) {
		return false
	}
	a, b := c.Args[0], c.Args[1]
	return a.Op == logical.OpColumn && b.Op == logical.OpColumn && (a.Column == x && b.Column == y || a.Column == y && b.Column == x)
}
