package plan

import (
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// values binds VALUES (...), (...).
func (b *binder) values(v *parse.Values, outer *scope, want []target) (*relation, error) {
	s := &scope{outer: outer, inside: "VALUES"}
	n := &valuesNode{}
	width := len(v.Rows[0])
	types := make([][]fn.ArgType, width)
	for _, row := range v.Rows {
		bound := make([]*expr, width)
		for i, e := range row {
			x, err := b.item(s, e, want, i)
			if err != nil {
				return nil, err
			}
			bound[i] = x
			types[i] = append(types[i], argType(x))
		}
		n.rows = append(n.rows, bound)
	}
	for i := range width {
		t, err := fn.Common("VALUES", types[i])
		if err != nil {
			return nil, errorAt(v.Rows[0][i].Position(), err)
		}
		if t.Kind == value.Null {
			t = textType
		}
		for _, row := range n.rows {
			if row[i], err = b.castTo(row[i], t, fn.Implicit); err != nil {
				return nil, err
			}
		}
		n.outs = append(n.outs, &column{name: fmt.Sprintf("column%d", i+1), typ: t, enc: n.rows[0][i].enc})
	}
	return &relation{n, n.outs}, nil
}

func (b *binder) union(u *parse.Union, outer *scope, want []target) (*relation, error) {
	l, err := b.body(u.Left, outer, want)
	if err != nil {
		return nil, err
	}
	r, err := b.body(u.Right, outer, want)
	if err != nil {
		return nil, err
	}
	if len(l.cols) != len(r.cols) {
		return nil, parse.Errorf(u.Right.Position(), "UNION needs queries of equally many columns; these have %d and %d", len(l.cols), len(r.cols))
	}
	n := &unionNode{}
	for i, c := range l.cols {
		t, err := fn.Common("UNION", []fn.ArgType{{Type: c.typ}, {Type: r.cols[i].typ}})
		if err != nil {
			return nil, errorAt(u.Right.Position(), err)
		}
		out := &column{name: c.name, typ: t, enc: c.enc, rank: c.rank}
		if r.cols[i].rank != c.rank {
			out.rank = mixed
		}
		n.outs = append(n.outs, out)
	}
	for _, side := range []*relation{l, r} {
		if in, err := b.converted(side, n.outs); err != nil {
			return nil, err
		} else if un, ok := in.(*unionNode); ok && side == l && u.All {
			n.ins = append(n.ins, un.ins...)
		} else {
			n.ins = append(n.ins, in)
		}
	}
	var out node = n
	if !u.All {
		out = &distinctNode{n}
	}
	return &relation{out, n.outs}, nil
}

// converted returns a node whose columns, in order, are those of r with the types of outs.
func (b *binder) converted(r *relation, outs []*column) (node, error) {
	p := &projectNode{in: r.node}
	for i, c := range r.cols {
		e, err := b.castTo(columnExpr(c, parse.Pos{}), outs[i].typ, fn.Implicit)
		if err != nil {
			return nil, err
		}
		p.items = append(p.items, e)
		p.outs = append(p.outs, &column{name: c.name, typ: outs[i].typ})
	}
	return p, nil
}
