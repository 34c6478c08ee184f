package exec

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/lupadb/lupa/storage"
)

// rankUnknown is the rank of a row that is not among the best by a term.
const rankUnknown = -1

// ranked is a row with its ranks by all terms: 0 where it has none.
type ranked struct {
	row         uint64
	first, last []int // bounds of the ranks; last is rankUnknown where only the bound of the list is known
	settled     bool  // the bounds say enough
}

// rankList is the best rows by a term.
type rankList struct {
	rank    map[uint64]int
	outside float64 // what a rank of another row is worth at most
	least   int     // which is at least this
}

// good is a value by which higher is better.
func (t *term) good(v float64) float64 {
	if t.Low {
		return -v
	}
	return v
}

// ranks reports whether an exact value has a rank.
func (t *term) ranks(v float64) bool { return v == v && !(t.has && v == 0) }

// list finds the n best rows by a term.
func (r *fusing) list(ctx context.Context, t *term, n int) (*rankList, error) {
	var rows []uint64
	var values []float64
	if t.exact == nil {
		opts := t.opts
		opts.K = n
		found, _, err := r.t.Nearest(ctx, opts)
		if err != nil {
			return nil, err
		}
		for _, x := range found {
			if t.FromOne {
				x.Score = 1 - x.Score
			}
			rows, values = append(rows, x.Row), append(values, x.Score)
		}
	} else {
		b := newBest(n)
		for row, v := range t.exact {
			if r.there[row] && t.ranks(v) {
				b.offer(uint64(row), t.good(v))
			}
		}
		for _, row := range b.rows() {
			rows, values = append(rows, row), append(values, t.exact[row])
		}
	}
	l := &rankList{rank: make(map[uint64]int, len(rows))}
	for i, row := range rows {
		if i == 0 || values[i] != values[i-1] {
			l.least = i + 1
		}
		l.rank[row] = l.least
	}
	if len(rows) == n {
		l.outside = Reciprocal(r.K, l.least)
	} else {
		l.least = 0 // there are no others
	}
	return l, nil
}

// worth returns what the ranks of a row are worth at least and at most.
func (r *fusing) worth(x *ranked, lists []*rankList) (least, most float64) {
	for i := range x.first {
		switch {
		case x.last[i] == rankUnknown:
			most += lists[i].outside
		case x.first[i] > 0:
			least += Reciprocal(r.K, x.last[i])
			most += Reciprocal(r.K, x.first[i])
		}
	}
	return least, most
}

// keep leaves those rows that can be among the best, and returns what these are worth at least.
func (r *fusing) keep(all []*ranked, lists []*rankList) ([]*ranked, float64) {
	leasts := make([]float64, len(all))
	for i, x := range all {
		leasts[i], _ = r.worth(x, lists)
	}
	if len(all) < r.Count {
		return all, 0
	}
	slices.Sort(leasts)
	least := leasts[len(leasts)-r.Count]
	return slices.DeleteFunc(all, func(x *ranked) bool {
		_, most := r.worth(x, lists)
		return most < least
	}), least
}

