package exec

import (
	"context"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Changes runs the statements that change rows and that WITH names, each once and to its end,
// before it gives the rows of the statement itself.
type Changes struct {
	input
	uses []*sharedUse
	done bool
}

// NewChanges returns a Changes over in.
func NewChanges(in Operator, of []*Shared) *Changes {
	c := &Changes{input: input{in}}
	for _, s := range of {
		c.uses = append(c.uses, s.Use(nil).(*sharedUse))
	}
	return c
}

func (c *Changes) Next(ctx context.Context) (*value.Batch, error) {
	if !c.done {
		for _, u := range c.uses {
			if _, err := u.of.rows(ctx); err != nil {
				return nil, err
			}
		}
		c.done = true
	}
	return c.in.Next(ctx)
}

func (c *Changes) Close() error {
	err := c.input.Close()
	for _, u := range c.uses {
		if e := u.Close(); err == nil {
			err = e
		}
	}
	return err
}

func (c *Changes) Inputs() []Operator {
	ops := []Operator{c.in}
	for _, u := range c.uses {
		ops = append(ops, u)
	}
	return ops
}

func (c *Changes) String() string { return "Change first" }

// Touched are the rows, by the tables' IDs, that parts of one statement have changed: a row is
// changed by one of them only, the first.
type Touched map[uint32]*storage.RowSet

// add notes that a part changes rows.
func (t Touched) add(def *storage.TableDef, rows []uint64) {
	if t == nil {
		return
	}
	if t[def.ID] == nil {
		t[def.ID] = new(storage.RowSet)
	}
	for _, r := range rows {
		t[def.ID].Add(r)
	}
}

// without returns the rows of a batch, whose first column has their numbers, that no other part
// has changed; nil where there are none.
func (t Touched) without(def *storage.TableDef, b *value.Batch) *value.Batch {
	set := t[def.ID]
	if set == nil {
		return b
	}
	out := &value.Batch{Len: b.Len, Cols: b.Cols, Rows: b.Rows, Sel: []int32{}}
	for _, i := range b.Selected() {
		if !set.Has(uint64(b.Cols[0].Ints[i])) {
			out.Sel = append(out.Sel, i)
		}
	}
	if len(out.Sel) == 0 {
		return nil
	}
	return out
}

// untouched is an input without the rows that other parts of the statement have changed.
type untouched struct {
	input
	env *Env
	def *storage.TableDef
}

func (u *untouched) Next(ctx context.Context) (*value.Batch, error) {
	for {
		b, err := u.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if b = u.env.Touched.without(u.def, b); b != nil {
			return b, nil
		}
	}
}

func (u *untouched) String() string { return "Not changed yet" }
