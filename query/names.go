package query

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan"
)

// Piece is the text of one statement within a longer source.
type Piece = parse.Piece

// Split cuts a source into statements without parsing them. Only the last
// piece can be incomplete.
func Split(src string) []Piece { return parse.Split(src) }

// Move moves the position of an error of the statement p to the source it was cut
// from.
func Move(err error, p Piece) error {
	return plan.Move(err, parse.Pos{Offset: p.Offset, Line: p.Line, Column: p.Column})
}

// Token is a piece of a statement that is being typed; TokenKind says what it is.
type (
	Token     = parse.Token
	TokenKind = parse.TokenKind
)

// The kinds of a Token.
const (
	TokenWord    = parse.TokenWord
	TokenQuoted  = parse.TokenQuoted
	TokenString  = parse.TokenString
	TokenNumber  = parse.TokenNumber
	TokenParam   = parse.TokenParam
	TokenComment = parse.TokenComment
	TokenMark    = parse.TokenMark
)

// Tokens cuts a source into tokens, for colours and completion: nothing is an error.
func Tokens(src string) []Token { return parse.Tokens(src) }

// Keywords returns the words of the language and the names of its types, in
// upper case and sorted, for completion and colouring.
func Keywords() []string { return parse.Keywords() }

// Reserved reports whether a word, in any case, can be a name only in quotes.
func Reserved(word string) bool { return parse.Reserved(word) }

// QuoteName returns a name as statements have it: in double quotes where it
// needs them.
func QuoteName(name string) string { return parse.Quote(name) }

// QuoteText returns s as a text literal.
func QuoteText(s string) string { return parse.QuoteString(s) }

// Function describes a function of the language, for completion and help.
type Function struct {
	Name    string // "round"
	Syntax  string // "round(x [, digits])"
	Doc     string // one line
	Example string // an expression, or empty
	Gives   string // its text form
}

// Functions describes the functions and aggregates, in the order of their table.
func Functions() []Function {
	var out []Function
	for _, f := range fn.All() {
		if f.Category != fn.Operator {
			out = append(out, Function{f.Name, f.Syntax, f.Doc, f.Example, f.Gives})
		}
	}
	return out
}
