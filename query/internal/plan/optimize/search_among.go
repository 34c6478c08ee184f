package optimize

import (
	"slices"

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
	// A row that is left out by its key is found and dropped, rather than all others looked up.
	if s := scan.Search; s.Ranked && s.Count > 0 && !s.Worst && !s.Ties && s.Recall == 0 && s.Time == nil && scan.Lookup == nil && s.Score.Op == logical.OpScore && len(after) == 0 &&
		len(before) > 0 && len(before) <= 8 && !slices.ContainsFunc(before, func(c *logical.Expr) bool { return !otherThan(scan, c) }) {
		count := s.Count
		s.Top = false // of the rows found some are dropped
		s.Count, s.Again, scan.Filters = count+int64(len(before)), before, nil
		return &logical.Limit{In: scan, Count: count}, nil
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

// otherThan reports whether a condition leaves out the row with one primary key.
func otherThan(scan *logical.Scan, c *logical.Expr) bool {
	key := scan.Table.Def().PrimaryKey
	if key < 0 || c.Op != logical.OpCall || c.Call.Func.Name != "<>" || len(c.Args) != 2 {
		return false
	}
	x, y := c.Args[0], c.Args[1]
	if logical.Fixed(x) {
		x, y = y, x
	}
	return x.Op == logical.OpColumn && logical.Fixed(y) && slices.Contains(scan.Cols, x.Column) && x.Column.Ord == key
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
