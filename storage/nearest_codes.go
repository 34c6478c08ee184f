package storage

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/vector"
)

const (
	// seedBlocks is how many blocks a search looks at for rows to begin with, seedMany
	// how many if it is one of many, whose products don't wait for memory; of their
	// rows it scores seedRows.
	seedBlocks = 48
	seedMany   = 16
	seedRows   = 64
	// fewSearches is the largest number of searches of a pass that are not many.
	fewSearches = 8
	// seedLimit is the largest number of wanted rows for which that pays.
	seedLimit = 256
)

// maxWaiting is how many survivors a worker keeps for later, per search. Tests make it small.
var maxWaiting = 8192

// coded is the part of a search that works with codes: it turns bounds on the
// inner product s of the unit query, or its opposite, with a row of norm n, divided by n, into
// bounds on the row's goodness, and back.
type coded struct {
	query *code.Query
	m     vector.Metric
	worst bool    // goodness falls with nearness
	norm  float64 // of the query
}

// scoreSlack makes up for the rounding of scores, which are sums of at most 8,192
// products in 16 lanes of float64, relative to the product of the norms.
const scoreSlack = 1e-11

// bounded tells whether threshold and goodness turn bounds of inner products into bounds of
// the measure. Searches by another one read floats.
func bounded(m vector.Metric) bool {
	return m == vector.Cosine || m == vector.InnerProduct || m == vector.L2
}

// useCodes prepares the searches that codes can serve.
func (p *pass) useCodes() error {
	var tr *transform
	live := int(p.t.Rows())
	for _, s := range p.searches {
		o := s.opts
		rows := live
		if o.Filter != nil {
			rows = min(rows, o.Filter.Len())
		}
		switch {
		case o.BruteForce, !bounded(o.Query.Metric()), o.Query.Zero(), p.sealed == 0:
			continue
		case s.limit < 0 && math.IsInf(s.cutoff(), -1), s.limit > rows/8:
			continue // most rows belong to the answer
		}
		if tr == nil {
			var err error
			if tr, p.outdated, err = p.t.currentTransform(p.column); err != nil || tr == nil {
				return err
			}
			p.transform = tr
		}
		unit, norm := unitOf(o.Query, o.Worst)
		s.coded = &coded{query: tr.NewQuery(unit), m: o.Query.Metric(), worst: o.Worst, norm: norm}
	}
	return nil
}

// threshold returns the least s with which a row whose norm is in [low, high]
// may have goodness g.
func (c *coded) threshold(g, low, high float64) float64 {
	switch c.m {
	case vector.Cosine:
		return g - scoreSlack
	case vector.InnerProduct:
		switch {
		case math.IsInf(g, -1):
			return g
		case low == 0: // includes the zero vector, whose goodness is 0
			if g <= 0 {
				return math.Inf(-1)
			}
			low = high
			if high == 0 {
				return math.Inf(1)
			}
		}
		if g > 0 {
			low = high
		}
		return float64(g/(c.norm*low)*(1-math.Copysign(scoreSlack, g))) - scoreSlack
	}
	// L2: d^2 = Q^2 + n^2 -+ 2Qns, and goodness is -d, or d for the worst.
	if c.worst && g <= 0 || math.IsInf(g, -1) {
		return math.Inf(-1)
	}
	if !c.worst && g > 0 {
		return math.Inf(1)
	}
	if low == 0 && (high > 0 || c.goodness(0, 0, 0) >= g) {
		return math.Inf(-1)
	}
	if high == 0 {
		return math.Inf(1)
	}
	at := func(n float64) float64 {
		sum := float64(c.norm*c.norm) + float64(n*n)
		d := sum - float64(g*g)
		if c.worst {
			d = -d
		}
		return (d - float64(scoreSlack*(sum+float64(g*g)))) / (2 * c.norm * n)
	}
	turn := math.Sqrt(math.Abs(float64(c.norm*c.norm) - float64(g*g)))
	return min(at(low), at(high), at(max(low, min(high, turn))))
}

// blockThreshold is the threshold for all rows of a block.
func (c *coded) blockThreshold(g float64, p *code.Plane) float64 {
	low, high, zeros := p.NormRange()
	t := c.threshold(g, low, high)
	if zeros && c.m != vector.Cosine { // without an angle, they are never in the answer
		t = min(t, c.threshold(g, 0, 0))
	}
	return t
}

