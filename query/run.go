package query

import (
	"context"
	"time"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// MemoryError says that a statement needs more memory than it may have.
type MemoryError = exec.MemoryError

// how says what a statement needs to run.
type how uint8

const (
	reads  how = iota // a snapshot
	writes            // the write transaction
	loads             // outside of a transaction: the store itself, with a snapshot for planning
	alone             // the store itself, never within a transaction
)

func howTo(t parse.Statement) how {
	switch t := t.(type) {
	case *parse.CopyFrom:
		return loads
	case *parse.Vacuum, *parse.Backup:
		return alone
	case *parse.AlterTable:
		if _, ok := t.Action.(*parse.Retrain); ok {
			return alone
		}
	case *parse.Explain:
		if t.Analyze {
			return howTo(t.Statement)
		}
		return reads
	}
	if readOnly(t) {
		return reads
	}
	return writes
}

// input collects what a statement is planned with.
func (s *Session) input(args Args, hooks Hooks) *plan.Input {
	e := s.env
	e.once.Do(func() { e.texts.Max, e.texts.Store = e.PromptCache, e.Store })
	return &plan.Input{
		Env: exec.Env{
			Store: e.Store, View: s.view, Tx: s.tx, Workers: e.Workers,
			Memory: exec.NewBudget(e.MemoryBudget), Progress: hooks.Progress, Warn: hooks.Warn, Notice: hooks.Notice,
		},
		Encoder: e.Encoder, Texts: &e.texts, Images: &e.images,
		NoFiles: e.NoFiles, AllowURLs: e.AllowURLs,
		Pos: args.Pos, Named: args.Named, Now: time.Now(),
	}
}

// errReadOnly is the error for a write in a read-only transaction.
var errReadOnly error = readOnlyError{}

type readOnlyError struct{}

func (readOnlyError) Error() string        { return "the transaction is read-only" }
func (readOnlyError) Is(target error) bool { return target == storage.ErrReadOnly }

// run runs a statement other than BEGIN, COMMIT and ROLLBACK.
func (s *Session) run(ctx context.Context, stmt *Stmt, args Args, hooks Hooks) (*Result, error) {
	in := s.input(args, hooks)
	kind := stmt.how
	if ins, ok := stmt.tree.(*parse.Insert); ok && !s.InTransaction() && !plan.Few(ins) {
		view, err := s.env.Store.Snapshot()
		if err != nil {
			return nil, err
		}
		if plan.Import(ins) || plan.Bulk(view, ins) {
			kind = loads
		}
		view.Close()
	}
	return s.runPlan(ctx, in, kind, stmt.tag, func() (*plan.Run, error) { return stmt.start(ctx, in, args) })
}

// runPlan makes a plan and runs it in the session's transaction, or on its own.
func (s *Session) runPlan(ctx context.Context, in *plan.Input, kind how, tag string, start func() (*plan.Run, error)) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.view != nil && kind != reads && kind != alone {
		return nil, errReadOnly
	}
	var view *storage.View
	own := false // a write transaction of this statement alone
	switch {
	case s.tx != nil:
	case s.view != nil:
	case kind == writes:
		tx, err := s.env.Store.Begin(ctx)
		if err != nil {
			return nil, err
		}
		tx.OneStatement()
		in.Tx, own = tx, true
	default:
		var err error
		if view, err = s.env.Store.Snapshot(); err != nil {
			return nil, err
		}
		in.View = view
	}
	var sp storage.Savepoint
	if in.Tx != nil {
		sp = in.Tx.Savepoint()
	}
	end := func(failed bool) error {
		switch {
		case own && failed:
			return in.Tx.Rollback()
		case own:
			return in.Tx.Commit(ctx)
		case in.Tx != nil && failed:
			err := in.Tx.RollbackTo(sp)
			s.failed = true
			return err
		case view != nil:
			return view.Close()
		}
		return nil
	}
	p, err := start()
	if err != nil {
		end(true)
		return nil, err
	}
	r := &Result{tag: tag, columns: p.Columns}
	if kind == reads && p.Affected == nil {
		r.next = p.Root.Next
		r.close = func(failed bool) error {
			err := p.Close()
			if e := end(failed); err == nil {
				err = e
			}
			return err
		}
		return r, nil
	}
	// What writes does so now, whether its rows are read or not.
	var kept []*value.Batch
	err = exec.Drain(ctx, p.Root, func(b *value.Batch) error {
		if len(p.Columns) > 0 {
			kept = append(kept, exec.Copy(b))
		}
		return nil
	})
	if p.Affected != nil {
		r.affected = p.Affected()
	}
	r.lastKey = p.LastKey()
	tally := p.Tally()
	if e := p.Close(); err == nil {
		err = e
	}
	if e := end(err != nil); err == nil {
		err = e
	}
	if tally != nil && in.Notice != nil && (tally.Pictures || err == nil) {
		in.Notice(tally.String())
	}
	if err != nil {
		return nil, err
	}
	if len(p.Columns) > 0 {
		r.next = (&exec.Values{Batches: kept}).Next
	}
	return r, nil
}

