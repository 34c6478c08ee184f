package shell

import (
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
)

// candidate is something that may stand where the cursor is.
type candidate struct {
	text string // what is inserted in place of the word
	kind string // heading of its group: "tables", "columns", ...
	doc  string
	glue bool // more of the same word follows: no blank after it
}

// complete returns what may stand in place of text[start:cursor], the word
// being typed, given the text around it. Candidates begin with the word, in any
// case.
func (s *Shell) complete(text string, cursor int) (start int, found []candidate) {
	before := text[:cursor]
	toks := lex(before)
	word, start := "", cursor
	var prev []query.Token
	if n := len(toks); n > 0 && (toks[n-1].End == cursor || toks[n-1].Open) {
		last := toks[n-1]
		prev = toks[:n-1]
		switch {
		case last.Kind == tokDotCommand:
			return last.Start, matching(before[last.Start:], commandCandidates())
		case last.Kind == query.TokenString && last.Open:
			return s.completeString(before, toks, last)
		case last.Kind == query.TokenComment:
			return cursor, nil
		case last.Kind == query.TokenWord || last.Kind == query.TokenQuoted && last.Open:
			start = last.Start
			word = before[start:]
		case last.Kind == query.TokenNumber, last.Kind == query.TokenString, last.Kind == query.TokenParam, last.Kind == query.TokenQuoted:
			return cursor, nil
		default:
			prev = toks
		}
	} else {
		prev = toks
	}
	if len(toks) > 0 && toks[0].Kind == tokDotCommand {
		return s.completeArgument(before)
	}
	return start, matching(word, s.words(text, before, prev))
}

// words are the candidates in a statement, after the tokens prev.
func (s *Shell) words(text, before string, prev []query.Token) []candidate {
	at := func(i int) string { // the i-th token from the end, upper case
		if i >= len(prev) {
			return ""
		}
		t := prev[len(prev)-1-i]
		return strings.ToUpper(before[t.Start:t.End])
	}
	tables := s.schema()
	switch at(0) {
	case "":
		return kinds("keywords", "SELECT", "INSERT INTO", "CREATE TABLE", "COPY", "UPDATE", "DELETE FROM", "EXPLAIN",
			"SHOW TABLES", "DESCRIBE", "DROP TABLE", "ALTER TABLE", "CREATE INDEX", "BEGIN", "COMMIT", "ROLLBACK",
			"BACKUP TO", "CHECK", "VACUUM")
	case ";":
		return s.words(text, before, nil)
	case "FROM":
		out := tableCandidates(tables)
		return append(out, functionsNamed("read_", "images", "frames")...)
	case "INTO", "TABLE", "UPDATE", "JOIN", "DESCRIBE", "COPY", "VACUUM":
		if at(0) == "TABLE" && at(1) == "CREATE" {
			return kinds("keywords", "IF NOT EXISTS")
		}
		return tableCandidates(tables)
	case "ON":
		if strings.EqualFold(first(before, prev), "create") {
			return tableCandidates(tables)
		}
	case "ENCODER":
		return nil // a string comes; see completeString
	case "CREATE":
		return kinds("keywords", "TABLE", "INDEX", "UNIQUE INDEX")
	case "ORDER", "GROUP":
		return kinds("keywords", "BY")
	case "INSERT":
		return kinds("keywords", "INTO")
	case "DELETE":
		return kinds("keywords", "FROM")
	case ".":
		return columnCandidates(only(tables, at(1)))
	}
	var out []candidate
	mentioned := mentionedTables(text, tables)
	if len(mentioned) == 0 { // SELECT is typed before FROM
		mentioned = tables
	}
	out = append(out, columnCandidates(mentioned)...)
	out = append(out, functionsNamed("")...)
	for _, k := range query.Keywords() {
		out = append(out, candidate{text: k, kind: "keywords"})
	}
	return out
}

