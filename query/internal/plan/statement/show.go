package statement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// report makes a plan of rows that are known.
func (p *planner) report(cols []*logical.Column, rows [][]value.Value) *run.Plan {
	b := &value.Batch{Len: len(rows)}
	for i, c := range cols {
		x := &value.Column{Type: c.Type}
		for n, row := range rows {
			x.Append(n, row[i])
		}
		b.Cols = append(b.Cols, x)
	}
	var batches []*value.Batch
	for from := 0; from < b.Len; from += value.BatchSize {
		sel := make([]int32, 0, value.BatchSize)
		for i := from; i < min(b.Len, from+value.BatchSize); i++ {
			sel = append(sel, int32(i))
		}
		batches = append(batches, &value.Batch{Len: b.Len, Cols: b.Cols, Sel: sel})
	}
	p.Once = true
	return p.planned(cols, func(*build.Builder) (exec.Operator, func() int64, error) {
		return &exec.Values{Batches: batches}, nil, nil
	})
}

// showTables plans SHOW TABLES.
func (b *planner) showTables() (*run.Plan, error) {
	cols := []*logical.Column{{Name: "table", Type: logical.TextType}, {Name: "rows", Type: logical.IntType}, {Name: "columns", Type: logical.TextType}}
	var rows [][]value.Value
	for _, d := range b.AllTables() {
		t, err := b.Table(exactly(d.Name))
		if err != nil {
			return nil, err
		}
		names := make([]string, len(d.Columns))
		for i, c := range d.Columns {
			names[i] = c.Name
		}
		rows = append(rows, []value.Value{value.Str(d.Name), value.Int(int64(t.Rows())), value.Str(strings.Join(names, ", "))})
	}
	for _, v := range b.View.Views() { // a view has no rows of its own
		rows = append(rows, []value.Value{value.Str(v.Name), {}, value.Str(strings.Join(v.Columns, ", "))})
	}
	slices.SortStableFunc(rows, func(x, y []value.Value) int { return strings.Compare(x[0].Str(), y[0].Str()) })
	return b.report(cols, rows), nil
}

// describe plans DESCRIBE t.
func (b *planner) describe(s *parse.Describe) (*run.Plan, error) {
	def, err := b.described(s.Table)
	if err != nil {
		return nil, err
	}
	cols := []*logical.Column{{Name: "column", Type: logical.TextType}, {Name: "type", Type: logical.TextType}, {Name: "null", Type: logical.BoolType},
		{Name: "key", Type: logical.TextType}, {Name: "default", Type: logical.TextType}, {Name: "encoder", Type: logical.TextType}}
	var rows [][]value.Value
	for i := range def.Columns {
		c := &def.Columns[i]
		row := []value.Value{value.Str(c.Name), value.Str(typeText(c)), value.Bool(!c.NotNull), {}, {}, {}}
		if k := keyText(def, i); k != "" {
			row[3] = value.Str(k)
		}
		switch {
		case c.Identity:
			row[4] = value.Str("the next number")
		case c.Default != "":
			row[4] = value.Str(c.Default)
		}
		if c.Encoder != "" {
			row[5] = value.Str(c.Encoder)
		}
		rows = append(rows, row)
	}
	return b.report(cols, rows), nil
}

// described is the definition of a table, and that which a table with the columns of a view would have.
func (b *planner) described(name parse.Ident) (*storage.TableDef, error) {
	if _, err := bind.TableOf(b.View, name); err != nil && name.Database == "" && !b.In.IsTemp(name) {
		if v, _ := bind.ViewOf(b.View, name); v != nil {
			return bind.ViewTable(b.Ctx, b.In, v)
		}
	}
	def, _, err := b.anyTable(name)
	return def, err
}

// typeText is the type of a column as it was declared.
func typeText(c *storage.ColumnDef) string { return cmp.Or(c.Declared, c.Type.String()) }

// keyText says what keys and indexes a column is part of.
func keyText(def *storage.TableDef, ord int) string {
	var parts []string
	if def.PrimaryKey == ord {
		parts = append(parts, "primary key")
	}
	for _, x := range def.Indexes {
		for _, id := range x.Columns {
			if id == def.Columns[ord].ID {
				kind := "index"
				if x.Unique {
					kind = "unique index"
				}
				if x.Kind != storage.OrderedIndex {
					kind = string(x.Kind) + " " + kind
				}
				parts = append(parts, fmt.Sprintf("%s %s", kind, x.Name))
			}
		}
	}
	return strings.Join(parts, ", ")
}
