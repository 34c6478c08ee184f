package exec

import (
	"cmp"
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
	scored      []bool    // by terms: the rank is not that of a list, and
	good        []float64 // then, the score, and
	better      []int     // how many rows were seen that are better
	first, last []int     // bounds of the ranks; last is rankUnknown where only the bound of the list is known
	open        bool      // how it stands to another one is not known
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
func (t *term) ranks(v float64) bool { return v == v && !(t.scores != nil && v == 0) }

// list finds the n best rows by a term.
func (r *fusing) list(ctx context.Context, t *term, n int) (*rankList, error) {
	var rows []uint64
	var values []float64
	if !t.known() {
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
		for k := range r.t.Blocks() {
			if t.scores != nil && b.full {
				if _, most := t.scores.Block(k); most <= b.cut {
					continue
				}
			}
			r.eachGood(t, k, b.offer)
		}
		for _, row := range b.rows() {
			rows, values = append(rows, row), append(values, t.at(int(row)))
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

// exact reports whether the rank by a term is known.
func (x *ranked) exact(i int) bool { return x.last[i] != rankUnknown && x.first[i] == x.last[i] }

// known reports whether all ranks are.
func (x *ranked) known() bool {
	for i := range x.first {
		if !x.exact(i) {
			return false
		}
	}
	return true
}

// ranking finds the rows whose ranks are worth most.
type ranking struct {
	*fusing
	lists []*rankList
	all   []*ranked // of them the answer is made
	fine  bool      // a rank that is one less is seen in the sum
	slack float64   // of sums
}

// ranked finds the rows whose ranks are worth most. A row that is in no list of the best is worth
// less than those that are in one. Of these the ranks beyond the lists are counted as far as it
// matters: what has to be known is who comes before whom. Of two rows, that with the better score has the
// better rank, whatever it is; most others are told apart by how many of some rows are better.
func (r *fusing) ranked(ctx context.Context) (*storage.RowSet, error) {
	x := &ranking{fusing: r}
	most := r.K + float64(r.rows) + 1
	x.fine = float64(most*most*float64(len(r.terms))*0x1p-50) < r.K+1
	x.slack = float64(float64(len(r.terms)) * 0x1p-50 / (r.K + 1))
	if err := x.search(ctx); err != nil {
		return nil, err
	}
	var open []*counter
	for i, t := range r.terms {
		if t.known() {
			x.tell(i)
		} else {
			open = append(open, &counter{ranking: x, term: i})
		}
	}
	x.settle()
	for progress := true; progress; {
		progress = false
		for _, c := range open {
			some := x.unknown(c.term, false)
			if len(some) == 0 || c.next == r.t.Blocks() {
				continue
			}
			if err := c.count(ctx, some, max(firstCounted, c.seen/2)); err != nil {
				return nil, err
			}
			x.settle()
			progress = true
		}
	}
	if !r.Loose {
		for _, c := range open {
			if some := x.unknown(c.term, true); len(some) > 0 {
				c.next, c.seen = 0, 0
				if err := c.count(ctx, some, math.MaxInt); err != nil {
					return nil, err
				}
			}
		}
		x.settle()
	}
	return x.answer()
}

// unknown returns the rows whose rank by a term is not known, those of which it matters or all.
func (x *ranking) unknown(term int, all bool) (some []*ranked) {
	for _, o := range x.all {
		if !o.exact(term) && (all || o.open) {
			some = append(some, o)
		}
	}
	return some
}

// knownLonger is how many times as long lists are of scores that are known.
const knownLonger = 16

// search finds the lists, long enough that no row outside of all of them gets in.
func (x *ranking) search(ctx context.Context) error {
	r := x.fusing
	// Lists that share no row are long enough with this. Those of what is known cost little, and
	// the longer they are, the shorter the others may be.
	near := 0.0
	for _, t := range r.terms {
		if !t.known() {
			near++
		}
	}
	if near--; int(near)+1 < len(r.terms) {
		near += 1.0 / 3
	}
	for n := r.Count + int(float64(near*min(r.K, 1e6))) + 1; ; n *= 4 {
		if uint64(n) > max(r.rows/4, 4096) {
			return errTooMany
		}
		x.lists, x.all = x.lists[:0], x.all[:0]
		outside := 0.0
		seen := map[uint64]*ranked{}
		for _, t := range r.terms {
			length := n
			if t.known() {
				length *= knownLonger
			}
			l, err := r.list(ctx, t, length)
			if err != nil {
				return err
			}
			x.lists = append(x.lists, l)
			outside += l.outside
			for row := range l.rank {
				if seen[row] == nil {
					seen[row] = &ranked{row: row, scored: make([]bool, len(r.terms)), good: make([]float64, len(r.terms)), better: make([]int, len(r.terms)), first: make([]int, len(r.terms)), last: make([]int, len(r.terms))}
					x.all = append(x.all, seen[row])
				}
			}
		}
		for _, o := range x.all {
			for i, l := range x.lists {
				o.first[i], o.last[i] = l.rank[o.row], l.rank[o.row]
				if o.first[i] == 0 && l.outside > 0 {
					o.first[i], o.last[i] = l.least, rankUnknown
				}
			}
		}
		if x.keep() > outside {
			break
		}
		if outside == 0 { // fewer rows have a rank than are wanted
			return errTooMany
		}
	}
	slices.SortFunc(x.all, func(a, b *ranked) int { return cmp.Compare(a.row, b.row) })
	for i, t := range r.terms {
		var rows []uint64
		var some []*ranked
		for _, o := range x.all {
			if o.last[i] == rankUnknown {
				rows, some = append(rows, o.row), append(some, o)
			}
		}
		v, err := r.values(ctx, t, rows)
		if err != nil {
			return err
		}
		for k, o := range some {
			if t.ranks(v[k]) {
				o.scored[i], o.good[i] = true, t.good(v[k])
			} else {
				o.first[i], o.last[i] = 0, 0
			}
		}
	}
	return nil
}

// keep leaves those rows that can be among the best, and returns what these are worth at least.
func (x *ranking) keep() float64 {
	leasts := make([]float64, len(x.all))
	for i, o := range x.all {
		leasts[i], _ = x.worth(o, x.lists)
	}
	if len(x.all) < x.Count {
		return 0
	}
	slices.Sort(leasts)
	least := leasts[len(leasts)-x.Count]
	x.all = slices.DeleteFunc(x.all, func(o *ranked) bool {
		_, most := x.worth(o, x.lists)
		return most < least-x.slack
	})
	return least
}

// rankPairs is the number of rows up to which each is compared with each.
const rankPairs = 1000

// relation is how a row stands to another one.
type relation uint8

const (
	untold relation = iota
	before          // it is worth more
	after
	level
)

// compare tells which of two rows is worth more.
func (x *ranking) compare(a, b *ranked) relation {
	low, high := 0.0, 0.0
	same, known := true, true
	better, worse := false, false
	up, down := true, true // a has no rank that is worse, and none that is better
	for i := range a.first {
		var least, most float64
		switch {
		case a.exact(i) && b.exact(i):
			if least = x.reciprocal(a.first[i]) - x.reciprocal(b.first[i]); a.first[i] == b.first[i] {
				least = 0
			}
			most = least
			better, worse = better || least > 0, worse || least < 0
			same = same && least == 0
		default:
			known = false
			least = x.reciprocal(a.last[i]) - x.reciprocal(b.first[i])
			most = x.reciprocal(a.first[i]) - x.reciprocal(b.last[i])
			if !a.scored[i] || !b.scored[i] {
				same = false
				better, worse = better || least > 0, worse || most < 0
				break
			}
			switch c := cmp.Compare(a.good[i], b.good[i]); {
			case c > 0:
				least, better, same = max(least, 0), true, false
			case c < 0:
				most, worse, same = min(most, 0), true, false
			default:
				least, most = 0, 0
			}
		}
		low, high = low+least, high+most
		up, down = up && least >= 0, down && most <= 0
	}
	switch {
	case known:
		s, _ := x.worth(a, x.lists)
		o, _ := x.worth(b, x.lists)
		switch {
		case s > o:
			return before
		case s < o:
			return after
		}
		return level
	case same:
		return level
	case low > x.slack, x.fine && up && better:
		return before
	case high < -x.slack, x.fine && down && worse:
		return after
	}
	return untold
}

// reciprocal is what a rank is worth, nothing for none and for the largest that there can be.
func (x *ranking) reciprocal(rank int) float64 {
	if rank <= 0 { // none, or rankUnknown
		return 0
	}
	return Reciprocal(x.K, rank)
}

// settle leaves those rows that can be among the best, and marks those of which it is not known
// how they stand to another one.
func (x *ranking) settle() {
	x.keep()
	if len(x.all) > rankPairs {
		for _, o := range x.all {
			o.open = !o.known()
		}
		return
	}
	behind := make([]int, len(x.all))
	relations := make([][]relation, len(x.all))
	for i, a := range x.all {
		a.open = false
		relations[i] = make([]relation, i)
		for k, b := range x.all[:i] {
			switch relations[i][k] = x.compare(a, b); relations[i][k] {
			case before:
				behind[k]++
			case after:
				behind[i]++
			}
		}
	}
	var left []*ranked
	for i, a := range x.all {
		if behind[i] >= x.Count {
			continue
		}
		left = append(left, a)
		for k, b := range x.all[:i] {
			if behind[k] < x.Count && relations[i][k] == untold {
				a.open, b.open = true, true
			}
		}
	}
	x.all = left
}

// taus are the scores of rows by a term, ascending.
func taus(some []*ranked, i int) []float64 {
	var out []float64
	for _, o := range some {
		out = append(out, o.good[i])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tell counts the ranks by a term whose values are known.
func (x *ranking) tell(term int) {
	some := x.unknown(term, true)
	if len(some) == 0 {
		return
	}
	taus := taus(some, term)
	better := x.tally(x.terms[term], taus)
	for _, o := range some {
		k, _ := slices.BinarySearch(taus, o.good[term])
		o.first[term], o.last[term] = 1+better[k], 1+better[k]
	}
}

// firstCounted is how many rows are looked at first.
const firstCounted = 8 * storage.BlockRows

// counter counts how many rows are better than some by a similarity, block after block.
type counter struct {
	*ranking
	term int
	next uint32 // how many blocks have been looked at
	seen int    // rows in them
	few  bool   // of them few are better than any
}

// step is how far the next block is from the last one: they are spread over the table.
func step(n uint32) uint32 {
	s := max(1, uint32(float64(float64(n)*0.618)))
	for a, b := s, n; b > 0; {
		if a, b = b, a%b; b == 0 && a > 1 { // they have a common factor
			s++
			a, b = s, n
		}
	}
	return s
}

// count looks at a number of further rows, and at all if these are all there are.
func (c *counter) count(ctx context.Context, some []*ranked, rows int) error {
	if c.next == 0 {
		for _, o := range some {
			o.better[c.term] = 0
		}
	}
	set, n := new(storage.RowSet), c.t.Blocks()
	for by := step(n); c.next < n && set.Len() < rows; c.next++ {
		c.t.AddBlock(set, uint32(uint64(c.next)*uint64(by)%uint64(n)), c.among)
	}
	taus := taus(some, c.term)
	better, seen, err := c.better(ctx, c.terms[c.term], set, taus, !c.few)
	if err != nil {
		return err
	}
	c.seen += int(seen)
	c.few = better[0] < int(seen/5)
	for _, o := range some {
		k, _ := slices.BinarySearch(taus, o.good[c.term])
		o.better[c.term] += better[k]
		o.first[c.term] = max(o.first[c.term], 1+o.better[c.term])
		o.last[c.term] = 1 + int(c.fusing.rows) - (c.seen - o.better[c.term])
		if c.next == n {
			o.first[c.term] = 1 + o.better[c.term]
			o.last[c.term] = o.first[c.term]
		}
	}
	return nil
}

// better returns how many of some rows are better than each of taus, which ascend, and how many
// there are. Most may be.
func (r *fusing) better(ctx context.Context, t *term, rows *storage.RowSet, taus []float64, most bool) (counts []int, seen uint64, err error) {
	opts := t.opts
	opts.Filter, opts.K, opts.BruteForce = rows, -1, most
	counts = make([]int, len(taus))
	if t.FromOne || t.Low {
		found, st, err := r.t.Nearest(ctx, opts)
		if err != nil {
			return nil, 0, err
		}
		r.second += st.Scored
		steps := newSteps(taus)
		for _, x := range found {
			v := x.Score
			if t.FromOne {
				v = 1 - v
			}
			for k := range steps.below(t.good(v)) {
				counts[k]++
			}
		}
		return counts, st.Rows, nil
	}
	opts.Above, opts.Min = taus, &storage.ScoreBound{Score: taus[0], Open: true}
	_, st, err := r.t.Nearest(ctx, opts)
	if err != nil {
		return nil, 0, err
	}
	r.second += st.Scored
	for k, n := range st.Above {
		counts[k] = int(n)
	}
	return counts, st.Rows, nil
}

// answer are the rows that are left. Where only their order is asked for, they get numbers in it.
func (x *ranking) answer() (*storage.RowSet, error) {
	if len(x.all) < x.Count {
		return nil, errTooMany
	}
	slices.SortFunc(x.all, func(a, b *ranked) int {
		switch x.compare(a, b) {
		case before:
			return -1
		case after:
			return 1
		}
		return cmp.Compare(a.row, b.row)
	})
	set := new(storage.RowSet)
	last := math.Inf(1)
	for i, o := range x.all {
		sum, _ := x.worth(o, x.lists)
		switch {
		case i > 0 && x.compare(x.all[i-1], o) == level:
			sum = last
		case !(sum < last):
			sum = math.Nextafter(last, math.Inf(-1))
		}
		x.sums[o.row], last = sum, sum
		set.Add(o.row)
	}
	x.least = x.sums[x.all[x.Count-1].row]
	return set, nil
}

// tally returns how many rows are better by a term whose values are known than each of taus, which
// ascend.
func (r *fusing) tally(t *term, taus []float64) []int {
	steps := newSteps(taus)
	out := make([]int, len(taus)+1)
	var mu sync.Mutex
	_ = r.eachBlocks(func(from, to int) error { // fails never
		counts := make([]int, len(taus)+1)
		for b := from; b < to; b++ {
			r.eachGood(t, uint32(b), func(_ uint64, v float64) { counts[steps.below(v)]++ })
		}
		mu.Lock()
		defer mu.Unlock()
		for k, n := range counts {
			out[k] += n
		}
		return nil
	})
	for k := len(taus) - 1; k >= 0; k-- {
		out[k] += out[k+1]
	}
	return out[1:]
}

// eachGood calls f with the known values of a block's rows that have a rank, higher being better.
func (r *fusing) eachGood(t *term, b uint32, f func(row uint64, v float64)) {
	first := uint64(b) * storage.BlockRows
	for i, v := range t.block(b) {
		if t.ranks(v) && (t.scores == nil || r.among == nil || r.among.Has(first+uint64(i))) {
			f(first+uint64(i), t.good(v))
		}
	}
}

// steps finds how many of some numbers, which ascend, are below another one: a table says from
// where on to compare.
type steps struct {
	numbers []float64
	times   float64
	first   [256]int32 // how many numbers have an earlier place in the table
}

func newSteps(numbers []float64) *steps {
	s := &steps{numbers: numbers}
	if t := float64(len(s.first)) / (numbers[len(numbers)-1] - numbers[0]); t < math.MaxFloat64 {
		s.times = t
	}
	for _, v := range numbers {
		for i := s.place(v) + 1; i < len(s.first); i++ {
			s.first[i]++
		}
	}
	return s
}

// place never falls as v rises.
func (s *steps) place(v float64) int {
	at := float64((v - s.numbers[0]) * s.times)
	if !(at > 0) {
		return 0
	}
	return int(min(at, float64(len(s.first)-1)))
}

func (s *steps) below(v float64) int {
	k := int(s.first[s.place(v)])
	for k < len(s.numbers) && s.numbers[k] < v {
		k++
	}
	return k
}
