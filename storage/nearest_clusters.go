package storage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/ivf"
	"github.com/lupadb/lupa/storage/vector"
)

// A search that asks for a part of the nearest rows visits the clusters in the order of what
// they promise, until it has visited as many rows as it takes. Within them codes discard rows, by
// bounds that allow for what the nearest rows of a calibration have needed, and half as much
// again (clusterBuild.needs). So what it misses lies in the other clusters.
const (
	// mostVisited is the part of the rows that an exact search looks at from which on that is
	// quicker, for it reads them in their order.
	mostVisited = 0.6
	// seedEntries is how many rows are looked at for a first cut.
	seedEntries = 4 * BlockRows
)

// visits is what approximate searches visit.
type visits uint8

const (
	calibratedPart visits = iota // what the calibration says
	allProven                    // everything, with proven bounds: an exact search by clusters
	allNarrowed                  // everything, with narrowed bounds
)

// approximate is how a search goes that visits a part of the rows: its candidates are the rows
// of clusters.
type approximate struct {
	p        *pass
	x        *clusterIndex
	h        *clusterHead
	c        *clustering
	proven   *code.Query // with allowances that hold for all rows
	stale    map[uint32]bool
	blocks   []uint32 // that are not covered
	visited  float64
	recall   float64
	chunks   []uint32             // to be visited, in this order, and
	sets     map[uint32]*BlockSet // the slots in each that are of clusters to be visited; nil: all
	reach    []float64            // with Stop: the most goodness that a row of a chunk can have
	first    int                  // of chunks: for a first cut
	share    int                  // of chunks, with Stop: enough for the recall that is asked for
	clusters int                  // visited
}

// approximation plans the search of a pass of one, nil if it has to be exact.
func (p *pass) approximation() (*approximate, error) {
	s := p.searches[0]
	o := s.opts
	partly := o.Recall > 0 && o.Recall < 1 && o.Min == nil && o.Max == nil
	if len(p.searches) > 1 || !partly && p.stop == nil || s.coded == nil || s.limit <= 0 {
		return nil, nil
	}
	a := &approximate{p: p, x: p.t.clusterIndex(p.column), sets: map[uint32]*BlockSet{}}
	if a.x == nil {
		return nil, nil
	}
	var err error
	if a.h, err = a.x.head(p.t.view); err != nil || a.h == nil {
		p.t.view.store.keeper.uncovered(p.t, a.x, nil)
		return nil, err
	}
	cosine := o.Query.Metric() == vector.Cosine
	partly = partly && (cosine || a.h.alike)
	may := partly || p.stop != nil && (cosine || a.h.entire) // zero vectors have other scores
	if a.h.transform != p.transform.ID || !may {
		p.t.view.store.keeper.uncovered(p.t, a.x, nil)
		return nil, nil
	}
	if a.stale, err = a.x.uncovered(p.t.view, a.h); err != nil {
		return nil, err
	}
	for b := range p.sealed {
		if b >= a.h.blocks || a.stale[b] {
			a.blocks = append(a.blocks, b)
		}
	}
	p.t.view.store.keeper.uncovered(p.t, a.x, a)
	rows := float64(p.t.Rows())
	wanted, exact := rows, rows // exact: how many an exact search looks at
	if o.Filter != nil {
		wanted, exact = float64(o.Filter.Len()), float64(o.Filter.lookedAt())
	}
	if p.stop != nil && exact < mostVisited*rows {
		return nil, nil
	}
	// A filter leaves rows that lie among others which are nearer.
	curve := ivf.For(a.h.curves, float64(s.limit)*rows/max(1, wanted))
	if curve == nil && p.t.view.store.visits != calibratedPart {
		curve = &a.h.curves[0]
	}
	partly = partly && curve != nil
	if !partly && p.stop == nil {
		return nil, nil
	}
	if a.visited, a.recall = 1, 1; partly {
		a.visited, a.recall = curve.Visit(o.Recall)
	}
	if p.stop != nil {
		if a.c, err = a.x.clusters(p.t.view, a.h); err == nil {
			a.chooseAll(s)
		}
		return a, err
	}
	if p.t.view.store.visits != calibratedPart {
		a.visited = 1
	} else if a.visited*float64(a.h.entries) > mostVisited*exact || len(a.blocks) > int(p.sealed)/2 {
		return nil, nil
	}
	if a.c, err = a.x.clusters(p.t.view, a.h); err != nil {
		return nil, err
	}
	a.choose(s)
	a.proven = s.coded.query
	if p.t.view.store.visits != allProven {
		s.coded.query = a.proven.Narrow(float64(a.h.narrow))
	}
	return a, nil
}

