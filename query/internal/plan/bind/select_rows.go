package bind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// rowsItem tells whether an item of a select list is a function that gives rows, of one column.
func rowsItem(it *parse.SelectItem) *parse.Call {
	c, ok := it.Expr.(*parse.Call)
	if !ok || c.Over != nil || c.Of.Name != "" || c.Star {
		return nil
	}
	name := strings.ToLower(c.Func.Name)
	f := rowFuncs[name]
	if _, known := fn.Lookup(name); f == nil || known || !f.one && !f.scalar || strings.Contains(name, ".") {
		return nil
	}
	return c
}

// withRows puts functions of the select list that give rows where they are computed: behind the tables of
// FROM, for each of their rows. Several run side by side, and one that has ended gives NULL. It returns c where there is none.
func (b *Binder) withRows(c *parse.Core) (*parse.Core, error) {
	var at []int
	for i := range c.Items {
		call := rowsItem(&c.Items[i])
		switch {
		case call == nil:
			continue
		case len(c.GroupBy) > 0 || c.Having != nil || c.Qualify != nil || len(c.Windows) > 0 || groups(c):
			return nil, parse.Errorf(call.Pos, "%s gives rows, which are not to be grouped or numbered at once", call.Func).WithHint("write it in FROM, or around a subquery that groups")
		case call.Distinct || len(call.OrderBy) > 0 || call.Filter != nil:
			return nil, parse.Errorf(call.Pos, "DISTINCT, ORDER BY and FILTER within a call are for aggregates; %s is not one", call.Func)
		}
		at = append(at, i)
	}
	if len(at) == 0 {
		return c, nil
	}
	own := *c
	own.Items = slices.Clone(c.Items)
	pos := own.Items[at[0]].Pos
	number := parse.Ident{Pos: pos, Name: "number_of_row"}
	side := parse.Ident{Pos: pos, Name: "side_by_side"}
	var from parse.TableExpr
	var items []parse.SelectItem
	for k, i := range at {
		it := &own.Items[i]
		call := rowsItem(it)
		name := strings.ToLower(call.Func.Name)
		rows := parse.Ident{Pos: it.Pos, Name: name + "_rows"}
		value := parse.Ident{Pos: it.Pos, Name: "value"}
		f := &parse.TableFunc{Pos: call.Pos, Func: parse.Ident{Pos: call.Func.Pos, Name: name}, Args: call.Args, Alias: rows, Columns: []parse.Ident{value}}
		if len(at) > 1 {
			f.Alias.Name, f.Ordinality = fmt.Sprintf("rows%d", k+1), true
			f.Columns[0].Name = fmt.Sprintf("value%d", k+1)
			rows, value = side, f.Columns[0]
			f.Columns = append(f.Columns, number)
			items = append(items, parse.SelectItem{Pos: it.Pos, Expr: &parse.ColumnRef{Pos: call.Pos, Table: f.Alias, Name: value}})
		}
		it.Alias = parse.Ident{Pos: it.Pos, Name: cmp.Or(it.Alias.Name, name), Quoted: it.Alias.Quoted}
		it.Expr = &parse.ColumnRef{Pos: call.Pos, Table: rows, Name: value}
		var one parse.TableExpr = f
		if len(at) > 1 { // its arguments are columns of the query around, not of what it is joined with
			all := []parse.SelectItem{{Pos: call.Pos, Star: true}}
			one = &parse.SubqueryTable{Pos: call.Pos, Query: &parse.Select{Pos: call.Pos, Body: &parse.Core{Pos: call.Pos, Items: all, From: f}}, Alias: f.Alias}
		}
		if from == nil {
			from = one
		} else {
			from = &parse.Join{Pos: call.Pos, Kind: parse.FullJoin, Left: from, Right: one, Using: []parse.Ident{number}}
		}
	}
	if len(at) > 1 {
		order := []parse.OrderItem{{Pos: pos, Expr: &parse.ColumnRef{Pos: pos, Name: number}}}
		q := &parse.Select{Pos: pos, Body: &parse.Core{Pos: pos, Items: items, From: from}, OrderBy: order}
		from = &parse.SubqueryTable{Pos: pos, Lateral: own.From != nil, Query: q, Alias: side}
	}
	if own.From == nil {
		own.From = from
	} else {
		var items []parse.SelectItem
		for _, it := range own.Items { // the rows are not among all columns
			if !it.Star || it.Table.Name != "" {
				items = append(items, it)
				continue
			}
			names, ok := tableNames(own.From, nil)
			if !ok {
				return nil, parse.Errorf(pos, "beside * a function that gives rows stands in FROM").WithHint("SELECT * FROM ..., generate_series(1, 3) AS x")
			}
			for _, name := range names {
				name.Pos = it.Pos
				items = append(items, parse.SelectItem{Pos: it.Pos, Star: true, Table: name})
			}
		}
		own.Items = items
		own.From = &parse.Join{Pos: pos, Kind: parse.CrossJoin, Left: own.From, Right: from}
	}
	if b.frozen != nil { // the tree is the view's own
		*c = own
		return c, nil
	}
	return &own, nil
}

// tableNames appends the names by which all columns of FROM are those of its tables, one after
// the other; ok is false where that is not so.
func tableNames(t parse.TableExpr, to []parse.Ident) (names []parse.Ident, ok bool) {
	name := parse.Ident{}
	switch t := t.(type) {
	case *parse.TableName:
		if name = t.Alias; name.Name == "" {
			name = t.Table
		}
	case *parse.TableFunc:
		name = t.Alias
	case *parse.SubqueryTable:
		name = t.Alias
	case *parse.Join:
		if len(t.Using) > 0 {
			return nil, false
		}
		if to, ok = tableNames(t.Left, to); ok {
			to, ok = tableNames(t.Right, to)
		}
		return to, ok
	}
	return append(to, name), name.Name != ""
}

// groups reports whether a select list or what follows it has an aggregate or a window function.
func groups(c *parse.Core) (found bool) {
	look := func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.Call:
			found = found || n.Over != nil || fn.IsAggregate(strings.ToLower(n.Func.Name))
		case *parse.Select:
			return false
		}
		return true
	}
	for i := range c.Items {
		if c.Items[i].Expr != nil {
			parse.Walk(c.Items[i].Expr, look)
		}
	}
	return found
}
