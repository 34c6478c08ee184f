package bind

import (
	"fmt"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// values binds VALUES (...), (...).
func (b *Binder) values(v *parse.Values, outer *Scope, want []target) (*logical.Relation, error) {
	s := &Scope{outer: outer, Inside: "VALUES"}
	n := &logical.Values{}
	width := len(v.Rows[0])
	types := make([][]fn.ArgType, width)
	for _, row := range v.Rows {
		bound := make([]*logical.Expr, width)
		for i, e := range row {
			x, err := b.item(s, e, want, i)
			if err != nil {
				return nil, err
			}
			bound[i] = x
			types[i] = append(types[i], logical.ArgType(x))
		}
		n.Rows = append(n.Rows, bound)
	}
	for i := range width {
		t, err := fn.Common("VALUES", types[i])
		if err != nil {
			return nil, logical.ErrorAt(v.Rows[0][i].Position(), err)
		}
		if t.Kind == value.Null {
			t = logical.TextType
		}
		for _, row := range n.Rows {
			if row[i], err = b.castTo(row[i], t, fn.Implicit); err != nil {
				return nil, err
			}
		}
		n.Outs = append(n.Outs, &logical.Column{Name: fmt.Sprintf("column%d", i+1), Type: t, Encoding: n.Rows[0][i].Encoding})
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, nil
}

func (b *Binder) union(u *parse.Union, outer *Scope, want []target) (*logical.Relation, error) {
	l, err := b.body(u.Left, outer, want)
	if err != nil {
		return nil, err
	}
	r, err := b.body(u.Right, outer, want)
	if err != nil {
		return nil, err
	}
	word := [...]string{"UNION", "EXCEPT", "INTERSECT"}[u.Op]
	if len(l.Cols) != len(r.Cols) {
		return nil, parse.Errorf(u.Right.Position(), "%s needs queries of equally many columns; these have %d and %d", word, len(l.Cols), len(r.Cols))
	}
	n := &logical.Union{}
	for i, c := range l.Cols {
		t, err := fn.Common(word, []fn.ArgType{{Type: c.Type}, {Type: r.Cols[i].Type}})
		if err != nil {
			return nil, logical.ErrorAt(u.Right.Position(), err)
		}
		out := &logical.Column{Name: c.Name, Type: t, Encoding: c.Encoding, Array: c.Array, Rank: c.Rank}
		if r.Cols[i].Rank != c.Rank {
			out.Rank = logical.Mixed
		}
		n.Outs = append(n.Outs, out)
	}
	for _, side := range []*logical.Relation{l, r} {
		if in, err := b.converted(side, n.Outs); err != nil {
			return nil, err
		} else if un, ok := in.(*logical.Union); ok && side == l && u.All && u.Op == parse.UnionOp {
			n.Ins = append(n.Ins, un.Ins...)
		} else {
			n.Ins = append(n.Ins, in)
		}
	}
	if u.Op != parse.UnionOp && u.All {
		return b.ofNumbered(u.Op, n)
	}
	if u.Op != parse.UnionOp {
		return b.ofSides(u.Op, n)
	}
	var out logical.Node = n
	if !u.All {
		out = &logical.Distinct{In: n}
	}
	return &logical.Relation{Node: out, Cols: n.Outs}, nil
}

// ofNumbered gives the rows of EXCEPT ALL and INTERSECT ALL: equal rows of a side are numbered,
// and with their numbers no row is given twice.
func (b *Binder) ofNumbered(op parse.SetOp, n *logical.Union) (*logical.Relation, error) {
	numbered := &logical.Union{Outs: append(n.Outs[:len(n.Outs):len(n.Outs)], &logical.Column{Name: "number", Type: logical.IntType})}
	for _, in := range n.Ins {
		call, err := fn.ResolveWindow("row_number", nil)
		if err != nil {
			return nil, err
		}
		w := &logical.WindowCall{Call: call, Text: "row_number()", Frame: logical.Frame{StartKind: parse.UnboundedPreceding, EndKind: parse.CurrentRow}}
		for _, c := range in.Columns() {
			w.Partition = append(w.Partition, logical.ColumnExpr(c, parse.Pos{}))
		}
		number := &logical.Column{Name: "number", Type: logical.IntType}
		p := &logical.Project{In: &logical.Window{In: in, Partition: w.Partition, Calls: []*logical.WindowCall{w}, Outs: []*logical.Column{number}}}
		for _, c := range append(slices.Clone(in.Columns()), number) {
			p.Items = append(p.Items, logical.ColumnExpr(c, parse.Pos{}))
			x := *c
			p.Outs = append(p.Outs, &x)
		}
		numbered.Ins = append(numbered.Ins, p)
	}
	out, err := b.ofSides(op, numbered)
	if err != nil {
		return nil, err
	}
	return &logical.Relation{Node: out.Node, Cols: out.Cols[:len(n.Outs)]}, nil
}

// ofSides gives the rows of EXCEPT and INTERSECT: the sides are put one after the other, with
// a mark of their side, and each row that comes from the right ones is given once.
func (b *Binder) ofSides(op parse.SetOp, n *logical.Union) (*logical.Relation, error) {
	both := &logical.Union{Outs: append(n.Outs[:len(n.Outs):len(n.Outs)], &logical.Column{Name: "side", Type: logical.IntType})}
	for side, in := range n.Ins {
		p := &logical.Project{In: in}
		for _, c := range in.Columns() {
			p.Items = append(p.Items, logical.ColumnExpr(c, parse.Pos{}))
			x := *c
			p.Outs = append(p.Outs, &x)
		}
		p.Items = append(p.Items, logical.Constant(value.Int(int64(side)), parse.Pos{}, ""))
		p.Outs = append(p.Outs, &logical.Column{Name: "side", Type: logical.IntType})
		both.Ins = append(both.Ins, p)
	}
	mark := logical.ColumnExpr(both.Outs[len(n.Outs)], parse.Pos{})
	g := &logical.Group{In: both}
	for _, c := range n.Outs {
		g.Keys = append(g.Keys, logical.ColumnExpr(c, parse.Pos{}))
		k := *c
		g.KeyCols = append(g.KeyCols, &k)
	}
	out := &logical.Filter{In: g}
	test := func(aggregate string, side int64) error {
		call, err := fn.ResolveAggregate(aggregate, []fn.ArgType{{Type: logical.IntType}}, nil)
		if err != nil {
			return err
		}
		c := &logical.Column{Name: aggregate, Type: call.Result}
		g.Aggs, g.AggCols = append(g.Aggs, &logical.Aggregate{Call: call, Arg: mark}), append(g.AggCols, c)
		cond, err := b.apply("=", parse.Pos{}, logical.ColumnExpr(c, parse.Pos{}), logical.Constant(value.Int(side), parse.Pos{}, ""))
		cond.Text = aggregate + " of the sides"
		out.Conds = append(out.Conds, cond)
		return err
	}
	last := int64(0) // EXCEPT: the row comes from the left side only
	if op == parse.IntersectOp {
		last = 1
		if err := test("min", 0); err != nil {
			return nil, err
		}
	}
	if err := test("max", last); err != nil {
		return nil, err
	}
	return &logical.Relation{Node: out, Cols: g.KeyCols}, nil
}

// converted returns a node whose columns, in order, are those of r with the types of outs.
func (b *Binder) converted(r *logical.Relation, outs []*logical.Column) (logical.Node, error) {
	p := &logical.Project{In: r.Node}
	for i, c := range r.Cols {
		e, err := b.castTo(logical.ColumnExpr(c, parse.Pos{}), outs[i].Type, fn.Implicit)
		if err != nil {
			return nil, err
		}
		p.Items = append(p.Items, e)
		p.Outs = append(p.Outs, &logical.Column{Name: c.Name, Type: outs[i].Type})
	}
	return p, nil
}
