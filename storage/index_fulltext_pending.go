package storage

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/internal/postings"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// pendingTexts are changes of an index that are not written yet.
type pendingTexts struct {
	x      *fullText
	words  *text.Analyzer
	chunks map[uint32][]pendingField
	bytes  int  // of memory, about
	many   bool // texts are expected
}

type pendingField struct {
	terms   map[string]*pendingTerm
	byID    []*pendingTerm // as the analyzer numbers them, where many texts are expected
	renewed int
	slots   []uint16 // with new lengths
	lengths []uint32
	gone    []uint16
}

// pendingTerm is what is new of a term in a chunk.
type pendingTerm struct {
	slots     []uint16
	freqs     []uint32
	positions []byte   // of all, in turn
	last      uint32   // position
	gone      []uint16 // slots
}

func (x *fullText) pending() *pendingTexts {
	return &pendingTexts{x: x, words: text.Borrow(x.options.language), chunks: map[uint32][]pendingField{}}
}

func (p *pendingTexts) close() {
	if p.words != nil {
		p.words.Return()
		p.words = nil
	}
}

func (p *pendingTexts) fields(chunk uint32) []pendingField {
	f := p.chunks[chunk]
	if f == nil {
		f = make([]pendingField, len(p.x.at))
		for i := range f {
			f[i].terms = map[string]*pendingTerm{}
		}
		p.chunks[chunk] = f
	}
	return f
}

func (f *pendingField) term(p *pendingTexts, k *text.Token) *pendingTerm {
	if p.many {
		if r := p.words.Renewed(); r != f.renewed {
			clear(f.byID)
			f.renewed = r
		}
		if k.ID < len(f.byID) {
			if t := f.byID[k.ID]; t != nil {
				return t
			}
		}
	}
	t := f.terms[k.Term]
	if t == nil {
		t = new(pendingTerm)
		f.terms[k.Term] = t
		p.bytes += 160 + len(k.Term)
	}
	if p.many {
		for k.ID >= len(f.byID) {
			f.byID = append(f.byID, nil)
			p.bytes += 8
		}
		f.byID[k.ID] = t
	}
	return t
}

func (p *pendingTexts) add(cols []*value.Column, i int, row uint64) {
	fields, slot := p.fields(uint32(row/postings.ChunkRows)), uint16(row%postings.ChunkRows)
	for n, at := range p.x.at {
		s, ok := textOf(cols[at], i)
		if !ok {
			continue
		}
		f := &fields[n]
		length := p.words.Each(s, func(k text.Token) {
			t := f.term(p, &k)
			if last := len(t.slots) - 1; last >= 0 && t.slots[last] == slot {
				t.freqs[last]++
			} else {
				t.slots, t.freqs, t.last = append(t.slots, slot), append(t.freqs, 1), 0
				p.bytes += 8
			}
			t.positions = binary.AppendUvarint(t.positions, uint64(uint32(k.Pos)-t.last))
			t.last = uint32(k.Pos)
			p.bytes += 2
		})
		f.slots, f.lengths = append(f.slots, slot), append(f.lengths, uint32(length))
		p.bytes += 8
	}
}

func (p *pendingTexts) remove(cols []*value.Column, i int, row uint64) {
	fields, slot := p.fields(uint32(row/postings.ChunkRows)), uint16(row%postings.ChunkRows)
	for n, at := range p.x.at {
		s, ok := textOf(cols[at], i)
		if !ok {
			continue
		}
		f := &fields[n]
		p.words.Each(s, func(k text.Token) {
			t := f.term(p, &k)
			if last := len(t.gone) - 1; last < 0 || t.gone[last] != slot {
				t.gone = append(t.gone, slot)
				p.bytes += 4
			}
		})
		f.gone = append(f.gone, slot)
		p.bytes += 4
	}
}

// order sorts what is by slot, if need be.
func (t *pendingTerm) order() {
	sortSlots(&t.gone)
	if slices.IsSorted(t.slots) {
		return
	}
	type entry struct {
		slot      uint16
		freq      uint32
		positions []byte
	}
	var all []entry
	rest := t.positions
	for i, s := range t.slots {
		_, after, err := postings.ReadPositions(nil, rest, t.freqs[i])
		if err != nil {
			panic(err) // they were just written
		}
		all = append(all, entry{s, t.freqs[i], rest[:len(rest)-len(after)]})
		rest = after
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.slot, b.slot) })
	sorted := pendingTerm{gone: t.gone}
	for _, e := range all {
		sorted.slots, sorted.freqs = append(sorted.slots, e.slot), append(sorted.freqs, e.freq)
		sorted.positions = append(sorted.positions, e.positions...)
	}
	*t = sorted
}

