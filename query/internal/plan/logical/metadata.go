package logical

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage"
)

// Metadata is a row that is known without a scan.
type Metadata struct {
	Table *storage.Table
	Items []exec.MetadataItem
	Outs  []*Column
	Match *Expr // OpWords: rows that match are counted; nil = all
}

func (n *Metadata) Columns() []*Column { return n.Outs }

func (n *Metadata) Inputs() []*Node { return nil }

func (n *Metadata) Exprs() []*Expr {
	if n.Match != nil {
		return []*Expr{n.Match.WordsQuery()}
	}
	return nil
}

func (n *Metadata) Copied() Node {
	c := *n
	return &c
}
