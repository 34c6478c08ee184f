package exec

import (
	"context"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Load adds the rows of its input, which has all columns of the table in their
// order, past the write-ahead log: all of them become visible at once, or none.
type Load struct {
	input
	Env     *Env
	Def     *storage.TableDef
	Samples func(context.Context) (map[int][][]float32, error) // see storage.LoadOptions; may be nil

	Affected int64
	done     bool
}

// NewLoad returns a Load over in.
func NewLoad(in Operator, env *Env, def *storage.TableDef) *Load {
	return &Load{input: input{in}, Env: env, Def: def}
}

func (l *Load) Next(ctx context.Context) (*value.Batch, error) {
	if l.done {
		return nil, nil
	}
	l.done = true
	opts := storage.LoadOptions{Progress: func(stage string, done, total uint64) {
		l.Env.progress(Progress{Stage: stage, Done: int64(done), Total: int64(total), Unit: "rows"})
	}}
	if l.Samples != nil {
		var err error
		if opts.QuerySamples, err = l.Samples(ctx); err != nil {
			return nil, err
		}
	}
	loader, err := l.Env.Store.BulkLoad(ctx, l.Def.Name, opts)
	if err != nil {
		return nil, err
	}
	defer loader.Abort()
	rows := int64(0)
	err = Drain(ctx, l.in, func(b *value.Batch) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := loader.Append(ctx, b)
		rows += int64(b.Count())
		return err
	})
	if err != nil {
		return nil, err
	}
	n, err := loader.Finish(ctx)
	l.Affected = int64(n)
	return nil, err
}

func (l *Load) String() string { return "BulkLoad into " + l.Def.Name }
