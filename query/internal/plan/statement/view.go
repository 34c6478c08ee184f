package statement

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
)

// createView plans CREATE VIEW.
func (b *planner) createView(s *parse.CreateView) (*run.Plan, error) {
	if t, err := bind.TableOf(b.View, s.View); err == nil && t != nil {
		return nil, logical.ErrorAt(s.View.Pos, &storage.ExistsError{What: "table", Name: t.Def().Name})
	}
	old, err := bind.ViewOf(b.View, s.View)
	if err != nil {
		return nil, err
	}
	if old != nil && !s.Replace {
		return nil, parse.Errorf(s.View.Pos, "view %q exists already", old.Name).WithHint("CREATE OR REPLACE VIEW gives it another query").Because(&storage.ExistsError{What: "view", Name: old.Name})
	}
	def, err := b.NewView(s)
	if err != nil {
		return nil, err
	}
	if old != nil {
		def.Name = old.Name
	}
	return b.change("Create view "+def.Name, func(ctx context.Context, r *build.Builder) error {
		if err := r.Env.Tx.PutView(ctx, *def, s.Replace); err != nil {
			return logical.ErrorAt(s.View.Pos, err)
		}
		if _, err := viewColumns(ctx, r, r.Env.Tx.ViewDef(def.Name)); err != nil {
			return parse.Errorf(s.View.Pos, "%s", text(err))
		}
		return checkViews(ctx, r, def.Name, s.View.Pos, false)
	}), nil
}

// dropView plans DROP VIEW.
func (b *planner) dropView(s *parse.DropView) (*run.Plan, error) {
	var views []string
	for _, id := range s.Views {
		d, err := b.oneView(id)
		if err != nil {
			if s.IfExists && isMissing(err) {
				continue
			}
			return nil, err
		}
		views = append(views, d.Name)
	}
	if len(views) == 0 {
		return b.done(), nil
	}
	return b.change("Drop view "+views[0], func(ctx context.Context, r *build.Builder) error {
		tx := r.Env.Tx
		all := tx.Views()
		slices.Reverse(all) // first those that use others
		for _, d := range all {
			if !slices.Contains(views, d.Name) || tx.ViewDef(d.Name) == nil {
				continue
			}
			if s.Cascade {
				if err := tx.DropViewsOf(ctx, d.Name); err != nil {
					return logical.ErrorAt(s.Pos, err)
				}
			}
			if err := tx.DropView(ctx, d.Name); err != nil {
				return viewsStay(s.Views[0].Pos, "DROP VIEW ... CASCADE drops it, too", err)
			}
		}
		return nil
	}), nil
}

// renameView plans ALTER VIEW ... RENAME TO.
func (b *planner) renameView(s *parse.RenameView) (*run.Plan, error) {
	d, err := b.oneView(s.View)
	if err != nil {
		return nil, err
	}
	return b.change("Rename view "+d.Name, func(ctx context.Context, r *build.Builder) error {
		return viewsStay(s.To.Pos, "a view means others by their names", r.Env.Tx.RenameView(ctx, d.Name, s.To.Name))
	}), nil
}

// oneView finds the view that a statement is about.
func (b *planner) oneView(id parse.Ident) (*storage.ViewDef, error) {
	d, err := bind.ViewOf(b.View, id)
	if d != nil || err != nil {
		return d, err
	}
	if t, err := bind.TableOf(b.View, id); err == nil && t != nil {
		return nil, parse.Errorf(id.Pos, "%s is a table, not a view", id).WithHint("DROP TABLE and ALTER TABLE are for tables")
	}
	var names []string
	for _, d := range b.View.Views() {
		names = append(names, d.Name)
	}
	return nil, parse.Errorf(id.Pos, "no view %q", id.Name).WithHint("%s", hint.Question(id.Name, names)).Because(&storage.NoTableError{Table: id.Name})
}

func isMissing(err error) bool {
	var missing *storage.NoTableError
	return errors.As(err, &missing)
}

// viewsStay places an error, and tells with what it would not be one where views use what was to go.
func viewsStay(pos parse.Pos, hint string, err error) error {
	var used *storage.DependentError
	if errors.As(err, &used) {
		return parse.Errorf(pos, "%s", err).WithHint("%s", hint).Because(err)
	}
	return logical.ErrorAt(pos, err)
}

// viewColumns binds a view as the transaction has it.
func viewColumns(ctx context.Context, r *build.Builder, d *storage.ViewDef) ([]*logical.Column, error) {
	in := *r.In
	in.Env, in.Pos, in.Named = r.Env, nil, nil
	return bind.ViewColumns(ctx, &in, d)
}

// checkViews looks whether the views that use a table or view, which the transaction has changed, still mean
// something. With drop those that do not go, else they are an error.
func checkViews(ctx context.Context, r *build.Builder, name string, pos parse.Pos, drop bool) error {
	tx := r.Env.Tx
	changed := []string{name}
	for _, d := range tx.Views() { // none uses one behind it
		if tx.ViewDef(d.Name) == nil || !slices.ContainsFunc(changed, func(c string) bool { return slices.Contains(d.Uses, c) }) {
			continue
		}
		changed = append(changed, d.Name)
		_, err := viewColumns(ctx, r, d)
		switch {
		case err == nil:
		case logical.Cancelled(err):
			return err
		case !drop:
			return parse.Errorf(pos, "the view %s needs it: %s", d.Name, text(err)).WithHint("drop the view first, or give it another query by CREATE OR REPLACE VIEW").Because(&storage.DependentError{Name: name, Views: []string{d.Name}})
		default:
			if err := tx.DropViewsOf(ctx, d.Name); err != nil {
				return err
			}
			if err := tx.DropView(ctx, d.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// text is what an error says without its place.
func text(err error) string {
	var placed *parse.Error
	if errors.As(err, &placed) {
		return placed.Msg
	}
	return fmt.Sprint(err)
}
