package plan

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// copyFrom plans COPY t FROM: the files side by side, then a bulk load or, within
// a transaction, an insert.
func (b *planner) copyFrom(s *parse.CopyFrom) (*Plan, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	ords, err := targetColumns(def, s.Columns)
	if err != nil {
		return nil, err
	}
	src, err := b.files(s, def, ords)
	if err != nil {
		return nil, err
	}
	return b.load(table, ords, src)
}

// Batches is a source of rows made by a program.
type Batches interface {
	// Next returns the next rows, nil after the last. The batch is valid until
	// the following call.
	Next(ctx context.Context) (*value.Batch, error)
}

// copyRows plans the insertion of rows from a program into columns of a table.
func (b *planner) copyRows(name string, columns []string, types []value.Type, src Batches) (*Plan, error) {
	table, ords, rel, err := b.programRows(name, columns, types, src)
	if err != nil {
		return nil, err
	}
	return b.load(table, ords, rel)
}

// programRows binds rows from a program to columns of a table.
func (b *planner) programRows(name string, columns []string, types []value.Type, src Batches) (*storage.Table, []int, *relation, error) {
	table, err := b.table(parse.Ident{Name: name})
	if err != nil {
		return nil, nil, nil, err
	}
	var names []parse.Ident
	for _, c := range columns {
		names = append(names, parse.Ident{Name: c})
	}
	ords, err := targetColumns(table.Def(), names)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(types) != len(ords) {
		return nil, nil, nil, fmt.Errorf("%s given for %s of %s", counted(len(types), "column"), counted(len(ords), "column"), name)
	}
	n := &sourceNode{text: "rows of the program"}
	for i, t := range types {
		n.outs = append(n.outs, &column{name: table.Def().Columns[ords[i]].Name, typ: t})
	}
	n.open = func(_ *exec.Env, want []int) (exec.Operator, error) {
		return &exec.FromProgram{Source: src, Columns: want}, nil
	}
	return table, ords, &relation{n, n.outs}, nil
}

// completeRows binds the rows of src as the table stores them: all columns in their
// order, converted, encoded, defaults filled in.
func (b *planner) completeRows(table *storage.Table, ords []int, src *relation) (*relation, error) {
	full, err := b.fullRows(src, table.Def(), ords, fn.Explicit)
	if err != nil {
		return nil, err
	}
	b.once = true
	return b.improved(&relation{full, full.outs})
}

// load plans the adding of rows to a table.
func (b *planner) load(table *storage.Table, ords []int, src *relation) (*Plan, error) {
	def := table.Def()
	rel, err := b.completeRows(table, ords, src)
	if err != nil {
		return nil, err
	}
	return b.planned(nil, func(b *builder) (exec.Operator, func() int64, error) {
		child, err := b.root(rel.node, rel.cols)
		if err != nil {
			return nil, nil, err
		}
		if b.env.Tx != nil {
			op := exec.NewInsert(child, &b.env, def, storage.InsertOptions{}, nil)
			return b.measured(op), func() int64 { return op.Affected }, nil
		}
		op := exec.NewLoad(child, &b.env, def)
		op.Samples = func(ctx context.Context) (map[int][][]float32, error) { return querySamples(ctx, b.in, def) }
		return b.measured(op), func() int64 { return op.Affected }, nil
	}), nil
}
