package postings

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// history makes records of random changes, and what they come to.
func history(r *rand.Rand) (value, apart []byte, want map[uint16][]uint32, lengths []uint32) {
	want = map[uint16][]uint32{}
	lengths = make([]uint32, ChunkRows)
	for i := range lengths {
		lengths[i] = uint32(r.IntN(1 << (1 + r.IntN(8))))
	}
	length := func(s uint16) uint32 { return lengths[s] }
	span := 1 << (1 + r.IntN(16))
	for n := range 1 + r.IntN(5) {
		set := map[uint16]bool{}
		for range r.IntN(1 + span/(1+r.IntN(8))) {
			set[uint16(r.IntN(span))] = true
		}
		var slots []uint16
		for s := range set {
			slots = append(slots, s)
		}
		slices.Sort(slots)
		if n > 0 && r.IntN(2) == 0 {
			value = AppendRemovals(value, slots)
			for _, s := range slots {
				delete(want, s)
			}
			continue
		}
		var ps []Posting
		var positions []byte
		for _, s := range slots {
			var at []uint32
			for p := range 1 + r.IntN(1+r.IntN(1+r.IntN(20))) {
				at = append(at, uint32(p*(1+r.IntN(300))))
			}
			slices.Sort(at)
			ps, positions = append(ps, Posting{s, uint32(len(at))}), AppendPositions(positions, at)
			want[s] = at
		}
		inline := n > 0 || r.IntN(2) == 0
		value = AppendSegment(value, ps, positions, inline, length)
		if !inline {
			apart = positions
		}
	}
	return value, apart, want, lengths
}

func TestLists(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		value, apart, want, lengths := history(r)
		length := func(s uint16) uint32 { return lengths[s] }
		var l List
		if err := l.Parse(value, length); err != nil {
			t.Fatal(err)
		}
		if l.N != len(want) {
			t.Fatalf("%d postings, want %d", l.N, len(want))
		}
		last, n := -1, 0
		check := func(p Posting) {
			if int(p.Slot) <= last || int(p.Freq) != len(want[p.Slot]) {
				t.Fatalf("%+v after %d, want %d", p, last, len(want[p.Slot]))
			}
			last = int(p.Slot)
			n++
		}
		if err := l.All(func(p Posting) error { check(p); return nil }); err != nil || n != len(want) {
			t.Fatal(n, len(want), err)
		}
		last, n = -1, 0
		err := l.Positions(apart, nil, func(p Posting, b []byte) error {
			check(p)
			at, rest, err := ReadPositions(nil, b, p.Freq)
			if err != nil || len(rest) > 0 || !slices.Equal(at, want[p.Slot]) {
				t.Fatalf("%v, want %v: %v", at, want[p.Slot], err)
			}
			return nil
		})
		if err != nil || n != len(want) {
			t.Fatal(n, err)
		}
		var all, some Slots
		if err := l.AddSlots(&all); err != nil {
			t.Fatal(err)
		}
		n = 0
		for s := range ChunkRows {
			if _, ok := want[uint16(s)]; ok != all.Has(s) {
				t.Fatalf("slot %d: %v", s, !ok)
			} else if ok && r.IntN(2) == 0 {
				some.set(s)
				n++
			}
		}
		err = l.Positions(apart, &some, func(p Posting, b []byte) error {
			if n--; !some.Has(int(p.Slot)) || int(p.Freq) != len(want[p.Slot]) {
				t.Fatalf("%+v", p)
			}
			return nil
		})
		if err != nil || n != 0 {
			t.Fatal(n, err)
		}
		for _, s := range []*Segment{&l.Base, &l.Late} {
			bounds(t, r, s, lengths)
		}
	}
}

