package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
)

// command is a dot command: a line that begins with "." and is for the shell,
// not for the store.
type command struct {
	name     string // ".tables", or `\d`
	args     string // as help shows them
	doc      string
	complete func(s *Shell) []string // candidates for its arguments; nil for none
	run      func(s *Shell, ctx context.Context, args []string) error
}

// commands is the table of them all, in the order .help shows. Names are those
// of sqlite3 and DuckDB where these have the command, psql's for the rest.
func commands() []command {
	return []command{
		{".help", "[WORD]", "this list, a command, or a function of the language", helpWords, (*Shell).cmdHelp},
		{".tables", "[PATTERN]", "tables with their rows and columns", tableNames, (*Shell).cmdTables},
		{".schema", "[TABLE]", "the statements that make tables and views", tableNames, (*Shell).cmdSchema},
		{".indexes", "[TABLE]", "indexes", tableNames, (*Shell).cmdIndexes},
		{".models", "", "encoders on this machine and those the tables use", nil, (*Shell).cmdModels},
		{".mode", "[MODE]", "how results look: " + strings.Join(render.Names(), " "), modeNames, (*Shell).cmdMode},
		{".headers", "on|off", "headings", onOff, (*Shell).cmdHeaders},
		{".nullvalue", "TEXT", "what stands for NULL in modes for people", nil, (*Shell).cmdNull},
		{".maxrows", "[N]", "rows shown of a long result; 0 = all", nil, (*Shell).cmdMaxRows},
		{".width", "[N...]", "widths of columns, in order; 0 = as needed, -N = right-aligned", nil, (*Shell).cmdWidth},
		{".maxwidth", "[N]", "characters results have to fit in; 0 = the terminal's", nil, (*Shell).cmdMaxWidth},
		{".pager", "auto|off|COMMAND", "show what exceeds the screen in a pager", pagerNames, (*Shell).cmdPager},
		{".images", "[PROTOCOL [WHERE]]", "thumbnails: " + strings.Join(render.Protocols(), " ") + "; WHERE as in 'dogs/{id}.jpg'", imageNames, (*Shell).cmdImages},
		{".output", "[FILE]", "write results to FILE; without it, here again", completeFiles, (*Shell).cmdOutput},
		{".once", "FILE", "write the next result to FILE", completeFiles, (*Shell).cmdOnce},
		{".read", "FILE", "run the statements of FILE", completeFiles, (*Shell).cmdRead},
		{".import", "FILE TABLE", "add a file's rows to TABLE, making it if need be", completeFiles, (*Shell).cmdImport},
		{".dump", "[TABLE...]", "write statements that make the tables and their rows", tableNames, (*Shell).cmdDump},
		{".backup", "DIR", "copy the store into the new directory DIR", completeFiles, (*Shell).cmdBackup},
		{".open", "[--readonly] DIR|gallery", "open another store, or the last gallery in the browser", completeFiles, (*Shell).cmdOpen},
		{".parameter", "set|unset|list|clear", "values of :name and $1: .parameter set name 'a wolf'", parameterWords, (*Shell).cmdParameter},
		{".timer", "on|off", "print the time statements take", onOff, (*Shell).cmdTimer},
		{".bail", "on|off", "stop a file of statements at the first that fails", onOff, (*Shell).cmdBail},
		{".echo", "on|off", "print statements of files before their results", onOff, (*Shell).cmdEcho},
		{".cd", "[DIR]", "the directory in which relative paths begin; without it, your own", completeFiles, (*Shell).cmdChange},
		{".shell", "COMMAND", "run COMMAND in the system's shell", nil, (*Shell).cmdShell},
		{".system", "COMMAND", ".shell", nil, (*Shell).cmdShell},
		{".edit", "[FILE]", "edit the last statement, or FILE, in $EDITOR and run it", completeFiles, (*Shell).cmdEdit},
		{".prompt", "[TEXT [TEXT]]", "prompts of first and further lines; {store} is the store's name", nil, (*Shell).cmdPrompt},
		{".print", "TEXT", "print TEXT", nil, (*Shell).cmdPrint},
		{".show", "", "the settings", nil, (*Shell).cmdShow},
		{".quit", "", "leave; so does Ctrl-D", nil, (*Shell).cmdQuit},
		{".exit", "", "leave", nil, (*Shell).cmdQuit},
		{`\d`, "[TABLE]", "columns of TABLE; without it, .tables", tableNames, (*Shell).cmdDescribe},
		{`\dt`, "[PATTERN]", ".tables", tableNames, (*Shell).cmdTables},
		{`\x`, "", "one value a line, and back", nil, (*Shell).cmdExpanded},
		{`\timing`, "", ".timer on, and off", nil, (*Shell).cmdTiming},
		{`\q`, "", ".quit", nil, (*Shell).cmdQuit},
	}
}

