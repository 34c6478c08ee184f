package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// Shared runs an operator once and keeps its rows for several uses. It belongs to
// one goroutine, and so do its uses.
type Shared struct {
	in   Operator
	env  *Env
	what string
	t    *pile
	err  error
	held int64
	uses int // not closed yet
	over bool
}

// NewShared returns a Shared over in; what names it in an error.
func NewShared(in Operator, env *Env, what string) *Shared {
	return &Shared{in: in, env: env, what: what}
}

// Use returns an operator that gives the columns at positions want.
func (s *Shared) Use(want []int) Operator {
	s.uses++
	return &sharedUse{of: s, want: want, first: s.uses == 1}
}

func (s *Shared) rows(ctx context.Context) (*pile, error) {
	if s.t == nil && s.err == nil {
		s.t, s.held, s.err = gatherAll(ctx, s.in, s.env, s.what)
		if err := s.in.Close(); s.err == nil {
			s.err = err
		}
	}
	return s.t, s.err
}

// Over reports whether all uses were closed: the rows are gone.
func (s *Shared) Over() bool { return s.over }

// sharedUse is one use of a Shared.
type sharedUse struct {
	of     *Shared
	want   []int
	first  bool // shows what it runs in EXPLAIN
	out    *pileRows
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
		u.out = t.rows(u.want)
	}
	return u.out.next(), nil
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
	s.env.Memory.Release(s.held)
	s.t, s.held, s.over = &pile{}, 0, true
	return s.in.Close()
}

func (u *sharedUse) Inputs() []Operator {
	if u.first {
		return []Operator{u.of.in}
	}
	return nil
}

func (u *sharedUse) String() string { return "Shared rows of " + u.of.what }
