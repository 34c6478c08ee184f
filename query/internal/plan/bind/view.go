package bind

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// A view is a query that is named by WITH in every statement: its text is parsed and bound where
// it is used, so that every rule sees through it. It means what it meant when it was made: names
// in its text were completed then (see freezer), and a change of a table under which it
// could not be bound is refused.

// ViewOf finds the view that a name means, as TableOf finds a table; nil if there is none.
func ViewOf(view *storage.View, name parse.Ident) (*storage.ViewDef, error) {
	if d := view.ViewDef(name.Name); d != nil || name.Quoted {
		return d, nil
	}
	var found []*storage.ViewDef
	var names []string
	for _, d := range view.Views() {
		if name.Means(d.Name) {
			found, names = append(found, d), append(names, d.Name)
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, parse.Errorf(name.Pos, "view %q could be %s", name.Name, strings.Join(quoteAll(names), " or ")).WithHint("in double quotes a name's case counts")
}

// viewRef binds the use of a view; nil where the name is that of a table, or of nothing.
func (b *Binder) viewRef(t *parse.TableName) (*logical.Relation, error) {
	d := b.View.ViewDef(t.Table.Name)
	if d == nil {
		if _, err := TableOf(b.View, t.Table); err == nil {
			return nil, nil
		}
		var err error
		if d, err = ViewOf(b.View, t.Table); d == nil || err != nil {
			return nil, err
		}
	}
	b.uses(d.Name)
	b.frozen.table(t, d.Name)
	if slices.Contains(b.inViews, d) {
		return nil, parse.Errorf(t.Pos, "the view %s uses itself", d.Name)
	}
	def := b.viewCTEs[d]
	if def == nil {
		q, err := parse.Query(d.Query)
		if err != nil {
			return nil, inView(t.Pos, d, err)
		}
		parse.Place(q, t.Pos)
		def = &parse.CTE{Pos: t.Pos, Name: parse.Ident{Pos: t.Pos, Name: d.Name, Quoted: true}, Query: q}
		for _, name := range d.Columns {
			def.Columns = append(def.Columns, parse.Ident{Pos: t.Pos, Name: name, Quoted: true})
		}
		if b.viewCTEs == nil {
			b.viewCTEs = map[*storage.ViewDef]*parse.CTE{}
		}
		b.viewCTEs[d] = def
		b.Views = append(b.Views, d)
	}
	c := cte{def: def, view: d}
	if b.cteUses++; b.cteUses > inlined {
		return b.sharedRef(c, t)
	}
	return b.namedQuery(c, t)
}

// viewQuery binds the query of a view: it sees nothing of the statement around it.
func (b *Binder) viewQuery(c cte) (*logical.Relation, error) {
	frozen := b.frozen
	b.frozen, b.inViews = nil, append(b.inViews, c.view)
	defer func() { b.frozen, b.inViews = frozen, b.inViews[:len(b.inViews)-1] }()
	r, err := b.Query(c.def.Query, nil, nil)
	if err == nil && len(r.Cols) != len(c.view.Columns) {
		err = fmt.Errorf("its query gives %s, and not %d as when it was made", logical.Counted(len(r.Cols), "column"), len(c.view.Columns))
	}
	return r, inView(c.def.Pos, c.view, err)
}

// inView is an error in the query of a view that is used at pos.
func inView(pos parse.Pos, d *storage.ViewDef, err error) error {
	if err == nil || logical.Cancelled(err) {
		return err
	}
	if e, ok := err.(*parse.Error); ok {
		msg := e.Msg
		if !strings.HasPrefix(msg, "view ") {
			msg = "view " + d.Name + ": " + msg
		}
		return parse.Errorf(pos, "%s", msg).WithHint("%s", e.Hint).Because(err)
	}
	if e, ok := err.(*logical.PlacedError); ok {
		err = e.Err
	}
	return logical.ErrorAt(pos, fmt.Errorf("view %s: %w", d.Name, err))
}

// uses notes a table or view that a view being made uses itself.
func (b *Binder) uses(name string) {
	if f := b.frozen; f != nil && !slices.Contains(f.uses, name) {
		f.uses = append(f.uses, name)
	}
}

// freezer completes the names in the query of a view while it is bound, so that they mean the
// same for good: a column gets its table's name, which a column that is added later does not
// change, and a star becomes the columns that there are. The nil freezer does nothing.
type freezer struct {
	uses  []string
	stars map[*parse.SelectItem][]parse.SelectItem
}

func (f *freezer) table(t *parse.TableName, name string) {
	if f == nil {
		return
	}
	if t.Alias.Name == "" && t.Table.Name != name {
		t.Alias = t.Table
	}
	t.Table = named(t.Pos, name)
}

func (f *freezer) column(ref *parse.ColumnRef, c *logical.Column) {
	if f == nil {
		return
	}
	ref.Name = named(ref.Name.Pos, c.Name)
	if c.Table != "" {
		ref.Table = named(ref.Pos, c.Table)
	}
}

// noStar forgets the columns of a star: its query may be bound several times.
func (f *freezer) noStar(it *parse.SelectItem) {
	if f != nil {
		delete(f.stars, it)
	}
}

func (f *freezer) star(it *parse.SelectItem, c *logical.Column) {
	if f == nil {
		return
	}
	ref := &parse.ColumnRef{Pos: it.Pos, Name: named(it.Pos, c.Name)}
	f.column(ref, c)
	f.stars[it] = append(f.stars[it], parse.SelectItem{Pos: it.Pos, Expr: ref})
}

// named is a name in quotes if it needs them to mean itself.
func named(pos parse.Pos, name string) parse.Ident {
	return parse.Ident{Pos: pos, Name: name, Quoted: strings.ToLower(name) != name}
}

// unstar puts columns in place of the stars of a query.
func (f *freezer) unstar(q *parse.Select) {
	parse.Walk(q, func(n parse.Node) bool {
		c, ok := n.(*parse.Core)
		if !ok {
			return true
		}
		var items []parse.SelectItem
		for i := range c.Items {
			if cols, ok := f.stars[&c.Items[i]]; ok {
				items = append(items, cols...)
			} else {
				items = append(items, c.Items[i])
			}
		}
		c.Items = items
		return true
	})
}

// NewView binds the query of a view that is to be made.
func (b *Binder) NewView(s *parse.CreateView) (*storage.ViewDef, error) {
	var err error
	parse.Walk(s.Query, func(n parse.Node) bool {
		if p, ok := n.(*parse.Param); ok && err == nil {
			err = parse.Errorf(p.Pos, "a view has no parameters").WithHint("write the value, or leave the condition to the statements that use the view")
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	q, err := parse.Query(s.Query.String()) // a tree of its own: that of the statement is used again
	if err != nil {
		return nil, logical.ErrorAt(s.Query.Pos, err)
	}
	in := *b.In
	in.Describe = true
	if _, err := NewBinder(b.Ctx, &in).Query(s.Query, nil, nil); err != nil { // with the positions of the statement
		return nil, err
	}
	b = NewBinder(b.Ctx, &in)
	b.frozen = &freezer{stars: map[*parse.SelectItem][]parse.SelectItem{}}
	r, err := b.Query(q, nil, nil)
	if err != nil {
		return nil, logical.ErrorAt(s.Query.Pos, err)
	}
	for key := range b.Tables {
		if name, ok := strings.CutPrefix(key, tempPrefix); ok {
			return nil, parse.Errorf(s.Query.Pos, "a view is over tables of the store; %s is a temporary table", name).WithHint("WITH names a query for one statement")
		}
	}
	if len(b.Remotes) > 0 {
		return nil, parse.Errorf(s.Query.Pos, "a view is over tables of this store; tables of attached databases come and go")
	}
	b.frozen.unstar(q)
	def := &storage.ViewDef{Name: s.View.Name, Query: q.String(), Uses: b.frozen.uses}
	if err := rename(r.Cols, s.Columns); err != nil {
		return nil, err
	}
	for i, c := range r.Cols {
		if slices.Contains(def.Columns, c.Name) {
			pos := s.Query.Pos
			if i < len(s.Columns) {
				pos = s.Columns[i].Pos
			}
			return nil, parse.Errorf(pos, "two columns of the view are called %q", c.Name).WithHint("AS gives a column another name")
		}
		def.Columns = append(def.Columns, c.Name)
	}
	slices.Sort(def.Uses)
	return def, nil
}

// ViewColumns binds a view and returns its columns.
func ViewColumns(ctx context.Context, in *Input, d *storage.ViewDef) ([]*logical.Column, error) {
	own := *in
	own.Describe, own.Warn = true, nil
	b := NewBinder(ctx, &own)
	r, err := b.viewRef(&parse.TableName{Pos: parse.Pos{Line: 1, Column: 1}, Table: parse.Ident{Name: d.Name, Quoted: true}})
	if err != nil {
		return nil, err
	}
	return r.Cols, nil
}

// ViewTable is a view as a table would be defined that has its columns.
func ViewTable(ctx context.Context, in *Input, d *storage.ViewDef) (*storage.TableDef, error) {
	cols, err := ViewColumns(ctx, in, d)
	if err != nil {
		return nil, err
	}
	def := &storage.TableDef{ID: d.ID, Name: d.Name, PrimaryKey: -1}
	for _, c := range cols {
		col := storage.ColumnDef{Name: c.Name, Type: c.Type}
		if c.Type.Kind == value.Null {
			col.Type = logical.TextType
		}
		if c.Encoding != nil {
			col.Encoder, col.Model = c.Encoding.Name, c.Encoding.Model
		}
		def.Columns = append(def.Columns, col)
	}
	return def, nil
}

// schemaViews is information_schema.views.
var schemaViews = &rowFuncOf{
	types: noArgs("table_catalog table_schema table_name view_definition check_option is_updatable"),
	rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
		return func(_ []value.Value, emit func(...value.Value) error) error {
			for _, d := range b.View.Views() {
				if err := emit(value.Str("lupa"), value.Str("public"), value.Str(d.Name), value.Str(d.Query), value.Str("NONE"), value.Str("NO")); err != nil {
					return err
				}
			}
			return nil
		}
	},
}