// goodness returns the most that a row with a norm in [low, high] can have if its s
// is at most upper.
func (c *coded) goodness(upper, low, high float64) float64 {
	switch c.m {
	case vector.Cosine:
		return upper + scoreSlack
	case vector.InnerProduct:
		return float64(c.norm * (max(low*upper, high*upper) + float64(scoreSlack*high)))
	}
	square := func(n float64) float64 { // of the distance
		if c.worst {
			return (float64(c.norm*c.norm) + float64(n*n) + float64(2*c.norm*n*upper)) + float64(scoreSlack*(float64(c.norm*c.norm)+float64(n*n)))
		}
		return (float64(c.norm*c.norm) + float64(n*n) - float64(2*c.norm*n*upper)) - float64(scoreSlack*(float64(c.norm*c.norm)+float64(n*n)))
	}
	if c.worst {
		return math.Sqrt(max(0, square(low), square(high)))
	}
	return -math.Sqrt(max(0, min(square(low), square(high), square(max(low, min(high, c.norm*upper))))))
}

// survivor is a row that the codes could not discard.
type survivor struct {
	row   uint64
	upper float64 // bound on its goodness
}

// shortlist keeps the best rows of many, up to some number.
type shortlist struct {
	rows  []survivor
	least float64 // what a row must have to get in; valid if full
	full  bool
}

// shorten cuts the list to its best n rows.
func (l *shortlist) shorten(n int) {
	slices.SortFunc(l.rows, bestFirst)
	if len(l.rows) >= n {
		l.rows, l.full = l.rows[:n], true
		l.least = l.rows[n-1].upper
	}
}

// coding is what a worker needs for codes.
type coding struct {
	readers [2]*numbered
	planes  [2]code.Plane
	scratch code.Scratch
	have    [2]bool
	waiting [][]survivor // by search
	best    []shortlist  // by search: of the blocks sampled
	now     []survivor
}

func (w *worker) openCodes() error {
	p := w.p
	w.coding = &coding{waiting: make([][]survivor, len(p.searches))}
	for i := range w.readers {
		var err error
		if w.readers[i], err = p.t.codes(p.column, p.transform, i, 0, p.sealed); err != nil {
			return err
		}
	}
	return nil
}

// plane makes plane k of block b the current one, and reports whether it is there.
func (w *worker) plane(k int, b uint32) (bool, error) {
	data, err := w.readers[k].Get(b)
	if err != nil || data == nil {
		return false, err
	}
	ok, err := w.p.transform.Parse(data, k+1, &w.planes[k])
	if err != nil {
		err = w.p.t.corruptNumber('q', w.p.column, b, err)
	}
	return ok, err
}

// prune handles one group of candidates of one search with the codes, of which plane 1 is
// current. What neither is discarded nor put off is left in set.
func (w *worker) prune(from candidates, i int, b uint32, set *BlockSet, n int) error {
	s := w.p.searches[i]
	c := s.coded
	p1 := &w.planes[0]
	s.codeCounts.rows.Add(uint64(n))
	scanned := 0
	for _, word := range set {
		if word != 0 {
			scanned += 64
		}
	}
	s.bytes.Add(uint64(scanned * w.p.transform.Bytes(1)))
	wanted := *set
	clear(set[:])
	cut := s.cutoff()
	plus, most := s.plusOf(b)
	t := c.blockThreshold(cut-most, p1)
	if math.IsInf(t, 1) {
		s.codeCounts.first.Add(uint64(n))
		return nil
	}
	sc := &w.scratch
	w.witness(s, b, &wanted)
	c.query.Scan1(p1, (*[BlockRows / 64]uint64)(&wanted), t, sc)
	survivors := (*BlockSet)(&sc.Mask)
	if plus != nil {
		sc.Thin1(plus, c.threshold(cut, 1, 1))
	}
	s.codeCounts.first.Add(uint64(n - survivors.Count()))
	if *survivors == (BlockSet{}) {
		return nil
	}
	if err := from.rows(w, b, survivors); err != nil {
		return err
	}
	sc.Rows = sc.Rows[:0]
	for r := range survivors.All() {
		sc.Rows = append(sc.Rows, uint16(r))
	}
	if len(sc.Rows) == 0 {
		return nil
	}
	if !w.have[1] {
		ok, err := from.plane(w, 1, b)
		if err != nil {
			return err
		}
		if !ok {
			*set = *survivors
			return nil
		}
		w.have[1] = true
	}
	p2 := &w.planes[1]
	c.query.Scan2(p1, p2, sc)
	s.bytes.Add(uint64(len(sc.Rows) * w.p.transform.Bytes(2)))
	w.now = w.now[:0]
	left := 0
	for k, r := range sc.Rows {
		low, high := p1.Norms(int(r))
		more := 0.0
		if plus != nil {
			more = plus[r]
		}
		upper := c.goodness(sc.Upper2[k], low, high) + more
		if upper < cut {
			continue
		}
		left++
		if s.limit < 0 || c.goodness(sc.Upper2[k]-c.query.Spread(p2, 1, int(r)), low, high)+more >= cut {
			// Likely to belong to the answer: sharpens the cut. One that does not move leaves
			// nothing to wait for.
			set[r/64] |= 1 << (r % 64)
		} else {
			w.now = append(w.now, survivor{from.row(w, b, int(r)), upper})
		}
	}
	s.codeCounts.second.Add(uint64(len(sc.Rows) - left))
	if left > BlockRows/4 {
		// The codes don't help here: read the floats while they come in order.
		for k, r := range sc.Rows {
			low, high := p1.Norms(int(r))
			upper := c.goodness(sc.Upper2[k], low, high)
			if plus != nil {
				upper += plus[r]
			}
			if upper >= cut {
				set[r/64] |= 1 << (r % 64)
			}
		}
		return nil
	}
	w.waiting[i] = append(w.waiting[i], w.now...)
	if len(w.waiting[i]) < maxWaiting {
		return nil
	}
	return w.thin(i)
}

