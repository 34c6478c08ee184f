package tokenizer

import (
	"math"
	"sort"
	"unicode/utf8"
)

// pieces is the vocabulary: what a word can be made of, and how good each piece
// is.
type pieces struct {
	sorted []string // without duplicates, in byte order
	ids    []int64  // of sorted
	scores []float64
	first  [257]int32 // first[b] is where pieces that begin with byte b start
	unk    int64
	worst  float64     // score of a character that no piece has
	bytes  *[256]int64 // ids that spell unknown characters; nil = they become unk

	narrow bool             // sums are kept in 32 bits, as in SentencePiece; Hugging Face's have 64
	all    map[string]int64 // pieces that texts are not cut into as well; nil = there are none
}

// unknownPenalty is how much worse than the worst piece an unknown character is.
const unknownPenalty = 10

// newPieces makes a vocabulary: piece i has id i. Of equal pieces the last counts.
func newPieces(texts []string, scores []float64, unk int) *pieces {
	p := &pieces{unk: int64(unk), worst: math.Inf(1)}
	last := make(map[string]int, len(texts))
	for i, s := range texts {
		p.worst = min(p.worst, scores[i])
		if s != "" {
			last[s] = i
		}
	}
	p.worst -= unknownPenalty
	for s := range last {
		p.sorted = append(p.sorted, s)
	}
	sort.Strings(p.sorted)
	for _, s := range p.sorted {
		p.ids = append(p.ids, int64(last[s]))
		p.scores = append(p.scores, scores[last[s]])
	}
	p.index()
	return p
}

// index is called when sorted is complete.
func (p *pieces) index() {
	for b := range p.first {
		p.first[b] = int32(sort.Search(len(p.sorted), func(i int) bool { return int(p.sorted[i][0]) >= b }))
	}
}

// find returns the id of a piece.
func (p *pieces) find(s string) (int64, bool) {
	if p.all != nil {
		id, ok := p.all[s]
		return id, ok
	}
	i := sort.SearchStrings(p.sorted, s)
	if i == len(p.sorted) || p.sorted[i] != s {
		return 0, false
	}
	return p.ids[i], true
}

// end is the best way to the end of a piece.
type end struct {
	score float64
	start int32 // where its last piece begins; -1 when nothing ends here
	id    int64
}

// append appends the ids of the best sequence of pieces for a word (Viterbi).
func (p *pieces) append(dst []int64, word string) []int64 {
	var buf [128]end
	best := buf[:]
	if len(word)+1 > len(best) {
		best = make([]end, len(word)+1)
	}
	best = best[:len(word)+1]
	for i := range best {
		best[i].start = -1
	}
	best[0] = end{start: 0}
	for at := 0; at < len(word); {
		_, n := utf8.DecodeRuneInString(word[at:])
		here, single := best[at].score, false
		p.prefixes(word[at:], func(length, i int) {
			e := &best[at+length]
			if score := p.scores[i] + here; e.start < 0 || score > e.score {
				if p.narrow { // compared in 64 bits, kept in 32
					score = float64(float32(score))
				}
				*e = end{score, int32(at), p.ids[i]}
			}
			single = single || length == n
		})
		unknown := p.worst + here
		if p.narrow {
			unknown = float64(float32(unknown))
		}
		if e := &best[at+n]; !single && (e.start < 0 || unknown > e.score) {
			*e = end{unknown, int32(at), p.unk}
		}
		at += n
	}
	// Backwards, and then turned around.
	from := len(dst)
	for at := len(word); at > 0; {
		e := best[at]
		start := int(e.start)
		if e.id == p.unk {
			// Unknown characters in a row are one.
			for start > 0 && best[start].id == p.unk {
				start = int(best[start].start)
			}
			if p.bytes != nil {
				for i := at - 1; i >= start; i-- {
					dst = append(dst, p.bytes[word[i]])
				}
				at = start
				continue
			}
		}
		dst = append(dst, e.id)
		at = start
	}
	for i, j := from, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// prefixes calls f for every piece that s begins with, shorter ones first: its
// length and its place in sorted.
func (p *pieces) prefixes(s string, f func(length, i int)) {
	lo, hi := int(p.first[s[0]]), int(p.first[int(s[0])+1])
	for depth := 1; lo < hi; depth++ {
		// All of sorted[lo:hi] begin with s[:depth]; the shortest comes first.
		if len(p.sorted[lo]) == depth {
			f(depth, lo)
			lo++
		}
		if depth == len(s) {
			return
		}
		c := s[depth]
		lo += sort.Search(hi-lo, func(i int) bool { return p.sorted[lo+i][depth] >= c })
		hi = lo + sort.Search(hi-lo, func(i int) bool { return p.sorted[lo+i][depth] > c })
	}
}
