package parse

import (
	"strings"
	"unicode/utf8"
)

// kind is the kind of a token.
type kind int

// The kinds of token. A vector literal is one token: it may hold thousands of
// numbers.
const (
	tokEnd     kind = iota // the end of the source, or a ';'
	tokWord                // a name, or a word of the grammar that is not reserved
	tokKeyword             // a reserved word
	tokQuoted              // "name"
	tokString              // 'text', E'text', $$text$$
	tokBlob                // X'00ff'
	tokNumber
	tokVector // [1, 2]
	tokTexts  // ['a', 'b']: several files
	tokParam  // ?, $1, :name
	tokOp     // an operator or a mark such as ( , .
)

// token is a token: its text is src[pos.Offset:end].
type token struct {
	kind kind
	pos  Pos
	end  int
}

// scanner cuts a source into tokens, in one pass.
type scanner struct {
	src     string
	off     int
	line    int
	counted int    // column has been counted up to this offset ...
	column  int    // ... where it is this, from 1
	array   bool   // ARRAY was the last token: [ begins a list of expressions
	operand bool   // the last token ended an operand: [ begins a subscript, behind a name where there is no space between
	opened  []bool // the brackets that are open: whether they are those of a subscript, in which : is a mark
}

func newScanner(src string) *scanner { return &scanner{src: src, line: 1, column: 1} }

// pos returns the place of the current offset.
func (s *scanner) pos() Pos {
	s.column += utf8.RuneCountInString(s.src[s.counted:s.off])
	s.counted = s.off
	return Pos{Offset: s.off, Line: s.line, Column: s.column}
}

// advance moves to offset end, counting lines.
func (s *scanner) advance(end int) {
	text := s.src[s.off:end]
	if n := strings.Count(text, "\n"); n > 0 {
		s.line += n
		s.counted = s.off + strings.LastIndexByte(text, '\n') + 1
		s.column = 1
	}
	s.off = end
}

// skip skips white space and comments. It returns an error for a comment that
// is not closed, having moved to the end of the source.
func (s *scanner) skip() *Error {
	for {
		s.space()
		if found, err := s.comment(); !found || err != nil {
			return err
		}
	}
}

// space skips white space.
func (s *scanner) space() {
	for s.off < len(s.src) {
		switch c := s.src[s.off]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			end := s.off + 1
			for end < len(s.src) && strings.IndexByte(" \t\n\r\f\v", s.src[end]) >= 0 {
				end++
			}
			s.advance(end)
		case strings.HasPrefix(s.src[s.off:], "\ufeff") || strings.HasPrefix(s.src[s.off:], "\u00a0"):
			_, n := utf8.DecodeRuneInString(s.src[s.off:]) // byte order mark, no-break space
			s.advance(s.off + n)
		default:
			return
		}
	}
}

// comment skips a comment, if one begins here.
func (s *scanner) comment() (found bool, err *Error) {
	switch {
	case strings.HasPrefix(s.src[s.off:], "--"):
		end := strings.IndexByte(s.src[s.off:], '\n')
		if end < 0 {
			end = len(s.src) - s.off
		}
		s.advance(s.off + end)
		return true, nil
	case strings.HasPrefix(s.src[s.off:], "/*"):
		at := s.pos()
		end, ok := commentEnd(s.src, s.off)
		s.advance(end)
		if !ok {
			err = Errorf(at, "comment is not closed: */ is missing")
		}
		return true, err
	}
	return false, nil
}

