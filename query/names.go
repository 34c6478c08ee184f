package query

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// Piece is the text of one statement within a longer source.
type Piece = parse.Piece

// Split cuts a source into statements without parsing them. Only the last
// piece can be incomplete.
func Split(src string) []Piece { return parse.Split(src) }

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
