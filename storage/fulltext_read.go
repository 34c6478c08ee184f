package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/lupadb/lupa/storage/internal/postings"
	"github.com/lupadb/lupa/storage/text"
)

// read reads where a leaf is.
func (q *TextQuery) read(ctx context.Context, l *textLeaf) error {
	var err error
	switch {
	case len(l.terms) == 1 && !l.terms[0].Prefix:
		err = q.eachList(ctx, q.x.termKeys(nil, textPostings, l.field, l.terms[0].Term), false, l.field, func(chunk uint32, list *postings.List, _ []byte) error {
			l.lists = append(l.lists, textList{chunk, list})
			return nil
		})
	case len(l.terms) == 1:
		err = q.readPrefix(ctx, l)
	default:
		err = q.readPhrase(ctx, l)
	}
	for _, c := range l.lists {
		l.n += uint64(c.N)
	}
	return err
}

// eachList calls f with the postings under each key that starts with prefix, and what has
// their positions, if it is wanted.
func (q *TextQuery) eachList(ctx context.Context, prefix []byte, positions bool, field int, f func(chunk uint32, list *postings.List, apart []byte) error) error {
	it, err := q.t.view.prefixIter(prefix)
	if err != nil {
		return q.bad(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return q.bad(err)
		}
		k := it.Key()
		chunk := binary.BigEndian.Uint32(k[len(k)-4:])
		list := new(postings.List)
		if err := list.Parse(bytes.Clone(v), q.lengthIn(field, chunk)); err != nil {
			return q.bad(err)
		}
		q.t.view.Reads.KeyBytes.Add(int64(len(k) + len(v)))
		var apart []byte
		if positions && list.Apart() {
			at := bytes.Clone(k)
			at[len(q.x.pre)] = textPositions
			if _, err := q.t.view.get(at, func(b []byte) error { apart = bytes.Clone(b); return nil }); err != nil {
				return q.bad(err)
			}
			q.t.view.Reads.KeyBytes.Add(int64(len(apart)))
		}
		if err := f(chunk, list, apart); err != nil {
			return q.bad(err)
		}
	}
	return q.bad(it.Error())
}

// virtual makes the lists of a leaf from frequencies by chunk and slot.
func (q *TextQuery) virtual(l *textLeaf, freqs map[uint32]map[uint16]uint32) error {
	for chunk, f := range freqs {
		ps := make([]postings.Posting, 0, len(f))
		for s, n := range f {
			ps = append(ps, postings.Posting{Slot: s, Freq: n})
		}
		slices.SortFunc(ps, func(a, b postings.Posting) int { return int(a.Slot) - int(b.Slot) })
		list := new(postings.List)
		if err := list.Virtual(ps, q.lengthIn(l.field, chunk)); err != nil {
			return q.bad(err)
		}
		l.lists = append(l.lists, textList{chunk, list})
	}
	slices.SortFunc(l.lists, func(a, b textList) int { return int(int64(a.chunk) - int64(b.chunk)) })
	return nil
}

func (q *TextQuery) readPrefix(ctx context.Context, l *textLeaf) error {
	freqs := map[uint32]map[uint16]uint32{}
	err := q.eachList(ctx, q.x.termPrefix(nil, textPostings, l.field, l.terms[0].Term), false, l.field, func(chunk uint32, list *postings.List, _ []byte) error {
		f := freqs[chunk]
		if f == nil {
			f = map[uint16]uint32{}
			freqs[chunk] = f
		}
		return list.All(func(p postings.Posting) error { f[p.Slot] += p.Freq; return nil })
	})
	if err != nil {
		return err
	}
	return q.virtual(l, freqs)
}

