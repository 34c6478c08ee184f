package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// divided are the rows of an operator that needs all rows of a key together and gives its rows in an
// order: they are numbered and written to partitions, what the operator makes of each partition is a
// sorted run, and the runs are merged. Rows that are equal in order come by their numbers.
type divided struct {
	env    *Env
	parts  *partitions
	own    bool  // the numbers are made here, and taken away in the end
	number int   // position of their column
	rows   int64 // numbered so far

	spill *spill // of the runs
	runs  []*spillRun
	merge *merge
	out   value.Batch
}

// newDivided creates a divided. number is the position of the numbers that the rows have, or -1. Where
// there is no room for files it returns nil and the error full.
func newDivided(env *Env, number int, full error) (*divided, error) {
	parts, err := newPartitions(env, full)
	if parts == nil {
		return nil, err
	}
	parts.rowNumbers = true
	return &divided{env: env, parts: parts, number: number, own: number < 0}, nil
}

// add appends the selected rows of a batch, whose keys are given.
func (d *divided) add(keys []fn.Arg, b *value.Batch) error {
	sel := b.Selected()
	if d.own {
		col := newColumn(value.Type{Kind: value.Integer})
		col.Ints = make([]int64, b.Len)
		for _, i := range sel {
			col.Ints[i] = d.rows
			d.rows++
		}
		d.number = len(b.Cols)
		numbered := *b
		numbered.Cols = append(b.Cols[:len(b.Cols):len(b.Cols)], col)
		b = &numbered
	}
	return d.parts.add(keys, b, sel)
}

// run makes runs of what the operators that over gives make of the partitions, sorted by keys and
// numbers. An operator passes the numbers on.
func (d *divided) run(ctx context.Context, keys []int, orders []Order, over func(rows Operator) Operator) (err error) {
	if err := d.parts.done(); err != nil {
		return err
	}
	if d.spill, err = newSpill(d.env); err != nil {
		return err
	}
	for i := range d.parts.runs {
		part := &d.parts.runs[i]
		if part.rows == 0 {
			continue
		}
		op, run := over(&spilled{d.parts.spill.reader(part)}), &spillRun{}
		err := Drain(ctx, op, func(b *value.Batch) error { return d.spill.add(run, b) })
		if err == nil {
			err = d.spill.flush(run)
		}
		if err := errors.Join(err, op.Close()); err != nil {
			return err
		}
		d.runs = append(d.runs, run)
	}
	if err := d.parts.close(); err != nil {
		return err
	}
	d.merge, err = newMerge(d.spill, d.runs, append(keys[:len(keys):len(keys)], d.number), append(orders[:len(orders):len(orders)], Order{}))
	return err
}

// next returns the next rows of all runs.
func (d *divided) next(ctx context.Context) (*value.Batch, error) {
	b, err := d.merge.next(ctx)
	if b == nil || err != nil || !d.own {
		return b, err
	}
	d.out = *b
	d.out.Cols = append(append([]*value.Column(nil), b.Cols[:d.number]...), b.Cols[d.number+1:]...)
	return &d.out, nil
}

func (d *divided) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.parts.close(), d.spill.close())
}
