package bind

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// maxSets bounds the groupings of one GROUP BY.
const maxSets = 256

// groupItems binds the items of GROUP BY: all expressions, and with ROLLUP, CUBE and GROUPING SETS which of them each
// grouping has; without those sets is nil.
type groupItems struct {
	b     *Binder
	bind  func(parse.Expr) (*logical.Expr, error)
	all   func() []*logical.Expr // what GROUP BY ALL means
	exprs []*logical.Expr
	known map[string]int
}

// one returns the number of an expression.
func (g *groupItems) one(e *logical.Expr) int {
	k := e.Key()
	if i, ok := g.known[k]; ok {
		return i
	}
	g.known[k] = len(g.exprs)
	g.exprs = append(g.exprs, e)
	return len(g.exprs) - 1
}

// items returns the groupings that several items make together.
func (g *groupItems) items(list []parse.Expr) ([][]int, error) {
	sets := [][]int{nil}
	for _, e := range list {
		own, err := g.sets(e)
		if err != nil {
			return nil, err
		}
		if len(sets)*len(own) > maxSets {
			return nil, parse.Errorf(parse.Start(e), "GROUP BY makes too many groupings: at most %d", maxSets)
		}
		var next [][]int
		for _, a := range sets {
			for _, b := range own {
				next = append(next, slices.Concat(a, b))
			}
		}
		sets = next
	}
	return sets, nil
}

// sets returns the groupings of one item.
func (g *groupItems) sets(e parse.Expr) ([][]int, error) {
	t, ok := e.(*parse.Grouping)
	if !ok {
		x, err := g.bind(e)
		if err != nil {
			return nil, err
		}
		return [][]int{{g.one(x)}}, nil
	}
	switch t.Kind {
	case parse.GroupAll:
		var set []int
		for _, x := range g.all() {
			set = append(set, g.one(x))
		}
		return [][]int{set}, nil
	case parse.GroupList:
		return g.items(t.List)
	case parse.GroupingSets:
		var out [][]int
		for _, x := range t.List {
			sets, err := g.sets(x)
			if err != nil {
				return nil, err
			}
			if out = append(out, sets...); len(out) > maxSets {
				return nil, parse.Errorf(t.Pos, "GROUP BY makes too many groupings: at most %d", maxSets)
			}
		}
		return out, nil
	}
	var parts [][]int
	for _, x := range t.List {
		sets, err := g.sets(x)
		if err != nil {
			return nil, err
		}
		if len(sets) != 1 {
			return nil, parse.Errorf(parse.Start(x), "ROLLUP and CUBE stand in GROUPING SETS, not in each other")
		}
		parts = append(parts, sets[0])
	}
	if t.Kind == parse.Rollup {
		var out [][]int
		for n := len(parts); n >= 0; n-- {
			out = append(out, slices.Concat(parts[:n]...))
		}
		return out, nil
	}
	if len(parts) > 8 {
		return nil, parse.Errorf(t.Pos, "CUBE of %d makes too many groupings: at most %d", len(parts), maxSets)
	}
	var out [][]int
	for without := range 1 << len(parts) {
		var set []int
		for i, p := range parts {
			if without>>(len(parts)-1-i)&1 == 0 {
				set = append(set, p...)
			}
		}
		out = append(out, set)
	}
	return out, nil
}

// groupBy binds GROUP BY.
func (b *Binder) groupBy(c *parse.Core, bind func(parse.Expr) (*logical.Expr, error), all func() []*logical.Expr) (exprs []*logical.Expr, sets [][]int, err error) {
	g := &groupItems{b: b, bind: bind, all: all, known: map[string]int{}}
	several := slices.ContainsFunc(c.GroupBy, func(e parse.Expr) bool {
		t, ok := e.(*parse.Grouping)
		return ok && t.Kind != parse.GroupAll
	})
	sets, err = g.items(c.GroupBy)
	if !several {
		sets = nil
	}
	return g.exprs, sets, err
}

