package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Recursive gives the rows of WITH RECURSIVE: those of its seed, then those that a step makes of the
// rows that were new before, until there are none. A step that never ends is ended by its context.
type Recursive struct {
	seed, op Operator                 // op is being read: the seed or a step
	step     func() (Operator, error) // a step over work
	shown    Operator                 // the step that EXPLAIN shows, and the first one
	used     bool                     // shown is being read, or was
	env      *Env
	name     string
	work     *WorkTable
	next     *keptRows
	seen     *keySet // all rows so far, where none is given twice; else nil
	args     []fn.Arg
	out      value.Batch
	done     bool
}

// WorkTable holds the rows that a step starts from.
type WorkTable struct{ rows *keptRows }

// NewRecursive returns a Recursive; with distinct no row comes twice. step is for EXPLAIN and the first step,
// again gives further ones.
func NewRecursive(seed, step Operator, again func() (Operator, error), work *WorkTable, types []value.Type, distinct bool, env *Env, name string) *Recursive {
	r := &Recursive{seed: seed, op: seed, shown: step, step: again, work: work, env: env, name: name}
	r.next, work.rows = r.rows(), r.rows()
	if distinct {
		r.seen = newKeySet(types, env, r.what())
	}
	return r
}

func (r *Recursive) what() string { return "WITH RECURSIVE " + r.name }

// rows are rows of one step, none yet.
func (r *Recursive) rows() *keptRows { return newKeptRows(r.env, r.what()) }

func (r *Recursive) Next(ctx context.Context) (*value.Batch, error) {
	for !r.done {
		b, err := r.op.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if err := r.begin(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if r.seen != nil {
			if b, err = r.fresh(b); err != nil {
				return nil, err
			}
		}
		if b == nil {
			continue
		}
		r.out = *b
		r.out.Rows = nil
		if err := r.next.add(&r.out); err != nil {
			return nil, err
		}
		return &r.out, nil
	}
	return nil, nil
}

// begin begins the next step.
func (r *Recursive) begin(ctx context.Context) error {
	if err := r.op.Close(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.next.n == 0 {
		r.done = true
		return nil
	}
	if err := errors.Join(r.next.done(), r.work.rows.close()); err != nil {
		return err
	}
	r.work.rows, r.next = r.next, r.rows()
	switch {
	case !r.used:
		r.op, r.used = r.shown, true
	case !Reset(r.op):
		op, err := r.step()
		if err != nil {
			return err
		}
		r.op = op
	}
	return nil
}

// fresh returns the rows of a batch that no row before is equal to, nil if there is none.
func (r *Recursive) fresh(b *value.Batch) (*value.Batch, error) {
	r.args = r.args[:0]
	for _, c := range b.Cols {
		r.args = append(r.args, fn.Arg{Column: c})
	}
	sel, err := r.seen.add(r.args, b.Len, b.Sel, fn.GroupNull)
	if err != nil || len(sel) == 0 {
		return nil, err
	}
	r.out = *b
	r.out.Sel = sel
	return &r.out, nil
}

func (r *Recursive) Close() error {
	r.done = true
	err := errors.Join(r.work.rows.close(), r.next.close(), r.seed.Close())
	if r.seen != nil {
		err = errors.Join(err, r.seen.close())
	}
	for _, op := range []Operator{r.shown, r.op} {
		if e := op.Close(); err == nil {
			err = e
		}
	}
	return err
}

func (r *Recursive) Inputs() []Operator { return []Operator{r.seed, r.shown} }

func (r *Recursive) String() string {
	if r.seen != nil {
		return "Recursive " + r.name + " (each row once)"
	}
	return "Recursive " + r.name
}

// Work gives the rows of a WorkTable, the columns at positions Want.
type Work struct {
	Of   *WorkTable
	Want []int
	Name string
	out  *keptReader
}

func (w *Work) Next(ctx context.Context) (*value.Batch, error) {
	if w.out == nil {
		w.out = w.Of.rows.reader(w.Want)
	}
	return w.out.next(ctx)
}

func (w *Work) Close() error       { return nil }
func (w *Work) Inputs() []Operator { return nil }
func (w *Work) String() string     { return "New rows of " + w.Name }

// Reset makes it read the rows that are there by then.
func (w *Work) Reset() bool {
	w.out = nil
	return true
}
