package parse

import (
	"sync"

	"github.com/alecthomas/participle/v2/lexer"
)

// Parse parses one statement, with or without its ';'. Errors are of type *Error.
func Parse(src string) (Statement, error) {
	s := newScanner(src)
	stmt, err := parseNext(s)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return nil, Errorf(Pos{Line: 1, Column: 1}, "there is no statement")
	}
	if next, err := s.next(); err != nil || next.kind != tokEnd {
		return nil, Errorf(next.pos, "only one statement is expected here, this begins a second one")
	}
	return stmt, nil
}

// ParseAll parses statements separated by ';'. At the first error it returns the
// statements before it too.
func ParseAll(src string) ([]Statement, error) {
	var all []Statement
	s := newScanner(src)
	for {
		stmt, err := parseNext(s)
		if err != nil {
			return all, err
		}
		if stmt == nil {
			return all, nil
		}
		all = append(all, stmt)
	}
}

// parseNext parses the next statement that is not empty, or returns nil at the
// end of the source.
func parseNext(s *scanner) (Statement, error) {
	for {
		kept := tokenPool.Get().(*[]lexer.Token)
		tokens, lexErr := lexInto((*kept)[:0], s)
		stmt, err := Statement(nil), error(nil)
		switch {
		case lexErr != nil:
			err = lexErr
		case len(tokens) > 1:
			stmt, err = parseTokens(s.src, tokens)
		}
		if clear(tokens); cap(tokens) <= maxKeptTokens {
			*kept = tokens
			tokenPool.Put(kept)
		}
		if err != nil || stmt != nil {
			return stmt, err
		}
		if s.off == len(s.src) {
			return nil, nil
		}
	}
}

// tokenPool keeps lists of tokens, of which nothing is left in a tree or an error.
var tokenPool = sync.Pool{New: func() any { return new([]lexer.Token) }}

// maxKeptTokens bounds the lists that are kept.
const maxKeptTokens = 4096

// parseTokens parses the tokens of one statement.
func parseTokens(src string, tokens []lexer.Token) (Statement, error) {
	var stmt Statement
	if g := plainQuery(tokens); g != nil {
		var c converter
		if stmt = c.outermost(g); c.err != nil {
			stmt = nil
		}
	}
	if stmt == nil {
		var err error
		if stmt, err = parseByGrammar(src, tokens); err != nil {
			return nil, err
		}
	}
	if nestsUnwritten(tokens) {
		if _, err := lexStatement(newScanner(stmt.String())); err != nil {
			return nil, Errorf(stmt.Position(), "%s", err.Msg)
		}
	}
	return stmt, nil
}

// parseByGrammar parses the tokens of a statement by participle.
func parseByGrammar(src string, tokens []lexer.Token) (Statement, error) {
	lex, err := lexer.Upgrade(&tokenReader{tokens})
	if err != nil {
		return nil, err
	}
	g, err := grammar().statement.ParseFromLexer(lex)
	if err != nil {
		return nil, explain(src, tokens, err)
	}
	var c converter
	stmt := c.statement(g)
	return stmt, c.err
}

// nestsUnwritten reports whether a tree may be nested deeper than its source
// shows: a = NOT b = NOT c takes no parentheses, but is printed with some. The
// limit on them holds for what is printed, so that it can be parsed again.
func nestsUnwritten(tokens []lexer.Token) bool {
	n := 0
	for i := range tokens {
		if t := &tokens[i]; t.Type == lexKeyword && isAny(t, "NOT", "IS", "ISNULL", "NOTNULL", "CASE") != "" || t.Type == lexOp && t.Value == "(" {
			n++
		}
	}
	return n >= maxNesting
}
