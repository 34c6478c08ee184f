package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/query"
	"github.com/reeflective/readline"
)

// editor is the line editor. reeflective/readline was chosen because a
// statement of several lines is one buffer and one entry of the history in it,
// with the cursor free to go back to a line above; it searches the history,
// shows completions in menus with descriptions, takes a highlighter, reads
// inputrc, and is maintained.
type editor struct {
	rl   *readline.Shell
	room *room
}

// read returns what is entered next.
func (e *editor) read() (string, error) {
	e.room.begin()
	return e.rl.Readline()
}

// prompt stands before the first line of a statement. strong begins and ends what is set in bold.
func (s *Shell) prompt(strong, plain string) string {
	if s.set.prompt != "" {
		return strings.ReplaceAll(s.set.prompt, "{store}", s.baseName())
	}
	mark := "> "
	if s.conn != nil && s.conn.InTransaction() {
		mark = "*> "
	}
	return strong + s.baseName() + plain + mark
}

// promptWidth is how many columns it takes.
func (s *Shell) promptWidth() int { return render.Width(s.prompt("", "")) }

// furtherPrompt stands before the last of several lines, whose texts begin where that of the
// first one does.
func (s *Shell) furtherPrompt() string {
	width := s.promptWidth()
	mark := cmp.Or(s.set.further, "...> ")
	if n := render.Width(mark); n < width {
		return strings.Repeat(" ", width-n) + mark
	} else if n > width {
		return strings.Repeat(" ", max(0, width-2)) + "> "[:min(2, width)]
	}
	return mark
}

func (s *Shell) newEditor(h *history) *editor {
	rl := readline.NewShell()
	// Settings that suit statements; a person's inputrc has been read before
	// and keeps what isn't named here.
	rl.Config.Set("history-autosuggest", false)
	rl.Config.Set("completion-ignore-case", true)
	rl.Config.Set("menu-complete-display-prefix", true)
	rl.Config.Set("autocomplete", false)
	// Asking the terminal where the cursor is loses what was typed ahead while a
	// statement ran: keys that arrive together with the answer are dropped.
	rl.Config.Set("cursor-position-probe", false)
	rl.Config.Set("enable-bracketed-paste", true)
	// These three are for terminals of 8-bit characters; readline 1.3.0 applies them to
	// decoded characters, and so takes ä for Escape and d.
	rl.Config.Set("convert-meta", false)
	rl.Config.Set("input-meta", true)
	rl.Config.Set("output-meta", true)
	insertWhole(rl)
	readWhole()

	colours := wantColor(s.opts.color, s.std.outFile)
	rl.Prompt.Primary(func() string {
		if colours {
			return s.prompt("\x1b[1m", "\x1b[0m")
		}
		return s.prompt("", "")
	})
	rl.Prompt.Secondary(s.furtherPrompt)
	rl.History.Delete()
	rl.History.Add("statements", h)
	rl.AcceptMultiline = func(line []rune) bool { return complete(string(line)) }
	below := &room{
		w:      s.std.out,
		size:   func() (int, int) { return termSize(s.std.outFile) },
		prompt: func() int { return s.promptWidth() + 1 }, // a transaction's is wider by one
	}
	rl.SyntaxHighlighter = func(line []rune) string {
		below.fit(string(line))
		// readline 1.3.0 writes the marks of further lines as if none was longer than the
		// screen is wide, into the text where one is.
		rl.Config.Set("multiline-column", !below.wraps(string(line)))
		if !colours {
			return string(line)
		}
		return highlight(line)
	}
	rl.Completer = func(line []rune, cursor int) readline.Completions { return s.completions(line, cursor, below) }
	return &editor{rl, below}
}

// insertWhole makes a key insert all of its character: the editor's own command takes
// the first code point of a letter with its marks, and moves by its width on the screen
// instead of by one.
func insertWhole(rl *readline.Shell) {
	one := rl.Keymap.Commands()["self-insert"]
	rl.Keymap.Register(map[string]func(){"self-insert": func() {
		keys := rl.Keys.Caller()
		if len(keys) == 0 || keys[0] < utf8.RuneSelf && len(keys) == 1 {
			one()
			return
		}
		rl.History.SkipSave()
		rl.Cursor().InsertAt(keys...)
	}})
}

