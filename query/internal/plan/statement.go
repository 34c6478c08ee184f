package plan

import (
	"context"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// Make plans any statement but BEGIN, COMMIT and ROLLBACK. It reads the catalog,
// statistics, and of files what their columns are.
func Make(ctx context.Context, in *Input, s parse.Statement) (*Plan, error) {
	return newBinder(ctx, in).statement(s)
}

// CopyRows plans the insertion of rows made by a program into the named columns
// of a table, all of them if none are named.
func CopyRows(ctx context.Context, in *Input, table string, columns []string, types []value.Type, src Batches) (*Plan, error) {
	return newBinder(ctx, in).copyRows(table, columns, types, src)
}

// CompleteRows plans rows made by a program as the table stores them: all its
// columns in their order, converted, encoded, defaults filled in.
func CompleteRows(ctx context.Context, in *Input, table string, columns []string, types []value.Type, src Batches) (*Plan, error) {
	b := newBinder(ctx, in)
	t, ords, rel, err := b.programRows(table, columns, types, src)
	if err != nil {
		return nil, err
	}
	if rel, err = b.completeRows(t, ords, rel); err != nil {
		return nil, err
	}
	return b.planned(nil, func(b *builder) (exec.Operator, func() int64, error) {
		op, err := b.root(rel.node, rel.cols)
		return op, nil, err
	}), nil
}

// QuerySamples encodes typical prompts for the columns of a table that have an
// encoder: see storage.LoadOptions.
func QuerySamples(ctx context.Context, in *Input, table string) (map[int][][]float32, error) {
	b := newBinder(ctx, in)
	t, err := b.table(parse.Ident{Name: table})
	if err != nil {
		return nil, err
	}
	return b.querySamples(ctx, t.Def())
}

func (b *binder) statement(s parse.Statement) (*Plan, error) {
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
	case *parse.DropTable:
		return b.dropTable(s)
	case *parse.AlterTable:
		return b.alterTable(s)
	case *parse.CreateIndex:
		return b.createIndex(s)
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
func (b *binder) selects(s *parse.Select) (*Plan, error) {
	rel, err := b.query(s, nil, nil)
	if err != nil {
		return nil, err
	}
	if rel, err = b.improved(rel); err != nil {
		return nil, err
	}
	return b.planned(columnsOfPlan(rel.cols), func(b *builder) (exec.Operator, func() int64, error) {
		op, err := b.root(rel.node, rel.cols)
		return op, nil, err
	}), nil
}

// explains plans EXPLAIN, which shows a plan, or with ANALYZE runs it first.
func (b *binder) explains(s *parse.Explain) (*Plan, error) {
	if _, ok := s.Statement.(*parse.Explain); ok {
		return nil, parse.Errorf(s.Pos, "EXPLAIN of EXPLAIN explains nothing")
	}
	switch s.Statement.(type) {
	case *parse.Select, *parse.Insert, *parse.Update, *parse.Delete, *parse.CopyFrom, *parse.CopyTo:
	default:
		return nil, parse.Errorf(s.Statement.Position(), "EXPLAIN shows the plan of SELECT, INSERT, UPDATE, DELETE and COPY")
	}
	b.explain, b.measure, b.spell = !s.Analyze, s.Analyze, b.in.Spell
	p, err := b.statement(s.Statement)
	if err != nil {
		return nil, err
	}
	inner := p.make
	p.cached = false
	p.Columns = []Column{{"plan", textType}}
	p.make = func(b *builder) (exec.Operator, func() int64, error) {
		root, affected, err := inner(b)
		if err != nil {
			return nil, nil, err
		}
		b.run.body = root
		return &exec.Analyze{Root: root, Run: s.Analyze, Lines: b.run.lines}, affected, nil
	}
	return p, nil
}

// lines are what EXPLAIN shows of a run.
func (r *Run) lines() ([]string, error) {
	lines := exec.Explain(r.body)
	subs, err := r.explainSubqueries()
	lines = append(lines, subs...)
	if r.plan.how.measure && r.texts > 0 {
		lines = append(lines, fmt.Sprintf("Encode texts  [%d encoded, %.3g ms]", r.texts, r.encoding.Seconds()*1e3))
	}
	if r.plan.how.spell {
		for i := len(r.in.Pos); i > 0; i-- { // $10 before $1
			for k := range lines {
				lines[k] = strings.ReplaceAll(lines[k], fmt.Sprintf("$%d", i), literalText(r.in.Pos[i-1]))
			}
		}
	}
	return lines, err
}

// literalText is a parameter's value as one would write it; long ones stay short.
func literalText(v value.Value) string {
	switch v.Kind() {
	case value.Text:
		return parse.QuoteString(v.Str())
	case value.Vector:
		return fmt.Sprintf("[%d numbers]", len(v.Vec()))
	}
	return v.String()
}
