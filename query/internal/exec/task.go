package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// Task runs a piece of work that has at most one batch of rows to show.
type Task struct {
	Run  func(context.Context) (*value.Batch, error)
	Text string
	done bool
}

func (t *Task) Next(ctx context.Context) (*value.Batch, error) {
	if t.done {
		return nil, nil
	}
	t.done = true
	b, err := t.Run(ctx)
	if b != nil && b.Count() == 0 {
		b = nil
	}
	return b, err
}

func (t *Task) Close() error       { return nil }
func (t *Task) Inputs() []Operator { return nil }
func (t *Task) String() string     { return t.Text }
