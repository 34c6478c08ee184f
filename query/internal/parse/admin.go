package parse

import (
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// gExplain is the rule of EXPLAIN, after its first word.
type gExplain struct {
	Analyze   bool        `parser:"@'ANALYZE'?"`
	Statement *gStatement `parser:"@@"`
}

// gShow is the rule of SHOW, after its first word.
type gShow struct {
	Tables bool   `parser:"  @'TABLES'"`
	Zone   bool   `parser:"| @'TIME' 'ZONE'"`
	Name   *gName `parser:"| @@"`
}

// gTruncate is the rule of TRUNCATE, after its first word.
type gTruncate struct {
	Tables   []*gName `parser:"'TABLE'? 'ONLY'? @@ (',' @@)*"`
	Identity string   `parser:"(@('RESTART' | 'CONTINUE') 'IDENTITY')?"`
	Cascade  string   `parser:"@('CASCADE' | 'RESTRICT')?"`
}

// gSettings is the rule of what tools send to set up a session or a database of
// PostgreSQL, and what has no effect here: all words up to the end.
type gSettings struct{ text string }

// Parse implements participle.Parseable.
func (g *gSettings) Parse(lex *lexer.PeekingLexer) error {
	t := lex.Peek()
	next := peek(lex, 1)
	switch {
	case is(t, "SET") && (isName(next) || isAny(next, "SESSION", "LOCAL", "TIME") != ""):
	case is(t, "RESET") && !next.EOF():
	case is(t, "COMMENT") && is(next, "ON"):
	case is(t, "CREATE") && is(next, "EXTENSION"):
	default:
		return participle.NextMatch
	}
	var words []string
	for !lex.Peek().EOF() {
		words = append(words, lex.Next().Value)
	}
	g.text = strings.Join(words, " ")
	return nil
}

// gBegin is what may follow BEGIN.
type gBegin struct {
	ReadOnly bool `parser:"('READ' (@'ONLY' | 'WRITE'))?"`
}

// gVacuum is what may follow VACUUM.
type gVacuum struct {
	Table *gName `parser:"@@?"`
}
