package shell

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/eval"
)

// tablePrefix marks prompts that are the rows of a table or view of the store: table:phrases.
const tablePrefix = "table:"

// namesPhrases reports whether an argument is a file or a table of prompts.
func namesPhrases(arg string) bool {
	ext := strings.ToLower(filepath.Ext(arg))
	return strings.HasPrefix(arg, tablePrefix) || ext == ".csv" || ext == ".tsv"
}

// readPhrases reads a file, or a table of the open store.
func (s *Shell) readPhrases(ctx context.Context, name string) (p eval.Phrases, err error) {
	if table, ok := strings.CutPrefix(name, tablePrefix); ok {
		p, err = s.tablePhrases(ctx, table)
	} else {
		p, err = eval.ReadFile(name)
	}
	if err == nil && len(p.Rows) == 0 {
		err = fmt.Errorf("%s: %w", name, eval.ErrNoPrompts)
	}
	p.Name = name
	return p, err
}

// tablePhrases reads a table or view, in the order of its rows. NULL is nothing, as in a file.
func (s *Shell) tablePhrases(ctx context.Context, name string) (p eval.Phrases, err error) {
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
	p.Head = rows.Columns()
	for rows.Next() {
		rec := make([]string, len(p.Head))
		for i, v := range rows.Values() {
			if k := v.Kind(); k != db.Vector && k != db.Blob && !v.IsNull() {
				rec[i] = v.String()
			}
		}
		p.Rows = append(p.Rows, rec)
	}
	return p, errors.Join(rows.Err(), rows.Close())
}
