package exec

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// An import commits when it has this many rows, or after this long.
const (
	portionRows = 1024
	portionTime = 5 * time.Second
)

// Import adds the rows of its input, which has all columns of the table in
// their order, in portions, each a transaction of its own: pictures take long to
// encode, and what is encoded is not to be lost. An error, or the statement's being
// cancelled, keeps the rows that had come before.
type Import struct {
	input
	Env    *Env
	Def    *storage.TableDef
	Opts   storage.InsertOptions
	Update *ConflictUpdate // as in Insert

	// Samples are queries typical for each vector column (by position), to train
	// codes with; may be nil.
	Samples func(context.Context) (map[int][][]float32, error)

	// Stopped, if it is set, says how far the import had come when it ended early.
	Stopped func() string

	Affected int64
	done     bool
	held     []*value.Batch
	rows     int // in held
}

// NewImport returns an Import over in.
func NewImport(in Operator, env *Env, def *storage.TableDef, opts storage.InsertOptions, update *ConflictUpdate) *Import {
	return &Import{input: input{in}, Env: env, Def: def, Opts: opts, Update: update}
}

func (m *Import) Next(ctx context.Context) (*value.Batch, error) {
	if m.done {
		return nil, nil
	}
	m.done = true
	err := m.drain(ctx)
	// A statement that is cancelled keeps what it has, which takes no time.
	if e := m.keep(context.WithoutCancel(ctx)); err == nil || errors.Is(err, ctx.Err()) && e != nil {
		err = e
	}
	if err == nil {
		err = m.train(ctx)
	}
	if err != nil && m.Affected > 0 {
		m.Env.warn("stopped: " + m.stopped())
	}
	return nil, err
}

// stopped says how many rows are in the table: of this run, and of those before it.
func (m *Import) stopped() string {
	if m.Stopped != nil {
		return m.Stopped()
	}
	const again = "; run again, the statement goes on from there"
	if v, err := m.Env.Store.Snapshot(); err == nil {
		defer v.Close()
		if t, err := v.Table(m.Def.Name); err == nil && int64(t.Rows()) != m.Affected {
			return fmt.Sprintf("%d rows are in %s, %d of them from this run", t.Rows(), m.Def.Name, m.Affected) + again
		}
	}
	return fmt.Sprintf("%d rows are in %s", m.Affected, m.Def.Name) + again
}

// drain takes the input, and commits what has come of it when it is much or when
// the time is up, whether or not more comes.
func (m *Import) drain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, ended, full := make(chan *value.Batch), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- Drain(ctx, m.in, func(b *value.Batch) error {
			select {
			case batches <- Copy(b):
				return nil
			case <-full:
				return errors.New("the import has failed")
			}
		})
	}()
	due := time.NewTicker(portionTime)
	defer due.Stop()
	for {
		select {
		case b := <-batches:
			m.held = append(m.held, b)
			if m.rows += b.Count(); m.rows < portionRows {
				continue
			}
			due.Reset(portionTime)
		case <-due.C:
		case err := <-ended:
			return err
		}
		if err := m.keep(ctx); err != nil {
			// Nobody uses the input any more when this returns.
			close(full)
			cancel()
			<-ended
			return err
		}
	}
}

// train makes the codes of vectors from the rows as they are now, if most of them
// have just come: those of the first portions only, and without queries, discard
// fewer rows.
func (m *Import) train(ctx context.Context) error {
	if m.Samples == nil || m.Affected < SampledRows {
		return nil
	}
	view, err := m.Env.Store.Snapshot()
	if err != nil {
		return err
	}
	t, err := view.Table(m.Def.Name)
	few := err == nil && 2*uint64(m.Affected) < t.Rows()
	view.Close()
	if err != nil || few {
		return err
	}
	samples, err := m.Samples(ctx)
	if err != nil {
		return err
	}
	for i := range m.Def.Columns {
		if len(samples[i]) == 0 {
			continue
		}
		err := m.Env.Store.RetrainColumn(ctx, m.Def.Name, m.Def.Columns[i].Name, samples[i], func(stage string, done, total uint64) {
			m.Env.progress(Progress{Stage: stage, Done: int64(done), Total: int64(total), Unit: "blocks"})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keep writes what is held and commits it.
func (m *Import) keep(ctx context.Context) error {
	if m.rows == 0 {
		return nil
	}
	held := m.held
	m.held, m.rows = nil, 0
	tx, err := m.Env.Store.Begin(ctx)
	if err != nil {
		return err
	}
	env := *m.Env
	env.Tx, env.Progress = tx, nil
	n := NewInsert(&Values{Batches: held}, &env, m.Def, m.Opts, m.Update)
	if _, err := n.Next(ctx); err != nil {
		return errors.Join(shiftRow(err, m.Affected), tx.Rollback())
	}
	if err := tx.CheckReferences(ctx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	m.Affected += n.Affected
	return nil
}

func (m *Import) String() string { return "Import into " + m.Def.Name }
