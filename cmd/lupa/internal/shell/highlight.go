package shell

import (
	"strings"

	"github.com/lupadb/lupa/query"
)

// The colours of what is typed: SGR parameters that every terminal has, and
// that are legible on light and dark grounds.
var tokenColours = map[query.TokenKind]string{
	query.TokenQuoted:  "36",
	query.TokenString:  "32",
	query.TokenNumber:  "35",
	query.TokenParam:   "33",
	query.TokenComment: "2",
	tokDotCommand:      "1;34",
}

// highlight colours a statement as it is typed.
func highlight(line []rune) string {
	text := string(line)
	var b strings.Builder
	at := 0
	toks := lex(text)
	for i, t := range toks {
		b.WriteString(text[at:t.Start])
		at = t.End
		word := text[t.Start:t.End]
		sgr := tokenColours[t.Kind]
		switch {
		case t.Kind == query.TokenWord && isKeyword(word):
			sgr = "1;34"
		case t.Kind == query.TokenWord && i+1 < len(toks) && text[toks[i+1].Start] == '(':
			sgr = "36"
		}
		if sgr == "" {
			b.WriteString(word)
			continue
		}
		// The editor redraws line by line: colours must not run over a line's end.
		for j, part := range strings.Split(word, "\n") {
			if j > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("\x1b[" + sgr + "m" + part + "\x1b[0m")
		}
	}
	b.WriteString(text[at:])
	return b.String()
}
