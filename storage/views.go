package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/internal/key"
)

// ViewDef describes a view: a query under a name. Storage keeps its text and knows nothing of
// what it means. The ones that a View hands out are shared and must not be changed.
type ViewDef struct {
	ID      uint32 // given by the store
	Name    string // no table has it
	Query   string // in the language
	Columns []string
	Uses    []string // the tables and views that the query reads, which can't be dropped or renamed
}

// Views returns the views of the store, in the order in which they can be made: none uses one
// behind it.
func (v *View) Views() []*ViewDef {
	all := make([]*ViewDef, 0, len(v.catalog.views))
	for _, d := range v.catalog.views {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *ViewDef) int { return strings.Compare(a.Name, b.Name) })
	out := make([]*ViewDef, 0, len(all))
	done := map[string]bool{}
	var add func(d *ViewDef)
	add = func(d *ViewDef) {
		if done[d.Name] {
			return
		}
		done[d.Name] = true
		for _, name := range d.Uses {
			if other := v.catalog.views[name]; other != nil {
				add(other)
			}
		}
		out = append(out, d)
	}
	for _, d := range all {
		add(d)
	}
	return out
}

// ViewDef returns a view by name, nil if there is none. Definitions are compared by identity:
// that of a view that was made anew, or in a changed catalog, is another one.
func (v *View) ViewDef(name string) *ViewDef { return v.catalog.views[name] }

// usedBy returns the views that use a table or view, by name.
func (c *catalog) usedBy(name string) []string {
	var out []string
	for _, d := range c.views {
		if slices.Contains(d.Uses, name) {
			out = append(out, d.Name)
		}
	}
	slices.Sort(out)
	return out
}

// unused returns an error where a view uses a table or view.
func (c *catalog) unused(name string) error {
	if by := c.usedBy(name); len(by) > 0 {
		return &DependentError{Name: name, Views: by}
	}
	return nil
}

// free returns an error where a table or a view has a name.
func (c *catalog) free(name string) error {
	switch {
	case c.byName[name] != nil:
		return &ExistsError{"table", name}
	case c.views[name] != nil:
		return &ExistsError{"view", name}
	}
	return nil
}

// PutView makes a view, or with replace gives one another definition. The id in def is ignored.
func (tx *Tx) PutView(ctx context.Context, def ViewDef, replace bool) error {
	if err := tx.writable(); err != nil {
		return err
	}
	if err := checkName("view", def.Name); err != nil {
		return err
	}
	old := tx.catalog.views[def.Name]
	if old == nil || !replace {
		if err := tx.catalog.free(def.Name); err != nil {
			return err
		}
	}
	for _, name := range def.Uses {
		if tx.catalog.byName[name] == nil && tx.catalog.views[name] == nil {
			return &NoTableError{name}
		}
	}
	def.ID = tx.catalog.nextID
	if old != nil {
		def.ID = old.ID
	}
	return tx.changeView(def.Name, &def)
}

// DropView removes a view that no other one uses.
func (tx *Tx) DropView(ctx context.Context, name string) error {
	if err := tx.writable(); err != nil {
		return err
	}
	if tx.catalog.views[name] == nil {
		return &NoTableError{name}
	}
	if err := tx.catalog.unused(name); err != nil {
		return err
	}
	return tx.changeView(name, nil)
}

// RenameView changes the name of a view that no other one uses.
func (tx *Tx) RenameView(ctx context.Context, name, to string) error {
	if err := tx.writable(); err != nil {
		return err
	}
	old := tx.catalog.views[name]
	if old == nil {
		return &NoTableError{name}
	}
	if err := checkName("view", to); err != nil {
		return err
	}
	if err := tx.catalog.free(to); err != nil {
		return err
	}
	if err := tx.catalog.unused(name); err != nil {
		return err
	}
	def := *old
	def.Name = to
	return tx.changeView(name, &def)
}

// DropViewsOf removes the views that use a table or view, and those that use these.
func (tx *Tx) DropViewsOf(ctx context.Context, name string) error {
	if err := tx.writable(); err != nil {
		return err
	}
	for _, by := range tx.catalog.usedBy(name) {
		if tx.catalog.views[by] == nil { // gone with another one
			continue
		}
		if err := tx.DropViewsOf(ctx, by); err != nil {
			return err
		}
		if err := tx.changeView(by, nil); err != nil {
			return err
		}
	}
	return nil
}

// changeView writes a definition in place of that called old; nil for none.
func (tx *Tx) changeView(old string, def *ViewDef) error {
	c := tx.catalog.clone()
	if c.generation == tx.baseGeneration {
		c.generation++
	}
	delete(c.views, old)
	if def == nil || def.Name != old {
		if err := tx.deleteKey(key.Schema(old)); err != nil {
			return err
		}
	}
	if def != nil {
		c.views[def.Name] = def
		c.nextID = max(c.nextID, def.ID+1)
		if err := tx.set(key.Schema(def.Name), encodeSchema(def.table())); err != nil {
			return err
		}
	}
	tx.catalog = c
	return tx.set(key.Generation, encodeGeneration(c))
}

// table is a view as what a schema is written of.
func (d *ViewDef) table() *TableDef {
	return &TableDef{ID: d.ID, Name: d.Name, PrimaryKey: -1, view: d}
}

// DependentError says that views use what was to go or to change.
type DependentError struct {
	Name  string // of the table or view
	Views []string
}

func (e *DependentError) Error() string {
	if len(e.Views) == 1 {
		return fmt.Sprintf("the view %s uses %s; drop it first", e.Views[0], e.Name)
	}
	return fmt.Sprintf("the views %s use %s; drop them first", strings.Join(e.Views, ", "), e.Name)
}
