package shell

// Dot commands that reach beyond the shell: other programs, the directory it is in, the editor,
// the browser; and the file of commands that it begins with.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// system is a command line for the system's own shell.
func system(ctx context.Context, line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", line)
	}
	return exec.CommandContext(ctx, "sh", "-c", line)
}

// cmdShell runs a line as it was typed, quotes and all: see runDot.
func (s *Shell) cmdShell(ctx context.Context, args []string) error {
	return s.program(system(ctx, args[0]))
}

// program runs a program in the terminal.
func (s *Shell) program(c *exec.Cmd) error {
	s.clearProgress()
	c.Stdout, c.Stderr = s.out.w, s.std.err
	if s.out.file != nil {
		c.Stdout = s.out.file // a terminal is handed on as one
	}
	if s.std.errFile != nil {
		c.Stderr = s.std.errFile
	}
	if s.interactive {
		c.Stdin = os.Stdin
	}
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s ended with %s", filepath.Base(c.Path), exit)
	}
	return err
}

// cmdChange changes the directory in which relative paths begin. What is open stays open.
func (s *Shell) cmdChange(_ context.Context, args []string) error {
	if len(args) > 1 {
		return usage(".cd")
	}
	var dir string
	var err error
	if len(args) == 1 {
		dir, err = home(args[0])
	} else {
		dir, err = os.UserHomeDir()
	}
	if err != nil {
		return err
	}
	if s.store != "" && s.store != ":memory:" {
		if s.store, err = filepath.Abs(s.store); err != nil {
			return err
		}
	}
	return os.Chdir(dir)
}

// home puts the home directory in place of a ~ at the beginning.
func home(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && !os.IsPathSeparator(rest[0]) {
		return path, nil
	}
	dir, err := os.UserHomeDir()
	return filepath.Join(dir, rest), err
}

// cmdEdit opens the last statement, or a file, in the editor, and runs what comes back.
func (s *Shell) cmdEdit(ctx context.Context, args []string) error {
	if len(args) > 1 {
		return usage(".edit")
	}
	if !s.interactive || s.history == nil {
		return errors.New(".edit needs a terminal")
	}
	file, before := "", ""
	if len(args) == 1 {
		file = args[0]
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		before = string(text)
	} else {
		for i := len(s.history.entries) - 1; i >= 0; i-- {
			if e := s.history.entries[i]; !isDotCommand(e) && plainWord(e) == "" {
				before = e + "\n"
				break
			}
		}
		f, err := os.CreateTemp("", "lupa-*.sql")
		if err != nil {
			return err
		}
		file = f.Name()
		defer os.Remove(file)
		_, err = io.WriteString(f, before)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if err := s.program(system(ctx, editorCommand()+" "+quoteShell(file))); err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(raw))
	if text == "" || string(raw) == before && len(args) == 0 {
		s.message("nothing was changed, so nothing is run")
		return nil
	}
	if isDotCommand(text) {
		return errors.New("statements are edited, not commands of the shell")
	}
	if !complete(text) {
		text += ";"
	}
	if _, err := s.history.Write(text); err != nil {
		s.message("the history can't be written: %v", err)
	}
	s.runTyped(ctx, text)
	return nil
}

// editorCommand is the editor that the environment names.
func editorCommand() string {
	for _, name := range []string{"LUPA_EDITOR", "VISUAL", "EDITOR"} {
		if e := os.Getenv(name); e != "" {
			return e
		}
	}
	if runtime.GOOS == "windows" {
		return "notepad"
	}
	return "vi"
}

// quoteShell makes a file's name one word of the system's shell.
func quoteShell(file string) string {
	if runtime.GOOS == "windows" {
		return `"` + file + `"`
	}
	return "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
}

// cmdPrompt changes the prompts; {store} in them is the store's name.
func (s *Shell) cmdPrompt(_ context.Context, args []string) error {
	if len(args) > 2 {
		return usage(".prompt")
	}
	s.set.prompt, s.set.further = "", ""
	if len(args) > 0 {
		s.set.prompt = args[0]
	}
	if len(args) > 1 {
		s.set.further = args[1]
	}
	return nil
}

// openGallery shows the page that was made last in the browser.
func (s *Shell) openGallery(ctx context.Context) error {
	if s.madePage == "" {
		return errors.New("there is no gallery yet: .mode gallery, and a SELECT of pictures")
	}
	var c *exec.Cmd
	switch b := os.Getenv("BROWSER"); {
	case b != "":
		c = system(ctx, b+" "+quoteShell(s.madePage))
	case runtime.GOOS == "darwin":
		c = exec.CommandContext(ctx, "open", s.madePage)
	case runtime.GOOS == "windows":
		c = exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", s.madePage)
	default:
		c = exec.CommandContext(ctx, "xdg-open", s.madePage)
	}
	if err := s.program(c); err != nil {
		return fmt.Errorf("no browser opens %s: %w (BROWSER may name one)", s.madePage, err)
	}
	return nil
}

// startFile returns the file of commands that the interactive shell begins with: LUPA_RC, or
// .luparc in the home directory. LUPA_RC set to nothing means none.
func startFile() string {
	if f, ok := os.LookupEnv("LUPA_RC"); ok {
		return f
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, ".luparc")
}

// runStartFile runs the start file, if it is there. What fails in it is told, and the shell
// goes on.
func (s *Shell) runStartFile(ctx context.Context) {
	file := startFile()
	if file == "" || !exists(file) {
		return
	}
	bail := s.set.bail
	s.set.bail = false
	defer func() { s.set.bail = bail }()
	if err := s.runFile(ctx, file); err != nil {
		s.message("%s: %v", file, err)
	}
}
