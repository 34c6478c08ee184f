package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// topKSearch turns Sort + Limit by a score of a scan into a search. What is to be given within a time has
// to be one: nothing else knows what is missing.
func topKSearch(f *Facts, n logical.Node) (logical.Node, error) {
	s, ok := n.(*logical.Sort)
	if !ok {
		return n, nil
	}
	if s.Time != nil && len(s.Keys) > 1 {
		return nil, parse.Errorf(s.Time.Pos, "WITHIN is for an order by one score; rows with the same come in the order of the table")
	}
	found, err := topK(s)
	if err != nil {
		return nil, err
	}
	scan, ok := found.(*logical.Scan)
	if l, limited := found.(*logical.Limit); limited {
		scan, ok = l.In.(*logical.Scan)
	}
	switch {
	case ok && scan.Search.Score.Op == logical.OpScore:
		scan.Search.Time, scan.Search.Top, scan.Search.Offset = s.Time, s.Top, s.Offset
	case s.Time != nil:
		return nil, logical.NoSearch(s.Time.Pos)
	}
	return found, nil
}

// topK is topKSearch without regard to a time limit.
func topK(s *logical.Sort) (n logical.Node, err error) {
	if n = s; s.Count < 0 || len(s.On) > 0 || len(s.Keys) == 0 || s.Keys[0].Order.NullsFirst {
		return n, nil
	}
	scan, ok := s.In.(*logical.Scan)
	e := s.Keys[0].Expr
	if !ok || scan.Search != nil {
		return n, nil
	}
	if len(s.Keys) == 1 && s.Keys[0].Order.Desc && logical.WordsOf(scan, e, "bm25") {
		scan.Search = &logical.Search{Score: e, Count: s.Count + s.Offset, Ranked: true, Nulls: true, Text: s.Keys[0].Text}
		if s.Offset > 0 {
			return &logical.Limit{In: scan, Count: s.Count, Offset: s.Offset}, nil
		}
		return scan, nil
	}
	if !logical.Searchable(scan, e) {
		return n, nil
	}
	worst := e.Measure.HigherIsBetter() != s.Keys[0].Order.Desc
	if worst {
		for _, f := range scan.Filters {
			exact := !e.Measure.FromOne && (f.Op != logical.OpCall || len(f.Args) != 2 || f.Args[0].Op == logical.OpScore || f.Args[1].Op == logical.OpScore)
			if _, ok := threshold(f, e.Key()); ok && !exact {
				return n, nil
			}
		}
	}
	if len(s.Keys) > 1 {
		if worst || s.Count+s.Offset > logical.FetchFirst {
			return n, nil
		}
		scan.Search = &logical.Search{Score: e, Count: s.Count + s.Offset, Ranked: true, Nulls: true, Ties: true, Text: s.Keys[0].Text}
		return s, nil
	}
	scan.Search = &logical.Search{Score: e, Count: s.Count + s.Offset, Recall: s.Recall, Worst: worst, Ranked: true, Nulls: !withScore(scan, e), Text: s.Keys[0].Text}
	if s.Offset > 0 {
		return &logical.Limit{In: scan, Count: s.Count, Offset: s.Offset}, nil
	}
	return scan, nil
}

// withScore takes the condition that there is a score out of those of a scan, and reports whether
// there was one: a search finds no other rows by itself.
func withScore(scan *logical.Scan, score *logical.Expr) bool {
	n := len(scan.Filters)
	scan.Filters = slices.DeleteFunc(slices.Clone(scan.Filters), func(c *logical.Expr) bool {
		return c.Op == logical.OpCall && c.Call.Func.Name == "is not null" && c.Args[0].Key() == score.Key()
	})
	return len(scan.Filters) < n
}