// complete reports whether Enter should run what has been typed.
func complete(text string) bool {
	if strings.TrimSpace(text) == "" || isDotCommand(text) || plainWord(text) != "" {
		return true
	}
	pieces := query.Split(text)
	return len(pieces) == 0 || pieces[len(pieces)-1].Complete
}

// plainWord returns the command that a word stands for which people type into any
// shell, or "": exit, quit or help, perhaps as a call, perhaps with a semicolon.
func plainWord(text string) string {
	word := strings.TrimSuffix(strings.TrimRight(strings.ToLower(strings.TrimSpace(text)), "; "), "()")
	switch word {
	case "exit", "quit", "help":
		return "." + word
	}
	return ""
}

// completions hands the candidates to the editor, which knows the word being
// typed only by its blanks: they are given with what stands before the word.
func (s *Shell) completions(line []rune, cursor int, below *room) readline.Completions {
	text := string(line)
	at := len(string(line[:cursor]))
	start, found := s.complete(text, at)
	typed := text[start:at]
	head := "" // of the editor's word, in front of ours
	if typed == "" {
		head = text[strings.LastIndexAny(text[:at], " \t\n")+1 : at]
	}
	// The editor counts the typed part in bytes: leave out all that isn't ASCII.
	cut := 0
	for i, r := range typed {
		if r >= utf8.RuneSelf {
			cut = i + utf8.RuneLen(r)
		}
	}
	var values []readline.Completion
	groups := map[string]bool{}
	for _, c := range found {
		groups[c.kind] = true
		blank := " " // behind a whole word, unless there is one
		if c.glue || cursor < len(line) && isSpace(byte(min(line[cursor], 0x7f))) {
			blank = ""
		}
		v := readline.Completion{Value: head + c.text[cut:] + blank, Display: c.text, Description: c.doc, Tag: c.kind}
		values = append(values, v)
	}
	left := ""
	if n := below.list(text, len(values)+len(groups)+1) - len(groups) - 1; len(values) > n {
		left = fmt.Sprintf("%d more; type on to narrow them down", len(values)-n)
		values = values[:n]
	}
	out := readline.CompleteRaw(values).Usage("%s", left)
	out.PREFIX = head + typed[cut:]
	return out.NoSort()
}

// interact is the interactive shell: it reads, runs and prints until Ctrl-D or
// .quit.
func (s *Shell) interact(ctx context.Context, fresh bool) error {
	h, err := openHistory(historyFile())
	if err != nil {
		s.message("the history can't be read: %v", err)
	}
	if fresh {
		s.message("new store %s", s.store)
	}
	if s.opts.store == "" {
		s.message("a store in memory, gone when you leave; .open DIR opens one on disk")
	}
	s.message("%s. Statements end with a semicolon; .help lists commands, Ctrl-D leaves.", versionLine(s.std.version))
	s.history = h
	s.runStartFile(ctx)
	ed := s.newEditor(h)
	for !s.quit {
		text, err := ed.read()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			s.quit = true
			continue
		case err != nil:
			return err
		}
		s.stop.pending() // a Ctrl-C at the prompt is not for the next statement
		s.runTyped(ctx, text)
	}
	return nil
}

// runTyped runs what was entered: a dot command, or one or more statements. An
// error ends the rest of the line.
func (s *Shell) runTyped(ctx context.Context, text string) {
	if c := plainWord(text); c != "" {
		text = c
	}
	if isDotCommand(text) {
		_ = s.step(place{}, text, func() error { return s.runDot(ctx, text) })
		return
	}
	bail := s.set.bail
	s.set.bail = true
	defer func() { s.set.bail = bail }()
	_, _ = s.runText(ctx, text, place{line: 1, col: 1}, true)
}
