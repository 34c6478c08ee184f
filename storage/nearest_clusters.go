package storage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/ivf"
	"github.com/lupadb/lupa/storage/vector"
)

// A search that asks for a part of the nearest rows visits the clusters in the order of what
// they promise, until it has visited as many rows as it takes. Within them it is exact, as
// elsewhere: codes discard rows by proven bounds. So what it misses lies in the other clusters.
const (
	// mostVisited is the part of the rows from which on reading all in their order is quicker.
	mostVisited = 0.5
	// seedEntries is how many rows are looked at for a first cut.
	seedEntries = 4 * BlockRows
)

// approximate is how a search goes that visits a part of the rows.
type approximate struct {
	x        *clusterIndex
	h        *clusterHead
	c        *clustering
	stale    map[uint32]bool
	blocks   []uint32 // that are not covered
	visited  float64
	recall   float64
	chunks   []chunkVisit
	first    int // of chunks: for a first cut
	clusters int // visited
}

// chunkVisit are the rows of a chunk that are in clusters to be visited.
type chunkVisit struct {
	n   uint32
	set BlockSet
}

// approximation plans the search of a pass of one, nil if it has to be exact.
func (p *pass) approximation() (*approximate, error) {
	s := p.searches[0]
	o := s.opts
	if o.Recall <= 0 || o.Recall >= 1 || s.coded == nil || s.limit <= 0 || o.Min != nil || o.Max != nil {
		return nil, nil
	}
	a := &approximate{x: p.t.clusterIndex(p.column)}
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
	if curve == nil && p.t.view.store.visitAll {
		curve = &a.h.curves[0]
	}
	if curve == nil {
		return nil, nil
	}
	a.visited, a.recall = curve.Visit(o.Recall)
	if p.t.view.store.visitAll {
		a.visited = 1
	} else if a.visited > mostVisited || a.visited*float64(a.h.entries) > wanted || len(a.blocks) > int(p.sealed)/2 {
		return nil, nil
	}
	if a.c, err = a.x.clusters(p.t.view, a.h); err != nil {
		return nil, err
	}
	a.choose(p, s)
	return a, nil
}

