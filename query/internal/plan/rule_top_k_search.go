package plan

// topKSearch turns Sort + Limit by a score of a scan into a search.
func topKSearch(f *facts, n node) (node, error) {
	s, ok := n.(*sortNode)
	if !ok || s.count < 0 || len(s.on) > 0 || len(s.keys) == 0 || s.keys[0].order.NullsFirst {
		return n, nil
	}
	scan, ok := s.in.(*scanNode)
	e := s.keys[0].expr
	if !ok || scan.search != nil || !searchable(scan, e) {
		return n, nil
	}
	worst := e.measure.HigherIsBetter() != s.keys[0].order.Desc
	if worst && e.measure.FromOne {
		for _, f := range scan.filters {
			if _, ok := threshold(f, e.key()); ok {
				return n, nil // the bound would not be exact
			}
		}
	}
	if len(s.keys) > 1 {
		if worst || s.count+s.offset > fetchFirst {
			return n, nil
		}
		scan.search = &search{score: e, count: s.count + s.offset, ranked: true, nulls: true, ties: true, text: s.keys[0].text}
		return s, nil
	}
	scan.search = &search{score: e, count: s.count + s.offset, worst: worst, ranked: true, nulls: true, text: s.keys[0].text}
	if s.offset > 0 {
		return &limitNode{scan, s.count, s.offset}, nil
	}
	return scan, nil
}
