package shell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
)

// runStore is `lupa [FLAGS] [STORE [SQL...]]`: the interactive shell if there is
// nothing to run and a person at the keyboard, else a batch.
func runStore(ctx context.Context, std stdio, o *options) (err error) {
	if o.errorsTo != "" {
		f, err := os.Create(o.errorsTo)
		if err != nil {
			return err
		}
		defer f.Close()
		std.err, std.errFile = f, f
	}
	s, err := newShell(std, o)
	if err != nil {
		return err
	}
	if o.output != "" {
		if s.out, err = openSink(o.output); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.out.close()) }()
	}
	atKeyboard := isTerminal(std.in)
	s.interactive = len(o.inputs) == 0 && o.prompts == "" && atKeyboard && isTerminal(std.outFile)

	dir := o.store
	if dir == "" {
		dir = ":memory:"
	}
	fresh := dir != ":memory:" && !exists(dir)
	if fresh && strings.ContainsAny(dir, " \t\n") && startsStatement(dir) {
		return usagef("%q is a statement, not a store: lupa STORE %q, or lupa -c %q without a store", dir, dir, dir)
	}
	mustExist := o.readOnly || o.prompts != "" || onlyReads(o.firstStatement())
	if err := s.open(ctx, dir, o.readOnly, mustExist); err != nil {
		if mustExist && errors.Is(err, fs.ErrNotExist) && !errors.Is(err, db.ErrCorrupt) {
			return fmt.Errorf("there is no store %s", dir)
		}
		return err
	}
	defer func() { err = errors.Join(err, s.closeStore()) }()

	s.stop = catchInterrupts()
	defer s.stop.release()
	switch {
	case o.prompts != "":
		if err := s.runPrompts(ctx); err != nil {
			return err
		}
	case s.interactive:
		return s.interact(ctx, fresh)
	case len(o.inputs) == 0:
		o.inputs = []input{{file: "-"}}
	}
	return s.runInputs(ctx, o.inputs)
}

// onlyReads reports whether a statement can't be meant for a store that is yet
// to be made, so that a misspelt name is an error and not a new directory.
func onlyReads(sql string) bool {
	word, _, _ := strings.Cut(sql, " ")
	switch strings.ToUpper(strings.TrimRight(word, ";")) {
	case "SELECT", "EXPLAIN", "SHOW", "DESCRIBE", "CHECK", "UPDATE", "DELETE", "BACKUP", "VACUUM", "DROP", "ALTER":
		return true
	}
	return false
}

// startsStatement reports whether a text begins as statements do.
func startsStatement(text string) bool {
	word := strings.ToUpper(strings.Fields(text)[0])
	switch word {
	case "INSERT", "CREATE", "COPY", "WITH", "VALUES", "BEGIN":
		return true
	}
	return onlyReads(word)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// runInputs runs what the command line names, in order. It returns errFailed if
// any statement failed; each has been reported by then.
func (s *Shell) runInputs(ctx context.Context, inputs []input) error {
	commands := 0
	for _, in := range inputs {
		if in.file == "" {
			commands++
		}
	}
	n := 0
	for _, in := range inputs {
		var err error
		switch {
		case in.file == "-":
			err = s.runReader(ctx, s.std.in, "stdin")
		case in.file != "":
			err = s.runFile(ctx, in.file)
		default:
			n++
			name := "command"
			if commands > 1 {
				name = fmt.Sprintf("command %d", n)
			}
			err = s.runReader(ctx, strings.NewReader(in.sql), name)
		}
		if err != nil {
			return err
		}
		if s.quit {
			break
		}
	}
	if s.failed {
		return errFailed
	}
	return nil
}

func (s *Shell) runFile(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return fmt.Errorf("%s is a directory, not a file of statements", name)
	}
	return s.runReader(ctx, f, name)
}