// isDotCommand reports whether a line is for the shell: statements never begin
// with a dot (but for a number, which no statement begins with either) or a
// backslash.
func isDotCommand(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return len(line) > 1 && (line[0] == '.' && (line[1] >= 'a' && line[1] <= 'z' || line[1] >= 'A' && line[1] <= 'Z') || line[0] == '\\')
}

// runDot runs a dot command. Names may be cut short where that is unambiguous,
// .tab for .tables, as sqlite3 has it.
func (s *Shell) runDot(ctx context.Context, line string) error {
	words, open := splitWords(line)
	if len(words) == 0 {
		return open
	}
	c, err := findCommand(words[0])
	if err == nil && (c.name == ".shell" || c.name == ".system") { // what follows is one argument, quotes and all
		_, rest, _ := strings.Cut(line, words[0])
		if rest = strings.TrimSpace(rest); rest == "" {
			return usage(c.name)
		}
		return c.run(s, ctx, []string{rest})
	}
	if open != nil {
		return open
	}
	if err != nil {
		return err
	}
	return c.run(s, ctx, words[1:])
}

func findCommand(name string) (command, error) {
	name = strings.TrimSuffix(name, ";")
	var close []command
	for _, c := range commands() {
		if strings.EqualFold(c.name, name) {
			return c, nil
		}
		if name[0] == '.' && len(name) > 1 && strings.HasPrefix(c.name, strings.ToLower(name)) {
			close = append(close, c)
		}
	}
	if len(close) == 1 {
		return close[0], nil
	}
	if len(close) > 1 {
		var names []string
		for _, c := range close {
			names = append(names, c.name)
		}
		return command{}, fmt.Errorf("%s may be %s", name, strings.Join(names, ", "))
	}
	return command{}, fmt.Errorf("no command %s; .help lists them", name)
}

// splitWords cuts a dot command at blanks; '...' and "..." hold words together. With an error, about
// one that is not closed, come the words before it.
func splitWords(line string) ([]string, error) {
	var words []string
	rest := strings.TrimSpace(line)
	for rest != "" {
		var word strings.Builder
		i := 0
		for i < len(rest) && !isSpace(rest[i]) {
			if q := rest[i]; q == '\'' || q == '"' {
				t := query.Tokens(rest[i:])[0]
				if t.Open {
					return words, fmt.Errorf("%c is not closed", q)
				}
				end := i + t.End
				word.WriteString(strings.ReplaceAll(rest[i+1:end-1], string(q)+string(q), string(q)))
				i = end
				continue
			}
			word.WriteByte(rest[i])
			i++
		}
		words = append(words, word.String())
		rest = strings.TrimLeft(rest[i:], " \t\r\n")
	}
	return words, nil
}

func usage(name string) error {
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	return fmt.Errorf("usage: %s %s", c.name, c.args)
}

func (s *Shell) needStore() error {
	if s.conn == nil {
		return errors.New("no store is open; .open DIR opens one")
	}
	return nil
}

// texts writes rows of text as a result, in the current mode.
func (s *Shell) texts(heads []string, rows [][]string) error {
	cols := make([]render.Column, len(heads))
	for i, h := range heads {
		cols[i] = render.Column{Name: h, Type: db.Type{Kind: db.Text}}
	}
	vals := make([][]db.Value, len(rows))
	for i, r := range rows {
		for _, x := range r {
			vals[i] = append(vals[i], textValue(x))
		}
	}
	return s.values(cols, vals)
}

func (s *Shell) values(cols []render.Column, rows [][]db.Value) error {
	return s.render(cols, func(row func([]db.Value) error) error {
		for _, r := range rows {
			if err := row(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// print writes lines of text where results go.
func (s *Shell) print(text string) error {
	to, done := s.sink()
	w, donePaging := s.page(to, "box")
	_, err := fmt.Fprint(w, visibleOn(to.file, text))
	donePaging()
	return errors.Join(err, done())
}
