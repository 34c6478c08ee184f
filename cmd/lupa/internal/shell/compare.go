package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// compare asks prompts of two columns, or two sets of prompts of one column, and shows which first
// hits differ: the other column is one of the same table, or of another store, such as a backup from
// before a column got another model.
func (s *Shell) compare(ctx context.Context, prompts, other string) (err error) {
	t, err := s.evalTarget(ctx, s.opts.column)
	if err != nil {
		return err
	}
	p, err := s.readPhrases(ctx, prompts)
	if err != nil {
		return err
	}
	a := side{s: s, target: t, phrases: p, name: t.table.Name + "." + t.column.Name}
	b := a
	if namesPhrases(other) {
		return s.comparePrompts(ctx, a, other)
	}
	if st, statErr := os.Stat(other); statErr == nil && st.IsDir() {
		opts := *s.opts
		opts.store, opts.output = other, ""
		if b.s, err = newShell(s.std, &opts); err != nil {
			return err
		}
		if err := b.s.open(ctx, other, true, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.s.closeStore()) }()
		if b.target, err = b.s.evalTarget(ctx, s.opts.column); err != nil {
			return fmt.Errorf("%s: %w", other, err)
		}
	} else {
		s.opts.table = t.table.Name
		if b.target, err = s.evalTarget(ctx, other); err != nil {
			return fmt.Errorf("--compare %s, which is no directory of a store, no .csv and no table:NAME: %w", other, err)
		}
	}
	if b.name = b.target.table.Name + "." + b.target.column.Name; b.name == a.name {
		b.name += " of " + filepath.Base(filepath.Clean(other))
	}
	return s.showCompared(ctx, "column", &a, &b)
}

// comparePrompts compares two sets of prompts. One that does not say what is right means what its
// partner means.
func (s *Shell) comparePrompts(ctx context.Context, a side, other string) (err error) {
	b := a
	if b.phrases, err = s.readPhrases(ctx, other); err != nil {
		return err
	}
	missing, err := pair(&a.phrases, &b.phrases)
	if err != nil {
		return err
	}
	a.name, b.name = a.phrases.name, b.phrases.name
	if len(missing) > 0 {
		s.message("without a partner, and left out: %s", strings.Join(missing, ", "))
	}
	return s.showCompared(ctx, "prompts", &a, &b)
}

// side is one of what is compared, with what came out.
type side struct {
	s       *Shell
	target  target
	phrases phrases
	name    string
	all     []judged
}

// evalTarget is findTarget of a column whose table has a key.
func (s *Shell) evalTarget(ctx context.Context, column string) (target, error) {
	t, err := s.findTarget(ctx, s.opts.table, column)
	if err == nil && t.key == "" {
		err = fmt.Errorf("%s has no column to tell rows apart by", t.table.Name)
	}
	return t, err
}

// showCompared asks the prompts of both sides, and prints the figures of both where it is said what
// is right, and the prompts whose first hits differ. What is what the sides differ in.
func (s *Shell) showCompared(ctx context.Context, what string, a, b *side) (err error) {
	sides := []*side{a, b}
	for _, x := range sides {
		if x.all, err = readJudged(x.phrases, x.target, true); err != nil {
			return err
		}
	}
	named := a.phrases.column("name") >= 0 && b.phrases.column("name") >= 0
	for i := range a.all {
		x, y := &a.all[i], &b.all[i]
		if x.wanted == "" {
			x.wanted, x.where = y.wanted, y.where
		}
		if y.wanted == "" {
			y.wanted, y.where = x.wanted, x.where
		}
		if what == "prompts" && x.wanted != y.wanted && !named {
			return fmt.Errorf("what is right differs: %s at %s of %s, and %s at %s of %s; give both a column name, which says what belongs together",
				x.wanted, x.place, a.phrases.name, y.wanted, y.place, b.phrases.name)
		}
		x.kind = cmp.Or(x.kind, y.kind)
		y.kind = x.kind
	}
	for _, x := range sides {
		if err := x.s.judge(ctx, x.target, x.all); err != nil {
			return err
		}
	}
	known := !slices.ContainsFunc(a.all, func(j judged) bool { return len(j.where) == 0 })
	if known {
		if err := s.showBoth(what, sides); err != nil {
			return err
		}
	}
	return s.showChanged(ctx, what == "prompts", known, a, b)
}

