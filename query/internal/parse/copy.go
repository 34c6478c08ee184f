package parse

import (
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/storage/value"
)

// gBackup is what follows BACKUP TO.
type gBackup struct {
	To      *gFile     `parser:"@@"`
	Options []*gOption `parser:"('WITH'? '(' @@ (',' @@)* ')')?"`
}

// gCopy is the rule of COPY, after its first word.
type gCopy struct {
	Query   *gSelect    `parser:"( '(' @@ ')'"`
	Table   *gTableName `parser:"| @@"`
	Columns []*gName    `parser:"  ('(' @@ (',' @@)* ')')? )"`
	From    []*gFile    `parser:"( 'FROM' @@ (',' @@)*"`
	To      *gFile      `parser:"| 'TO' @@ )"`
	Options []*gOption  `parser:"('WITH'? '(' @@ (',' @@)* ')')?"`
}

// gOption is an option of COPY: a name, which may be a reserved word, and a
// value: a literal, a parameter, a bare word, or none.
type gOption struct {
	Pos   lexer.Position
	Name  string        `parser:"@(Word | Keyword | Quoted)"`
	Value *gOptionValue `parser:"'='? @@?"`
}

type gOptionValue struct{ expr Expr }

// Parse implements participle.Parseable.
func (g *gOptionValue) Parse(lex *lexer.PeekingLexer) error {
	t := lex.Peek()
	if t.Type == lexWord || t.Type == lexQuoted {
		id := identOf(lex.Next())
		g.expr = &Literal{Pos: id.Pos, Value: value.Str(id.Name)}
		return nil
	}
	e, err := parseExpr(lex)
	if err != nil {
		return err
	}
	switch e := e.(type) {
	case *Literal, *Param:
		g.expr = e
		return nil
	}
	return Errorf(Start(e), "the value of an option is a text, a number, a word or a parameter")
}

func (c *converter) copy(at Pos, g *gCopy) Statement {
	options := c.options(g.Options)
	if g.To != nil {
		s := &CopyTo{Pos: at, Table: tableIdent(g.Table), Columns: idents(g.Columns), File: g.To.expr, Options: options}
		if g.Query != nil {
			s.Query = c.selectStmt(g.Query)
		}
		return s
	}
	s := &CopyFrom{Pos: at, Table: tableIdent(g.Table), Columns: idents(g.Columns), Options: options}
	for _, f := range g.From {
		s.Files = append(s.Files, f.expr)
	}
	return s
}

func (c *converter) options(gs []*gOption) []Option {
	var options []Option
	seen := map[string]bool{}
	for _, g := range gs {
		o := Option{Pos: posOf(g.Pos), Name: strings.ToLower(unquote(g.Name))}
		if g.Value != nil {
			o.Value = g.Value.expr
		}
		if seen[o.Name] {
			c.fail(Errorf(o.Pos, "option %s is given twice", o.Name))
		}
		seen[o.Name] = true
		options = append(options, o)
	}
	return options
}

var _ participle.Parseable = (*gOptionValue)(nil)
