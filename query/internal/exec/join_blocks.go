package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// blockJoin joins a partition that has no room in memory and can't be divided, as nearly all rows of
// its right side have one key, or there are no keys: as many rows of the right as have room are held
// at a time, and the left is read anew for each such block.
type blockJoin struct {
	join        *HashJoin // that is to be done
	left, right *spillRun
	rights      *spilled // goes on from block to block

	op      Operator // of the block at hand
	block   *block   // nil once all blocks were read
	matched *matchedRows
	held    int64
	done    bool
}

func newBlockJoin(j *HashJoin, left, right *spillRun) (Operator, error) {
	b := &blockJoin{join: j, left: left, right: right, rights: &spilled{j.parts[1].spill.reader(right)}}
	if j.outer {
		b.held = int64(left.rows) / 8
		b.matched = &matchedRows{bits: value.NewBitmap(left.rows)}
	}
	return b, j.env.Memory.Reserve(b.held, "a join")
}

func (b *blockJoin) lefts() *spilled { return &spilled{b.join.parts[0].spill.reader(b.left)} }

func (b *blockJoin) Next(ctx context.Context) (*value.Batch, error) {
	for {
		if b.op == nil {
			if b.done {
				return nil, nil
			}
			b.block = &block{in: b.rights}
			sub := b.join.like(b.lefts(), b.block)
			sub.level, sub.outer = mostLevels, false
			if b.matched != nil {
				b.matched.next = 0
				sub.matched = b.matched
			}
			b.block.join, b.op = sub, sub
		}
		out, err := b.op.Next(ctx)
		if out != nil || err != nil {
			return out, err
		}
		if err := b.op.Close(); err != nil {
			return nil, err
		}
		b.op = nil
		if b.done || b.block.more {
			continue
		}
		if b.done = true; b.matched != nil { // what is left has no partner in an empty right side
			none := b.join.like(&unmatchedRows{in: b.lefts(), bits: b.matched.bits}, &spilled{&spillReader{run: &spillRun{}}})
			none.level, none.outer = mostLevels, true
			b.op = none
		}
	}
}

func (b *blockJoin) Close() error {
	b.join.env.Memory.Release(b.held)
	b.held = 0
	if b.op == nil {
		return nil
	}
	return b.op.Close()
}

func (b *blockJoin) Inputs() []Operator { return nil }
func (b *blockJoin) String() string     { return b.join.String() }

// block gives rows of its input as long as the join that holds them has room.
type block struct {
	in   Operator
	join *HashJoin
	more bool // it has ended before its input
}

func (b *block) Next(ctx context.Context) (*value.Batch, error) {
	if b.join.env.Memory.tight(b.join.held) {
		b.more = true
		return nil, nil
	}
	return b.in.Next(ctx)
}

func (b *block) Close() error       { return nil }
func (b *block) Inputs() []Operator { return nil }
func (b *block) String() string     { return "rows of a temporary file" }

// matchedRows are the rows of an input, by their number, that have a partner. A nil one notes nothing.
type matchedRows struct {
	bits        value.Bitmap
	first, next int // the first row of the batch at hand, and of the next one
}

func (m *matchedRows) begin(b *value.Batch) { m.first, m.next = m.next, m.next+b.Len }

func (m *matchedRows) note(rows []int32) {
	if m == nil {
		return
	}
	for _, i := range rows {
		m.bits.Set(m.first + int(i))
	}
}

// unmatchedRows gives the rows of its input that are not among those matched.
type unmatchedRows struct {
	in   Operator
	bits value.Bitmap
	at   int
	sel  []int32
	out  value.Batch
}

func (u *unmatchedRows) Next(ctx context.Context) (*value.Batch, error) {
	for {
		b, err := u.in.Next(ctx)
		if b == nil || err != nil {
			return nil, err
		}
		u.sel = u.sel[:0]
		for i := range b.Len {
			if !u.bits.Get(u.at + i) {
				u.sel = append(u.sel, int32(i))
			}
		}
		u.at += b.Len
		if len(u.sel) > 0 {
			u.out = *b
			u.out.Sel = u.sel
			return &u.out, nil
		}
	}
}

func (u *unmatchedRows) Close() error       { return u.in.Close() }
func (u *unmatchedRows) Inputs() []Operator { return nil }
func (u *unmatchedRows) String() string     { return "rows without a partner" }
