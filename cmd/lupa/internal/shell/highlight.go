package shell

import "strings"

// The colours of what is typed: SGR parameters that every terminal has, and
// that are legible on light and dark grounds.
var tokenColours = map[tokenKind]string{
	tokQuoted:     "36",
	tokString:     "32",
	tokNumber:     "35",
	tokParam:      "33",
	tokComment:    "2",
	tokDotCommand: "1;34",
}

// highlight colours a statement as it is typed.
func highlight(line []rune) string {
	text := string(line)
	var b strings.Builder
	at := 0
	toks := lex(text)
	for i, t := range toks {
		b.WriteString(text[at:t.start])
		at = t.end
		word := text[t.start:t.end]
		sgr := tokenColours[t.kind]
		switch {
		case t.kind == tokWord && isKeyword(word):
			sgr = "1;34"
		case t.kind == tokWord && i+1 < len(toks) && text[toks[i+1].start] == '(':
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
