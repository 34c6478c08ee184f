package exec

import (
	"context"
	"sync"

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
	if report := l.Env.Progress; report != nil { // reading and writing go on side by side
		var mu sync.Mutex
		l.Env.Progress = func(p Progress) {
			mu.Lock()
			defer mu.Unlock()
			report(p)
		}
	}
	opts := storage.LoadOptions{Progress: func(stage string, done, total uint64) {
		l.Env.progress(Progress{Stage: stage, Done: int64(done), Total: int64(total), Unit: "rows"})
	}}
	head, more, err := l.head(ctx)
	if err != nil {
		return nil, err
	}
	if more && l.Samples != nil {
		if opts.QuerySamples, err = l.Samples(ctx); err != nil {
			return nil, err
		}
	}
	loader, err := l.Env.Store.BulkLoad(ctx, l.Def.Name, opts)
	if err != nil {
		return nil, err
	}
	defer loader.Abort()
	add := func(b *value.Batch) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return loader.Append(ctx, b)
	}
	for _, b := range head {
		if err := add(b); err != nil {
			return nil, err
		}
	}
	if more {
		if err := DrainAhead(ctx, l.in, add); err != nil {
			return nil, err
		}
	}
	n, err := loader.Finish(ctx)
	l.Affected = int64(n)
	return nil, err
}

// SampledRows is the number of rows from which on a load trains codes well
// enough to be worth sample queries.
const SampledRows = 4096

// head reads the first rows, and tells whether there may be more of them. Nobody
// has to wait for a load that is small, or whose input turns out to be wrong.
func (l *Load) head(ctx context.Context) (head []*value.Batch, more bool, err error) {
	for n := 0; n < SampledRows; {
		b, err := l.in.Next(ctx)
		if err != nil || b == nil {
			return head, false, err
		}
		head = append(head, Copy(b))
		n += b.Count()
	}
	return head, true, nil
}

func (l *Load) String() string { return "BulkLoad into " + l.Def.Name }
