package plan

// searchAmong gives a search the rows it is among: the conditions of its scan, but for the
// bounds of the score itself, and the look-up become the scan it takes its candidates from.
func searchAmong(f *facts, n node) (node, error) {
	scan, ok := n.(*scanNode)
	if !ok || scan.search == nil || scan.search.among != nil {
		return n, nil
	}
	key := scan.search.score.key()
	var before, after []*expr
	for _, c := range scan.filters {
		if _, ok := threshold(c, key); ok {
			after = append(after, c)
		} else {
			before = append(before, c)
		}
	}
	if len(before) == 0 && scan.lookup == nil {
		return scan, nil
	}
	// One of them may be a search, too.
	in, err := rangeSearch(f, &scanNode{table: scan.table, cols: scan.cols, filters: before, lookup: scan.lookup, rows: scan.rows})
	if err == nil {
		in, err = searchAmong(f, in)
	}
	scan.search.among, scan.filters, scan.lookup = in, after, nil
	return scan, err
}
