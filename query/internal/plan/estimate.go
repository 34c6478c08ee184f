package plan

// estimate guesses how many rows a node gives.
func estimate(n node) float64 {
	switch n := n.(type) {
	case *scanNode:
		rows := n.rows
		if n.lookup == nil {
			for range n.filters {
				rows = float64(rows * 0.3)
			}
		}
		if n.search != nil && n.search.count >= 0 {
			rows = min(rows, float64(n.search.count))
		}
		return rows
	case *filterNode:
		return float64(0.3 * estimate(n.in))
	case *joinNode:
		return max(estimate(n.l), estimate(n.r))
	case *aggNode:
		if len(n.keys) == 0 {
			return 1
		}
		return float64(0.1 * estimate(n.in))
	case *sortNode:
		if n.count >= 0 {
			return min(float64(n.count), estimate(n.in))
		}
		return estimate(n.in)
	case *limitNode:
		if n.count >= 0 {
			return min(float64(n.count), estimate(n.in))
		}
		return estimate(n.in)
	case *unionNode:
		sum := 0.0
		for _, in := range n.ins {
			sum += estimate(in)
		}
		return sum
	case *valuesNode:
		return float64(len(n.rows))
	case *metadataNode:
		return 1
	case *sourceNode:
		return n.rows
	}
	if ins := n.inputs(); len(ins) == 1 {
		return estimate(*ins[0])
	}
	return 1000
}