// completeString offers encoders after ENCODER, and files where a string names
// one: in COPY, BACKUP and the functions that read.
func (s *Shell) completeString(before string, toks []query.Token, str query.Token) (int, []candidate) {
	start := str.Start + strings.IndexByte(before[str.Start:], '\'') + 1 // behind the E of E'...'
	typed := before[start:]
	prev := toks[:len(toks)-1]
	word := func(i int) string {
		if i >= len(prev) {
			return ""
		}
		t := prev[len(prev)-1-i]
		return strings.ToLower(before[t.Start:t.End])
	}
	if word(0) == "encoder" {
		var out []candidate
		for _, f := range encoder.SearchPath(s.opts.models...).List() {
			out = append(out, candidate{text: f.Name + "'", kind: "encoders", doc: f.Dir})
		}
		return start, matching(typed, out)
	}
	file := strings.EqualFold(first(before, prev), "copy") || strings.EqualFold(first(before, prev), "backup")
	if word(0) == "(" {
		f := word(1)
		file = file || f == "image" || f == "images" || f == "frames" || strings.HasPrefix(f, "read_")
	}
	if !file {
		return len(before), nil
	}
	return start, fileCandidates(typed, "'")
}

// completeArgument completes what follows a dot command.
func (s *Shell) completeArgument(before string) (int, []candidate) {
	start := strings.LastIndexAny(before, " \t") + 1
	word := before[start:]
	words := strings.Fields(before)
	c, err := findCommand(words[0])
	if err != nil || c.complete == nil {
		return len(before), nil
	}
	if c.fileArgument() {
		if n := len(words); n > 0 && words[0] == ".import" && (n == 3 || n == 2 && word == "") {
			return start, matching(word, tableCandidates(s.schema()))
		}
		return start, fileCandidates(word, "")
	}
	var out []candidate
	for _, x := range c.complete(s) {
		out = append(out, candidate{text: x, kind: "arguments"})
	}
	return start, matching(word, out)
}

// fileCandidates lists the files that begin as typed; quote is put after a
// file's name, while a directory's ends in a slash and goes on.
func fileCandidates(typed, quote string) []candidate {
	dir, base := filepath.Split(typed)
	look := dir
	if look == "" {
		look = "."
	} else if strings.HasPrefix(look, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			look = filepath.Join(home, look[2:])
		}
	}
	entries, err := os.ReadDir(look)
	if err != nil {
		return nil
	}
	var out []candidate
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && strings.HasPrefix(name, ".") || render.Visible(name) != name {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&os.ModeSymlink != 0 {
			st, err := os.Stat(filepath.Join(look, name))
			isDir = err == nil && st.IsDir()
		}
		c := candidate{text: dir + name, kind: "files"}
		if quote != "" {
			c.text = strings.ReplaceAll(c.text, "'", "''")
		}
		if isDir {
			c.text += "/"
			c.glue = true
		} else {
			c.text += quote
		}
		out = append(out, c)
		if len(out) == 500 {
			break
		}
	}
	return out
}

// matching keeps the candidates that begin with word in any case, each once.
func matching(word string, all []candidate) []candidate {
	seen := map[string]bool{}
	var out []candidate
	lowerCase := word != "" && word == strings.ToLower(word)
	for _, c := range all {
		if len(c.text) < len(word) || !strings.EqualFold(c.text[:len(word)], word) || seen[strings.ToLower(c.text)] {
			continue
		}
		seen[strings.ToLower(c.text)] = true
		if c.kind == "keywords" && lowerCase { // follow the hand of who types
			c.text = strings.ToLower(c.text)
		}
		out = append(out, c)
	}
	return out
}

func kinds(kind string, texts ...string) []candidate {
	var out []candidate
	for _, t := range texts {
		out = append(out, candidate{text: t, kind: kind})
	}
	return out
}

