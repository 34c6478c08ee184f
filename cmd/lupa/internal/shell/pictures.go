package shell

import (
	"os"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
)

// thumbnails returns a collector for the pictures of a result, or nil where
// none are to be shown: in modes for programs, with .images off, and, unless a
// protocol was named, where results don't go to a terminal.
func (s *Shell) thumbnails(to *sink, cols []render.Column, o render.Options) *render.Thumbnails {
	m, err := render.Lookup(s.mode(to))
	if err != nil || !m.People || m.Name == "markdown" {
		return nil
	}
	how := strings.ToLower(s.set.images)
	if how == "off" || how == "auto" && !isTerminal(to.file) {
		return nil
	}
	if how == "auto" {
		how = s.detected()
	}
	width := o.Width
	if width == 0 {
		width = 80
	}
	t := &render.Thumbnails{
		Protocol: how, Columns: width, Cell: cellSize(to.file), Deep: deepColour(), Decode: decodePicture,
		Template: s.set.imageAt,
	}
	for _, c := range cols {
		t.Names = append(t.Names, c.Name)
	}
	if s.opts.urls {
		t.Fetch = s.fetched.get
	}
	return t
}

// detected is the protocol of .images auto, found once: from the environment
// where that is telling, else by asking the terminal.
func (s *Shell) detected() string {
	if s.protocol == "" {
		s.protocol = fromEnvironment(os.Getenv)
		if s.protocol == "" {
			s.protocol = askTerminal(s.std.in, s.std.outFile)
		}
	}
	return s.protocol
}

// fromEnvironment knows the terminals that name themselves. Inside tmux and
// screen graphics don't get through reliably, half blocks do.
func fromEnvironment(env func(string) string) string {
	term, program := env("TERM"), env("TERM_PROGRAM")
	switch {
	case env("TMUX") != "", strings.HasPrefix(term, "tmux"), strings.HasPrefix(term, "screen"), program == "tmux":
		return "blocks"
	case env("KITTY_WINDOW_ID") != "", term == "xterm-kitty", term == "xterm-ghostty", program == "ghostty":
		return "kitty"
	case program == "WezTerm", program == "iTerm.app", program == "mintty", env("LC_TERMINAL") == "iTerm2":
		return "iterm"
	case strings.HasPrefix(term, "foot"), strings.HasPrefix(term, "mlterm"):
		return "sixel"
	case program == "Apple_Terminal", term == "linux", term == "dumb":
		return "blocks"
	}
	return ""
}

func deepColour() bool {
	c := os.Getenv("COLORTERM")
	return c == "truecolor" || c == "24bit"
}
