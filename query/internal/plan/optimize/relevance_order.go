package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// orderOfRelevance orders by similarity where the relevance is asked for, which comes to the same,
// but that rows of which the relevance is equal when rounded stand in the order of their similarity.
func orderOfRelevance(_ *Facts, n logical.Node) (logical.Node, error) {
	switch n := n.(type) {
	case *logical.Sort:
		if len(n.On) == 0 {
			n.Keys = bySimilarity(n.Keys)
		}
	case *logical.Window:
		for _, c := range n.Calls {
			if c.Frame.Unit == parse.FrameRange && (c.Frame.Start != nil || c.Frame.End != nil) {
				return n, nil // distances are those of relevances
			}
		}
		n.Order = bySimilarity(n.Order)
	}
	return n, nil
}

func bySimilarity(keys []logical.SortKey) []logical.SortKey {
	for i, k := range keys {
		if score := scoreOf(k.Expr); score != nil && score != k.Expr {
			keys = slices.Clone(keys)
			keys[i].Expr = score
		}
	}
	return keys
}
