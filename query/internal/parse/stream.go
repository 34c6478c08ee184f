package parse

import "github.com/alecthomas/participle/v2/lexer"

// stream is what productions of our own read tokens from: participle's lexer, or a cursor.
type stream interface {
	Peek() *lexer.Token // the next token
	Next() *lexer.Token // the next token, which is consumed; the EOF at the end stays
	RawCursor() lexer.RawCursor
	Range(from, to lexer.RawCursor) []lexer.Token
}

// cursor is a place in the tokens of a statement, the last of which is an EOF.
type cursor struct {
	tokens []lexer.Token
	at     int
}

func (c *cursor) Peek() *lexer.Token { return &c.tokens[c.at] }

func (c *cursor) Next() *lexer.Token {
	t := &c.tokens[c.at]
	if !t.EOF() {
		c.at++
	}
	return t
}

func (c *cursor) RawCursor() lexer.RawCursor { return lexer.RawCursor(c.at) }

func (c *cursor) Range(from, to lexer.RawCursor) []lexer.Token { return c.tokens[from:to] }
