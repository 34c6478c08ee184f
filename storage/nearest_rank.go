package storage

import (
	"container/heap"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// ranking collects the answer of one search from several workers. Goodness is
// the score, or its negative where lower scores come first; among equals the
// lower row number comes first, so the answer does not depend on the order in
// which rows are offered.
type ranking struct {
	sign     float64 // goodness = sign * score
	limit    int     // rows wanted; < 0 = all
	min, max *ScoreBound

	cut atomic.Uint64 // bits of the least goodness that may still get in

	above []float64 // see NearestOptions
	plus  *RowScores
	slack float64 // of the sums with plus

	mu    sync.Mutex
	steps []uint64   // rows by how many of above their score is higher than
	rows  []Neighbor // a heap, last one first, when limit >= 0
	near  []Neighbor // with plus: those that are within slack of the last one
}

func newRanking(o *NearestOptions) *ranking {
	r := &ranking{sign: -1, limit: o.K, min: o.Min, max: o.Max, plus: o.Plus, slack: o.PlusSlack}
	if o.Query.Metric().HigherIsBetter() != o.Worst {
		r.sign = 1
	}
	if o.Margin && o.K >= 0 {
		r.limit++
	}
	if len(o.Above) > 0 {
		r.above, r.steps = o.Above, make([]uint64, len(o.Above)+1)
	}
	cut := math.Inf(-1)
	if r.sign > 0 && o.Min != nil {
		cut = o.Min.Score
	}
	if r.sign < 0 && o.Max != nil {
		cut = -o.Max.Score
	}
	r.cut.Store(math.Float64bits(cut))
	return r
}

// cutoff returns the goodness below which no row belongs to the answer.
func (r *ranking) cutoff() float64 { return math.Float64frombits(r.cut.Load()) }

// raise lifts the cut to g, unless it is there already.
func (r *ranking) raise(g float64) {
	for {
		old := r.cut.Load()
		if !(g > math.Float64frombits(old)) || r.cut.CompareAndSwap(old, math.Float64bits(g)) {
			return
		}
	}
}

// worth is what a row with this score is ranked by.
func (r *ranking) worth(row uint64, score float64) float64 {
	if r.plus == nil {
		return score
	}
	return score + r.plus.Of(row)
}

// admits reports whether a row with this score may belong to the answer.
func (r *ranking) admits(score float64) bool {
	return score*r.sign >= r.cutoff() && r.within(score)
}

func (r *ranking) within(score float64) bool {
	if r.min != nil && !(score > r.min.Score || score == r.min.Score && !r.min.Open) {
		return false
	}
	if r.max != nil && !(score < r.max.Score || score == r.max.Score && !r.max.Open) {
		return false
	}
	return score == score
}

// before reports whether a comes before b in the answer.
func (r *ranking) before(a, b Neighbor) bool {
	if x, y := float64(a.Score*r.sign), float64(b.Score*r.sign); x != y {
		return x > y
	}
	return a.Row < b.Row
}

// offer takes rows that admits has let through.
func (r *ranking) offer(rows []Neighbor) {
	if len(rows) == 0 || r.limit == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.above != nil {
		for _, n := range rows {
			k, _ := slices.BinarySearch(r.above, n.Score)
			r.steps[k]++
		}
		return
	}
	if r.limit < 0 {
		r.rows = append(r.rows, rows...)
		return
	}
	for _, n := range rows {
		switch {
		case len(r.rows) < r.limit:
			heap.Push((*lastFirst)(r), n)
		case r.before(n, r.rows[0]):
			n, r.rows[0] = r.rows[0], n
			heap.Fix((*lastFirst)(r), 0)
			r.put(n)
		default:
			r.put(n)
			continue
		}
		if len(r.rows) == r.limit {
			r.raise(float64(r.rows[0].Score*r.sign) - r.slack)
		}
	}
}

// put keeps a row that is not among the best, if it is so by too little to say.
func (r *ranking) put(n Neighbor) {
	if r.plus == nil || n.Score < r.rows[0].Score-r.slack {
		return
	}
	if r.near = append(r.near, n); len(r.near) > 1024 && len(r.near)&(len(r.near)-1) == 0 {
		r.trim()
	}
}

// trim leaves out the rows that are not near any longer.
func (r *ranking) trim() {
	r.near = slices.DeleteFunc(r.near, func(n Neighbor) bool { return n.Score < r.rows[0].Score-r.slack })
}

// sorted returns what was collected, in the order of the answer.
func (r *ranking) sorted() []Neighbor {
	if len(r.near) > 0 {
		r.trim()
		r.rows, r.near = append(r.rows, r.near...), nil
	}
	slices.SortFunc(r.rows, func(a, b Neighbor) int {
		if r.before(a, b) {
			return -1
		}
		return 1
	})
	return r.rows
}

// lastFirst is the heap of a ranking.
type lastFirst ranking

func (h *lastFirst) Len() int           { return len(h.rows) }
func (h *lastFirst) Less(i, j int) bool { return (*ranking)(h).before(h.rows[j], h.rows[i]) }
func (h *lastFirst) Swap(i, j int)      { h.rows[i], h.rows[j] = h.rows[j], h.rows[i] }
func (h *lastFirst) Push(x any)         { h.rows = append(h.rows, x.(Neighbor)) }
func (h *lastFirst) Pop() any {
	x := h.rows[len(h.rows)-1]
	h.rows = h.rows[:len(h.rows)-1]
	return x
}