// grouping binds grouping(a, b): a bit for each of the arguments, 1 where the row's grouping is not by it.
func (b *Binder) grouping(s *Scope, e *parse.Call) (*logical.Expr, error) {
	if !s.aggregates {
		return nil, parse.Errorf(e.Pos, "grouping() can't be used in %s", cmp.Or(s.Inside, "WHERE"))
	}
	if len(e.Args) == 0 || len(e.Args) > 31 {
		return nil, parse.Errorf(e.Pos, "grouping takes 1 to 31 expressions of GROUP BY")
	}
	x := &logical.Expr{Op: logical.OpGrouping, Type: logical.IntType, Pos: e.Pos, Text: b.texts.Of(e)}
	for _, a := range e.Args {
		own, err := b.Expr(s, a)
		if err != nil {
			return nil, err
		}
		x.Args = append(x.Args, own)
	}
	return x, nil
}

// bits replaces grouping(...).
func (g *grouping) bits(x *logical.Expr) (*logical.Expr, error) {
	var keys []*logical.Column
	for _, a := range x.Args {
		c := g.keys[a.Key()]
		if c == nil {
			return nil, parse.Errorf(x.Pos, "grouping(%s): %s is not in GROUP BY", a, a)
		}
		keys = append(keys, c)
	}
	if g.sets == nil {
		return logical.Constant(value.Int(0), x.Pos, x.Text), nil
	}
	k := x.Key()
	if g.masks[k] == nil {
		if g.masks == nil {
			g.masks = map[string]*mask{}
		}
		g.masks[k] = &mask{keys, &logical.Column{Name: "grouping", Type: logical.IntType}}
		g.order = append(g.order, g.masks[k])
	}
	r := logical.ColumnExpr(g.masks[k].out, x.Pos)
	r.Text = x.Text
	return r, nil
}

// mask is a call of grouping().
type mask struct {
	keys []*logical.Column
	out  *logical.Column
}

// result is the node of the groups: with several groupings the rows of all of them, one grouping after the other.
func (g *grouping) result() logical.Node {
	if g.sets == nil {
		return g.node
	}
	outs := slices.Concat(g.node.KeyCols, g.node.AggCols)
	for _, m := range g.order {
		outs = append(outs, m.out)
	}
	u := &logical.Union{Outs: outs}
	for _, set := range g.sets {
		one := &logical.Group{In: logical.CopyNode(g.node.In), Aggs: slices.Clone(g.node.Aggs)}
		p := &logical.Project{In: one}
		add := func(e *logical.Expr, c *logical.Column) {
			own := *c
			p.Items, p.Outs = append(p.Items, e), append(p.Outs, &own)
		}
		in := map[*logical.Column]bool{}
		for i, k := range g.node.Keys {
			out := g.node.KeyCols[i]
			if !slices.Contains(set, i) {
				add(&logical.Expr{Op: logical.OpConst, Type: out.Type, Text: "NULL"}, out)
				continue
			}
			own := *out
			one.Keys, one.KeyCols = append(one.Keys, k), append(one.KeyCols, &own)
			in[out] = true
			add(logical.ColumnExpr(&own, k.Pos), out)
		}
		for _, c := range g.node.AggCols {
			own := *c
			one.AggCols = append(one.AggCols, &own)
			add(logical.ColumnExpr(&own, parse.Pos{}), c)
		}
		for _, m := range g.order {
			bits := int64(0)
			for _, k := range m.keys {
				bits <<= 1
				if !in[k] {
					bits |= 1
				}
			}
			add(logical.Constant(value.Int(bits), parse.Pos{}, ""), m.out)
		}
		u.Ins = append(u.Ins, p)
	}
	return u
}

// isGrouping reports whether a call is grouping().
func isGrouping(name string) bool { return strings.EqualFold(name, "grouping") }
