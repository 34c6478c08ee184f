package build

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// values builds rows that are written down in the statement.
func (b *Builder) values(n *logical.Values) (rel, error) {
	if len(n.Outs) == 0 {
		return rel{op: b.Analyzed(exec.OneRow()), lay: compile.NewLayout(nil)}, nil
	}
	v := &exec.Rows{Ctx: &b.Fnctx, Count: len(n.Rows)}
	for i, c := range n.Outs {
		t := c.Type
		for _, row := range n.Rows {
			if t.Kind == value.Vector && t.Dim == 0 {
				t.Dim = row[i].Type.Dim
			}
		}
		v.Types = append(v.Types, t)
	}
	for _, row := range n.Rows {
		for i, e := range row {
			item := exec.RowItem{Const: e.Value}
			if t := v.Types[i]; !logical.IsConst(e) || t.Kind == value.Vector && e.Type.Dim != t.Dim {
				item.At = logical.At(e.Pos)
			}
			if !logical.IsConst(e) {
				var err error
				if item.X, err = b.Compile(compile.NewLayout(nil), e); err != nil {
					return rel{}, err
				}
			}
			v.Items = append(v.Items, item)
		}
	}
	return rel{op: b.Analyzed(v), lay: compile.NewLayout(n.Outs)}, nil
}