// ranked finds the rows whose ranks are worth most. A row that is in no list of the best is
// worth less than those that are in one; of these the ranks are counted as far as it matters.
func (r *fusing) ranked(ctx context.Context) (*storage.RowSet, error) {
	var lists []*rankList
	var all []*ranked
	least := 0.0
	// Lists that share no row are long enough with this.
	for n := r.Count + int(float64(len(r.terms)-1)*min(r.K, 1e6)) + 1; ; n *= 4 {
		if uint64(n) > max(r.rows/4, 4096) {
			return nil, errTooMany
		}
		lists = lists[:0]
		outside := 0.0
		seen := map[uint64]*ranked{}
		all = all[:0]
		for _, t := range r.terms {
			l, err := r.list(ctx, t, n)
			if err != nil {
				return nil, err
			}
			lists = append(lists, l)
			outside += l.outside
			for row := range l.rank {
				if seen[row] == nil {
					seen[row] = &ranked{row: row, first: make([]int, len(r.terms)), last: make([]int, len(r.terms))}
					all = append(all, seen[row])
				}
			}
		}
		for _, x := range all {
			for i, l := range lists {
				x.first[i], x.last[i] = l.rank[x.row], l.rank[x.row]
				if x.first[i] == 0 && l.outside > 0 {
					x.first[i], x.last[i] = l.least, rankUnknown
				}
			}
		}
		if all, least = r.keep(all, lists); least > outside {
			break
		}
		if outside == 0 { // fewer rows have a rank than are wanted
			return nil, errTooMany
		}
	}
	// Ranks beyond the lists are counted.
	slices.SortFunc(all, func(a, b *ranked) int { return int(int64(a.row) - int64(b.row)) })
	values := make([]map[uint64]float64, len(r.terms))
	for i, t := range r.terms {
		var rows []uint64
		for _, x := range all {
			if x.last[i] == rankUnknown {
				rows = append(rows, x.row)
			}
		}
		v, err := r.values(ctx, t, rows)
		if err != nil {
			return nil, err
		}
		values[i] = map[uint64]float64{}
		for k, row := range rows {
			values[i][row] = v[k]
		}
	}
	// bound counts the ranks that are not known exactly, by the bounds at hand.
	bound := func() {
		for i, t := range r.terms {
			var taus []float64
			for _, x := range all {
				if x.last[i] == rankUnknown || x.first[i] != x.last[i] {
					if v := values[i][x.row]; !t.ranks(v) {
						x.first[i], x.last[i] = 0, 0
					} else {
						taus = append(taus, t.good(v))
					}
				}
			}
			if len(taus) == 0 {
				continue
			}
			slices.Sort(taus)
			taus = slices.Compact(taus)
			surely, maybe := r.count(t, taus)
			for _, x := range all {
				if x.last[i] == rankUnknown || x.first[i] != x.last[i] {
					k, _ := slices.BinarySearch(taus, t.good(values[i][x.row]))
					x.first[i], x.last[i] = 1+surely[k], 1+maybe[k]
				}
			}
		}
	}
	bound()
	all, _ = r.keep(all, lists)
	// What is left of them is counted exactly, as far as it is asked for.
	for i, t := range r.terms {
		if t.bounds == nil {
			continue
		}
		for _, refine := range []bool{true, false} {
			if r.settle(all, lists); r.Loose && !refine {
				all, _ = r.keep(all, lists)
				r.settle(all, lists)
			}
			var taus []float64
			for _, x := range all {
				if x.first[i] != x.last[i] && !x.settled {
					taus = append(taus, t.good(values[i][x.row]))
				}
			}
			if len(taus) == 0 {
				break
			}
			slices.Sort(taus)
			taus = slices.Compact(taus)
			open := r.open(t, taus)
			if refine {
				if len(open) > int(r.rows/4) {
					continue // scoring them takes as long
				}
				if err := t.bounds.Refine(ctx, open); err != nil {
					return nil, err
				}
				bound()
				all, _ = r.keep(all, lists)
				continue
			}
			better, err := r.better(ctx, t, open, taus)
			if err != nil {
				return nil, err
			}
			for _, x := range all {
				if x.first[i] != x.last[i] && !x.settled {
					k, _ := slices.BinarySearch(taus, t.good(values[i][x.row]))
					x.first[i], x.last[i] = 1+better[k], 1+better[k]
				}
			}
		}
	}
	all, least = r.keep(all, lists)
	if len(all) < r.Count {
		return nil, errTooMany
	}
	set := new(storage.RowSet)
	for _, x := range all {
		sum, _ := r.worth(x, lists)
		r.sums[x.row] = sum
		set.Add(x.row)
	}
	r.least = least
	return set, nil
}

// settle finds the rows of which no more has to be known: where only the order is asked for,
// those whose bounds share nothing with those of another row.
func (r *fusing) settle(all []*ranked, lists []*rankList) {
	if !r.Loose || len(all) > 2000 {
		return
	}
	for i, x := range all {
		least, most := r.worth(x, lists)
		x.settled = true
		for k, y := range all {
			if l, m := r.worth(y, lists); i != k && m >= least && most >= l {
				x.settled = false
				break
			}
		}
	}
}

