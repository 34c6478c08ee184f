package query

import "github.com/lupadb/lupa/query/internal/parse"

// Piece is the text of one statement within a longer source.
type Piece = parse.Piece

// Split cuts a source into statements without parsing them. Only the last
// piece can be incomplete.
func Split(src string) []Piece { return parse.Split(src) }

// Function describes a function of the language, for completion and help.
type Function struct {
	Name    string // "lower"
	Doc     string // one line
	Example string // an expression, or empty
}
