package bind

import (
	"cmp"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

const duplicatesFunc = "duplicates"

// duplicates binds duplicates('table', 'column', least) of FROM.
func (b *Binder) duplicates(t *parse.TableFunc, s *Scope) (*logical.Relation, error) {
	if len(t.Args) != 3 || len(t.Options) > 0 {
		return nil, parse.Errorf(t.Pos, "%s takes a table, a vector column of it and the least similarity", duplicatesFunc).WithHint("duplicates('photos', 'clip', 0.95)")
	}
	scope := &Scope{outer: s.outer, Inside: duplicatesFunc}
	args, err := b.Exprs(scope, t.Args)
	if err != nil {
		return nil, err
	}
	var names [2]parse.Ident
	for i := range names {
		c, ok, err := b.constOf(args[i])
		if err != nil {
			return nil, err
		}
		if !ok || c.Value.Kind() != value.Text {
			return nil, parse.Errorf(parse.Start(t.Args[i]), "the %s is named by a text in quotes", [...]string{"table", "column"}[i]).WithHint("duplicates('photos', 'clip', 0.95)")
		}
		names[i] = parse.Ident{Pos: parse.Start(t.Args[i]), Name: c.Value.Str()}
	}
	table, err := b.Table(names[0])
	if err != nil {
		return nil, err
	}
	def := table.Def()
	at, err := TableColumn(def, names[1])
	if err != nil {
		return nil, err
	}
	if def.Columns[at].Type.Kind != value.Vector {
		return nil, parse.Errorf(names[1].Pos, "%s.%s is %v, not a vector", def.Name, def.Columns[at].Name, def.Columns[at].Type)
	}
	if def.PrimaryKey < 0 {
		return nil, parse.Errorf(names[0].Pos, "%s names rows by their primary key, and %s has none of one column", duplicatesFunc, def.Name)
	}
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
