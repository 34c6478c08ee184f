package dbtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Batch is the door of the command: statements go to the standard input of the
// program built from cmd/lupa, answers come from its standard output.
type Batch struct{ Program string }

// Name is "batch".
func (Batch) Name() string { return "batch" }

// Open starts the program on the store.
func (d Batch) Open(ctx context.Context, dir, models string) (Store, error) {
	s := &batchStore{program: d.Program, dir: dir, models: models, errors: filepath.Join(filepath.Dir(dir), "errors.txt")}
	return s, s.start()
}

type batchStore struct {
	program, dir, models, errors string

	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	said  bytes.Buffer // on standard error
	line  int          // lines sent
	read  int          // bytes read of the errors file
	marks int
	inTx  bool
}

func (s *batchStore) start() error {
	s.cmd = exec.Command(s.program, "--models", s.models, "--format", "tsv", "--keep-going", "--errors-to", s.errors, s.dir)
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.said.Reset()
	s.cmd.Stderr = &s.said
	s.in, s.out = in, bufio.NewReader(out)
	s.line, s.read, s.inTx = 1, 0, false
	return s.cmd.Start()
}

// Close ends the input, upon which the program ends. Its exit status says
// whether a statement failed, which is known already.
func (s *batchStore) Close() error {
	s.in.Close()
	io.Copy(io.Discard, s.out)
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, s.said.String())
	}
	return nil
}

func (s *batchStore) NewSession(ctx context.Context) error {
	return errors.Join(s.Close(), s.start())
}

func (s *batchStore) InTransaction() bool { return s.inTx }

// run sends a block and returns what comes back before the mark that follows it.
func (s *batchStore) run(b *Block) (lines []string, err error) {
	sql := strings.TrimRight(b.SQL, " \n")
	if !strings.HasSuffix(sql, ";") {
		sql += ";"
	}
	for _, w := range strings.Split(strings.ToUpper(sql), ";") {
		switch strings.TrimSpace(w) {
		case "BEGIN", "BEGIN READ ONLY", "BEGIN TRANSACTION", "START TRANSACTION":
			s.inTx = true
		case "COMMIT", "ROLLBACK", "END", "ABORT":
			s.inTx = false
		}
	}
	s.marks++
	mark := fmt.Sprintf("end-of-block-%d", s.marks)
	text := sql + "\n.print " + mark + "\n"
	first := s.line
	s.line += strings.Count(text, "\n")
	if _, err := io.WriteString(s.in, text); err != nil {
		return nil, err
	}
	for {
		l, err := s.out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the program ended: %w; it said: %s", err, s.said.String())
		}
		if l = strings.TrimSuffix(l, "\n"); l == mark {
			break
		}
		lines = append(lines, l)
	}
	return lines, s.failure(first)
}

var placed = regexp.MustCompile(`^stdin:(\d+):(\d+): (.*)`)

// failure returns the error the program has reported since the last call, with
// its position relative to the block that began at line first.
func (s *batchStore) failure(first int) error {
	data, err := os.ReadFile(s.errors)
	if err != nil {
		return err
	}
	said := string(data[s.read:])
	s.read = len(data)
	if said = strings.TrimSpace(said); said == "" {
		return nil
	}
	for _, l := range strings.Split(said, "\n") {
		if m := placed.FindStringSubmatch(l); m != nil {
			line, _ := strconv.Atoi(m[1])
			return fmt.Errorf("%d:%s: %s", line-first+1, m[2], m[3])
		}
		if strings.HasPrefix(l, "error: ") || strings.HasPrefix(l, "lupa: ") {
			return errors.New(l)
		}
	}
	return nil // messages
}

func (s *batchStore) Exec(ctx context.Context, b *Block) (int64, error) {
	_, err := s.run(b)
	return -1, err
}

func (s *batchStore) Query(ctx context.Context, b *Block) ([]string, [][]string, error) {
	lines, err := s.run(b)
	if err != nil {
		return nil, nil, err
	}
	var out [][]string
	for text := strings.Join(lines, "\n"); len(lines) > 0; {
		cells, rest, more := tsvRecord(text, len(out) > 0)
		out = append(out, cells)
		if !more {
			break
		}
		text = rest
	}
	if len(out) == 0 {
		return nil, nil, errors.New("no result")
	}
	for i, n := range out[0] {
		if u, err := strconv.Unquote(n); err == nil {
			out[0][i] = u
		}
	}
	return out[0], out[1:], nil
}

// tsvRecord cuts the first record off a text of tab-separated values, in quotes where
// they need them, and formats its fields. An empty field without quotes is NULL.
func tsvRecord(text string, nulls bool) (cells []string, rest string, more bool) {
	for {
		field, quoted := "", strings.HasPrefix(text, `"`)
		if quoted {
			text = text[1:]
			for {
				part, after, _ := strings.Cut(text, `"`)
				field, text = field+part, after
				if !strings.HasPrefix(text, `"`) {
					break
				}
				field, text = field+`"`, text[1:]
			}
		} else if i := strings.IndexAny(text, "\t\n"); i >= 0 {
			field, text = text[:i], text[i:]
		} else {
			field, text = text, ""
		}
		cells = append(cells, formatField(field, nulls && field == "" && !quoted))
		switch {
		case text == "":
			return cells, "", false
		case text[0] == '\n':
			return cells, text[1:], true
		}
		text = text[1:]
	}
}
