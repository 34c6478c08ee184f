package clip

import "container/heap"

// bpe merges the bytes of a word into tokens.
type bpe struct {
	merges map[pair]merge
	inner  [256]uint32 // token of a byte inside a word
	last   [256]uint32 // token of a byte that ends a word
}

// pair is two neighbouring tokens.
type pair struct{ left, right uint32 }

// merge is what a pair becomes; the pair of the lowest rank goes first.
type merge struct{ rank, id uint32 }

const noRank = ^uint32(0)

// scanned is the length up to which looking at all pairs anew for every merge
// is quicker than keeping them in a heap.
const scanned = 48

// append appends the tokens of a word of at least one byte.
func (b *bpe) append(dst []int64, w string) []int64 {
	if len(w) > scanned {
		return b.appendLong(dst, w)
	}
	var buf [scanned]uint32
	s := buf[:len(w)]
	b.bytes(s, w)
	for len(s) > 1 {
		best := merge{rank: noRank}
		var of pair
		for i := range s[:len(s)-1] {
			p := pair{s[i], s[i+1]}
			if m, ok := b.merges[p]; ok && m.rank < best.rank {
				best, of = m, p
			}
		}
		if best.rank == noRank {
			break
		}
		n := 0
		for i := 0; i < len(s); i++ {
			if i+1 < len(s) && s[i] == of.left && s[i+1] == of.right {
				s[n] = best.id
				i++
			} else {
				s[n] = s[i]
			}
			n++
		}
		s = s[:n]
	}
	for _, id := range s {
		dst = append(dst, int64(id))
	}
	return dst
}

func (b *bpe) bytes(s []uint32, w string) {
	for i := range s {
		s[i] = b.inner[w[i]]
	}
	s[len(s)-1] = b.last[w[len(w)-1]]
}

// appendLong is append in n log n steps, so that a megabyte without a space
// is no way to keep the program busy.
func (b *bpe) appendLong(dst []int64, w string) []int64 {
	ids := make([]uint32, len(w))
	b.bytes(ids, w)
	// next and prev link the tokens still alive; a token lives at the index of
	// its first byte.
	next, prev := make([]int, len(w)), make([]int, len(w))
	for i := range next {
		next[i], prev[i] = i+1, i-1
	}
	var q mergeQueue
	offer := func(i int) {
		if i < 0 || next[i] >= len(w) {
			return
		}
		p := pair{ids[i], ids[next[i]]}
		if m, ok := b.merges[p]; ok {
			heap.Push(&q, pendingMerge{m, p, i})
		}
	}
	for i := range ids {
		offer(i)
	}
	dead := make([]bool, len(w))
	for len(q) > 0 {
		m := heap.Pop(&q).(pendingMerge)
		i := m.at
		if dead[i] || next[i] >= len(w) || ids[i] != m.of.left || ids[next[i]] != m.of.right {
			continue // one of the two was merged meanwhile
		}
		j := next[i]
		dead[j] = true
		ids[i] = m.id
		next[i] = next[j]
		if next[i] < len(w) {
			prev[next[i]] = i
		}
		offer(prev[i])
		offer(i)
	}
	for i := 0; i < len(w); i = next[i] {
		dst = append(dst, int64(ids[i]))
	}
	return dst
}

type pendingMerge struct {
	merge
	of pair
	at int
}

// mergeQueue is a heap by rank and then place.
type mergeQueue []pendingMerge

func (q mergeQueue) Len() int { return len(q) }
func (q mergeQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q mergeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *mergeQueue) Push(x any)   { *q = append(*q, x.(pendingMerge)) }
func (q *mergeQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}
