package eval

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/db"
)

// Target is the vector column that prompts search, and the column that names the rows found.
type Target struct {
	Table  db.Table
	Column db.Column
	Key    string // "" in a table without anything to name rows by
}

// Sim is the expression for the similarity with $1.
func (t Target) Sim() string { return fmt.Sprintf("similarity(%s, $1)", db.Quote(t.Column.Name)) }

// KeyType is the type of the column that tells rows apart.
func (t Target) KeyType() db.Type { return t.keyColumn().Type }

func (t Target) keyColumn() db.Column {
	for _, c := range t.Table.Columns {
		if c.Name == t.Key {
			return c
		}
	}
	return db.Column{Name: t.Key, Type: db.Type{Kind: db.Text}}
}

// FindTarget finds the column of that name, or the only one, that has an encoder. table is what
// tables were chosen by, "" where that are all.
func FindTarget(tables []db.Table, table, column string) (Target, error) {
	var found []Target
	for _, t := range tables {
		for _, c := range t.Columns {
			if c.Type.Kind == db.Vector && c.Encoder != "" && (column == "" || strings.EqualFold(column, c.Name)) {
				found = append(found, Target{t, c, KeyOf(t)})
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
		return Target{}, fmt.Errorf("%s: prompts need one to be encoded", what)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Table.Name+"."+f.Column.Name)
	}
	return Target{}, fmt.Errorf("which column should be searched: %s? Say --table and --column", strings.Join(names, ", "))
}

// KeyOf is the column that tells a table's rows apart for a person: the primary key, or else
// the first column of text or integers.
func KeyOf(t db.Table) string {
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

// MaxShared bounds how many searches run in one pass, and with it what is delayed by waiting for
// the pass.
const MaxShared = 64

// ForEach answers a prepared search for many prompts, up to MaxShared in a pass, and calls fn
// with each answer in order; fn closes nothing. A prompt that has no answer goes to bad, which
// returns nil to go on.
func ForEach(ctx context.Context, st *db.Stmt, prompts []string, fn func(i int, rows *db.Rows) error, bad func(i int, err error) error) error {
	for from := 0; from < len(prompts); from += MaxShared {
		some := prompts[from:min(from+MaxShared, len(prompts))]
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

// Plain is an error without its place in a statement that nobody has written.
func Plain(err error) error {
	if p := new(db.ParseError); errors.As(err, &p) {
		msg := p.Msg
		if p.Hint != "" {
			msg += " (" + p.Hint + ")"
		}
		return errors.New(msg)
	}
	return err
}
