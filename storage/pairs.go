package storage

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/lupadb/lupa/storage/internal/simd"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// PairOptions say which pairs of rows to find: of a table with itself, or with another one.
type PairOptions struct {
	Left, Right PairSide
	Least       float64 // cosine similarity
	Open        bool    // Least itself is outside
	// Ascending leaves out pairs of which the left row does not come before the right one, in
	// a table with itself.
	Ascending bool
	Workers   int // goroutines; 0 = one per CPU
	// Memory is about how many bytes it may take, 0 = as many as it takes to have all rows in memory.
	// Where they have no room, parts of the tables are compared with parts.
	Memory int64
}

// PairSide is one side of a join.
type PairSide struct {
	Table  *Table
	Column int     // of vectors
	Filter *RowSet // only these rows; nil = all

	from, to uint32 // only these blocks; to 0 = all
}

// Pair is a pair of rows with their cosine similarity, as vector.Query.Score gives it.
type Pair struct {
	Left, Right uint64
	Score       float64
}

// PairStats tell what a join did. The answer is exact, whatever they say.
type PairStats struct {
	Left, Right  int    // rows with a direction
	Pairs        uint64 // of them, that were compared by bounds
	Scored       uint64 // from their float32 values
	Found        uint64
	SketchedSize int64 // bytes in memory, the most
	Parts        int   // that were compared with each other, of both sides; 1 = all rows at once
}

const (
	pairLeft    = 96      // rows of the left side that are compared at once: a multiple of simd.MatrixRows
	pairUnits   = 8       // times as many are one goroutine's
	pairTiles   = 16      // tiles of the right side, of simd.TileRows rows each
	pairMost    = 1 << 16 // pairs that wait for being scored
	pairSlack   = 1e-9    // of scores, which are computed from float32
	pairCoarse  = 29      // first directions of sketches
	pairColumns = 64      // blocks that a goroutine reads at a time
)

// PairBytes is about how much memory Pairs takes.
func PairBytes(o PairOptions) int64 {
	if !o.inParts() {
		return o.allBytes()
	}
	return max(o.Memory, 2*BlockRows*o.Left.rowBytes()) // a block is the least
}

// allBytes is what all rows take.
func (o *PairOptions) allBytes() int64 {
	if o.Right == o.Left {
		return o.Left.bytes()
	}
	return o.Left.bytes() + o.Right.bytes()
}

func (o *PairOptions) inParts() bool { return o.Memory > 0 && o.allBytes() > o.Memory }

func (s *PairSide) rowBytes() int64 {
	return sketchBytes(s.Table.def.Columns[s.Column].Type.Dim, pairCoarse)
}

func (s *PairSide) bytes() int64 {
	n := s.Table.Rows()
	if s.Filter != nil {
		n = min(n, uint64(s.Filter.Len()))
	}
	return int64(n) * s.rowBytes()
}

// blocks are those that the side is of.
func (s *PairSide) blocks() (from, to uint32) {
	if s.to == 0 {
		return 0, s.Table.Blocks()
	}
	return s.from, s.to
}

// parts cuts a side into some that take no more than so many bytes each, if a block does.
func (s *PairSide) parts(bytes int64) (out []PairSide) {
	from, to := s.blocks()
	most, n := bytes/s.rowBytes(), int64(0)
	part := *s
	part.from = from
	for b := from; b < to; b++ {
		rows := int64(BlockRows)
		if s.Filter != nil {
			rows = 0
			if f := s.Filter.Block(b); f != nil {
				rows = int64(f.Count())
			}
		}
		if n > 0 && n+rows > most {
			part.to = b
			out = append(out, part)
			part.from, n = b, 0
		}
		n += rows
	}
	part.to = to
	return append(out, part)
}

// pairsInParts finds the pairs of parts of the tables, which have room in memory two at a time.
func pairsInParts(ctx context.Context, o PairOptions, emit func([]Pair) error) (*PairStats, error) {
	own := o.Left == o.Right
	left := o.Left.parts(o.Memory / 2)
	right := left
	if !own {
		right = o.Right.parts(o.Memory / 2)
	}
	all := &PairStats{Parts: len(left)}
	if !own {
		all.Parts += len(right)
	}
	for i := range left {
		for k := range right {
			if o.Ascending && k < i {
				continue // all its rows come before those of the left part
			}
			some := PairOptions{Left: left[i], Right: right[k], Least: o.Least, Open: o.Open, Ascending: o.Ascending && i == k, Workers: o.Workers}
			st, err := Pairs(ctx, some, emit)
			if err != nil {
				return all, err
			}
			if k == len(right)-1 {
				all.Left += st.Left
			}
			if i == 0 {
				all.Right += st.Right
			}
			all.Pairs, all.Scored, all.Found = all.Pairs+st.Pairs, all.Scored+st.Scored, all.Found+st.Found
			all.SketchedSize = max(all.SketchedSize, st.SketchedSize)
		}
	}
	return all, nil
}

