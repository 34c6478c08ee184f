package run

import (
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// Run is one run of a plan. It belongs to one goroutine.
type Run struct {
	Columns  []Column
	Root     exec.Operator // to be read to the end
	Affected func() int64  // counts the rows written, once Root is at its end; nil for statements that write none

	*build.Builder
	plan  *Plan
	slots []fn.Slot
	body  exec.Operator // what EXPLAIN explains: Root without that
	steps map[*logical.Slot]fn.Expr
	sets  map[*logical.Slot]*exec.ValueSet
	self  [1]*Run

	texts    int           // encoded so far
	encoding time.Duration // in this time
}

var runNumber atomic.Uint64

// Close ends the run. A run of a plan that is used again is kept for the next one.
func (r *Run) Close() error {
	if r.Root == nil {
		return nil
	}
	err := r.Root.Close()
	for _, op := range r.Ops {
		if e := op.Close(); err == nil {
			err = e
		}
	}
	for _, set := range r.sets {
		if e := set.Close(); err == nil {
			err = e
		}
	}
	for _, a := range r.Aheads {
		if a == nil {
			continue
		}
		if e := a.Close(); err == nil {
			err = e
		}
	}
	if r.plan.Cached && err == nil && !r.Single && exec.Reset(r.Root) {
		for i := range r.slots {
			s := &r.slots[i]
			s.Arg, s.Err, s.Set = fn.Arg{}, nil, nil
		}
		r.In, r.Fnctx.Context, r.Env = nil, nil, exec.Env{}
		r.plan.idle.Put(r)
		return nil
	}
	return err
}

// Asks reports whether the run asks an attached database.
func (r *Run) Asks() bool { return len(r.plan.remote) > 0 && !r.plan.how.Describe }

// LastKey returns the INTEGER primary key of the last row inserted.
func (r *Run) LastKey() value.Value { return r.Env.LastKey }

// Tally returns what was read of the files of the statement, or nil.
func (r *Run) Tally() *exec.Tally { return r.Env.Tally }
