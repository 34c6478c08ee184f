package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// UnionAll gives the rows of its inputs one after the other. Their columns have
// the same types.
type UnionAll struct {
	Ins []Operator
	at  int
	out value.Batch
}

func (u *UnionAll) Next(ctx context.Context) (*value.Batch, error) {
	for u.at < len(u.Ins) {
		b, err := u.Ins[u.at].Next(ctx)
		if err != nil {
			return nil, err
		}
		if b != nil {
			u.out = *b
			u.out.Rows = nil
			return &u.out, nil
		}
		u.at++
	}
	return nil, nil
}

func (u *UnionAll) Close() error {
	var first error
	for _, in := range u.Ins {
		if err := in.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (u *UnionAll) Inputs() []Operator { return u.Ins }
func (u *UnionAll) String() string     { return "UnionAll" }