// readPhrase finds a phrase: chunk by chunk those rows with all its terms, and of them the
// positions.
func (q *TextQuery) readPhrase(ctx context.Context, l *textLeaf) error {
	type found struct {
		list  *postings.List
		apart []byte
	}
	lists := make([]map[uint32][]found, len(l.terms))
	for i, t := range l.terms {
		lists[i] = map[uint32][]found{}
		prefix := q.x.termKeys(nil, textPostings, l.field, t.Term)
		if t.Prefix {
			prefix = q.x.termPrefix(nil, textPostings, l.field, t.Term)
		}
		err := q.eachList(ctx, prefix, true, l.field, func(chunk uint32, list *postings.List, apart []byte) error {
			if i == 0 || lists[i-1][chunk] != nil {
				lists[i][chunk] = append(lists[i][chunk], found{list, apart})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	var in, both postings.Slots
	at := make([]slotPositions, len(lists))
	for _, chunk := range slices.Sorted(maps.Keys(lists[len(lists)-1])) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range lists {
			clear(in[:])
			for _, f := range lists[i][chunk] {
				if err := f.list.AddSlots(&in); err != nil {
					return q.bad(err)
				}
			}
			if i == 0 {
				both = in
				continue
			}
			for w := range both {
				both[w] &= in[w]
			}
		}
		for i := range lists {
			at[i].reset()
			for _, f := range lists[i][chunk] {
				if err := f.list.Positions(f.apart, &both, at[i].add); err != nil {
					return q.bad(err)
				}
			}
			at[i].order(len(lists[i][chunk]))
		}
		var ps []postings.Posting
		for i := range at {
			if len(at[i].slots) != len(at[0].slots) {
				return q.bad(fmt.Errorf("%w: repeated slots", postings.ErrMalformed))
			}
		}
		for k, slot := range at[0].slots { // every term has all of them
			if n := l.freq(func(i int) []uint32 { return at[i].of(k) }); n > 0 {
				ps = append(ps, postings.Posting{Slot: slot, Freq: n})
			}
		}
		if len(ps) == 0 {
			continue
		}
		list := new(postings.List)
		if err := list.Virtual(ps, q.lengthIn(l.field, chunk)); err != nil {
			return q.bad(err)
		}
		l.lists = append(l.lists, textList{chunk, list})
	}
	return nil
}

// slotPositions are the positions of a term in some slots.
type slotPositions struct {
	slots     []uint16
	ends      []int // in positions
	positions []uint32
}

func (s *slotPositions) reset() {
	s.slots, s.ends, s.positions = s.slots[:0], s.ends[:0], s.positions[:0]
}

func (s *slotPositions) add(p postings.Posting, b []byte) (err error) {
	if s.positions, _, err = postings.ReadPositions(s.positions, b, p.Freq); err == nil {
		s.slots, s.ends = append(s.slots, p.Slot), append(s.ends, len(s.positions))
	}
	return err
}

// of returns the positions in the slot at i.
func (s *slotPositions) of(i int) []uint32 {
	if i == 0 {
		return s.positions[:s.ends[0]]
	}
	return s.positions[s.ends[i-1]:s.ends[i]]
}

// order joins what several lists have added, those of the terms that a prefix stands for.
func (s *slotPositions) order(lists int) {
	if lists < 2 {
		return
	}
	order := make([]int, len(s.slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(s.slots[a]) - int(s.slots[b]) })
	var out slotPositions
	for _, i := range order {
		if n := len(out.slots); n == 0 || out.slots[n-1] != s.slots[i] {
			out.slots, out.ends = append(out.slots, s.slots[i]), append(out.ends, 0)
		}
		out.positions = append(out.positions, s.of(i)...)
		out.ends[len(out.ends)-1] = len(out.positions)
	}
	*s = out
}

// phrase adds to dst where terms follow each other, whose positions are those of at: the
// positions of the first one.
func phrase(dst []uint32, terms []text.QueryTerm, at func(i int) []uint32) []uint32 {
	for _, p := range at(0) {
		all := true
		for i := 1; i < len(terms) && all; i++ {
			all = slices.Contains(at(i), p+uint32(terms[i].Pos))
		}
		if all {
			dst = append(dst, p)
		}
	}
	return dst
}

// freq counts where a text has a leaf, by the positions of its terms.
func (l *textLeaf) freq(at func(i int) []uint32) uint32 {
	if len(l.terms) == 1 {
		return uint32(len(at(0)))
	}
	if l.parts == nil {
		return uint32(len(phrase(nil, l.terms, at)))
	}
	return uint32(len(l.clumps(l.starts(at))))
}

// part returns the terms of one of several phrases.
func (l *textLeaf) part(i int) []text.QueryTerm {
	end := len(l.terms)
	if i+1 < len(l.parts) {
		end = l.parts[i+1]
	}
	return l.terms[l.parts[i]:end]
}

// end is the position after the words of one of several phrases that starts somewhere.
func (l *textLeaf) end(i int, start uint32) uint32 {
	terms := l.part(i)
	return start + uint32(terms[len(terms)-1].Pos) + 1
}

// starts are the positions at which each of several phrases starts, ascending.
func (l *textLeaf) starts(at func(i int) []uint32) [][]uint32 {
	starts := make([][]uint32, len(l.parts))
	for i, from := range l.parts {
		starts[i] = phrase(nil, l.part(i), func(k int) []uint32 { return at(from + k) })
		slices.Sort(starts[i]) // those of a prefix come word by word
		starts[i] = slices.Compact(starts[i])
		if len(starts[i]) == 0 {
			return nil
		}
	}
	return starts
}

// clumps returns where the last phrase of a clump starts: one of each phrase begins there or before,
// and from its end to there are at most l.within words. That is what NEAR of FTS5 finds.
func (l *textLeaf) clumps(starts [][]uint32) (last []uint32) {
	for _, s := range starts {
		last = append(last, s...)
	}
	slices.Sort(last)
	next := make([]int, len(starts)) // after those that start up to a position
	out := last[:0]
	for _, p := range slices.Compact(last) {
		all := true
		for i, s := range starts {
			for next[i] < len(s) && s[next[i]] <= p {
				next[i]++
			}
			all = all && next[i] > 0 && l.end(i, s[next[i]-1])+l.within >= p
		}
		if all {
			out = append(out, p)
		}
	}
	return out
}

// occurrences are where a text has the terms of a query.
type occurrences struct {
	q      *TextQuery
	at     map[int][][]uint32 // positions by field and term
	length []uint32           // by field
}

func (o *occurrences) freq(l *textLeaf) uint32 {
	at := o.at[l.field]
	if at == nil {
		return 0
	}
	return l.freq(func(i int) []uint32 { return at[l.ids[i]] })
}
