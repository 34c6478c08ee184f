package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/storage/value"
)

// RowNumbers puts the row numbers of its input's rows before its columns, so
// that UPDATE and DELETE know them behind a join.
type RowNumbers struct {
	input
	col value.Column
	out value.Batch
}

// NewRowNumbers returns a RowNumbers over in.
func NewRowNumbers(in Operator) *RowNumbers { return &RowNumbers{input: input{in}} }

func (r *RowNumbers) Next(ctx context.Context) (*value.Batch, error) {
	b, err := r.in.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	r.col.Reset(value.Type{Kind: value.Integer})
	for _, n := range b.Rows[:b.Len] {
		r.col.Ints = append(r.col.Ints, int64(n))
	}
	r.out = *b
	r.out.Cols = append([]*value.Column{&r.col}, b.Cols...)
	return &r.out, nil
}

func (r *RowNumbers) String() string { return "RowNumbers" }

// Buffer reads its input to the end before it gives the first row: a statement
// that writes the table it reads must not meet its own rows.
type Buffer struct {
	input
	kept *keptRows
	out  *keptReader
}

// NewBuffer returns a Buffer over in.
func NewBuffer(in Operator, env *Env) *Buffer {
	return &Buffer{input: input{in}, kept: newKeptRows(env, "reading the table that is written")}
}

func (r *Buffer) Next(ctx context.Context) (*value.Batch, error) {
	if r.out == nil {
		if err := r.kept.gather(ctx, r.in); err != nil {
			return nil, err
		}
		r.out = r.kept.reader(nil)
	}
	return r.out.next(ctx)
}

func (r *Buffer) Close() error {
	err := r.kept.close()
	r.out = r.kept.reader(nil)
	return errors.Join(err, r.input.Close())
}

func (r *Buffer) String() string { return "Buffer" }
