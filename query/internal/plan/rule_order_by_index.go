package plan

import (
	"fmt"
)

// orderByIndex takes the first rows of an order from an index, where no
// condition but bounds of that column leaves out any. They are sorted still.
func orderByIndex(f *facts, n node) (node, error) {
	s, ok := n.(*sortNode)
	if !ok || s.count < 0 || len(s.on) > 0 || len(s.keys) != 1 || s.keys[0].expr.op != opColumn {
		return n, nil
	}
	scan, ok := s.in.(*scanNode)
	if !ok || scan.search != nil || scan.lookup != nil && scan.lookup.keys != nil {
		return n, nil
	}
	key := s.keys[0]
	index, ok := indexOn(scan.table.Def(), key.expr.col.ord)
	want := s.count + s.offset
	if !ok || want == 0 || want > fetchFirst || float64(want) > 0.1*float64(scan.table.Rows()) {
		return n, nil
	}
	if key.order.Desc != key.order.NullsFirst && !scan.table.Def().Columns[key.expr.col.ord].NotNull && len(scan.filters) == 0 {
		return n, nil // the index has its NULLs at the other end
	}
	l := &lookup{index: index, ord: key.expr.col.ord, last: key.order.Desc, first: int(want)}
	what := fmt.Sprintf("first %d by %s", want, key.text)
	for _, f := range scan.filters {
		c, ok := restrictionOf(f, key.expr.col)
		if !ok || c.keys != nil || c.bound.op == "like" { // LIKE may ask for more than how a text begins
			return n, nil
		}
		l.bounds = append(l.bounds, c.bound)
		what = c.text + ", " + what
	}
	l.text, scan.lookup = what, l
	scan.rows = float64(want)
	return n, nil
}
