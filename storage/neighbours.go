package storage

import (
	"cmp"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/lupadb/lupa/storage/internal/simd"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Neighbours finds the nearest rows of a table, by cosine similarity, for many vectors: sketches
// of all its rows are held in memory, and blocks of vectors are compared with them by products of
// matrices. It is safe for concurrent use.
type Neighbours struct {
	side    PairSide
	workers int
	sk      *sketched
	centres *simd.Matrix // of clusters of rows, so that the greatest product is the nearest one's
	starts  []int32      // tile at which each cluster begins, and the end
}

// NeighbourStats tell what Find did. Its answers are exact, whatever they say.
type NeighbourStats struct {
	Pairs  uint64 // of a vector and a row, that were compared by bounds
	Scored uint64 // from their float32 values
}

// ErrUnselective says that bounds leave so many rows to be compared one by one that other ways to
// find the nearest rows are quicker.
var ErrUnselective = errors.New("bounds of sketches leave too many rows")

const (
	neighbourSeeds   = 32 // rows of near clusters that are looked at closely for a first cut
	neighbourMost    = 1 << 16
	neighbourCentres = 1024
	neighbourCoarse  = 61 // first directions of sketches
	// neighbourPart is which part of the rows may be compared one by one.
	neighbourPart = 24
)

// NeighbourBytes is about how much memory NewNeighbours takes for a column.
func (t *Table) NeighbourBytes(column int) int64 {
	return int64(t.Rows()) * sketchBytes(t.def.Columns[column].Type.Dim, neighbourCoarse)
}

// NewNeighbours reads a column of vectors, or those rows of it that pass the filter.
func NewNeighbours(ctx context.Context, side PairSide, workers int) (*Neighbours, error) {
	c := &side.Table.def.Columns[side.Column]
	if c.Type.Kind != value.Vector {
		return nil, &TypeError{side.Table.def.Name, c.Name, value.Type{Kind: value.Vector}, c.Type}
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	sample, err := side.sample(ctx, c.Type.Dim)
	if err != nil {
		return nil, err
	}
	n := &Neighbours{side: side, workers: workers}
	if n.sk, err = side.sketch(ctx, newSketches(sample, c.Type.Dim, neighbourCoarse), workers); err != nil {
		return nil, err
	}
	n.cluster()
	return n, nil
}

// Bytes is the memory that it takes.
func (n *Neighbours) Bytes() int64 { return n.sk.bytes() }

// cluster puts rows that are near to each other side by side: those of each cluster are the ones
// that a row, one of many, is nearest to of all such rows.
func (n *Neighbours) cluster() {
	s := n.sk
	rows, w := s.len(), s.width()
	count := min(neighbourCentres, int(math.Sqrt(float64(rows))))
	if count < 2 {
		n.starts = []int32{0, int32(s.tileCount())}
		return
	}
	m := make([]float32, count*w)
	for c := range count {
		i := int(uint64(c) * uint64(rows) / uint64(count))
		for s.rows[i] == noRow && i > 0 {
			i--
		}
		in, half := s.tileOf(i / simd.TileRows)[i%simd.TileRows:], 0.0
		for k := range s.coarse {
			v := in[k*simd.TileRows]
			m[c*w+k] = v
			half += float64(float64(v)*float64(v)) / 2
		}
		m[c*w+w-2] = float32(-half)
	}
	n.centres, n.starts = simd.NewMatrix(count, w, m), make([]int32, count+1)
	of := n.nearest(s)
	// Rows by cluster, in place.
	order := make([]int32, rows)
	for i := range order {
		order[i] = int32(i)
		if s.rows[i] == noRow {
			of[i] = int32(count)
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(of[a], of[b]) })
	for i, row := range order {
		if c := of[row]; int(c) < count {
			n.starts[c+1] = int32(i + 1)
		}
	}
	for c := 1; c <= count; c++ {
		n.starts[c] = max(n.starts[c], n.starts[c-1])
	}
	s.arrange(order)
}

// nearest returns the number of the centre that is nearest to each row.
func (n *Neighbours) nearest(s *sketched) []int32 {
	of := make([]int32, s.len())
	var y []float32
	var best [simd.TileRows]float32
	for t := range s.tileCount() {
		y = n.products(s, t, y)
		for i := range best {
			best[i] = float32(math.Inf(-1))
		}
		for c := range n.count() {
			for i, v := range y[c*simd.TileRows : (c+1)*simd.TileRows] {
				if v > best[i] {
					best[i], of[t*simd.TileRows+i] = v, int32(c)
				}
			}
		}
	}
	return of
}

// count is the number of clusters.
func (n *Neighbours) count() int { return len(n.starts) - 1 }

// products multiplies the centres with a tile.
func (n *Neighbours) products(s *sketched, tile int, y []float32) []float32 {
	if size := n.centres.PaddedRows() * simd.TileRows; len(y) < size {
		y = make([]float32, size)
	}
	n.centres.Multiply(s.tileOf(tile), y, 1)
	return y
}

// arrange puts row order[i] at i.
func (s *sketched) arrange(order []int32) {
	f := s.fineLen()
	at := func(i int32) []float32 { return s.tileOf(int(i) / simd.TileRows)[i%simd.TileRows:] }
	coarse, fine := make([]float32, s.width()), make([]float32, f)
	for first := range int32(len(order)) {
		if order[first] < 0 || order[first] == first {
			continue
		}
		// The rows of a cycle, each to its place.
		in := at(first)
		for k := range coarse {
			coarse[k] = in[k*simd.TileRows]
		}
		copy(fine, s.fine[int(first)*f:])
		row := s.rows[first]
		to := first
		for {
			from := order[to]
			order[to] = -1
			if from == first {
				break
			}
			dst, src := at(to), at(from)
			for k := range coarse {
				dst[k*simd.TileRows] = src[k*simd.TileRows]
			}
			copy(s.fine[int(to)*f:(int(to)+1)*f], s.fine[int(from)*f:])
			s.rows[to] = s.rows[from]
			to = from
		}
		dst := at(to)
		for k, v := range coarse {
			dst[k*simd.TileRows] = v
		}
		copy(s.fine[int(to)*f:], fine)
		s.rows[to] = row
	}
}

// Find returns the k rows nearest to each query, nearest first, ties in row order: those that
// Nearest gives. The queries are of cosine similarity, and not zero. Where bounds are of little use
// it gives up with ErrUnselective.
func (n *Neighbours) Find(ctx context.Context, queries []*vector.Query, k int) ([][]Neighbor, NeighbourStats, error) {
	out := make([][]Neighbor, len(queries))
	var next atomic.Int64
	var pairs, scored atomic.Uint64
	units := (len(queries) + pairLeft - 1) / pairLeft
	err := inParallel(max(1, min(n.workers, units)), func() error {
		u := &neighbourUnit{n: n, ctx: ctx, k: k}
		for {
			at := int(next.Add(1)-1) * pairLeft
			if at >= len(queries) {
				break
			}
			to := min(len(queries), at+pairLeft)
			if err := u.run(queries[at:to], out[at:to]); err != nil {
				next.Add(int64(units))
				return err
			}
		}
		pairs.Add(u.pairs)
		scored.Add(u.scored)
		return nil
	})
	return out, NeighbourStats{pairs.Load(), scored.Load()}, err
}

// neighbourUnit is the work of a goroutine on some queries at a time.
type neighbourUnit struct {
	n       *Neighbours
	ctx     context.Context
	k       int
	queries []*vector.Query
	sk      *sketched // of the queries
	ranks   []*ranking
	cuts    []float64 // of bounds
	y       []float32
	near    []nearAt
	first   []nearAt // the most promising ones of near
	wanted  []uint64
	fetch   Fetcher
	pairs   uint64
	scored  uint64
	spent   uint64 // of the unit
}

// nearAt is a query and a row of the sketches, with the bound of their similarity.
type nearAt struct {
	l, r  int32
	bound float32
}

func (u *neighbourUnit) run(queries []*vector.Query, out [][]Neighbor) error {
	n := u.n
	u.queries, u.sk = queries, &sketched{sketches: n.sk.sketches}
	add := u.sk.sketcher()
	u.ranks, u.cuts, u.spent = u.ranks[:0], u.cuts[:0], 0
	for i, q := range queries {
		add.add(uint64(i), q.Vector())
		u.ranks = append(u.ranks, newRanking(&NearestOptions{Query: q, K: u.k}))
	}
	add.flush()
	for range u.sk.len() {
		u.cuts = append(u.cuts, leastCut)
	}
	if err := u.seed(); err != nil {
		return err
	}
	if err := u.scan(); err != nil {
		return err
	}
	for i, r := range u.ranks {
		out[i] = r.sorted()
	}
	return nil
}

// cut takes over how near a row has to be.
func (u *neighbourUnit) cut() {
	slack := pairSlack + u.n.sk.slack
	for i, r := range u.ranks {
		u.cuts[i] = max(leastCut, r.cutoff()-slack)
	}
}

// seed finds a first cut for each query, from the rows of the clusters nearest to it.
func (u *neighbourUnit) seed() error {
	n := u.n
	if n.centres == nil {
		return nil
	}
	type seed struct {
		bound float64
		row   int32
	}
	var y []float32
	var rows []seed
	trials := make([]*ranking, len(u.queries))
	for i, q := range u.queries {
		trials[i] = newRanking(&NearestOptions{Query: q, K: u.k})
		if i%simd.TileRows == 0 {
			y = n.products(u.sk, i/simd.TileRows, y)
		}
		m := u.sk.left(i, 1, func(int) float64 { return 0 })
		most := max(neighbourSeeds, 2*u.k)
		rows = rows[:0]
		for range 3 { // clusters
			best := 0
			for c := range n.count() {
				if y[c*simd.TileRows+i%simd.TileRows] > y[best*simd.TileRows+i%simd.TileRows] {
					best = c
				}
			}
			y[best*simd.TileRows+i%simd.TileRows] = float32(math.Inf(-1))
			from, to := int(n.starts[best]), int(n.starts[best+1])
			if from == to {
				continue
			}
			first := from / simd.TileRows
			tiles := min((to-1)/simd.TileRows+1, first+4*pairTiles) - first
			size := m.PaddedRows() * simd.TileRows
			if len(u.y) < tiles*size {
				u.y = make([]float32, tiles*size)
			}
			m.Multiply(n.sk.tiles[first*n.sk.tileLen():], u.y, tiles)
			for t := range tiles {
				for j, v := range u.y[t*size : t*size+simd.TileRows] {
					if r := (first+t)*simd.TileRows + j; r >= from && r < to {
						rows = append(rows, seed{float64(v), int32(r)})
					}
				}
			}
			if len(rows) >= 4*most {
				break
			}
		}
		better := func(a, b seed) int { return -cmp.Compare(a.bound, b.bound) }
		slices.SortFunc(rows, better)
		rows = rows[:min(len(rows), most)]
		for k, s := range rows {
			rows[k].bound = u.sk.narrower(float32(s.bound), i, n.sk, int(s.row))
		}
		slices.SortFunc(rows, better)
		for _, s := range rows[:min(len(rows), u.k+2)] {
			u.near = append(u.near, nearAt{int32(i), s.row, 0})
		}
		if len(u.near) > neighbourMost {
			if err := u.score(trials); err != nil {
				return err
			}
		}
	}
	if err := u.score(trials); err != nil {
		return err
	}
	for i, r := range trials {
		u.ranks[i].raise(r.cutoff())
	}
	u.cut()
	return nil
}

// scan compares the queries with all rows.
func (u *neighbourUnit) scan() error {
	n := u.n
	rows := len(u.queries)
	m := u.sk.left(0, rows, func(i int) float64 { return u.cuts[i] })
	first := slices.Clone(u.cuts)
	out := m.PaddedRows() * simd.TileRows
	if len(u.y) < pairTiles*out {
		u.y = make([]float32, pairTiles*out)
	}
	for from := 0; from < n.sk.tileCount(); from += pairTiles {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		some := min(pairTiles, n.sk.tileCount()-from)
		m.Multiply(n.sk.tiles[from*n.sk.tileLen():], u.y, some)
		for t := range some {
			u.survivors(from+t, u.y[t*out:(t+1)*out], first)
		}
		u.pairs += uint64(some * simd.TileRows * rows)
		if len(u.near) > neighbourMost {
			if err := u.thin(); err != nil {
				return err
			}
			if u.spent > 4*neighbourMost && u.spent > uint64(rows)*uint64(n.sk.len())/neighbourPart {
				return ErrUnselective
			}
		}
	}
	return u.thin()
}

// thin scores the pairs that are near: the most promising ones of each query first, after which
// few of the others are near enough.
func (u *neighbourUnit) thin() error {
	if most := u.k + 2; len(u.near) > 4*most*len(u.queries) {
		// The best of each query are moved to the front of its own part of first.
		u.first = slices.Grow(u.first[:0], most*len(u.queries))[:most*len(u.queries)]
		have := make([]int, len(u.queries))
		rest := u.near[:0]
		for _, p := range u.near {
			best := u.first[int(p.l)*most : (int(p.l)+1)*most]
			n := have[p.l]
			if n == most {
				if p.bound <= best[n-1].bound {
					rest = append(rest, p)
					continue
				}
				rest = append(rest, best[n-1])
				n--
			} else {
				have[p.l]++
			}
			for ; n > 0 && best[n-1].bound < p.bound; n-- {
				best[n] = best[n-1]
			}
			best[n] = p
		}
		u.near = rest
		waiting := slices.Clone(u.near)
		u.near = u.near[:0]
		for i, n := range have {
			u.near = append(u.near, u.first[i*most:i*most+n]...)
		}
		if err := u.score(u.ranks); err != nil {
			return err
		}
		u.cut()
		for _, p := range waiting {
			if float64(p.bound) >= u.cuts[p.l]-1e-6 { // bounds are of single precision
				u.near = append(u.near, p)
			}
		}
	}
	if err := u.score(u.ranks); err != nil {
		return err
	}
	u.cut()
	return nil
}

// survivors notes the rows of a tile that may be near enough. The numbers in y are bounds less
// the cuts that were then.
func (u *neighbourUnit) survivors(tile int, y []float32, cuts []float64) {
	const half = simd.TileRows / 2
	s := u.n.sk
	words := unsafe.Slice((*[half]uint64)(unsafe.Pointer(unsafe.SliceData(y))), len(u.queries))
	for i := range words {
		w := &words[i]
		if (w[0]&w[1])&(w[2]&w[3])&((w[4]&w[5])&(w[6]&w[7]))&signs == signs {
			continue
		}
		least := u.cuts[i] - cuts[i]
		for k, v := range y[i*simd.TileRows : (i+1)*simd.TileRows] {
			if math.Signbit(float64(v)) {
				continue
			}
			r := tile*simd.TileRows + k
			if b := u.sk.narrower(v, i, s, r); b >= least && s.rows[r] != noRow {
				u.near = append(u.near, nearAt{int32(i), int32(r), float32(b + cuts[i])})
			}
		}
	}
}

// score compares the pairs that are near by their vectors.
func (u *neighbourUnit) score(into []*ranking) error {
	s := u.n.sk
	slices.SortFunc(u.near, func(a, b nearAt) int { return cmp.Compare(s.rows[a.r], s.rows[b.r]) })
	one := make([]Neighbor, 1)
	for from := 0; from < len(u.near); {
		u.wanted = u.wanted[:0]
		to := from
		for ; to < len(u.near); to++ {
			row := s.rows[u.near[to].r]
			if n := len(u.wanted); n == 0 || u.wanted[n-1] != row {
				if n == BlockRows {
					break
				}
				u.wanted = append(u.wanted, row)
			}
		}
		b, err := u.fetch.Fetch(u.ctx, u.n.side.Table, u.wanted, []int{u.n.side.Column})
		if err != nil {
			return err
		}
		at := 0
		for _, p := range u.near[from:to] {
			row := s.rows[p.r]
			for u.wanted[at] != row {
				at++
			}
			if score := u.queries[p.l].Score(b.Cols[0].Vec(at)); into[p.l].admits(score) {
				one[0] = Neighbor{row, score}
				into[p.l].offer(one)
			}
		}
		from = to
	}
	u.scored += uint64(len(u.near))
	u.spent += uint64(len(u.near))
	u.near = u.near[:0]
	return nil
}
