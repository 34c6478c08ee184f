package parse

import (
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// gExplain is the rule of EXPLAIN, after its first word.
type gExplain struct {
	Analyze   bool        `parser:"@'ANALYZE'?"`
	Verbose   bool        `parser:"@'VERBOSE'?"`
	Options   *gExplains  `parser:"@@?"`
	Statement *gStatement `parser:"@@"`
}

// gExplains are the options of EXPLAIN: (ANALYZE, FORMAT JSON).
type gExplains struct{ analyze, json bool }

func (g *gExplain) has() gExplains {
	if g.Options == nil {
		return gExplains{}
	}
	return *g.Options
}

// Parse implements participle.Parseable.
func (g *gExplains) Parse(lex *lexer.PeekingLexer) error {
	if !is(lex.Peek(), "(") || isAny(peek(lex, 1), "SELECT", "WITH", "VALUES", "(") != "" {
		return participle.NextMatch
	}
	p := exprParser{lex: lex}
	lex.Next()
	for {
		t := lex.Next()
		on := true
		value := lex.Peek()
		if isAny(value, ",", ")") == "" {
			lex.Next()
			on = isAny(value, "FALSE", "OFF") == "" && value.Value != "0"
		}
		switch isAny(t, "ANALYZE", "FORMAT", "VERBOSE", "COSTS", "BUFFERS", "TIMING", "SUMMARY", "SETTINGS", "WAL") {
		case "ANALYZE":
			g.analyze = on
		case "FORMAT":
			switch {
			case is(value, "JSON"):
				g.json = true
			case !is(value, "TEXT"):
				return Errorf(posOf(value.Pos), "the formats of EXPLAIN are TEXT and JSON")
			}
		case "":
			return Errorf(posOf(t.Pos), "EXPLAIN has no option %s", abbreviate(t.Value)).WithHint("ANALYZE and FORMAT JSON are options")
		}
		if p.accept(")") {
			return nil
		}
		if !p.accept(",") {
			return p.unexpected(",", ")")
		}
	}
}

// gSavepoint is the rule of SAVEPOINT, RELEASE and ROLLBACK TO.
type gSavepoint struct {
	what SavepointAction
	name Ident
}

// Parse implements participle.Parseable.
func (g *gSavepoint) Parse(lex *lexer.PeekingLexer) error {
	switch {
	case acceptWords(lex, "SAVEPOINT"):
	case acceptWords(lex, "RELEASE", "SAVEPOINT"), acceptWords(lex, "RELEASE"):
		g.what = Release
	case acceptWords(lex, "ROLLBACK", "TO", "SAVEPOINT"), acceptWords(lex, "ROLLBACK", "TO"),
		acceptWords(lex, "ROLLBACK", "TRANSACTION", "TO", "SAVEPOINT"), acceptWords(lex, "ROLLBACK", "WORK", "TO", "SAVEPOINT"):
		g.what = RollbackTo
	default:
		return participle.NextMatch
	}
	name, ok := acceptName(lex)
	if !ok {
		return &unexpected{*lex.Peek(), []string{wantName}}
	}
	g.name = name
	return nil
}

// gShow is the rule of SHOW, after its first word.
type gShow struct {
	Tables    bool   `parser:"  @'TABLES'"`
	Databases bool   `parser:"| @'DATABASES'"`
	Watches   bool   `parser:"| @'WATCHES'"`
	Zone      bool   `parser:"| @'TIME' 'ZONE'"`
	Name      *gName `parser:"| @@"`
}

// gAttach is the rule of ATTACH, after its first word.
type gAttach struct {
	IfNotExists *gIfNotExists `parser:"'DATABASE'? @@?"`
	Address     *gFile        `parser:"@@"`
	Name        *gName        `parser:"'AS' @@"`
	Persist     bool          `parser:"@'PERSIST'?"`
}

// gDetach is the rule of DETACH, after its first word.
type gDetach struct {
	IfExists *gIfExists `parser:"'DATABASE'? @@?"`
	Name     *gName     `parser:"@@"`
}

// gTruncate is the rule of TRUNCATE, after its first word.
type gTruncate struct {
	Tables   []*gOwnName `parser:"'TABLE'? 'ONLY'? @@ (',' @@)*"`
	Identity string      `parser:"(@('RESTART' | 'CONTINUE') 'IDENTITY')?"`
	Cascade  string      `parser:"@('CASCADE' | 'RESTRICT')?"`
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
	Table *gName `parser:"'ANALYZE'? @@?"`
}
