package dbtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Script is a parsed script.
type Script struct {
	Name   string
	Blocks []Block
	Skip   []string // doors and designs that leave it out

	lines []string
}

// Block is one block of a script.
type Block struct {
	Kind      string // "exec", "error", "query", "file", "reopen", "session"
	Line      int    // of its first line, from 1
	SQL       string
	Affected  int64          // of exec; -1 = not checked
	Error     *regexp.Regexp // of error
	Unordered bool
	Names     []string   // of the columns; nil = not checked
	Rows      [][]string // fields as written
	File      string     // of file
	Content   string
	Args      []any          // positional
	Named     map[string]any // by name
	Only, Not []string

	rowsLine, endLine int // where the expected rows are, for rewriting
}

// HasArgs reports whether the block has arguments.
func (b *Block) HasArgs() bool { return b.Args != nil || b.Named != nil }

// runsUnder reports whether the block is for a run of these doors and designs.
func (b *Block) runsUnder(names ...string) bool {
	for _, n := range names {
		if slices.Contains(b.Not, n) {
			return false
		}
	}
	return len(b.Only) == 0 || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(b.Only, n) })
}

// ReadScript parses the script in a file.
func ReadScript(path string) (*Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := ParseScript(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	s.Name = strings.TrimSuffix(filepath.Base(path), ".test")
	return s, nil
}

// ParseScript parses a script. Errors begin with the line.
func ParseScript(src string) (*Script, error) {
	s := &Script{lines: strings.Split(strings.TrimSuffix(src, "\n"), "\n")}
	for i := 0; i < len(s.lines); {
		if blank(s.lines[i]) || strings.HasPrefix(s.lines[i], "#") {
			i++
			continue
		}
		end := i
		for end < len(s.lines) && !blank(s.lines[end]) {
			end++
		}
		if err := s.block(i, end); err != nil {
			return nil, err
		}
		i = end
	}
	return s, nil
}

func blank(line string) bool { return strings.TrimSpace(line) == "" }

// block parses lines i to end (from 0).
func (s *Script) block(i, end int) error {
	b := Block{Line: i + 1, Affected: -1}
	for ; i < end; i++ {
		word, rest, _ := strings.Cut(strings.TrimSpace(s.lines[i]), " ")
		rest = strings.TrimSpace(rest)
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%d: %s: %s", i+1, word, fmt.Sprintf(format, args...))
		}
		if strings.HasPrefix(word, "#") {
			continue
		}
		switch word {
		case "skip":
			names, reason, ok := strings.Cut(rest, ":")
			if !ok || blank(reason) {
				return fail("say why, after a colon")
			}
			s.Skip = append(s.Skip, strings.Fields(names)...)
			if i+1 < end {
				return fail("stands alone")
			}
			return nil
		case "only":
			b.Only = append(b.Only, strings.Fields(rest)...)
			continue
		case "not":
			b.Not = append(b.Not, strings.Fields(rest)...)
			continue
		case "args":
			if err := b.parseArgs(rest); err != nil {
				return fail("%v", err)
			}
			continue
		}
		b.Kind = word
		body := s.lines[i+1 : end]
		switch word {
		case "exec":
			if rest != "" {
				n, err := strconv.ParseInt(rest, 10, 64)
				if err != nil {
					return fail("%q is not a number of rows", rest)
				}
				b.Affected = n
			}
			b.SQL = strings.Join(body, "\n")
		case "error":
			re, err := regexp.Compile(rest)
			if err != nil {
				return fail("%v", err)
			}
			if rest == "" {
				return fail("say which error")
			}
			b.Error, b.SQL = re, strings.Join(body, "\n")
		case "query":
			switch rest {
			case "":
			case "unordered":
				b.Unordered = true
			default:
				return fail("%q is not unordered", rest)
			}
			cut := slices.IndexFunc(body, func(l string) bool { return l == "----" || strings.HasPrefix(l, "---- ") })
			if cut < 0 {
				return fail("no line ---- before the rows")
			}
			b.SQL = strings.Join(body[:cut], "\n")
			if names := strings.TrimPrefix(body[cut], "----"); !blank(names) {
				f, err := splitFields(names)
				if err != nil {
					return fail("%v", err)
				}
				b.Names = f
			}
			for _, l := range body[cut+1:] {
				f, err := splitFields(l)
				if err != nil {
					return fail("%v", err)
				}
				b.Rows = append(b.Rows, f)
			}
			b.rowsLine, b.endLine = i+1+cut+1, end
		case "file":
			if rest == "" || !filepath.IsLocal(rest) {
				return fail("%q is not the name of a file", rest)
			}
			b.File, b.Content = rest, strings.Join(body, "\n")+"\n"
		case "reopen", "session":
			if len(body) > 0 {
				return fail("stands alone")
			}
		default:
			return fail("no such block; there are exec, error, query, file, reopen, session and skip")
		}
		if b.SQL == "" && (word == "exec" || word == "error" || word == "query") {
			return fail("no statement")
		}
		s.Blocks = append(s.Blocks, b)
		return nil
	}
	if b.Only != nil || b.Not != nil || b.HasArgs() {
		return fmt.Errorf("%d: nothing follows", b.Line)
	}
	return nil
}

