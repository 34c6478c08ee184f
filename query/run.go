package query

import (
	"context"
	"errors"
	"time"

	"github.com/lupadb/lupa/query/foreign"
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
	reads     how = iota // a snapshot
	writes               // the write transaction
	loads                // outside of a transaction: the store itself, with a snapshot for planning
	alone                // the store itself, never within a transaction
	elsewhere            // a snapshot: what it changes is in another database. Never within a transaction
)

func howTo(t parse.Statement) how {
	if elsewhereOnly(t) {
		return elsewhere
	}
	switch t := t.(type) {
	case *parse.CopyFrom:
		return loads
	case *parse.Vacuum, *parse.Backup:
		return alone
	case *parse.AlterTable:
		switch a := t.Action.(type) {
		case *parse.Retrain:
			return alone
		case *parse.SetEncoder:
			if a.From != nil {
				return alone
			}
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

// unit is one statement at work: what it is planned and run with, and what of the store it
// holds.
type unit struct {
	s      *Session
	in     plan.Input
	memory exec.Budget
	view   *storage.View // of this statement alone, or nil: snap
	snap   storage.View
	own    bool // the transaction is of this statement alone
	sp     storage.Savepoint
	tree   parse.Statement
	before *storage.View // the store before the statement, nil where nothing reads it while it is changed
	temp   *temps        // the statement changes temporary tables
}

// init collects what a statement is planned with.
func (u *unit) init(s *Session, args Args, hooks Hooks) {
	e := s.env
	e.once.Do(func() { e.texts.Max, e.texts.Store = e.PromptCache, e.Store })
	u.s = s
	u.memory.Init(e.MemoryBudget)
	in := &u.in
	in.Store, in.View, in.Tx, in.Workers, in.Memory = e.Store, s.view, s.tx, e.Workers, &u.memory
	in.Progress, in.Warn, in.Notice, in.Within = hooks.Progress, hooks.Warn, hooks.Notice, hooks.Within
	in.Encoder, in.Texts, in.Images = e.Encoder, &e.texts, &e.images
	in.NoFiles, in.AllowURLs, in.Attached = e.NoFiles || hooks.NoFiles, e.AllowURLs, &e.Attached
	in.Temp = s.temp.current()
	in.Pos, in.Named, in.Now = args.Pos, args.Named, time.Now()
}

// input is what a statement is planned with.
func (s *Session) input(args Args, hooks Hooks) *plan.Input {
	u := new(unit)
	u.init(s, args, hooks)
	return &u.in
}

// begin takes what a statement needs of the store.
func (u *unit) begin(ctx context.Context, kind how, toTemp bool) error {
	s := u.s
	if err := ctx.Err(); err != nil {
		return err
	}
	if toTemp {
		return u.beginTemp(ctx, kind)
	}
	if s.InTransaction() && kind == elsewhere {
		return errElsewhere
	}
	if s.view != nil && kind == alone {
		return errAlone
	}
	if s.view != nil && kind != reads {
		return errReadOnly
	}
	switch {
	case s.tx != nil:
	case s.view != nil:
	case kind == writes:
		tx, err := s.env.Store.Begin(ctx)
		if err != nil {
			return err
		}
		if !parse.Changes(u.tree) {
			tx.OneStatement()
		}
		u.in.Tx, u.own = tx, true
	default:
		if err := s.env.Store.SnapshotTo(&u.snap); err != nil {
			return err
		}
		u.view, u.in.View = &u.snap, &u.snap
	}
	if u.in.Tx != nil {
		u.sp = u.in.Tx.Savepoint()
		if parse.Changes(u.tree) {
			var err error
			u.in.Base, err = u.in.Tx.Before()
			u.before = u.in.Base
			return err
		}
	}
	return nil
}

// end gives it back: what the statement has written is kept, or undone if it failed.
func (u *unit) end(ctx context.Context, failed bool) error {
	var broken error
	if u.in.Tx != nil && !failed {
		if broken = u.in.Tx.CheckReferences(ctx); broken != nil {
			failed = true
		}
	}
	return firstError(broken, u.close(ctx, failed))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) close(ctx context.Context, failed bool) error {
	if u.before != nil {
		u.before.Close()
		u.before = nil
	}
	switch {
	case u.temp != nil:
		return u.closeTemp(ctx, failed)
	case u.own && failed:
		return u.in.Tx.Rollback()
	case u.own:
		return u.in.Tx.Commit(ctx)
	case u.in.Tx != nil && failed:
		err := u.in.Tx.RollbackTo(u.sp)
		u.s.failed = true
		return err
	case u.view != nil:
		return u.view.Close()
	}
	return nil
}

// errAlone is the error for a statement that is about the store, not about a picture of it.
var errAlone = errors.New("this statement can't run within a transaction; COMMIT or ROLLBACK first")

// errElsewhere is the error for a statement that would leave a transaction halfway: what it
// changes is not part of it.
var errElsewhere = errors.New("a transaction is about this store alone; a statement that changes an attached database comes before BEGIN or after COMMIT")

// errReadOnly is the error for a write in a read-only transaction.
var errReadOnly error = readOnlyError{}

type readOnlyError struct{}

func (readOnlyError) Error() string        { return "the transaction is read-only" }
func (readOnlyError) Is(target error) bool { return target == storage.ErrReadOnly }

// run runs a statement other than BEGIN, COMMIT and ROLLBACK.
func (s *Session) run(ctx context.Context, stmt *Stmt, args Args, hooks Hooks, r *Result) error {
	kind := stmt.how
	toTemp, err := s.toTemp(stmt.tree)
	if err != nil {
		return err
	}
	if ins, ok := stmt.tree.(*parse.Insert); ok && !toTemp && kind != elsewhere && !s.InTransaction() && !plan.Few(ins) {
		view, err := s.env.Store.Snapshot()
		if err != nil {
			return err
		}
		if plan.Loads(view, ins) {
			kind = loads
		}
		view.Close()
	}
	if c, ok := stmt.tree.(*parse.CreateTable); ok && !toTemp && kind == writes && c.Query != nil && !s.InTransaction() && plan.FromElsewhere(c.Query) {
		kind = loads
	}
	r.tag, r.unit.tree = stmt.tag, stmt.tree
	r.unit.init(s, args, hooks)
	if err := r.unit.memory.Reserve(stmt.weight, longStatement); err != nil {
		return err
	}
	if err := r.unit.begin(ctx, kind, toTemp); err != nil {
		return err
	}
	for again := true; ; again = false {
		run, err := stmt.start(ctx, &r.unit.in, args)
		if err == nil && kind == reads && run.Asks() {
			// Whether an attached database still has the tables as they were is known once it
			// has answered: if not, the statement is planned anew.
			if r.first, err = run.Root.Next(ctx); err != nil {
				run.Close()
				if again && errors.Is(err, foreign.ErrChanged) {
					continue
				}
			}
			r.read = err == nil
		}
		return r.perform(ctx, kind, run, err)
	}
}

// runNew runs a plan that is made for one run.
func (s *Session) runNew(ctx context.Context, kind how, toTemp bool, tag string, hooks Hooks, make func(in *plan.Input) (*plan.Plan, error)) (*Result, error) {
	r := &Result{tag: tag}
	r.unit.init(s, Args{}, hooks)
	if err := r.unit.begin(ctx, kind, toTemp); err != nil {
		return nil, err
	}
	run, err := startNew(ctx, &r.unit.in)(make(&r.unit.in))
	return r, r.perform(ctx, kind, run, err)
}

// perform leaves the rows of what reads to be read, and does what writes now, whether its
// rows are read or not. err is why there is no run.
func (r *Result) perform(ctx context.Context, kind how, run *plan.Run, err error) error {
	if err != nil {
		r.unit.end(ctx, true)
		return err
	}
	r.columns = run.Columns
	if kind == reads && run.Affected == nil {
		r.run = run
		return nil
	}
	var kept []*value.Batch
	err = exec.Drain(ctx, run.Root, func(b *value.Batch) error {
		if len(r.columns) > 0 {
			kept = append(kept, exec.Copy(b))
		}
		return nil
	})
	if run.Affected != nil {
		r.affected = run.Affected()
	}
	r.lastKey = run.LastKey()
	if err == nil {
		r.unit.made()
	}
	tally := run.Tally()
	r.partial = run.Env.Partial
	if e := run.Close(); err == nil {
		err = e
	}
	if e := r.unit.end(ctx, err != nil); err == nil {
		err = e
	}
	if notice := r.unit.in.Notice; tally != nil && notice != nil && (tally.Pictures || err == nil) {
		notice(tally.String())
	}
	if err == nil && len(r.columns) > 0 {
		r.kept = &exec.Values{Batches: kept}
	}
	return err
}

// RunMany runs SELECTs, stmts[i] with args[i], on one snapshot and, where they are searches
// that differ in what they search for only, in one pass over the vectors. The i-th Result
// answers the i-th statement; the caller closes all. The answers are those that Run would give.
func (s *Session) RunMany(ctx context.Context, stmts []*Stmt, args []Args, hooks Hooks) ([]*Result, error) {
	one := !s.failed
	for i, st := range stmts {
		if err := st.check(args[i]); err != nil {
			return nil, s.fail(err)
		}
		one = one && selects(st.tree)
	}
	if one {
		rs, err := s.runMany(ctx, stmts, args, hooks)
		return rs, s.fail(err)
	}
	var out []*Result
	for i, st := range stmts {
		r, err := s.Run(ctx, st, args[i], hooks)
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

// selects reports whether a statement is a SELECT, or EXPLAIN of one.
func selects(t parse.Statement) bool {
	if e, ok := t.(*parse.Explain); ok {
		t = e.Statement
	}
	_, ok := t.(*parse.Select)
	return ok && !parse.Changes(t)
}

// Shared returns how many of the statements, from the first on, are searches that one pass
// over the vectors answers together: RunMany does that. It is less than two where the first
// shares with no other. The statements have no parameters.
func (s *Session) Shared(ctx context.Context, stmts []*Stmt) (n int) {
	if s.failed {
		return 0
	}
	view, release, err := s.snapshot()
	if err != nil {
		return 0
	}
	defer release()
	var first *plan.Plan
	for _, st := range stmts {
		if !selects(st.tree) || st.NumParams() > 0 || len(st.names) > 0 {
			break
		}
		in := s.input(Args{}, Hooks{})
		if view != nil {
			in.View = view
		}
		p, err := st.planned(ctx, in, Args{})
		if err != nil || p.Search == "" || first != nil && p.Search != first.Search {
			break // an error is told when the statement is run
		}
		if first == nil {
			first = p
		}
		n++
	}
	return n
}

// snapshot returns a view for several statements and what gives it back; nil within a
// transaction, which has its own.
func (s *Session) snapshot() (*storage.View, func() error, error) {
	if s.InTransaction() {
		return nil, func() error { return nil }, nil
	}
	view, err := s.env.Store.Snapshot()
	if err != nil {
		return nil, nil, err
	}
	return view, view.Close, nil
}

func (s *Session) runMany(ctx context.Context, stmts []*Stmt, args []Args, hooks Hooks) ([]*Result, error) {
	view, closeView, err := s.snapshot()
	if err != nil {
		return nil, err
	}
	left := len(args)
	release := func() error {
		if left--; left <= 0 {
			return closeView()
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
	runs, err := startMany(ctx, stmts, ins, args)
	if err != nil || len(args) == 0 {
		left = 0
		release()
		return nil, err
	}
	out := make([]*Result, len(args))
	for i, p := range runs {
		r := &Result{tag: stmts[i].tag, columns: p.Columns, run: p, release: release}
		r.unit.s = s
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
	kind := loads
	if _, ok := s.elsewhere(table); ok {
		kind = elsewhere
	}
	r, err := s.runNew(ctx, kind, s.isTemp(table), "COPY", hooks, func(in *plan.Input) (*plan.Plan, error) {
		return plan.CopyRows(ctx, in, table, columns, types, src)
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
	if _, ok := s.elsewhere(table); ok {
		return 0, s.fail(errElsewhere)
	}
	types := make([]value.Type, len(b.Cols))
	for i, c := range b.Cols {
		types[i] = c.Type
	}
	src := &exec.Values{Batches: []*value.Batch{b}}
	r, err := s.runNew(ctx, writes, s.isTemp(table), "INSERT", hooks, func(in *plan.Input) (*plan.Plan, error) {
		return plan.CopyRows(ctx, in, table, columns, types, src)
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
