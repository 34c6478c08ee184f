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
	portionTime = 10 * time.Second
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

	Affected int64
	done     bool
	held     []*value.Batch
	rows     int
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
	last := time.Now()
	err := Drain(ctx, m.in, func(b *value.Batch) error {
		m.held = append(m.held, Copy(b))
		if m.rows += b.Count(); m.rows < portionRows && time.Since(last) < portionTime {
			return nil
		}
		last = time.Now()
		return m.keep(ctx)
	})
	// A statement that is cancelled keeps what it has, which takes no time.
	if e := m.keep(context.WithoutCancel(ctx)); err == nil || errors.Is(err, ctx.Err()) && e != nil {
		err = e
	}
	if err != nil && m.Affected > 0 {
		m.Env.warn(fmt.Sprintf("stopped: %d rows are in %s; run again, the statement goes on from there", m.Affected, m.Def.Name))
	}
	return nil, err
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
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	m.Affected += n.Affected
	return nil
}

func (m *Import) String() string { return "Import into " + m.Def.Name }
