package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Insert adds the rows of its input, which has all columns of the table in
// their order, and gives the numbers of the rows it wrote, without columns, if Returns is set.
type Insert struct {
	input
	Env    *Env
	Def    *storage.TableDef
	Opts   storage.InsertOptions
	Update *ConflictUpdate // ON CONFLICT DO UPDATE; nil = as Opts says
	// Returns says that somebody reads the numbers of the rows: else it gives none.
	Returns bool

	Affected int64
	written  []uint64
	held     int64
	out      *emitter
}

// ConflictUpdate is what ON CONFLICT DO UPDATE does with a row that is there.
// Its expressions see the table's columns, then those of the row that could not
// be inserted.
type ConflictUpdate struct {
	Ctx   *fn.Ctx
	Cols  []int // positions of the columns set
	Exprs []fn.Expr
	Where fn.Expr // nil = always
}

// NewInsert returns an Insert over in.
func NewInsert(in Operator, env *Env, def *storage.TableDef, opts storage.InsertOptions, update *ConflictUpdate) *Insert {
	return &Insert{input: input{in}, Env: env, Def: def, Opts: opts, Update: update}
}

func (n *Insert) Next(ctx context.Context) (*value.Batch, error) {
	if n.out == nil {
		touched := new(storage.RowSet)
		err := Drain(ctx, n.in, func(b *value.Batch) error {
			b, err := numbered(n.Env.Tx, n.Def, b)
			if err != nil {
				return err
			}
			r, err := n.Env.Tx.Insert(ctx, n.Def.Name, b, n.Opts)
			if err != nil {
				return shiftRow(err, n.Affected)
			}
			if n.Update != nil {
				for _, row := range r.Rows {
					if row != storage.NoRow {
						touched.Add(row)
					}
				}
				if len(r.Conflicts) > 0 {
					if err := n.update(ctx, b, r, touched); err != nil {
						return err
					}
				}
			}
			if pk := n.Def.PrimaryKey; pk >= 0 && n.Def.Columns[pk].Type.Kind == value.Integer {
				for k, i := range b.Selected() {
					if r.Rows[k] != storage.NoRow {
						n.Env.LastKey = b.Cols[pk].Value(int(i))
					}
				}
			}
			for _, row := range r.Rows {
				if row == storage.NoRow {
					continue
				}
				if n.Affected++; n.Returns {
					n.written = append(n.written, row)
				}
			}
			if grown := 8*int64(cap(n.written)) - n.held; grown > 0 {
				n.held += grown
				if err := n.Env.Memory.Reserve(grown, "INSERT ... RETURNING"); err != nil {
					return err
				}
			}
			n.Env.progress(Progress{Stage: "inserting", Done: n.Affected, Unit: "rows"})
			return nil
		})
		if err != nil {
			return nil, err
		}
		n.out = &emitter{t: &rowsTable{n: len(n.written), rows: n.written}}
	}
	return n.out.next(), nil
}

func (n *Insert) Close() error {
	n.Env.Memory.Release(n.held)
	n.held = 0
	return n.input.Close()
}

// shiftRow makes the row of an error count from the statement's first.
func shiftRow(err error, before int64) error {
	switch e := err.(type) {
	case *storage.UniqueError:
		if e.Row >= 0 {
			c := *e
			c.Row += before
			return &c
		}
	case *storage.NotNullError:
		if e.Row >= 0 {
			c := *e
			c.Row += before
			return &c
		}
	case *storage.NotFiniteError:
		if e.Row >= 0 {
			c := *e
			c.Row += before
			return &c
		}
	case *storage.ValueError:
		if e.Row >= 0 {
			c := *e
			c.Row += before
			return &c
		}
	}
	return err
}

// update changes the rows that are in the way, and puts their new numbers into
// the result at the places of those that could not be inserted.
func (n *Insert) update(ctx context.Context, b *value.Batch, r storage.InsertResult, touched *storage.RowSet) error {
	conflicts := r.Conflicts
	place := map[int]int{} // position in the batch -> in the result
	for k, i := range b.Selected() {
		place[int(i)] = k
	}
	rows := make([]uint64, len(conflicts))
	sel := make([]int32, len(conflicts))
	seen := map[uint64]bool{}
	for i, c := range conflicts {
		if touched.Has(c.Row) || seen[c.Row] {
			return fmt.Errorf("ON CONFLICT DO UPDATE would change one row twice: two rows of the input have the same key")
		}
		seen[c.Row] = true
		rows[i], sel[i] = c.Row, int32(c.Pos)
	}
	t, err := n.Env.Tx.Table(n.Def.Name)
	if err != nil {
		return err
	}
	all := make([]int, len(n.Def.Columns))
	for i := range all {
		all[i] = i
	}
	old, err := t.Fetch(ctx, rows, all)
	if err != nil {
		return err
	}
	both := &value.Batch{Len: len(rows), Cols: old.Cols}
	for i, c := range b.Cols {
		x := newColumn(n.Def.Columns[i].Type)
		appendColumn(x, 0, c, sel, 0)
		both.Cols = append(both.Cols, x)
	}
	if n.Update.Where != nil {
		a, err := n.Update.Where.Eval(n.Update.Ctx, both, nil)
		if err != nil {
			return err
		}
		keep := keepTrue(a, both, nil, nil)
		if len(keep) == 0 {
			return nil
		}
		var c compactor
		both = c.compact(&value.Batch{Len: both.Len, Cols: both.Cols, Sel: keep}, nil)
		rows = appendPicked(nil, rows, keep, 0)
		sel = appendPicked(nil, sel, keep, 0)
	}
	set := &value.Batch{Len: len(rows)}
	for _, e := range n.Update.Exprs {
		a, err := e.Eval(n.Update.Ctx, both, nil)
		if err != nil {
			return err
		}
		set.Cols = append(set.Cols, expand(a, len(rows)))
	}
	fresh, err := n.Env.Tx.Update(ctx, n.Def.Name, rows, n.Update.Cols, set)
	if err != nil {
		return err
	}
	n.Env.Touched.add(n.Def, rows)
	for i, row := range fresh {
		touched.Add(row)
		r.Rows[place[int(sel[i])]] = row
	}
	return nil
}

// expand returns an argument as a column of n rows.
func expand(a fn.Arg, n int) *value.Column {
	if a.Const {
		return constant(a.At(0), a.Type, n)
	}
	return a.Column
}

func (n *Insert) String() string {
	s := "Insert into " + n.Def.Name
	switch {
	case n.Update != nil:
		s += " on conflict update"
	case n.Opts.OnConflict == storage.ConflictSkip:
		s += " on conflict nothing"
	}
	return s
}
