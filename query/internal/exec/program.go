package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// FromProgram gives the rows that a program hands over.
type FromProgram struct {
	Source interface {
		Next(ctx context.Context) (*value.Batch, error)
	}
	Columns []int // of the source's batches
	out     value.Batch
}

func (f *FromProgram) Next(ctx context.Context) (*value.Batch, error) {
	for {
		b, err := f.Source.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if b.Count() == 0 {
			continue
		}
		f.out = value.Batch{Len: b.Len, Sel: b.Sel}
		for _, c := range f.Columns {
			f.out.Cols = append(f.out.Cols, b.Cols[c])
		}
		return &f.out, nil
	}
}

func (f *FromProgram) Close() error       { return nil }
func (f *FromProgram) Inputs() []Operator { return nil }
func (f *FromProgram) String() string     { return "Read the program's rows" }
