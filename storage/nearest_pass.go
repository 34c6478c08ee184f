package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// maxStride is how many blocks a worker takes at a time, in large tables: enough to
// read forward, few enough for all to end together.
const maxStride = 32

// pass is one run over a vector column that answers one or more searches.
type pass struct {
	t        *Table
	column   int
	dim      int
	sealed   uint32
	dead     []*BlockSet // of all blocks; nil = none at all
	searches []*search
	workers  int
	stride   uint32 // blocks a worker takes at a time

	transform *transform // nil = all searches read floats
	outdated  bool       // there are codes, but of no use

	stop  func() bool // see NearestOptions; then there is one search
	begun atomic.Bool // a group was visited without asking it
	ended atomic.Bool // it has ended the search

	crew   []*worker     // those that have been at work, nil = not yet
	next   atomic.Uint32 // first block that no worker has taken
	failed atomic.Bool
	mu     sync.Mutex
	err    error
}

// search is one search of a pass.
type search struct {
	*ranking
	opts  *NearestOptions
	query *vector.Query
	zero  float64 // score of the zero vector, which is what a NULL is stored as

	coded *coded // nil = reads floats

	rows, scored atomic.Uint64
	bytes        atomic.Uint64
	codeCounts   struct{ rows, first, second, late atomic.Uint64 }
	spread       struct { // of some rows' bounds, see code.Query.Spread
		mu   sync.Mutex
		sum  float64
		rows int
	}
	stats NearestStats

	trial  *search   // the rows that have given the first cut, nil without
	left   []promise // survivors that were not scored, for the search was stopped
	unseen float64   // of a search that may be stopped: the most goodness that a row outside of the answer can have
}

func (t *Table) newPass(opts []NearestOptions) (*pass, error) {
	p := &pass{t: t, column: opts[0].Column, sealed: t.sealedBlocks()}
	if p.column < 0 || p.column >= len(t.def.Columns) {
		return nil, fmt.Errorf("%s has no column %d", t.def.Name, p.column)
	}
	col := &t.def.Columns[p.column]
	if col.Type.Kind != value.Vector {
		return nil, &TypeError{t.def.Name, col.Name, value.Type{Kind: value.Vector}, col.Type}
	}
	p.dim = col.Type.Dim
	for i := range opts {
		o := &opts[i]
		if o.Column != p.column {
			return nil, errors.New("searches of one pass are of one column")
		}
		if o.Query.Dim() != p.dim {
			return nil, &DimensionError{t.def.Name, col.Name, o.Query.Dim(), p.dim}
		}
		if o.Plus != nil && (o.Query.Metric() != vector.Cosine || o.Worst || o.Min != nil || o.Max != nil || o.Above != nil || o.Recall != 0 || o.Stop != nil || o.Plus.Blocks() != t.Blocks()) {
			return nil, errors.New("numbers can be added to the best of a table's cosine similarities only")
		}
		s := &search{ranking: newRanking(o), opts: o, query: o.Query}
		s.zero = o.Query.Score(make([]float32, p.dim))
		p.searches = append(p.searches, s)
		p.workers = max(p.workers, o.Workers)
	}
	if p.workers == 0 {
		p.workers = runtime.GOMAXPROCS(0)
	}
	p.stride = min(maxStride, max(1, p.sealed/uint32(16*p.workers)))
	if p.stop = opts[0].Stop; p.stop != nil {
		p.stride = 1
	}
	var err error
	if p.dead, err = t.deadBlocks(0, t.Blocks()); err != nil {
		return nil, err
	}
	return p, p.useCodes()
}

// scoreStored scores a vector from its stored form, in the memory of wide if it is of float16.
func (p *pass) scoreStored(s *search, data []byte, wide *[]float32) float64 {
	t := p.t.def.Columns[p.column].Type
	if !t.Half {
		return s.query.ScoreBytes(data)
	}
	if *wide == nil {
		*wide = make([]float32, t.Dim)
	}
	block.Numbers(*wide, data, t)
	return s.query.Score(*wide)
}

