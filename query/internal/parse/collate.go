package parse

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// collations are those whose order is that of the bytes of UTF-8, in which texts are ordered here.
var collations = []string{"c", "posix", "ucs_basic", "default", "c.utf-8", "c.utf8", "binary"}

// collation parses the name behind COLLATE, which is consumed.
func collation(lex stream) error {
	t := lex.Next()
	if is(lex.Peek(), ".") && isName(t) && isWord(identOf(t).Name, "pg_catalog") {
		lex.Next()
		t = lex.Next()
	}
	if !isName(t) && !is(t, "DEFAULT") {
		return &unexpected{*t, []string{"a collation"}}
	}
	name := identOf(t).Name
	if !slices.Contains(collations, strings.ToLower(name)) {
		return Errorf(posOf(t.Pos), "there is no collation %s: texts are ordered by their bytes, as COLLATE \"C\" says", name).
			WithHint("ORDER BY lower(x) leaves case aside")
	}
	return nil
}

// gCollate is COLLATE and a name behind a type.
type gCollate struct{}

// Parse implements participle.Parseable.
func (*gCollate) Parse(lex *lexer.PeekingLexer) error {
	if !is(lex.Peek(), "COLLATE") {
		return participle.NextMatch
	}
	lex.Next()
	return collation(lex)
}

// namedOperator parses OPERATOR(pg_catalog.~) from its parenthesis: the operator.
func (p *exprParser) namedOperator() (*lexer.Token, error) {
	p.lex.Next()
	if isName(p.lex.Peek()) && is(peek(p.lex, 1), ".") {
		if id := identOf(p.lex.Next()); !id.Means("pg_catalog") {
			return nil, Errorf(id.Pos, "there is no schema %s of operators", id).WithHint("OPERATOR(pg_catalog.+)")
		}
		p.lex.Next()
	}
	t := p.lex.Next()
	if prec := p.infix(t); t.Type != lexOp || prec == 0 || prec == precPostfix {
		return nil, &unexpected{*t, []string{"an operator"}}
	}
	return t, p.expect(")")
}
