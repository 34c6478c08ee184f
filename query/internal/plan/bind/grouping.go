package bind

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// grouping turns expressions over rows into expressions over groups.
type grouping struct {
	b     *Binder
	node  *logical.Group
	keys  map[string]*logical.Column
	kinds map[logical.Op]bool // of the keys
	aggs  map[string]*logical.Column
	scope *Scope
	sets  [][]int // with ROLLUP and the like: which keys each grouping has
	masks map[string]*mask
	order []*mask
}

func (b *Binder) newGrouping(in logical.Node, groups []*logical.Expr, s *Scope) *grouping {
	g := &grouping{b: b, node: &logical.Group{In: in}, keys: map[string]*logical.Column{}, kinds: map[logical.Op]bool{}, aggs: map[string]*logical.Column{}, scope: s}
	for _, e := range groups {
		g.key(e)
	}
	return g
}

// key adds a key to group by.
func (g *grouping) key(e *logical.Expr) *logical.Column {
	k := e.Key()
	if c := g.keys[k]; c != nil {
		return c
	}
	c := &logical.Column{Name: e.Text, Type: e.Type, Encoding: e.Encoding, Array: e.Array, Rank: g.b.rankOf(e)}
	if e.Op == logical.OpColumn {
		c.Name, c.Table = e.Column.Name, e.Column.Table
	}
	g.keys[k], g.kinds[e.Op] = c, true
	g.node.Keys = append(g.node.Keys, e)
	g.node.KeyCols = append(g.node.KeyCols, c)
	return c
}

// replace returns e with keys and aggregates as columns of the groups.
func (g *grouping) replace(e *logical.Expr) (*logical.Expr, error) {
	var err error
	out := e.Rewrite(func(x *logical.Expr) *logical.Expr {
		if logical.Fixed(x) {
			return x
		}
		if g.kinds[x.Op] { // to ask of a part that can be none for its own key costs what the part is long
			if c := g.keys[x.Key()]; c != nil {
				r := logical.ColumnExpr(c, x.Pos)
				r.Text = x.Text
				return r
			}
		}
		switch x.Op {
		case logical.OpGrouping:
			r, e := g.bits(x)
			if e != nil {
				if err == nil {
					err = e
				}
				return x
			}
			return r
		case logical.OpAgg:
			r := logical.ColumnExpr(g.aggregate(x), x.Pos)
			r.Text = x.Text
			return r
		case logical.OpColumn:
			if g.determined(x.Column) {
				r := logical.ColumnExpr(g.key(x), x.Pos)
				r.Text = x.Text
				return r
			}
			if err == nil {
				if len(g.node.Keys) == 0 {
					err = parse.Errorf(x.Pos, "%s is used beside an aggregate: put it into an aggregate, or add GROUP BY %s", x.Text, x.Text)
				} else {
					err = parse.Errorf(x.Pos, "%s is neither in GROUP BY nor in an aggregate", x.Text)
				}
			}
			return x
		}
		return nil
	})
	return out, err
}

// determined reports whether the keys hold the primary key of c's table, so that
// c has one value in each group.
func (g *grouping) determined(c *logical.Column) bool {
	scan := logical.ScanFor(g.node.In, c)
	if scan == nil || g.sets != nil || scan.Table.Def().PrimaryKey < 0 {
		return false
	}
	pk := scan.Cols[scan.Table.Def().PrimaryKey]
	for _, k := range g.node.Keys {
		if k.Op == logical.OpColumn && k.Column == pk {
			return true
		}
	}
	return false
}

// aggregate returns the column of an aggregate.
func (g *grouping) aggregate(e *logical.Expr) *logical.Column {
	k := e.Key()
	if c := g.aggs[k]; c != nil {
		return c
	}
	c := &logical.Column{Name: e.Text, Type: e.Type, Encoding: e.Encoding, Array: e.Array, Rank: g.b.rankOf(e)}
	g.aggs[k] = c
	g.node.Aggs = append(g.node.Aggs, e.Aggregate)
	g.node.AggCols = append(g.node.AggCols, c)
	return c
}
