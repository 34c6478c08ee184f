package shell

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/hub"
)

// place says where a statement's text comes from.
type place struct {
	name string // file name, "stdin", "command"; "" for what a person typed
	line int    // of the statement's first line in it, from 1
	col  int    // of its first character in that line, from 1
}

// report prints what is wrong with a statement: the place, the message, the
// hint, the source line and a caret under the spot.
func (s *Shell) report(p place, text string, err error) {
	if errors.Is(err, errInterrupted) {
		if s.interactive {
			s.message("interrupted")
		} else {
			s.message("%s: interrupted", p.at(1, 1))
		}
		return
	}
	s.message("%s", describe(p, text, err))
	var missing *encoder.NotFoundError
	if errors.As(err, &missing) && slices.ContainsFunc(hub.Models(), func(m hub.Model) bool { return m.Name == missing.Name }) {
		s.message("lupa model pull %s fetches it", missing.Name)
	}
}

// at turns a position within the statement into one of the source.
func (p place) at(line, col int) string {
	if line == 1 {
		col += p.col - 1
	}
	if p.name == "" {
		return fmt.Sprintf("%d:%d", line, col)
	}
	return fmt.Sprintf("%s:%d:%d", p.name, p.line+line-1, col)
}

func describe(p place, text string, err error) string {
	var pe *db.ParseError
	if !errors.As(err, &pe) || pe.Line < 1 {
		if p.name == "" {
			return "error: " + err.Error()
		}
		return p.at(1, 1) + ": " + err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.at(pe.Line, pe.Column), pe.Msg)
	if pe.Hint != "" {
		fmt.Fprintf(&b, " (%s)", pe.Hint)
	}
	lines := strings.Split(redacted(text), "\n")
	if pe.Line > len(lines) {
		return b.String()
	}
	source, caret := excerpt(lines[pe.Line-1], pe.Column)
	fmt.Fprintf(&b, "\n  %s\n  %s^", source, pad(caret))
	return b.String()
}

// excerpt returns the part of a source line around the col-th character, and
// the display column at which that character stands.
func excerpt(line string, col int) (text string, caret int) {
	const before, after = 60, 40
	line = strings.TrimRight(strings.ReplaceAll(line, "\t", " "), "\r")
	runes := []rune(line)
	col = max(0, min(col-1, len(runes)))
	from, to := max(0, col-before), min(len(runes), col+after)
	head := render.Visible(string(runes[from:col]))
	text = head + render.Visible(string(runes[col:to]))
	if from > 0 {
		head, text = "…"+head, "…"+text
	}
	if to < len(runes) {
		text += "…"
	}
	return text, render.Width(head)
}

func pad(n int) string { return strings.Repeat(" ", max(0, n)) }
