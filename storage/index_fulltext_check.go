package storage

import (
	"bytes"
	"encoding/binary"

	"github.com/lupadb/lupa/storage/internal/postings"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// textCheck compares sums over what the rows' texts have with sums over what the index has.
type textCheck struct {
	*fullText
	c     *checker
	t     *Table
	words *text.Analyzer
	want  map[uint32]*chunkSums // by chunk
}

// chunkSums are of all postings of a chunk: how many, and the sum of a hash of each with its
// positions; and the same of lengths.
type chunkSums struct {
	postings, lengths uint64
	sum, lengthSum    uint64
}

func (x *fullText) check(c *checker, t *Table) indexCheck {
	return &textCheck{fullText: x, c: c, t: t, words: text.Borrow(x.options.language), want: map[uint32]*chunkSums{}}
}

func hashPosting(field int, term string, slot uint16, positions []uint32) uint64 {
	h := mix(hashText(term) ^ uint64(field)<<17 ^ uint64(slot))
	for _, p := range positions {
		h = mix(h ^ uint64(p) ^ 1<<33)
	}
	return h
}

func hashLength(field int, slot uint16, length uint32) uint64 {
	return mix(uint64(field)<<50 ^ uint64(slot)<<32 ^ uint64(length))
}

func (k *textCheck) sums(of map[uint32]*chunkSums, chunk uint32) *chunkSums {
	s := of[chunk]
	if s == nil {
		s = new(chunkSums)
		of[chunk] = s
	}
	return s
}

func (k *textCheck) row(cols []*value.Column, i int, row uint64) {
	s, slot := k.sums(k.want, uint32(row/postings.ChunkRows)), uint16(row%postings.ChunkRows)
	for n, at := range k.at {
		t, ok := textOf(cols[at], i)
		if !ok {
			continue
		}
		positions := map[string][]uint32{}
		length := k.words.Each(t, func(w text.Token) { positions[w.Term] = append(positions[w.Term], uint32(w.Pos)) })
		for term, at := range positions {
			s.postings++
			s.sum += hashPosting(n, term, slot, at)
		}
		s.lengths++
		s.lengthSum += hashLength(n, slot, uint32(length))
	}
}

func (k *textCheck) finish() error {
	k.words.Return()
	got := map[uint32]*chunkSums{}
	fail := func(err error) error {
		k.c.found(k.d.Name, "", k.where(), corrupt(k.d.Name, "", k.where(), err))
		return k.c.ctx.Err()
	}
	it, err := k.t.view.prefixIter(k.pre)
	if err != nil {
		return fail(err)
	}
	defer it.Close()
	lengths := map[uint64]*postings.Lengths{}
	apart := map[string]uint64{} // hashes of positions that nobody has asked for
	n := 0
	var list postings.List
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%1024 == 0 {
			if err := k.c.ctx.Err(); err != nil {
				return err
			}
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return fail(err)
		}
		rest := it.Key()[len(k.pre):]
		if len(rest) < 6 || int(rest[1]) >= len(k.at) {
			k.c.badf(k.t, "", k.where(), "key %x belongs to nothing", it.Key())
			continue
		}
		switch rest[0] {
		case textLengths:
			field, chunk := int(rest[1]), binary.BigEndian.Uint32(rest[2:])
			l := new(postings.Lengths)
			if err := l.Parse(bytes.Clone(v)); err != nil || len(rest) != 6 {
				return fail(firstError(err, postings.ErrMalformed))
			}
			lengths[uint64(field)<<32|uint64(chunk)] = l
			s := k.sums(got, chunk)
			for slot := range postings.ChunkRows {
				if l.Has(uint16(slot)) {
					s.lengths++
					s.lengthSum += hashLength(field, uint16(slot), l.Length(uint16(slot)))
				}
			}
		case textPositions:
			apart[string(rest[1:])] = uint64(len(v))
		case textPostings:
			field, term, chunk, err := splitTermKey(rest[1:])
			if err != nil {
				return fail(err)
			}
			l := lengths[uint64(field)<<32|uint64(chunk)]
			if l == nil {
				l = new(postings.Lengths)
			}
			if err := list.Parse(v, l.Length); err != nil {
				return fail(err)
			}
			var positions []byte
			if list.Apart() {
				at := append(append(append([]byte(nil), k.pre...), textPositions), rest[1:]...)
				ok, err := k.t.view.get(at, func(b []byte) error { positions = bytes.Clone(b); return nil })
				if err != nil {
					return fail(err)
				}
				if !ok {
					k.c.badf(k.t, "", k.where(), "the positions of %q are missing", term)
				}
				delete(apart, string(rest[1:]))
			}
			s := k.sums(got, chunk)
			var at []uint32
			err = list.Positions(positions, nil, func(p postings.Posting, b []byte) error {
				var err error
				at, _, err = postings.ReadPositions(at[:0], b, p.Freq)
				s.postings++
				s.sum += hashPosting(field, term, p.Slot, at)
				return err
			})
			if err != nil {
				return fail(err)
			}
			if err := list.VerifyImpacts(l.Length); err != nil {
				k.c.badf(k.t, "", k.where(), "the bounds of %q: %v", term, err)
			}
		default:
			k.c.badf(k.t, "", k.where(), "key %x belongs to nothing", it.Key())
		}
	}
	if err := it.Error(); err != nil {
		return fail(err)
	}
	for range apart {
		k.c.badf(k.t, "", k.where(), "positions of a term that does not exist")
		break
	}
	for chunk, s := range k.want {
		if g := got[chunk]; g == nil || *g != *s {
			if g == nil {
				g = new(chunkSums)
			}
			k.c.badf(k.t, "", k.where(), "what it has of rows %d to %d is not what their texts have (%d postings of %d texts, should be %d of %d)",
				uint64(chunk)*postings.ChunkRows, (uint64(chunk)+1)*postings.ChunkRows-1, g.postings, g.lengths, s.postings, s.lengths)
		}
	}
	for chunk, g := range got {
		if k.want[chunk] == nil && *g != (chunkSums{}) {
			k.c.badf(k.t, "", k.where(), "it has rows from %d on, which do not exist", uint64(chunk)*postings.ChunkRows)
		}
	}
	return nil
}
