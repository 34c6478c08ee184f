package optimize

import (
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// topOfGroups finds, below a Filter that keeps the first few rows of each partition of a Window
// ordered by scores, the rows that can be among these by bounds of their scores. Those that it
// leaves out stand behind them, so that the numbers of the others stay as they are.
func topOfGroups(f *Facts, n logical.Node) (logical.Node, error) {
	filter, ok := n.(*logical.Filter)
	if !ok {
		return n, nil
	}
	w, ok := filter.In.(*logical.Window)
	if !ok || len(w.Order) == 0 || w.Order[0].Order.NullsFirst {
		return n, nil
	}
	scan, ok := w.In.(*logical.Scan)
	if !ok || scan.Search != nil || scan.Lookup != nil && scan.Lookup.Fusion != nil {
		return n, nil
	}
	for _, c := range w.Calls {
		if c.Call.Kind != fn.RowNumber && c.Call.Kind != fn.Rank && c.Call.Kind != fn.DenseRank {
			return n, nil // it looks at rows that follow
		}
	}
	count := math.Inf(1)
	for _, c := range filter.Conds {
		if most, ok := firstRows(w, c); ok {
			count = min(count, most)
		}
	}
	if !(count >= 1 && count <= groupMost) {
		return n, nil
	}
	key := w.Order[0]
	b := &fuser{x: &logical.Fusion{Count: int64(count), Grouped: true, Groups: slices.Clone(w.Partition)}, scan: scan}
	for _, e := range w.Partition {
		if !b.plain(e) {
			return n, nil
		}
	}
	by := 1.0
	if !key.Order.Desc {
		by = -1
	}
	if b.x.Sum = key.Expr; !b.sum(key.Expr, by) || b.indexed == 0 {
		return n, nil
	}
	if err := b.among(f); err != nil {
		return nil, err
	}
	scan.Lookup = &logical.Lookup{Fusion: b.x, Text: key.Text}
	return n, nil
}

// groupMost is the number of rows of a partition beyond which all are scored.
const groupMost = 1000

// firstRows returns how many rows of each partition a condition keeps at most.
func firstRows(w *logical.Window, c *logical.Expr) (float64, bool) {
	if c.Op != logical.OpCall || len(c.Args) != 2 {
		return 0, false
	}
	x, y, name := c.Args[0], c.Args[1], c.Call.Func.Name
	if logical.IsConst(x) {
		x, y = y, x
		name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}[name]
	}
	if x.Op == logical.OpCast && x.Type.Kind == value.Real {
		x = x.Args[0]
	}
	most, ok := numberOf(y)
	if !ok || x.Op != logical.OpColumn {
		return 0, false
	}
	i := slices.Index(w.Outs, x.Column)
	if i < 0 || w.Calls[i].Call.Kind == fn.DenseRank {
		return 0, false
	}
	switch name {
	case "<=", "=":
		return math.Floor(most), true
	case "<":
		return math.Ceil(most) - 1, true
	}
	return 0, false
}
