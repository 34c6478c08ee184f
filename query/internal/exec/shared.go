package exec

import (
	"cmp"
	"context"
	"errors"

	"github.com/lupadb/lupa/storage/value"
)

// Shared runs an operator once and keeps its rows for several uses, in a file where they have no
// room in memory. It belongs to one goroutine, and so do its uses.
type Shared struct {
	in   Operator
	what string
	kept *keptRows
	ran  bool
	err  error
	uses int // not closed yet
	over bool
}

// NewShared returns a Shared over in; what names it in an error.
func NewShared(in Operator, env *Env, what string) *Shared {
	return &Shared{in: in, what: what, kept: newKeptRows(env, what)}
}

// Use returns an operator that gives the columns at positions want.
func (s *Shared) Use(want []int) Operator {
	s.uses++
	return &sharedUse{of: s, want: want, first: s.uses == 1}
}

func (s *Shared) rows(ctx context.Context) (*keptRows, error) {
	if !s.ran {
		s.ran = true
		s.err = cmp.Or(s.kept.gather(ctx, s.in), s.in.Close())
	}
	return s.kept, s.err
}

// Over reports whether all uses were closed: the rows are gone.
func (s *Shared) Over() bool { return s.over }

// sharedUse is one use of a Shared.
type sharedUse struct {
	of     *Shared
	want   []int
	first  bool // shows what it runs in EXPLAIN
	out    *keptReader
	closed bool
}

func (u *sharedUse) Next(ctx context.Context) (*value.Batch, error) {
	if u.closed {
		return nil, nil
	}
	if u.out == nil {
		t, err := u.of.rows(ctx)
		if err != nil {
			return nil, err
		}
		u.out = t.reader(u.want)
	}
	return u.out.next(ctx)
}

func (u *sharedUse) Close() error {
	if u.closed {
		return nil
	}
	u.closed = true
	s := u.of
	if s.uses--; s.uses > 0 {
		return nil
	}
	s.over = true
	return errors.Join(s.kept.close(), s.in.Close())
}

func (u *sharedUse) Inputs() []Operator {
	if u.first {
		return []Operator{u.of.in}
	}
	return nil
}

func (u *sharedUse) String() string { return "Shared rows of " + u.of.what }
