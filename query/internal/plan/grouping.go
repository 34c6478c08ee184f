package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// grouping turns expressions over rows into expressions over groups.
type grouping struct {
	b     *binder
	node  *aggNode
	keys  map[string]*column
	aggs  map[string]*column
	scope *scope
}

func (b *binder) newGrouping(in node, groups []*expr, s *scope) *grouping {
	g := &grouping{b: b, node: &aggNode{in: in}, keys: map[string]*column{}, aggs: map[string]*column{}, scope: s}
	for _, e := range groups {
		g.key(e)
	}
	return g
}

// key adds a key to group by.
func (g *grouping) key(e *expr) *column {
	k := e.key()
	if c := g.keys[k]; c != nil {
		return c
	}
	c := &column{name: e.text, typ: e.typ, enc: e.enc, rank: g.b.rankOf(e)}
	if e.op == opColumn {
		c.name, c.table = e.col.name, e.col.table
	}
	g.keys[k] = c
	g.node.keys = append(g.node.keys, e)
	g.node.keyCols = append(g.node.keyCols, c)
	return c
}

// replace returns e with keys and aggregates as columns of the groups.
func (g *grouping) replace(e *expr) (*expr, error) {
	var err error
	out := e.rewrite(func(x *expr) *expr {
		if fixed(x) {
			return x
		}
		if c := g.keys[x.key()]; c != nil {
			r := columnExpr(c, x.pos)
			r.text = x.text
			return r
		}
		switch x.op {
		case opAgg:
			r := columnExpr(g.aggregate(x), x.pos)
			r.text = x.text
			return r
		case opColumn:
			if g.determined(x.col) {
				r := columnExpr(g.key(x), x.pos)
				r.text = x.text
				return r
			}
			if err == nil {
				if len(g.node.keys) == 0 {
					err = parse.Errorf(x.pos, "%s is used beside an aggregate: put it into an aggregate, or add GROUP BY %s", x.text, x.text)
				} else {
					err = parse.Errorf(x.pos, "%s is neither in GROUP BY nor in an aggregate", x.text)
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
func (g *grouping) determined(c *column) bool {
	scan := scanFor(g.node.in, c)
	if scan == nil || scan.table.Def().PrimaryKey < 0 {
		return false
	}
	pk := scan.cols[scan.table.Def().PrimaryKey]
	for _, k := range g.node.keys {
		if k.op == opColumn && k.col == pk {
			return true
		}
	}
	return false
}

// aggregate returns the column of an aggregate.
func (g *grouping) aggregate(e *expr) *column {
	k := e.key()
	if c := g.aggs[k]; c != nil {
		return c
	}
	c := &column{name: e.text, typ: e.typ, enc: e.enc, rank: g.b.rankOf(e)}
	g.aggs[k] = c
	g.node.aggs = append(g.node.aggs, e.agg)
	g.node.aggCols = append(g.node.aggCols, c)
	return c
}
