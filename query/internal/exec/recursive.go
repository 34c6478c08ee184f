package exec

import (
	"context"

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
	next     *pile
	held     [2]int64  // by the rows of work and next
	seen     *seenRows // all rows so far, where none is given twice; else nil
	grown    int64
	out      value.Batch
	done     bool
}

// WorkTable holds the rows that a step starts from.
type WorkTable struct{ rows *pile }

// NewRecursive returns a Recursive; with distinct no row comes twice. step is for EXPLAIN and the first step,
// again gives further ones.
func NewRecursive(seed, step Operator, again func() (Operator, error), work *WorkTable, types []value.Type, distinct bool, env *Env, name string) *Recursive {
	r := &Recursive{seed: seed, op: seed, shown: step, step: again, work: work, env: env, name: name, next: &pile{}}
	if distinct {
		r.seen = &seenRows{groups: fn.NewGroups(types)}
	}
	return r
}

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
		size := batchBytes(b)
		r.held[1] += size
		if err := r.env.Memory.Reserve(size, "WITH RECURSIVE "+r.name); err != nil {
			return nil, err
		}
		r.next.add(b, size)
		r.out = *b
		r.out.Rows = nil
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
	r.env.Memory.Release(r.held[0])
	r.held[0], r.held[1] = r.held[1], 0
	r.work.rows, r.next = r.next, &pile{}
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
	sel, err := r.seen.add(b)
	if err != nil {
		return nil, err
	}
	grown := r.seen.groups.Bytes() - r.grown
	r.grown += grown
	if err := r.env.Memory.Reserve(grown, "WITH RECURSIVE "+r.name); err != nil {
		return nil, err
	}
	if len(sel) == 0 {
		return nil, nil
	}
	r.out = *b
	r.out.Sel = sel
	return &r.out, nil
}

func (r *Recursive) Close() error {
	r.done = true
	r.env.Memory.Release(r.held[0] + r.held[1] + r.grown)
	r.held, r.grown = [2]int64{}, 0
	r.work.rows, r.next = &pile{}, &pile{}
	err := r.seed.Close()
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
	out  *pileRows
}

func (w *Work) Next(context.Context) (*value.Batch, error) {
	if w.out == nil {
		w.out = w.Of.rows.rows(w.Want)
	}
	return w.out.next(), nil
}

func (w *Work) Close() error       { return nil }
func (w *Work) Inputs() []Operator { return nil }
func (w *Work) String() string     { return "New rows of " + w.Name }

// Reset makes it read the rows that are there by then.
func (w *Work) Reset() bool {
	w.out = nil
	return true
}
