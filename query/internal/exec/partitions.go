package exec

import (
	"context"
	"hash/maphash"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

const (
	partitionBits = 6
	mostLevels    = 5 // of partitions of partitions

	// All partitions have a frame that is not written yet: together a 16th of what a statement may hold.
	leastFrame = 4 << 10
	mostFrame  = 64 << 10
)

// partitions are rows in a spill by a hash of their keys: rows with equal keys are in one of
// them, in the order they came in.
type partitions struct {
	spill *spill
	seed  maphash.Seed
	runs  [1 << partitionBits]spillRun

	rowNumbers bool // those of storage are kept

	hashes []uint64
	sels   [1 << partitionBits][]int32
}

// newPartitions creates partitions. Where there is no room for files it returns nil and the error full.
func newPartitions(env *Env, full error) (*partitions, error) {
	s, err := newSpill(env)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, full
	}
	s.frame = min(max(env.Memory.Limit()>>(4+partitionBits), leastFrame), mostFrame)
	return &partitions{spill: s, seed: maphash.MakeSeed()}, nil
}

// add writes the rows sel of a batch, whose keys are given.
func (p *partitions) add(keys []fn.Arg, b *value.Batch, sel []int32) error {
	if len(p.hashes) < b.Len {
		p.hashes = make([]uint64, b.Len)
	}
	fn.HashKeys(p.seed, keys, b.Len, sel, p.hashes)
	for i := range p.sels {
		p.sels[i] = p.sels[i][:0]
	}
	for _, i := range sel {
		at := p.hashes[i] >> (64 - partitionBits)
		p.sels[at] = append(p.sels[at], i)
	}
	for i := range p.sels {
		if len(p.sels[i]) == 0 {
			continue
		}
		part := *b
		if part.Sel = p.sels[i]; !p.rowNumbers {
			part.Rows = nil
		}
		if err := p.spill.add(&p.runs[i], &part); err != nil {
			return err
		}
	}
	return nil
}

// done writes what is left.
func (p *partitions) done() error {
	for i := range p.runs {
		if err := p.spill.flush(&p.runs[i]); err != nil {
			return err
		}
	}
	return nil
}

// inTurn gives the rows that operators make of partitions, one partition after the other.
type inTurn struct {
	part int      // the next one
	op   Operator // of the one before, or nil
}

// next returns the next rows, nil at the end of n partitions. over makes an operator of one, nil
// to leave it out.
func (t *inTurn) next(ctx context.Context, n int, over func(part int) (Operator, error)) (*value.Batch, error) {
	for {
		if t.op != nil {
			b, err := t.op.Next(ctx)
			if b != nil || err != nil {
				return b, err
			}
			if err := t.op.Close(); err != nil {
				return nil, err
			}
			t.op = nil
		}
		if t.part == n {
			return nil, nil
		}
		t.part++
		var err error
		if t.op, err = over(t.part - 1); err != nil {
			return nil, err
		}
	}
}

func (t *inTurn) close() error {
	if t.op == nil {
		return nil
	}
	return t.op.Close()
}

func (p *partitions) close() error {
	if p == nil {
		return nil
	}
	return p.spill.close()
}
