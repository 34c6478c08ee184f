package exec

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Filter keeps the rows for which all conditions are true. They are tried in
// order, each on the rows the ones before have left.
type Filter struct {
	input
	Ctx   *fn.Ctx
	Conds []fn.Expr
	Text  string
	// Lenient keeps the rows for which a condition fails, and no other one leaves out: what
	// is above leaves some of them out, and then tries the conditions again.
	Lenient bool

	found *Scan     // its look-up tells that rows meet a condition
	rest  []fn.Expr // Conds without that

	narrowing
	out value.Batch
}

// Met says that the rows which the look-up of s finds meet the condition at a position of
// Conds, so that it is not tried on them.
func (f *Filter) Met(s *Scan, at int) {
	f.found, f.rest = s, slices.Delete(slices.Clone(f.Conds), at, at+1)
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
		conds := f.Conds
		if f.found != nil && f.found.fetched != nil {
			conds = f.rest
		}
		if err := f.narrow(f.Ctx, conds, &f.out); err != nil {
			if !f.Lenient || ctx.Err() != nil {
				return nil, err
			}
			f.keepFailing(conds)
		}
		if f.out.Count() > 0 {
			return &f.out, nil
		}
	}
}

// keepFailing narrows the selection of the batch to the rows for which no condition says no.
func (f *Filter) keepFailing(conds []fn.Expr) {
	kept := []int32{}
	var n narrowing // the selection may lie in the filter's own
	for i := range f.out.Count() {
		row := int32(i)
		if f.out.Sel != nil {
			row = f.out.Sel[i]
		}
		one := f.out
		one.Sel = []int32{row}
		if err := n.narrow(f.Ctx, conds, &one); err != nil || one.Count() > 0 {
			kept = append(kept, row)
		}
	}
	f.out.Sel = kept
}

// narrowing is the memory of narrow.
type narrowing struct {
	sel [2][]int32 // taking turns: the selection read and the one written
}

// narrow narrows the selection of b to the rows for which all conditions are true. One
// that fails is tried again on what the others leave: they may leave out the rows for
// which it does.
func (s *narrowing) narrow(c *fn.Ctx, conds []fn.Expr, b *value.Batch) error {
	turn := 0
	for {
		var failed []fn.Expr
		var first error
		for _, cond := range conds {
			buf := &s.sel[turn%2]
			kept, err := fn.Select(c, cond, b, b.Sel, (*buf)[:0])
			if err != nil {
				if failed = append(failed, cond); first == nil {
					first = err
				}
				continue
			}
			*buf = kept
			if len(kept) == b.Count() {
				continue // all are kept: no selection is the faster one
			}
			if len(kept) == 0 {
				b.Sel = []int32{} // not nil, which would be all
				return nil
			}
			b.Sel = kept
			turn++
		}
		if len(failed) == 0 {
			return nil
		}
		if len(failed) == len(conds) {
			return first
		}
		conds = failed
	}
}

func (f *Filter) String() string { return "Filter " + f.Text }