// witness notes how wide the bound of one row of the block is, another one in each
// block, for NearestStats.Drift.
func (w *worker) witness(s *search, b uint32, wanted *BlockSet) {
	r := int(b*397) % BlockRows
	if !wanted.Has(r) {
		return
	}
	spread := s.coded.query.Spread(&w.planes[0], 0, r)
	s.spread.mu.Lock()
	defer s.spread.mu.Unlock()
	s.spread.sum += spread
	s.spread.rows++
}

// thin shortens the list of a search's waiting rows: those that are good enough no
// longer are dropped; if that does not help, the better half is scored.
func (w *worker) thin(i int) error {
	s := w.p.searches[i]
	drop := func() {
		cut := s.cutoff()
		n := len(w.waiting[i])
		w.waiting[i] = slices.DeleteFunc(w.waiting[i], func(v survivor) bool { return v.upper < cut })
		s.codeCounts.late.Add(uint64(n - len(w.waiting[i])))
	}
	if drop(); len(w.waiting[i]) < maxWaiting/2 {
		return nil
	}
	slices.SortFunc(w.waiting[i], bestFirst)
	half := len(w.waiting[i]) / 2
	better := slices.Clone(w.waiting[i][:half])
	w.waiting[i] = append(w.waiting[i][:0], w.waiting[i][half:]...)
	slices.SortFunc(better, func(a, b survivor) int { return cmp.Compare(a.row, b.row) })
	for _, v := range better {
		if err := w.scoreRow(s, v.row); err != nil {
			return err
		}
	}
	drop()
	return nil
}

func bestFirst(a, b survivor) int {
	switch {
	case a.upper > b.upper:
		return -1
	case a.upper < b.upper:
		return 1
	case a.row < b.row:
		return -1
	}
	return 1
}

// scoreRow scores one row of a sealed block from its floats.
func (w *worker) scoreRow(s *search, row uint64) error {
	data, err := w.pages.Row(row)
	if err != nil || data == nil {
		return err
	}
	s.scored.Add(1)
	s.bytes.Add(uint64(len(data)))
	score := w.p.scoreStored(s, data, &w.wide)
	worth := s.worth(row, score)
	if !s.admits(worth) {
		return nil
	}
	null, err := w.isNull(s, uint32(row/BlockRows), int(row%BlockRows), score)
	if err != nil || null {
		return err
	}
	s.offer([]Neighbor{{row, worth}})
	return nil
}

// seed looks for a first cut: the k-th best of the most promising rows of some
// groups of candidates. Any k rows of the search do, so the cut is safe whatever the codes
// promise.
func (p *pass) seed(ctx context.Context, from candidates) error {
	groups := from.seeds()
	if groups == nil {
		return nil
	}
	start := time.Now()
	var next atomic.Int64
	err := p.each(ctx, func(ctx context.Context, w *worker) error {
		return p.takeOf(ctx, &next, groups, func(n uint32) error { return w.sample(from, n) })
	})
	if err != nil {
		return err
	}
	var rows []promise
	trials := make([]*search, len(p.searches))
	for i, s := range p.searches {
		var best []survivor
		for _, w := range p.crew {
			if w != nil && w.best != nil {
				best = append(best, w.best[i].rows...)
			}
		}
		if len(best) < s.limit || s.limit <= 0 {
			continue
		}
		slices.SortFunc(best, bestFirst)
		trials[i] = &search{ranking: newRanking(s.opts), opts: s.opts, query: s.query, zero: s.zero}
		for _, v := range best[:min(s.seeds(), len(best))] {
			rows = append(rows, promise{trials[i], v})
		}
	}
	_, err = p.scoreAll(ctx, rows, 8, nil)
	for i, s := range p.searches {
		if trial := trials[i]; trial != nil {
			s.scored.Add(trial.scored.Load())
			s.bytes.Add(trial.bytes.Load())
			s.raise(trial.cutoff())
			s.trial = trial
		}
		s.stats.Seed = time.Since(start)
	}
	return err
}

