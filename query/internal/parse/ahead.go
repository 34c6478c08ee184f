package parse

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// Productions that look more than one token ahead. Those whose name ends in
// Ahead match nothing: they only say whether the rule they begin is meant.
type (
	gQueryAhead      struct{} // the next parenthesis opens a query
	gListAhead       struct{} // the next parenthesis opens a list of names
	gStarAhead       struct{} // name.*
	gOptionAhead     struct{} // name =>, name := or name =
	gConstraintAhead struct{} // a constraint of a table, not a column
	gIfExists        struct{} // IF EXISTS
	gIfNotExists     struct{} // IF NOT EXISTS
)

func match(ok bool) error {
	if !ok {
		return participle.NextMatch
	}
	return nil
}

// Parse implements participle.Parseable.
func (*gQueryAhead) Parse(lex *lexer.PeekingLexer) error { return match(beginsQuery(lex)) }

// Parse implements participle.Parseable.
func (*gListAhead) Parse(lex *lexer.PeekingLexer) error {
	return match(is(lex.Peek(), "(") && isAny(peek(lex, 1), "SELECT", "WITH", "VALUES", "(") == "")
}

// Parse implements participle.Parseable.
func (*gStarAhead) Parse(lex *lexer.PeekingLexer) error {
	return match(isName(lex.Peek()) && is(peek(lex, 1), ".") && is(peek(lex, 2), "*"))
}

// Parse implements participle.Parseable.
func (*gOptionAhead) Parse(lex *lexer.PeekingLexer) error {
	return match(isName(lex.Peek()) && isAny(peek(lex, 1), "=>", ":=", "=") != "")
}

// gLateral is LATERAL before a query or a function.
type gLateral struct{}

// Parse implements participle.Parseable.
func (*gLateral) Parse(lex *lexer.PeekingLexer) error {
	if is(lex.Peek(), "LATERAL") && (is(peek(lex, 1), "(") || isName(peek(lex, 1)) && is(peek(lex, 2), "(")) {
		lex.Next()
		return nil
	}
	return participle.NextMatch
}

// Parse implements participle.Parseable. Words that are not reserved may be the names of columns.
func (*gConstraintAhead) Parse(lex *lexer.PeekingLexer) error {
	t := lex.Peek()
	switch {
	case is(t, "CONSTRAINT"):
		return match(isName(peek(lex, 1)) && isAny(peek(lex, 2), "PRIMARY", "UNIQUE", "CHECK", "FOREIGN") != "")
	case is(t, "CHECK"):
		return match(is(peek(lex, 1), "("))
	case is(t, "FOREIGN"):
		return match(is(peek(lex, 1), "KEY") && is(peek(lex, 2), "("))
	}
	return match(isAny(t, "PRIMARY", "UNIQUE") != "")
}

// Parse implements participle.Parseable.
func (*gIfExists) Parse(lex *lexer.PeekingLexer) error {
	return match(acceptWords(lex, "IF", "EXISTS"))
}

// Parse implements participle.Parseable.
func (*gIfNotExists) Parse(lex *lexer.PeekingLexer) error {
	return match(acceptWords(lex, "IF", "NOT", "EXISTS"))
}

// gRecursive is RECURSIVE before the name of a query.
type gRecursive struct{}

// Parse implements participle.Parseable.
func (*gRecursive) Parse(lex *lexer.PeekingLexer) error {
	return match(is(lex.Peek(), "RECURSIVE") && isName(peek(lex, 1)) && acceptWords(lex, "RECURSIVE"))
}

// gRowsAhead says that ROWS FROM (...) is next.
type gRowsAhead struct{}

// Parse implements participle.Parseable.
func (*gRowsAhead) Parse(lex *lexer.PeekingLexer) error {
	return match(is(lex.Peek(), "ROWS") && is(peek(lex, 1), "FROM") && is(peek(lex, 2), "("))
}

// gOrdinality is WITH ORDINALITY.
type gOrdinality struct{}

// Parse implements participle.Parseable.
func (*gOrdinality) Parse(lex *lexer.PeekingLexer) error {
	return match(acceptWords(lex, "WITH", "ORDINALITY"))
}

func isName(t *lexer.Token) bool { return t.Type == lexWord || t.Type == lexQuoted }
