package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
)

// countFromMetadata answers count(*), and min and max of an indexed column,
// without a scan.
func countFromMetadata(f *facts, n node) (node, error) {
	a, ok := n.(*aggNode)
	if !ok || len(a.keys) > 0 || len(a.aggs) == 0 {
		return n, nil
	}
	scan, ok := a.in.(*scanNode)
	if !ok || len(scan.filters) > 0 || scan.lookup != nil || scan.search != nil {
		return n, nil
	}
	node := &metadataNode{table: scan.table, outs: a.aggCols}
	for _, g := range a.aggs {
		if g.filter != nil {
			return n, nil
		}
		item := exec.MetadataItem{Type: g.call.Result}
		switch name := g.call.Func.Name; {
		case name == "count" && (g.arg == nil || !g.distinct && g.arg.op == opColumn && scan.table.Def().Columns[g.arg.col.ord].NotNull):
			item.Count = true
		case (name == "min" || name == "max") && g.arg != nil && g.arg.op == opColumn:
			index, ok := indexOn(scan.table.Def(), g.arg.col.ord)
			if !ok || name == "max" && exec.Least(g.arg.typ.Kind).IsNull() {
				return n, nil
			}
			item.Index, item.Column, item.Last = index, g.arg.col.ord, name == "max"
		default:
			return n, nil
		}
		node.items = append(node.items, item)
	}
	return node, nil
}
