package exec

import (
	"context"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// Export writes the rows of its input to a file, which appears when all are
// there.
type Export struct {
	input
	Env    *Env
	Path   string
	Create func() (source.Writer, error)

	Affected int64
	done     bool
}

// NewExport returns an Export of in.
func NewExport(in Operator, env *Env, path string, create func() (source.Writer, error)) *Export {
	return &Export{input: input{in}, Env: env, Path: path, Create: create}
}

func (e *Export) Next(ctx context.Context) (*value.Batch, error) {
	if e.done {
		return nil, nil
	}
	e.done = true
	w, err := e.Create()
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	err = Drain(ctx, e.in, func(b *value.Batch) error {
		e.Affected += int64(b.Count())
		e.Env.progress(Progress{Stage: "writing " + e.Path, Done: e.Affected, Unit: "rows"})
		return w.Write(ctx, b)
	})
	if err != nil {
		return nil, err
	}
	return nil, w.Close()
}

func (e *Export) String() string { return "Write " + e.Path }
