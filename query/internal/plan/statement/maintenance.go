package statement

import (
	"context"
	"errors"
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// progress tells how far a statement has come.
func progress(b *build.Builder) func(stage string, n, total uint64) {
	return func(stage string, n, total uint64) {
		if b.Env.Progress != nil {
			b.Env.Progress(exec.Progress{Stage: stage, Done: int64(n), Total: int64(total), Unit: "rows"})
		}
	}
}

// outside is the error for a statement that can't be part of a transaction.
func (b *planner) outside(pos parse.Pos, what string) error {
	if b.In.Tx != nil {
		return parse.Errorf(pos, "%s can't run within a transaction; COMMIT or ROLLBACK first", what)
	}
	return nil
}

// backup plans BACKUP TO 'dir'.
func (b *planner) backup(s *parse.Backup) (*run.Plan, error) {
	if err := b.outside(s.Pos, "BACKUP"); err != nil {
		return nil, err
	}
	dir, err := b.Path(s.Dir, "BACKUP")
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, parse.Errorf(s.Dir.Position(), "BACKUP needs the name of a directory to make")
	}
	opts, err := b.Options(s.Options)
	if err != nil {
		return nil, err
	}
	how := &storage.BackupOptions{}
	for i, o := range opts {
		pos := s.Options[i].Pos
		switch {
		case o.Name != "hard_links":
			return nil, parse.Errorf(pos, "BACKUP has no option %s, only hard_links", o.Name)
		case !o.HasValue:
			how.HardLinks = true
		case o.Value.Kind() != value.Boolean:
			return nil, parse.Errorf(pos, "hard_links is true or false")
		default:
			how.HardLinks = o.Value.Bool()
		}
	}
	return b.task(nil, nil, "Backup to "+dir, func(ctx context.Context, r *build.Builder) (*value.Batch, error) {
		return nil, logical.ErrorAt(s.Dir.Position(), r.Env.Store.Backup(ctx, dir, how))
	}), nil
}

// check plans CHECK: its rows are the problems found.
func (b *planner) check() (*run.Plan, error) {
	cols := []*logical.Column{{Name: "table", Type: logical.TextType}, {Name: "place", Type: logical.TextType}, {Name: "problem", Type: logical.TextType}}
	return b.task(cols, nil, "Check", func(ctx context.Context, r *build.Builder) (*value.Batch, error) {
		out := &value.Batch{Cols: []*value.Column{{Type: logical.TextType}, {Type: logical.TextType}, {Type: logical.TextType}}}
		err := r.Env.Store.Check(ctx, func(p storage.Problem) {
			table := p.Table
			if p.Column != "" {
				table += "." + p.Column
			}
			for i, s := range []string{table, p.Where, p.Msg} {
				out.Cols[i].Append(out.Len, value.Str(s))
			}
			out.Len++
		})
		return out, err
	}), nil
}

// task is the plan of a statement that is one piece of work, at the time it runs.
func (b *planner) task(cols []*logical.Column, affected func() int64, text string, run func(context.Context, *build.Builder) (*value.Batch, error)) *run.Plan {
	b.Once = true
	return b.planned(cols, func(bl *build.Builder) (exec.Operator, func() int64, error) {
		return &exec.Task{Text: text, Run: func(ctx context.Context) (*value.Batch, error) { return run(ctx, bl) }}, affected, nil
	})
}

// vacuum plans VACUUM [t].
func (b *planner) vacuum(s *parse.Vacuum) (*run.Plan, error) {
	if err := b.outside(s.Pos, "VACUUM"); err != nil {
		return nil, err
	}
	var names []string
	if s.Table.Name != "" {
		t, err := b.Table(s.Table)
		if err != nil {
			return nil, err
		}
		names = []string{t.Def().Name}
	} else {
		for _, d := range b.View.Tables() {
			names = append(names, d.Name)
		}
	}
	freed := int64(0)
	return b.task(nil, func() int64 { return freed }, "Vacuum", func(ctx context.Context, r *build.Builder) (*value.Batch, error) {
		for _, n := range names {
			done, err := r.Env.Store.Vacuum(ctx, n, progress(r))
			var gone *storage.NoTableError
			if errors.As(err, &gone) && s.Table.Name == "" {
				continue
			}
			if err != nil {
				return nil, err
			}
			freed += int64(done.DeadRows)
		}
		return nil, nil
	}), nil
}

// retrain plans ALTER TABLE t RETRAIN [c]: the codes of vector columns are made
// anew for the vectors there are now.
func (b *planner) retrain(a *parse.Retrain, def *storage.TableDef) (*run.Plan, error) {
	if err := b.outside(a.Pos, "RETRAIN"); err != nil {
		return nil, err
	}
	var cols []string
	if a.Column.Name != "" {
		i, err := bind.TableColumn(def, a.Column)
		if err != nil {
			return nil, err
		}
		if def.Columns[i].Type.Kind != value.Vector {
			return nil, parse.Errorf(a.Column.Pos, "RETRAIN is for VECTOR columns; %s is %v", a.Column.Name, def.Columns[i].Type)
		}
		cols = []string{def.Columns[i].Name}
	} else {
		for i := range def.Columns {
			if def.Columns[i].Type.Kind == value.Vector {
				cols = append(cols, def.Columns[i].Name)
			}
		}
		if len(cols) == 0 {
			return nil, parse.Errorf(a.Pos, "%s has no vector column", def.Name)
		}
	}
	if a.For != nil {
		return b.retrainFor(a, def, def.Column(cols[0]))
	}
	return b.change("Retrain "+def.Name, func(ctx context.Context, r *build.Builder) error {
		samples, err := querySamples(ctx, r.In, def)
		if err != nil {
			return err
		}
		for _, c := range cols {
			if err := r.Env.Store.RetrainColumn(ctx, def.Name, c, samples[def.Column(c)], progress(r)); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// mostQueries is how many queries RETRAIN ... FOR reads; the store keeps fewer.
const mostQueries = 4096

// retrainFor plans ALTER TABLE t RETRAIN c FOR (SELECT ...).
func (b *planner) retrainFor(a *parse.Retrain, def *storage.TableDef, ord int) (*run.Plan, error) {
	rel, err := b.Queries(a.For, def, ord)
	if err != nil {
		return nil, err
	}
	if rel, err = b.improved(rel, optimize.Shown); err != nil {
		return nil, err
	}
	b.Once = true
	c := &def.Columns[ord]
	return b.planned(nil, func(r *build.Builder) (exec.Operator, func() int64, error) {
		child, err := r.Root(rel.Node, rel.Cols)
		if err != nil {
			return nil, nil, err
		}
		return &exec.Task{Text: "Retrain " + def.Name, Run: func(ctx context.Context) (*value.Batch, error) {
			var queries [][]float32
			err := exec.Drain(ctx, child, func(batch *value.Batch) error {
				col := batch.Cols[0]
				for i := range batch.Len {
					if batch.Sel != nil && !slices.Contains(batch.Sel, int32(i)) || col.Null(i) || len(queries) == mostQueries {
						continue
					}
					if v := col.Vec(i); len(v) != c.Type.Dim {
						return &storage.DimensionError{Table: def.Name, Column: c.Name, Got: len(v), Want: c.Type.Dim}
					}
					queries = append(queries, slices.Clone(col.Vec(i)))
				}
				return nil
			})
			if e := child.Close(); err == nil {
				err = e
			}
			if err != nil {
				return nil, logical.ErrorAt(a.For.Pos, err)
			}
			return nil, r.Env.Store.RetrainColumn(ctx, def.Name, c.Name, queries, progress(r))
		}}, nil, nil
	}), nil
}
