package shell

import (
	"strings"

	"github.com/lupadb/lupa/query"
)

// tokDotCommand is a token of the shell's own: .name or \x at the line's beginning.
const tokDotCommand query.TokenKind = 255

// lex cuts text into tokens, leaving space out.
func lex(text string) []query.Token {
	if !isDotCommand(text) {
		return query.Tokens(text)
	}
	start := len(text) - len(strings.TrimLeft(text, " \t"))
	end := start
	for end < len(text) && !isSpace(text[end]) {
		end++
	}
	out := []query.Token{{Kind: tokDotCommand, Start: start, End: end}}
	for _, t := range query.Tokens(text[end:]) {
		t.Start, t.End = t.Start+end, t.End+end
		out = append(out, t)
	}
	return out
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// scanner follows a source line by line and knows whether a statement is going
// on, without keeping its text.
type scanner struct {
	quote   byte   // ', ", $ or * (a comment) when within one
	tag     string // what ends a text of $, with both its $
	escapes bool   // the quote is E'...', where a backslash takes the next byte along
	depth   int    // of comments within comments
	pending bool   // something of a statement came after the last semicolon
}

func (c *scanner) between() bool { return !c.pending && c.quote == 0 }

func (c *scanner) feed(line string) {
	at := func(i int) byte {
		if i < 0 || i >= len(line) {
			return '\n'
		}
		return line[i]
	}
	for i := 0; i < len(line); i++ {
		ch := line[i]
		switch {
		case c.quote == '*' && ch == '/' && at(i+1) == '*':
			c.depth++
			i++
		case c.quote == '*':
			if ch == '*' && at(i+1) == '/' {
				if c.depth--; c.depth == 0 {
					c.quote = 0
				}
				i++
			}
		case c.quote == '$':
			n := strings.Index(line[i:], c.tag)
			if n < 0 {
				return
			}
			i += n + len(c.tag) - 1
			c.quote = 0
		case c.escapes && ch == '\\':
			i++
		case c.quote != 0: // a doubled quote closes and opens again: the same
			if ch == c.quote {
				if at(i+1) == ch {
					i++
				} else {
					c.quote, c.escapes = 0, false
				}
			}
		case ch == '\'' || ch == '"':
			c.quote, c.pending = ch, true
			c.escapes = ch == '\'' && (at(i-1) == 'e' || at(i-1) == 'E') && !isNameByte(at(i-2))
		case ch == '$':
			c.pending = true
			if c.tag = dollarTag(line[i:]); c.tag != "" {
				c.quote = '$'
				i += len(c.tag) - 1
			}
		case isNameByte(ch) && !isDigit(ch): // a $ within a name is part of it
			c.pending = true
			for isNameByte(at(i + 1)) {
				i++
			}
		case ch == '-' && at(i+1) == '-':
			return
		case ch == '/' && at(i+1) == '*':
			c.quote, c.depth = '*', 1
			i++
		case ch == ';':
			c.pending = false
		case !isSpace(ch):
			c.pending = true
		}
	}
}

// dollarTag returns the tag, $$ or $name$, with which a text begins, or "".
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '$':
			return text[:i+1]
		case !isNameByte(c) || i == 1 && isDigit(c):
			return ""
		}
	}
	return ""
}

// isNameByte reports whether a byte may be part of a name or a number, so that
// what follows is not a token of its own.
func isNameByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
