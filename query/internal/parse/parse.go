package parse

// Parse parses one statement, with or without its ';'.
func Parse(src string) (Statement, error) {
	return nil, Errorf(Pos{Line: 1, Column: 1}, "no statement")
}

// ParseAll parses statements separated by ';'. At the first error it returns the
// statements before it too.
func ParseAll(src string) ([]Statement, error) {
	return nil, Errorf(Pos{Line: 1, Column: 1}, "no statement")
}

// Piece is the text of one statement within a longer source.
type Piece struct {
	Pos             // of its first token
	Text     string // without the ';' and the space around it
	End      int    // offset after its ';'
	Complete bool   // it ended with ';', outside of strings and comments
}

// Split cuts a source into statements without parsing them: it only knows
// strings, quoted names and comments. Pieces with no token at all are left
// out, so only the last piece can be incomplete.
func Split(src string) []Piece { return nil }
