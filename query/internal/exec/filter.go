package exec

import (
	"context"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Filter keeps the rows for which all conditions are true. They are tried in
// order, each on the rows the one before has left.
type Filter struct {
	input
	Ctx   *fn.Ctx
	Conds []fn.Expr
	Text  string

	sel []int32
	out value.Batch
}

// NewFilter returns a Filter over in.
func NewFilter(in Operator, c *fn.Ctx, conds []fn.Expr, text string) *Filter {
	return &Filter{input: input{in}, Ctx: c, Conds: conds, Text: text}
}

func (f *Filter) Next(ctx context.Context) (*value.Batch, error) {
	for {
		b, err := f.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		f.out = *b
		for _, c := range f.Conds {
			a, err := c.Eval(f.Ctx, &f.out, f.out.Sel)
			if err != nil {
				return nil, err
			}
			f.narrow(a)
			if f.out.Sel != nil && len(f.out.Sel) == 0 {
				break
			}
		}
		if f.out.Count() > 0 {
			return &f.out, nil
		}
	}
}

// narrow keeps the selected rows for which a is true.
func (f *Filter) narrow(a fn.Arg) {
	if a.Const || a.Type.Kind == value.Null {
		if a.IsNull(0) || !a.Bools[0] {
			f.out.Sel = f.sel[:0:0]
			if f.out.Sel == nil {
				f.out.Sel = []int32{}
			}
		}
		return
	}
	// The first condition writes to f.sel what it reads from the input's
	// selection; later ones narrow f.sel in place.
	in := f.out.Sel
	if cap(f.sel) < f.out.Len {
		f.sel = make([]int32, f.out.Len)
	}
	keep := f.sel[:cap(f.sel)]
	n := 0
	bools := a.Bools
	switch {
	case in == nil && a.Nulls == nil:
		for i, ok := range bools[:f.out.Len] {
			keep[n] = int32(i)
			if ok {
				n++
			}
		}
		if n == f.out.Len {
			return
		}
	case in == nil:
		for i, ok := range bools[:f.out.Len] {
			keep[n] = int32(i)
			if ok && !a.Nulls.Get(i) {
				n++
			}
		}
	case a.Nulls == nil:
		for _, i := range in {
			keep[n] = i
			if bools[i] {
				n++
			}
		}
	default:
		for _, i := range in {
			keep[n] = i
			if bools[i] && !a.Nulls.Get(int(i)) {
				n++
			}
		}
	}
	f.out.Sel = keep[:n]
}

func (f *Filter) String() string { return "Filter " + f.Text }
