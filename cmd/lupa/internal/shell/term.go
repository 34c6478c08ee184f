package shell

import (
	"os"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"golang.org/x/term"
)

// isTerminal reports whether f is one; nil is not.
func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

// termSize returns the columns and rows of a terminal, 80 by 24 where it does
// not tell.
func termSize(f *os.File) (width, height int) {
	if f != nil {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

// wantColor decides --color for output to f; NO_COLOR is honoured.
func wantColor(setting string, f *os.File) bool {
	switch setting {
	case "always":
		return true
	case "never":
		return false
	}
	return isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// visibleOn makes control characters in a message visible if it goes to a
// terminal: names and data from a hostile store end up in messages, too.
func visibleOn(f *os.File, s string) string {
	if !isTerminal(f) {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = render.Visible(l)
	}
	return strings.Join(lines, "\n")
}
