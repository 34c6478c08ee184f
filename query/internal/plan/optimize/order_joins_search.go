package optimize

import (
	"math/bits"
	"slices"
)

// best is the best order of all inputs, nil where none was found.
func (o *joinOrder) best() *joined {
	var parts []*joined
	all := inputs(1)<<len(o.leaves) - 1
	if len(o.leaves) == mostInputs {
		all = ^inputs(0)
	}
	for rest := all; rest != 0; {
		part := rest & -rest
		for grown := true; grown; {
			grown = false
			for s := part; s != 0; s &= s - 1 {
				if n := o.near[bits.TrailingZeros64(uint64(s))]; !part.has(n) {
					part |= n
					grown = true
				}
			}
		}
		rest &^= part
		var j *joined
		if bits.OnesCount64(uint64(part)) <= dynamicMost {
			j = o.dynamic(part)
		}
		if j != nil {
			parts = append(parts, j)
			continue
		}
		var ones []*joined
		for s := part; s != 0; s &= s - 1 {
			ones = append(ones, o.one(s&-s))
		}
		parts = append(parts, o.greedy(ones))
	}
	return o.greedy(parts)
}

// dynamic finds the best order of a set of inputs, that of all its parts first; nil if it is
// not connected throughout.
func (o *joinOrder) dynamic(all inputs) *joined {
	best := map[inputs]*joined{}
	for s := all; s != 0; s &= s - 1 {
		best[s&-s] = o.one(s & -s)
	}
	// The subsets in ascending order: those of a set come before it.
	for set := all & -all; ; set = (set - all) & all {
		if bits.OnesCount64(uint64(set)) >= 2 {
			first := set & -set
			rest := set &^ first
			for sub := (rest - 1) & rest; ; sub = (sub - 1) & rest {
				l, r := best[sub|first], best[rest&^sub]
				if l != nil && r != nil && o.connected(l.set, r.set) {
					j := o.join(l, r)
					if have := best[set]; have == nil || j.cost < have.cost {
						best[set] = j
						o.made[set] = j
					}
				}
				if sub == 0 {
					break
				}
			}
		}
		if set == all {
			return best[all]
		}
	}
}

// greedy joins the two of ways that give the fewest rows, until one is left. Those that are not
// connected come last.
func (o *joinOrder) greedy(ways []*joined) *joined {
	type pair struct{ l, r *joined }
	pairs := map[pair]*joined{}
	try := func(l, r *joined) {
		if o.connected(l.set, r.set) {
			pairs[pair{l, r}] = o.join(l, r)
		}
	}
	for i, l := range ways {
		for _, r := range ways[i+1:] {
			try(l, r)
		}
	}
	for len(ways) > 1 {
		var best *joined
		var at pair
		for i, l := range ways {
			for _, r := range ways[i+1:] {
				if j := pairs[pair{l, r}]; j != nil && (best == nil || j.rows < best.rows || j.rows == best.rows && j.cost < best.cost) {
					best, at = j, pair{l, r}
				}
			}
		}
		if best == nil {
			// The smallest ones are multiplied first.
			slices.SortStableFunc(ways, func(x, y *joined) int {
				switch {
				case x.rows < y.rows:
					return -1
				case x.rows > y.rows:
					return 1
				}
				return 0
			})
			at = pair{ways[0], ways[1]}
			best = o.join(at.l, at.r)
		}
		ways = slices.DeleteFunc(ways, func(w *joined) bool { return w == at.l || w == at.r })
		for _, w := range ways {
			try(w, best)
		}
		ways = append(ways, best)
	}
	return ways[0]
}
