package statement

import (
	"context"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/query/internal/plan/watch"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// createWatch plans CREATE WATCH.
func (b *planner) createWatch(s *parse.CreateWatch) (*run.Plan, error) {
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	for _, d := range b.View.Tables() {
		for _, w := range d.Watches {
			if s.Name.Name == w.Name || s.Name.Means(w.Name) {
				if s.IfNotExists {
					return b.done(), nil
				}
				return nil, parse.Errorf(s.Name.Pos, "watch %q exists already", w.Name).WithHint("CREATE WATCH IF NOT EXISTS leaves it as it is").Because(&storage.ExistsError{What: "watch", Name: w.Name})
			}
		}
	}
	scope, _ := b.RowScope(table)
	x, err := b.NewWatch(scope, s.Where)
	if err != nil {
		return nil, err
	}
	w := storage.WatchDef{Name: s.Name.Name, Expr: bind.RowCondition(s.Where, def.Name)}
	used := logical.ColumnsOf(x)
	for _, c := range scope.Columns() {
		if used[c] {
			w.Columns = append(w.Columns, def.Columns[c.Ord].ID)
		}
	}
	if b.In.Describe {
		return b.done(), nil
	}
	return b.change("Create watch "+w.Name, func(ctx context.Context, r *build.Builder) (err error) {
		t, err := r.Env.Tx.Table(def.Name)
		if err != nil {
			return err
		}
		if w.Vectors, err = watch.Vectors(ctx, r.In, t, w.Name, w.Expr); err != nil {
			return err
		}
		return logical.ErrorAt(s.Name.Pos, r.Env.Tx.CreateWatch(ctx, def.Name, w))
	}), nil
}

func (b *planner) dropWatch(s *parse.DropWatch) (*run.Plan, error) {
	if len(s.Watches) > 1 {
		return several(b, "Drop watches", s.Watches, func(id parse.Ident) *parse.DropWatch {
			return &parse.DropWatch{Pos: id.Pos, IfExists: s.IfExists, Watches: []parse.Ident{id}}
		}), nil
	}
	id := s.Watches[0]
	_, w, err := b.Watch(id)
	if err != nil {
		if s.IfExists {
			return b.done(), nil
		}
		return nil, err
	}
	return b.change("Drop watch "+w.Name, func(ctx context.Context, r *build.Builder) error {
		return logical.ErrorAt(id.Pos, r.Env.Tx.DropWatch(ctx, w.Name))
	}), nil
}

// showWatches plans SHOW WATCHES.
func (b *planner) showWatches() (*run.Plan, error) {
	cols := []*logical.Column{{Name: "watch", Type: logical.TextType}, {Name: "table", Type: logical.TextType}, {Name: "condition", Type: logical.TextType}, {Name: "waiting", Type: logical.IntType}}
	var rows [][]value.Value
	for _, d := range b.View.Tables() {
		for i := range d.Watches {
			w := &d.Watches[i]
			n, err := b.View.CountNotes(b.Ctx, w)
			if err != nil {
				return nil, err
			}
			rows = append(rows, []value.Value{value.Str(w.Name), value.Str(d.Name), value.Str(w.Expr), value.Int(n)})
		}
	}
	return b.report(cols, rows), nil
}

// acknowledge plans ACKNOWLEDGE name [TO place].
func (b *planner) acknowledge(s *parse.Acknowledge) (*run.Plan, error) {
	_, w, err := b.Watch(s.Watch)
	if err != nil {
		return nil, err
	}
	upTo := storage.Place{Commit: 1<<64 - 1, Row: 1<<64 - 1}
	if s.UpTo != nil && !b.In.Describe {
		x, err := b.Expr(&bind.Scope{}, s.UpTo)
		if err != nil {
			return nil, err
		}
		v := x.Value
		if p, ok := s.UpTo.(*parse.Param); ok {
			if v, err = b.Param(p); err != nil {
				return nil, err
			}
		}
		ok := false
		if v.Kind() == value.Text {
			upTo, ok = storage.ParsePlace(strings.TrimSpace(v.Str()))
		}
		if !ok {
			return nil, parse.Errorf(s.UpTo.Position(), "%s is no place in a watch", s.UpTo).WithHint("watched('%s') has a place in each row, such as '12.3'", w.Name)
		}
	}
	b.Once = true
	return b.change("Acknowledge "+w.Name, func(ctx context.Context, r *build.Builder) error {
		return logical.ErrorAt(s.Watch.Pos, r.Env.Tx.Acknowledge(ctx, w.Name, upTo))
	}), nil
}

// watched makes a change of a table's definition one that keeps the conditions of its watches
// possible.
func watched(ctx context.Context, r *build.Builder, table string) error {
	t, err := r.Env.Tx.Table(table)
	if err != nil || len(t.Def().Watches) == 0 {
		return err
	}
	if _, err := watch.New(ctx, r.In, t); err != nil {
		return fmt.Errorf("%w (a watch needs it: SHOW WATCHES, DROP WATCH)", err)
	}
	return nil
}