// Pairs finds the pairs of rows whose cosine similarity is at least o.Least: exactly those that
// comparing every row with every other one would find. They come some at a time, in an order that
// follows from the rows and o.Memory alone; emit is called by one goroutine at a time and may keep nothing.
func Pairs(ctx context.Context, o PairOptions, emit func([]Pair) error) (*PairStats, error) {
	l, r := &o.Left, &o.Right
	for _, s := range []*PairSide{l, r} {
		c := &s.Table.def.Columns[s.Column]
		if c.Type.Kind != value.Vector {
			return nil, &TypeError{s.Table.def.Name, c.Name, value.Type{Kind: value.Vector}, c.Type}
		}
	}
	dim := l.Table.def.Columns[l.Column].Type.Dim
	if d := r.Table.def.Columns[r.Column].Type.Dim; d != dim {
		return nil, &DimensionError{r.Table.def.Name, r.Table.def.Columns[r.Column].Name, d, dim}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	own := *l == *r
	if o.Ascending && !own {
		return nil, errors.New("only the pairs of a table with itself ascend")
	}
	if o.inParts() {
		return pairsInParts(ctx, o, emit)
	}
	sample, err := l.sample(ctx, dim)
	if err != nil {
		return nil, err
	}
	j := &pairJoin{o: &o, stats: &PairStats{Parts: 1}}
	sk := newSketches(sample, dim, pairCoarse)
	if j.left, err = l.sketch(ctx, sk, o.Workers); err != nil {
		return nil, err
	}
	j.right = j.left
	if !own {
		if j.right, err = r.sketch(ctx, sk, o.Workers); err != nil {
			return nil, err
		}
	}
	j.cut = o.Least - pairSlack - sk.slack
	j.stats.Left, j.stats.Right = j.left.present(), j.right.present()
	j.stats.SketchedSize = j.left.bytes()
	if !own {
		j.stats.SketchedSize += j.right.bytes()
	}
	return j.stats, j.run(ctx, emit)
}

// sample reads vectors here and there, of unit length.
func (s *PairSide) sample(ctx context.Context, dim int) (out []float32, err error) {
	blocks := s.Table.Blocks()
	const parts = 16
	for p := range uint32(parts) {
		from := uint32(uint64(p) * uint64(blocks) / parts)
		if p > 0 && from == uint32(uint64(p-1)*uint64(blocks)/parts) {
			continue
		}
		sc := s.Table.Scan(ScanOptions{Columns: []int{s.Column}, Filter: s.Filter, FromBlock: from, ToBlock: from + 1})
		b, err := sc.Next(ctx)
		if err == nil && b != nil {
			sel := b.Selected()
			step := max(1, len(sel)*min(parts, int(blocks))/sketchSample)
			for k := 0; k < len(sel); k += step {
				i := int(sel[k])
				n := vector.Norm(b.Cols[0].Vec(i))
				if b.Cols[0].Null(i) || n == 0 {
					continue
				}
				for _, x := range b.Cols[0].Vec(i) {
					out = append(out, float32(float64(x)/n))
				}
			}
		}
		if err = firstError(err, sc.Close()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sketch reads one side of a join.
func (s *PairSide) sketch(ctx context.Context, sk *sketches, workers int) (*sketched, error) {
	first, blocks := s.blocks()
	parts := make([]sketched, (blocks-first+pairColumns-1)/pairColumns)
	var next atomic.Uint32
	err := inParallel(workers, func() error {
		for {
			p := next.Add(1) - 1
			if int(p) >= len(parts) {
				return nil
			}
			sc := s.Table.Scan(ScanOptions{Columns: []int{s.Column}, Filter: s.Filter, FromBlock: first + p*pairColumns, ToBlock: min(blocks, first+(p+1)*pairColumns)})
			parts[p].sketches = sk
			out := parts[p].sketcher()
			for {
				b, err := sc.Next(ctx)
				if err != nil || b == nil {
					if err = firstError(err, sc.Close()); err != nil {
						return err
					}
					break
				}
				for _, i := range b.Selected() {
					v := b.Cols[0].Vec(int(i))
					if b.Cols[0].Null(int(i)) || !slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
						continue
					}
					out.add(b.Rows[i], v)
				}
			}
			out.flush()
		}
	})
	if err != nil {
		return nil, err
	}
	all := &sketched{sketches: sk}
	for i := range parts {
		all.rows, all.tiles = append(all.rows, parts[i].rows...), append(all.tiles, parts[i].tiles...)
		all.fine = append(all.fine, parts[i].fine...)
		parts[i] = sketched{}
	}
	return all, nil
}

// inParallel runs f in some goroutines and returns an error of one of them.
func inParallel(n int, f func() error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := 1; i < n; i++ {
		wait.Go(func() { errs[i] = f() })
	}
	errs[0] = f()
	wait.Wait()
	return firstError(errs...)
}

// pairJoin is one run of Pairs. The left side is cut into units of pairLeft*pairUnits rows, which
// goroutines take in turn.
type pairJoin struct {
	o           *PairOptions
	left, right *sketched
	cut         float64 // of bounds
	stats       *PairStats
	next        atomic.Int64
	pairs       atomic.Uint64
	scored      atomic.Uint64
	failed      atomic.Bool

	mu   sync.Mutex
	turn *sync.Cond // which unit is emitted next has changed
	now  int64
}

// run compares all units, and emits what they find in their order.
func (j *pairJoin) run(ctx context.Context, emit func([]Pair) error) error {
	j.turn = sync.NewCond(&j.mu)
	units := int64((j.left.len() + pairLeft*pairUnits - 1) / (pairLeft * pairUnits))
	err := inParallel(max(1, min(j.o.Workers, int(units))), func() error {
		u := &pairUnit{j: j, ctx: ctx}
		for {
			n := j.next.Add(1) - 1
			if n >= units || j.failed.Load() {
				return nil
			}
			err := u.run(n, emit)
			if err == nil {
				j.wait(n)
				err = u.flush(emit)
			}
			j.mu.Lock()
			if err != nil {
				j.failed.Store(true)
			}
			j.now = n + 1
			j.turn.Broadcast()
			j.mu.Unlock()
			if err != nil {
				return err
			}
		}
	})
	j.stats.Pairs, j.stats.Scored = j.pairs.Load(), j.scored.Load()
	return err
}

// wait waits until unit n may emit.
func (j *pairJoin) wait(n int64) {
	j.mu.Lock()
	for j.now < n && !j.failed.Load() {
		j.turn.Wait()
	}
	j.mu.Unlock()
}

// pairUnit is the work of a goroutine on one unit at a time.
type pairUnit struct {
	j      *pairJoin
	ctx    context.Context
	first  int // row of the left side
	rows   int
	y      []float32
	near   []pairAt // of which the bounds don't tell
	found  []Pair
	left   *value.Batch
	at     []int32 // of the unit's rows in left
	fetch  [2]Fetcher
	wanted []uint64
}

// pairAt is a pair by the numbers of its rows in the unit and on the right side.
type pairAt struct{ l, r int32 }

func (u *pairUnit) run(n int64, emit func([]Pair) error) error {
	j := u.j
	u.first = int(n) * pairLeft * pairUnits
	u.rows = min(pairLeft*pairUnits, j.left.len()-u.first)
	u.left = nil
	for from := 0; from < u.rows; from += pairLeft {
		if err := u.block(n, from, min(pairLeft, u.rows-from), emit); err != nil {
			return err
		}
	}
	return u.score()
}

// block compares some rows of the unit with those of the right side.
func (u *pairUnit) block(n int64, first, rows int, emit func([]Pair) error) error {
	j := u.j
	m := j.left.left(u.first+first, rows, func(int) float64 { return j.cut })
	tiles := j.right.tileCount()
	from := 0
	if j.o.Ascending {
		from = (u.first + first) / simd.TileRows
	}
	out := m.PaddedRows() * simd.TileRows
	if len(u.y) < pairTiles*out {
		u.y = make([]float32, pairTiles*out)
	}
	for ; from < tiles; from += pairTiles {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		if j.failed.Load() {
			return nil
		}
		some := min(pairTiles, tiles-from)
		m.Multiply(j.right.tiles[from*j.right.tileLen():], u.y, some)
		for t := range some {
			u.survivors(from+t, first, rows, u.y[t*out:(t+1)*out])
		}
		j.pairs.Add(uint64(some * simd.TileRows * rows))
		if len(u.near) > pairMost {
			if err := u.score(); err != nil {
				return err
			}
			if len(u.found) > pairMost { // more than should wait for its turn
				j.wait(n)
				if err := u.flush(emit); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

const signs = 1<<63 | 1<<31

// survivors notes the pairs of a tile whose bounds reach the least similarity: that which y is,
// less it, and the one by all directions.
func (u *pairUnit) survivors(tile, first, rows int, y []float32) {
	const half = simd.TileRows / 2
	j := u.j
	words := unsafe.Slice((*[half]uint64)(unsafe.Pointer(unsafe.SliceData(y))), rows)
	for l := range words {
		w := &words[l]
		if (w[0]&w[1])&(w[2]&w[3])&((w[4]&w[5])&(w[6]&w[7]))&signs == signs {
			continue
		}
		for k, v := range y[l*simd.TileRows : (l+1)*simd.TileRows] {
			r, i := tile*simd.TileRows+k, u.first+first+l
			if math.Signbit(float64(v)) || j.o.Ascending && r <= i {
				continue
			}
			if j.left.narrower(v, i, j.right, r) >= 0 {
				u.near = append(u.near, pairAt{int32(first + l), int32(r)})
			}
		}
	}
}

// score compares the pairs that are near by their vectors.
func (u *pairUnit) score() (err error) {
	if len(u.near) == 0 {
		return nil
	}
	j := u.j
	if u.left == nil {
		var present []uint64
		u.at = slices.Grow(u.at[:0], u.rows)[:u.rows]
		for i, row := range j.left.rows[u.first : u.first+u.rows] {
			if u.at[i] = int32(len(present)); row != noRow {
				present = append(present, row)
			}
		}
		if u.left, err = u.fetch[0].Fetch(u.ctx, j.o.Left.Table, present, []int{j.o.Left.Column}); err != nil {
			return err
		}
	}
	slices.SortFunc(u.near, func(a, b pairAt) int { return int(a.r) - int(b.r) })
	for from := 0; from < len(u.near); {
		// Some rows of the right side at a time.
		u.wanted = u.wanted[:0]
		to := from
		for ; to < len(u.near); to++ {
			row := j.right.rows[u.near[to].r]
			if n := len(u.wanted); n == 0 || u.wanted[n-1] != row {
				if n == BlockRows {
					break
				}
				u.wanted = append(u.wanted, row)
			}
		}
		right, err := u.fetch[1].Fetch(u.ctx, j.o.Right.Table, u.wanted, []int{j.o.Right.Column})
		if err != nil {
			return err
		}
		part := u.near[from:to]
		slices.SortFunc(part, func(a, b pairAt) int { return int(a.l) - int(b.l) })
		var q *vector.Query
		for i, p := range part {
			if i == 0 || p.l != part[i-1].l {
				if q, err = vector.NewQuery(vector.Cosine, u.left.Cols[0].Vec(int(u.at[p.l]))); err != nil {
					return err
				}
			}
			row := j.right.rows[p.r]
			at, _ := slices.BinarySearch(u.wanted, row)
			if s := q.Score(right.Cols[0].Vec(at)); s > j.o.Least || s == j.o.Least && !j.o.Open {
				u.found = append(u.found, Pair{j.left.rows[u.first+int(p.l)], row, s})
			}
		}
		from = to
	}
	j.scored.Add(uint64(len(u.near)))
	u.near = u.near[:0]
	return nil
}

// flush emits what is found. It is the unit's turn.
func (u *pairUnit) flush(emit func([]Pair) error) error {
	if len(u.found) == 0 || u.j.failed.Load() {
		return nil
	}
	slices.SortFunc(u.found, func(a, b Pair) int {
		if a.Left != b.Left {
			return int(int64(a.Left) - int64(b.Left))
		}
		return int(int64(a.Right) - int64(b.Right))
	})
	u.j.stats.Found += uint64(len(u.found))
	err := emit(u.found)
	u.found = u.found[:0]
	return err
}