// plusOf returns what is added to the scores of a block's rows, nil for nothing, and the most.
func (s *search) plusOf(b uint32) (*[BlockRows]float64, float64) {
	if s.plus == nil {
		return nil, 0
	}
	return s.plus.Block(b)
}

// seeds is how many promising rows a search begins with.
func (s *search) seeds() int { return max(seedRows, 2*s.limit) }

// sample adds the most promising rows of a group to the worker's lists. It ranks
// them by what the codes say, without the allowance for what they don't.
func (w *worker) sample(from candidates, b uint32) error {
	p := w.p
	ok, err := from.plane(w, 0, b)
	if err != nil || !ok {
		return err
	}
	if w.best == nil {
		w.best = make([]shortlist, len(p.searches))
	}
	for i, s := range p.searches {
		if s.coded == nil || !from.seeded(s) {
			continue
		}
		set, n := from.wanted(s, b)
		if n == 0 {
			continue
		}
		least := math.Inf(-1)
		plus, most := s.plusOf(b)
		best := &w.best[i]
		if best.full {
			least = s.coded.blockThreshold(best.least-most, &w.planes[0])
		}
		s.coded.query.Scan1(&w.planes[0], (*[BlockRows / 64]uint64)(&set), least, &w.scratch)
		promising := (*BlockSet)(&w.scratch.Mask)
		if err := from.rows(w, b, promising); err != nil {
			return err
		}
		for r := range promising.All() {
			low, high := w.planes[0].Norms(r)
			estimate := float64(w.scratch.Upper[r]) - s.coded.query.Spread(&w.planes[0], 0, r)
			g := s.coded.goodness(estimate, low, high)
			if plus != nil {
				g += plus[r]
			}
			if !best.full || g >= best.least {
				best.rows = append(best.rows, survivor{from.row(w, b, r), g})
			}
		}
		if take := s.seeds(); len(best.rows) > 4*take {
			best.shorten(take)
		}
	}
	return nil
}

// promise is a row that a search may have to score.
type promise struct {
	s *search
	survivor
}

// rerank scores the waiting rows, the most promising first, until none is left that could
// be good enough.
func (p *pass) rerank(ctx context.Context) error {
	start := time.Now()
	var lists []promise
	for i, s := range p.searches {
		cut := s.cutoff()
		for _, w := range p.crew {
			if w == nil {
				continue
			}
			for _, v := range w.waiting[i] {
				if v.upper < cut {
					s.codeCounts.late.Add(1)
					continue
				}
				lists = append(lists, promise{s, v})
			}
			w.waiting[i] = w.waiting[i][:0]
		}
	}
	slices.SortFunc(lists, func(a, b promise) int { return bestFirst(a.survivor, b.survivor) })
	// After the most promising rows the cut hardly moves: the others go in row
	// order, which reads forward.
	first := min(len(lists), 64*len(p.searches))
	if p.stop == nil {
		slices.SortFunc(lists[first:], func(a, b promise) int { return cmp.Compare(a.row, b.row) })
	}
	_, err := p.scoreAll(ctx, lists[:first], 16, nil)
	if err == nil {
		var left []promise
		left, err = p.scoreAll(ctx, lists[first:], 32, p.over)
		for _, v := range left {
			v.s.left = append(v.s.left, v)
		}
	}
	for _, s := range p.searches {
		s.stats.Rerank = time.Since(start)
	}
	return err
}

// scoreAll scores the rows that are still good enough when their turn comes, until over, if not
// nil, gives true, and returns those that are left. Workers take some at a time.
func (p *pass) scoreAll(ctx context.Context, list []promise, some int, over func() bool) (left []promise, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	var next atomic.Int64
	err = p.each(ctx, func(ctx context.Context, w *worker) error {
		for !p.failed.Load() && (over == nil || !over()) {
			from := int(next.Add(int64(some))) - some
			if from >= len(list) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			for _, v := range list[from:min(from+some, len(list))] {
				if v.upper < v.s.cutoff() {
					v.s.codeCounts.late.Add(1)
					continue
				}
				if err := w.scoreRow(v.s, v.row); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return list[min(int(next.Load()), len(list)):], err
}