// better returns how many rows are better than each of taus, which ascend; those of open have
// bounds that don't say it.
func (r *fusing) better(ctx context.Context, t *term, open []uint64, taus []float64) ([]int, error) {
	set := storage.RowsOf(open)
	var counts []int
	if t.FromOne || t.Low {
		v, err := r.values(ctx, t, open)
		if err != nil {
			return nil, err
		}
		counts = make([]int, len(taus))
		for k, tau := range taus {
			for _, x := range v {
				if x == x && t.good(x) > tau {
					counts[k]++
				}
			}
		}
	} else {
		opts := t.opts
		opts.Filter, opts.K, opts.Above, opts.Min = set, -1, taus, &storage.ScoreBound{Score: taus[0], Open: true}
		_, st, err := r.t.Nearest(ctx, opts)
		if err != nil {
			return nil, err
		}
		r.second += st.Scored
		for _, n := range st.Above {
			counts = append(counts, int(n))
		}
	}
	inf := float32(math.Inf(-1))
	for _, row := range open { // they are counted already
		t.bounds.Lower[row], t.bounds.Upper[row] = inf, inf
	}
	surely, _ := r.count(t, taus)
	for k, n := range surely {
		counts[k] += n
	}
	return counts, nil
}

// parts is how many parts the rows are counted in at the same time.
const parts = 8

// eachPart calls f for parts of all rows.
func (r *fusing) eachPart(f func(part, from, to int)) {
	n := len(r.there)
	var wait sync.WaitGroup
	for p := range parts {
		wait.Go(func() { f(p, p*n/parts, (p+1)*n/parts) })
	}
	wait.Wait()
}

// goods are the bounds of a row's value, higher being better; ok is false without one.
func (r *fusing) goods(t *term, row int) (low, high float64, ok bool) {
	if !r.there[row] {
		return 0, 0, false
	}
	if t.exact != nil {
		v := t.exact[row]
		return t.good(v), t.good(v), t.ranks(v)
	}
	if math.IsInf(float64(t.bounds.Upper[row]), -1) {
		return 0, 0, false
	}
	if low, high = t.low(row), t.high(row); t.Low {
		low, high = -high, -low
	}
	return low, high, true
}

// count returns how many rows are surely, and how many may be, better than each of taus, which
// ascend.
func (r *fusing) count(t *term, taus []float64) (surely, maybe []int) {
	var counts [parts][2][]int
	r.eachPart(func(p, from, to int) {
		c := &counts[p]
		c[0], c[1] = make([]int, len(taus)+1), make([]int, len(taus)+1)
		for row := from; row < to; row++ {
			low, high, ok := r.goods(t, row)
			if !ok || high <= taus[0] {
				continue
			}
			k, _ := slices.BinarySearch(taus, high)
			c[1][k]++ // better than the first k, maybe
			if low != high {
				k, _ = slices.BinarySearch(taus, low)
			}
			c[0][k]++
		}
	})
	sum := func(which int) []int {
		out := make([]int, len(taus))
		n := 0
		for k := len(taus) - 1; k >= 0; k-- {
			for p := range parts {
				n += counts[p][which][k+1]
			}
			out[k] = n
		}
		return out
	}
	return sum(0), sum(1)
}

// open are the rows whose bounds don't say on which side of one of taus they are, ascending.
func (r *fusing) open(t *term, taus []float64) []uint64 {
	var found [parts][]uint64
	r.eachPart(func(p, from, to int) {
		for row := from; row < to; row++ {
			low, high, ok := r.goods(t, row)
			if !ok || high <= taus[0] {
				continue
			}
			if k, _ := slices.BinarySearch(taus, low); k < len(taus) && taus[k] < high {
				found[p] = append(found[p], uint64(row))
			}
		}
	})
	return slices.Concat(found[:]...)
}