// choose lists what is to be visited.
func (a *approximate) choose(p *pass, s *search) {
	unit, _ := unitOf(s.query, s.opts.Worst)
	at := map[uint32]int{}
	left := int(math.Ceil(a.visited * float64(a.h.entries)))
	seed := seedEntries
	for _, k := range a.c.order(s.coded, unit, p.transform.Weights(unit), float64(a.h.spread)) {
		if left <= 0 {
			break
		}
		from, to := a.c.starts[k], a.c.starts[k+1]
		a.clusters++
		left -= int(to - from)
		for from < to {
			n := from / BlockRows
			i, ok := at[n]
			if !ok {
				i = len(a.chunks)
				at[n] = i
				a.chunks = append(a.chunks, chunkVisit{n: n})
			}
			end := min(to, (n+1)*BlockRows)
			for ; from < end; from++ {
				a.chunks[i].set[from%BlockRows/64] |= 1 << (from % 64)
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
}

// runApproximate answers the search. ok is false if it found too few rows: then only the exact
// search knows whether there are more.
func (p *pass) runApproximate(ctx context.Context, a *approximate) (ok bool, err error) {
	s := p.searches[0]
	start := time.Now()
	if err := p.seedChunks(ctx, a); err != nil {
		return false, err
	}
	s.stats.Seed = time.Since(start)
	start = time.Now()
	var next, nextBlock atomic.Int64
	err = p.each(ctx, func(ctx context.Context, w *worker) error {
		for !p.failed.Load() {
			i := int(next.Add(1)) - 1
			if i >= len(a.chunks) {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.visit(a, &a.chunks[i]); err != nil {
				return err
			}
		}
		for !p.failed.Load() {
			i := int(nextBlock.Add(1)) - 1
			if i >= len(a.blocks) {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.block(a.blocks[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	s.stats.Workers, s.stats.Scan = p.workers, time.Since(start)
	if err := p.rerank(ctx); err != nil {
		return false, err
	}
	s.stats.Approximate, s.stats.Clusters, s.stats.ClustersVisited = true, a.c.len(), a.clusters
	s.stats.ExpectedRecall, s.stats.Calibrated = a.recall, int(a.h.asked)
	return len(s.ranking.rows) >= s.limit, nil
}

// chunk opens the chunks for a worker and makes the first plane of chunk n the current one.
func (w *worker) chunk(a *approximate, n uint32) (err error) {
	if w.chunks == nil {
		if w.chunks, err = a.x.chunks(w.p.t, a.h); err != nil {
			return err
		}
	}
	return w.chunkPlane(n, 0)
}

func (w *worker) chunkPlane(n uint32, k int) error {
	data, err := w.chunks.planes[k].Get(n)
	if err != nil {
		return err
	}
	ok := false
	if data != nil {
		ok, err = w.p.transform.Parse(data, k+1, &w.planes[k])
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w: chunk %d has no codes of the transform", block.ErrMalformed, n)
	}
	return corrupt(w.p.t.def.Name, "", w.chunks.x.where(), err)
}

// live reports whether an entry's row is there, as it was when the index was built, and passes
// the filter.
func (w *worker) live(a *approximate, row uint32) bool {
	b := row / BlockRows
	if row == noEntry || b >= a.h.blocks || a.stale[b] || w.p.dead != nil && w.p.dead[b] != nil && w.p.dead[b].Has(int(row%BlockRows)) {
		return false
	}
	f := w.p.searches[0].opts.Filter
	return f == nil || f.Has(uint64(row))
}

// seedChunks scores the most promising rows of the first chunks for a first cut.
func (p *pass) seedChunks(ctx context.Context, a *approximate) error {
	s := p.searches[0]
	var best shortlist
	take := s.seeds()
	err := p.first(func(w *worker) error {
		for i := range a.chunks[:a.first] {
			c := &a.chunks[i]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.chunk(a, c.n); err != nil {
				return err
			}
			ids, err := w.chunks.ids(c.n)
			if err != nil {
				return err
			}
			least := math.Inf(-1)
			if best.full {
				least = s.coded.blockThreshold(best.least, &w.planes[0])
			}
			s.coded.query.Scan1(&w.planes[0], (*[BlockRows / 64]uint64)(&c.set), least, &w.scratch)
			for r := range (*BlockSet)(&w.scratch.Mask).All() {
				low, high := w.planes[0].Norms(r)
				estimate := float64(w.scratch.Upper[r]) - s.coded.query.Spread(&w.planes[0], 0, r)
				if g := s.coded.goodness(estimate, low, high); (!best.full || g >= best.least) && w.live(a, ids[r]) {
					best.rows = append(best.rows, survivor{uint64(ids[r]), g})
				}
			}
			if len(best.rows) > 4*take {
				best.shorten(take)
			}
		}
		return nil
	})
	if err != nil || len(best.rows) < s.limit {
		return err
	}
	slices.SortFunc(best.rows, bestFirst)
	trial := &search{ranking: newRanking(s.opts), opts: s.opts, query: s.query, zero: s.zero}
	var rows []promise
	for _, v := range best.rows[:min(take, len(best.rows))] {
		rows = append(rows, promise{trial, v})
	}
	err = p.scoreAll(ctx, rows, 8)
	s.scored.Add(trial.scored.Load())
	s.bytes.Add(trial.bytes.Load())
	s.raise(trial.cutoff())
	return err
}

// first runs f in the first worker.
func (p *pass) first(f func(w *worker) error) error {
	if p.crew == nil {
		p.crew = make([]*worker, max(1, min(p.workers, int(p.sealed))))
	}
	if p.crew[0] == nil {
		var err error
		if p.crew[0], err = p.newWorker(); err != nil {
			return err
		}
	}
	return f(p.crew[0])
}

// visit looks at rows of a chunk as prune does at those of a block.
func (w *worker) visit(a *approximate, v *chunkVisit) error {
	s := w.p.searches[0]
	c := s.coded
	if err := w.chunk(a, v.n); err != nil {
		return err
	}
	n := uint64(v.set.Count())
	s.rows.Add(n)
	s.codeCounts.rows.Add(n)
	scanned := 0
	for _, word := range v.set {
		if word != 0 {
			scanned += 64
		}
	}
	s.bytes.Add(uint64(scanned * w.p.transform.Bytes(1)))
	p1 := &w.planes[0]
	cut := s.cutoff()
	t := c.blockThreshold(cut, p1)
	if math.IsInf(t, 1) {
		s.codeCounts.first.Add(n)
		return nil
	}
	sc := &w.scratch
	c.query.Scan1(p1, (*[BlockRows / 64]uint64)(&v.set), t, sc)
	ids, err := w.chunks.ids(v.n)
	if err != nil {
		return err
	}
	passed := 0
	sc.Rows = sc.Rows[:0]
	for r := range (*BlockSet)(&sc.Mask).All() {
		if passed++; w.live(a, ids[r]) {
			sc.Rows = append(sc.Rows, uint16(r))
		}
	}
	s.codeCounts.first.Add(n - uint64(passed))
	if len(sc.Rows) == 0 {
		return nil
	}
	if err := w.chunkPlane(v.n, 1); err != nil {
		return err
	}
	p2 := &w.planes[1]
	c.query.Scan2(p1, p2, sc)
	s.bytes.Add(uint64(len(sc.Rows) * w.p.transform.Bytes(2)))
	left := 0
	for k, r := range sc.Rows {
		low, high := p1.Norms(int(r))
		upper := c.goodness(sc.Upper2[k], low, high)
		if upper < cut {
			continue
		}
		left++
		if c.goodness(sc.Upper2[k]-c.query.Spread(p2, 1, int(r)), low, high) >= s.cutoff() {
			if err := w.scoreRow(s, uint64(ids[r])); err != nil { // likely to belong to the answer
				return err
			}
		} else {
			w.waiting[0] = append(w.waiting[0], survivor{uint64(ids[r]), upper})
		}
	}
	s.codeCounts.second.Add(uint64(len(sc.Rows) - left))
	if len(w.waiting[0]) < maxWaiting {
		return nil
	}
	return w.thin(0)
}
