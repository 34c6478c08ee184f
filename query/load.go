package query

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Load is a bulk load fed by a program, batch by batch, past the write-ahead log:
// its rows become visible together at Finish, or not at all, and however many they
// are, they take a bounded amount of memory. It holds the writer lock, and
// belongs to one goroutine.
type Load struct {
	s       *Session
	table   string
	columns []string
	hooks   Hooks
	view    *storage.View // with which batches are planned; schemas stay as they are while we write
	loader  *storage.Loader
	temp    *temps // it is a temporary table
}

// Load starts a bulk load into the named columns of a table, all of them, in their
// order, if none are named. rows is about how many are at hand, to decide whether
// the codes of vectors are worth being trained with typical prompts. It fails
// within a transaction.
func (s *Session) Load(ctx context.Context, table string, columns []string, rows int, hooks Hooks) (*Load, error) {
	if s.InTransaction() {
		return nil, ErrInTransaction
	}
	l := &Load{s: s, table: table, columns: columns, hooks: hooks}
	opts := storage.LoadOptions{Progress: func(stage string, done, total uint64) {
		if hooks.Progress != nil {
			hooks.Progress(Progress{Stage: stage, Done: int64(done), Total: int64(total), Unit: "rows"})
		}
	}}
	var err error
	if rows >= exec.SampledRows {
		if opts.QuerySamples, err = l.samples(ctx); err != nil {
			return nil, err
		}
	}
	store := s.env.Store
	if s.isTemp(table) {
		l.temp = s.temp
		store = l.temp.store
	}
	if l.loader, err = store.BulkLoad(ctx, table, opts); err != nil {
		return nil, err
	}
	if l.view, err = s.env.Store.Snapshot(); err != nil {
		l.loader.Abort()
		return nil, err
	}
	return l, nil
}

// samples encodes typical prompts before the writer lock is taken.
func (l *Load) samples(ctx context.Context) (map[int][][]float32, error) {
	view, err := l.s.env.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	defer view.Close()
	in := l.s.input(Args{}, l.hooks)
	in.View = view
	return plan.QuerySamples(ctx, in, l.table)
}

// Append adds the rows of a batch. Values are converted to the columns' types;
// texts for a column with an encoder are encoded, and so are pictures given as
// BLOB. After an error only Abort is left.
func (l *Load) Append(ctx context.Context, b *value.Batch) error {
	types := make([]value.Type, len(b.Cols))
	for i, c := range b.Cols {
		types[i] = c.Type
	}
	in := l.s.input(Args{}, l.hooks)
	in.View = l.view
	run, err := startNew(ctx, in)(plan.CompleteRows(ctx, in, l.table, l.columns, types, &exec.Values{Batches: []*value.Batch{b}}))
	if err != nil {
		return err
	}
	defer run.Close()
	return exec.Drain(ctx, run.Root, func(b *value.Batch) error { return l.loader.Append(ctx, b) })
}

// Finish publishes the rows and returns how many they are. A repeated key may
// show as late as here. On an error nothing of the load stays.
func (l *Load) Finish(ctx context.Context) (int64, error) {
	defer l.view.Close()
	n, err := l.loader.Finish(ctx)
	if l.temp != nil {
		err = firstError(err, l.temp.look())
	}
	return int64(n), err
}

// Abort discards the load. After Finish it does nothing.
func (l *Load) Abort() error {
	l.view.Close()
	return l.loader.Abort()
}
