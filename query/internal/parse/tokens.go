package parse

// TokenKind says what a Token is.
type TokenKind uint8

// The kinds of a Token.
const (
	TokenWord    TokenKind = iota // a keyword or name
	TokenQuoted                   // "name"
	TokenString                   // 'text', E'text', $$text$$, X'00ff'
	TokenNumber                   //
	TokenParam                    // ?, $1, :name
	TokenComment                  // -- or /* */
	TokenMark                     // operators, parentheses and whatever else there is but space
)

// Token is a piece of a source, src[Start:End], as one is typing it.
type Token struct {
	Kind       TokenKind
	Start, End int
	Open       bool // a text, quoted name or comment that is not closed yet
}

// Tokens cuts a source into tokens, leaving space out: for colours and completion, so
// nothing is an error, comments are tokens, and the numbers of a vector are each one.
func Tokens(src string) []Token {
	var out []Token
	s := newScanner(src)
	for {
		s.space()
		if s.off == len(src) {
			return out
		}
		start := s.off
		if found, err := s.comment(); found {
			out = append(out, Token{TokenComment, start, s.off, err != nil})
			continue
		}
		s.array = true // [ is a mark
		t, err := s.next()
		k := Token{Kind: TokenMark, Start: start, End: t.end}
		switch t.kind {
		case tokWord, tokKeyword:
			k.Kind = TokenWord
		case tokQuoted:
			k.Kind, k.Open = TokenQuoted, err != nil && !closed(src[start:t.end])
		case tokString, tokBlob:
			k.Kind, k.Open = TokenString, err != nil && !closed(src[start:t.end])
		case tokNumber:
			k.Kind = TokenNumber
		case tokParam:
			k.Kind = TokenParam
		}
		out = append(out, k)
	}
}

// closed reports whether a text or quoted name, with the letter before it, has its end.
func closed(text string) bool {
	if text[0] == '$' {
		_, _, ok := dollarEnd(text, 0)
		return ok
	}
	off := 0
	for text[off] != '\'' && text[off] != '"' {
		off++
	}
	_, ok := quoteEnd(text, off, text[off], off > 0 && text[0]|0x20 == 'e')
	return ok
}

// Weight estimates the memory, in bytes, that a text takes as a tree and as a plan: most of it
// by its numbers and strings. It looks no further than to most. Of what can't be read it says
// nothing; Parse does.
func Weight(src string, most int64) (n int64) {
	s := newScanner(src)
	for n <= most {
		t, err := s.next()
		if err != nil || t.kind == tokEnd && s.off >= len(src) {
			break
		}
		switch t.kind {
		case tokNumber, tokString, tokBlob, tokParam:
			n += 700
		case tokWord, tokKeyword, tokQuoted:
			n += 200
		default:
			n += 100
		}
	}
	return n
}
