package exec

import (
	"context"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// numbered returns a batch of all columns of a table whose identity column has a number in
// every row: where it is NULL the one after the highest so far, be that given by the table or
// by a row. It is b itself where the table has no such column.
func numbered(tx *storage.Tx, def *storage.TableDef, b *value.Batch) (*value.Batch, error) {
	at := -1
	for i := range def.Columns {
		if def.Columns[i].Identity {
			at = i
		}
	}
	if at < 0 {
		return b, nil
	}
	t, err := tx.Table(def.Name)
	if err != nil {
		return nil, err
	}
	next := t.Identity()
	in := b.Cols[at]
	col := &value.Column{Type: value.Type{Kind: value.Integer}, Ints: make([]int64, b.Len)}
	for _, i := range b.Selected() {
		if in != nil && !in.Null(int(i)) {
			col.Ints[i] = in.Ints[i]
			next = max(next, in.Ints[i])
			continue
		}
		next++
		col.Ints[i] = next
	}
	out := *b
	out.Cols = append([]*value.Column(nil), b.Cols...)
	out.Cols[at] = col
	return &out, nil
}

// InTransaction runs an operator in a transaction of its own, where the statement has none:
// for rows that go into a table in which something has to be looked up as it is then.
type InTransaction struct {
	input
	Env   *Env
	Build func(in Operator) *Insert

	Affected int64
	done     bool
}

// NewInTransaction returns an InTransaction for the rows of in.
func NewInTransaction(in Operator, env *Env, build func(in Operator) *Insert) *InTransaction {
	return &InTransaction{input: input{in}, Env: env, Build: build}
}

func (x *InTransaction) String() string { return "Insert in a transaction" }

func (x *InTransaction) Next(ctx context.Context) (*value.Batch, error) {
	if x.done {
		return nil, nil
	}
	x.done = true
	tx, err := x.Env.Store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	x.Env.Tx = tx
	defer func() { x.Env.Tx = nil }()
	op := x.Build(x.in)
	if err := Drain(ctx, op, func(*value.Batch) error { return nil }); err != nil {
		return nil, err
	}
	if err := tx.CheckReferences(ctx); err != nil {
		return nil, err
	}
	x.Affected = op.Affected
	return nil, tx.Commit(ctx)
}
