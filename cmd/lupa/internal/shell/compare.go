package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// compare asks the prompts of a file of two columns, and shows which first hits differ: the
// other one is a column of the same table, or of another store, such as a backup from before a
// column got another model.
func (s *Shell) compare(ctx context.Context, file, other string) (err error) {
	t, err := s.evalTarget(ctx, s.opts.column)
	if err != nil {
		return err
	}
	o, second := s, t
	if st, statErr := os.Stat(other); statErr == nil && st.IsDir() {
		opts := *s.opts
		opts.store, opts.output = other, ""
		if o, err = newShell(s.std, &opts); err != nil {
			return err
		}
		if err := o.open(ctx, other, true, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.closeStore()) }()
		if second, err = o.evalTarget(ctx, s.opts.column); err != nil {
			return fmt.Errorf("%s: %w", other, err)
		}
	} else {
		s.opts.table = t.table.Name
		if second, err = s.evalTarget(ctx, other); err != nil {
			return fmt.Errorf("--compare %s, which is no directory of a store: %w", other, err)
		}
	}
	var sides [2]side
	for i, x := range []struct {
		s *Shell
		t target
	}{{s, t}, {o, second}} {
		all, err := readJudged(file, x.t, true)
		if err != nil {
			return err
		}
		if err := x.s.judge(ctx, x.t, all); err != nil {
			return err
		}
		sides[i] = side{x.t, x.t.table.Name + "." + x.t.column.Name, all}
	}
	if sides[0].name == sides[1].name {
		sides[1].name += " of " + filepath.Base(filepath.Clean(other))
	}
	return s.showCompared(sides)
}

// side is one of the columns that are compared, with what came out.
type side struct {
	target target
	name   string
	all    []judged
}

// evalTarget is findTarget of a column whose table has a key.
func (s *Shell) evalTarget(ctx context.Context, column string) (target, error) {
	t, err := s.findTarget(ctx, s.opts.table, column)
	if err == nil && t.key == "" {
		err = fmt.Errorf("%s has no column to tell rows apart by", t.table.Name)
	}
	return t, err
}

// showCompared prints the figures of both, where the file says what is right, and the prompts
// whose first hits differ.
func (s *Shell) showCompared(sides [2]side) error {
	a, b := sides[0].all, sides[1].all
	known := !slices.ContainsFunc(a, func(j judged) bool { return len(j.where) == 0 })
	text, number := db.Type{Kind: db.Text}, db.Type{Kind: db.Real}
	if known {
		cols := append([]render.Column{{Name: "column", Type: text}, {Name: "encoder", Type: text}}, figureColumns()...)
		var rows [][]db.Value
		for _, x := range sides {
			row := []db.Value{value.Str(x.name), value.Str(x.target.column.Encoder)}
			rows = append(rows, append(row, figures(x.all, "")...))
		}
		if err := s.values(cols, rows); err != nil {
			return err
		}
	}
	right := db.Type{Kind: db.Boolean}
	cols := []render.Column{{Name: "first hit changes", Type: text},
		{Name: sides[0].name, Type: sides[0].target.keyType()}, {Name: "score", Type: number}, {Name: "right", Type: right},
		{Name: sides[1].name, Type: sides[1].target.keyType()}, {Name: "score", Type: number}, {Name: "right", Type: right}}
	if !known {
		cols = slices.Delete(slices.Delete(cols, 6, 7), 3, 4)
	}
	var rows [][]db.Value
	gained, lost := 0, 0
	for i := range a {
		x, y := &a[i], &b[i]
		if x.n > 0 && y.n > 0 && x.firstKey.String() == y.firstKey.String() || x.n == 0 && y.n == 0 {
			continue
		}
		row := []db.Value{value.Str(x.prompt)}
		for _, j := range []*judged{x, y} {
			if j.n == 0 {
				row = append(row, db.Value{}, db.Value{})
			} else {
				row = append(row, j.firstKey, rounded(j.top))
			}
			if known {
				row = append(row, value.Bool(j.n > 0 && j.right[0]))
			}
		}
		if xr, yr := x.n > 0 && x.right[0], y.n > 0 && y.right[0]; known && xr != yr {
			if yr {
				gained++
			} else {
				lost++
			}
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		if err := s.values(cols, rows); err != nil {
			return err
		}
	}
	said := fmt.Sprintf("%d of %d first hits change", len(rows), len(a))
	if known {
		said += fmt.Sprintf(": %d become right, %d become wrong", gained, lost)
	}
	s.message("%s", said)
	return nil
}
