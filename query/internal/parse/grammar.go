package parse

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar is participle's: structs whose tags hold the rules, one file for
// each family of statements, each with the conversion of its structs into the
// tree of ast.go. Every choice is made by the next token (a lookahead group
// where one is not enough), so there is no backtracking: parsing takes linear
// time, and an error is always at the first token that fits nowhere.

// gStatement is the rule of a statement.
type gStatement struct {
	Pos       lexer.Position
	Insert    *gInsert      `parser:"  'INSERT' @@"`
	Update    *gUpdate      `parser:"| 'UPDATE' @@"`
	Delete    *gDelete      `parser:"| 'DELETE' @@"`
	Select    *gSelect      `parser:"| @@"`
	Setting   *gSettings    `parser:"| @@"`
	Create    *gCreate      `parser:"| 'CREATE' @@"`
	Drop      *gDrop        `parser:"| 'DROP' @@"`
	Truncate  *gTruncate    `parser:"| 'TRUNCATE' @@"`
	Alter     *gAlter       `parser:"| 'ALTER' ( 'TABLE' @@"`
	AlterView *gAlterView   `parser:"          | 'VIEW' @@ )"`
	Copy      *gCopy        `parser:"| 'COPY' @@"`
	Explain   *gExplain     `parser:"| 'EXPLAIN' @@"`
	Begin     *gBegin       `parser:"| ('BEGIN' ('TRANSACTION' | 'WORK')? | 'START' 'TRANSACTION') @@"`
	Commit    bool          `parser:"| @('COMMIT' | 'END') ('TRANSACTION' | 'WORK')?"`
	Savepoint *gSavepoint   `parser:"| @@"`
	Rollback  bool          `parser:"| @('ROLLBACK' | 'ABORT') ('TRANSACTION' | 'WORK')?"`
	Show      *gShow        `parser:"| 'SHOW' @@"`
	Describe  *gTableName   `parser:"| ('DESCRIBE' | 'DESC') @@"`
	Backup    *gBackup      `parser:"| 'BACKUP' 'TO' @@"`
	Check     bool          `parser:"| @'CHECK'"`
	Vacuum    *gVacuum      `parser:"| 'VACUUM' @@"`
	Attach    *gAttach      `parser:"| 'ATTACH' @@"`
	Detach    *gDetach      `parser:"| 'DETACH' @@"`
	Ack       *gAcknowledge `parser:"| 'ACKNOWLEDGE' @@"`
}

// grammars are the parsers participle builds: of a statement, and of a query
// for the expressions that hold one.
type grammars struct {
	statement *participle.Parser[gStatement]
	query     *participle.Parser[gSelect]
}

var (
	grammarOnce  sync.Once
	builtGrammar grammars
)

// grammar returns the parsers, which are built at the first use.
func grammar() *grammars {
	grammarOnce.Do(func() {
		options := []participle.Option{
			participle.Lexer(definition{}),
			participle.CaseInsensitive("Word", "Keyword"),
			participle.ParseTypeWith(parseExpr),
			participle.UseLookahead(0),
		}
		builtGrammar = grammars{
			statement: participle.MustBuild[gStatement](options...),
			query:     participle.MustBuild[gSelect](options...),
		}
	})
	return &builtGrammar
}

// converter turns the grammar's structs into the tree. It keeps the first error.
type converter struct {
	err   error
	locks bool // a query has FOR UPDATE
}

func (c *converter) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *converter) statement(g *gStatement) Statement {
	at := posOf(g.Pos)
	switch {
	case g.Select != nil:
		return c.outermost(g.Select)
	case g.Insert != nil:
		return c.insertWith(at, g.Insert)
	case g.Update != nil:
		return c.update(at, g.Update)
	case g.Delete != nil:
		return c.delete(at, g.Delete)
	case g.Create != nil:
		return c.create(at, g.Create)
	case g.Truncate != nil:
		t := g.Truncate
		return &Truncate{at, ownIdents(t.Tables), isWord(t.Identity, "RESTART"), isWord(t.Cascade, "CASCADE")}
	case g.Setting != nil:
		return &Setting{at, g.Setting.text}
	case g.Drop != nil:
		return c.drop(at, g.Drop)
	case g.Alter != nil:
		return c.alter(at, g.Alter)
	case g.AlterView != nil:
		return &RenameView{at, ownIdent(g.AlterView.View), ident(g.AlterView.To)}
	case g.Copy != nil:
		return c.copy(at, g.Copy)
	case g.Explain != nil:
		return &Explain{at, g.Explain.Analyze || g.Explain.has().analyze, g.Explain.has().json, c.statement(g.Explain.Statement)}
	case g.Begin != nil:
		return &Begin{at, g.Begin.ReadOnly}
	case g.Commit:
		return &Commit{at}
	case g.Savepoint != nil:
		return &Savepoint{at, g.Savepoint.what, g.Savepoint.name}
	case g.Rollback:
		return &Rollback{at}
	case g.Show != nil && g.Show.Databases:
		return &ShowDatabases{at}
	case g.Show != nil && g.Show.Watches:
		return &ShowWatches{at}
	case g.Ack != nil:
		a := &Acknowledge{Pos: at, Watch: ident(g.Ack.Watch)}
		if g.Ack.UpTo != nil {
			a.UpTo = g.Ack.UpTo.expr
		}
		return a
	case g.Show != nil && g.Show.Tables:
		return &ShowTables{at}
	case g.Show != nil:
		return &ShowSetting{at, ident(g.Show.Name)}
	case g.Describe != nil:
		return &Describe{at, tableIdent(g.Describe)}
	case g.Backup != nil:
		return &Backup{at, g.Backup.To.expr, c.options(g.Backup.Options)}
	case g.Check:
		return &Check{at}
	case g.Attach != nil:
		a := g.Attach
		return &Attach{at, a.IfNotExists != nil, a.Address.expr, ident(a.Name), a.Persist}
	case g.Detach != nil:
		return &Detach{at, g.Detach.IfExists != nil, ident(g.Detach.Name)}
	}
	return &Vacuum{at, ident(g.Vacuum.Table)}
}

