package bind

import (
	"fmt"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// declared brings a value to what a column's or a cast's type says beyond its kind. A text
// that is too long is cut in a cast, and an error where it is stored.
func (b *Binder) declared(x *logical.Expr, name string, cut bool) (*logical.Expr, error) {
	if name == "" || name == "VARCHAR" || x.Type.Kind == value.Null {
		return x, nil
	}
	c, err := fn.Declared(name, cut)
	if err != nil {
		return nil, logical.ErrorAt(x.Pos, err)
	}
	return b.folded(&logical.Expr{Op: logical.OpCall, Type: c.Result, Pos: x.Pos, Call: c, Args: []*logical.Expr{x}, Text: x.Text})
}

// CheckRows puts the conditions of a table above rows that have all its columns.
func (b *Binder) CheckRows(in *logical.Relation, table *storage.TableDef) (*logical.Relation, error) {
	return b.checks(in, table, len(in.Cols), func(ord int) *logical.Column { return in.Cols[ord] })
}

// checks puts the conditions of a table above rows that go into it: of is the column of the
// input that holds a column of the table. The outcome has the first n columns of the input,
// and what is checked is what depends on one of those.
func (b *Binder) checks(in *logical.Relation, table *storage.TableDef, n int, of func(ord int) *logical.Column) (*logical.Relation, error) {
	if len(table.Checks) == 0 {
		return in, nil
	}
	s := &Scope{Inside: "CHECK"}
	renamed := map[*logical.Column]*logical.Expr{}
	for i := range table.Columns {
		c := &logical.Column{Table: table.Name, Name: table.Columns[i].Name, Type: of(i).Type}
		s.columns = append(s.columns, c)
		renamed[c] = logical.ColumnExpr(of(i), parse.Pos{})
	}
	p := &logical.Project{In: in.Node}
	for _, c := range in.Cols[:n] {
		p.Items = append(p.Items, logical.ColumnExpr(c, parse.Pos{}))
		x := *c
		p.Outs = append(p.Outs, &x)
	}
	for _, check := range table.Checks {
		cond, err := b.checkOf(s, table, check)
		if err != nil {
			return nil, err
		}
		cond = logical.Substitute(cond, renamed)
		used := logical.ColumnsOf(cond)
		if len(used) > 0 && !slices.ContainsFunc(in.Cols[:n], func(c *logical.Column) bool { return used[c] }) {
			continue // an UPDATE sets none of its columns
		}
		p.Items[0] = checkedExpr(p.Items[0], cond, table, check)
	}
	return &logical.Relation{Node: p, Cols: p.Outs}, nil
}

// checkedExpr is x, and an error where the condition is false.
func checkedExpr(x, cond *logical.Expr, table *storage.TableDef, check storage.CheckDef) *logical.Expr {
	return &logical.Expr{Op: logical.OpCall, Type: x.Type, Text: x.Text, Args: []*logical.Expr{x, cond},
		Call: fn.Checked(x.Type, &storage.CheckError{Table: table.Name, Constraint: check.Name, Condition: check.Expr})}
}

// checkOf binds the condition of a check.
func (b *Binder) checkOf(s *Scope, table *storage.TableDef, check storage.CheckDef) (*logical.Expr, error) {
	e, err := parseExpr(check.Expr)
	if err != nil {
		return nil, fmt.Errorf("constraint %s of %s: %w", check.Name, table.Name, err)
	}
	cond, err := b.condition(s, e, "CHECK")
	if err != nil {
		return nil, fmt.Errorf("constraint %s of %s: %w", check.Name, table.Name, err)
	}
	return cond, nil
}

// checkUpdated puts the conditions of the table above what ON CONFLICT DO UPDATE sets.
func (b *Binder) checkUpdated(def *storage.TableDef, old []*logical.Column, u *logical.ConflictUpdate) error {
	set := map[*logical.Column]*logical.Expr{}
	for i, ord := range u.Cols {
		set[old[ord]] = u.Items[i]
	}
	for _, check := range def.Checks {
		cond, err := b.checkOf(&Scope{columns: old, Inside: "CHECK"}, def, check)
		if err != nil {
			return err
		}
		for c := range logical.ColumnsOf(cond) {
			if set[c] != nil {
				u.Items[0] = checkedExpr(u.Items[0], logical.Substitute(cond, set), def, check)
				break
			}
		}
	}
	return nil
}

// Check binds the condition of a CHECK over the columns of a table that is defined.
func (b *Binder) Check(def *storage.TableDef, e parse.Expr) (*logical.Expr, error) {
	s := &Scope{Inside: "CHECK"}
	for i := range def.Columns {
		c := &def.Columns[i]
		s.columns = append(s.columns, &logical.Column{Table: def.Name, Name: c.Name, Type: c.Type, Encoding: EncodingOf(def, i)})
	}
	return b.condition(s, e, "CHECK")
}