// showBoth prints the figures of both sides, by kind where there are several.
func (s *Shell) showBoth(what string, sides []*side) error {
	text := db.Type{Kind: db.Text}
	cols := []render.Column{{Name: what, Type: text}, {Name: "encoder", Type: text}}
	kinds := kindsOf(sides[0].all)
	if len(kinds) > 0 {
		cols = append(cols, render.Column{Name: "kind", Type: text})
	}
	var rows [][]db.Value
	for _, kind := range append(kinds, "") {
		for _, x := range sides {
			row := []db.Value{value.Str(x.name), value.Str(x.target.column.Encoder)}
			if len(kinds) > 0 {
				row = append(row, value.Str(cmp.Or(kind, "all")))
			}
			rows = append(rows, append(row, figures(x.all, kind)...))
		}
	}
	return s.values(append(cols, figureColumns()...), rows)
}

// showChanged prints the prompts whose first hits differ. The margin of a hit is by how much it
// scores more than the first hit of the other side does here.
func (s *Shell) showChanged(ctx context.Context, reworded, known bool, a, b *side) error {
	text, number, boolean := db.Type{Kind: db.Text}, db.Type{Kind: db.Real}, db.Type{Kind: db.Boolean}
	cols := []render.Column{{Name: "first hit changes", Type: text}}
	if reworded {
		cols = append(cols, render.Column{Name: "in other words", Type: text})
	}
	for _, x := range []*side{a, b} {
		cols = append(cols, render.Column{Name: x.name, Type: x.target.keyType()}, render.Column{Name: "score", Type: number}, render.Column{Name: "margin", Type: number})
		if known {
			cols = append(cols, render.Column{Name: "right", Type: boolean})
		}
	}
	var rows [][]db.Value
	gained, lost := 0, 0
	for i := range a.all {
		x, y := &a.all[i], &b.all[i]
		if x.n > 0 && y.n > 0 && x.firstKey.String() == y.firstKey.String() || x.n == 0 && y.n == 0 {
			continue
		}
		row := []db.Value{value.Str(x.prompt)}
		if reworded {
			row = append(row, value.Str(y.prompt))
		}
		for _, p := range []struct {
			side       *side
			own, other *judged
		}{{a, x, y}, {b, y, x}} {
			margin, err := p.side.margin(ctx, p.own, p.other)
			if err != nil {
				return err
			}
			if p.own.n == 0 {
				row = append(row, db.Value{}, db.Value{}, margin)
			} else {
				row = append(row, p.own.firstKey, rounded(p.own.top), margin)
			}
			if known {
				row = append(row, value.Bool(p.own.n > 0 && p.own.right[0]))
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
	said := fmt.Sprintf("%d of %d first hits change", len(rows), len(a.all))
	if known {
		said += fmt.Sprintf(": %d become right, %d become wrong", gained, lost)
	}
	s.message("%s", said)
	return nil
}

// margin is by how much the first hit of a prompt scores more than the other side's first hit does
// here; NULL where that is not among the rows here.
func (x *side) margin(ctx context.Context, own, other *judged) (db.Value, error) {
	if own.n == 0 || other.n == 0 || own.firstKey.Kind() != other.firstKey.Kind() {
		return db.Value{}, nil
	}
	rows, err := x.s.conn.Query(ctx, fmt.Sprintf("SELECT max(%s) FROM %s WHERE %s = $2", x.target.sim(), db.Quote(x.target.table.Name), db.Quote(x.target.key)),
		own.prompt, other.firstKey)
	if err != nil {
		return db.Value{}, err
	}
	var v db.Value
	if rows.Next() && !rows.Values()[0].IsNull() {
		v = rounded(own.top - rows.Values()[0].Float())
	}
	return v, errors.Join(rows.Err(), rows.Close())
}
