package build

import (
	"maps"

	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// nullTested returns the columns of a scan of which its conditions, or what is wanted of
// it, ask whether they are NULL: that is known without reading their values.
func nullTested(n *logical.Scan, want []*logical.Expr) map[*logical.Column]bool {
	set := map[*logical.Column]bool{}
	for _, e := range concat(n.Filters, want) {
		e.Walk(func(x *logical.Expr) bool {
			if c, _ := logical.NullTest(x); c != nil {
				set[c] = true
			}
			return true
		})
	}
	return set
}

// valuesOf returns the columns whose values expressions need: not only whether they are NULL.
func valuesOf(es ...*logical.Expr) map[*logical.Column]bool {
	set := map[*logical.Column]bool{}
	for _, e := range es {
		e.Walk(func(x *logical.Expr) bool {
			if x.Op == logical.OpColumn {
				set[x.Column] = true
			}
			c, _ := logical.NullTest(x)
			return c == nil
		})
	}
	return set
}

// addNulls gives the columns of the table of which only it is read what is NULL their places
// in the layout, and returns their positions in the table.
func addNulls(n *logical.Scan, cols map[*logical.Column]bool, l *compile.Layout) []int {
	if len(cols) == 0 {
		return nil
	}
	l.Nulls = map[*logical.Column]*logical.Column{}
	out := tableColumns(n, cols)
	for _, c := range out {
		is := &logical.Column{Name: c.Name + " IS NULL", Type: logical.BoolType}
		l.Nulls[c] = is
		*l = l.With(is)
	}
	return ordsOf(out)
}

// nulls are what a join's batches say of columns whose values they lack: that of both sides. A
// row without a partner has NULL for all that is of the right one.
func nulls(left, right compile.Layout, outer bool) (all map[*logical.Column]*logical.Column, partners map[*logical.Column]bool) {
	if len(left.Nulls)+len(right.Nulls) == 0 {
		return nil, nil
	}
	all, partners = map[*logical.Column]*logical.Column{}, map[*logical.Column]bool{}
	maps.Copy(all, left.Nulls)
	maps.Copy(all, right.Nulls)
	maps.Copy(partners, left.Partners)
	maps.Copy(partners, right.Partners)
	if outer {
		for _, is := range right.Nulls {
			partners[is] = true
		}
	}
	return all, partners
}
