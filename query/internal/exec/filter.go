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

	sel [2][]int32 // taking turns: the selection read and the one written
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
		for i, c := range f.Conds {
			buf := &f.sel[i%2]
			if *buf, err = fn.Select(f.Ctx, c, &f.out, f.out.Sel, (*buf)[:0]); err != nil {
				return nil, err
			}
			if len(*buf) == f.out.Count() {
				continue // all are kept: no selection is the faster one
			}
			if len(*buf) == 0 {
				f.out.Sel = []int32{} // not nil, which would be all
				break
			}
			f.out.Sel = *buf
		}
		if f.out.Count() > 0 {
			return &f.out, nil
		}
	}
}

func (f *Filter) String() string { return "Filter " + f.Text }
