package parse

// Piece is the text of one statement within a longer source.
type Piece struct {
	Pos             // of its first token
	Text     string // without the ';' and the space around it
	End      int    // offset after its ';'
	Complete bool   // it ended with ';', outside of strings and comments
}

// Split cuts a source into statements without parsing them: it only knows
// strings, quoted names and comments. Statements without any token are left
// out. Only the last piece can be incomplete.
func Split(src string) []Piece {
	var pieces []Piece
	s := newScanner(src)
	begun := false
	var p Piece
	last := 0 // end of the statement's last token
	begin := func(at Pos) {
		if !begun {
			p, begun = Piece{Pos: at}, true
		}
	}
	for {
		t, err := s.next()
		// A token that runs into the end of the source is not closed; other
		// errors are for the parser to complain about.
		open := err != nil && s.off == len(src)
		end := t.kind == tokEnd
		if !end {
			begin(t.pos)
			last = t.end
		} else if open { // a comment
			begin(Pos{Offset: err.Offset, Line: err.Line, Column: err.Column})
			last = t.end
		}
		semicolon := end && t.end > t.pos.Offset
		if begun && (end || open) {
			p.Text, p.End, p.Complete = src[p.Offset:last], t.end, semicolon
			pieces = append(pieces, p)
			begun = false
		}
		if open || end && !semicolon {
			return pieces
		}
	}
}
