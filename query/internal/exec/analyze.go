package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// Analyze gives the lines that tell of a plan, with Run after it was run; its rows are
// dropped.
type Analyze struct {
	Root  Operator
	Run   bool
	Lines func() ([]string, error)
	done  bool
}

func (a *Analyze) Next(ctx context.Context) (*value.Batch, error) {
	if a.done {
		return nil, nil
	}
	a.done = true
	if a.Run {
		if err := Drain(ctx, a.Root, func(*value.Batch) error { return nil }); err != nil {
			return nil, err
		}
	}
	lines, err := a.Lines()
	if err != nil {
		return nil, err
	}
	c := &value.Column{Type: value.Type{Kind: value.Text}, Strs: lines}
	return &value.Batch{Len: len(lines), Cols: []*value.Column{c}}, nil
}

func (a *Analyze) Close() error       { return a.Root.Close() }
func (a *Analyze) Inputs() []Operator { return nil }
func (a *Analyze) String() string     { return "Analyze" }
