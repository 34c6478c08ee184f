package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/db"
)

// target is the vector column that prompts search, and the column that names
// the rows found.
type target struct {
	table  db.Table
	column db.Column
	key    string // "" in a table without anything to name rows by
}

// sim is the expression for the similarity with $1.
func (t target) sim() string { return fmt.Sprintf("similarity(%s, $1)", db.Quote(t.column.Name)) }

// keyType is the type of the column that tells rows apart.
func (t target) keyType() db.Type {
	for _, c := range t.table.Columns {
		if c.Name == t.key {
			return c.Type
		}
	}
	return db.Type{Kind: db.Text}
}

// findTarget finds the column that --table and --column name, or the only one
// there is that has an encoder.
func (s *Shell) findTarget(ctx context.Context, table, column string) (target, error) {
	tables, err := s.tables(ctx, "")
	if err != nil {
		return target{}, err
	}
	if table != "" {
		t, err := s.table(ctx, table)
		if err != nil {
			return target{}, err
		}
		tables = []db.Table{t}
	}
	var found []target
	for _, t := range tables {
		for _, c := range t.Columns {
			if c.Type.Kind == db.Vector && c.Encoder != "" && (column == "" || strings.EqualFold(column, c.Name)) {
				found = append(found, target{t, c, keyOf(t)})
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		what := "no column with an encoder"
		if column != "" {
			what = fmt.Sprintf("no column %q with an encoder", column)
		}
		if table != "" {
			what += " in " + table
		}
		return target{}, fmt.Errorf("%s: prompts need one to be encoded", what)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.table.Name+"."+f.column.Name)
	}
	return target{}, fmt.Errorf("which column should be searched: %s? Say --table and --column", strings.Join(names, ", "))
}

// keyOf is the column that tells a table's rows apart for a person: the primary
// key, or else the first column of text or integers.
func keyOf(t db.Table) string {
	if t.PrimaryKey != "" {
		return t.PrimaryKey
	}
	for _, kind := range []db.Kind{db.Text, db.Integer} {
		for _, c := range t.Columns {
			if c.Type.Kind == kind {
				return c.Name
			}
		}
	}
	return ""
}

// forEach answers a prepared search for many prompts, up to maxShared in a pass,
// and calls fn with each answer in order; fn closes nothing. A prompt that has no
// answer goes to bad, which returns nil to go on.
func forEach(ctx context.Context, st *db.Stmt, prompts []string, fn func(i int, rows *db.Rows) error, bad func(i int, err error) error) error {
	for from := 0; from < len(prompts); from += maxShared {
		some := prompts[from:min(from+maxShared, len(prompts))]
		args := make([][]any, len(some))
		for i, p := range some {
			args[i] = []any{p}
		}
		all, err := st.QueryMany(ctx, args)
		if err != nil { // of one of them: which, and what the others give, is seen one by one
			for i, a := range args {
				if err := ctx.Err(); err != nil {
					return err
				}
				rows, err := st.Query(ctx, a...)
				if err == nil {
					err = errors.Join(fn(from+i, rows), rows.Close())
				} else if ctx.Err() == nil {
					err = bad(from+i, err)
				}
				if err != nil {
					return err
				}
			}
			continue
		}
		for i, rows := range all {
			if err == nil {
				err = fn(from+i, rows)
			}
			if e := rows.Close(); err == nil {
				err = e
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
