package parse

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// gLock is FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE or FOR KEY SHARE with what may follow it. All
// say the same here: a transaction that writes is the only one.
type gLock struct{}

// Parse implements participle.Parseable.
func (*gLock) Parse(lex *lexer.PeekingLexer) error {
	if !is(lex.Peek(), "FOR") {
		return participle.NextMatch
	}
	lex.Next()
	if !acceptWords(lex, "UPDATE") && !acceptWords(lex, "SHARE") && !acceptWords(lex, "NO", "KEY", "UPDATE") && !acceptWords(lex, "KEY", "SHARE") {
		return &unexpected{*lex.Peek(), []string{"UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE"}}
	}
	if is(lex.Peek(), "OF") && isName(peek(lex, 1)) {
		lex.Next()
		lex.Next()
		for is(lex.Peek(), ",") && isName(peek(lex, 1)) {
			lex.Next()
			lex.Next()
		}
	}
	_ = acceptWords(lex, "NOWAIT") || acceptWords(lex, "SKIP", "LOCKED")
	return nil
}
