package shell

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lupadb/lupa/db"
)

// tablePrefix marks prompts that are the rows of a table or view of the store: table:phrases.
const tablePrefix = "table:"

// phrases are prompts with what is said of them, as a file with headings or a table of the
// store has them.
type phrases struct {
	name  string // the file, or table:NAME
	head  []string
	rows  [][]string
	lines []int // of a file; nil of a table
}

// namesPhrases reports whether an argument is a file or a table of prompts.
func namesPhrases(arg string) bool {
	ext := strings.ToLower(filepath.Ext(arg))
	return strings.HasPrefix(arg, tablePrefix) || ext == ".csv" || ext == ".tsv"
}

// readPhrases reads a file, or a table of the open store.
func (s *Shell) readPhrases(ctx context.Context, name string) (p phrases, err error) {
	if table, ok := strings.CutPrefix(name, tablePrefix); ok {
		p, err = s.tablePhrases(ctx, table)
	} else {
		p, err = filePhrases(name)
	}
	if err == nil && len(p.rows) == 0 {
		err = fmt.Errorf("%s: no prompts", name)
	}
	p.name = name
	return p, err
}

func filePhrases(file string) (p phrases, err error) {
	f, err := os.Open(file)
	if err != nil {
		return p, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	if strings.EqualFold(filepath.Ext(file), ".tsv") {
		r.Comma = '\t'
	}
	if p.head, err = r.Read(); err != nil {
		return p, fmt.Errorf("%s: no headings: %w", file, err)
	}
	p.head[0] = strings.TrimPrefix(p.head[0], "\ufeff")
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return p, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		p.rows, p.lines = append(p.rows, rec), append(p.lines, line)
	}
}

// tablePhrases reads a table or view, in the order of its rows. NULL is nothing, as in a file.
func (s *Shell) tablePhrases(ctx context.Context, name string) (p phrases, err error) {
	all, err := s.tables(ctx, "")
	if err != nil {
		return p, err
	}
	views, err := s.views(ctx, "")
	if err != nil {
		return p, err
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	for _, v := range views {
		names = append(names, v.Name)
	}
	i := slices.Index(names, name)
	if i < 0 {
		i = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	if i < 0 {
		return p, fmt.Errorf("%s%s: there is no such table (there are %s); .import FILE.csv %s makes one of a file",
			tablePrefix, name, strings.Join(names, ", "), name)
	}
	rows, err := s.conn.Query(ctx, "SELECT * FROM "+db.Quote(names[i]))
	if err != nil {
		return p, err
	}
	p.head = rows.Columns()
	for rows.Next() {
		rec := make([]string, len(p.head))
		for i, v := range rows.Values() {
			if k := v.Kind(); k != db.Vector && k != db.Blob && !v.IsNull() {
				rec[i] = v.String()
			}
		}
		p.rows = append(p.rows, rec)
	}
	return p, errors.Join(rows.Err(), rows.Close())
}

// column is the place of the first of these headings that there is, or -1.
func (p *phrases) column(names ...string) int {
	for _, n := range names {
		for i, h := range p.head {
			if strings.EqualFold(strings.TrimSpace(h), n) {
				return i
			}
		}
	}
	return -1
}

// prompt is the place of the prompts themselves, or -1.
func (p *phrases) prompt() int { return p.column("query", "prompt") }

// what names the kind of thing that they are in.
func (p *phrases) what() string {
	if p.lines == nil {
		return "table"
	}
	return "file"
}

// where says where row i is, inside of what is named elsewhere.
func (p *phrases) where(i int) string {
	if p.lines == nil {
		return fmt.Sprintf("row %d", i+1)
	}
	return fmt.Sprintf("line %d", p.lines[i])
}

// errorf is an error about row i.
func (p *phrases) errorf(i int, format string, args ...any) error {
	if p.lines == nil {
		return fmt.Errorf("%s, row %d: %w", p.name, i+1, fmt.Errorf(format, args...))
	}
	return fmt.Errorf("%s:%d: %w", p.name, p.lines[i], fmt.Errorf(format, args...))
}

// texts are the prompts alone, and their places.
func (p *phrases) texts() (texts []string, numbers []int, err error) {
	at := p.prompt()
	if at < 0 {
		return nil, nil, fmt.Errorf("%s: needs a column query, or prompt", p.name)
	}
	for i, rec := range p.rows {
		n := i + 1
		if p.lines != nil {
			n = p.lines[i]
		}
		if text := strings.TrimSpace(rec[at]); text != "" {
			texts, numbers = append(texts, text), append(numbers, n)
		}
	}
	return texts, numbers, nil
}

// pair puts prompts in an order in which those at the same place belong together: by the column
// name where both have one, otherwise as they are. Missing are the names of those without a
// partner, which are left out.
func pair(a, b *phrases) (missing []string, err error) {
	byName := [2]int{a.column("name"), b.column("name")}
	if byName[0] < 0 || byName[1] < 0 {
		if len(a.rows) != len(b.rows) {
			return nil, fmt.Errorf("%s has %d prompts and %s has %d: give both a column name, which says what belongs together", a.name, len(a.rows), b.name, len(b.rows))
		}
		return nil, nil
	}
	var at [2]map[string]int
	for k, p := range []*phrases{a, b} {
		at[k] = map[string]int{}
		for i, rec := range p.rows {
			name := rec[byName[k]]
			if first, twice := at[k][name]; twice {
				return nil, p.errorf(i, "the name %q is that of %s, too", name, p.where(first))
			}
			at[k][name] = i
		}
	}
	var order [2][]int
	for i, rec := range a.rows {
		if j, ok := at[1][rec[byName[0]]]; ok {
			order[0], order[1] = append(order[0], i), append(order[1], j)
		} else {
			missing = append(missing, rec[byName[0]])
		}
	}
	for _, rec := range b.rows {
		if _, ok := at[0][rec[byName[1]]]; !ok {
			missing = append(missing, rec[byName[1]])
		}
	}
	if len(order[0]) == 0 {
		return nil, fmt.Errorf("%s and %s have no name in common", a.name, b.name)
	}
	for k, p := range []*phrases{a, b} {
		rows, lines := p.rows, p.lines
		p.rows, p.lines = nil, nil
		for _, i := range order[k] {
			p.rows = append(p.rows, rows[i])
			if lines != nil {
				p.lines = append(p.lines, lines[i])
			}
		}
	}
	return missing, nil
}