// lineBuffered reports whether another line can be read without waiting.
func lineBuffered(in *bufio.Reader) bool {
	b, _ := in.Peek(in.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// readAhead is how much of a file is cut into statements at once.
const readAhead = 64 << 10

// runReader runs the statements and dot commands of a source as they are read,
// so that it may be longer than memory, or a pipe whose other end waits for
// answers: whatever came out of a pipe has run before more is read.
func (s *Shell) runReader(ctx context.Context, r io.Reader, name string) error {
	in := bufio.NewReaderSize(r, readAhead)
	waits := true
	switch r := r.(type) {
	case *os.File:
		st, err := r.Stat()
		waits = err != nil || !st.Mode().IsRegular()
	case *strings.Reader:
		waits = false
	}
	var (
		pending strings.Builder // read and not run
		first   int             // its first line
		state   scanner
	)
	flush := func(end bool) error {
		text := pending.String()
		pending.Reset()
		if strings.TrimSpace(text) == "" {
			return nil
		}
		rest, err := s.runText(ctx, text, place{name, first, 1}, end)
		if err != nil {
			return err
		}
		if strings.TrimSpace(rest) != "" {
			first += strings.Count(text[:len(text)-len(rest)], "\n")
			pending.WriteString(rest)
		}
		return nil
	}
	for line := 1; ; line++ {
		text, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
		end := err == io.EOF
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if state.between() && isDotCommand(text) {
			if err := flush(false); err != nil || s.quit {
				return err
			}
			if err := s.step(place{name, line, 1}, text, func() error { return s.runDot(ctx, text) }); err != nil {
				return err
			}
		} else {
			if pending.Len() == 0 {
				first = line
			}
			pending.WriteString(text)
			state.feed(text)
			if end || state.between() && (waits && !lineBuffered(in) || pending.Len() >= readAhead) {
				if err := flush(end); err != nil {
					return err
				}
			}
		}
		if end || s.quit {
			if end && !s.quit {
				return flush(true)
			}
			return nil
		}
	}
}

// runText runs the complete statements of text, and the last one even if it
// lacks its semicolon when the source ends there. It returns what is left.
func (s *Shell) runText(ctx context.Context, text string, at place, end bool) (rest string, err error) {
	pieces := query.Split(text)
	done := 0
	for len(pieces) > 0 {
		p := pieces[0]
		if !p.Complete && !end {
			return text[done:], nil
		}
		n, err := s.shared(ctx, pieces, at, end)
		if err != nil {
			return "", err
		}
		if n > 0 {
			done, pieces = pieces[n-1].End, pieces[n:]
			continue
		}
		err = s.step(at.of(p), p.Text, func() error { return s.runStatement(ctx, p.Text) })
		if err != nil {
			return "", err
		}
		done, pieces = p.End, pieces[1:]
		if s.quit {
			return "", nil
		}
	}
	if end {
		return "", nil
	}
	return text[done:], nil
}

// of returns the place of a piece of the text that begins at p.
func (p place) of(piece query.Piece) place {
	q := place{p.name, p.line + piece.Line - 1, piece.Column}
	if piece.Line == 1 {
		q.col += p.col - 1
	}
	return q
}

// step echoes and runs one statement or dot command and reports its error. It
// returns an error only if the run must not go on.
func (s *Shell) step(at place, text string, run func() error) error {
	if s.stop != nil && s.stop.pending() {
		s.report(at, text, errInterrupted)
		return reported{errInterrupted}
	}
	s.echo(text)
	err := run()
	var told reported
	switch {
	case err == nil:
		return nil
	case isBrokenPipe(err), errors.As(err, &told):
		return err
	}
	s.report(at, text, err)
	if errors.Is(err, errInterrupted) {
		return reported{err}
	}
	s.failed = true
	if s.set.bail {
		return reported{errFailed}
	}
	return nil
}

// reported is an error that has been printed already.
type reported struct{ error }

func (r reported) Unwrap() error { return r.error }

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// echo prints a statement before its result, with a blank line between results.
func (s *Shell) echo(text string) {
	if !s.set.echo || s.interactive && s.reading == 0 {
		return
	}
	text = strings.TrimSpace(redacted(text))
	if s.results++; s.results > 1 {
		fmt.Fprintln(s.out.w)
	}
	if !isDotCommand(text) {
		text += ";"
	}
	text = visibleOn(s.out.file, text)
	if wantColor(s.opts.color, s.out.file) {
		text = highlight([]rune(text))
	}
	fmt.Fprintln(s.out.w, text)
}
