package optimize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
)

// orderByIndex takes the first rows of an order from an index whose columns begin with those of
// the order, or with columns that equal one value and then those. No condition may leave out any
// but those, and bounds of the first column of the order. The rows are sorted still.
func orderByIndex(f *Facts, n logical.Node) (logical.Node, error) {
	s, ok := n.(*logical.Sort)
	if !ok || s.Count < 0 || len(s.On) > 0 || len(s.Keys) == 0 {
		return n, nil
	}
	scan, ok := s.In.(*logical.Scan)
	if !ok || scan.Search != nil || scan.Lookup != nil && (scan.Lookup.Match != nil || scan.Lookup.Fusion != nil || scan.Lookup.First > 0) {
		return n, nil
	}
	want := s.Count + s.Offset
	if want == 0 || want > logical.FetchFirst || float64(want) > 0.1*float64(scan.Table.Rows()) {
		return n, nil
	}
	if l := scan.Lookup; l != nil && l.Keys != nil && f.rows(scan) <= max(fewRows, float64(2*want)) {
		return n, nil // there are few rows to sort
	}
	def := scan.Table.Def()
	var best *logical.Lookup
	matched := -1
	offer := func(index *storage.IndexDef, ords []int) {
		l, m := orderFrom(s, scan, index, ords)
		if l != nil && m > matched && f.ties(scan, l) <= max(1000, 0.02*float64(scan.Table.Rows())) {
			best, matched = l, m
		}
	}
	if def.PrimaryKey >= 0 {
		offer(nil, []int{def.PrimaryKey})
	}
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if !x.Ordered() {
			continue
		}
		ords := make([]int, len(x.Columns))
		for k, id := range x.Columns {
			ords[k] = def.ColumnID(id)
		}
		offer(x, ords)
	}
	if best != nil {
		best.First = int(want)
		scan.Lookup, scan.Rows = best, float64(want)
	}
	return n, nil
}

// ties estimates how many rows equal the last one that a look-up takes from an index.
func (f *Facts) ties(scan *logical.Scan, l *logical.Lookup) float64 {
	if l.Ties == nil {
		return 0
	}
	rows := float64(scan.Table.Rows())
	for _, ord := range l.Ties {
		if st, ok := f.stats(scan, scan.Cols[ord]); ok && st.Distinct > 0 {
			rows /= float64(st.Distinct)
		}
	}
	return rows
}

// orderFrom returns how an index with these columns gives the first rows of a sort, nil if it
// does not, and how many of the sort's keys it knows.
func orderFrom(s *logical.Sort, scan *logical.Scan, index *storage.IndexDef, ords []int) (*logical.Lookup, int) {
	def := scan.Table.Def()
	l := &logical.Lookup{Index: index, Last: s.Keys[0].Order.Desc}
	var what []string
	left := slices.Clone(scan.Filters)
	take := func(ord int, of func(r restriction) bool) (taken []restriction) {
		left = slices.DeleteFunc(left, func(x *logical.Expr) bool {
			r, ok := restrictionOf(x, scan.Cols[ord])
			if ok = ok && of(r); ok {
				taken = append(taken, r)
			}
			return ok
		})
		return taken
	}
	// Columns that equal one value.
	at := 0
	for ; at < len(ords) && index != nil; at++ {
		if e := s.Keys[0].Expr; e.Op == logical.OpColumn && e.Column == scan.Cols[ords[at]] {
			break
		}
		eq := take(ords[at], func(r restriction) bool { return len(r.keys) == 1 && r.met != nil })
		if len(eq) == 0 {
			return nil, 0
		}
		l.Eq = append(l.Eq, eq[0].keys[0])
		what = append(what, eq[0].text)
		if len(eq) > 1 {
			return nil, 0
		}
	}
	if at == len(ords) {
		return nil, 0
	}
	l.Ord = ords[at]
	var names []string
	m := 0
	for ; m < len(s.Keys) && at+m < len(ords); m++ {
		k := s.Keys[m]
		ord := ords[at+m]
		if k.Expr.Op != logical.OpColumn || k.Expr.Column != scan.Cols[ord] || k.Order.Desc != l.Last {
			break
		}
		if m == 0 {
			for _, r := range take(ord, func(r restriction) bool { return r.keys == nil && r.bound.Op != "like" }) { // LIKE may ask for more than how a text begins
				l.Bounds = append(l.Bounds, r.bound)
				what = append(what, r.text)
			}
		}
		bounded := m == 0 && len(l.Bounds) > 0 // there are no NULLs
		if k.Order.Desc != k.Order.NullsFirst && !def.Columns[ord].NotNull && ord != def.PrimaryKey && !bounded {
			break // the index has its NULLs at the other end
		}
		names = append(names, k.Text)
	}
	if m == 0 || len(left) > 0 {
		return nil, 0
	}
	// Rows that are equal as far as the index knows are all needed, unless it has them in the
	// order of the table.
	if !(index == nil || m == len(s.Keys) && at+m == len(ords) && !l.Last) {
		l.Ties = slices.Clone(ords[at : at+m])
	}
	l.Text = strings.Join(append(what, fmt.Sprintf("first %d by %s", s.Count+s.Offset, strings.Join(names, ", "))), ", ")
	return l, m
}
