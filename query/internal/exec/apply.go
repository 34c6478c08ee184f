package exec

import (
	"context"
	"errors"
	"iter"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Apply gives each row of its input together with the rows of a query that is run for it: its
// columns are those of the input, then those of the query.
type Apply struct {
	input
	Ctx    *fn.Ctx
	Args   []fn.Expr // over the input
	Left   []value.Type
	Right  []value.Type
	Outer  bool // a row for which there is none is given with NULLs
	Memory *Budget
	Open   func(ctx context.Context, args []value.Value) (Operator, error)
	Ahead  *Ahead // of a search in the query, nil = none

	left *value.Batch // being worked on
	sel  []int32
	vals []fn.Arg
	at   int
	done bool

	ready, some int // rows of left up to ready are searched for, some at a time
	out         value.Batch
}

// SetInput sets what it reads.
func (a *Apply) SetInput(in Operator) { a.in = in }

func (a *Apply) String() string {
	if a.Outer {
		return "Apply (left)"
	}
	return "Apply"
}

func (a *Apply) Next(ctx context.Context) (*value.Batch, error) {
	a.out = value.Batch{}
	for _, t := range append(append([]value.Type(nil), a.Left...), a.Right...) {
		a.out.Cols = append(a.out.Cols, &value.Column{Type: t})
	}
	for !a.done && a.out.Len < value.BatchSize/2 {
		if a.left == nil || a.at == len(a.sel) {
			b, err := a.in.Next(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				a.done = true
				break
			}
			a.left, a.sel, a.at, a.vals = b, b.Selected(), 0, a.vals[:0]
			for _, x := range a.Args {
				v, err := x.Eval(a.Ctx, b, b.Sel)
				if err != nil {
					return nil, err
				}
				a.vals = append(a.vals, v)
			}
			a.ready = 0
		}
		if a.Ahead != nil && a.at >= a.ready { // few at first: who reads them may have enough soon
			a.some = min(max(aheadLeast, 2*a.some), aheadMost)
			a.ready = min(len(a.sel), a.at+a.some)
			if err := a.Ahead.Prepare(ctx, a.vals, a.sel[a.at:a.ready]); err != nil {
				return nil, err
			}
		}
		row := int(a.sel[a.at])
		a.at++
		if err := a.row(ctx, row); err != nil {
			return nil, err
		}
	}
	if a.out.Len == 0 {
		return nil, nil
	}
	return &a.out, nil
}

// row adds the rows of one row of the input.
func (a *Apply) row(ctx context.Context, row int) error {
	args := make([]value.Value, len(a.vals))
	for i, v := range a.vals {
		args[i] = v.At(row)
	}
	op, err := a.Open(ctx, args)
	if err != nil {
		return err
	}
	defer op.Close()
	n := 0
	err = Drain(ctx, op, func(b *value.Batch) error {
		b = Copy(b)
		for i := range b.Len {
			a.add(row, func(k int) value.Value { return b.Cols[k].Value(i) })
		}
		n += b.Len
		return nil
	})
	if err == nil && n == 0 && a.Outer {
		a.add(row, func(int) value.Value { return value.Value{} })
	}
	return err
}

func (a *Apply) add(row int, right func(k int) value.Value) {
	for i := range a.Left {
		var v value.Value
		if c := a.left.Cols[i]; c != nil {
			v = c.Value(row)
		}
		a.out.Cols[i].Append(a.out.Len, v)
	}
	for k := range a.Right {
		a.out.Cols[len(a.Left)+k].Append(a.out.Len, right(k))
	}
	a.out.Len++
}

// RowFunc gives the rows that a function makes of its arguments.
type RowFunc struct {
	Ctx   *fn.Ctx
	Args  []fn.Expr // of no columns
	Types []value.Type
	Rows  func(args []value.Value, emit func(row ...value.Value) error) error
	Text  string

	next func() (*value.Batch, error, bool)
	stop func()
}

func (f *RowFunc) Inputs() []Operator { return nil }
func (f *RowFunc) String() string     { return f.Text }

func (f *RowFunc) Close() error {
	if f.stop == nil {
		f.next = func() (*value.Batch, error, bool) { return nil, nil, false }
		return nil
	}
	f.stop()
	return nil
}

func (f *RowFunc) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.next == nil {
		f.next, f.stop = iter.Pull2(f.batches)
	}
	b, err, _ := f.next()
	return b, err
}

// batches makes rows, so many at a time as are asked for.
func (f *RowFunc) batches(yield func(*value.Batch, error) bool) {
	args := make([]value.Value, len(f.Args))
	for i, x := range f.Args {
		v, err := x.Eval(f.Ctx, oneRow, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		args[i] = v.At(0)
	}
	b := &value.Batch{Cols: make([]*value.Column, len(f.Types))}
	begin := func() {
		b.Len = 0
		for i, t := range f.Types {
			if b.Cols[i] == nil {
				b.Cols[i] = &value.Column{}
			}
			b.Cols[i].Reset(t)
		}
	}
	begin()
	err := f.Rows(args, func(row ...value.Value) error {
		if b.Len == value.BatchSize {
			if !yield(b, nil) {
				return errEnough
			}
			begin()
		}
		for i, v := range row {
			b.Cols[i].Append(b.Len, v)
		}
		b.Len++
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
	case err != nil:
		yield(nil, err)
	case b.Len > 0:
		yield(b, nil)
	}
}

// errEnough ends a function whose rows nobody reads any more.
var errEnough = errors.New("enough rows")