func sortSlots(s *[]uint16) {
	if !slices.IsSorted(*s) {
		slices.Sort(*s)
	}
	*s = slices.Compact(*s)
}

// flush calls emit with the records of every key that changes, in the order of the keys, and
// forgets them.
func (p *pendingTexts) flush(emit func(k, record []byte) error) error {
	x := p.x
	type sortedTerm struct {
		term string
		t    *pendingTerm
	}
	var k, record []byte
	type part struct {
		chunk uint32
		f     *pendingField
		terms []sortedTerm
	}
	parts := make([][]part, len(x.at))
	for _, chunk := range slices.Sorted(maps.Keys(p.chunks)) {
		fields := p.chunks[chunk]
		for n := range fields {
			parts[n] = append(parts[n], part{chunk: chunk, f: &fields[n]})
		}
	}
	for n := range parts {
		for i := range parts[n] {
			f := parts[n][i].f
			f.sort()
			if record = f.appendLengths(record[:0]); len(record) > 0 {
				k = x.lengthsKey(k[:0], n, parts[n][i].chunk)
				if err := emit(k, record); err != nil {
					return err
				}
			}
			for term, t := range f.terms {
				parts[n][i].terms = append(parts[n][i].terms, sortedTerm{term, t})
			}
			slices.SortFunc(parts[n][i].terms, func(a, b sortedTerm) int { return strings.Compare(a.term, b.term) })
		}
	}
	var ps []postings.Posting
	for n := range parts {
		// By term, and then by chunk.
		next := make([]int, len(parts[n]))
		for {
			least, found := "", false
			for i := range parts[n] {
				if at := next[i]; at < len(parts[n][i].terms) {
					if term := parts[n][i].terms[at].term; !found || term < least {
						least, found = term, true
					}
				}
			}
			if !found {
				break
			}
			for i := range parts[n] {
				at := next[i]
				if at == len(parts[n][i].terms) || parts[n][i].terms[at].term != least {
					continue
				}
				next[i]++
				t := parts[n][i].terms[at].t
				t.order()
				record = record[:0]
				if len(t.gone) > 0 {
					record = postings.AppendRemovals(record, t.gone)
				}
				if len(t.slots) > 0 {
					ps = ps[:0]
					for j, s := range t.slots {
						ps = append(ps, postings.Posting{Slot: s, Freq: t.freqs[j]})
					}
					record = postings.AppendSegment(record, ps, t.positions, true, parts[n][i].f.length)
				}
				k = binary.BigEndian.AppendUint32(x.termKeys(k[:0], textPostings, n, least), parts[n][i].chunk)
				if err := emit(k, record); err != nil {
					return err
				}
			}
		}
	}
	clear(p.chunks)
	p.bytes = 0
	return nil
}

// sort puts the lengths in order.
func (f *pendingField) sort() {
	sortSlots(&f.gone)
	if slices.IsSorted(f.slots) {
		return
	}
	order := make([]int, len(f.slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(f.slots[a], f.slots[b]) })
	slots, lengths := make([]uint16, len(order)), make([]uint32, len(order))
	for i, at := range order {
		slots[i], lengths[i] = f.slots[at], f.lengths[at]
	}
	f.slots, f.lengths = slots, lengths
}

func (f *pendingField) appendLengths(dst []byte) []byte {
	if len(f.gone) > 0 {
		dst = postings.AppendRemovals(dst, f.gone)
	}
	if len(f.slots) > 0 {
		dst = postings.AppendNewLengths(dst, f.slots, f.lengths)
	}
	return dst
}

// length returns the length of a text that was added.
func (f *pendingField) length(slot uint16) uint32 {
	if n := len(f.slots); n > 0 && slot >= f.slots[0] && int(f.slots[n-1]-f.slots[0]) == n-1 { // one after the other
		if i := int(slot - f.slots[0]); i < n {
			return f.lengths[i]
		}
	}
	if i, ok := slices.BinarySearch(f.slots, slot); ok {
		return f.lengths[i]
	}
	return 0
}
