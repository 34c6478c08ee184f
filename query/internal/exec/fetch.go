package exec

import (
	"context"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Fetch reads more columns of the table for the rows of its input, which knows
// their row numbers, and puts them after the input's columns.
type Fetch struct {
	input
	Table   *storage.Table
	Columns []int
	// Written looks the table up again in the transaction once the input has
	// run, to see the rows it has written.
	Written *Env

	found bool // it was looked up

	c       compactor
	fetcher storage.Fetcher
	cols    []*value.Column
	out     value.Batch
}

// NewFetch returns a Fetch over in.
func NewFetch(in Operator, t *storage.Table, columns []int) *Fetch {
	return &Fetch{input: input{in}, Table: t, Columns: columns}
}

func (f *Fetch) Next(ctx context.Context) (*value.Batch, error) {
	b, err := f.in.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	if f.Written != nil && !f.found {
		if f.Table, err = f.Written.Tx.Table(f.Table.Def().Name); err != nil {
			return nil, err
		}
		f.found = true
	}
	b = f.c.compact(b, nil)
	got, err := f.fetcher.Fetch(ctx, f.Table, b.Rows[:b.Len], f.Columns)
	if err != nil {
		return nil, err
	}
	f.cols = append(append(f.cols[:0], b.Cols...), got.Cols...)
	f.out = value.Batch{Len: b.Len, Cols: f.cols, Rows: b.Rows}
	return &f.out, nil
}

func (f *Fetch) String() string {
	return "Fetch " + f.Table.Def().Name + columnList(f.Table.Def(), f.Columns)
}
