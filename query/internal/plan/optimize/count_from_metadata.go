package optimize

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// countFromMetadata answers count(*), also of the rows that match words, and min and max of an
// indexed column, without a scan.
func countFromMetadata(f *Facts, n logical.Node) (logical.Node, error) {
	a, ok := n.(*logical.Group)
	if !ok || len(a.Keys) > 0 || len(a.Aggs) == 0 {
		return n, nil
	}
	scan, ok := a.In.(*logical.Scan)
	if !ok || len(scan.Filters) > 0 || scan.Search != nil {
		return n, nil
	}
	node := &logical.Metadata{Table: scan.Table, Outs: a.AggCols}
	if l := scan.Lookup; l != nil {
		if node.Match = l.Match; l.Match == nil || l.Match.Op != logical.OpWords {
			return n, nil
		}
	}
	for _, g := range a.Aggs {
		if g.Filter != nil {
			return n, nil
		}
		item := exec.MetadataItem{Type: g.Call.Result}
		switch name := g.Call.Func.Name; {
		case name == "count" && (g.Arg == nil || !g.Distinct && g.Arg.Op == logical.OpColumn && scan.Table.Def().Columns[g.Arg.Column.Ord].NotNull):
			item.Count = true
		case (name == "min" || name == "max") && node.Match == nil && g.Arg != nil && g.Arg.Op == logical.OpColumn:
			index, ok := indexOn(scan.Table.Def(), g.Arg.Column.Ord)
			if !ok || name == "max" && exec.Least(g.Arg.Type.Kind).IsNull() {
				return n, nil
			}
			item.Index, item.Column, item.Last = index, g.Arg.Column.Ord, name == "max"
		default:
			return n, nil
		}
		node.Items = append(node.Items, item)
	}
	return node, nil
}