// bounds checks that seeking finds what there is, and that impacts bound it.
func bounds(t *testing.T, r *rand.Rand, s *Segment, lengths []uint32) {
	var all []Posting
	_ = s.All(func(p Posting) error { all = append(all, p); return nil })
	covers := func(impacts []Impact, p Posting) bool {
		return slices.ContainsFunc(impacts, func(x Impact) bool { return x.Freq >= p.Freq && x.Length <= lengths[p.Slot] })
	}
	var c Cursor
	if err := c.Reset(s); err != nil {
		t.Fatal(err)
	}
	for slot := 0; slot < ChunkRows; slot += 1 + r.IntN(1+r.IntN(3000)) {
		last, err := c.Shallow(slot)
		if err != nil {
			t.Fatal(err)
		}
		impacts := c.Impacts()
		for _, p := range all {
			if int(p.Slot) >= slot && int(p.Slot) <= last && impacts != nil && !covers(impacts, p) {
				t.Fatalf("%+v of length %d is not below %v", p, lengths[p.Slot], impacts)
			}
		}
		if r.IntN(3) == 0 {
			continue
		}
		got, err := c.Seek(slot)
		if err != nil {
			t.Fatal(err)
		}
		i, _ := slices.BinarySearchFunc(all, slot, func(p Posting, s int) int { return int(p.Slot) - s })
		if i == len(all) && got != ChunkRows || i < len(all) && (got != int(all[i].Slot) || c.Freq() != all[i].Freq) {
			t.Fatalf("seek %d: %d", slot, got)
		}
	}
	for _, p := range all {
		if s.Impacts != nil && len(s.Impacts) > 0 && !covers(s.Impacts, p) {
			t.Fatalf("%+v is not below %v", p, s.Impacts)
		}
	}
}

func TestLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		want := map[uint16]uint32{}
		var value []byte
		if r.IntN(3) > 0 {
			base := make([]uint32, r.IntN(2000))
			for i := range base {
				if base[i] = uint32(r.IntN(1 << r.IntN(20))); base[i] > 0 {
					want[uint16(i)] = base[i] - 1
				}
			}
			value = AppendLengths(value, base)
		}
		for range r.IntN(4) {
			var slots []uint16
			var lengths []uint32
			for s := r.IntN(100); s < 3000; s += 1 + r.IntN(500) {
				slots, lengths = append(slots, uint16(s)), append(lengths, uint32(r.IntN(5000)))
			}
			if r.IntN(2) == 0 {
				value = AppendRemovals(value, slots)
				for _, s := range slots {
					delete(want, s)
				}
				continue
			}
			value = AppendNewLengths(value, slots, lengths)
			for i, s := range slots {
				want[s] = lengths[i]
			}
		}
		for range 2 {
			var l Lengths
			if err := l.Parse(value); err != nil {
				t.Fatal(err)
			}
			tokens := uint64(0)
			for s := range 4000 {
				n, ok := want[uint16(s)]
				if l.Length(uint16(s)) != n || l.Has(uint16(s)) != ok {
					t.Fatalf("slot %d: %d %v, want %d %v", s, l.Length(uint16(s)), l.Has(uint16(s)), n, ok)
				}
				tokens += uint64(n)
			}
			if l.Tokens != tokens || l.Texts != len(want) {
				t.Fatal(l.Tokens, tokens, l.Texts, len(want))
			}
			var some []uint16
			for slot := r.IntN(50); slot < 4000; slot += 1 + r.IntN(900) {
				some = append(some, uint16(slot))
			}
			only := l.Only(some)
			for _, slot := range some {
				if only.Length(slot) != l.Length(slot) || only.Has(slot) != l.Has(slot) {
					t.Fatalf("slot %d of some: %d %v, want %d %v", slot, only.Length(slot), only.Has(slot), l.Length(slot), l.Has(slot))
				}
			}
			value = AppendLengths(nil, l.All())
		}
	}
}

func FuzzParse(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		v, a, _, _ := history(r)
		f.Add(v, a)
	}
	f.Fuzz(func(t *testing.T, value, apart []byte) {
		var l List
		if l.Parse(value, func(uint16) uint32 { return 1 }) == nil {
			_ = l.All(func(Posting) error { return nil })
			_ = l.Positions(apart, nil, func(Posting, []byte) error { return nil })
		}
		var n Lengths
		if n.Parse(value) == nil {
			_ = n.All()
		}
	})
}
