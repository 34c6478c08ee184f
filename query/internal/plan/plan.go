package plan

import (
	"context"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/query/internal/plan/statement"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

type (
	// Input is what a statement is planned and run with.
	Input = bind.Input
	// Plan is how a statement is done: Start makes a Run of it.
	Plan = run.Plan
	// Run is one run of a plan.
	Run = run.Run
	// Column is a column of a statement's rows.
	Column = run.Column
	// Batches is a source of rows made by a program.
	Batches = statement.Batches
)

// Make plans any statement but BEGIN, COMMIT and ROLLBACK. It reads the catalog,
// statistics, and of files what their columns are.
func Make(ctx context.Context, in *Input, s parse.Statement) (*Plan, error) {
	return statement.Make(ctx, in, s)
}

// CopyRows plans the insertion of rows made by a program into the named columns
// of a table, all of them if none are named.
func CopyRows(ctx context.Context, in *Input, table string, columns []string, types []value.Type, src Batches) (*Plan, error) {
	return statement.CopyRows(ctx, in, table, columns, types, src)
}

// CompleteRows plans rows made by a program as the table stores them: all its
// columns in their order, converted, encoded, defaults filled in.
func CompleteRows(ctx context.Context, in *Input, table string, columns []string, types []value.Type, src Batches) (*Plan, error) {
	return statement.CompleteRows(ctx, in, table, columns, types, src)
}

// QuerySamples encodes typical prompts for the columns of a table that have an
// encoder: see storage.LoadOptions.
func QuerySamples(ctx context.Context, in *Input, table string) (map[int][][]float32, error) {
	return statement.QuerySamples(ctx, in, table)
}

// StartMany starts runs of a query, or of EXPLAIN of one: plans[i] is run with ins[i]. The
// texts of all are encoded in one batch, and where all are the same search with other
// vectors, it is done for all in one pass. ok is false where a plan no longer fits the
// tables.
func StartMany(ctx context.Context, plans []*Plan, ins []*Input) (runs []*Run, ok bool, err error) {
	return run.StartMany(ctx, plans, ins)
}

// Loads reports whether an INSERT outside of a transaction is one of pictures that is
// committed in portions, or a bulk load: both need the store itself, not the write transaction.
func Loads(view *storage.View, s *parse.Insert) bool {
	return statement.Import(s) || statement.Bulk(view, s)
}

// FromElsewhere reports whether a query reads a table of an attached database.
func FromElsewhere(q *parse.Select) bool { return statement.FromElsewhere(q) }

// Elsewhere tells which table of an attached database a program means by a name.
func Elsewhere(view *storage.View, attached *foreign.Set, name string) (parse.Ident, bool) {
	return bind.Elsewhere(view, attached, name)
}

// RemoteDef describes a table of an attached database.
func RemoteDef(ctx context.Context, in *Input, name parse.Ident) (*storage.TableDef, int64, error) {
	t, err := bind.NewBinder(ctx, in).Remote(name)
	if err != nil {
		return nil, 0, err
	}
	return t.Def, int64(t.Table.Rows), nil
}

// Few reports whether an INSERT adds only rows that are written in it, and not many.
func Few(s *parse.Insert) bool { return statement.Few(s) }

// Move moves the position of an error of a statement to the text of which the
// statement is a piece, beginning at at.
func Move(err error, at parse.Pos) error { return logical.Move(err, at) }
