package bind

import (
	"cmp"
	"strings"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Scope is what names mean in one query: the columns of its FROM, then the
// aliases of its select list.
type Scope struct {
	columns []*logical.Column
	aliases map[string]*alias
	outer   *Scope // of the query around it
	// aggregates may be called; those found are in the expressions as OpAgg
	aggregates bool
	nested     bool                // within a window function: aggregates may be called in an aggregate
	windows    bool                // window functions may be called; those found are in the expressions as OpWindow
	named      []parse.NamedWindow // of WINDOW
	Inside     string              // "an aggregate", "WHERE": where aggregates can't be, for the error
}

// alias is an item of the select list that has a name.
type alias struct {
	item *parse.SelectItem
	expr *logical.Expr // once bound
	busy bool          // being bound: it refers to itself
	err  error
}

// bind binds the item; whether aggregates are fine where the alias is used is
// for the caller to check.
func (a *alias) bind(b *Binder, s *Scope) {
	a.busy = true
	saved := *s
	s.aggregates, s.windows = true, true
	a.expr, a.err = b.Expr(s, a.item.Expr)
	s.aggregates, s.windows = saved.aggregates, saved.windows
	a.busy = false
}

// tables returns the names columns can be qualified with.
func (s *Scope) tables() []string {
	var names []string
	for _, c := range s.columns {
		if c.Table != "" && (len(names) == 0 || names[len(names)-1] != c.Table) {
			names = append(names, c.Table)
		}
	}
	return names
}

// find returns the columns of a name, of the table if one is given: those that are
// written so, else those that the name means whatever its case.
func (s *Scope) find(table, name parse.Ident) []*logical.Column {
	var found []*logical.Column
	for _, c := range s.columns {
		if c.Name == name.Name && (c.Table == table.Name || table.Name == "" && !c.Merged) {
			found = append(found, c)
		}
	}
	if found != nil {
		return found
	}
	for _, c := range s.columns {
		if name.Means(c.Name) && (table.Name == "" && !c.Merged || table.Name != "" && table.Means(c.Table)) {
			found = append(found, c)
		}
	}
	for _, c := range s.columns {
		if found == nil && table.Name == "" && c.Scalar && name.Means(c.Table) {
			return []*logical.Column{c}
		}
	}
	return found
}

// alias finds an item of the select list by its name.
func (s *Scope) alias(name parse.Ident) *alias {
	if a := s.aliases[name.Name]; a != nil || name.Quoted {
		return a
	}
	var first *alias
	for n, a := range s.aliases {
		if name.Means(n) && (first == nil || a.item.Offset < first.item.Offset) {
			first = a
		}
	}
	return first
}

// ident is a name as if it were written, without quotes.
func ident(name string) parse.Ident { return parse.Ident{Name: name} }

// name binds a column reference. Columns win over aliases, except in ORDER BY
// (aliasFirst), where a bare alias wins as in PostgreSQL.
func (b *Binder) name(s *Scope, ref *parse.ColumnRef, aliasFirst bool) (*logical.Expr, error) {
	table, name := ref.Table.Name, ref.Name.Name
	if aliasFirst && table == "" {
		if e, err := b.resolveAlias(s, ref); e != nil || err != nil {
			return e, err
		}
	}
	if len(b.inViews) > 0 && table == "" { // what is a column has the name of its table before it, if that has one
		if found := s.find(ref.Table, ref.Name); len(found) != 1 || found[0].Table != "" && !found[0].Merged {
			if e, err := b.resolveAlias(s, ref); e != nil || err != nil {
				return e, err
			}
		}
	}
	switch found := s.find(ref.Table, ref.Name); {
	case len(found) == 1:
		e := logical.ColumnExpr(found[0], parse.Start(ref))
		e.Text = b.texts.Of(ref)
		b.frozen.column(ref, found[0])
		return e, nil
	case len(found) > 1:
		return nil, ambiguous(ref, found)
	}
	if table == "" {
		if e, err := b.resolveAlias(s, ref); e != nil || err != nil {
			return e, err
		}
	}
	for o := s.outer; o != nil; o = o.outer {
		switch found := o.find(ref.Table, ref.Name); {
		case len(found) == 1:
			b.frozen.column(ref, found[0])
			return b.outerColumn(found[0], ref), nil
		case len(found) > 1:
			return nil, ambiguous(ref, found)
		}
	}
	if table != "" { // a field of a struct, as read_parquet names it
		if found := s.find(parse.Ident{}, ident(table+"."+name)); len(found) == 1 {
			e := logical.ColumnExpr(found[0], parse.Start(ref))
			e.Text = ref.String()
			return e, nil
		}
	}
	return nil, s.missing(ref)
}

// resolveAlias binds a reference to an item of the select list, or returns nil.
func (b *Binder) resolveAlias(s *Scope, ref *parse.ColumnRef) (*logical.Expr, error) {
	a := s.alias(ref.Name)
	if a == nil || a.busy {
		return nil, nil
	}
	if a.expr == nil && a.err == nil {
		a.bind(b, s)
	}
	if a.err != nil {
		return nil, a.err
	}
	if !s.aggregates && (a.expr.Uses(logical.OpAgg) || a.expr.Uses(logical.OpGrouping)) {
		where := s.Inside
		if where == "" {
			where = "WHERE"
		}
		return nil, parse.Errorf(ref.Pos, "%s is an aggregate, which can't be used in %s; use HAVING", ref.Name.Name, where)
	}
	if (!s.aggregates || s.Inside == "HAVING") && a.expr.Uses(logical.OpOver) {
		return nil, parse.Errorf(ref.Pos, "%s looks at all rows of the query and can't be used in %s", ref.Name.Name, cmp.Or(s.Inside, "WHERE")).WithHint("compute it in a subquery in FROM")
	}
	if !s.windows && a.expr.Uses(logical.OpWindow) {
		return nil, parse.Errorf(ref.Pos, "%s is a window function, which can't be used in %s", ref.Name.Name, cmp.Or(s.Inside, "WHERE")).WithHint("QUALIFY has conditions on window functions")
	}
	e := *a.expr
	e.Text = ref.String()
	return &e, nil
}

// missing is the error for a name that nothing has.
func (s *Scope) missing(ref *parse.ColumnRef) error {
	table, name := ref.Table.Name, ref.Name.Name
	tables := s.tables()
	if table != "" {
		known := false
		var names []string
		for o := s; o != nil && !known; o = o.outer {
			for _, c := range o.columns {
				if ref.Table.Means(c.Table) {
					known = true
					names = append(names, c.Name)
				}
			}
			if o != s {
				tables = append(tables, o.tables()...)
			}
		}
		if !known {
			for _, c := range s.columns {
				if ref.Table.Means(c.Source) && !ref.Table.Means(c.Table) {
					return parse.Errorf(ref.Pos, "no table %q in this query: it is called %s here", table, c.Table).Because(&storage.NoTableError{Table: table})
				}
			}
			return parse.Errorf(ref.Pos, "no table %q in this query", table).WithHint("%s", hint.Question(table, tables)).Because(&storage.NoTableError{Table: table})
		}
		return parse.Errorf(ref.Pos, "no column %q in %s", name, table).WithHint("%s", hint.OrAll(name, names)).Because(&storage.NoColumnError{Table: table, Column: name})
	}
	var names []string
	where := "this query"
	if len(tables) > 0 {
		where = strings.Join(tables, ", ")
	}
	cause := &storage.NoColumnError{Table: where, Column: name}
	for _, c := range s.columns {
		names = append(names, c.Name)
	}
	for a := range s.aliases {
		names = append(names, a)
	}
	if ref.Name.Quoted && hint.Question(name, names) == "" {
		return parse.Errorf(ref.Pos, "no column %q", name).WithHint("double quotes are for names; a text is written %s", parse.QuoteString(name)).Because(cause)
	}
	if s.hasTable(ref.Name) {
		return parse.Errorf(ref.Pos, "%s is a table here, and a row is not a value", name).WithHint("%s.* are its columns, row_to_json(%[1]s) and to_jsonb(%[1]s) are JSON of a row", ref.Name).Because(cause)
	}
	if len(s.columns) == 0 {
		return parse.Errorf(ref.Pos, "no column %q: there is no FROM", name).WithHint("%s", hint.Question(name, names)).Because(cause)
	}
	return parse.Errorf(ref.Pos, "no column %q in %s", name, where).WithHint("%s", hint.OrAll(name, names)).Because(cause)
}

// vectorColumns returns the vector columns in sight.
func (s *Scope) vectorColumns() []*logical.Column {
	var out []*logical.Column
	for _, c := range s.columns {
		if c.Type.Kind == value.Vector {
			out = append(out, c)
		}
	}
	return out
}

// ambiguous is the error of a name that several columns have.
func ambiguous(ref *parse.ColumnRef, found []*logical.Column) error {
	name, x, y := ref.Name.Name, found[0].Table, found[1].Table
	if x == y {
		return parse.Errorf(ref.Pos, "column %q is ambiguous: %s has several of that name; give them names with AS", name, x)
	}
	return parse.Errorf(ref.Pos, "column %q is ambiguous; write %s.%s or %s.%s", name, x, name, y, name)
}
