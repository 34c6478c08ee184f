package bind

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// wordFuncs are the functions of full-text indexes: what they take after the query, and give.
var wordFuncs = map[string]struct {
	more []value.Type
	typ  value.Type
}{
	"match":     {nil, logical.BoolType},
	"bm25":      {nil, logical.RealType},
	"highlight": {[]value.Type{logical.TextType, logical.TextType}, logical.TextType},
	"snippet":   {[]value.Type{logical.IntType, logical.TextType, logical.TextType}, logical.TextType},
}

// words binds a function of a full-text index, whose first argument names a column or the
// index.
func (b *Binder) words(s *Scope, e *parse.Call, name string) (*logical.Expr, error) {
	f := wordFuncs[name]
	if len(e.Args) < 2 || len(e.Args) > 2+len(f.more) {
		return nil, parse.Errorf(e.Pos, "%s takes a column or a full-text index, and a query; got %d arguments", name, len(e.Args))
	}
	def, x, cols, err := b.textIndex(s, e.Args[0], name)
	if err != nil {
		return nil, err
	}
	if len(cols) > 1 && f.typ.Kind == value.Text {
		return nil, parse.Errorf(parse.Start(e.Args[0]), "%s is of one column; index %s has %d", name, x.Name, len(cols))
	}
	w := &logical.Words{Func: name, Table: def.Name, Index: x.Name}
	out := &logical.Expr{Op: logical.OpWords, Type: f.typ, Pos: e.Pos, Words: w, Text: b.texts.Of(e)}
	for _, c := range cols {
		w.Columns = append(w.Columns, c.Ord)
		out.Args = append(out.Args, logical.ColumnExpr(c, e.Pos))
	}
	for i, a := range e.Args[1:] {
		arg, err := b.Expr(s, a)
		if err != nil {
			return nil, err
		}
		t := logical.TextType
		if i > 0 {
			t = f.more[i-1]
		}
		if arg, err = b.castTo(arg, t, fn.Implicit); err != nil {
			return nil, err
		}
		out.Args = append(out.Args, arg)
	}
	return out, nil
}

// textIndex finds the full-text index that an argument names, and the columns that are meant:
// the one that it names, or all of the index.
func (b *Binder) textIndex(s *Scope, e parse.Expr, name string) (*storage.TableDef, *storage.IndexDef, []*logical.Column, error) {
	ref, ok := e.(*parse.ColumnRef)
	if !ok {
		return nil, nil, nil, parse.Errorf(parse.Start(e), "%s takes a column or a full-text index first, not %s", name, e)
	}
	found := s.find(ref.Table, ref.Name)
	if len(found) > 1 {
		x, err := b.name(s, ref, false)
		if err != nil {
			return nil, nil, nil, err
		}
		found = []*logical.Column{x.Column}
	}
	if len(found) == 1 && found[0] != nil {
		c := found[0]
		if c.Type.Kind != value.Text {
			return nil, nil, nil, parse.Errorf(ref.Pos, "%s looks for words in texts; %s is %v", name, c.Name, c.Type)
		}
		if c.Source == "" {
			return nil, nil, nil, parse.Errorf(ref.Pos, "%s needs a column of a table; %s is computed", name, c.Name).WithHint("call it in the query that reads the table")
		}
		t, err := b.Table(ident(c.Source))
		if err != nil {
			return nil, nil, nil, err
		}
		def := t.Def()
		var best *storage.IndexDef
		for i := range def.Indexes {
			x := &def.Indexes[i]
			if x.Kind == storage.FullText && slices.Contains(x.Columns, def.Columns[c.Ord].ID) && x.Options["language"] != "trigram" && (best == nil || len(x.Columns) < len(best.Columns)) {
				best = x
			}
		}
		for i := range def.Indexes { // one of trigrams, if there is no other
			if x := &def.Indexes[i]; best == nil && x.Kind == storage.FullText && slices.Contains(x.Columns, def.Columns[c.Ord].ID) {
				best = x
			}
		}
		if best == nil {
			return nil, nil, nil, parse.Errorf(ref.Pos, "%s has no full-text index", c.Name).WithHint("CREATE INDEX ON %s USING fulltext (%s) WITH (language = 'english')", parse.Quote(def.Name), parse.Quote(c.Name))
		}
		return def, best, found, nil
	}
	var names []string
	for _, d := range b.View.Tables() {
		for i := range d.Indexes {
			x := &d.Indexes[i]
			if x.Kind != storage.FullText {
				continue
			}
			names = append(names, x.Name)
			if ref.Table.Name != "" && !ref.Table.Means(d.Name) && !slices.ContainsFunc(s.columns, func(c *logical.Column) bool { return ref.Table.Means(c.Table) && c.Source == d.Name }) || !ref.Name.Means(x.Name) {
				continue
			}
			var cols []*logical.Column
			table := ""
			for _, id := range x.Columns {
				at := len(cols)
				for _, c := range s.columns {
					if c.Source == d.Name && c.Ord == d.ColumnID(id) && !c.Hidden && (ref.Table.Name == "" || ref.Table.Means(c.Table)) {
						cols = append(cols, c)
					}
				}
				switch {
				case len(cols) == at:
					return nil, nil, nil, parse.Errorf(ref.Pos, "index %s is of table %s, which is not visible here", x.Name, d.Name)
				case len(cols) > at+1 || table != "" && cols[at].Table != table:
					return nil, nil, nil, parse.Errorf(ref.Pos, "index %s could be that of several tables of this query", x.Name).WithHint("write %s.%s", cols[at].Table, x.Name)
				}
				table = cols[at].Table
			}
			return d, x, cols, nil
		}
	}
	for _, c := range s.columns {
		if c.Type.Kind == value.Text {
			names = append(names, c.Name)
		}
	}
	return nil, nil, nil, parse.Errorf(ref.Pos, "%s: no column and no full-text index %q", name, ref.Name.Name).WithHint("%s", hint.OrAll(ref.Name.Name, names))
}

// wordsCall reports whether a call is of a full-text index.
func wordsCall(name string) bool {
	_, ok := wordFuncs[strings.ToLower(name)]
	return ok
}
