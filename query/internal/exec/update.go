package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Update changes columns of rows. Its input has the row number, then the new
// values of the columns at Cols. It gives the numbers of the new rows, without
// columns.
type Update struct {
	input
	Env  *Env
	Def  *storage.TableDef
	Cols []int

	Affected int64
	out      *emitter
}

// NewUpdate returns an Update over in.
func NewUpdate(in Operator, env *Env, def *storage.TableDef, cols []int) *Update {
	return &Update{input: input{in}, Env: env, Def: def, Cols: cols}
}

func (u *Update) Next(ctx context.Context) (*value.Batch, error) {
	if u.out == nil {
		t, held, err := materialize(ctx, u.in, u.Env, "UPDATE")
		defer u.Env.Memory.Release(held)
		if err != nil {
			return nil, err
		}
		u.out = &emitter{t: &rowsTable{}}
		if t.n == 0 {
			return nil, nil
		}
		rows := make([]uint64, t.n)
		seen := new(storage.RowSet)
		for i, r := range t.cols[0].Ints {
			rows[i] = uint64(r)
			if seen.Has(rows[i]) {
				return nil, fmt.Errorf("a row of %s has more than one partner in FROM, so its new values are not certain; make the keys of FROM unique (GROUP BY or DISTINCT ON)", u.Def.Name)
			}
			seen.Add(rows[i])
		}
		fresh, err := u.Env.Tx.Update(ctx, u.Def.Name, rows, u.Cols, &value.Batch{Len: t.n, Cols: t.cols[1:]})
		if err != nil {
			return nil, err
		}
		u.Affected = int64(t.n)
		u.out = &emitter{t: &rowsTable{n: len(fresh), rows: fresh}}
	}
	return u.out.next(), nil
}

func (u *Update) String() string { return "Update " + u.Def.Name + columnList(u.Def, u.Cols) }

// Delete removes rows. Its input has the row number, then what RETURNING asks
// for, which it gives.
type Delete struct {
	input
	Env *Env
	Def *storage.TableDef

	Affected int64
	out      *emitter
}

// NewDelete returns a Delete over in.
func NewDelete(in Operator, env *Env, def *storage.TableDef) *Delete {
	return &Delete{input: input{in}, Env: env, Def: def}
}

func (d *Delete) Next(ctx context.Context) (*value.Batch, error) {
	if d.out == nil {
		t, held, err := materialize(ctx, d.in, d.Env, "DELETE")
		defer d.Env.Memory.Release(held)
		if err != nil {
			return nil, err
		}
		d.out = &emitter{t: &rowsTable{}}
		if t.n == 0 {
			return nil, nil
		}
		rows := make([]uint64, t.n)
		for i, r := range t.cols[0].Ints {
			rows[i] = uint64(r)
		}
		n, err := d.Env.Tx.Delete(ctx, d.Def.Name, rows)
		if err != nil {
			return nil, err
		}
		d.Affected = int64(n)
		t.cols, t.rows = t.cols[1:], nil
		d.out = &emitter{t: t}
	}
	return d.out.next(), nil
}

func (d *Delete) String() string { return "Delete from " + d.Def.Name }