// RunMany runs a SELECT once for each list of arguments, on one snapshot and,
// where it is a search, in one pass over the vectors. The i-th Result answers
// the i-th list; the caller closes all. The answers are those that Run would give.
func (s *Session) RunMany(ctx context.Context, stmt *Stmt, args []Args, hooks Hooks) ([]*Result, error) {
	for _, a := range args {
		if err := stmt.check(a); err != nil {
			return nil, s.fail(err)
		}
	}
	tree := stmt.tree
	if e, ok := tree.(*parse.Explain); ok {
		tree = e.Statement
	}
	if _, ok := tree.(*parse.Select); !ok || s.failed {
		var out []*Result
		for _, a := range args {
			r, err := s.Run(ctx, stmt, a, hooks)
			if err != nil {
				for _, x := range out {
					x.Close()
				}
				return nil, err
			}
			out = append(out, r)
		}
		return out, nil
	}
	rs, err := s.runMany(ctx, stmt, args, hooks)
	return rs, s.fail(err)
}

func (s *Session) runMany(ctx context.Context, stmt *Stmt, args []Args, hooks Hooks) ([]*Result, error) {
	var view *storage.View
	if !s.InTransaction() {
		var err error
		if view, err = s.env.Store.Snapshot(); err != nil {
			return nil, err
		}
	}
	left := len(args)
	release := func() error {
		if left--; left <= 0 && view != nil {
			return view.Close()
		}
		return nil
	}
	ins := make([]*plan.Input, len(args))
	for i, a := range args {
		ins[i] = s.input(a, hooks)
		if view != nil {
			ins[i].View = view
		}
	}
	runs, err := stmt.startMany(ctx, ins, args)
	if err != nil || len(args) == 0 {
		left = 0
		release()
		return nil, err
	}
	out := make([]*Result, len(args))
	for i, p := range runs {
		r := &Result{tag: stmt.tag, columns: p.Columns}
		r.next = p.Root.Next
		r.close = func(failed bool) error {
			err := p.Close()
			if failed && s.tx != nil {
				s.failed = true
			}
			if e := release(); err == nil {
				err = e
			}
			return err
		}
		out[i] = r
	}
	return out, nil
}

// Columns returns the columns of the statement's rows as the tables are now. A
// type of kind Null means that it depends on the arguments.
func (s *Session) Columns(ctx context.Context, stmt *Stmt) ([]Column, error) {
	if !stmt.ReturnsRows() {
		return nil, nil
	}
	in := s.input(Args{}, Hooks{})
	in.Describe = true
	if !s.InTransaction() {
		view, err := s.env.Store.Snapshot()
		if err != nil {
			return nil, err
		}
		defer view.Close()
		in.View = view
	}
	p, err := plan.Make(ctx, in, stmt.tree)
	if err != nil {
		return nil, err
	}
	return p.Columns, nil
}

// Batches is a source of rows made by a program.
type Batches = plan.Batches

// CopyFrom adds the rows of src to the named columns of a table (all, in their
// order, if none are named), as COPY does: types are those of the batches'
// columns; values are converted, texts for a column with an encoder are encoded,
// and so are pictures given as BLOB. All rows become visible at once; nothing
// stays of a failure. It returns the number of rows.
func (s *Session) CopyFrom(ctx context.Context, table string, columns []string, types []value.Type, src Batches, hooks Hooks) (int64, error) {
	if s.failed {
		return 0, ErrAborted
	}
	in := s.input(Args{}, hooks)
	r, err := s.runPlan(ctx, in, loads, "COPY", func() (*plan.Run, error) {
		return startNew(ctx, in)(plan.CopyRows(ctx, in, table, columns, types, src))
	})
	if err != nil {
		return 0, s.fail(err)
	}
	return r.affected, r.Close()
}

// Append inserts a batch into the named columns of a table, as INSERT would.
// Outside of a transaction it is committed. It returns the number of rows.
func (s *Session) Append(ctx context.Context, table string, columns []string, b *value.Batch, hooks Hooks) (int64, error) {
	if s.failed {
		return 0, ErrAborted
	}
	types := make([]value.Type, len(b.Cols))
	for i, c := range b.Cols {
		types[i] = c.Type
	}
	in := s.input(Args{}, hooks)
	src := &exec.Values{Batches: []*value.Batch{b}}
	r, err := s.runPlan(ctx, in, writes, "INSERT", func() (*plan.Run, error) {
		return startNew(ctx, in)(plan.CopyRows(ctx, in, table, columns, types, src))
	})
	if err != nil {
		return 0, s.fail(err)
	}
	return r.affected, r.Close()
}

// startNew starts a run of a plan that is for one run.
func startNew(ctx context.Context, in *plan.Input) func(*plan.Plan, error) (*plan.Run, error) {
	return func(p *plan.Plan, err error) (*plan.Run, error) {
		if err != nil {
			return nil, err
		}
		r, _, err := p.Start(ctx, in)
		return r, err
	}
}
