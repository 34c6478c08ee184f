package optimize

import (
	"fmt"

	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// orderByIndex takes the first rows of an order from an index, where no
// condition but bounds of that column leaves out any. They are sorted still.
func orderByIndex(f *Facts, n logical.Node) (logical.Node, error) {
	s, ok := n.(*logical.Sort)
	if !ok || s.Count < 0 || len(s.On) > 0 || len(s.Keys) != 1 || s.Keys[0].Expr.Op != logical.OpColumn {
		return n, nil
	}
	scan, ok := s.In.(*logical.Scan)
	if !ok || scan.Search != nil || scan.Lookup != nil && scan.Lookup.Keys != nil {
		return n, nil
	}
	key := s.Keys[0]
	index, ok := indexOn(scan.Table.Def(), key.Expr.Column.Ord)
	want := s.Count + s.Offset
	if !ok || want == 0 || want > logical.FetchFirst || float64(want) > 0.1*float64(scan.Table.Rows()) {
		return n, nil
	}
	if key.Order.Desc != key.Order.NullsFirst && !scan.Table.Def().Columns[key.Expr.Column.Ord].NotNull && len(scan.Filters) == 0 {
		return n, nil // the index has its NULLs at the other end
	}
	l := &logical.Lookup{Index: index, Ord: key.Expr.Column.Ord, Last: key.Order.Desc, First: int(want)}
	what := fmt.Sprintf("first %d by %s", want, key.Text)
	for _, f := range scan.Filters {
		c, ok := restrictionOf(f, key.Expr.Column)
		if !ok || c.keys != nil || c.bound.Op == "like" { // LIKE may ask for more than how a text begins
			return n, nil
		}
		l.Bounds = append(l.Bounds, c.bound)
		what = c.text + ", " + what
	}
	l.Text, scan.Lookup = what, l
	scan.Rows = float64(want)
	return n, nil
}
