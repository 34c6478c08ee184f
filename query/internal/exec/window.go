package exec

import (
	"context"
	"errors"
	"math"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// WindowCall is one function of a Window. Positions are those of the input's columns.
type WindowCall struct {
	Call      *fn.WindowCall
	Aggregate *fn.AggregateCall // of Kind WindowAggregate
	Args      []int             // none for count(*)
	Filter    int               // of a condition, -1 without one

	Unit               parse.FrameUnit
	StartKind, EndKind parse.BoundKind
	Start, End         fn.Expr // offsets, where the kinds have some
	Exclude            parse.FrameExclude
	Whole              bool // the frame of each row is its partition
	At                 func(error) error
}

// Window gives its input's rows, in their order, with what functions make of the rows of
// the same partition. Where there is no room for all rows it goes through those of some partitions
// at a time.
type Window struct {
	input
	Env       *Env
	Ctx       *fn.Ctx
	Partition []int
	Types     []value.Type // of the columns Partition
	Keys      []int
	Orders    []Order
	Calls     []WindowCall
	Text      string

	held int64
	out  *emitter

	level  int
	number int      // position of the rows' numbers in a part of divided rows
	parts  *divided // of rows that have no room
	full   bool     // nothing can be written to files
	args   []fn.Arg
}

// Input sets what the window reads from.
func (w *Window) Input(in Operator) { w.in = in }

func (w *Window) Next(ctx context.Context) (*value.Batch, error) {
	if w.out == nil && w.parts == nil {
		if err := w.run(ctx); err != nil {
			return nil, err
		}
	}
	if w.parts != nil {
		return w.parts.next(ctx)
	}
	return w.out.next(), nil
}

func (w *Window) Close() error {
	w.Env.Memory.Release(w.held)
	err := errors.Join(w.parts.close(), w.input.Close())
	w.held, w.out, w.parts = 0, &emitter{t: &rowsTable{}}, nil
	return err
}

// Reset implements Resetter.
func (w *Window) Reset() bool {
	w.held, w.out, w.full = 0, nil, false
	return w.reset()
}

func (w *Window) String() string { return "Window " + w.Text }

const windowWork = "window functions"

func (w *Window) reserve(n int64) error {
	w.held += n
	return w.Env.Memory.Reserve(n, windowWork)
}

func (w *Window) run(ctx context.Context) error {
	p := &pile{}
	err := Drain(ctx, w.in, func(b *value.Batch) error {
		if w.parts != nil {
			return w.parts.add(w.keys(b), b)
		}
		// The order, the peers and partitions of each row, and what the calls give.
		size := batchBytes(b)
		err := w.reserve(size + int64(b.Count())*int64(orderBytes+20+16*len(w.Calls)))
		if w.full || len(w.Partition) == 0 || err == nil && !w.Env.Memory.tight(w.held) {
			if err == nil {
				p.add(b, size)
			}
			return err
		}
		p.add(b, size)
		return w.divide(p, err)
	})
	if err != nil {
		return err
	}
	if w.parts != nil {
		return w.parts.run(ctx, nil, nil, func(rows Operator) Operator {
			sub := *w
			sub.input, sub.held, sub.out, sub.parts = input{rows}, 0, nil, nil
			sub.level, sub.number = w.level+1, w.parts.number
			sub.full = sub.level >= mostLevels
			return &sub
		})
	}
	t, err := p.table(w.Env.Memory, windowWork)
	if err != nil {
		return err
	}
	if t.n == 0 {
		w.out = &emitter{t: &rowsTable{}}
		return nil
	}
	s, err := w.sorted(ctx, t)
	if err != nil {
		return err
	}
	for i := range w.Calls {
		c, err := w.compute(ctx, s, &w.Calls[i])
		if err != nil {
			return err
		}
		if err := w.reserve(columnBytes(c, nil, t.n) - 8*int64(t.n)); err != nil {
			return err
		}
		t.cols = append(t.cols, c)
	}
	w.out = &emitter{t: t}
	return nil
}

// keys are the columns that partition a batch.
func (w *Window) keys(b *value.Batch) []fn.Arg {
	w.args = w.args[:0]
	for _, k := range w.Partition {
		w.args = append(w.args, columnArg(b.Cols[k]))
	}
	return w.args
}

// columnArg is a column as an argument, NULLs where it is nil.
func columnArg(c *value.Column) fn.Arg {
	if c == nil {
		c = newColumn(value.Type{})
	}
	return fn.Arg{Column: c}
}

// divide writes the rows to a file, where those that come are written, too.
func (w *Window) divide(p *pile, full error) (err error) {
	number := w.number
	if w.level == 0 {
		number = -1
	}
	if w.parts, err = newDivided(w.Env, number, full); w.parts == nil {
		w.full = true
		return err
	}
	rows := p.rows(nil)
	for b := rows.next(); b != nil; b = rows.next() {
		if err := w.parts.add(w.keys(b), b); err != nil {
			return err
		}
	}
	p.parts, p.n = nil, 0
	w.Env.Memory.Release(w.held)
	w.held = 0
	return nil
}

// windowRows are the rows of a window in their order: partition by partition, and in each
// by the keys.
type windowRows struct {
	t     *rowsTable
	order []int32 // place -> row
	parts []int32 // where partitions begin, and the end
	peers []int32 // where rows that are equal in order begin, and the end
	group []int32 // place -> number of its peers
	part  []int32 // place -> number of its partition
}

func (w *Window) sorted(ctx context.Context, t *rowsTable) (*windowRows, error) {
	s := &windowRows{t: t}
	cols := make([]*value.Column, 0, len(w.Keys)+1)
	orders := make([]Order, 0, len(w.Keys)+1)
	var ids []int32
	if len(w.Partition) > 0 {
		groups := fn.NewGroups(w.Types)
		args := make([]fn.Arg, len(w.Partition))
		for i, k := range w.Partition {
			args[i] = columnArg(t.cols[k])
		}
		ids = make([]int32, t.n)
		if err := groups.Assign(args, t.n, nil, fn.GroupNull, ids); err != nil {
			return nil, err
		}
		size := groups.Bytes() + 12*int64(t.n)
		if err := w.Env.Memory.Reserve(size, windowWork); err != nil {
			w.Env.Memory.Release(size)
			return nil, err
		}
		defer w.Env.Memory.Release(size)
		c := newColumn(value.Type{Kind: value.Integer})
		c.Ints = make([]int64, t.n)
		for i, g := range ids {
			c.Ints[i] = int64(g)
		}
		cols, orders = append(cols, c), append(orders, Order{})
	}
	var keys []*value.Column
	for _, k := range w.Keys {
		keys = append(keys, t.cols[k])
	}
	cols, orders = append(cols, keys...), append(orders, w.Orders...)
	var err error
	if s.order, err = sortedOrder(ctx, t.n, cols, orders); err != nil {
		return nil, err
	}
	by := compareBy(keys, w.Orders)
	s.group, s.part = make([]int32, t.n), make([]int32, t.n)
	for i, r := range s.order {
		newPart := i == 0 || ids != nil && ids[r] != ids[s.order[i-1]]
		if newPart {
			s.parts = append(s.parts, int32(i))
		}
		if newPart || by(s.order[i-1], r) != 0 {
			s.peers = append(s.peers, int32(i))
		}
		s.group[i], s.part[i] = int32(len(s.peers)-1), int32(len(s.parts)-1)
	}
	s.parts, s.peers = append(s.parts, int32(t.n)), append(s.peers, int32(t.n))
	return s, nil
}

// arg returns the column of an argument.
func (s *windowRows) arg(at int) fn.Arg {
	return columnArg(s.t.cols[at])
}

// compute returns what a call gives, by row.
func (w *Window) compute(ctx context.Context, s *windowRows, c *WindowCall) (*value.Column, error) {
	n := s.t.n
	out := newColumn(c.Call.Result)
	switch kind := c.Call.Kind; kind {
	case fn.RowNumber, fn.Rank, fn.DenseRank:
		out.Ints = make([]int64, n)
		for i, r := range s.order {
			p := s.part[i]
			switch kind {
			case fn.RowNumber:
				out.Ints[r] = int64(i) - int64(s.parts[p]) + 1
			case fn.Rank:
				out.Ints[r] = int64(s.peers[s.group[i]]-s.parts[p]) + 1
			default:
				out.Ints[r] = int64(s.group[i]-s.group[s.parts[p]]) + 1
			}
		}
	case fn.PercentRank, fn.CumeDist:
		out.Reals = make([]float64, n)
		for i, r := range s.order {
			from, to := s.parts[s.part[i]], s.parts[s.part[i]+1]
			if kind == fn.CumeDist {
				out.Reals[r] = float64(s.peers[s.group[i]+1]-from) / float64(to-from)
			} else if to-from > 1 {
				out.Reals[r] = float64(s.peers[s.group[i]]-from) / float64(to-from-1)
			}
		}
	case fn.Ntile:
		return w.ntile(s, c)
	case fn.Lag, fn.Lead:
		return w.lag(s, c)
	case fn.WindowAggregate:
		return w.aggregate(ctx, s, c)
	default:
		return w.valueOfFrame(ctx, s, c)
	}
	return out, nil
}

func (w *Window) ntile(s *windowRows, c *WindowCall) (*value.Column, error) {
	out, arg := newColumn(c.Call.Result), s.arg(c.Args[0])
	out.Ints = make([]int64, s.t.n)
	for p := range len(s.parts) - 1 {
		from, to := int64(s.parts[p]), int64(s.parts[p+1])
		k := arg.At(int(s.order[from])) // of the partition's first row
		if k.IsNull() {
			for _, r := range s.order[from:to] {
				growNulls(out, s.t.n)
				out.Nulls.Set(int(r))
			}
			continue
		}
		parts := k.Int()
		if parts <= 0 {
			return nil, c.At(errors.New("ntile needs a number of parts above 0"))
		}
		size, larger := (to-from)/parts, (to-from)%parts
		for i := from; i < to; i++ {
			at := i - from
			if at < larger*(size+1) {
				out.Ints[s.order[i]] = at/(size+1) + 1
			} else {
				out.Ints[s.order[i]] = larger + (at-larger*(size+1))/size + 1
			}
		}
	}
	return out, nil
}

// The rows that the value of a row is taken from.
const (
	fromNone    = -1 // NULL
	fromDefault = -2 // the row's own default
)

func (w *Window) lag(s *windowRows, c *WindowCall) (*value.Column, error) {
	src := make([]int32, s.t.n)
	for i, r := range s.order {
		by := int64(1)
		if len(c.Args) > 1 {
			v := s.arg(c.Args[1]).At(int(r))
			if v.IsNull() {
				src[r] = fromNone
				continue
			}
			by = v.Int()
		}
		if c.Call.Kind == fn.Lead {
			by = max(by, -math.MaxInt64)
		} else {
			by = -max(by, -math.MaxInt64)
		}
		from, to := int64(s.parts[s.part[i]]), int64(s.parts[s.part[i]+1])
		src[r] = fromNone
		if len(c.Args) > 2 {
			src[r] = fromDefault
		}
		if by >= from-int64(i) && by < to-int64(i) {
			src[r] = s.order[int64(i)+by]
		}
	}
	return s.take(c, src), nil
}

// take makes a column of values of the first argument.
func (s *windowRows) take(c *WindowCall, src []int32) *value.Column {
	out, arg := newColumn(c.Call.Result), s.arg(c.Args[0])
	if arg.Type.Kind == value.Vector {
		out.Type.Dim = arg.Type.Dim
	}
	for r, from := range src {
		switch {
		case from == fromNone:
			out.Append(r, value.Value{})
		case from == fromDefault:
			out.Append(r, s.arg(c.Args[2]).At(r))
		default:
			out.Append(r, arg.At(int(from)))
		}
	}
	return out
}
