package bind

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// names counts how often a query reads what is called name.
func names(q parse.Node, name parse.Ident) (n int) {
	parse.Walk(q, func(x parse.Node) bool {
		if t, ok := x.(*parse.TableName); ok && t.Table.Database == "" && t.Table.Means(name.Name) {
			n++
		}
		return true
	})
	return n
}

// recursion binds a query of WITH RECURSIVE that uses itself; nil where it turns out not to.
func (b *Binder) recursion(c cte) (*logical.Relation, error) {
	q, name := c.def.Query, c.def.Name.Name
	u, ok := q.Body.(*parse.Union)
	if !ok || u.Op != parse.UnionOp {
		return nil, parse.Errorf(q.Pos, "%s uses itself, so it has to be: first rows UNION [ALL] further rows, made of those of %s before", name, name)
	}
	for _, e := range []parse.Expr{q.Limit, q.Offset} {
		if e != nil {
			return nil, parse.Errorf(parse.Start(e), "WITH RECURSIVE takes no LIMIT and OFFSET in %s", name).WithHint("write it where %s is used", name)
		}
	}
	if len(q.OrderBy) > 0 {
		return nil, parse.Errorf(q.OrderBy[0].Pos, "WITH RECURSIVE takes no ORDER BY in %s", name).WithHint("write it where %s is used", name)
	}
	if err := b.with(q.With, q.Recursive, q); err != nil {
		return nil, err
	}
	rec := &logical.Recursion{Name: name, Block: b.Block}
	at := len(b.ctes)
	b.ctes = append(b.ctes, cte{def: c.def, working: rec})
	seed, err := b.body(u.Left, nil, nil)
	if err != nil {
		return nil, err
	}
	n := &logical.Recursive{Seed: seed.Node, Of: rec, All: u.All}
	for _, col := range seed.Cols {
		out := &logical.Column{Name: col.Name, Type: col.Type, Encoding: col.Encoding, Array: col.Array, Rank: col.Rank}
		if out.Type.Kind == value.Null {
			out.Type = logical.TextType
		}
		n.Outs = append(n.Outs, out)
	}
	if n.Seed, err = b.converted(seed, n.Outs); err != nil {
		return nil, err
	}
	b.ctes[at].outs = n.Outs
	step, err := b.body(u.Right, nil, nil)
	if err != nil {
		return nil, err
	}
	if rec.Uses == 0 {
		return nil, nil
	}
	if len(step.Cols) != len(n.Outs) {
		return nil, parse.Errorf(u.Right.Position(), "UNION needs queries of equally many columns; these have %d and %d", len(n.Outs), len(step.Cols))
	}
	for i, col := range step.Cols {
		t, err := fn.Common("UNION", []fn.ArgType{{Type: n.Outs[i].Type}, {Type: col.Type}})
		if err != nil {
			return nil, logical.ErrorAt(u.Right.Position(), err)
		}
		if t.Kind != n.Outs[i].Type.Kind {
			return nil, parse.Errorf(u.Right.Position(), "column %s of %s is %v in the first rows, and %v in further ones", n.Outs[i].Name, name, n.Outs[i].Type, col.Type).
				WithHint("CAST(... AS %v) in the SELECT before UNION", t)
		}
	}
	if err := stepRules(step.Node, u.Right.Position(), name); err != nil {
		return nil, err
	}
	if n.Step, err = b.converted(step, n.Outs); err != nil {
		return nil, err
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, nil
}

// stepRules refuses what would need all rows of a recursion where only the new ones are at hand.
func stepRules(step logical.Node, pos parse.Pos, name string) (err error) {
	working := func(n logical.Node) bool {
		return logical.AnyNode(n, func(n logical.Node) bool { _, ok := n.(*logical.Working); return ok })
	}
	logical.AnyNode(step, func(n logical.Node) bool {
		switch n := n.(type) {
		case *logical.Group:
			if working(n.In) {
				err = parse.Errorf(pos, "%s can't be grouped or counted in its own further rows: only those of the step before are at hand", name).WithHint("do so where %s is used", name)
			}
		case *logical.Join:
			if n.Kind == parse.LeftJoin && working(n.Right) {
				err = parse.Errorf(pos, "%s can't be the side of an outer join that may lack rows, in its own further rows", name)
			}
		}
		return err != nil
	})
	return err
}

// workingRef binds the use of a query of WITH RECURSIVE in its own further rows.
func (b *Binder) workingRef(c cte, t *parse.TableName) (*logical.Relation, error) {
	rec, name := c.working, c.def.Name.Name
	switch {
	case c.outs == nil:
		return nil, parse.Errorf(t.Pos, "%s can't be used in its first rows", name).WithHint("the SELECT behind UNION uses it")
	case b.Block != rec.Block:
		return nil, parse.Errorf(t.Pos, "%s can't be used in a subquery of its own further rows", name).WithHint("join it in FROM")
	case rec.Uses > 0:
		return nil, parse.Errorf(t.Pos, "%s can be used only once in its own further rows", name)
	}
	rec.Uses++
	outs, err := c.columns(c.outs, t)
	return &logical.Relation{Node: &logical.Working{Of: rec, Outs: outs}, Cols: outs}, err
}
