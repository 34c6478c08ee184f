package storage

// RowScores are numbers by row. Most rows have 0, and blocks of such take no memory.
type RowScores struct {
	blocks []*scoreBlock // nil: all rows have 0
}

type scoreBlock struct {
	of   [BlockRows]float64
	most float64 // the largest, once they are bounded
}

// NewRowScores returns scores of a table's rows, 0 each.
func NewRowScores(t *Table) *RowScores {
	return &RowScores{make([]*scoreBlock, t.Blocks())}
}

// RowScoreBytes is what a block takes of which a row has a score.
const RowScoreBytes = 8 * BlockRows

// Blocks is the number of blocks of the table.
func (s *RowScores) Blocks() uint32 { return uint32(len(s.blocks)) }

// Of returns the score of a row.
func (s *RowScores) Of(row uint64) float64 {
	if b := s.blocks[row/BlockRows]; b != nil {
		return b.of[row%BlockRows]
	}
	return 0
}

// Block returns the scores of a block's rows, nil if all are 0, and a number that none is above,
// once Bound was called.
func (s *RowScores) Block(b uint32) (of *[BlockRows]float64, most float64) {
	x := s.blocks[b]
	if x == nil {
		return nil, 0
	}
	return &x.of, x.most
}

// Open returns the scores of a block's rows, to be set, until Bound is called for it. Different
// blocks may be open at the same time, in different goroutines.
func (s *RowScores) Open(b uint32) *[BlockRows]float64 {
	x := s.blocks[b]
	if x == nil {
		x = new(scoreBlock)
		s.blocks[b] = x
	}
	return &x.of
}

// Bound finds the largest scores of blocks. Those from first to last-1 have not been bounded, or
// have changed since.
func (s *RowScores) Bound(first, last uint32) {
	for _, x := range s.blocks[first:min(last, s.Blocks())] {
		if x == nil {
			continue
		}
		x.most = x.of[0]
		for _, v := range x.of {
			if v > x.most {
				x.most = v
			}
		}
	}
}

// Scale multiplies all scores by a number.
func (s *RowScores) Scale(by float64) {
	for _, x := range s.blocks {
		if x == nil {
			continue
		}
		for i, v := range x.of {
			x.of[i] = float64(v * by)
		}
	}
	s.Bound(0, s.Blocks())
}

// best returns the blocks, below a number of them, that have the largest scores, n at most.
func (s *RowScores) best(below uint32, n int) (list []uint32) {
	l := shortlist{}
	for i, x := range s.blocks[:min(below, s.Blocks())] {
		if x == nil || l.full && x.most <= l.least {
			continue
		}
		if l.rows = append(l.rows, survivor{uint64(i), x.most}); len(l.rows) >= 4*n {
			l.shorten(n)
		}
	}
	l.shorten(n)
	for _, v := range l.rows {
		list = append(list, uint32(v.row))
	}
	return list
}
