package bind

import (
	"cmp"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

const whyFunc = "why"

const whyExample = "why('photos', 'clip', 'a grey wolf', 7)"

// why binds why('table', 'column', phrase, key) of FROM.
func (b *Binder) why(t *parse.TableFunc, s *Scope) (*logical.Relation, error) {
	if len(t.Args) != 4 || len(t.Options) > 0 {
		return nil, parse.Errorf(t.Pos, "%s takes a table, a vector column of it, a phrase and the primary key of a row", whyFunc).WithHint("%s", whyExample)
	}
	if c, ok := t.Args[2].(*parse.Call); ok && c.Func.Means("image") {
		return nil, parse.Errorf(c.Pos, "%s tells what words contribute, and a picture has none", whyFunc).WithHint("similarity(column, %s) is the score", c)
	}
	args, err := b.Exprs(&Scope{outer: s.outer, Inside: whyFunc}, t.Args)
	if err != nil {
		return nil, err
	}
	table, at, err := b.vectorColumnNamed(t, args, whyExample)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	key := def.Columns[def.PrimaryKey]
	if k := args[2].Type.Kind; k == value.Vector {
		return nil, parse.Errorf(parse.Start(t.Args[2]), "%s tells what the words of a phrase contribute, and a vector has none", whyFunc).WithHint("similarity(%s, ...) is the score", def.Columns[at].Name)
	}
	enc := EncodingOf(def, at)
	if enc == nil {
		return nil, parse.Errorf(parse.Start(t.Args[1]), "%s.%s has no encoder to try the phrase with", def.Name, def.Columns[at].Name).WithHint("bind one: CREATE TABLE ... (%s VECTOR ENCODER 'name')", def.Columns[at].Name)
	}
	n := &logical.Why{Table: table, Column: at, Encoding: enc, Text: t.String()}
	if n.Phrase, err = b.castTo(args[2], value.Type{Kind: value.Text}, fn.Implicit); err != nil {
		return nil, err
	}
	if n.Key, err = b.castTo(args[3], key.Type, fn.Implicit); err != nil {
		return nil, err
	}
	for i, x := range []*logical.Expr{n.Phrase, n.Key} {
		if !logical.Fixed(x) {
			return nil, parse.Errorf(parse.Start(t.Args[2+i]), "the %s can't differ from row to row", [...]string{"phrase", "key"}[i])
		}
	}
	for _, c := range []logical.Column{
		{Name: "number", Type: logical.IntType}, {Name: "word", Type: value.Type{Kind: value.Text}},
		{Name: "score", Type: logical.RealType, Rank: logical.BestFirst}, {Name: "contribution", Type: logical.RealType},
		{Name: "rank", Type: logical.IntType}, {Name: "next", Type: key.Type}, {Name: "gap", Type: logical.RealType},
	} {
		c.Table = cmp.Or(t.Alias.Name, whyFunc)
		n.Outs = append(n.Outs, &c)
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, rename(n.Outs, t.Columns)
}
