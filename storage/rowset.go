package storage

import (
	"iter"
	"math/bits"

	"github.com/lupadb/lupa/storage/value"
)

// BlockRows is the number of row numbers in a block.
const BlockRows = value.BatchSize

// BlockSet is a set of the rows of one block: bit i is row block*1024+i.
type BlockSet [BlockRows / 64]uint64

// Count returns the number of rows in the set.
func (s *BlockSet) Count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Has reports whether the set holds row i of the block.
func (s *BlockSet) Has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// RowSet is a set of row numbers, as a bitmap per block: what a filter leaves,
// handed to Scan and Nearest. The zero RowSet is empty and ready to use. It may
// be read by many goroutines as long as none changes it.
type RowSet struct {
	blocks []*BlockSet // index = block; nil = no row of that block
	n      int
}

// RowsOf returns the set of the given row numbers.
func RowsOf(rows []uint64) *RowSet {
	s := new(RowSet)
	for _, r := range rows {
		s.Add(r)
	}
	return s
}

// Add puts row into the set.
func (s *RowSet) Add(row uint64) {
	b := s.grow(uint32(row / BlockRows))
	w, m := &b[row%BlockRows>>6], uint64(1)<<(row&63)
	if *w&m == 0 {
		*w |= m
		s.n++
	}
}

// AddBlock puts the rows of a block into a set that are in another one, nil for all that the block
// has.
func (t *Table) AddBlock(to *RowSet, block uint32, of *RowSet) {
	set := firstRows(t.rowsIn(block))
	if of != nil {
		from := of.Block(block)
		if from == nil {
			return
		}
		set = *from
	}
	b := to.grow(block)
	to.n -= b.Count()
	for i, w := range set {
		b[i] |= w
	}
	to.n += b.Count()
}

// AddBatch puts the selected rows of a batch read from a table into the set.
func (s *RowSet) AddBatch(b *value.Batch) {
	if b.Sel == nil {
		for _, r := range b.Rows[:b.Len] {
			s.Add(r)
		}
		return
	}
	for _, i := range b.Sel {
		s.Add(b.Rows[i])
	}
}

func (s *RowSet) grow(block uint32) *BlockSet {
	for int(block) >= len(s.blocks) {
		s.blocks = append(s.blocks, nil)
	}
	if s.blocks[block] == nil {
		s.blocks[block] = new(BlockSet)
	}
	return s.blocks[block]
}

// Has reports whether row is in the set.
func (s *RowSet) Has(row uint64) bool {
	b := s.Block(uint32(row / BlockRows))
	return b != nil && b.Has(int(row%BlockRows))
}

// Block returns the rows of one block, nil when there are none. The caller
// doesn't change it.
func (s *RowSet) Block(block uint32) *BlockSet {
	if int(block) >= len(s.blocks) {
		return nil
	}
	return s.blocks[block]
}

// Blocks returns one more than the highest block that may hold a row.
func (s *RowSet) Blocks() uint32 { return uint32(len(s.blocks)) }

// Len returns the number of rows in the set.
func (s *RowSet) Len() int { return s.n }

// lookedAt returns how many rows a search through the codes of blocks looks at for the set: where
// one of 64 neighbours is wanted, all of them.
func (s *RowSet) lookedAt() (n int) {
	for _, set := range s.blocks {
		if set == nil {
			continue
		}
		for _, word := range set {
			if word != 0 {
				n += 64
			}
		}
	}
	return n
}

// All returns the row numbers in ascending order.
func (s *RowSet) All() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for b, set := range s.blocks {
			if set == nil {
				continue
			}
			for w, word := range set {
				for ; word != 0; word &= word - 1 {
					if !yield(uint64(b)*BlockRows + uint64(w)*64 + uint64(bits.TrailingZeros64(word))) {
						return
					}
				}
			}
		}
	}
}