// choose lists what is to be visited.
func (a *approximate) choose(s *search) {
	unit, _ := unitOf(s.query, s.opts.Worst)
	left := int(math.Ceil(a.visited * float64(a.h.entries)))
	seed := seedEntries
	for _, k := range a.c.order(s.coded, a.c.products(unit), a.p.transform.Weights(unit), float64(a.h.spread)) {
		if left <= 0 {
			break
		}
		from, to := a.c.starts[k], a.c.starts[k+1]
		a.clusters++
		left -= int(to - from)
		for from < to {
			n := from / BlockRows
			set := a.sets[n]
			if set == nil {
				set = new(BlockSet)
				a.sets[n] = set
				a.chunks = append(a.chunks, n)
			}
			end := min(to, (n+1)*BlockRows)
			for ; from < end; from++ {
				set[from%BlockRows/64] |= 1 << (from % 64)
			}
		}
		if seed > 0 {
			if seed -= int(to - a.c.starts[k]); seed <= 0 {
				a.first = len(a.chunks)
			}
		}
	}
	if a.first == 0 {
		a.first = len(a.chunks)
	}
	slices.Sort(a.chunks[a.first:]) // the first have given a cut: the others are read forward
}

// chooseAll lists all chunks, those of the best clusters first, for a search that may be stopped.
func (a *approximate) chooseAll(s *search) {
	a.sets = nil
	unit, _ := unitOf(s.query, s.opts.Worst)
	products := a.c.products(unit)
	a.reach = make([]float64, (a.h.entries+BlockRows-1)/BlockRows)
	for i := range a.reach {
		a.reach[i] = math.Inf(-1)
	}
	left := float64(a.visited * float64(a.h.entries))
	there := make([]bool, len(a.reach))
	for _, k := range a.c.order(s.coded, products, a.p.transform.Weights(unit), float64(a.h.spread)) {
		from, to := a.c.starts[k], a.c.starts[k+1]
		if from == to {
			continue
		}
		reach := a.c.reach(s, int(k), products[k])
		for n := from / BlockRows; n <= (to-1)/BlockRows; n++ {
			a.reach[n] = max(a.reach[n], reach)
			if !there[n] {
				there[n] = true
				a.chunks = append(a.chunks, n)
			}
		}
		if left > 0 {
			left -= float64(to - from)
			a.share = len(a.chunks)
		}
	}
	a.first = min(seedEntries/BlockRows, a.share)
}

// runClusters answers a search that may be stopped: by the best clusters, then by what the index
// does not cover, of which nothing is known, then by the other clusters.
func (p *pass) runClusters(ctx context.Context, a *approximate) error {
	s := p.searches[0]
	first, rest, more := a.list(a.chunks[:a.first]), a.list(a.chunks[a.first:a.share]), a.list(a.chunks[a.share:])
	uncovered := &blocks{p: p, some: append([]uint32{}, a.blocks...)}
	if err := p.visit(ctx, first, first, uncovered, rest); err != nil {
		return err
	}
	if len(more.list) > 0 && len(s.ranking.rows) < s.limit {
		if err := p.visit(ctx, nil, more); err != nil {
			return err
		}
	}
	p.judge(first, uncovered, rest, more)
	visited := make([]bool, len(a.reach))
	for _, l := range []*chunkList{first, rest, more} {
		for _, n := range l.list[:l.taken()] {
			visited[n] = true
		}
	}
	for k, from := range a.c.starts[:a.c.len()] {
		if to := a.c.starts[k+1]; from < to && !slices.Contains(visited[from/BlockRows:(to-1)/BlockRows+1], false) {
			a.clusters++
		}
	}
	s.stats.Approximate = more.taken() < len(more.list)
	s.stats.Clusters, s.stats.ClustersVisited = a.c.len(), a.clusters
	s.stats.ExpectedRecall, s.stats.Calibrated = a.recall, int(a.h.asked)
	return nil
}

