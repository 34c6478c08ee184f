package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Rows gives rows that are written down in the statement.
type Rows struct {
	Ctx   *fn.Ctx
	Types []value.Type // of the columns
	Count int          // of the rows
	Items []RowItem    // row by row

	next int
	cols []value.Column
	out  value.Batch
}

// RowItem is a value of a row: X, or without one Const.
type RowItem struct {
	X     fn.Expr
	Const value.Value
	At    func(error) error // gives an error its place
}

func (r *Rows) Next(ctx context.Context) (*value.Batch, error) {
	if r.next == r.Count {
		return nil, nil
	}
	if r.cols == nil {
		r.cols = make([]value.Column, len(r.Types))
		r.out.Cols = make([]*value.Column, len(r.Types))
		for i := range r.cols {
			r.out.Cols[i] = &r.cols[i]
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := min(r.Count-r.next, value.BatchSize)
	for i := range r.cols {
		r.cols[i].Reset(r.Types[i])
	}
	for k := range n {
		row := r.Items[(r.next+k)*len(r.Types):]
		for i := range r.cols {
			it, col := &row[i], &r.cols[i]
			v := it.Const
			if it.X != nil {
				a, err := it.X.Eval(r.Ctx, oneRow, nil)
				if err != nil {
					return nil, it.At(err)
				}
				v = a.At(0)
			}
			if v.Kind() == value.Vector {
				if d := len(v.Vec()); col.Type.Dim == 0 && k == 0 {
					col.Type.Dim = d
				} else if d != col.Type.Dim {
					return nil, it.At(fmt.Errorf("vector has %s, the row before has %d", value.Dimensions(d), col.Type.Dim))
				}
			}
			col.Append(k, v)
		}
	}
	r.next += n
	r.out.Len = n
	return &r.out, nil
}

func (r *Rows) Close() error       { return nil }
func (r *Rows) Inputs() []Operator { return nil }

func (r *Rows) String() string {
	if r.Count == 1 {
		return "Values (1 row)"
	}
	return fmt.Sprintf("Values (%d rows)", r.Count)
}