// commentEnd returns the offset after the comment that begins at off; comments
// nest.
func commentEnd(src string, off int) (end int, closed bool) {
	depth := 0
	for i := off; i+1 < len(src); i++ {
		switch {
		case src[i] == '/' && src[i+1] == '*':
			depth++
			i++
		case src[i] == '*' && src[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(src), false
}

// next returns the next token. At an error it returns the token as far as it
// goes, so that Split can carry on after it.
func (s *scanner) next() (token, *Error) {
	if err := s.skip(); err != nil {
		return token{kind: tokEnd, pos: s.pos(), end: s.off}, err
	}
	t := token{pos: s.pos()}
	if s.off == len(s.src) {
		t.end = s.off
		return t, nil
	}
	var err *Error
	t.kind, t.end, err = s.token(t.pos)
	text := s.src[t.pos.Offset:t.end]
	if t.kind == tokOp && text == "[" {
		s.opened = append(s.opened, !s.array)
	} else if t.kind == tokOp && text == "]" && len(s.opened) > 0 {
		s.opened = s.opened[:len(s.opened)-1]
	}
	s.array = t.kind == tokWord && isWord(text, "ARRAY")
	s.operand = t.kind == tokQuoted || t.kind == tokParam || t.kind == tokOp && (text == ")" || text == "]") ||
		t.kind == tokWord && t.end < len(s.src) && s.src[t.end] == '['
	s.advance(t.end)
	return t, err
}

// token finds the kind and the end of the token at the current offset.
func (s *scanner) token(at Pos) (kind, int, *Error) {
	src, off := s.src, s.off
	c := src[off]
	switch {
	case c == ';':
		return tokEnd, off + 1, nil
	case c == '\'':
		end, ok := quoteEnd(src, off, '\'', false)
		if !ok {
			return tokString, end, Errorf(at, "text is not closed: a ' is missing").
				WithHint("an apostrophe inside of a text is written twice: 'it''s'")
		}
		return tokString, end, invalidUTF8(src[off:end], at)
	case c == '"':
		end, ok := quoteEnd(src, off, '"', false)
		switch {
		case !ok:
			return tokQuoted, end, Errorf(at, `name is not closed: a " is missing`).
				WithHint("texts are written with ', names with \"")
		case end == off+2:
			return tokQuoted, end, Errorf(at, `a name cannot be empty`).WithHint("an empty text is ''")
		}
		return tokQuoted, end, invalidUTF8(src[off:end], at)
	case (c == 'e' || c == 'E' || c == 'x' || c == 'X') && off+1 < len(src) && src[off+1] == '\'':
		k := tokString
		if c == 'x' || c == 'X' {
			k = tokBlob
		}
		end, ok := quoteEnd(src, off+1, '\'', k == tokString)
		if !ok {
			return k, end, Errorf(at, "text is not closed: a ' is missing")
		}
		return k, end, invalidUTF8(src[off:end], at)
	case digit(c) || c == '.' && off+1 < len(src) && digit(src[off+1]):
		end, ok := numberEnd(src, off)
		if !ok {
			return tokNumber, end, Errorf(at, "%s is not a number", abbreviate(src[off:end])).
				WithHint("a name that begins with a digit is written in double quotes")
		}
		return tokNumber, end, nil
	case c == '[' && (s.array || s.operand):
		return tokOp, off + 1, nil
	case c == '[':
		return s.vector(at)
	case c == '?':
		if off+1 < len(src) && digit(src[off+1]) {
			return tokParam, off + 1, Errorf(at, "a numbered parameter is written $%c, not ?%c", src[off+1], src[off+1])
		}
		return tokParam, off + 1, nil
	case c == '$':
		if end, tag, ok := dollarEnd(src, off); !ok && tag != "" {
			return tokString, end, Errorf(at, "text is not closed: a second %s is missing", abbreviate(tag))
		} else if ok {
			return tokString, end, invalidUTF8(src[off:end], at)
		}
		end := off + 1
		for end < len(src) && digit(src[end]) {
			end++
		}
		if end == off+1 {
			return tokParam, end, Errorf(at, "a parameter is written ?, $1 or :name")
		}
		return tokParam, end, nil
	case c == ':':
		switch {
		case strings.HasPrefix(src[off:], "::") || strings.HasPrefix(src[off:], ":="):
			return tokOp, off + 2, nil
		case len(s.opened) > 0 && s.opened[len(s.opened)-1]:
			return tokOp, off + 1, nil
		}
		end := nameEnd(src, off+1)
		if end == off+1 {
			return tokParam, end, Errorf(at, "a parameter is written ?, $1 or :name")
		}
		return tokParam, end, nil
	}
	if end := nameEnd(src, off); end > off {
		if Reserved(src[off:end]) {
			return tokKeyword, end, nil
		}
		return tokWord, end, nil
	}
	for _, sign := range rootSigns {
		if strings.HasPrefix(src[off:], sign.text) && !strings.HasPrefix(src[off+len(sign.text):], "*") { // a comment
			return tokOp, off + len(sign.text), Errorf(at, "%s is not valid here", sign.text).WithHint("%s", sign.hint)
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(src[off:], op) && !strings.HasPrefix(src[off:], "&&") {
			return tokOp, off + len(op), nil
		}
	}
	return s.stray(at)
}

// operators are the operators and marks, longest first.
var operators = []string{"->>", "<->", "<#>", "<=>", "<+>", "<~>", "<%>", "#>>", "#-", "!~~*", "!~~", "~~*", "!~*",
	"<=", ">=", "<>", "!=", "||", "->", "=>", "@>", "<@", "#>", "!~", "~*", "~~", "~", "<<", ">>", "&", "|", "#", "^",
	"(", ")", ",", ".", "+", "-", "*", "/", "%", "<", ">", "=", "]"}

// rootSigns are the signs of roots in PostgreSQL.
var rootSigns = []struct{ text, hint string }{{"||/", "a cube root is cbrt(x)"}, {"|/", "a square root is sqrt(x)"}}

// strayHints tells what to write in place of characters and operators other
// languages have.
var strayHints = []struct{ text, hint string }{
	{"&&", "write AND, or arrayoverlap(a, b) of arrays"},
	{"!", "write NOT"},
	{"`", "a name is quoted with \""},
	{"\u2018", "a text is written with '"}, {"\u2019", "a text is written with '"},
	{"\u201c", "a text is written with ', a name with \""}, {"\u201d", "a text is written with ', a name with \""},
	{"@", "a parameter is written ?, $1 or :name, an absolute value abs(x)"},
	{"{", "a parameter is written ?, $1 or :name"},
	{"\\", "a command of the shell stands on a line of its own"},
}

// stray returns the error for a character that begins no token.
func (s *scanner) stray(at Pos) (kind, int, *Error) {
	r, n := utf8.DecodeRuneInString(s.src[s.off:])
	if r == utf8.RuneError && n <= 1 {
		return tokOp, s.off + n, Errorf(at, "the text is not UTF-8 here (byte 0x%02x)", s.src[s.off])
	}
	for _, h := range strayHints {
		if strings.HasPrefix(s.src[s.off:], h.text) {
			return tokOp, s.off + len(h.text), Errorf(at, "%s is not valid here", h.text).WithHint("%s", h.hint)
		}
	}
	if r < ' ' || r == 0x7f {
		return tokOp, s.off + n, Errorf(at, "a control character (U+%04X) is not valid here", r)
	}
	return tokOp, s.off + n, Errorf(at, "%c is not valid here", r)
}

// vector finds the end of a vector literal: numbers with signs, commas, space
// and comments up to a ].
func (s *scanner) vector(at Pos) (kind, int, *Error) {
	in := *s // a scanner of its own, so that line counting stays with s
	in.off++
	number := true // a number may come next
	for first := true; ; first = false {
		if err := in.skip(); err != nil {
			return tokVector, in.off, err
		}
		if first && in.off < len(in.src) && in.src[in.off] == '\'' {
			return in.texts(at)
		}
		if in.off == len(in.src) {
			return tokVector, in.off, Errorf(at, "vector is not closed: a ] is missing")
		}
		c := in.src[in.off]
		switch {
		case c == ']':
			return tokVector, in.off + 1, nil
		case c == ',':
			number = true
			in.off++
		case number && (digit(c) || c == '.' || c == '-' || c == '+'):
			if c == '-' || c == '+' {
				in.off++
			}
			end, ok := numberEnd(in.src, in.off)
			if !ok {
				return tokVector, end, Errorf(in.pos(), "a vector literal holds numbers and commas only")
			}
			in.off = end
			number = false
		default:
			return tokVector, in.off, Errorf(in.pos(), "a vector literal holds numbers and commas only").
				WithHint("a whole vector can be a parameter")
		}
	}
}

// texts finds the end of a list of texts, whose first one is next.
func (s *scanner) texts(at Pos) (kind, int, *Error) {
	for {
		if s.off == len(s.src) || s.src[s.off] != '\'' {
			return tokTexts, s.off, Errorf(s.pos(), "a list of files holds texts and commas only")
		}
		end, closed := quoteEnd(s.src, s.off, '\'', false)
		if !closed {
			return tokTexts, end, Errorf(s.pos(), "text is not closed: a ' is missing")
		}
		s.advance(end)
		if err := s.skip(); err != nil {
			return tokTexts, s.off, err
		}
		if s.off == len(s.src) {
			return tokTexts, s.off, Errorf(at, "list is not closed: a ] is missing")
		}
		switch s.src[s.off] {
		case ']':
			return tokTexts, s.off + 1, nil
		case ',':
			s.off++
			if err := s.skip(); err != nil {
				return tokTexts, s.off, err
			}
		default:
			return tokTexts, s.off, Errorf(s.pos(), "a list of files holds texts and commas only")
		}
	}
}

// quoteEnd returns the offset after the text that begins with a quote at off. A
// doubled quote stands for itself; with escapes, so does one after a backslash.
func quoteEnd(src string, off int, quote byte, escapes bool) (end int, closed bool) {
	for i := off + 1; i < len(src); i++ {
		switch {
		case src[i] == '\\' && escapes:
			i++
		case src[i] == quote:
			if i+1 < len(src) && src[i+1] == quote {
				i++
				continue
			}
			return i + 1, true
		}
	}
	return len(src), false
}

// dollarEnd returns the offset after the text between two tags, $$ or $name$, the first of
// which is at off; tag is "" where there is none.
func dollarEnd(src string, off int) (end int, tag string, closed bool) {
	i := off + 1
	for i < len(src) && src[i] != '$' {
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n <= 1 || !nameStart(r) && (i == off+1 || !nameRest(r)) {
			return off, "", false
		}
		i += n
	}
	if i >= len(src) {
		return off, "", false
	}
	tag = src[off : i+1]
	n := strings.Index(src[i+1:], tag)
	if n < 0 {
		return len(src), tag, false
	}
	return i + 1 + n + len(tag), tag, true
}

// numberEnd returns the offset after the number at off, and whether it is one:
// digits with a point and an exponent, or 0x and hexadecimal digits. Letters
// that follow it directly are taken in and make it none.
func numberEnd(src string, off int) (end int, ok bool) {
	i := off
	digits := func(is func(byte) bool) int {
		from := i
		for i < len(src) && is(src[i]) {
			i++
		}
		return i - from
	}
	if strings.HasPrefix(src[off:], "0x") || strings.HasPrefix(src[off:], "0X") {
		i += 2
		ok = digits(hexDigit) > 0
	} else {
		n := digits(digit)
		if i < len(src) && src[i] == '.' {
			i++
			n += digits(digit)
		}
		ok = n > 0
		if ok && i < len(src) && (src[i] == 'e' || src[i] == 'E') {
			i++
			if i < len(src) && (src[i] == '+' || src[i] == '-') {
				i++
			}
			ok = digits(digit) > 0
		}
	}
	if junk := nameEnd(src, i); junk > i {
		return junk, false
	}
	if i == off { // never stand still
		return min(off+1, len(src)), false
	}
	return i, ok
}

func digit(c byte) bool    { return '0' <= c && c <= '9' }
func hexDigit(c byte) bool { return digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// nameEnd returns the offset after the unquoted name at off, or off if there is
// none.
func nameEnd(src string, off int) int {
	i := off
	for i < len(src) {
		r, n := rune(src[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(src[i:])
			if r == utf8.RuneError && n <= 1 {
				return i
			}
		}
		if !nameStart(r) && (i == off || !nameRest(r)) {
			return i
		}
		i += n
	}
	return i
}

func invalidUTF8(text string, at Pos) *Error {
	if utf8.ValidString(text) {
		return nil
	}
	return Errorf(at, "the text is not UTF-8").WithHint("bytes are written X'00ff'")
}

// abbreviate shortens a piece of source for an error message: at most 40
// characters, on one line.
func abbreviate(s string) string {
	cut := false
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		s, cut = s[:i], true
	}
	n := 0
	for i := range s {
		if n == 40 {
			s, cut = s[:i], true
			break
		}
		n++
	}
	if cut {
		s += "..."
	}
	return s
}
