package bind

import (
	"fmt"

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
	if len(l.Cols) != len(r.Cols) {
		return nil, parse.Errorf(u.Right.Position(), "UNION needs queries of equally many columns; these have %d and %d", len(l.Cols), len(r.Cols))
	}
	n := &logical.Union{}
	for i, c := range l.Cols {
		t, err := fn.Common("UNION", []fn.ArgType{{Type: c.Type}, {Type: r.Cols[i].Type}})
		if err != nil {
			return nil, logical.ErrorAt(u.Right.Position(), err)
		}
		out := &logical.Column{Name: c.Name, Type: t, Encoding: c.Encoding, Rank: c.Rank}
		if r.Cols[i].Rank != c.Rank {
			out.Rank = logical.Mixed
		}
		n.Outs = append(n.Outs, out)
	}
	for _, side := range []*logical.Relation{l, r} {
		if in, err := b.converted(side, n.Outs); err != nil {
			return nil, err
		} else if un, ok := in.(*logical.Union); ok && side == l && u.All {
			n.Ins = append(n.Ins, un.Ins...)
		} else {
			n.Ins = append(n.Ins, in)
		}
	}
	var out logical.Node = n
	if !u.All {
		out = &logical.Distinct{In: n}
	}
	return &logical.Relation{Node: out, Cols: n.Outs}, nil
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
