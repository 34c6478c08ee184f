package optimize

import (
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// searchAmong gives a search the rows it is among: the conditions of its scan, but for the
// bounds of the score itself, and the look-up become the scan it takes its candidates from.
func searchAmong(f *Facts, n logical.Node) (logical.Node, error) {
	scan, ok := n.(*logical.Scan)
	if !ok || scan.Search == nil || scan.Search.Among != nil {
		return n, nil
	}
	key := scan.Search.Score.Key()
	var before, after []*logical.Expr
	for _, c := range scan.Filters {
		if _, ok := threshold(c, key); ok {
			after = append(after, c)
		} else {
			before = append(before, c)
		}
	}
	if len(before) == 0 && scan.Lookup == nil {
		return scan, nil
	}
	// One of them may be a search, too.
	in, err := rangeSearch(f, &logical.Scan{Table: scan.Table, Cols: scan.Cols, Filters: before, Lookup: scan.Lookup, Rows: scan.Rows})
	if err == nil {
		in, err = searchAmong(f, in)
	}
	scan.Search.Among, scan.Filters, scan.Lookup = in, after, nil
	return scan, err
}