func (b *Block) parseArgs(src string) error {
	dec := json.NewDecoder(strings.NewReader(src))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		b.Args = []any{}
		for _, x := range v {
			a, err := argument(x)
			if err != nil {
				return err
			}
			b.Args = append(b.Args, a)
		}
	case map[string]any:
		b.Named = map[string]any{}
		for name, x := range v {
			a, err := argument(x)
			if err != nil {
				return err
			}
			b.Named[name] = a
		}
	default:
		return fmt.Errorf("%s is neither a list nor an object", src)
	}
	return nil
}

// argument turns a JSON value into a Go argument.
func argument(x any) (any, error) {
	switch x := x.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i, nil
		}
		return x.Float64()
	case []any:
		vec := make([]float32, len(x))
		for i, e := range x {
			n, ok := e.(json.Number)
			if !ok {
				return nil, fmt.Errorf("a list holds numbers only: it is a vector")
			}
			f, err := strconv.ParseFloat(n.String(), 32)
			if err != nil {
				return nil, err
			}
			vec[i] = float32(f)
		}
		return vec, nil
	case map[string]any:
		var buf bytes.Buffer
		if err := json.NewEncoder(&buf).Encode(x); err != nil {
			return nil, err
		}
		return json.RawMessage(bytes.TrimSpace(buf.Bytes())), nil
	}
	return x, nil
}

// splitFields cuts a line at the bars that are not within Go strings.
func splitFields(line string) ([]string, error) {
	var out []string
	for rest := line; ; {
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, `"`) {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%s: not a Go string", rest)
			}
			out = append(out, q)
			rest = strings.TrimLeft(rest[len(q):], " \t")
			if rest == "" {
				return out, nil
			}
			if rest[0] != '|' {
				return nil, fmt.Errorf("%s: a | should follow the string", rest)
			}
			rest = rest[1:]
			continue
		}
		field, more, found := strings.Cut(rest, "|")
		out = append(out, strings.TrimSpace(field))
		if !found {
			return out, nil
		}
		rest = more
	}
}

// formatField writes a value's text as a script has it.
func formatField(text string, null bool) string {
	switch {
	case null:
		return "NULL"
	case text == "", text == "NULL", text != strings.TrimSpace(text), strings.ContainsAny(text, "|\r\n"),
		text[0] == '"', text[0] == '~':
		return strconv.Quote(text)
	}
	return text
}

// matches reports whether a field of the script allows a value.
func matches(want, got string) bool {
	if want == got {
		return true
	}
	if len(want) > 1 && want[0] == '~' {
		w, err1 := strconv.ParseFloat(want[1:], 64)
		g, err2 := strconv.ParseFloat(got, 64)
		return err1 == nil && err2 == nil && math.Abs(w-g) <= 2e-6
	}
	if strings.HasPrefix(want, `"`) { // perhaps quoted without need
		if s, err := strconv.Unquote(want); err == nil {
			return formatField(s, false) == got
		}
	}
	return false
}

// compareRows returns what differs, or "".
func (b *Block) compareRows(names []string, got [][]string) string {
	if b.Names != nil && !slices.EqualFunc(b.Names, names, matches) {
		return fmt.Sprintf("columns are %s, want %s", strings.Join(names, " | "), strings.Join(b.Names, " | "))
	}
	want := b.Rows
	if b.Unordered {
		want, got = slices.Clone(want), slices.Clone(got)
		slices.SortFunc(want, slices.Compare)
		slices.SortFunc(got, slices.Compare)
	}
	same := slices.EqualFunc(want, got, func(w, g []string) bool { return slices.EqualFunc(w, g, matches) })
	if same {
		return ""
	}
	return fmt.Sprintf("rows are\n%swant\n%s", formatRows(got), formatRows(want))
}

func formatRows(rows [][]string) string {
	if len(rows) == 0 {
		return "\t(none)\n"
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "\t%s\n", strings.Join(r, " | "))
	}
	return b.String()
}

// Rewrite returns the script's text with the rows of its queries replaced by
// those in got, by index of the block, where they differ from what is expected.
func (s *Script) Rewrite(got map[int][][]string) string {
	var out []string
	next := 0
	for i := range s.Blocks {
		b := &s.Blocks[i]
		rows, ok := got[i]
		if !ok || b.compareRows(nil, rows) == "" && b.Names == nil {
			continue
		}
		out = append(out, s.lines[next:b.rowsLine]...)
		for _, r := range rows {
			out = append(out, strings.Join(r, " | "))
		}
		next = b.endLine
	}
	return strings.Join(append(out, s.lines[next:]...), "\n") + "\n"
}
