package shell

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is what the shell needs to know of a piece of a statement, to
// colour and to complete it. The language's own lexer accepts only what is
// right; this one accepts whatever is being typed.
type tokenKind uint8

const (
	tokWord       tokenKind = iota // keyword or name
	tokQuoted                      // "name"
	tokString                      // 'text'
	tokNumber                      //
	tokParam                       // ?, $1, :name
	tokComment                     // -- or /* */
	tokOperator                    // everything else but space
	tokDotCommand                  // .name or \x at the line's beginning
)

// token is text[start:end], in bytes.
type token struct {
	kind       tokenKind
	start, end int
	open       bool // a string, quoted name or comment that isn't closed yet
}

// lex cuts text into tokens, leaving space out.
func lex(text string) []token {
	var out []token
	i := 0
	if isDotCommand(text) {
		i = len(text) - len(strings.TrimLeft(text, " \t"))
		j := i
		for j < len(text) && !isSpace(text[j]) {
			j++
		}
		out = append(out, token{kind: tokDotCommand, start: i, end: j})
		i = j
	}
	for i < len(text) {
		c := text[i]
		if isSpace(c) {
			i++
			continue
		}
		t := token{start: i}
		switch {
		case c == '\'' || c == '"':
			t.kind = tokString
			if c == '"' {
				t.kind = tokQuoted
			}
			t.end, t.open = quotedEnd(text, i)
		case strings.HasPrefix(text[i:], "--"):
			t.kind = tokComment
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				t.end = i + n
			} else {
				t.end = len(text)
			}
		case strings.HasPrefix(text[i:], "/*"):
			t.kind = tokComment
			if n := strings.Index(text[i+2:], "*/"); n >= 0 {
				t.end = i + 2 + n + 2
			} else {
				t.end, t.open = len(text), true
			}
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(text) && isDigit(text[i+1]):
			t.kind, t.end = tokNumber, numberEnd(text, i)
		case c == '?':
			t.kind, t.end = tokParam, i+1
		case c == '$' && i+1 < len(text) && isDigit(text[i+1]):
			t.kind, t.end = tokParam, wordEnd(text, i+1)
		case c == ':' && i+1 < len(text) && text[i+1] == ':':
			t.kind, t.end = tokOperator, i+2
		case c == ':' && i+1 < len(text) && wordStart(text[i+1:]):
			t.kind, t.end = tokParam, wordEnd(text, i+1)
		case wordStart(text[i:]):
			t.kind, t.end = tokWord, wordEnd(text, i)
		default:
			_, n := utf8.DecodeRuneInString(text[i:])
			t.kind, t.end = tokOperator, i+n
		}
		out = append(out, t)
		i = t.end
	}
	return out
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func wordStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || unicode.IsLetter(r)
}

func wordEnd(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		i += n
	}
	return i
}

func numberEnd(s string, i int) int {
	for i < len(s) {
		c := s[i]
		sign := (c == '+' || c == '-') && (s[i-1] == 'e' || s[i-1] == 'E')
		if !isDigit(c) && c != '.' && c != 'e' && c != 'E' && !sign {
			break
		}
		i++
	}
	return i
}

// quotedEnd finds the end of what the quote at i begins; a doubled quote stands
// for itself.
func quotedEnd(s string, i int) (end int, open bool) {
	q := s[i]
	for j := i + 1; j < len(s); j++ {
		if s[j] != q {
			continue
		}
		if j+1 < len(s) && s[j+1] == q {
			j++
			continue
		}
		return j + 1, false
	}
	return len(s), true
}

// scanner follows a source line by line and knows whether a statement is going
// on, without keeping its text.
type scanner struct {
	quote   byte // ', " or * (a comment) when within one
	escapes bool // the quote is E'...', where a backslash takes the next byte along
	depth   int  // of comments within comments
	pending bool // something of a statement came after the last semicolon
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

// isNameByte reports whether a byte may be part of a name or a number, so that
// what follows is not a token of its own.
func isNameByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
