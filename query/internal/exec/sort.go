package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/storage/value"
)

// Sort orders all rows by columns of its input. Equal rows stay in the order
// they came in.
type Sort struct {
	input
	Env    *Env
	Keys   []int // positions of the input's columns
	Orders []Order
	Text   string

	held  int64
	out   *emitter
	spill *spill // of sorted runs
	runs  []*spillRun
	full  bool // there is no room for a spill
	merge *merge
}

// NewSort returns a Sort over in.
func NewSort(in Operator, env *Env, keys []int, orders []Order, text string) *Sort {
	return &Sort{input: input{in}, Env: env, Keys: keys, Orders: orders, Text: text}
}

func (s *Sort) Next(ctx context.Context) (*value.Batch, error) {
	if s.out == nil && s.merge == nil {
		if err := s.run(ctx); err != nil {
			return nil, err
		}
	}
	if s.merge != nil {
		return s.merge.next(ctx)
	}
	return s.out.next(), nil
}

func (s *Sort) run(ctx context.Context) error {
	p := &pile{}
	err := Drain(ctx, s.in, func(b *value.Batch) error {
		size := batchBytes(b) + orderBytes*int64(b.Count())
		if s.Env.Memory.tight(s.held+size) && p.n > 0 && !s.full {
			if err := s.write(ctx, p); err != nil {
				return err
			}
			if !s.full {
				p = &pile{}
			}
		}
		s.held += size
		if err := s.Env.Memory.Reserve(size, "sorting"); err != nil {
			return err
		}
		p.add(b, size)
		return nil
	})
	if err != nil {
		return err
	}
	if s.runs != nil {
		if err := s.write(ctx, p); err != nil {
			return err
		}
		s.merge, err = newMerge(s.spill, s.runs, s.Keys, s.Orders)
		return err
	}
	t, order, err := s.sorted(ctx, p)
	if err != nil {
		return err
	}
	s.out = &emitter{t: t, order: order}
	return nil
}

// sorted returns the rows of a pile and their order.
func (s *Sort) sorted(ctx context.Context, p *pile) (*rowsTable, []int32, error) {
	t, err := p.table(s.Env.Memory, "sorting")
	if err != nil {
		return nil, nil, err
	}
	order, err := t.sorted(ctx, s.Keys, s.Orders)
	return t, order, err
}

// write sorts the rows of a pile and writes them to a file.
func (s *Sort) write(ctx context.Context, p *pile) (err error) {
	if s.spill == nil {
		if s.spill, err = newSpill(s.Env); s.spill == nil {
			s.full = true
			return err
		}
	}
	t, order, err := s.sorted(ctx, p)
	if err != nil {
		return err
	}
	run := &spillRun{}
	for from := 0; from < len(order); from += frameRows {
		x := t.pick(order[from:min(from+frameRows, len(order))])
		if err := s.spill.write(run, x.batch()); err != nil {
			return err
		}
	}
	s.runs = append(s.runs, run)
	s.Env.Memory.Release(s.held)
	s.held = 0
	return nil
}

// sorted returns the order of the rows by the keys.
func (t *rowsTable) sorted(ctx context.Context, keys []int, orders []Order) ([]int32, error) {
	cols := make([]*value.Column, len(keys))
	for i, k := range keys {
		if t.cols != nil {
			cols[i] = t.cols[k]
		}
	}
	return sortedOrder(ctx, t.n, cols, orders)
}

func (s *Sort) Close() error {
	s.Env.Memory.Release(s.held)
	s.held, s.out, s.merge, s.runs = 0, &emitter{t: &rowsTable{}}, nil, nil
	err := errors.Join(s.input.Close(), s.spill.close())
	s.spill = nil
	return err
}

func (s *Sort) String() string { return "Sort by " + s.Text }
