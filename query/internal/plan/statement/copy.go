package statement

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// copyFrom plans COPY t FROM: the files side by side, then a bulk load or, within
// a transaction, an insert.
func (b *planner) copyFrom(s *parse.CopyFrom) (*run.Plan, error) {
	if s.Table.Database != "" {
		return b.remoteCopy(s)
	}
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	ords, err := bind.TargetColumns(def, s.Columns)
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
func (b *planner) copyRows(name string, columns []string, types []value.Type, src Batches) (*run.Plan, error) {
	if id, ok := bind.Elsewhere(b.View, b.In.Attached, name); ok {
		return b.remoteRows(id, columns, types, src)
	}
	table, ords, rel, err := b.programRows(name, columns, types, src)
	if err != nil {
		return nil, err
	}
	return b.load(table, ords, rel)
}

// programRows binds rows from a program to columns of a table.
func (b *planner) programRows(name string, columns []string, types []value.Type, src Batches) (*storage.Table, []int, *logical.Relation, error) {
	table, err := b.Table(parse.Ident{Name: name})
	if err != nil {
		return nil, nil, nil, err
	}
	ords, rel, err := rowsFor(table.Def(), columns, types, src)
	return table, ords, rel, err
}

// rowsFor binds rows from a program to columns of a table with this definition.
func rowsFor(def *storage.TableDef, columns []string, types []value.Type, src Batches) ([]int, *logical.Relation, error) {
	var names []parse.Ident
	for _, c := range columns {
		names = append(names, parse.Ident{Name: c})
	}
	ords, err := bind.TargetColumns(def, names)
	if err != nil {
		return nil, nil, err
	}
	if len(types) != len(ords) {
		return nil, nil, fmt.Errorf("%s given for %s of %s", logical.Counted(len(types), "column"), logical.Counted(len(ords), "column"), def.Name)
	}
	n := &logical.Source{Text: "rows of the program"}
	for i, t := range types {
		n.Outs = append(n.Outs, &logical.Column{Name: def.Columns[ords[i]].Name, Type: t})
	}
	n.Open = func(_ *exec.Env, want []int) (exec.Operator, error) {
		return &exec.FromProgram{Source: src, Columns: want}, nil
	}
	return ords, &logical.Relation{Node: n, Cols: n.Outs}, nil
}

// remoteRows plans the insertion of rows from a program into a table of an attached database.
func (b *planner) remoteRows(name parse.Ident, columns []string, types []value.Type, src Batches) (*run.Plan, error) {
	table, err := b.Remote(name)
	if err != nil {
		return nil, err
	}
	ords, rel, err := rowsFor(table.Def, columns, types, src)
	if err != nil {
		return nil, err
	}
	rows, err := b.RemoteRows(rel, table.Def, ords, fn.Explicit)
	if err != nil {
		return nil, err
	}
	return b.remoteLoad(table, rows, foreign.Insert{Columns: ords}, false)
}

// completeRows binds the rows of src as the table stores them: all columns in their
// order, converted, encoded, defaults filled in.
func (b *planner) completeRows(table *storage.Table, ords []int, src *logical.Relation) (*logical.Relation, error) {
	full, err := b.FullRows(src, table.Def(), ords, fn.Explicit)
	if err != nil {
		return nil, err
	}
	b.Once = true
	rows, err := b.CheckRows(&logical.Relation{Node: full, Cols: full.Outs}, table.Def())
	if err != nil {
		return nil, err
	}
	return b.improved(rows, optimize.Kept)
}

// load plans the adding of rows to a table.
func (b *planner) load(table *storage.Table, ords []int, src *logical.Relation) (*run.Plan, error) {
	def := table.Def()
	rel, err := b.completeRows(table, ords, src)
	if err != nil {
		return nil, err
	}
	return b.planned(nil, func(b *build.Builder) (exec.Operator, func() int64, error) {
		child, err := b.Root(rel.Node, rel.Cols)
		if err != nil {
			return nil, nil, err
		}
		if b.Env.Tx != nil {
			op := exec.NewInsert(child, &b.Env, def, storage.InsertOptions{}, nil)
			return b.Analyzed(op), func() int64 { return op.Affected }, nil
		}
		if transactional(def) {
			op := exec.NewInTransaction(child, &b.Env, func(in exec.Operator) *exec.Insert {
				return exec.NewInsert(in, &b.Env, def, storage.InsertOptions{}, nil)
			})
			return b.Analyzed(op), func() int64 { return op.Affected }, nil
		}
		op := exec.NewLoad(child, &b.Env, def)
		op.Samples = func(ctx context.Context) (map[int][][]float32, error) { return querySamples(ctx, b.In, def) }
		return b.Analyzed(op), func() int64 { return op.Affected }, nil
	}), nil
}
