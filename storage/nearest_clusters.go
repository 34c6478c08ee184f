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
	// mostVisited is the part of the rows from which on reading all in their order is quicker.
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
	sets     map[uint32]*BlockSet // the slots in each that are of clusters to be visited
	first    int                  // of chunks: for a first cut
	clusters int                  // visited
	next     atomic.Int64
}

// approximation plans the search of a pass of one, nil if it has to be exact.
func (p *pass) approximation() (*approximate, error) {
	s := p.searches[0]
	o := s.opts
	if len(p.searches) > 1 || o.Recall <= 0 || o.Recall >= 1 || s.coded == nil || s.limit <= 0 || o.Min != nil || o.Max != nil {
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
	if a.h.transform != p.transform.ID || !a.h.alike && o.Query.Metric() != vector.Cosine {
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
	wanted := rows
	if o.Filter != nil {
		wanted = float64(o.Filter.Len())
	}
	// A filter leaves rows that lie among others which are nearer.
	curve := ivf.For(a.h.curves, float64(s.limit)*rows/max(1, wanted))
	if curve == nil && p.t.view.store.visits != calibratedPart {
		curve = &a.h.curves[0]
	}
	if curve == nil {
		return nil, nil
	}
	a.visited, a.recall = curve.Visit(o.Recall)
	if p.t.view.store.visits != calibratedPart {
		a.visited = 1
	} else if a.visited > mostVisited || a.visited*float64(a.h.entries) > wanted || len(a.blocks) > int(p.sealed)/2 {
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
	for _, k := range a.c.order(s.coded, unit, a.p.transform.Weights(unit), float64(a.h.spread)) {
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

// runApproximate answers the search. ok is false if it found too few rows: then only the exact
// search knows whether there are more.
func (p *pass) runApproximate(ctx context.Context, a *approximate) (ok bool, err error) {
	all := []candidates{a}
	if len(a.blocks) > 0 {
		all = append(all, &blocks{p: p, some: a.blocks})
	}
	if err := p.visit(ctx, all...); err != nil {
		return false, err
	}
	s := p.searches[0]
	s.stats.Approximate, s.stats.Clusters, s.stats.ClustersVisited = true, a.c.len(), a.clusters
	s.stats.ExpectedRecall, s.stats.Calibrated = a.recall, int(a.h.asked)
	return len(s.ranking.rows) >= s.limit, nil
}

func (a *approximate) take(ctx context.Context, f func(n uint32) error) error {
	return a.p.takeOf(ctx, &a.next, a.chunks, f)
}

// seeds are the chunks of the best clusters.
func (a *approximate) seeds() []uint32 { return a.chunks[:a.first] }

func (a *approximate) seeded(*search) bool { return true }

func (a *approximate) wanted(_ *search, n uint32) (BlockSet, int) {
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
