package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage"
)

// metadataNode is a row that is known without a scan.
type metadataNode struct {
	table *storage.Table
	items []exec.MetadataItem
	outs  []*column
}

func (n *metadataNode) columns() []*column { return n.outs }

func (n *metadataNode) inputs() []*node { return nil }

func (n *metadataNode) exprs() []*expr { return nil }

func (n *metadataNode) copied() node {
	c := *n
	return &c
}