// gName is the rule of a name.
type gName struct{ id Ident }

// Parse implements participle.Parseable.
func (n *gName) Parse(lex *lexer.PeekingLexer) error {
	id, ok := acceptName(lex)
	if !ok {
		return participle.NextMatch
	}
	n.id = id
	return nil
}

// gTableName is the rule of the name of a table, which may be one of an attached database.
type gTableName struct{ id Ident }

// Parse implements participle.Parseable.
func (n *gTableName) Parse(lex *lexer.PeekingLexer) error {
	var name gName
	if err := name.Parse(lex); err != nil {
		return err
	}
	n.id = name.id
	if !is(lex.Peek(), ".") {
		return nil
	}
	before := name.id
	lex.Next()
	if err := name.Parse(lex); err != nil {
		return err
	}
	n.id = name.id
	n.id.Pos, n.id.Database = before.Pos, databaseOf(before)
	return nil
}

// gOwnName is the rule of the name of a table or a view of the store itself, before which its schema
// may stand.
type gOwnName struct{ gName }

// Parse implements participle.Parseable.
func (n *gOwnName) Parse(lex *lexer.PeekingLexer) error {
	var name gTableName
	if err := name.Parse(lex); err != nil {
		return err
	}
	if name.id.Database != "" {
		return Errorf(name.id.Pos, "%s is not a table of this store", name.id).WithHint("its own tables are in no schema, or in public")
	}
	n.id = name.id
	return nil
}

func ownIdents(names []*gOwnName) []Ident {
	var out []Ident
	for _, n := range names {
		out = append(out, n.id)
	}
	return out
}

func ownIdent(n *gOwnName) Ident {
	if n == nil {
		return Ident{}
	}
	return n.id
}

// databaseOf is the attached database that a name before a table's means: none if that is
// PostgreSQL's name for where tables are by default.
func databaseOf(id Ident) string {
	if id.Means("public") {
		return ""
	}
	return id.Name
}

func tableIdent(n *gTableName) Ident {
	if n == nil {
		return Ident{}
	}
	return n.id
}

// acceptName consumes the next token if it is a name.
func acceptName(lex stream) (Ident, bool) {
	if t := lex.Peek(); t.Type == lexWord || t.Type == lexQuoted {
		return identOf(lex.Next()), true
	}
	return Ident{}, false
}

// identOf returns the name a token writes.
func identOf(t *lexer.Token) Ident {
	if t.Type == lexQuoted {
		return Ident{Pos: posOf(t.Pos), Name: unquote(t.Value), Quoted: true}
	}
	return Ident{Pos: posOf(t.Pos), Name: t.Value}
}

func ident(n *gName) Ident {
	if n == nil {
		return Ident{}
	}
	return n.id
}

func idents(ns []*gName) []Ident {
	var ids []Ident
	for _, n := range ns {
		ids = append(ids, n.id)
	}
	return ids
}

// gText is the rule of a text literal.
type gText struct{ lit Literal }

// Parse implements participle.Parseable.
func (g *gText) Parse(lex *lexer.PeekingLexer) error {
	t := lex.Peek()
	if t.Type != lexString {
		return participle.NextMatch
	}
	lex.Next()
	v, err := textValue(t.Value)
	if err != nil {
		return Errorf(posOf(t.Pos), "%s", err)
	}
	g.lit = Literal{Pos: posOf(t.Pos), Value: v}
	return nil
}

// gFile is the rule of a file's name: a text or a parameter.
type gFile struct{ expr Expr }

// Parse implements participle.Parseable.
func (g *gFile) Parse(lex *lexer.PeekingLexer) error {
	switch lex.Peek().Type {
	case lexString:
		var text gText
		err := text.Parse(lex)
		g.expr = &text.lit
		return err
	case lexParam:
		param, err := paramOf(lex.Next())
		g.expr = param
		return err
	}
	return participle.NextMatch
}

// gType is the rule of a type.
type gType struct{ typ Type }

// Parse implements participle.Parseable.
func (g *gType) Parse(lex *lexer.PeekingLexer) (err error) {
	if lex.Peek().Type != lexWord {
		return participle.NextMatch
	}
	word := *lex.Peek()
	g.typ, err = parseType(lex)
	if err != nil && lex.Peek().Pos == word.Pos {
		lex.Next() // an error that consumed nothing would count as no match
	}
	if err == nil && is(lex.Peek(), "[") {
		err = Errorf(posOf(lex.Peek().Pos), "there are no columns of arrays").
			WithHint("a JSON column takes ARRAY[1, 2], jsonb_array_elements gives its elements; VECTOR(n) is for embeddings")
	}
	return err
}
