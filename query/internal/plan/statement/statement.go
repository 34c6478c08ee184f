package statement

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage/value"
)

// Make plans any statement but BEGIN, COMMIT and ROLLBACK. It reads the catalog,
// statistics, and of files what their columns are.
func Make(ctx context.Context, in *bind.Input, s parse.Statement) (*run.Plan, error) {
	return newPlanner(ctx, in).statement(s)
}

// CopyRows plans the insertion of rows made by a program into the named columns
// of a table, all of them if none are named.
func CopyRows(ctx context.Context, in *bind.Input, table string, columns []string, types []value.Type, src Batches) (*run.Plan, error) {
	return newPlanner(ctx, in).copyRows(table, columns, types, src)
}

// CompleteRows plans rows made by a program as the table stores them: all its
// columns in their order, converted, encoded, defaults filled in.
func CompleteRows(ctx context.Context, in *bind.Input, table string, columns []string, types []value.Type, src Batches) (*run.Plan, error) {
	b := newPlanner(ctx, in)
	t, ords, rel, err := b.programRows(table, columns, types, src)
	if err != nil {
		return nil, err
	}
	if rel, err = b.completeRows(t, ords, rel); err != nil {
		return nil, err
	}
	return b.planned(nil, func(b *build.Builder) (exec.Operator, func() int64, error) {
		op, err := b.Root(rel.Node, rel.Cols)
		return op, nil, err
	}), nil
}

// QuerySamples encodes typical prompts for the columns of a table that have an
// encoder: see storage.LoadOptions.
func QuerySamples(ctx context.Context, in *bind.Input, table string) (map[int][][]float32, error) {
	b := newPlanner(ctx, in)
	t, err := b.Table(parse.Ident{Name: table})
	if err != nil {
		return nil, err
	}
	return querySamples(ctx, in, t.Def())
}

// planner plans one statement.
type planner struct {
	*bind.Binder
	facts   *optimize.Facts // of the plan that was improved last
	changes []*change       // that WITH names
}

func newPlanner(ctx context.Context, in *bind.Input) *planner {
	b := &planner{Binder: bind.NewBinder(ctx, in), facts: new(optimize.Facts)}
	b.Change = b.changeOf
	return b
}

// improved optimizes the plan of a query, and those of the subqueries in it.
func (b *planner) improved(r *logical.Relation, use optimize.Use) (*logical.Relation, error) {
	f := b.facts
	*f = optimize.Facts{Ctx: b.Ctx, Explain: b.Explain, Peek: b.Peek, Use: use}
	for _, c := range b.changes {
		own := optimize.Facts{Ctx: b.Ctx, Explain: b.Explain, Peek: b.Peek, Use: c.use}
		rows, err := own.Optimize(c.rows, nil, nil)
		if err != nil {
			return nil, err
		}
		c.rows = rows
	}
	return f.Optimize(r, b.Subs, b.Shared)
}

// planned finishes the plan of a statement with these columns.
func (b *planner) planned(cols []*logical.Column, make run.Makes) *run.Plan {
	return run.NewPlan(b.Binder, run.ColumnsOfPlan(cols), b.parts(make))
}

func (b *planner) statement(s parse.Statement) (*run.Plan, error) {
	switch s := s.(type) {
	case *parse.Select:
		return b.selects(s)
	case *parse.Insert:
		return b.insert(s)
	case *parse.Update:
		return b.update(s)
	case *parse.Delete:
		return b.delete(s)
	case *parse.CopyFrom:
		return b.copyFrom(s)
	case *parse.CopyTo:
		return b.copyTo(s)
	case *parse.Explain:
		return b.explains(s)
	case *parse.CreateTable:
		return b.createTable(s)
	case *parse.CreateView:
		return b.createView(s)
	case *parse.DropView:
		return b.dropView(s)
	case *parse.RenameView:
		return b.renameView(s)
	case *parse.Truncate:
		return b.truncate(s)
	case *parse.Setting:
		return b.setting(s)
	case *parse.ShowSetting:
		return b.showSetting(s)
	case *parse.Attach:
		return b.attach(s)
	case *parse.Detach:
		return b.detach(s)
	case *parse.ShowDatabases:
		return b.showDatabases()
	case *parse.DropTable:
		return b.dropTable(s)
	case *parse.AlterTable:
		return b.alterTable(s)
	case *parse.CreateIndex:
		return b.createIndex(s)
	case *parse.CreateWatch:
		return b.createWatch(s)
	case *parse.DropWatch:
		return b.dropWatch(s)
	case *parse.ShowWatches:
		return b.showWatches()
	case *parse.Acknowledge:
		return b.acknowledge(s)
	case *parse.DropIndex:
		return b.dropIndex(s)
	case *parse.ShowTables:
		return b.showTables()
	case *parse.Describe:
		return b.describe(s)
	case *parse.Backup:
		return b.backup(s)
	case *parse.Check:
		return b.check()
	case *parse.Vacuum:
		return b.vacuum(s)
	}
	return nil, fmt.Errorf("internal error: unknown statement %T", s)
}

// selects plans a query.
func (b *planner) selects(s *parse.Select) (*run.Plan, error) {
	b.Top = s
	rel, err := b.Query(s, nil, nil)
	if err != nil {
		return nil, err
	}
	if rel, err = b.improved(rel, optimize.Shown); err != nil {
		return nil, err
	}
	p := b.planned(rel.Cols, func(b *build.Builder) (exec.Operator, func() int64, error) {
		op, err := b.Root(rel.Node, rel.Cols)
		return op, nil, err
	})
	p.Search = logical.SearchKey(rel.Node)
	return p, nil
}

// explains plans EXPLAIN, which shows a plan, or with ANALYZE runs it first.
func (b *planner) explains(s *parse.Explain) (*run.Plan, error) {
	if _, ok := s.Statement.(*parse.Explain); ok {
		return nil, parse.Errorf(s.Pos, "EXPLAIN of EXPLAIN explains nothing")
	}
	switch s.Statement.(type) {
	case *parse.Select, *parse.Insert, *parse.Update, *parse.Delete, *parse.CopyFrom, *parse.CopyTo:
	default:
		return nil, parse.Errorf(s.Statement.Position(), "EXPLAIN shows the plan of SELECT, INSERT, UPDATE, DELETE and COPY")
	}
	b.Explain, b.Analyze, b.Spell = !s.Analyze, s.Analyze, b.In.Spell
	p, err := b.statement(s.Statement)
	if err != nil {
		return nil, err
	}
	p.Cached, p.Shows, p.JSON = false, true, s.JSON
	if s.Analyze && b.facts.Peek != nil {
		p.Rows = b.facts.Expected
	}
	if p.Search != "" {
		p.Search = fmt.Sprintf("explain %v of %s", s.Analyze, p.Search)
	}
	p.Columns = []run.Column{{Name: "plan", Type: logical.TextType}}
	return p, nil
}
