package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// TopN gives the first Count rows after Offset in the order of the keys, and
// never holds many more than Count+Offset.
type TopN struct {
	input
	Env           *Env
	Keys          []int
	Orders        []Order
	Count, Offset int64
	Text          string

	held int64
	out  *emitter
}

// NewTopN returns a TopN over in.
func NewTopN(in Operator, env *Env, keys []int, orders []Order, count, offset int64, text string) *TopN {
	return &TopN{input: input{in}, Env: env, Keys: keys, Orders: orders, Count: count, Offset: offset, Text: text}
}

func (t *TopN) Next(ctx context.Context) (*value.Batch, error) {
	if t.out == nil {
		if err := t.run(ctx); err != nil {
			return nil, err
		}
	}
	return t.out.next(), nil
}

func (t *TopN) run(ctx context.Context) error {
	if t.Count == 0 {
		t.out = &emitter{t: &rowsTable{}}
		return nil
	}
	want := int(min(t.Count+t.Offset, 1<<31-1))
	p := &pile{}
	var sel []int32
	var best *rowsTable // want sorted rows, the first piece of the pile; its last one is the bar
	err := Drain(ctx, t.in, func(b *value.Batch) error {
		if best != nil {
			sel = t.below(best, want-1, b, sel[:0])
			if len(sel) == 0 {
				return nil
			}
			c := *b
			c.Sel = sel
			b = &c
		}
		size := batchBytes(b)
		t.held += size
		if err := t.Env.Memory.Reserve(size, "ORDER BY with LIMIT"); err != nil {
			return err
		}
		p.add(b, size)
		if p.n >= 2*want+4*value.BatchSize {
			all, order, err := t.sorted(ctx, p)
			if err != nil {
				return err
			}
			best = all.pick(order[:want])
			t.Env.Memory.Release(t.held)
			t.held = batchBytes(best.batch())
			p = &pile{parts: []*rowsTable{best}, n: best.n, bytes: pieceBytes}
			return t.Env.Memory.Reserve(t.held, "ORDER BY with LIMIT")
		}
		return nil
	})
	if err != nil {
		return err
	}
	all, order, err := t.sorted(ctx, p)
	if err != nil {
		return err
	}
	order = order[:min(want, len(order))]
	t.out = &emitter{t: all, order: order[min(int(t.Offset), len(order)):]}
	if len(t.out.order) == 0 {
		t.out = &emitter{t: &rowsTable{}}
	}
	return nil
}

// sorted makes a table of a pile, and finds the order of its rows.
func (t *TopN) sorted(ctx context.Context, p *pile) (*rowsTable, []int32, error) {
	all, err := p.table(t.Env.Memory, "ORDER BY with LIMIT")
	if err != nil {
		return nil, nil, err
	}
	order, err := all.sorted(ctx, t.Keys, t.Orders)
	return all, order, err
}

// below appends to sel the selected rows of b that come before row bar of best;
// a row equal to it comes later and is out.
func (t *TopN) below(best *rowsTable, bar int, b *value.Batch, sel []int32) []int32 {
	// The bar is put beside the batch's keys, so that one comparer serves.
	cols := make([]*value.Column, len(t.Keys))
	n := b.Len
	for i, k := range t.Keys {
		src := b.Cols[k]
		c := *src
		if c.Type.Kind == value.Null {
			c = *constant(value.Value{}, best.cols[k].Type, n)
		} else {
			// A full slice expression makes the append below copy.
			c = value.Column{Type: src.Type, Nulls: src.Nulls[:len(src.Nulls):len(src.Nulls)]}
			switch src.Type.Kind {
			case value.Boolean:
				c.Bools = src.Bools[:n:n]
			case value.Integer, value.Timestamp, value.Date:
				c.Ints = src.Ints[:n:n]
			case value.Real:
				c.Reals = src.Reals[:n:n]
			case value.Vector:
				c.Vecs = src.Vecs[: n*src.Type.Dim : n*src.Type.Dim]
			default:
				c.Strs = src.Strs[:n:n]
			}
			if c.Nulls != nil {
				c.Nulls = append(value.Bitmap(nil), c.Nulls...)
			}
		}
		appendColumn(&c, n, best.cols[k], []int32{int32(bar)}, 1)
		cols[i] = &c
	}
	by := compareBy(cols, t.Orders)
	for _, i := range b.Selected() {
		if by(i, int32(n)) < 0 {
			sel = append(sel, i)
		}
	}
	return sel
}

func (t *TopN) Close() error {
	t.Env.Memory.Release(t.held)
	t.held, t.out = 0, &emitter{t: &rowsTable{}}
	return t.input.Close()
}

func (t *TopN) String() string {
	return "TopN" + limitText(t.Count, t.Offset) + " by " + t.Text
}
