package shell

// Dot commands that show what there is: tables, models, settings, help.

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

func textValue(s string) db.Value { return value.Str(s) }

func (s *Shell) cmdHelp(_ context.Context, args []string) error {
	if len(args) == 0 {
		var b strings.Builder
		for _, c := range commands() {
			fmt.Fprintf(&b, "%-31s %s\n", c.name+" "+c.args, c.doc)
		}
		b.WriteString("\nStatements end with a semicolon. .help functions lists the language's functions.\n" +
			"Tab completes, Ctrl-R searches what was typed, Ctrl-C stops a statement.\n")
		return s.print(b.String())
	}
	word := strings.ToLower(args[0])
	if word == "functions" {
		var rows [][]string
		for _, f := range query.Functions() {
			rows = append(rows, []string{f.Syntax, f.Doc, example(f)})
		}
		return s.texts([]string{"function", "what it does", "example"}, rows)
	}
	for _, f := range query.Functions() {
		if strings.EqualFold(f.Name, word) {
			text := f.Syntax + "\n  " + f.Doc + "\n"
			if x := example(f); x != "" {
				text += "  " + x + "\n"
			}
			return s.print(text)
		}
	}
	if !strings.HasPrefix(word, ".") && !strings.HasPrefix(word, `\`) {
		word = "." + word
	}
	c, err := findCommand(word)
	if err != nil {
		return fmt.Errorf("no command and no function %s; .help and .help functions list them", args[0])
	}
	return s.print(strings.TrimSpace(c.name+" "+c.args) + "\n  " + c.doc + "\n")
}

// tables returns the tables whose name matches a pattern of * and ?, or of %
// and _ as in LIKE; all for "".
func (s *Shell) tables(ctx context.Context, pattern string) ([]db.Table, error) {
	if err := s.needStore(); err != nil {
		return nil, err
	}
	all, err := s.conn.Tables(ctx)
	if err != nil || pattern == "" {
		return all, err
	}
	pattern = strings.ToLower(strings.NewReplacer("%", "*").Replace(pattern))
	var some []db.Table
	for _, t := range all {
		ok, err := path.Match(pattern, strings.ToLower(t.Name))
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if ok {
			some = append(some, t)
		}
	}
	return some, nil
}

// views returns the views whose name matches a pattern, as tables does.
func (s *Shell) views(ctx context.Context, pattern string) ([]db.View, error) {
	all, err := s.conn.Views(ctx)
	if err != nil || pattern == "" {
		return all, err
	}
	pattern = strings.ToLower(strings.NewReplacer("%", "*").Replace(pattern))
	return slices.DeleteFunc(all, func(v db.View) bool {
		ok, err := path.Match(pattern, strings.ToLower(v.Name))
		return err != nil || !ok
	}), nil
}

// table finds one table by its name.
func (s *Shell) table(ctx context.Context, name string) (db.Table, error) {
	all, err := s.tables(ctx, "")
	if err != nil {
		return db.Table{}, err
	}
	var names []string
	for _, t := range all {
		if strings.EqualFold(t.Name, name) {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return db.Table{}, fmt.Errorf("no table %q; the store is empty", name)
	}
	return db.Table{}, fmt.Errorf("no table %q (there are %s)", name, strings.Join(names, ", "))
}

func (s *Shell) cmdTables(ctx context.Context, args []string) error {
	pattern := ""
	if len(args) > 0 {
		pattern = args[0]
	}
	tables, err := s.tables(ctx, pattern)
	if err != nil {
		return err
	}
	views, err := s.views(ctx, pattern)
	if err != nil {
		return err
	}
	if len(tables)+len(views) == 0 && s.interactive {
		s.message("no tables")
		return nil
	}
	cols := []render.Column{
		{Name: "table", Type: db.Type{Kind: db.Text}},
		{Name: "rows", Type: db.Type{Kind: db.Integer}},
		{Name: "columns", Type: db.Type{Kind: db.Text}},
	}
	var rows [][]db.Value
	for _, t := range tables {
		var names []string
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
		rows = append(rows, []db.Value{value.Str(t.Name), value.Int(t.Rows), value.Str(strings.Join(names, ", "))})
	}
	for _, v := range views {
		rows = append(rows, []db.Value{value.Str(v.Name), {}, value.Str(strings.Join(v.Columns, ", "))})
	}
	return s.values(cols, rows)
}

func (s *Shell) cmdSchema(ctx context.Context, args []string) error {
	tables, err := s.tables(ctx, "")
	if err != nil {
		return err
	}
	views, err := s.views(ctx, "")
	if err != nil {
		return err
	}
	if len(args) > 0 {
		i := slices.IndexFunc(views, func(v db.View) bool { return strings.EqualFold(v.Name, args[0]) })
		if i >= 0 {
			tables, views = nil, views[i:i+1]
		} else {
			t, err := s.table(ctx, args[0])
			if err != nil {
				return err
			}
			tables, views = []db.Table{t}, nil
		}
	}
	var b strings.Builder
	for _, t := range tables {
		b.WriteString(t.SQL() + t.WatchesSQL())
	}
	for _, v := range views {
		b.WriteString(v.SQL())
	}
	return s.print(b.String())
}

func (s *Shell) cmdIndexes(ctx context.Context, args []string) error {
	tables, err := s.tables(ctx, "")
	if err != nil {
		return err
	}
	if len(args) > 0 {
		t, err := s.table(ctx, args[0])
		if err != nil {
			return err
		}
		tables = []db.Table{t}
	}
	var rows [][]string
	for _, t := range tables {
		for _, x := range t.Indexes {
			unique := "no"
			if x.Unique {
				unique = "yes"
			}
			columns := strings.Join(x.Columns, ", ")
			if x.Where != "" {
				columns += " WHERE " + x.Where
			}
			rows = append(rows, []string{x.Name, t.Name, columns, unique})
		}
	}
	return s.texts([]string{"index", "table", "columns", "unique"}, rows)
}

// cmdDescribe is psql's \d.
func (s *Shell) cmdDescribe(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return s.cmdTables(ctx, nil)
	}
	t, err := s.table(ctx, strings.TrimSuffix(args[0], ";"))
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range t.Columns {
		var notes []string
		if c.PrimaryKey {
			notes = append(notes, "PRIMARY KEY")
		} else if c.NotNull {
			notes = append(notes, "NOT NULL")
		}
		if c.Default != "" {
			notes = append(notes, "DEFAULT "+c.Default)
		}
		if c.Encoder != "" {
			notes = append(notes, "ENCODER "+query.QuoteText(c.Encoder))
		}
		rows = append(rows, []string{c.Name, c.Type.String(), strings.Join(notes, " ")})
	}
	if err := s.texts([]string{"column", "type", ""}, rows); err != nil {
		return err
	}
	if len(t.Indexes) > 0 {
		return s.cmdIndexes(ctx, []string{t.Name})
	}
	return nil
}

func (s *Shell) cmdModels(ctx context.Context, _ []string) error {
	used := map[string][]string{}
	var order []string
	if s.conn != nil {
		tables, err := s.conn.Tables(ctx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			for _, c := range t.Columns {
				if c.Encoder != "" {
					if used[c.Encoder] == nil {
						order = append(order, c.Encoder)
					}
					used[c.Encoder] = append(used[c.Encoder], t.Name+"."+c.Name)
				}
			}
		}
	}
	var rows [][]string
	for _, f := range encoder.SearchPath(s.opts.models...).List() {
		rows = append(rows, []string{f.Name, string(f.Kind), f.Dir, strings.Join(used[f.Name], ", ")})
		delete(used, f.Name)
	}
	for _, name := range order {
		if by := used[name]; by != nil {
			rows = append(rows, []string{name, "not found here", "", strings.Join(by, ", ")})
		}
	}
	if len(rows) == 0 && s.interactive {
		s.message("no encoders on this machine; lupa model pull NAME gets one")
		return nil
	}
	return s.texts([]string{"encoder", "kind", "folder", "used by"}, rows)
}

func (s *Shell) cmdShow(context.Context, []string) error {
	onoff := map[bool]string{true: "on", false: "off"}
	mode := s.set.mode
	if mode == "" {
		mode = s.mode(s.out) + " (by itself)"
	}
	width := fmt.Sprint(s.set.width)
	if s.set.width == 0 {
		w, _ := termSize(s.out.file)
		width = fmt.Sprintf("the terminal's %d", w)
		if !isTerminal(s.out.file) {
			width = "no limit"
		}
	}
	columns := "as needed"
	if len(s.set.columns) > 0 {
		columns = strings.Trim(fmt.Sprint(s.set.columns), "[]")
	}
	null := s.set.null
	if null == "" {
		null = "NULL"
	}
	rows := [][2]string{
		{"store", s.store}, {"mode", mode}, {"headers", onoff[!s.set.noHead]}, {"nullvalue", null},
		{"maxrows", fmt.Sprint(s.set.maxRows)}, {"width", columns}, {"maxwidth", width}, {"pager", s.set.pager}, {"images", s.set.images},
		{"output", s.out.name}, {"timer", onoff[s.set.timer]}, {"bail", onoff[s.set.bail]}, {"echo", onoff[s.set.echo]},
		{"history", historyFile()}, {"start file", startFile()},
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%10s: %s\n", r[0], r[1])
	}
	return s.print(b.String())
}

func example(f query.Function) string {
	if f.Example == "" || f.Gives == "" {
		return f.Example
	}
	return f.Example + " = " + f.Gives
}
