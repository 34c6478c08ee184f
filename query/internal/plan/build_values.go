package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage/value"
)

// values builds rows that are written down in the statement.
func (b *builder) values(n *valuesNode) (rel, error) {
	if len(n.outs) == 0 {
		return rel{op: b.measured(exec.OneRow()), lay: newLayout(nil)}, nil
	}
	v := &exec.Rows{Ctx: &b.fnctx, Count: len(n.rows)}
	for i, c := range n.outs {
		t := c.typ
		for _, row := range n.rows {
			if t.Kind == value.Vector && t.Dim == 0 {
				t.Dim = row[i].typ.Dim
			}
		}
		v.Types = append(v.Types, t)
	}
	for _, row := range n.rows {
		for i, e := range row {
			item := exec.RowItem{Const: e.val}
			if t := v.Types[i]; !isConst(e) || t.Kind == value.Vector && e.typ.Dim != t.Dim {
				item.At = at(e.pos)
			}
			if !isConst(e) {
				var err error
				if item.X, err = b.compile(newLayout(nil), e); err != nil {
					return rel{}, err
				}
			}
			v.Items = append(v.Items, item)
		}
	}
	return rel{op: b.measured(v), lay: newLayout(n.outs)}, nil
}
