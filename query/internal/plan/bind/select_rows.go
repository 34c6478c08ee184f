package bind

import (
	"cmp"
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

// withRows puts a function of the select list that gives rows where it is computed: behind the tables of
// FROM, once for each of their rows. It returns c where there is none.
func (b *Binder) withRows(c *parse.Core) (*parse.Core, error) {
	at := -1
	for i := range c.Items {
		call := rowsItem(&c.Items[i])
		switch {
		case call == nil:
			continue
		case at >= 0:
			return nil, parse.Errorf(call.Pos, "one function of a select list can give rows; this is another").WithHint("it stands in FROM: FROM %s AS x", call)
		case len(c.GroupBy) > 0 || c.Having != nil || c.Qualify != nil || len(c.Windows) > 0 || groups(c):
			return nil, parse.Errorf(call.Pos, "%s gives rows, which are not to be grouped or numbered at once", call.Func).WithHint("write it in FROM, or around a subquery that groups")
		case call.Distinct || len(call.OrderBy) > 0 || call.Filter != nil:
			return nil, parse.Errorf(call.Pos, "DISTINCT, ORDER BY and FILTER within a call are for aggregates; %s is none", call.Func)
		}
		at = i
	}
	if at < 0 {
		return c, nil
	}
	own := *c
	own.Items = slices.Clone(c.Items)
	it := &own.Items[at]
	call := rowsItem(it)
	name := strings.ToLower(call.Func.Name)
	rows := parse.Ident{Pos: it.Pos, Name: name + "_rows"}
	value := parse.Ident{Pos: it.Pos, Name: "value"}
	f := &parse.TableFunc{Pos: call.Pos, Func: parse.Ident{Pos: call.Func.Pos, Name: name}, Args: call.Args, Alias: rows, Columns: []parse.Ident{value}}
	it.Alias = parse.Ident{Pos: it.Pos, Name: cmp.Or(it.Alias.Name, name), Quoted: it.Alias.Quoted}
	it.Expr = &parse.ColumnRef{Pos: call.Pos, Table: rows, Name: value}
	if own.From == nil {
		own.From = f
	} else {
		for i := range own.Items { // the rows are not among all columns
			if s := &own.Items[i]; s.Star && s.Table.Name == "" {
				return nil, parse.Errorf(call.Pos, "beside * a function that gives rows stands in FROM").WithHint("SELECT * FROM ..., %s AS x", call)
			}
		}
		own.From = &parse.Join{Pos: call.Pos, Kind: parse.CrossJoin, Left: own.From, Right: f}
	}
	if b.frozen != nil { // the tree is the view's own
		*c = own
		return c, nil
	}
	return &own, nil
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
