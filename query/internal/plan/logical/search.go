package logical

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// SearchKey is equal for plans that are one search each, which one pass over the vectors can
// do together: of one column by one metric, among the same rows as far as that is seen from
// the plans. It is empty for other plans.
func SearchKey(n Node) string {
	for {
		if s, ok := n.(*Scan); ok {
			if s.Search == nil || s.Search.Ties || s.Search.Time != nil {
				return ""
			}
			among, _ := s.Search.AmongKey()
			if s.Search.Among != nil && among == "" {
				return ""
			}
			x := s.Search.Score
			return fmt.Sprintf("%d.%d by %v, %v, %v, among %s", s.Table.Def().ID, x.Args[0].Column.Ord, x.Measure.Metric, s.Search.Worst, s.Search.Recall, among)
		}
		in := n.Inputs()
		if len(in) != 1 {
			return ""
		}
		n = *in[0]
	}
}

// conditionsOf are those that the rows of a scan pass.
func conditionsOf(n Node, out []*Expr) []*Expr {
	if s, ok := n.(*Scan); ok {
		out = append(out, s.Filters...)
	}
	for _, in := range n.Inputs() {
		out = conditionsOf(*in, out)
	}
	return out
}

// AmongKey is equal for searches of a table that are among the same rows, in runs whose
// slots of these numbers have equal values; "" for all rows, and where that is not certain.
func (s *Search) AmongKey() (_ string, slots []int) {
	var key strings.Builder
	if s.Among == nil {
		return "", nil
	}
	for _, e := range conditionsOf(s.Among, nil) {
		if e.Unstable() || e.Costly() {
			return "", nil
		}
		sets := false
		e.Walk(func(x *Expr) bool {
			sets = sets || x.Op == OpIn && len(x.Args) == 1 // of a subquery
			if x.Op == OpSlot {
				slots = append(slots, x.Slot.N)
			}
			return true
		})
		if sets {
			return "", nil
		}
		named := e.Rewrite(func(x *Expr) *Expr {
			if x.Op == OpColumn {
				return Constant(value.Str("column "+x.Column.Name), x.Pos, "")
			}
			return nil
		})
		key.WriteString(named.Key() + "\n")
	}
	if scan, ok := s.Among.(*Scan); ok && scan.Lenient {
		key.WriteString("lenient")
	}
	return key.String(), slots
}

// AmongWithin reports whether the rows that a search is among may differ from one run of a block
// to the next.
func (s *Search) AmongWithin(k *Block) bool {
	if s.Among == nil {
		return false
	}
	if key, _ := s.AmongKey(); key == "" {
		return true
	}
	within := false
	for _, e := range conditionsOf(s.Among, nil) {
		e.Walk(func(x *Expr) bool {
			same := func(s *Slot) bool { return s.N == x.Slot.N }
			within = within || x.Op == OpSlot && (slices.ContainsFunc(k.Steps, same) || slices.ContainsFunc(k.Outer, same))
			return true
		})
	}
	return within
}
