package bind

import (
	"cmp"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

const duplicatesFunc = "duplicates"

// duplicates binds duplicates('table', 'column', least) of FROM.
func (b *Binder) duplicates(t *parse.TableFunc, s *Scope) (*logical.Relation, error) {
	if len(t.Args) != 3 || len(t.Options) > 0 {
		return nil, parse.Errorf(t.Pos, "%s takes a table, a vector column of it and the least similarity", duplicatesFunc).WithHint("duplicates('photos', 'clip', 0.95)")
	}
	args, err := b.Exprs(&Scope{outer: s.outer, Inside: duplicatesFunc}, t.Args)
	if err != nil {
		return nil, err
	}
	table, at, err := b.vectorColumnNamed(t, args, "duplicates('photos', 'clip', 0.95)")
	if err != nil {
		return nil, err
	}
	def := table.Def()
	least, err := b.castTo(args[2], logical.RealType, fn.Implicit)
	if err != nil {
		return nil, err
	}
	if !logical.Fixed(least) {
		return nil, parse.Errorf(parse.Start(t.Args[2]), "the least similarity can't differ from row to row")
	}
	n := &logical.Duplicates{Table: table, Column: at, Least: least, Text: t.String()}
	key := def.Columns[def.PrimaryKey]
	for _, c := range []logical.Column{
		{Name: key.Name, Type: key.Type}, {Name: "group_number", Type: logical.IntType}, {Name: "best", Type: key.Type},
		{Name: "similarity", Type: logical.RealType, Rank: logical.BestFirst},
	} {
		c.Table = cmp.Or(t.Alias.Name, duplicatesFunc)
		n.Outs = append(n.Outs, &c)
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, rename(n.Outs, t.Columns)
}

// vectorColumnNamed finds the vector column that the first two arguments of a table function name,
// of a table whose rows its primary key tells apart.
func (b *Binder) vectorColumnNamed(t *parse.TableFunc, args []*logical.Expr, example string) (*storage.Table, int, error) {
	var names [2]parse.Ident
	for i := range names {
		c, ok, err := b.constOf(args[i])
		if err != nil {
			return nil, 0, err
		}
		if !ok || c.Value.Kind() != value.Text {
			return nil, 0, parse.Errorf(parse.Start(t.Args[i]), "the %s is named by a text in quotes", [...]string{"table", "column"}[i]).WithHint("%s", example)
		}
		names[i] = parse.Ident{Pos: parse.Start(t.Args[i]), Name: c.Value.Str()}
	}
	table, err := b.Table(names[0])
	if err != nil {
		if database, _, ok := strings.Cut(names[0].Name, "."); ok && b.In.Attached.Find(database) != nil {
			err = parse.Errorf(names[0].Pos, "%s is in an attached database, and %s reads a table of this store", names[0].Name, strings.ToLower(t.Func.Name)).WithHint("copy it into one with a primary key: INSERT INTO ... SELECT * FROM %s", names[0].Name)
		}
		if v, _ := ViewOf(b.View, names[0]); v != nil {
			err = parse.Errorf(names[0].Pos, "%s is a view, and %s reads a table: rows of a view have no primary key", names[0].Name, strings.ToLower(t.Func.Name)).WithHint("it is %s", v.Query)
		}
		return nil, 0, err
	}
	def := table.Def()
	at, err := TableColumn(def, names[1])
	if err != nil {
		return nil, 0, err
	}
	if def.Columns[at].Type.Kind != value.Vector {
		return nil, 0, parse.Errorf(names[1].Pos, "%s.%s is %v, not a vector", def.Name, def.Columns[at].Name, def.Columns[at].Type)
	}
	if def.PrimaryKey < 0 {
		return nil, 0, parse.Errorf(names[0].Pos, "%s names rows by their primary key, and %s has none of one column", strings.ToLower(t.Func.Name), def.Name)
	}
	return table, at, nil
}
