package exec

import (
	"context"

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

	held int64
	out  *emitter
}

// NewSort returns a Sort over in.
func NewSort(in Operator, env *Env, keys []int, orders []Order, text string) *Sort {
	return &Sort{input: input{in}, Env: env, Keys: keys, Orders: orders, Text: text}
}

func (s *Sort) Next(ctx context.Context) (*value.Batch, error) {
	if s.out == nil {
		p := &pile{}
		err := Drain(ctx, s.in, func(b *value.Batch) error {
			size := batchBytes(b) + 4*int64(b.Count())
			s.held += size
			if err := s.Env.Memory.Reserve(size, "sorting"); err != nil {
				return err
			}
			p.add(b, size)
			return nil
		})
		if err != nil {
			return nil, err
		}
		t, err := p.table(s.Env.Memory, "sorting")
		if err != nil {
			return nil, err
		}
		order, err := t.sorted(ctx, s.Keys, s.Orders)
		if err != nil {
			return nil, err
		}
		s.out = &emitter{t: t, order: order}
	}
	return s.out.next(), nil
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
	s.held, s.out = 0, &emitter{t: &rowsTable{}}
	return s.input.Close()
}

func (s *Sort) String() string { return "Sort by " + s.Text }