func first(text string, toks []query.Token) string {
	// The statement's first word: after the last semicolon.
	from := 0
	for i, t := range toks {
		if text[t.Start:t.End] == ";" {
			from = i + 1
		}
	}
	if from < len(toks) {
		return text[toks[from].Start:toks[from].End]
	}
	return ""
}

// schema returns the tables, or what was known of them when a transaction or a
// long statement keeps the session from answering at once.
func (s *Shell) schema() []db.Table {
	if s.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	tables, err := s.conn.Tables(ctx)
	if err != nil {
		return nil
	}
	views, err := s.conn.Views(ctx)
	if err != nil {
		return nil
	}
	for _, v := range views {
		t := db.Table{Name: v.Name}
		for _, name := range v.Columns {
			t.Columns = append(t.Columns, db.Column{Name: name})
		}
		tables = append(tables, t)
	}
	return tables
}

func only(tables []db.Table, name string) []db.Table {
	for _, t := range tables {
		if strings.EqualFold(t.Name, strings.Trim(name, `"`)) {
			return []db.Table{t}
		}
	}
	return tables
}

func mentionedTables(text string, tables []db.Table) []db.Table {
	names := map[string]bool{}
	for _, t := range lex(text) {
		switch t.Kind {
		case query.TokenWord:
			names[strings.ToLower(text[t.Start:t.End])] = true
		case query.TokenQuoted:
			if !t.Open {
				names[strings.ToLower(text[t.Start+1:t.End-1])] = true
			}
		}
	}
	var out []db.Table
	for _, t := range tables {
		if names[strings.ToLower(t.Name)] {
			out = append(out, t)
		}
	}
	return out
}

func tableCandidates(tables []db.Table) []candidate {
	var out []candidate
	for _, t := range tables {
		out = append(out, candidate{text: db.Quote(t.Name), kind: "tables", doc: thousands(t.Rows) + " rows"})
	}
	return out
}

func columnCandidates(tables []db.Table) []candidate {
	var out []candidate
	for _, t := range tables {
		for _, c := range t.Columns {
			out = append(out, candidate{text: db.Quote(c.Name), kind: "columns"})
			if c.Type.Kind == db.Vector {
				out = append(out, candidate{text: c.Name + "_sim(", kind: "columns", doc: "similarity with a text, a picture or a vector", glue: true})
			}
		}
	}
	return out
}

// functionsNamed returns the functions that begin with one of the prefixes.
func functionsNamed(prefixes ...string) []candidate {
	var out []candidate
	for _, f := range query.Functions() {
		for _, p := range prefixes {
			if strings.HasPrefix(f.Name, p) {
				out = append(out, candidate{text: f.Name + "(", kind: "functions", doc: f.Doc, glue: true})
				break
			}
		}
	}
	return out
}

func commandCandidates() []candidate {
	var out []candidate
	for _, c := range commands() {
		out = append(out, candidate{text: c.name, kind: "commands", doc: c.doc})
	}
	return out
}

// The completers of the table in commands.go.

func tableNames(s *Shell) []string {
	var out []string
	for _, t := range s.schema() {
		out = append(out, t.Name)
	}
	return out
}

func helpWords(*Shell) []string {
	out := []string{"functions"}
	for _, c := range commands() {
		out = append(out, c.name)
	}
	for _, f := range query.Functions() {
		out = append(out, f.Name)
	}
	sort.Strings(out)
	return out
}

func modeNames(*Shell) []string      { return render.Names() }
func imageNames(*Shell) []string     { return render.Protocols() }
func onOff(*Shell) []string          { return []string{"on", "off"} }
func pagerNames(*Shell) []string     { return []string{"auto", "off", "less"} }
func parameterWords(*Shell) []string { return []string{"set", "unset", "list", "clear"} }

// completeFiles stands in the table for a file's name; fileArgument knows it.
func completeFiles(*Shell) []string { return nil }

func (c command) fileArgument() bool {
	switch c.name {
	case ".output", ".once", ".read", ".import", ".backup", ".open":
		return true
	}
	return false
}