// runApproximate answers the search. ok is false if it found too few rows: then only the exact
// search knows whether there are more.
func (p *pass) runApproximate(ctx context.Context, a *approximate) (ok bool, err error) {
	chunks := a.list(a.chunks)
	all := []candidates{chunks}
	if len(a.blocks) > 0 {
		all = append(all, &blocks{p: p, some: a.blocks})
	}
	if err := p.visit(ctx, chunks, all...); err != nil {
		return false, err
	}
	s := p.searches[0]
	s.stats.Approximate, s.stats.Clusters, s.stats.ClustersVisited = true, a.c.len(), a.clusters
	s.stats.ExpectedRecall, s.stats.Calibrated = a.recall, int(a.h.asked)
	return len(s.ranking.rows) >= s.limit, nil
}

// chunkList are some of the chunks, in the order in which they are visited.
type chunkList struct {
	*approximate
	list []uint32
	next atomic.Int64
}

func (a *approximate) list(chunks []uint32) *chunkList {
	return &chunkList{approximate: a, list: chunks}
}

// take leaves out chunks of which no row can be in the answer.
func (l *chunkList) take(ctx context.Context, f func(n uint32) error) error {
	return l.p.takeOf(ctx, &l.next, l.list, func(n uint32) error {
		if s := l.p.searches[0]; l.reach != nil && l.reach[n] < s.cutoff() {
			_, count := l.wanted(s, n)
			s.rows.Add(uint64(count))
			s.codeCounts.rows.Add(uint64(count))
			s.codeCounts.first.Add(uint64(count))
			return nil
		}
		return f(n)
	})
}

// taken is how many chunks were taken.
func (l *chunkList) taken() int { return min(int(l.next.Load()), len(l.list)) }

func (l *chunkList) unseen(*search) float64 {
	most := math.Inf(-1)
	for _, n := range l.list[l.taken():] {
		most = max(most, l.reach[n])
	}
	return most
}

// seeds are the chunks of the best clusters.
func (a *approximate) seeds() []uint32 { return a.chunks[:a.first] }

func (a *approximate) seeded(*search) bool { return true }

func (a *approximate) wanted(_ *search, n uint32) (BlockSet, int) {
	if a.sets == nil {
		count := int(min(BlockRows, a.h.entries-n*BlockRows))
		return firstRows(count), count
	}
	set := a.sets[n]
	return *set, set.Count()
}

func (a *approximate) plane(w *worker, k int, n uint32) (ok bool, err error) {
	if w.chunks == nil {
		if w.chunks, err = a.x.chunks(w.p.t, a.h); err != nil {
			return false, err
		}
	}
	data, err := w.chunks.planes[k].Get(n)
	if err != nil {
		return false, err
	}
	if data != nil {
		ok, err = w.p.transform.Parse(data, k+1, &w.planes[k])
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w: chunk %d has no codes of the transform", block.ErrMalformed, n)
	}
	return ok, corrupt(w.p.t.def.Name, "", w.chunks.x.where(), err)
}

// rows leaves those that are there as they were when the index was built, and pass the filter.
func (a *approximate) rows(w *worker, n uint32, set *BlockSet) error {
	ids, err := w.chunks.ids(n)
	if err != nil {
		return err
	}
	f := a.p.searches[0].opts.Filter
	for i := range set.All() {
		row := ids[i]
		b := row / BlockRows
		if row == noEntry || b >= a.h.blocks || a.stale[b] || a.p.dead != nil && a.p.dead[b] != nil && a.p.dead[b].Has(int(row%BlockRows)) ||
			f != nil && !f.Has(uint64(row)) {
			set[i/64] &^= 1 << (i % 64)
		}
	}
	return nil
}

func (a *approximate) row(w *worker, _ uint32, slot int) uint64 { return uint64(w.chunks.list[slot]) }

// score reads the rows one by one: they lie anywhere.
func (a *approximate) score(w *worker, _ uint32, jobs []scoring) error {
	for i := range jobs {
		for slot := range jobs[i].set.All() {
			if err := w.scoreRow(jobs[i].s, uint64(w.chunks.list[slot])); err != nil {
				return err
			}
		}
	}
	return nil
}
