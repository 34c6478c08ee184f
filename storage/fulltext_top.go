package storage

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/postings"
)

// TextStats tell what a search did, for EXPLAIN ANALYZE.
type TextStats struct {
	Postings uint64 // of the query's words
	Chunks   uint64 // of 65,536 rows, that have one
	Skipped  uint64 // of them, left out by their bounds
	Decoded  uint64 // blocks of 128 postings
	Scored   uint64 // rows
}

// TextHit is a row that has a word of a query.
type TextHit struct {
	Row   uint64
	Score float64
}

// better reports whether a comes before b: the higher score, and of equal ones the lower row.
func (a TextHit) better(b TextHit) bool {
	return a.Score > b.Score || a.Score == b.Score && a.Row < b.Row
}

type textHeap []TextHit // the worst one first

func (h textHeap) Len() int           { return len(h) }
func (h textHeap) Less(i, j int) bool { return h[j].better(h[i]) }
func (h textHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *textHeap) Push(x any)        { *h = append(*h, x.(TextHit)) }
func (h *textHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// slack makes up for the rounding of sums: a bound that is lower than a score by less does
// not rule it out.
const slack = 1 + 1e-9

// Top returns the k rows with the highest scores, k < 0 all, best first and ties in row order:
// those of scoring every row that is in among, nil for all. Rows without any of the query's
// words have no place in it.
//
// Bounds rule out what can't get in: of a chunk's lists, and of their blocks, the most that
// one of their postings scores.
func (q *TextQuery) Top(ctx context.Context, k int, among *RowSet) ([]TextHit, *TextStats, error) {
	s := &textSearch{q: q, k: k, among: among, scores: make([]float64, len(q.leaves)), marks: make([]bool, len(q.leaves))}
	if k == 0 {
		return nil, &s.stats, nil
	}
	type chunkOf struct {
		chunk uint32
		bound float64
	}
	bounds := map[uint32]float64{}
	for i, l := range q.leaves {
		for _, c := range l.lists {
			s.stats.Postings += uint64(c.N)
			b := s.bound(i, c.chunk, &c.Base)
			b = max(b, s.bound(i, c.chunk, &c.Late))
			bounds[c.chunk] += b
		}
	}
	var order []chunkOf
	for c, b := range bounds {
		order = append(order, chunkOf{c, b})
	}
	slices.SortFunc(order, func(a, b chunkOf) int {
		if c := cmp.Compare(b.bound, a.bound); c != 0 {
			return c
		}
		return cmp.Compare(a.chunk, b.chunk)
	})
	s.stats.Chunks = uint64(len(order))
	for _, c := range order {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if c.bound*slack < s.least() {
			s.stats.Skipped++
			continue
		}
		if err := s.chunk(c.chunk); err != nil {
			return nil, nil, q.bad(err)
		}
	}
	slices.SortFunc(s.heap, func(a, b TextHit) int {
		if a.better(b) {
			return -1
		}
		return 1
	})
	if err := q.done(); err != nil {
		return nil, nil, err
	}
	return s.heap, &s.stats, nil
}

type textSearch struct {
	q      *TextQuery
	k      int
	among  *RowSet
	heap   textHeap
	stats  TextStats
	scores []float64 // of a row, by leaf
	marks  []bool
	marked []int
	lists  []*listSearch
	sums   []float64 // of the bounds of lists up to one
	spare  []*listSearch
}

// listSearch is a segment of a leaf's list in a chunk.
type listSearch struct {
	cursor  postings.Cursor
	leaf    int
	seg     *postings.Segment
	masked  *postings.Slots
	bound   float64
	slot    int
	length  *postings.Lengths
	last    int // slot up to which block holds
	block   float64
	current bool // block is that of last
}

// least is the score that a row must have to get in, or to be compared.
func (s *textSearch) least() float64 {
	if s.k < 0 || len(s.heap) < s.k {
		return 0
	}
	return s.heap[0].Score
}

// bound is the most that a posting of a segment scores.
func (s *textSearch) bound(leaf int, chunk uint32, seg *postings.Segment) float64 {
	l := s.q.leaves[leaf]
	if seg.N == 0 {
		return 0
	}
	if len(seg.Impacts) > 0 {
		return s.boundOf(l, seg.Impacts)
	}
	most := 0.0
	lengths := s.q.lengths(l.field, chunk)
	_ = seg.All(func(p postings.Posting) error { // few, which are at hand
		most = max(most, s.q.score(l, p.Freq, lengths.Length(p.Slot)))
		return nil
	})
	return most
}

func (s *textSearch) boundOf(l *textLeaf, impacts []postings.Impact) float64 {
	most := 0.0
	for _, x := range impacts {
		most = max(most, s.q.score(l, x.Freq, x.Length))
	}
	return most
}

// chunk searches a chunk.
func (s *textSearch) chunk(chunk uint32) error {
	s.lists, s.spare = s.lists[:0], append(s.spare, s.lists...)
	for i, l := range s.q.leaves {
		list := l.list(chunk)
		if list == nil {
			continue
		}
		for _, seg := range []*postings.Segment{&list.Base, &list.Late} {
			if seg.N == 0 {
				continue
			}
			var x *listSearch
			if n := len(s.spare); n > 0 {
				x, s.spare = s.spare[n-1], s.spare[:n-1]
			} else {
				x = new(listSearch)
			}
			x.leaf, x.seg, x.masked, x.slot, x.current = i, seg, nil, -1, false
			x.length = s.q.lengths(l.field, chunk)
			if seg == &list.Base {
				x.masked = list.Masked
			}
			x.bound = s.bound(i, chunk, seg)
			if err := x.cursor.Reset(seg); err != nil {
				return err
			}
			x.cursor.Decoded = 0
			s.lists = append(s.lists, x)
		}
	}
	slices.SortStableFunc(s.lists, func(a, b *listSearch) int { return cmp.Compare(a.bound, b.bound) })
	s.sums = s.sums[:0]
	sum := 0.0
	for _, x := range s.lists {
		sum += x.bound
		s.sums = append(s.sums, sum)
	}
	defer func() {
		for _, x := range s.lists {
			s.stats.Decoded += uint64(x.cursor.Decoded)
		}
	}()
	for from := 0; from < postings.ChunkRows; {
		var err error
		if from, err = s.window(chunk, from); err != nil {
			return err
		}
	}
	return nil
}

// essential returns the first list without which no row gets in.
func (s *textSearch) essential(least float64) int {
	for i, sum := range s.sums {
		if sum*slack >= least {
			return i
		}
	}
	return len(s.sums)
}

// below is the most that the lists before one have together.
func (s *textSearch) below(i int) float64 {
	if i == 0 {
		return 0
	}
	return s.sums[i-1]
}

// window searches from a slot on, as far as the blocks at hand go, and returns where to go on.
func (s *textSearch) window(chunk uint32, from int) (int, error) {
	least := s.least()
	first := s.essential(least)
	if first == len(s.lists) {
		return postings.ChunkRows, nil
	}
	needed := s.lists[first:]
	bound, end := s.below(first), postings.ChunkRows-1
	for _, x := range needed {
		last, err := x.cursor.Shallow(from)
		if err != nil {
			return 0, err
		}
		if !x.current || last != x.last {
			x.last, x.current = last, true
			x.block = x.bound
			if impacts := x.cursor.Impacts(); impacts != nil {
				x.block = s.boundOf(s.q.leaves[x.leaf], impacts)
			}
			if x.cursor.Done() {
				x.block = 0
			}
		}
		end = min(end, last)
		bound += x.block
	}
	if bound*slack < least || bound == 0 {
		return end + 1, nil
	}
	for _, x := range needed {
		var err error
		if x.slot, err = x.cursor.Seek(from); err != nil {
			return 0, err
		}
	}
	for {
		slot := postings.ChunkRows
		for _, x := range needed {
			slot = min(slot, x.slot)
		}
		if slot > end {
			return end + 1, nil
		}
		if err := s.row(chunk, slot, first, least); err != nil {
			return 0, err
		}
		if now := s.least(); now != least {
			least = now
			if s.essential(least) != first {
				return slot + 1, nil
			}
		}
		if slot == end {
			return end + 1, nil
		}
		for _, x := range needed {
			if x.slot == slot {
				var err error
				if x.slot, err = x.cursor.Seek(slot + 1); err != nil {
					return 0, err
				}
			}
		}
	}
}

// row scores a row, unless it turns out on the way that it does not get in.
func (s *textSearch) row(chunk uint32, slot, first int, least float64) error {
	row := uint64(chunk)*postings.ChunkRows + uint64(slot)
	if s.among != nil && !s.among.Has(row) {
		return nil
	}
	s.marked = s.marked[:0]
	sum := 0.0
	take := func(x *listSearch) {
		if x.masked != nil && x.masked.Has(slot) {
			return
		}
		v := s.q.score(s.q.leaves[x.leaf], x.cursor.Freq(), x.length.Length(uint16(slot)))
		s.scores[x.leaf] = v
		s.marks[x.leaf] = true
		s.marked = append(s.marked, x.leaf)
		sum += v
	}
	defer func() {
		for _, i := range s.marked {
			s.marks[i] = false
		}
	}()
	for _, x := range s.lists[first:] {
		if x.slot == slot {
			take(x)
		}
	}
	for i := first - 1; i >= 0; i-- {
		if (sum+s.sums[i])*slack < least {
			return nil
		}
		x := s.lists[i]
		at, err := x.cursor.Seek(slot)
		if err != nil {
			return err
		}
		if x.slot = at; at == slot {
			take(x)
		}
	}
	if len(s.marked) == 0 {
		return nil
	}
	s.stats.Scored++
	// In the order of the leaves, as everywhere: sums depend on it.
	score := 0.0
	for i, m := range s.marks {
		if m {
			score += s.scores[i]
		}
	}
	if score == 0 { // of columns that weigh nothing
		return nil
	}
	hit := TextHit{row, score}
	switch {
	case s.k < 0 || len(s.heap) < s.k:
		if s.k < 0 {
			s.heap = append(s.heap, hit)
		} else {
			heap.Push(&s.heap, hit)
		}
	case hit.better(s.heap[0]):
		s.heap[0] = hit
		heap.Fix(&s.heap, 0)
	}
	return nil
}

// AddScores adds the query's scores, each times by, to those of the rows. Where these were 0, and by
// is 1, they become those of Top, to the last bit. It takes a number of goroutines, 0 = one per CPU.
// Blocks are bounded at its end.
func (q *TextQuery) AddScores(ctx context.Context, to *RowScores, by float64, workers int) error {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	tables := make([]*scoreTable, len(q.leaves))
	for i, l := range q.leaves {
		if l.n > tableFrom {
			tables[i] = q.table(l)
		}
	}
	var next atomic.Int64
	err := inParallel(max(1, min(workers, int(q.chunks()))), func() error {
		for {
			chunk := uint32(next.Add(1) - 1)
			if chunk >= q.chunks() {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := q.addChunk(chunk, to, by, tables); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	return q.done()
}

// tableFrom is the number of postings from which their scores are looked up.
const tableFrom = 4096

// scoreTable are the scores of a leaf for frequencies from one on, and lengths plus one.
type scoreTable [4][256]float64

func (q *TextQuery) table(l *textLeaf) *scoreTable {
	t := new(scoreTable)
	for f := range t {
		for n := range t[f] {
			t[f][n] = q.score(l, uint32(f+1), uint32(max(n, 1)-1))
		}
	}
	return t
}

// addChunk adds the scores of a chunk's rows. The leaves' order is that of Top's sums.
func (q *TextQuery) addChunk(chunk uint32, to *RowScores, by float64, tables []*scoreTable) error {
	const perChunk = postings.ChunkRows / BlockRows
	for i, l := range q.leaves {
		list := l.list(chunk)
		if list == nil {
			continue
		}
		lengths, table := q.lengths(l.field, chunk), tables[i]
		short := lengths.Short()
		err := list.Blocks(func(slots []uint16, freqs []uint32, masked *postings.Slots) error {
			var of *[BlockRows]float64
			block := -1
			for k, slot := range slots {
				if masked != nil && masked.Has(int(slot)) {
					continue
				}
				if b := int(slot / BlockRows); b != block {
					block = b
					if n := chunk*perChunk + uint32(b); n < to.Blocks() {
						of = to.Open(n)
					} else {
						return fmt.Errorf("%w: a row after the last one", postings.ErrMalformed)
					}
				}
				f := freqs[k]
				var v float64
				if int(slot) < len(short) && table != nil && f <= uint32(len(table)) {
					v = table[f-1][short[slot]]
				} else {
					v = q.score(l, f, lengths.Length(slot))
				}
				of[slot%BlockRows] += float64(v * by)
			}
			return nil
		})
		if err != nil {
			return q.bad(err)
		}
	}
	to.Bound(chunk*perChunk, (chunk+1)*perChunk)
	return nil
}
