package optimize

import (
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// estimate guesses how many rows a node gives.
func estimate(n logical.Node) float64 {
	switch n := n.(type) {
	case *logical.Scan:
		rows := n.Rows
		if n.Lookup == nil {
			for range n.Filters {
				rows = float64(rows * 0.3)
			}
		}
		if n.Search != nil && n.Search.Count >= 0 {
			rows = min(rows, float64(n.Search.Count))
		}
		return rows
	case *logical.Filter:
		return float64(0.3 * estimate(n.In))
	case *logical.Join:
		return max(estimate(n.Left), estimate(n.Right))
	case *logical.Apply:
		return float64(10 * estimate(n.Left))
	case *logical.Group:
		if len(n.Keys) == 0 {
			return 1
		}
		return float64(0.1 * estimate(n.In))
	case *logical.Sort:
		if n.Count >= 0 {
			return min(float64(n.Count), estimate(n.In))
		}
		return estimate(n.In)
	case *logical.Limit:
		if n.Count >= 0 {
			return min(float64(n.Count), estimate(n.In))
		}
		return estimate(n.In)
	case *logical.Union:
		sum := 0.0
		for _, in := range n.Ins {
			sum += estimate(in)
		}
		return sum
	case *logical.Values:
		return float64(len(n.Rows))
	case *logical.Metadata:
		return 1
	case *logical.Source:
		return n.Rows
	}
	if ins := n.Inputs(); len(ins) == 1 {
		return estimate(*ins[0])
	}
	return 1000
}
