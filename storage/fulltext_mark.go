package storage

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/text"
)

// Mark returns a text of the query's first column with from before and to after what it has of
// the query's words, phrases as one. With a limit it is the part of so many words in which
// most of the query's are, and … stands for what is left out.
func (q *TextQuery) Mark(s string, limit int, from, to string) string {
	words := text.Borrow(q.x.options.language)
	defer words.Return()
	f := q.fields[0]
	o := q.find(words, []*string{&s})
	var tokens []text.Token
	words.Each(s, func(k text.Token) { tokens = append(tokens, k) })
	leafOf := make([]int, len(tokens)) // 1 + the first leaf that a token belongs to
	joined := make([]bool, len(tokens))
	for n, l := range q.leaves {
		if l.field != f {
			continue
		}
		mark := func(p, end int) {
			for i := p; i <= end && i < len(tokens); i++ {
				if leafOf[i] == 0 {
					leafOf[i] = n + 1
				}
				joined[i] = joined[i] || i < end
			}
		}
		at := func(i int) []uint32 { return o.at[f][l.ids[i]] }
		if l.parts == nil {
			for _, p := range phrase(nil, l.terms, at) {
				mark(int(p), int(p)+l.terms[len(l.terms)-1].Pos)
			}
			continue
		}
		starts := l.starts(at)
		clumps := l.clumps(starts)
		for i, s := range starts {
			for _, p := range s { // of the first clump that ends there or later
				end := l.end(i, p)
				if k, _ := slices.BinarySearch(clumps, p); k < len(clumps) && end+l.within >= clumps[k] {
					mark(int(p), int(end)-1)
				}
			}
		}
	}
	first, last := 0, len(tokens)
	if limit > 0 && len(tokens) > limit {
		first = bestWindow(leafOf, limit)
		last = first + limit
	}
	start, end := 0, len(s)
	if first > 0 {
		start = tokens[first].Start
	}
	if last < len(tokens) {
		end = tokens[last-1].End
	}
	var b strings.Builder
	if start > 0 {
		b.WriteString("…")
	}
	at := start
	for i := first; i < last; i++ {
		if leafOf[i] == 0 || tokens[i].Start < at {
			continue
		}
		k := i
		for k+1 < last && leafOf[k+1] > 0 && (joined[k] || tokens[k+1].Start < tokens[k].End) {
			k++
		}
		stop := min(max(tokens[k].End, tokens[i].End), end)
		b.WriteString(s[at:tokens[i].Start] + from + s[tokens[i].Start:stop] + to)
		at = stop
		i = k
	}
	b.WriteString(s[min(at, end):end])
	if end < len(s) {
		b.WriteString("…")
	}
	return b.String()
}

// bestWindow returns where the window of n tokens begins that has most different leaves, and
// of those most marked tokens; some room is left before the first.
func bestWindow(leafOf []int, n int) int {
	best, most := 0, -1
	count := map[int]int{}
	marked := 0
	for i := range leafOf {
		if x := leafOf[i]; x > 0 {
			count[x]++
			marked++
		}
		if i >= n {
			if x := leafOf[i-n]; x > 0 {
				if count[x]--; count[x] == 0 {
					delete(count, x)
				}
				marked--
			}
		}
		if i >= n-1 {
			if score := len(count)*len(leafOf) + marked; score > most {
				most, best = score, i-n+1
			}
		}
	}
	// The words found come to the middle, as far as there is room.
	lead := 0
	for best+n+lead < len(leafOf) && lead < n && leafOf[best+lead] == 0 {
		lead++
	}
	trail := 0
	for trail < n && leafOf[best+n-1-trail] == 0 {
		trail++
	}
	if shift := (trail - lead) / 2; shift > 0 {
		best = max(0, best-shift)
	} else if shift < 0 {
		best = min(best-shift, len(leafOf)-n)
	}
	return best
}
