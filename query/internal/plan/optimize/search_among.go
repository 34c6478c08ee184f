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
	among := &logical.Scan{Table: scan.Table, Cols: scan.Cols, Filters: before, Lookup: scan.Lookup, Rows: scan.Rows}
	in, err := rangeSearch(f, among)
	if err == nil {
		in, err = searchAmong(f, in)
	}
	if len(after) > 0 && among.Search == nil {
		// What fails for rows that the bounds of the score leave out does not fail.
		for _, c := range before {
			if mayFail(c) {
				among.Lenient, scan.Search.Again = true, append(scan.Search.Again, c)
			}
		}
	}
	scan.Search.Among, scan.Filters, scan.Lookup = in, after, nil
	return scan, err
}

// mayFail reports whether evaluating a condition may be an error for some rows. It knows the
// forms that most conditions have; of others it says so.
func mayFail(c *logical.Expr) bool {
	fails := false
	c.Walk(func(x *logical.Expr) bool {
		switch x.Op {
		case logical.OpColumn, logical.OpConst, logical.OpSlot, logical.OpAnd, logical.OpOr, logical.OpIn, logical.OpWords:
		case logical.OpCall:
			switch x.Call.Func.Name {
			case "=", "<>", "<", "<=", ">", ">=", "not", "is null", "is not null", "like", "ilike":
			default:
				fails = true
			}
		default:
			fails = true
		}
		return !fails
	})
	return fails && !c.Costly()
}
