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
	"github.com/lupadb/lupa/internal/eval"
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
	a := side{s: s, target: t, phrases: p, name: t.Table.Name + "." + t.Column.Name}
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
		s.opts.table = t.Table.Name
		if b.target, err = s.evalTarget(ctx, other); err != nil {
			return fmt.Errorf("--compare %s, which is no directory of a store, no .csv and no table:NAME: %w", other, err)
		}
	}
	if b.name = b.target.Table.Name + "." + b.target.Column.Name; b.name == a.name {
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
	missing, err := eval.Pair(&a.phrases, &b.phrases)
	if err != nil {
		return err
	}
	a.name, b.name = a.phrases.Name, b.phrases.Name
	if len(missing) > 0 {
		s.message("without a partner, and left out: %s", strings.Join(missing, ", "))
	}
	return s.showCompared(ctx, "prompts", &a, &b)
}

// side is one of what is compared, with what came out.
type side struct {
	s       *Shell
	target  eval.Target
	phrases eval.Phrases
	name    string
	all     []eval.Prompt
}

// evalTarget is findTarget of a column whose table has a key.
func (s *Shell) evalTarget(ctx context.Context, column string) (eval.Target, error) {
	t, err := s.findTarget(ctx, s.opts.table, column)
	if err == nil && t.Key == "" {
		err = fmt.Errorf("%s has no column to tell rows apart by", t.Table.Name)
	}
	return t, err
}

// showCompared asks the prompts of both sides, and prints the figures of both where it is said what
// is right, and the prompts whose first hits differ. What is what the sides differ in.
func (s *Shell) showCompared(ctx context.Context, what string, a, b *side) (err error) {
	sides := []*side{a, b}
	for _, x := range sides {
		if x.all, err = eval.Read(x.phrases, x.target, true); err != nil {
			return err
		}
	}
	if len(a.all) != len(b.all) {
		return fmt.Errorf("%s has %d different prompts and %s has %d: what belongs together can't be told", a.phrases.Name, len(a.all), b.phrases.Name, len(b.all))
	}
	named := a.phrases.Column("name") >= 0 && b.phrases.Column("name") >= 0
	for i := range a.all {
		x, y := &a.all[i], &b.all[i]
		if x.Wanted == "" {
			x.Wanted, x.Where = y.Wanted, y.Where
		}
		if y.Wanted == "" {
			y.Wanted, y.Where = x.Wanted, x.Where
		}
		if what == "prompts" && x.Wanted != y.Wanted && !named {
			return fmt.Errorf("what is right differs: %s at %s of %s, and %s at %s of %s; give both a column name, which says what belongs together",
				x.Wanted, x.Place, a.phrases.Name, y.Wanted, y.Place, b.phrases.Name)
		}
		x.Kind = cmp.Or(x.Kind, y.Kind)
		y.Kind = x.Kind
	}
	for _, x := range sides {
		if err := x.s.judge(ctx, x.target, x.all); err != nil {
			return err
		}
	}
	known := !slices.ContainsFunc(a.all, func(j eval.Prompt) bool { return len(j.Where) == 0 })
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
	kinds := eval.Kinds(sides[0].all)
	if len(kinds) > 0 {
		cols = append(cols, render.Column{Name: "kind", Type: text})
	}
	var rows [][]db.Value
	for _, kind := range append(kinds, "") {
		for _, x := range sides {
			row := []db.Value{value.Str(x.name), value.Str(x.target.Column.Encoder)}
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
		cols = append(cols, render.Column{Name: x.name, Type: x.target.KeyType()}, render.Column{Name: "score", Type: number}, render.Column{Name: "margin", Type: number})
		if known {
			cols = append(cols, render.Column{Name: "right", Type: boolean})
		}
	}
	var rows [][]db.Value
	gained, lost := 0, 0
	for i := range a.all {
		x, y := &a.all[i], &b.all[i]
		if x.N > 0 && y.N > 0 && x.First.String() == y.First.String() || x.N == 0 && y.N == 0 {
			continue
		}
		row := []db.Value{value.Str(x.Text)}
		if reworded {
			row = append(row, value.Str(y.Text))
		}
		for _, p := range []struct {
			side       *side
			own, other *eval.Prompt
		}{{a, x, y}, {b, y, x}} {
			margin, err := p.side.margin(ctx, p.own, p.other)
			if err != nil {
				return err
			}
			if p.own.N == 0 {
				row = append(row, db.Value{}, db.Value{}, margin)
			} else {
				row = append(row, p.own.First, rounded(p.own.Top), margin)
			}
			if known {
				row = append(row, value.Bool(p.own.FirstRight()))
			}
		}
		if xr, yr := x.FirstRight(), y.FirstRight(); known && xr != yr {
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
func (x *side) margin(ctx context.Context, own, other *eval.Prompt) (db.Value, error) {
	if own.N == 0 || other.N == 0 || own.First.Kind() != other.First.Kind() {
		return db.Value{}, nil
	}
	rows, err := x.s.conn.Query(ctx, fmt.Sprintf("SELECT max(%s) FROM %s WHERE %s = $2", x.target.Sim(), db.Quote(x.target.Table.Name), db.Quote(x.target.Key)),
		own.Text, other.First)
	if err != nil {
		return db.Value{}, err
	}
	var v db.Value
	if rows.Next() && !rows.Values()[0].IsNull() {
		v = rounded(own.Top - rows.Values()[0].Float())
	}
	return v, errors.Join(rows.Err(), rows.Close())
}