// run answers the searches.
func (p *pass) run(ctx context.Context) (err error) {
	defer func() { err = firstError(err, p.closeCrew()) }()
	if err := p.tail(); err != nil {
		return err
	}
	a, err := p.approximation()
	if err != nil {
		return err
	}
	if a != nil && p.stop != nil {
		return p.runClusters(ctx, a)
	}
	if a != nil {
		if ok, err := p.runApproximate(ctx, a); ok || err != nil {
			return err
		}
		if err := p.anew(a); err != nil {
			return err
		}
	}
	all := &blocks{p: p}
	if err := p.visit(ctx, all, all); err != nil {
		return err
	}
	if p.stop != nil {
		p.judge(all)
	}
	return nil
}

// visit answers the searches among candidates: a first cut from those of seeds, nil for none,
// then all of them, one after the other.
func (p *pass) visit(ctx context.Context, seeds candidates, all ...candidates) error {
	if p.transform != nil && seeds != nil {
		if err := p.seed(ctx, seeds); err != nil {
			return err
		}
	}
	p.begun.Store(false)
	scan := time.Now()
	err := p.each(ctx, func(ctx context.Context, w *worker) error {
		for _, from := range all {
			if err := from.take(ctx, func(n uint32) error { return w.group(from, n) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range p.searches {
		s.stats.Workers, s.stats.Outdated = p.workers, p.outdated
		s.stats.Scan = time.Since(scan)
	}
	if p.transform != nil {
		return p.rerank(ctx)
	}
	return nil
}

// anew forgets what a search of a part of the rows has found.
func (p *pass) anew(a *approximate) error {
	s := p.searches[0]
	s.coded.query = a.proven
	s.ranking, s.stats.Approximate = newRanking(s.opts), false
	for _, n := range []*atomic.Uint64{&s.rows, &s.codeCounts.rows, &s.codeCounts.first, &s.codeCounts.second, &s.codeCounts.late} {
		n.Store(0)
	}
	for _, w := range p.crew {
		if w != nil && w.coding != nil {
			w.waiting[0] = nil
		}
	}
	return p.tail()
}

// closeCrew closes the workers.
func (p *pass) closeCrew() (err error) {
	for _, w := range p.crew {
		if w != nil {
			err = firstError(err, w.close())
		}
	}
	return err
}

// each runs f in every worker and returns the first error.
func (p *pass) each(ctx context.Context, f func(ctx context.Context, w *worker) error) error {
	if p.crew == nil {
		p.crew = make([]*worker, min(p.workers, int(p.sealed/p.stride)+1))
	}
	one := func(i int) {
		var err error
		if p.crew[i] == nil {
			p.crew[i], err = p.newWorker()
		}
		if err == nil {
			err = f(ctx, p.crew[i])
		}
		if err != nil {
			p.fail(err)
		}
	}
	var wait sync.WaitGroup
	for i := 1; i < len(p.crew); i++ {
		wait.Go(func() { one(i) })
	}
	one(0)
	wait.Wait()
	return p.err
}

func (p *pass) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.failed.Store(true)
}

// take hands out blocks, some of those that no worker has yet at a time, until there are none
// left.
func (p *pass) take(ctx context.Context, f func(from, to uint32) error) error {
	for !p.failed.Load() && !p.over() {
		from := p.next.Add(p.stride) - p.stride
		if from >= p.sealed {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(from, min(from+p.stride, p.sealed)); err != nil {
			return err
		}
	}
	return nil
}

// wanted returns the rows of a block that a search looks at, and their number.
func (p *pass) wanted(s *search, b uint32) (set BlockSet, n int) {
	if f := s.opts.Filter; f != nil {
		if fb := f.Block(b); fb != nil {
			set = *fb
		}
	} else if b < p.sealed {
		for i := range set {
			set[i] = ^uint64(0)
		}
		n = BlockRows
	} else {
		set = firstRows(p.t.rowsIn(b))
	}
	if p.dead != nil && p.dead[b] != nil {
		for i, d := range p.dead[b] {
			set[i] &^= d
		}
		n = 0
	}
	if n == 0 {
		n = set.Count()
	}
	return set, n
}

// tail scores the rows after the last full block.
func (p *pass) tail() error {
	b := p.sealed
	if b >= p.t.Blocks() {
		return nil
	}
	var union BlockSet
	for _, s := range p.searches {
		set, _ := p.wanted(s, b)
		for i := range union {
			union[i] |= set[i]
		}
	}
	if union.Count() == 0 {
		return nil
	}
	live := firstRows(p.t.rowsIn(b))
	if p.dead != nil && p.dead[b] != nil {
		for i, d := range p.dead[b] {
			live[i] &^= d
		}
	}
	def := &p.t.def.Columns[p.column]
	sets, rows := make([]BlockSet, len(p.searches)), make([]uint64, len(p.searches))
	for k, s := range p.searches {
		set, n := p.wanted(s, b)
		s.rows.Add(uint64(n))
		sets[k] = set
	}
	var wide []float32
	var fill []byte // what rows have that were there before the column
	if v := def.fill; !v.IsNull() {
		fill = block.AppendNumbers(nil, v.Vec(), def.Type)
	}
	err := p.t.tailRows(&live, func(i int, src []byte) error {
		if !union.Has(i) {
			return nil
		}
		raw := fill
		for len(src) > 0 {
			id, field, rest, err := block.NextField(src)
			if err != nil {
				return err
			}
			if id == def.ID {
				if raw, err = block.ReadVector(field, def.Type); err != nil {
					return err
				}
			}
			src = rest
		}
		if raw == nil {
			return nil
		}
		for k, s := range p.searches {
			if !sets[k].Has(i) {
				continue
			}
			rows[k]++
			row := uint64(b)*BlockRows + uint64(i)
			if worth := s.worth(row, p.scoreStored(s, raw, &wide)); s.admits(worth) {
				s.offer([]Neighbor{{row, worth}})
			}
		}
		return nil
	})
	for k, s := range p.searches {
		s.scored.Add(rows[k])
		s.bytes.Add(rows[k] * uint64(block.NumberBytes(def.Type)*p.dim))
	}
	return err
}

// finish returns the answer of a search and what it took.
func (s *search) finish() ([]Neighbor, *NearestStats) {
	rows := s.sorted()
	st := &s.stats
	st.Unseen = math.NaN()
	if s.opts.Stop != nil {
		s.prove(rows)
	}
	st.Rows, st.Scored, st.BytesRead = s.rows.Load(), s.scored.Load(), s.bytes.Load()
	c := &s.codeCounts
	st.Coded, st.Discarded1, st.Discarded2, st.Late = c.rows.Load(), c.first.Load(), c.second.Load(), c.late.Load()
	st.Drift = math.NaN()
	if s.coded != nil && s.spread.rows > 0 && !st.partial() { // those of the clusters that it visited are none like the others
		st.Drift = s.spread.sum / float64(s.spread.rows) / s.coded.query.TypicalSpread()
	}
	if s.above != nil {
		st.Above = make([]uint64, len(s.above))
		n := uint64(0)
		for k := len(s.above) - 1; k >= 0; k-- {
			n += s.steps[k+1]
			st.Above[k] = n
		}
	}
	st.KthScore, st.Margin = math.NaN(), math.NaN()
	if s.opts.K >= 0 && len(rows) > s.opts.K && s.plus == nil {
		if s.opts.K > 0 {
			st.Margin = math.Abs(rows[s.opts.K].Score - rows[s.opts.K-1].Score)
		}
		rows = rows[:s.opts.K]
		st.Proven = min(st.Proven, len(rows))
	}
	if len(rows) > 0 {
		st.KthScore = rows[len(rows)-1].Score
	}
	return rows, st
}
