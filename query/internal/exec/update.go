package exec

import (
	"context"
	"errors"
	"fmt"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Update changes columns of rows. Its input has the row number, the new values of
// the columns at Cols, then what RETURNING asks for of FROM. It gives the numbers of
// the rows as they are afterwards, with the last of these.
type Update struct {
	input
	Env  *Env
	Def  *storage.TableDef
	Cols []int
	// Stream says that the input gives every row once, in row order, and that
	// nobody reads the rows that are given: many are written as they come.
	Stream bool

	Affected int64
	out      *emitter
}

// NewUpdate returns an Update over in.
func NewUpdate(in Operator, env *Env, def *storage.TableDef, cols []int) *Update {
	if env.Touched != nil {
		in = &untouched{input{in}, env, def}
	}
	return &Update{input: input{in}, Env: env, Def: def, Cols: cols}
}

// streamBytes is what the new values of an update take before they are written as
// they come.
const streamBytes = 1 << 20

func (u *Update) Next(ctx context.Context) (*value.Batch, error) {
	if u.out != nil {
		return u.out.next(), nil
	}
	u.out = &emitter{t: &rowsTable{}}
	t, held, stream := &rowsTable{}, int64(0), u.Stream && u.Env.Touched == nil
	defer func() { u.Env.Memory.Release(held) }()
	for {
		b, err := u.in.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		size := batchBytes(b)
		held += size
		if err := u.Env.Memory.Reserve(size, "UPDATE"); err != nil {
			return nil, err
		}
		t.add(b)
		if stream && held >= streamBytes {
			w, err := u.Env.Tx.NewUpdater(ctx, u.Def.Name, u.Cols)
			if err != nil {
				return nil, err
			}
			if w != nil {
				return nil, u.stream(ctx, w, t)
			}
			stream = false
		}
	}
	if t.n == 0 {
		return nil, nil
	}
	numbers := 3 * 8 * int64(t.n) // of the rows, before and after
	held += numbers
	if err := u.Env.Memory.Reserve(numbers, "UPDATE"); err != nil {
		return nil, err
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
	fresh, err := u.Env.Tx.Update(ctx, u.Def.Name, rows, u.Cols, &value.Batch{Len: t.n, Cols: t.cols[1 : 1+len(u.Cols)]})
	if err != nil {
		return nil, withoutInput(err)
	}
	u.Env.Touched.add(u.Def, rows)
	u.Affected = int64(t.n)
	u.out = &emitter{t: &rowsTable{n: len(fresh), rows: fresh, cols: t.cols[1+len(u.Cols):]}}
	return u.out.next(), nil
}

// stream writes the rows read so far, then those that come.
func (u *Update) stream(ctx context.Context, w *storage.Updater, t *rowsTable) error {
	defer w.Close()
	var rows []uint64
	add := func(b *value.Batch) error {
		rows = rows[:0]
		for _, i := range b.Selected() {
			rows = append(rows, uint64(b.Cols[0].Ints[i]))
		}
		u.Affected += int64(len(rows))
		u.Env.progress(Progress{Stage: "updating", Done: u.Affected, Unit: "rows"})
		return withoutInput(w.Add(ctx, rows, &value.Batch{Len: b.Len, Sel: b.Sel, Cols: b.Cols[1:]}))
	}
	if err := add(&value.Batch{Len: t.n, Cols: t.cols}); err != nil {
		return err
	}
	*t = rowsTable{}
	if err := Drain(ctx, u.in, add); err != nil {
		return err
	}
	return withoutInput(w.Finish(ctx))
}

// withoutInput takes the number of a row out of an error: an UPDATE has no input whose rows one could count.
func withoutInput(err error) error {
	var unique *storage.UniqueError
	var null *storage.NotNullError
	var finite *storage.NotFiniteError
	var bad *storage.ValueError
	switch {
	case errors.As(err, &unique):
		unique.Row = -1
	case errors.As(err, &null):
		null.Row = -1
	case errors.As(err, &finite):
		finite.Row = -1
	case errors.As(err, &bad):
		bad.Row = -1
	}
	return err
}

func (u *Update) String() string { return "Update " + u.Def.Name + columnList(u.Def, u.Cols) }

// Delete removes rows. Its input has the row number, then what RETURNING asks
// for, which it gives.
type Delete struct {
	input
	Env *Env
	Def *storage.TableDef

	Affected int64
	held     int64
	out      *pileRows
}

// NewDelete returns a Delete over in.
func NewDelete(in Operator, env *Env, def *storage.TableDef) *Delete {
	if env.Touched != nil {
		in = &untouched{input{in}, env, def}
	}
	return &Delete{input: input{in}, Env: env, Def: def}
}

func (d *Delete) Next(ctx context.Context) (*value.Batch, error) {
	if d.out == nil {
		p, held, err := gatherAll(ctx, d.in, d.Env, "DELETE")
		d.held += held
		if err != nil {
			return nil, err
		}
		d.out = (&pile{}).rows(nil)
		if p.n == 0 {
			return nil, nil
		}
		held = 8 * int64(p.n)
		d.held += held
		if err := d.Env.Memory.Reserve(held, "DELETE"); err != nil {
			return nil, err
		}
		rows := make([]uint64, 0, p.n)
		for _, t := range p.parts {
			for _, r := range t.cols[0].Ints {
				rows = append(rows, uint64(r))
			}
			t.cols[0], t.rows = nil, nil
		}
		n, err := d.Env.Tx.Delete(ctx, d.Def.Name, rows)
		if err != nil {
			return nil, err
		}
		d.Env.Touched.add(d.Def, rows)
		d.Affected = int64(n)
		var returned []int
		for i := range p.width() - 1 {
			returned = append(returned, i+1)
		}
		if returned == nil {
			p.parts = []*rowsTable{{n: p.n}}
		}
		d.out = p.rows(returned)
	}
	return d.out.next(), nil
}

func (d *Delete) Close() error {
	d.Env.Memory.Release(d.held)
	d.held, d.out = 0, (&pile{}).rows(nil)
	return d.input.Close()
}

func (d *Delete) String() string { return "Delete from " + d.Def.Name }
